// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa admin list`, `show`, `stats`, `audit` and `reset`: who has what, and what happened.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::machine::terminal::Terminal;
use crate::machine::{Machine, NOBODY, code, text, wrong_code};

fn names(machine: &Machine, more: &[&str]) -> Vec<String> {
    let listed = machine.run(&[&["--json", "admin", "list"], more].concat()).expect(0).json();
    listed.iter().map(|user| user["user"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_list_is_narrowed_to_a_state_or_a_pattern_and_sorted() {
    let machine = Machine::new();
    let alice = machine.enrolled("alice", "alice.token");
    machine.enrolled("bob", "bob.token");
    machine.enrolled("bert", "bert.token");
    machine.run(&["admin", "invite", "carol"]).expect(0);
    machine.run(&["admin", "bypass", "bob", "--for", "1h"]).expect(0);
    machine.run(&["verify", "--user", "alice", &code(&alice, 1)]).expect(0);
    let wrong = wrong_code(&alice);
    for _ in 0..20 {
        machine.run(&["verify", "--user", "bert", &wrong]);
    }
    let all = ["alice", "bert", "bob", "carol"];
    assert_eq!(names(&machine, &[]), all);
    for (state, expected) in [
        ("enrolled", &["alice", "bert", "bob"][..]),
        ("unenrolled", &["carol"]),
        ("locked", &["bert"]),
        ("invited", &["carol"]),
        ("bypass", &["bob"]),
        ("damaged", &[]),
    ] {
        assert_eq!(names(&machine, &["--state", state]), expected, "{state}");
    }
    assert_eq!(names(&machine, &["--user", "b*"]), ["bert", "bob"]);
    assert_eq!(names(&machine, &["--user", "?o?"]), ["bob"]);
    assert_eq!(names(&machine, &["--user", "bo"]), Vec::<String>::new());
    assert_eq!(names(&machine, &["--reverse"]), ["carol", "bob", "bert", "alice"]);
    assert_eq!(names(&machine, &["--sort", "failures", "--reverse"])[0], "bert");
    assert_eq!(names(&machine, &["--sort", "last-used", "--reverse"])[0], "alice");
    assert_eq!(names(&machine, &["--sort", "created"])[0], "carol");
    machine.run(&["admin", "list", "--user", "zed"]).expect(0).complains("Nobody is like that.");
    let table = machine.run(&["admin", "list", "--state", "locked"]).expect(0).out;
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("USER  TOKENS  FAILURES  LOCKED") && lines.len() == 2, "{table}");
}

#[test]
fn show_and_audit_tell_what_happened_to_a_user_and_nothing_of_others() {
    let machine = Machine::new();
    let alice = machine.enrolled("alice", "alice.token");
    let bob = machine.enrolled("bob", "bob.token");
    let wrong = wrong_code(&alice);
    machine.run(&["verify", "--user", "alice", &wrong]).expect(1);
    let next = code(&alice, 1);
    machine.run(&["verify", "--user", "alice", &next]).expect(0);
    machine.run(&["verify", "--user", "alice", &next]).expect(1);
    machine.run(&["verify", "--user", "bob", &code(&bob, 1)]).expect(0);
    machine.run(&["admin", "unlock", "alice"]).expect(0);

    let read = |more: &[&str]| {
        let events = machine.run(&[&["--json", "admin", "audit"], more].concat()).expect(0).json();
        let word = |event: &serde_json::Value, field: &str| {
            event[field].as_str().unwrap_or_default().to_owned()
        };
        let of = |event| ["user", "act", "result", "reason"].map(|field| word(event, field));
        events.iter().map(of).collect::<Vec<_>>()
    };
    let of_alice = [
        ["alice", "enroll", "done", ""],
        ["alice", "login", "denied", "wrong_code"],
        ["alice", "login", "accepted", ""],
        ["alice", "login", "denied", "replayed"],
        ["alice", "unlock", "done", ""],
    ];
    assert_eq!(read(&["--user", "alice"]), of_alice);
    assert_eq!(read(&["--since", "1h"]).len(), 7);
    assert_eq!(read(&["--since", "2099-01-01"]).len(), 0);
    let table = machine.run(&["admin", "audit", "--user", "alice"]).expect(0).out;
    let replayed = table.lines().find(|line| line.contains("replayed")).unwrap();
    assert!(replayed.starts_with("!  2"), "{table}");
    assert!(replayed.contains("alice") && replayed.contains("uid 0 pid "), "{table}");
    machine.run(&["admin", "audit", "--user", "zed"]).expect(0).complains("no such entry");
    machine.run(&["admin", "audit", "--since", "yesterday"]).expect(2).complains("how long ago");

    let shown = machine.run(&["admin", "show", "alice"]).expect(0).out;
    for part in ["TOKEN ", "Recovery codes left: 10.", "The last entries", "replayed", "unlock"] {
        assert!(shown.contains(part), "no {part:?} in\n{shown}");
    }
    assert!(!shown.contains("bob"), "{shown}");
    let stats = machine.run(&["--json", "admin", "stats"]).expect(0).json().remove(0);
    assert_eq!((&stats["enrolled"], &stats["totp_tokens"]), (&2.into(), &2.into()));
    assert_eq!((&stats["day"]["accepted"], &stats["day"]["denied"]), (&2.into(), &2.into()));
    let stats = machine.run(&["admin", "stats"]).expect(0).out;
    assert!(stats.contains("LAST HOUR"), "{stats}");
    for command in [&["audit"][..], &["stats"], &["show", "root"], &["reset", "root", "--yes"]] {
        machine.run_as_nobody(&[&["admin"], command].concat()).expect(4);
    }
    let own = machine.run_as_nobody(&["admin", "show", NOBODY.0]);
    assert_eq!(own.expect(4).out, "");
}

#[test]
fn who_follows_the_trail_gets_each_new_entry_and_goes_with_the_reader() {
    let machine = Machine::new();
    let alice = machine.enrolled("alice", "alice.token");
    let mut following = machine
        .mfa(&["--json", "admin", "audit", "--follow"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut next =
        || -> serde_json::Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert_eq!(next()["act"], "enroll");
    machine.run(&["verify", "--user", "alice", &code(&alice, 1)]).expect(0);
    let login = next();
    assert_eq!(
        (&login["act"], &login["result"], &login["seq"]),
        (&"login".into(), &"accepted".into(), &2.into())
    );
    machine.run(&["admin", "unlock", "alice"]).expect(0);
    assert_eq!(next()["act"], "unlock");
    // Without another entry.
    drop(lines);
    assert!(following.wait().unwrap().success());
}

#[test]
fn a_reset_is_asked_about_and_leaves_nothing() {
    let machine = Machine::new();
    let alice = machine.enrolled("alice", "alice.token");
    let right = code(&alice, 1);
    machine.run(&["admin", "reset", "alice"]).expect(2).complains("--yes");
    let answered = |answer: &str| {
        let mut terminal = Terminal::run(&machine.mfa(&["admin", "reset", "alice"]), 80, 24);
        terminal.wait_for("Type yes: ");
        terminal.type_line(answer);
        terminal.end()
    };
    let (shown, code) = answered("y");
    assert!(code == 1 && shown.contains("nothing was changed"), "{code}: {shown}");
    assert_eq!(names(&machine, &[]), ["alice"]);

    assert_eq!(answered("yes").1, 0);
    assert_eq!(names(&machine, &[]), Vec::<String>::new());
    machine.run(&["verify", "--user", "alice", &right]).expect(1);
    machine.run(&["admin", "reset", "alice", "--yes"]).expect(1).complains("has no second factor");
    let path = machine.path("again");
    machine.run(&["enroll", "--user", "alice", "--save-token", text(&path)]).expect(0);
    assert!(fs::exists(&path).unwrap());
}
