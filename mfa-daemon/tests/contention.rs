// SPDX-License-Identifier: GPL-3.0-or-later
//! Many at the same time on one record or one database: each gets one answer, and nothing counts twice.

#![expect(clippy::indexing_slicing, reason = "this is test code outside of test functions")]

mod house;

use std::time::Instant;

use house::{House, Talk, code, pass, wrong};
use serde_json::{Value, json};

fn verify(user: &str, code: &str, service: &str) -> Value {
    json!({"type": "verify", "user": user, "code": code, "origin": {"service": service}})
}

fn count(answers: &[Value], kind: &str) -> usize {
    answers.iter().filter(|answer| answer["type"] == kind).count()
}

fn failures(house: &House, user: &str) -> Value {
    house.ask(json!({"type": "status", "user": user}))["failures"].clone()
}

/// A lock that belongs to this process, as one of its own threads could hold it.
#[test]
fn while_somebody_else_holds_the_database_everybody_is_denied_in_time_and_nothing_is_counted() {
    let house = House::new("");
    let phone = house.enroll("alice", "phone");
    let other = rusqlite::Connection::open(house.home.path().join("mfa.db")).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let started = Instant::now();
    let requests: Vec<_> = (0..12).map(|_| verify("alice", &wrong(&phone), "test")).collect();
    let answers = house.together(&requests);
    assert_eq!(count(&answers, "unavailable"), 12, "{answers:?}");
    assert!(started.elapsed().as_secs() < 8, "{:?}", started.elapsed());
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(failures(&house, "alice"), 0);
    assert_eq!(house.verify("alice", &code(&phone)), "accepted");
}

#[test]
fn of_a_thousand_wrong_codes_at_a_time_as_many_are_looked_at_as_the_policy_allows() {
    const GUESSES: usize = 1000;
    let house = House::new("");
    let phone = house.enroll("alice", "phone");
    let current = house::now() / 30;
    let near: Vec<_> = (current - 1..=current + 3)
        .map(|step| mfa_crypto::hotp(&phone.secret, phone.algorithm, phone.digits, step))
        .map(|code| code.as_str().to_owned())
        .collect();
    let guesses = (0..).map(|n| format!("{n:06}")).filter(|guess| !near.contains(guess));
    let services = ["sshd", "sudo", "su", "login"];
    let requests: Vec<_> = guesses
        .take(GUESSES)
        .enumerate()
        .map(|(n, guess)| verify("alice", &guess, services[n % services.len()]))
        .collect();
    let answers = house.together(&requests);
    // By default five are free, and each is answered as what it is.
    assert_eq!((count(&answers, "wrong"), count(&answers, "locked")), (5, GUESSES - 5));
    assert_eq!(failures(&house, "alice"), 5);
    // The right one has to wait as well; then it opens, once.
    let right = code(&phone);
    assert_eq!(house.verify("alice", &right), "locked");
    pass(30);
    let right = vec![verify("alice", &code(&phone), "sshd"); 64];
    let answers = house.together(&right);
    // The others are wrong codes as any: five are looked at.
    let of = |kind| count(&answers, kind);
    assert_eq!((of("accepted"), of("replayed"), of("locked")), (1, 5, 58));
    assert_eq!(failures(&house, "alice"), 5);
}

#[test]
fn the_same_recovery_code_at_the_same_time_opens_one_login() {
    let house = House::new("");
    let mut talk = Talk::open(house.connect(), "alice", "enroll").unwrap();
    let phone = talk.provision("phone");
    let confirmed = talk.confirm("phone", &code(&phone));
    let codes = confirmed["recovery_codes"].as_array().unwrap().clone();
    for recovery in codes.iter().map(|code| code.as_str().unwrap()) {
        let answers = house.together(&vec![verify("alice", recovery, "sshd"); 32]);
        assert_eq!(count(&answers, "accepted"), 1, "{answers:?}");
        // The others were looked at and wrong, or came when that had locked the account.
        assert_eq!(count(&answers, "wrong") + count(&answers, "locked"), 31, "{answers:?}");
        let unlock = house.ask(json!({"type": "admin_unlock", "user": "alice"}));
        assert_eq!(unlock["type"], "unlocked", "{unlock}");
    }
    assert_eq!(house.ask(json!({"type": "status", "user": "alice"}))["recovery_codes_left"], 0);
    pass(30);
    assert_eq!(house.verify("alice", &code(&phone)), "accepted");
}

#[test]
fn of_two_new_master_keys_at_once_one_is_made_and_everybody_goes_on() {
    let house = House::new("");
    let phone = house.enroll("alice", "phone");
    let before = std::fs::read(house.home.path().join("master.key")).unwrap();
    let begin = json!({"type": "admin_rekey", "begin": true});
    let answers = house.together(&vec![begin; 8]);
    assert_eq!(count(&answers, "rekey"), 8, "{answers:?}");
    let mut state = house.ask(json!({"type": "admin_rekey"}));
    while state["running"] == true {
        state = house.ask(json!({"type": "admin_rekey"}));
    }
    assert_eq!((&state["damaged"], state.get("interrupted")), (&json!(0), None), "{state}");
    let trail = house.ask(json!({"type": "admin_audit", "limit": 200}));
    let acts = trail["events"].as_array().unwrap().iter().filter(|event| event["act"] == "rekey");
    let begun = acts.filter(|event| event["reason"] == "begun").count();
    let house = House::on(house.end(), "");
    assert_ne!(std::fs::read(house.home.path().join("master.key")).unwrap(), before);
    assert!(!house.home.path().join("master.key.next").exists());
    assert_eq!(begun, 1, "{trail}");
    let fresh = code(&phone);
    assert_eq!(house.verify("alice", &fresh), "accepted");
    assert_eq!(house.verify("alice", &fresh), "replayed");
}
