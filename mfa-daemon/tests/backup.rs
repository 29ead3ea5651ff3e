// SPDX-License-Identifier: GPL-3.0-or-later
//! Backup while people log in, and what a restore leaves of codes: none from before it opens a login.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "this is test code outside of test functions"
)]

mod databases;
mod house;

use std::fs;
use std::path::Path;

use databases::RELEASED;
use house::{Caller, House, NOBODY, Talk, base64, bytes, code, now, pass, set_clock};
use mfa_crypto::OtpUri;
use serde_json::{Value, json};

fn back_up(house: &House) -> Vec<u8> {
    let mut caller = house.connect();
    let made = caller.ask(json!({"type": "admin_backup"}));
    assert_eq!(made["type"], "backup", "{made}");
    let mut copy = Vec::new();
    loop {
        let part = caller.ask(json!({"type": "admin_backup_part", "offset": copy.len()}));
        let part = bytes(&part["data"]);
        if part.is_empty() {
            assert_eq!(made["bytes"], copy.len());
            return copy;
        }
        copy.extend(part);
    }
}

fn send<'h>(house: &'h House, copy: &[u8]) -> Caller<'h> {
    let mut caller = house.connect();
    assert_eq!(caller.ask(json!({"type": "admin_restore_begin"}))["type"], "restore_begun");
    for part in copy.chunks(45 * 1024) {
        let taken = caller.ask(json!({"type": "admin_restore_part", "data": base64(part)}));
        assert_eq!(taken["type"], "taken", "{taken}");
    }
    caller
}

fn restore(house: &House, copy: &[u8]) -> Value {
    send(house, copy).ask(json!({"type": "admin_restore_commit"}))
}

fn counter(key: &OtpUri, counter: u64) -> String {
    mfa_crypto::hotp(&key.secret, key.algorithm, key.digits, counter).as_str().to_owned()
}

/// The code of the phone, so many steps from now.
fn ahead(phone: &OtpUri, steps: u64) -> String {
    counter(phone, now() / 30 + steps)
}

fn enroll(house: &House, user: &str) -> (OtpUri, Vec<String>) {
    let mut talk = Talk::open(house.connect(), user, "enroll").unwrap();
    let phone = talk.provision("phone");
    let confirmed = talk.confirm("phone", &code(&phone));
    let recovery = confirmed["recovery_codes"].as_array().unwrap().iter();
    let recovery = recovery.map(|code| code.as_str().unwrap().to_owned()).collect();
    pass(60);
    (phone, recovery)
}

fn names(house: &House) -> Vec<String> {
    let listed = house.ask(json!({"type": "admin_list", "limit": 200}));
    let users = listed["users"].as_array().unwrap().iter();
    users.map(|user| user["user"].as_str().unwrap().to_owned()).collect()
}

fn leftovers(house: &House) -> Vec<String> {
    let found = fs::read_dir(house.home.path()).unwrap();
    let names = found.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains("backup") || name.contains("restore")).collect()
}

