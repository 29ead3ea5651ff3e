// SPDX-License-Identifier: GPL-3.0-or-later
//! An older database in the place of the one used last: no code that may have been used opens a login,
//! and nobody is kept out for longer than that takes.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "this is test code outside of test functions"
)]

mod house;

use std::fs;
use std::path::Path;

use house::{House, Talk, bytes, code, now, pass};
use mfa_crypto::OtpUri;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The database and its log as they stand; a daemon may be using them.
fn copy(from: &Path) -> TempDir {
    let to = tempfile::tempdir().unwrap();
    for name in ["mfa.db", "mfa.db-wal"] {
        if from.join(name).exists() {
            fs::copy(from.join(name), to.path().join(name)).unwrap();
        }
    }
    to
}

/// Ends the daemon, puts that copy into the place of its database, and starts the next one.
fn put_back(house: House, older: &TempDir) -> House {
    let home = house.end();
    for name in ["mfa.db", "mfa.db-wal", "mfa.db-shm"] {
        let _ = fs::remove_file(home.path().join(name));
        if older.path().join(name).exists() {
            fs::copy(older.path().join(name), home.path().join(name)).unwrap();
        }
    }
    House::on(home, "")
}

fn restarted(house: House) -> House {
    House::on(house.end(), "")
}

/// Somebody with all that opens logins.
struct Alice {
    phone: OtpUri,
    key: OtpUri,
    recovery: Vec<String>,
    bypass: String,
}

fn alice(house: &House) -> Alice {
    let mut talk = Talk::open(house.connect(), "alice", "enroll").unwrap();
    let phone = talk.provision("phone");
    let confirmed = talk.confirm("phone", &code(&phone));
    let recovery = confirmed["recovery_codes"].as_array().unwrap().iter();
    let recovery = recovery.map(|code| code.as_str().unwrap().to_owned()).collect();
    let key = talk.provisioned(&json!({"type": "provision", "name": "key", "moving": "hotp"}));
    assert_eq!(talk.confirm("key", &counter(&key, 0))["type"], "confirmed");
    let bypass = json!({"type": "admin_bypass", "user": "alice", "seconds": 86_400, "uses": 5});
    let bypass = house.ask(bypass)["code"].as_str().unwrap().to_owned();
    pass(60);
    Alice { phone, key, recovery, bypass }
}

/// A code of a token by counter.
fn counter(key: &OtpUri, counter: u64) -> String {
    mfa_crypto::hotp(&key.secret, key.algorithm, key.digits, counter).as_str().to_owned()
}

/// The code of the phone, so many steps from now.
fn ahead(phone: &OtpUri, steps: u64) -> String {
    mfa_crypto::hotp(&phone.secret, phone.algorithm, phone.digits, now() / 30 + steps)
        .as_str()
        .to_owned()
}

/// Something that the trail tells of.
fn witness(house: &House, user: &str) {
    let secret = json!("MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=");
    assert_eq!(bytes(&secret).len(), 20);
    let answer = house.ask(json!({"type": "admin_import", "tokens": [{"user": user,
        "secret": secret, "algorithm": "SHA1", "digits": 6,
        "moving": {"factor": "totp", "period": 30}}]}));
    assert_eq!(answer["type"], "imported", "{answer}");
}

fn last_event(house: &House) -> Value {
    let events = house
        .daemon
        .store
        .events(&mfa_daemon::store::AuditQuery { limit: u16::MAX, ..Default::default() });
    serde_json::to_value(events.unwrap().0.last().unwrap()).unwrap()
}

