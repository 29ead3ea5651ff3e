// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa enroll` from the secret to the first code, by file and by hand.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Stdio;

use mfa_crypto::{Moving, OtpUri};

use crate::machine::{
    Ended, Machine, NOBODY, code, read_line, shown_token, text, token, wrong_code,
};

#[test]
fn an_enrolment_by_file_makes_a_token_whose_codes_are_good_once() {
    let machine = Machine::new();
    let path = machine.path("token");
    let ended = machine
        .run(&[
            "--json",
            "enroll",
            "--user",
            "alice",
            "--name",
            "laptop",
            "--save-token",
            text(&path),
        ])
        .expect(0);
    let [pending, active] = &ended.json()[..] else { panic!("{}", ended.out) };
    assert_eq!((&pending["state"], &active["state"]), (&"pending".into(), &"active".into()));
    assert_eq!(active["recovery_codes"].as_array().unwrap().len(), 10);
    assert_eq!(active["saved_to"], text(&path));
    assert_eq!(fs::read_to_string(&path).unwrap().trim_end(), pending["otpauth"]);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(machine.tokens("alice"), ["laptop"]);

    let token = token(&path);
    let next = code(&token, 1);
    machine.run(&["verify", "--user", "alice", &next]).expect(0);
    machine.run(&["verify", "--user", "alice", &next]).expect(1).complains("used already");
    machine.run(&["verify", "--user", "alice", &wrong_code(&token)]).expect(1).complains("wrong");
    let ended = machine.run(&["--json", "verify", "--user", "alice", &next]).expect(1);
    assert_eq!(ended.json()[0]["type"], "replayed");

    let recovery = active["recovery_codes"][0].as_str().unwrap();
    let ended = machine.run(&["verify", "--user", "alice", recovery]).expect(0);
    assert!(ended.out.contains("left: 9"), "{}", ended.out);
    let secret = pending["secret"].as_str().unwrap();
    assert!(!machine.log().contains(secret) && !machine.log().contains(&next));
}

#[test]
fn recovery_codes_that_nobody_could_read_are_told_about() {
    let machine = Machine::new();
    let path = machine.path("token");
    for json in [false, true] {
        let user = format!("alice{json}");
        let mut command = machine.mfa(&["enroll", "--force", "--user", &user, "--save-token"]);
        command.arg(&path);
        if json {
            command.arg("--json");
        }
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = command.stdout(writer).output().unwrap();
        Ended::after(ended).expect(1).complains("The token is active all the same");
        let next = code(&token(&path), 1);
        machine.run(&["verify", "--user", &user, &next]).expect(0);
    }
    // Where nobody could see the secret, nothing becomes active.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = machine.mfa(&["enroll", "--user", "bob", "--json"]);
    Ended::after(command.stdout(writer).output().unwrap()).expect(1);
    assert_eq!(machine.tokens("bob"), [""; 0]);
}