#[test]
fn no_code_from_before_a_restore_opens_a_login_and_the_next_one_does() {
    let house = House::new("");
    let (phone, recovery) = enroll(&house, "alice");
    let mut talk = Talk::open(house.connect(), "alice", "enroll").unwrap();
    let key = talk.provisioned(&json!({"type": "provision", "name": "key", "moving": "hotp"}));
    assert_eq!(talk.confirm("key", &counter(&key, 0))["type"], "confirmed");
    let bypass = json!({"type": "admin_bypass", "user": "alice", "seconds": 86_400, "uses": 9});
    let bypass = house.ask(bypass)["code"].as_str().unwrap().to_owned();
    pass(60);
    let copy = back_up(&house);

    // Used after the backup, which does not know it.
    let used = [ahead(&phone, 0), counter(&key, 1), recovery[0].clone(), bypass.clone()];
    for code in &used {
        assert_eq!(house.verify("alice", code), "accepted");
    }
    let (late, _) = enroll(&house, "late");
    let mut waiting = Talk::open(house.connect(), "bob", "enroll").unwrap();
    let bobs = waiting.provision("phone");
    let next = ahead(&phone, 1);
    let restored = restore(&house, &copy);
    assert_eq!((&restored["type"], &restored["users"]), (&json!("restored"), &json!(1)));
    assert!(leftovers(&house).is_empty(), "{:?}", leftovers(&house));

    let refused = |house: &House| {
        for code in used.iter().chain([&ahead(&phone, 0), &next, &counter(&key, 2), &recovery[1]]) {
            assert_ne!(house.verify("alice", code), "accepted", "{code}");
        }
        house.ask(json!({"type": "admin_unlock", "user": "alice"}))
    };
    refused(&house);
    assert_eq!(names(&house), ["alice"]);
    assert_ne!(waiting.confirm("phone", &code(&bobs))["type"], "confirmed", "it was of before");
    assert_ne!(house.verify("late", &code(&late)), "accepted");

    // Also after a restart, and after an unlock.
    let house = House::on(house.end(), "");
    pass(60);
    assert_eq!(house.verify("alice", &ahead(&phone, 0)), "accepted");
    for code in [&recovery[1], &bypass, &counter(&key, 1), &counter(&key, 2)] {
        assert_ne!(house.verify("alice", code), "accepted");
    }
    let mut talk = Talk::open(house.connect(), "alice", "recovery_codes").unwrap();
    let renewed = talk.say(&json!({"type": "recovery_codes"}));
    let fresh = renewed["codes"][0].as_str().unwrap();
    assert_eq!(house.verify("alice", fresh), "accepted");
    let house = House::on(house.end(), "");
    let fresh = renewed["codes"][1].as_str().unwrap();
    assert_eq!(house.verify("alice", fresh), "accepted");

    // The trail goes on, with what happened between backup and restore.
    let trail = house.ask(json!({"type": "admin_audit", "limit": 200}));
    let events = trail["events"].as_array().unwrap();
    let numbers: Vec<_> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert!(numbers.is_sorted_by(|one, next| one + 1 == *next), "{numbers:?}");
    for (act, user) in [("backup", None), ("enroll", Some("late")), ("restore", None)] {
        let found = events
            .iter()
            .find(|event| event["act"] == act && user.is_none_or(|user| event["user"] == user));
        assert!(found.is_some(), "{act}");
    }
    assert!(!events.iter().any(|event| event["act"] == "put_back"), "it is the newest one");
}

#[test]
fn what_is_no_sound_backup_of_this_key_is_refused_and_nothing_changes() {
    let house = House::new("");
    let (phone, _) = enroll(&house, "alice");
    let copy = back_up(&house);
    let other = House::new("");
    enroll(&other, "mallory");
    let of_other_key = back_up(&other);
    drop(other);
    let home = tempfile::tempdir().unwrap();
    let changed = |change: &str| {
        let path = home.path().join("copy");
        fs::write(&path, &copy).unwrap();
        let database = rusqlite::Connection::open(&path).unwrap();
        database.execute_batch(change).unwrap();
        drop(database);
        fs::read(path).unwrap()
    };
    let mut flipped = copy.clone();
    let row = find(&copy, &sealed(&home.path().join("as-it-was"), &copy));
    flipped[row + 60] ^= 1;
    let mut torn = copy.clone();
    let middle = copy.len() / 2 / 4096 * 4096;
    torn[middle..middle + 4096].fill(0xff);
    for (bad, reason) in [
        (of_other_key, "another master key"),
        (Vec::new(), "no backup"),
        (b"a text".to_vec(), "no backup"),
        (copy[..copy.len() / 2].to_vec(), "a part of one"),
        (torn, "damaged"),
        (changed("PRAGMA user_version = 99"), "schema 99"),
        (changed("PRAGMA application_id = 1"), "no backup"),
        (changed("UPDATE user SET sealed = x'00'"), "alice"),
        (changed("UPDATE user SET version = version + 1"), "alice"),
        (changed("UPDATE user SET name = 'bob'"), "bob"),
        (changed("INSERT INTO master_key VALUES (x'00112233445566778899aabbccddeeff')"), "took"),
        (flipped, "alice"),
    ] {
        let refused = restore(&house, &bad);
        assert_eq!(refused["code"], "conflict", "{refused}");
        let message = refused["message"].as_str().unwrap();
        assert!(
            message.starts_with("nothing was put back") && message.contains(reason),
            "{message}"
        );
        assert!(leftovers(&house).is_empty());
        assert_eq!(names(&house), ["alice"]);
        assert_eq!(house.verify("alice", &code(&phone)), "accepted");
        assert_eq!(house.verify("alice", &code(&phone)), "replayed");
        pass(30);
    }
    // The control: as it was made, it is taken.
    assert_eq!(restore(&house, &copy)["type"], "restored");
}

