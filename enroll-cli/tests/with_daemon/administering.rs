// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa admin`, and who may use it.

use std::fs;

use mfa_crypto::OtpUri;

use crate::machine::{Machine, NOBODY, code, open, text, wrong_code};

#[test]
fn others_are_refused_with_4_and_learn_nothing() {
    let machine = Machine::new();
    machine.enrolled("root", "token");
    machine.run_as_nobody(&["status"]).expect(0);
    let file = machine.path("open/users.oath");
    fs::write(&file, "HOTP/T30 x - 3132333435363738393031323334353637383930\n").unwrap();
    for command in [
        &["status", "--user"][..],
        &["verify", "123456", "--user"],
        &["revoke", "--name", "default", "--user"],
        &["enroll", "--json", "--user"],
        &["rotate", "--json", "--user"],
        &["recovery-codes", "--user"],
        &["status", "--end-grace", "--user"],
    ] {
        let refusal = |user| machine.run_as_nobody(&[command, &[user]].concat()).expect(4).err;
        assert_eq!(refusal("root"), refusal("no-such-user"), "{command:?}");
    }
    machine.run_as_nobody(&["admin", "list"]).expect(4);
    machine.run_as_nobody(&["admin", "invite", NOBODY.0]).expect(4);
    machine.run_as_nobody(&["admin", "bypass", NOBODY.0, "--for", "1h"]).expect(4);
    machine.run_as_nobody(&["admin", "end-grace", "root"]).expect(4);
    machine.run_as_nobody(&["explain", "root", "sshd"]).expect(4);
    machine.run_as_nobody(&["admin", "unlock", "root"]).expect(4);
    machine.run_as_nobody(&["admin", "import", text(&file), "--format", "users.oath"]).expect(4);
    machine.run(&["admin", "import", text(&file), "--format", "users.oath"]).expect(0);
}

#[test]
fn an_import_adds_who_is_new_keeps_who_is_known_and_what_was_spent() {
    let machine = Machine::new();
    let known = machine.enrolled("u0003", "token");
    let secret = "3132333435363738393031323334353637383930";
    let token = OtpUri::parse("otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap();
    let spent = code(&token, 0);
    let now = written_now();
    let mut lines = format!(
        "HOTP/T30 spender - {secret} 0 {spent} {now}L\nHOTP counter - {secret} 2 359152 {now}L\n"
    );
    for n in 0..1000 {
        lines.push_str(&format!("HOTP/T30 u{n:04} - {secret}\n"));
    }
    let path = machine.path("users.oath");
    fs::write(&path, lines).unwrap();
    open(&path, 0o600);
    let import = |more: &[&str]| {
        let arguments = ["--json", "admin", "import", text(&path), "--format", "users.oath"];
        machine.run(&[&arguments[..], more].concat()).expect(0).json().pop().unwrap()
    };
    let list = || machine.run(&["--json", "admin", "list"]).expect(0).json();

    assert_eq!(import(&["--dry-run"])["users"], 1002);
    assert_eq!(list().len(), 1);
    let report = import(&["--user", "u0500"]);
    assert_eq!((&report["added"], &report["known"]), (&1.into(), &0.into()));
    let report = import(&[]);
    assert_eq!((&report["added"], &report["known"]), (&1000.into(), &2.into()));
    let report = import(&[]);
    assert_eq!((&report["added"], &report["known"]), (&0.into(), &1002.into()));

    // Several pages, everybody once, in order.
    let names: Vec<String> =
        list().iter().map(|user| user["user"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names.len(), 1002);
    assert!(names.is_sorted_by(|one, next| one < next));
    let table = machine.run(&["admin", "list"]).expect(0).out;
    assert_eq!(table.lines().filter(|line| line.starts_with("u0")).count(), 1000);
    assert_eq!(table.lines().filter(|line| line.starts_with("USER")).count(), 1);
    assert_eq!(table.lines().count(), 1003);

    let verify = |user, code: &str| machine.run(&["verify", "--user", user, code]);
    verify("spender", &spent).expect(1);
    verify("spender", &code(&token, 1)).expect(0);
    verify("counter", "359152").expect(1);
    // RFC 4226, appendix D: the code of counter 3.
    verify("counter", "969429").expect(0);
    verify("u0001", &code(&token, 0)).expect(0);
    verify("u0003", &code(&known, 1)).expect(0);
}

#[test]
fn wrong_codes_lock_and_an_administrator_unlocks() {
    let machine = Machine::new();
    let token = machine.enrolled("alice", "token");
    let wrong = wrong_code(&token);
    let verify = |code: &str| machine.run(&["verify", "--user", "alice", code]);
    let locked =
        (0..20).map(|_| verify(&wrong)).find(|ended| ended.err.contains("nothing is checked"));
    locked.expect("a lock within twenty wrong codes").expect(1);
    verify(&code(&token, 1)).expect(1).complains("nothing is checked");
    let status = machine.run(&["status", "--user", "alice"]).expect(0).out;
    assert!(status.contains("Locked: "), "{status}");
    machine.run(&["admin", "unlock", "alice"]).expect(0);
    verify(&code(&token, 1)).expect(0);
}

#[test]
fn a_bypass_code_opens_as_many_logins_as_it_was_made_for() {
    let machine = Machine::new();
    machine.enrolled("alice", "token");
    let bypass = |more: &[&str]| {
        let arguments = [&["--json", "admin", "bypass", "alice", "--for", "1h"], more].concat();
        let issued = machine.run(&arguments).expect(0).json().remove(0);
        assert!(issued["until"].as_u64().is_some(), "{issued}");
        issued["code"].as_str().unwrap().to_owned()
    };
    let verify = |code: &str| machine.run(&["verify", "--user", "alice", code]);
    let twice = bypass(&["--uses", "2"]);
    let of_sshd = bypass(&["--service", "sshd"]);
    let status = machine.run(&["status", "--user", "alice"]).expect(0).out;
    assert!(status.contains("Bypass code: 2 logins until"), "{status}");
    assert!(status.contains("sshd only."), "{status}");
    verify(&of_sshd).expect(1);
    verify(&twice).expect(0);
    verify(&twice).expect(0);
    verify(&twice).expect(1);
    for code in [&twice, &of_sshd] {
        assert!(!status.contains(code) && !machine.log().contains(code));
    }
    let ended = machine.run(&["admin", "bypass", "alice", "--for", "1h"]).expect(0);
    let [what, code, until] = &ended.out.lines().collect::<Vec<_>>()[..] else {
        panic!("{}", ended.out)
    };
    assert!(what.starts_with("Opens 1 login of alice") && until.starts_with("Good until "));
    verify(code).expect(0);
}

#[test]
fn who_has_no_grace_is_told_so() {
    let machine = Machine::new();
    machine.enrolled("alice", "token");
    let ended = machine.run(&["--json", "admin", "end-grace", "alice"]).expect(0);
    assert_eq!(ended.json()[0]["graces_ended"], 0);
    let ended = machine.run(&["status", "--end-grace", "--user", "alice"]).expect(0);
    assert!(ended.out.contains("has no grace"), "{}", ended.out);
}

/// The present as a UsersFile writes it, in UTC.
fn written_now() -> String {
    let output = std::process::Command::new("date").args(["-u", "+%FT%T"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}