#[test]
fn no_code_used_since_an_older_database_opens_a_login_on_it() {
    let house = House::new("");
    let alice = alice(&house);
    let older = copy(house.home.path());
    let used = [code(&alice.phone), counter(&alice.key, 1), alice.recovery[0].clone()];
    for code in &used {
        assert_eq!(house.verify("alice", code), "accepted");
    }
    witness(&house, "bob");
    let house = restarted(house);
    // The control: without putting anything back, what is fresh goes on.
    assert_eq!(house.verify("alice", &used[0]), "replayed");
    assert_eq!(house.verify("alice", &alice.recovery[1]), "accepted");
    assert_eq!(house.verify("alice", &counter(&alice.key, 2)), "accepted");
    assert_eq!(house.verify("alice", &alice.bypass), "accepted");
    witness(&house, "carol");

    let house = put_back(house, &older);
    let event = last_event(&house);
    assert_eq!(
        (&event["act"], &event["reason"]),
        (&json!("put_back"), &json!("older_than_its_mark"))
    );
    assert_eq!(event["warning"], true);
    for code in &used {
        assert_ne!(house.verify("alice", code), "accepted");
    }
    assert_eq!(house.verify("alice", &ahead(&alice.phone, 1)), "replayed");
    house.ask(json!({"type": "admin_unlock", "user": "alice"}));
    for void in [&alice.recovery[1], &alice.recovery[5], &alice.bypass] {
        assert_eq!(house.verify("alice", void), "wrong");
    }
    pass(60);
    assert_eq!(house.verify("alice", &code(&alice.phone)), "accepted");
    assert_eq!(house.verify("alice", &code(&alice.phone)), "replayed");
}

#[test]
fn a_token_by_counter_opens_nothing_until_it_is_made_anew() {
    let house = House::new("");
    let alice = alice(&house);
    let older = copy(house.home.path());
    assert_eq!(house.verify("alice", &counter(&alice.key, 1)), "accepted");
    witness(&house, "bob");
    let house = put_back(house, &older);
    for n in 1..5 {
        assert_ne!(house.verify("alice", &counter(&alice.key, n)), "accepted", "{n}");
    }
    let house = restarted(house);
    assert_ne!(house.verify("alice", &counter(&alice.key, 5)), "accepted");
    // An unlock is the everyday remedy for wrong codes, and says nothing of which were used.
    let unlock = json!({"type": "admin_unlock", "user": "alice"});
    assert_eq!(house.ask(unlock)["type"], "unlocked");
    for n in 1..7 {
        assert_ne!(house.verify("alice", &counter(&alice.key, n)), "accepted", "{n}");
    }
    let status = house.ask(json!({"type": "status", "user": "alice"}));
    let held = status["tokens"].as_array().unwrap().iter().map(|token| token["held"] == true);
    assert_eq!(held.collect::<Vec<_>>(), [false, true], "{status}");
    house.ask(json!({"type": "admin_unlock", "user": "alice"}));
    house.ask(json!({"type": "revoke", "user": "alice", "name": "key"}));
    let mut talk = Talk::open(house.connect(), "alice", "enroll").unwrap();
    let key = talk.provisioned(&json!({"type": "provision", "name": "key", "moving": "hotp"}));
    assert_eq!(talk.confirm("key", &counter(&key, 0))["type"], "confirmed");
    assert_eq!(house.verify("alice", &counter(&key, 1)), "accepted");
}

#[test]
fn what_is_made_after_the_guard_counts() {
    let house = House::new("[token]\nenrollment = \"invite\"\n");
    let alice = alice(&house);
    let invite = |house: &House| {
        house.ask(json!({"type": "admin_invite", "user": "nobody", "seconds": 86_400}))["code"]
            .clone()
    };
    let before = invite(&house);
    let older = copy(house.home.path());
    witness(&house, "bob");
    let home = put_back(house, &older).end();
    let house = House::on(home, "[token]\nenrollment = \"invite\"\n");
    let after = json!({"type": "admin_bypass", "user": "alice", "seconds": 600, "uses": 1});
    let after = house.ask(after)["code"].as_str().unwrap().to_owned();
    let enrolls = |invite: &Value| {
        let mut talk = Talk::open(house.caller(house::NOBODY.1), "nobody", "enroll").unwrap();
        talk.say(&json!({"type": "provision", "name": "phone", "moving": "totp", "invite": invite}))
            ["type"]
            .clone()
    };
    assert_eq!(enrolls(&before), "refused");
    assert_eq!(house.verify("alice", &alice.bypass), "wrong");
    assert_eq!(enrolls(&invite(&house)), "provisioned");
    assert_eq!(house.verify("alice", &after), "accepted");
}