/// The only row of a copy.
fn sealed(path: &Path, copy: &[u8]) -> Vec<u8> {
    fs::write(path, copy).unwrap();
    let database = rusqlite::Connection::open(path).unwrap();
    database.query_row("SELECT sealed FROM user", [], |row| row.get(0)).unwrap()
}

/// Where the beginning of it stands; the end of a long row may be elsewhere.
fn find(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(100).position(|found| found == &what[..100]).unwrap()
}

#[test]
fn a_backup_of_an_older_version_is_brought_up_to_date_before_it_counts() {
    for released in RELEASED {
        let home = tempfile::tempdir().unwrap();
        released.put(home.path());
        let path = home.path().join("mfa.db");
        let with_damage = fs::read(&path).unwrap();
        let database = rusqlite::Connection::open(&path).unwrap();
        assert_eq!(database.execute("DELETE FROM user WHERE name = 'dave'", []).unwrap(), 1);
        drop(database);
        let copy = fs::read(&path).unwrap();
        set_clock(released.made() + 5);
        let house = House::on(home, "");
        let refused = restore(&house, &with_damage);
        let message = refused["message"].as_str().unwrap();
        assert!(message.contains("1 records in the backup do not open (dave)"), "{message}");
        pass(30);
        let phone = released.token("alice", "phone");
        assert_eq!(house.verify("alice", &code(&phone)), "accepted");
        assert_eq!(restore(&house, &copy)["type"], "restored");
        let unused = released.recovery("alice").remove(1);
        for code in [ahead(&phone, 0), ahead(&phone, 1), unused] {
            let schema = released.schema;
            assert_ne!(house.verify("alice", &code), "accepted", "{code} of schema {schema}");
        }
        house.ask(json!({"type": "admin_unlock", "user": "alice"}));
        pass(90);
        assert_eq!(house.verify("alice", &code(&phone)), "accepted");
    }
}

#[test]
fn a_restore_that_is_abandoned_leaves_nothing_and_the_next_one_has_its_turn() {
    let house = House::new("");
    enroll(&house, "alice");
    let copy = back_up(&house);
    drop(send(&house, &copy[..copy.len() / 2]));
    let mut begun = house.connect();
    assert_eq!(begun.ask(json!({"type": "admin_restore_begin"}))["type"], "restore_begun");
    assert_eq!(leftovers(&house), ["mfa.db.restore"]);
    // Meanwhile nobody else has a turn; that is waited for, so it is looked at in the end only.
    assert_eq!(begun.ask(json!({"type": "admin_restore_commit"}))["code"], "conflict");
    assert_eq!(begun.ask(json!({"type": "admin_restore_commit"}))["code"], "conflict");
    let nothing = json!({"type": "admin_restore_part", "data": base64(b"x")});
    assert_eq!(house.ask(nothing)["code"], "conflict");
    assert_eq!(house.ask(json!({"type": "admin_backup_part", "offset": 0}))["code"], "conflict");
    assert_eq!(restore(&house, &copy)["type"], "restored");
    assert!(leftovers(&house).is_empty());
    for request in [
        json!({"type": "admin_backup"}),
        json!({"type": "admin_backup_part", "offset": 0}),
        json!({"type": "admin_restore_begin"}),
        json!({"type": "admin_restore_part", "data": ""}),
        json!({"type": "admin_restore_commit"}),
        json!({"type": "admin_check"}),
    ] {
        assert_eq!(house.caller(NOBODY.1).ask(request)["code"], "not_permitted");
    }
}