#[test]
fn a_wrong_first_code_may_be_followed_by_the_right_one() {
    let machine = Machine::new();
    let mut child = machine
        .mfa(&["--json", "enroll", "--user", "alice"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let pending: serde_json::Value =
        serde_json::from_str(&read_line(child.stdout.as_mut().unwrap())).unwrap();
    let token = OtpUri::parse(pending["otpauth"].as_str().unwrap()).unwrap();
    let secret = pending["secret"].as_str().unwrap();
    // While it waits: pending, and the secret is in neither arguments nor environment.
    assert_eq!(machine.tokens("alice"), [""; 0]);
    for what in ["cmdline", "environ"] {
        let bytes = fs::read(format!("/proc/{}/{what}", child.id())).unwrap();
        assert!(!bytes.is_empty() && !String::from_utf8_lossy(&bytes).contains(secret), "{what}");
    }
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "{}\n{}", wrong_code(&token), code(&token, 0)).unwrap();
    let ended = Ended::after(child.wait_with_output().unwrap()).expect(0).complains("tries left");
    assert_eq!(ended.json()[0]["recovery_codes"].as_array().unwrap().len(), 10);
    assert_eq!(machine.tokens("alice"), ["default"]);
}

#[test]
fn wrong_first_codes_never_leave_a_token_that_counts() {
    let machine = Machine::new();
    let enroll = |codes: usize| {
        let mut child = machine
            .mfa(&["--json", "enroll", "--user", "alice"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let pending: serde_json::Value =
            serde_json::from_str(&read_line(child.stdout.as_mut().unwrap())).unwrap();
        let token = OtpUri::parse(pending["otpauth"].as_str().unwrap()).unwrap();
        let mut input = child.stdin.take().unwrap();
        for _ in 0..codes {
            // It may have ended before the last one.
            let _ = writeln!(input, "{}", wrong_code(&token));
        }
        drop(input);
        (Ended::after(child.wait_with_output().unwrap()), token)
    };
    // Three, and then nothing: given up, still pending, and its codes open nothing.
    let (ended, token) = enroll(3);
    ended.expect(1).complains("no code was given");
    assert_eq!(machine.tokens("alice"), [""; 0]);
    machine.run(&["verify", "--user", "alice", &code(&token, 0)]).expect(1);
    // As many as the daemon allows: nothing is left.
    let (ended, token) = enroll(20);
    ended.expect(1).complains("the new token was dropped");
    assert_eq!(machine.tokens("alice"), [""; 0]);
    machine.run(&["verify", "--user", "alice", &code(&token, 0)]).expect(1);
    // And the next enrolment works.
    let token = machine.enrolled("alice", "token");
    machine.run(&["verify", "--user", "alice", &code(&token, 1)]).expect(0);
}

#[test]
fn a_group_of_the_daemons_own_is_checked_with_notice() {
    let group = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/own-group-2048.pem");
    let machine = Machine::with_group(group);
    let file = machine.path("token");
    machine
        .run(&["enroll", "--user", "alice", "--save-token", text(&file)])
        .expect(0)
        .complains("a Diffie-Hellman group of its own");
    machine.run(&["verify", "--user", "alice", &code(&token(&file), 1)]).expect(0);
}

#[test]
fn others_of_the_same_uid_cannot_read_the_memory_that_holds_a_secret() {
    let machine = Machine::new();
    let owner = |id: u32| fs::metadata(format!("/proc/{id}/mem")).unwrap().uid();
    let mut child = machine
        .mfa_as_nobody(&["--json", "enroll", "--user", NOBODY.0])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    assert!(read_line(child.stdout.as_mut().unwrap()).contains("otpauth"));
    // proc(5): what is not dumpable belongs to root.
    assert_eq!(owner(child.id()), 0);
    drop(child.stdin.take());
    child.wait().unwrap();

    let mut control = std::process::Command::new("cat");
    control.uid(NOBODY.1).gid(NOBODY.1).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut control = control.spawn().unwrap();
    // Once it has echoed a line it is cat and no longer this test.
    control.stdin.as_mut().unwrap().write_all(b"x\n").unwrap();
    read_line(control.stdout.as_mut().unwrap());
    assert_eq!(owner(control.id()), NOBODY.1);
    drop(control.stdin.take());
    control.wait().unwrap();
}

#[test]
fn a_counter_token_is_enrolled_and_its_file_counts_on() {
    let machine = Machine::new();
    let path = machine.path("token");
    machine.run(&["enroll", "--user", "alice", "--hotp", "--save-token", text(&path)]).expect(0);
    assert_eq!(token(&path).moving, Moving::Hotp { counter: 1 });
    for _ in 0..3 {
        let shown = machine.run(&["code", "--token", text(&path)]).expect(0).out;
        machine.run(&["verify", "--user", "alice", shown.trim_end()]).expect(0);
        machine.run(&["verify", "--user", "alice", shown.trim_end()]).expect(1);
    }
}

#[test]
fn who_has_a_token_needs_a_code_of_it_for_another_one_and_to_remove_it() {
    let machine = Machine::new();
    let first = machine.path("open/first");
    machine.run_as_nobody(&["enroll", "--save-token", text(&first)]).expect(0);
    let token = token(&first);
    let second = machine.path("open/second");
    let enroll = ["enroll", "--name", "second", "--save-token", text(&second)];
    machine.run_as_nobody(&enroll).expect(1).complains("no code was given");
    machine.give_as_nobody(&enroll, &wrong_code(&token)).expect(1);
    machine.give_as_nobody(&enroll, &code(&token, 0)).expect(1);
    assert!(!second.exists());
    machine.give_as_nobody(&enroll, &code(&token, 1)).expect(0);
    assert!(second.exists());
    // With two of them one must be named; root needs no code.
    machine.run_as_nobody(&["revoke"]).expect(2).complains("\"second\"");
    machine.give_as_nobody(&["revoke", "--name", "second"], &wrong_code(&token)).expect(1);
    assert_eq!(machine.tokens(NOBODY.0).len(), 2);
    machine.run(&["revoke", "--user", NOBODY.0, "--name", "second"]).expect(0);
    machine.run(&["revoke", "--user", NOBODY.0]).expect(0);
    machine.run(&["revoke", "--user", NOBODY.0]).expect(1).complains("has no token");
}

#[test]
fn a_first_token_that_needs_an_invite_is_made_with_one_only() {
    let machine = Machine::with("[token]\nenrollment = \"invite\"\n");
    let file = machine.path("open/token");
    let enroll = |invite: &[&str], input: &str| {
        let arguments = [&["enroll", "--save-token", text(&file)], invite].concat();
        machine.give_as_nobody(&arguments, input)
    };
    let invite = || {
        let issued = machine.run(&["--json", "admin", "invite", NOBODY.0, "--for", "1h"]).expect(0);
        issued.json()[0]["code"].as_str().unwrap().to_owned()
    };
    let other = "2468-ACEG-JLN";
    let first = invite();
    enroll(&[], "").expect(1).complains("needs an invite code");
    enroll(&["--invite", other], "").expect(1);
    // A later one takes the place of the first.
    let second = invite();
    enroll(&["--invite", &first], "").expect(1);
    assert!(!file.exists());
    enroll(&["--invite", "-"], &second).expect(0);
    machine.run_as_nobody(&["verify", &code(&token(&file), 1)]).expect(0);
    machine.run(&["admin", "invite", NOBODY.0]).expect(1).complains("has a token already");
    // It is spent, and asked for where none is given.
    machine.run(&["revoke", "--user", NOBODY.0]).expect(0);
    fs::remove_file(&file).unwrap();
    enroll(&["--invite", &second], "").expect(1);
    enroll(&[], &invite()).expect(0);
}

#[test]
fn a_first_code_whose_token_the_daemon_has_forgotten_says_how_to_go_on() {
    let machine = Machine::new();
    let mut child = machine
        .mfa(&["--json", "enroll", "--user", "alice"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let forgotten = shown_token(&read_line(child.stdout.as_mut().unwrap()));
    // One a user waits: a later one takes its place.
    machine.run(&["--json", "enroll", "--user", "alice", "--name", "later"]).expect(1);
    writeln!(child.stdin.take().unwrap(), "{}", code(&forgotten, 0)).unwrap();
    let ended = Ended::after(child.wait_with_output().unwrap()).expect(1);
    ended.complains("The new secret does not count").complains("run this again");
    assert_eq!(machine.tokens("alice"), [""; 0]);
}
