// SPDX-License-Identifier: GPL-3.0-or-later
//! Whose wrong codes count, what takes the count back, and what survives a backup that is put back.

#![expect(clippy::indexing_slicing, reason = "this is test code outside of test functions")]

mod house;

use house::{House, NOBODY, Talk, base64, bytes, code, pass, wrong};
use serde_json::{Value, json};

fn failures(house: &House, user: &str) -> Value {
    house.ask(json!({"type": "status", "user": user}))["failures"].clone()
}

#[test]
fn only_a_code_of_ones_own_token_takes_the_count_back() {
    let house = House::new("");
    let (alices, bobs) = (house.enroll("alice", "phone"), house.enroll("bob", "phone"));
    for _ in 0..3 {
        assert_eq!(house.verify("alice", &wrong(&alices)), "wrong");
    }
    assert_eq!(house.verify("bob", &code(&bobs)), "accepted");
    assert_eq!(failures(&house, "alice"), 3, "somebody else's success");
    let mut talk = Talk::open(house.connect(), "alice", "enroll").unwrap();
    let second = talk.provision("second");
    assert_eq!(talk.confirm("second", &code(&second))["type"], "confirmed");
    assert_eq!(failures(&house, "alice"), 3, "an enrolment by root");
    let mut talk = Talk::open(house.connect(), "alice", "recovery_codes").unwrap();
    assert_eq!(talk.say(&json!({"type": "recovery_codes"}))["type"], "recovery_codes");
    assert_eq!(failures(&house, "alice"), 3, "new recovery codes");
    pass(60);
    assert_eq!(house.verify("alice", &code(&alices)), "accepted");
    assert_eq!(failures(&house, "alice"), 0, "the control");
}

#[test]
fn three_hundred_guesses_of_a_shell_at_somebody_else_count_against_nobody() {
    let house = House::new("");
    let phone = house.enroll("alice", "phone");
    let mut shell = house.caller(NOBODY.1);
    let guess = wrong(&phone);
    for n in 0..300 {
        let kind = ["verify", "begin"][usize::from(n % 10 == 0)];
        let mut question = json!({"type": kind, "user": "alice", "origin": {"service": "test"}});
        if kind == "verify" {
            question["code"] = json!(guess);
        }
        assert_eq!(shell.ask(question)["code"], "not_permitted", "{n}");
    }
    // Not even the right one is looked at.
    let right = json!({"type": "verify", "user": "alice", "code": code(&phone),
        "origin": {"service": "test"}});
    assert_eq!(shell.ask(right)["code"], "not_permitted");
    assert_eq!(failures(&house, "alice"), 0);
    assert_eq!(failures(&house, NOBODY.0), 0);
    assert_eq!(house.verify("alice", &code(&phone)), "accepted");
    // The control: what root asks is counted.
    assert_eq!(house.verify("alice", &guess), "wrong");
    assert_eq!(failures(&house, "alice"), 1);
}

fn back_up(house: &House) -> Vec<u8> {
    let mut caller = house.connect();
    assert_eq!(caller.ask(json!({"type": "admin_backup"}))["type"], "backup");
    let mut copy = Vec::new();
    loop {
        let part = caller.ask(json!({"type": "admin_backup_part", "offset": copy.len()}));
        let part = bytes(&part["data"]);
        if part.is_empty() {
            return copy;
        }
        copy.extend(part);
    }
}

fn restore(house: &House, copy: &[u8]) {
    let mut caller = house.connect();
    assert_eq!(caller.ask(json!({"type": "admin_restore_begin"}))["type"], "restore_begun");
    for part in copy.chunks(45 * 1024) {
        let taken = caller.ask(json!({"type": "admin_restore_part", "data": base64(part)}));
        assert_eq!(taken["type"], "taken", "{taken}");
    }
    assert_eq!(caller.ask(json!({"type": "admin_restore_commit"}))["type"], "restored");
}

/// docs/operations/backup.md says so.
#[test]
fn a_lock_outlives_a_restart_and_a_backup_brings_the_count_that_is_in_it() {
    let house = House::new("");
    let phone = house.enroll("alice", "phone");
    let open = back_up(&house);
    for _ in 0..5 {
        assert_eq!(house.verify("alice", &wrong(&phone)), "wrong");
    }
    let house = House::on(house.end(), "");
    assert_eq!(house.verify("alice", &code(&phone)), "locked", "after a restart");
    restore(&house, &open);
    assert_eq!(failures(&house, "alice"), 0);
    // What the lock kept from being tried is void now.
    assert_eq!(house.verify("alice", &code(&phone)), "replayed");
    pass(90);
    assert_eq!(house.verify("alice", &code(&phone)), "accepted");
    assert_eq!(failures(&house, "alice"), 0);
}