#[test]
fn a_backup_is_one_moment_while_people_log_in() {
    let house = House::new("");
    let (alice, _) = enroll(&house, "alice");
    let (bob, _) = enroll(&house, "bob");
    let mut caller = house.connect();
    let made = caller.ask(json!({"type": "admin_backup"}));
    // After the moment, before the copy has left.
    assert_eq!(house.verify("alice", &code(&alice)), "accepted");
    let length = usize::try_from(made["bytes"].as_u64().unwrap()).unwrap();
    let mut copy = Vec::new();
    while copy.len() < length {
        let part = caller.ask(json!({"type": "admin_backup_part", "offset": copy.len()}));
        copy.extend(bytes(&part["data"]));
        assert_eq!(house.ask(json!({"type": "status", "user": "bob"}))["user"], "bob");
    }
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("copy");
    fs::write(&path, copy).unwrap();
    assert_eq!(sqlite(&path, "PRAGMA integrity_check"), "ok");
    assert_eq!(sqlite(&path, "PRAGMA journal_mode"), "delete");
    assert_eq!(sqlite(&path, "SELECT group_concat(name) FROM user"), "alice,bob");
    assert_eq!(house.verify("bob", &code(&bob)), "accepted");
}

fn sqlite(path: &Path, query: &str) -> String {
    let database = rusqlite::Connection::open(path).unwrap();
    database.query_row(query, [], |row| row.get(0)).unwrap()
}

/// The same, whatever the backup's own tables claim: they are not sealed.
#[test]
fn a_guard_that_somebody_has_written_into_a_backup_is_not_believed() {
    for change in
        ["UPDATE guard SET number = 4294967295", "UPDATE guard SET until = 9000000000000000000"]
    {
        let house = House::new("");
        let (phone, _) = enroll(&house, "alice");
        let copy = back_up(&house);
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("copy");
        fs::write(&path, &copy).unwrap();
        let database = rusqlite::Connection::open(&path).unwrap();
        assert_eq!(database.execute(change, []).unwrap(), 1);
        drop(database);
        assert_eq!(restore(&house, &fs::read(path).unwrap())["type"], "restored");
        assert_eq!(house.verify("alice", &code(&phone)), "replayed");
        pass(90);
        assert_eq!(house.verify("alice", &code(&phone)), "accepted", "{change}");
        assert_eq!(restore(&house, &copy)["type"], "restored");
        pass(90);
        assert_eq!(house.verify("alice", &code(&phone)), "accepted", "{change}");
    }
}

#[test]
fn figures_are_those_that_the_list_has_after_a_restore() {
    let house = House::new("");
    enroll(&house, "alice");
    house.ask(json!({"type": "admin_bypass", "user": "alice", "seconds": 86_400, "uses": 9}));
    let stats = house.ask(json!({"type": "admin_stats"}));
    assert_eq!((&stats["bypassed"], &stats["without_recovery_codes"]), (&json!(1), &json!(0)));
    let copy = back_up(&house);
    assert_eq!(restore(&house, &copy)["type"], "restored");
    let stats = house.ask(json!({"type": "admin_stats"}));
    assert_eq!((&stats["bypassed"], &stats["without_recovery_codes"]), (&json!(0), &json!(1)));
}
