// SPDX-License-Identifier: GPL-3.0-or-later
//! Codes, secrets and keys after a day with everything in it: where they are searched they are not; and what
//! crashes leaves no core.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use data_encoding::{BASE32_NOPAD, BASE64, HEXLOWER, HEXUPPER};
use mfa_tests::account::Account;
use mfa_tests::artifacts;
use mfa_tests::daemon::{Daemon, crash};
use mfa_tests::stack::Stack;
use std::os::unix::process::ExitStatusExt;

use super::login;

/// A search: what is searched for, by name.
struct Canaries(Vec<(String, Vec<u8>)>);

impl Canaries {
    fn text(&mut self, name: &str, text: &str) {
        self.0.push((name.to_owned(), text.as_bytes().to_vec()));
    }

    /// In every form in which bytes are written.
    fn bytes(&mut self, name: &str, bytes: &[u8]) {
        self.0.push((name.to_owned(), bytes.to_vec()));
        for encoding in [BASE32_NOPAD, BASE64, HEXLOWER, HEXUPPER] {
            self.text(name, encoding.encode(bytes).trim_end_matches('='));
        }
        // As serde writes a list.
        let list: Vec<_> = bytes.iter().map(u8::to_string).collect();
        self.text(name, &list.join(","));
        self.text(name, &list.join(", "));
    }

    fn found_in(&self, place: &[u8]) -> Vec<&str> {
        let is_there = |what: &[u8]| place.windows(what.len()).any(|window| window == what);
        self.0.iter().filter(|(_, what)| is_there(what)).map(|(name, _)| name.as_str()).collect()
    }
}

/// One run of the command. What it said, and every program that was started, with its arguments.
fn mfa(daemon: &Daemon, arguments: &[&str]) -> (String, String) {
    let trace = daemon.socket().with_file_name("started");
    let output = Command::new("strace")
        .args(["-f", "-s", "4096", "-e", "trace=execve", "-o"])
        .arg(&trace)
        .arg(artifacts::command())
        .arg("--socket")
        .arg(daemon.socket())
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    (said, fs::read_to_string(&trace).unwrap())
}

fn token_in(file: &Path) -> Account {
    let uri = fs::read_to_string(file).unwrap();
    let secret = uri.split(['?', '&']).find_map(|field| field.strip_prefix("secret=")).unwrap();
    Account::shown("alice", secret.trim())
}

#[test]
fn after_a_day_of_enrolment_logins_rotation_export_and_rekey_no_secret_is_anywhere() {
    let daemon = Daemon::start();
    let home = daemon.socket().parent().unwrap().to_owned();
    let stack = Stack::module(&daemon.socket(), "debug");
    let (first, second) = (home.join("first"), home.join("second"));
    let mut canaries = Canaries(Vec::new());
    let (mut said, mut started) = (String::new(), String::new());
    let mut run = |arguments: &[&str]| {
        let (text, programs) = mfa(&daemon, arguments);
        said += &text;
        started += &programs;
    };
    canaries.bytes("the old master key", &fs::read(home.join("master.key")).unwrap());
    let save = |file: &Path| file.to_str().unwrap().to_owned();
    run(&["enroll", "--user", "alice", "--save-token", &save(&first)]);
    let mut logins = String::new();
    let mut log_in = |account: &Account, right: bool| {
        let code = if right { account.next_code() } else { account.wrong_code() };
        let outcome = login(&stack, "alice", &code);
        assert_eq!(outcome.authenticated() == "PAM_SUCCESS", right, "{outcome:?}");
        logins += &outcome.printed;
        code
    };
    let token = token_in(&first);
    canaries.bytes("the first secret", token.secret());
    let wrong = log_in(&token, false);
    canaries.text("a right code", &log_in(&token, true));
    run(&["rotate", "--user", "alice", "--save-token", &save(&second)]);
    let token = token_in(&second);
    canaries.bytes("the second secret", token.secret());
    canaries.text("another right code", &log_in(&token, true));
    run(&["admin", "export"]);
    run(&["admin", "rekey", "--yes"]);
    canaries.bytes("the new master key", &fs::read(home.join("master.key")).unwrap());
    // A small number, which is in any log as a part of others.
    if wrong.trim_start_matches('0').len() > 4 {
        canaries.text("a wrong code", &wrong);
    }

    let mut stored = Vec::new();
    for entry in fs::read_dir(&home).unwrap().flatten() {
        if entry.file_name().to_string_lossy().starts_with("mfa.db") {
            stored.extend(fs::read(entry.path()).unwrap());
        }
    }
    let log = daemon.log();
    for (place, text) in [
        ("the daemon's log", log.as_bytes()),
        ("the login program and its log", logins.as_bytes()),
        ("what the command said", said.as_bytes()),
        ("arguments of programs", started.as_bytes()),
        ("the database", &stored),
    ] {
        assert!(text.len() > 100, "{place}: {} bytes", text.len());
        assert!(canaries.found_in(text).is_empty(), "{place}: {:?}", canaries.found_in(text));
    }
    // Where they have to be they are found.
    let files = [fs::read(&second).unwrap(), fs::read(home.join("master.key")).unwrap()].concat();
    let found = canaries.found_in(&files);
    assert!(found.contains(&"the second secret") && found.contains(&"the new master key"));
}

#[test]
fn neither_the_daemon_nor_the_command_leaves_a_core() {
    let home = tempfile::tempdir().unwrap();
    let program = |command: &mut Command| {
        command.current_dir(home.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
    };
    let mut control = program(Command::new("cat").stderr(Stdio::null())).unwrap();
    assert!(crash(&mut control).core_dumped(), "no core of anything, see core(5)");

    let mut daemon = Daemon::start();
    let mut enrolling = program(
        Command::new(artifacts::command())
            .arg("--socket")
            .arg(daemon.socket())
            .args(["--json", "enroll", "--user", "alice"]),
    )
    .unwrap();
    let mut line = String::new();
    BufReader::new(enrolling.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("otpauth"), "{line}");
    for (name, ended) in [("mfa", crash(&mut enrolling)), ("mfa-daemon", daemon.crash())] {
        assert_eq!((ended.signal(), ended.core_dumped()), (Some(6), false), "{name}");
    }
    daemon.restart();
    let alice = daemon.account("alice");
    let stack = Stack::module(&daemon.socket(), "");
    assert_eq!(login(&stack, "alice", &alice.code_now()).authenticated(), "PAM_SUCCESS");
}
