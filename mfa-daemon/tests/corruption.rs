// SPDX-License-Identifier: GPL-3.0-or-later
//! A damaged store: who is affected is denied by name and found, all others log in.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "this is test code outside of test functions"
)]

mod trial;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use trial::{Trial, code};

const USERS: usize = 2000;

fn user(n: usize) -> String {
    format!("user{n:04}")
}

fn with_users() -> Trial {
    let trial = Trial::start();
    let mut wire = trial.connect();
    assert_eq!(wire.ask(json!({"type": "admin_import_begin"}))["type"], "import_begun");
    for batch in (0..USERS).collect::<Vec<_>>().chunks(200) {
        let tokens: Vec<_> = batch
            .iter()
            .map(|n| {
                json!({"user": user(*n), "secret": "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=",
                    "algorithm": "SHA1", "digits": 6, "moving": {"factor": "totp", "period": 30}})
            })
            .collect();
        assert_eq!(wire.ask(json!({"type": "admin_import", "tokens": tokens}))["type"], "staged");
    }
    assert_eq!(wire.ask(json!({"type": "admin_import_commit"}))["added"], USERS);
    trial
}

fn check(trial: &Trial) -> Value {
    let checked = trial.ask(json!({"type": "admin_check"}));
    assert_eq!(checked["type"], "checked", "{checked}");
    checked
}

fn wait_for(trial: &Trial, line: &str) {
    let until = Instant::now() + Duration::from_secs(20);
    while !trial.log().contains(line) {
        assert!(Instant::now() < until, "no {line:?} in {}", trial.log());
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_flipped_bit_in_a_row_is_found_by_name_and_costs_that_user_alone() {
    let mut trial = with_users();
    let sound = check(&trial);
    assert_eq!((&sound["users"], &sound["damaged"]), (&json!(USERS), &json!(0)));
    assert_eq!((&sound["names"], &sound["faults"]), (&json!([]), &json!([])));
    wait_for(&trial, "the store is sound");
    trial.end(Signal::SIGTERM);
    let database = rusqlite::Connection::open(trial.path("state/mfa.db")).unwrap();
    let sealed = "SELECT sealed FROM user WHERE name = 'user0007'";
    let mut sealed: Vec<u8> = database.query_row(sealed, [], |row| row.get(0)).unwrap();
    sealed[60] ^= 1;
    let flip = "UPDATE user SET sealed = ?1 WHERE name = 'user0007'";
    assert_eq!(database.execute(flip, [sealed]).unwrap(), 1);
    drop(database);
    trial.run();
    let found = check(&trial);
    assert_eq!((&found["damaged"], &found["names"]), (&json!(1), &json!(["user0007"])));
    assert_eq!(trial.verify("user0007", &code(0))["type"], "unavailable");
    assert_eq!(trial.verify("user0008", &code(0))["type"], "accepted");
    wait_for(&trial, "damaged: every login of this user is denied");
    assert!(trial.log().contains("user0007"));
    assert_eq!(trial.verify("user0007", &code(1))["type"], "unavailable");
    let listed = trial.ask(json!({"type": "admin_list", "after": "user0006", "limit": 1}));
    assert_eq!(listed["users"][0]["damaged"], true, "{listed}");
    assert_eq!(trial.ask(json!({"type": "admin_reset", "user": "user0007"}))["type"], "reset");
    assert_eq!(check(&trial)["damaged"], 0);
}

#[test]
fn a_page_that_is_lost_costs_those_in_it_and_the_rest_is_served_and_looked_at() {
    let mut trial = with_users();
    trial.end(Signal::SIGTERM);
    let path = trial.path("state/mfa.db");
    // The leaf that has one user of the middle.
    let database = rusqlite::Connection::open(&path).unwrap();
    database.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    drop(database);
    let content = fs::read(&path).unwrap();
    let needle = b"user1000";
    let places = content.windows(needle.len()).enumerate().filter(|(_, found)| found == needle);
    let leaf = places.map(|(at, _)| at / 4096).find(|page| content[page * 4096] == 10).unwrap();
    let page = &content[leaf * 4096..(leaf + 1) * 4096];
    // With what was there before and was moved elsewhere.
    let there: BTreeSet<String> = (0..USERS)
        .map(user)
        .filter(|name| page.windows(name.len()).any(|found| found == name.as_bytes()))
        .collect();
    assert!(there.len() < 40, "{there:?}");
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&[0xff; 4096], leaf as u64 * 4096).unwrap();

    trial.run();
    wait_for(&trial, "the database is damaged");
    let found = check(&trial);
    assert_eq!(found["incomplete"], true, "{found}");
    assert!(!found["faults"].as_array().unwrap().is_empty(), "{found}");
    let (after, before) = (&found["unread_after"], &found["unread_before"]);
    let (after, before) = (after.as_str().unwrap(), before.as_str().unwrap());
    let between = (0..USERS).map(user).filter(|name| &name[..] > after && &name[..] < before);
    let between: BTreeSet<String> = between.collect();
    assert!(between.len() > 3 && between.is_subset(&there), "{between:?} {there:?}");
    assert_eq!(found["users"], USERS - between.len());
    // A neighbour of the lost page can be read, and its row may have to move into that page.
    let served = (0..USERS).step_by(7).map(user).filter(|name| name != after && name != before);
    for name in served.chain(between.clone()) {
        let expected = if between.contains(&name) { "unavailable" } else { "accepted" };
        let answer = trial.verify(&name, &code(1))["type"].as_str().unwrap().to_owned();
        assert!(
            answer == expected || answer == "replayed" && expected == "accepted",
            "{name}: {answer}"
        );
    }
}

#[test]
fn a_file_that_was_cut_denies_those_who_are_gone_and_never_starts_afresh() {
    let mut trial = with_users();
    trial.end(Signal::SIGTERM);
    let path = trial.path("state/mfa.db");
    let database = rusqlite::Connection::open(&path).unwrap();
    database.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    drop(database);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let refused = trial.refusal();
    assert!(refused.contains("database"), "{refused}");
    assert_eq!(fs::read(&path).unwrap().len() / 4096, whole.len() / 2 / 4096, "it was changed");
    // The control.
    fs::write(&path, whole).unwrap();
    trial.run();
    assert_eq!(trial.verify("user0001", &code(0))["type"], "accepted");
}

/// The page that has this is lost.
fn lose_page(trial: &Trial, needle: &[u8]) {
    let path = trial.path("state/mfa.db");
    let database = rusqlite::Connection::open(&path).unwrap();
    database.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    drop(database);
    let content = fs::read(&path).unwrap();
    let at = content.windows(needle.len()).position(|found| found == needle).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&[0xff; 4096], (at / 4096 * 4096) as u64).unwrap();
}

