// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa status`, `mfa explain` and `mfa doctor`.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;

use crate::machine::{Ended, Machine, code, open, text, wrong_code};

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
    let all_well = findings.iter().all(|finding| finding["severity"] != "critical");
    assert_eq!(ended.code == 0, all_well);

    open(&machine.path("run"), 0o777);
    let ended = machine.run(&["doctor"]).expect(3);
    assert!(ended.out.contains("chmod go-w"), "{}", ended.out);
    machine.run(&["verify", "--user", "alice", "123456"]).expect(3).complains("not to be trusted");
}

/// A daemon of another version: answers one question with this.
fn of_another_version(path: std::path::PathBuf, answer: &'static str) {
    let listener = UnixListener::bind(path).unwrap();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut length = [0; 4];
            if client.read_exact(&mut length).is_err() {
                continue;
            }
            let mut question = vec![0; u32::from_be_bytes(length) as usize];
            client.read_exact(&mut question).unwrap();
            let question: serde_json::Value = serde_json::from_slice(&question).unwrap();
            let answer = answer.replace("ID", &question["id"].to_string());
            let length = u32::try_from(answer.len()).unwrap().to_be_bytes();
            client.write_all(&[&length, answer.as_bytes()].concat()).unwrap();
        }
    });
}

#[test]
fn a_daemon_of_another_version_is_named_with_both_versions() {
    let machine = Machine::new();
    let own = env!("CARGO_PKG_VERSION");
    let of = |socket: &std::path::Path| {
        let found = machine.run(&["--json", "--socket", text(socket), "doctor"]).json();
        found.into_iter().find(|finding| finding["id"] == "version.daemon")
    };
    assert_eq!(of(&machine.socket()), None);
    let newer = machine.path("run/newer");
    of_another_version(newer.clone(), r#"{"v":1,"id":ID,"type":"about","version":"99.0.0"}"#);
    let found = of(&newer).unwrap();
    assert_eq!(found["finding"], format!("mfa-daemon is 99.0.0, mfa is {own}"));
    assert_eq!(found["severity"], "warning");
    let older = machine.path("run/older");
    of_another_version(
        older.clone(),
        r#"{"v":1,"id":ID,"type":"error","code":"malformed","message":"unknown type"}"#,
    );
    let found = of(&older).unwrap();
    assert!(found["finding"].as_str().unwrap().contains("older than"), "{found}");
    assert_eq!(found["mend"], "systemctl restart mfa.service");
}

#[test]
fn strictness_and_what_is_left_out_decide_how_the_doctor_ends() {
    let machine = Machine::new();
    machine.enrolled("nobody", "token");
    let ids = |ended: &Ended| -> Vec<(String, String)> {
        let word =
            |finding: &serde_json::Value, name: &str| finding[name].as_str().unwrap().to_owned();
        ended.json().iter().map(|found| (word(found, "severity"), word(found, "id"))).collect()
    };
    let plain = machine.run(&["--json", "doctor"]);
    let found = ids(&plain);
    let has = |severity: &str| found.iter().any(|(of, _)| of == severity);
    assert_eq!(plain.code, i32::from(has("critical")));
    let strict = machine.run(&["--json", "doctor", "--strict"]);
    assert_eq!(strict.code, i32::from(has("critical") || has("warning")));
    // The worst comes first.
    let order = ["critical", "warning", "note", "ok"];
    let places: Vec<_> =
        found.iter().map(|(of, _)| order.iter().position(|word| word == of).unwrap()).collect();
    assert!(places.is_sorted(), "{found:?}");
    let mut ignoring = vec!["--json", "doctor", "--strict"];
    for (severity, id) in &found {
        if severity != "ok" {
            ignoring.extend(["--ignore", id]);
        }
    }
    let left = machine.run(&ignoring).expect(0);
    assert!(ids(&left).iter().all(|(severity, _)| severity == "ok"), "{}", left.out);
    machine.run(&["doctor", "--ignore", "no.such"]).expect(2);
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
