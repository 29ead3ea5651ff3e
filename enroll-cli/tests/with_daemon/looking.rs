// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa status`, `mfa explain` and `mfa doctor`.

use std::fs;

use crate::machine::{Machine, code, open, wrong_code};

#[test]
fn the_doctor_finds_socket_and_daemon_well() {
    let machine = Machine::new();
    let ended = machine.run(&["--json", "doctor"]);
    assert!([0, 1].contains(&ended.code), "{}", ended.err);
    let findings = ended.json();
    for subject in ["socket", "daemon"] {
        let found = findings.iter().find(|finding| finding["subject"] == subject).unwrap();
        assert_eq!(found["severity"], "ok", "{found}");
    }
    let all_well = findings.iter().all(|finding| finding["severity"] != "bad");
    assert_eq!(ended.code == 0, all_well);

    open(&machine.path("run"), 0o777);
    let ended = machine.run(&["doctor"]).expect(3);
    assert!(ended.out.contains("chmod go-w"), "{}", ended.out);
    machine.run(&["verify", "--user", "alice", "123456"]).expect(3).complains("not to be trusted");
}

#[test]
fn the_status_names_the_last_failure_and_where_the_policy_is_shown() {
    let machine = Machine::new();
    let token = machine.enrolled("alice", "token");
    machine.run(&["verify", "--user", "alice", &wrong_code(&token)]).expect(1);
    let shown = machine.run(&["status", "--user", "alice"]).expect(0).out;
    assert!(
        shown.contains("1 wrong code since the last success, the last from mfa at "),
        "{shown}"
    );
    assert!(shown.contains("Recovery codes left: 10."), "{shown}");
    assert!(shown.contains("`mfa explain alice SERVICE`"), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    let status = machine.run(&["--json", "status", "--user", "alice"]).expect(0).json().remove(0);
    assert_eq!((&status["failures"], &status["last_failure"]["from"]), (&1.into(), &"mfa".into()));
    let ended = machine.run(&["verify", "--user", "alice", &code(&token, 1)]).expect(0);
    assert!(ended.out.contains("1 wrong code since"), "{}", ended.out);
}

#[test]
fn the_rule_that_decides_is_named_with_its_line() {
    let settings = "[[rule]]\nname = \"contractors\"\nusers = [\"alice\"]\nservices = \
                    [\"sshd\"]\nobserve = true\n";
    let machine = Machine::with(settings);
    machine.enrolled("alice", "token");
    let configuration = fs::read_to_string(machine.path("mfa.toml")).unwrap();
    let line = 1 + configuration.lines().position(|line| line == "[[rule]]").unwrap();
    let shown = machine.run(&["explain", "alice", "sshd", "--rhost", "192.0.2.1"]).expect(0).out;
    let facts: Vec<_> = shown.lines().collect();
    assert_eq!(facts[0], "alice would be asked for a code over sshd from 192.0.2.1.");
    assert_eq!(facts[1], format!("Rule 'contractors' (mfa.toml, line {line}) decides."));
    assert!(facts[2].starts_with("Observed only"), "{shown}");
    let shown = machine.run(&["--json", "explain", "alice", "sudo"]).expect(0).json().remove(0);
    assert_eq!((&shown["outcome"]["is"], shown.get("rule")), (&"prompt".into(), None));
    let shown = machine.run(&["explain", "bob", "sudo", "--tty", "pts/1"]).expect(0).out;
    assert!(shown.starts_with("bob has no token: denied over sudo on pts/1, or"), "{shown}");
}