#[test]
fn a_page_of_the_trail_that_is_lost_keeps_nobody_out_and_the_rest_of_it_is_told() {
    let mut trial = with_users();
    for n in 0..40 {
        assert_eq!(trial.verify(&user(n), &code(0))["type"], "accepted");
    }
    trial.end(Signal::SIGTERM);
    lose_page(&trial, br#""act":"import""#);
    trial.run();
    wait_for(&trial, "the database is damaged");
    // Many times round the lost page would be 8,192 logins; the next ones go behind it.
    for n in 100..200 {
        assert_eq!(trial.verify(&user(n), &code(1))["type"], "accepted", "{n}");
    }
    let trail = trial.ask(json!({"type": "admin_audit", "after": 35, "limit": 200}));
    let told = trail["events"].as_array().unwrap();
    assert!(told.len() > 100, "{}", told.len());
    assert_eq!(trial.ask(json!({"type": "admin_stats"}))["type"], "stats");
}

#[test]
fn a_page_of_the_trail_that_is_lost_while_logins_go_on_is_passed_over() {
    let mut trial = with_users();
    let path = trial.path("state/mfa.db");
    // All of it is in the database then, and nothing in the log.
    trial.end(Signal::SIGTERM);
    trial.run();
    let content = fs::read(&path).unwrap();
    let empty = b"{}                     ";
    let places = |page: &[u8]| page.windows(empty.len()).filter(|found| found == empty).count();
    let leaf = (0..content.len() / 4096)
        .filter(|page| content[page * 4096] == 13 && places(&content[page * 4096..][..4096]) > 3)
        .nth(12)
        .unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&[0xff; 4096], leaf as u64 * 4096).unwrap();
    // Whoever meets the damage first is denied; nobody after that.
    let denied = (100..500)
        .filter(|n| trial.verify(&user(*n), &code(1))["type"] != "accepted")
        .collect::<Vec<_>>();
    assert_eq!(denied.len(), 1, "{denied:?}");
    assert!(trial.log().contains("the audit trail is damaged; these places are passed over"));
    let trail = trial.ask(json!({"type": "admin_audit", "after": 300, "limit": 200}));
    assert!(trail["events"].as_array().unwrap().len() > 90, "{trail}");
}

#[test]
fn a_damaged_key_of_the_recovery_codes_costs_these_codes_and_nothing_else() {
    let mut trial = with_users();
    trial.end(Signal::SIGTERM);
    let database = rusqlite::Connection::open(trial.path("state/mfa.db")).unwrap();
    let sealed = "SELECT sealed FROM recovery_key";
    let mut sealed: Vec<u8> = database.query_row(sealed, [], |row| row.get(0)).unwrap();
    sealed[40] ^= 1;
    assert_eq!(database.execute("UPDATE recovery_key SET sealed = ?1", [sealed]).unwrap(), 1);
    drop(database);
    trial.run();
    assert!(trial.log().contains("the key of the recovery codes is damaged"), "{}", trial.log());
    assert_eq!(trial.verify(&user(1), &code(0))["type"], "accepted");
    let bypass = json!({"type": "admin_bypass", "user": user(1), "seconds": 600, "uses": 2});
    let bypass = trial.ask(bypass)["code"].as_str().unwrap().to_owned();
    assert_eq!(trial.verify(&user(1), &bypass)["type"], "accepted");
    trial.end(Signal::SIGTERM);
    trial.run();
    assert_eq!(trial.verify(&user(1), &bypass)["type"], "accepted", "the new key is kept");
    assert_eq!(trial.log().matches("the key of the recovery codes is damaged").count(), 1);
}