#[test]
fn a_database_without_its_mark_or_with_a_damaged_one_is_guarded_up_to_now() {
    for (spoil, reason) in [
        ((|mark: &Path| fs::remove_file(mark).unwrap()) as fn(&Path), "no_mark"),
        (|mark| fs::write(mark, "").unwrap(), "damaged_mark"),
        (|mark| fs::write(mark, "something else").unwrap(), "damaged_mark"),
    ] {
        let house = House::new("");
        let alice = alice(&house);
        let home = house.end();
        spoil(&home.path().join("mfa.db.mark"));
        let house = House::on(home, "");
        assert_eq!(last_event(&house)["reason"], reason);
        assert_eq!(house.verify("alice", &code(&alice.phone)), "replayed");
        assert_eq!(house.verify("alice", &alice.recovery[0]), "wrong");
        pass(60);
        let fresh = code(&alice.phone);
        assert_eq!(house.verify("alice", &fresh), "accepted");
        // The mark is there again: nothing more is guarded at the next start.
        let house = restarted(house);
        assert_eq!(house.verify("alice", &fresh), "replayed");
        pass(30);
        assert_eq!(house.verify("alice", &code(&alice.phone)), "accepted");
    }
}

#[test]
fn every_older_database_is_noticed_also_after_one_was_put_back() {
    let house = House::new("");
    let alice = alice(&house);
    let first = copy(house.home.path());
    for n in 0..5 {
        witness(&house, &format!("before{n}"));
    }
    let second = copy(house.home.path());
    assert_eq!(house.verify("alice", &alice.recovery[0]), "accepted");
    for n in 0..5 {
        witness(&house, &format!("after{n}"));
    }
    let seq = last_event(&house)["seq"].as_u64().unwrap();
    let house = put_back(house, &first);
    assert_eq!(last_event(&house)["seq"], seq + 1, "numbers go on: what is missing shows");
    // The second copy has more events than the first had, and fewer than were ever counted.
    let house = put_back(house, &second);
    assert_eq!(last_event(&house)["act"], "put_back");
    assert_eq!(house.verify("alice", &alice.recovery[0]), "wrong");
}

#[test]
fn a_log_that_was_deleted_or_cut_short_is_noticed() {
    for len in [None, Some(0), Some(4096), Some(100_000)] {
        let house = House::new("");
        let alice = alice(&house);
        // Everything so far is in the main file; what follows is in the log only.
        let checkpoint = rusqlite::Connection::open(house.home.path().join("mfa.db")).unwrap();
        checkpoint.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(())).unwrap();
        let used = code(&alice.phone);
        assert_eq!(house.verify("alice", &used), "accepted");
        witness(&house, "bob");
        let crashed = copy(house.home.path());
        let log = crashed.path().join("mfa.db-wal");
        match len {
            None => fs::remove_file(&log).unwrap(),
            Some(len) => {
                fs::OpenOptions::new().write(true).open(&log).unwrap().set_len(len).unwrap();
            }
        }
        drop(checkpoint);
        let house = put_back(house, &crashed);
        let event = last_event(&house);
        if len == Some(100_000) && event["act"] != "put_back" {
            // Cut behind what was written: nothing is missing.
            assert_eq!(house.verify("alice", &alice.recovery[0]), "accepted");
        } else {
            assert_eq!(event["act"], "put_back", "{len:?}");
            assert_eq!(house.verify("alice", &alice.recovery[0]), "wrong");
        }
        assert_eq!(house.verify("alice", &used), "replayed", "{len:?}");
    }
}

#[test]
fn a_first_start_beside_the_mark_of_another_store_begins_anew() {
    let house = House::new("");
    alice(&house);
    let home = house.end();
    fs::remove_file(home.path().join("mfa.db")).unwrap();
    fs::remove_file(home.path().join("master.key")).unwrap();
    let house = House::on(home, "");
    let alice = alice(&house);
    assert_eq!(house.verify("alice", &alice.recovery[0]), "accepted");
    let house = restarted(house);
    assert_eq!(house.verify("alice", &alice.recovery[1]), "accepted");
}
