// SPDX-License-Identifier: GPL-3.0-or-later
//! New secrets, new recovery codes, new keys of a session.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use crate::machine::proxy::{Afterwards, Proxy};
use crate::machine::{
    Ended, GROUP, Machine, NOBODY, code, read_line, shown_token, text, token, wrong_code,
};

#[test]
fn the_old_secret_works_until_the_first_code_of_the_new_one_and_not_after() {
    let machine = Machine::new();
    let old = machine.enrolled("alice", "token");
    let rotate = || {
        let mut child = machine
            .mfa(&["--json", "rotate", "--user", "alice"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let new = shown_token(&read_line(child.stdout.as_mut().unwrap()));
        (child, new)
    };
    let verify = |code: &str| machine.run(&["--json", "verify", "--user", "alice", code]);
    // Given up: nothing has changed.
    let (mut child, dropped) = rotate();
    drop(child.stdin.take());
    Ended::after(child.wait_with_output().unwrap()).expect(1).complains("no code was given");
    verify(&code(&dropped, 0)).expect(1);

    let (mut child, new) = rotate();
    verify(&code(&old, 1)).expect(0);
    verify(&code(&new, 0)).expect(1);
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "{}\n{}", wrong_code(&new), code(&new, 0)).unwrap();
    let ended = Ended::after(child.wait_with_output().unwrap()).expect(0).complains("tries left");
    let active = ended.json().remove(0);
    assert_eq!((&active["state"], &active["token"]), (&"active".into(), &"default".into()));
    // Those of before are kept.
    assert_eq!(active["recovery_codes"].as_array().unwrap().len(), 0);
    assert_eq!(machine.tokens("alice"), ["default"]);
    verify(&code(&new, 1)).expect(0);
    // Not even known as a code that was used.
    assert_eq!(verify(&code(&old, 1)).expect(1).json()[0]["type"], "wrong");
}

#[test]
fn who_rotates_shows_a_code_and_names_one_token_of_several() {
    let machine = Machine::new();
    let (first, second) = (machine.path("open/first"), machine.path("open/second"));
    machine.run_as_nobody(&["rotate", "--json"]).expect(1).complains("has no token");
    machine.run_as_nobody(&["enroll", "--save-token", text(&first)]).expect(0);
    let old = token(&first);
    let rotate = ["rotate", "--save-token", text(&second)];
    machine.run_as_nobody(&rotate).expect(1).complains("no code was given");
    machine.give_as_nobody(&rotate, &wrong_code(&old)).expect(1);
    machine
        .run_as_nobody(&["rotate", "--json", "--name", "x"])
        .expect(1)
        .complains("no token \"x\"");
    assert!(!second.exists());
    let ended = machine.give_as_nobody(&rotate, &code(&old, 1)).expect(0);
    assert!(ended.out.contains("The old one worked until now"), "{}", ended.out);
    let new = token(&second);
    machine.run_as_nobody(&["verify", &code(&new, 1)]).expect(0);

    let third = machine.path("third");
    let other = ["enroll", "--user", NOBODY.0, "--name", "other", "--save-token", text(&third)];
    machine.run(&other).expect(0);
    machine.run(&["rotate", "--json", "--user", NOBODY.0]).expect(2).complains("\"other\"");
    // Root is not asked for a code. The file is that of the old secret.
    let named = ["rotate", "--user", NOBODY.0, "--name", "other", "--save-token", text(&third)];
    machine.run(&named).expect(1).complains("--force");
    let before = fs::read_to_string(&third).unwrap();
    machine.run(&[&named[..], &["--force"]].concat()).expect(0);
    assert_ne!(fs::read_to_string(&third).unwrap(), before);
    machine.run(&["verify", "--user", NOBODY.0, &code(&token(&third), 1)]).expect(0);
}

#[test]
fn a_rotation_whose_answer_was_lost_is_told_from_one_that_did_not_arrive() {
    /// Question and answer of params, kex_init, kex_finish, rotate, confirm.
    const FRAMES: usize = 10;
    let machine = Machine::new();
    for (frames, arrived) in [(FRAMES - 1, true), (FRAMES - 2, false)] {
        let user = format!("u{frames}");
        let file = machine.path(&user);
        let old = machine.enrolled(&user, &user);
        // The first connection is that of the token's status.
        let path = machine.path(&format!("run/{user}"));
        let proxy = Proxy::cutting_later(path, &machine.socket(), 1, frames, Afterwards::Served);
        let rotate = ["rotate", "--user", &user, "--force", "--save-token", text(&file)];
        let ended = machine.run(&[&["--socket", text(proxy.path())], &rotate[..]].concat());
        assert_eq!(ended.code, if arrived { 0 } else { 3 }, "{}", ended.err);
        let kept = token(&file);
        assert_eq!(kept.render() != old.render(), arrived);
        machine.run(&["verify", "--user", &user, &code(&kept, 1)]).expect(0);
    }
}

#[test]
fn new_recovery_codes_void_the_old_ones_and_take_a_current_code() {
    let machine = Machine::new();
    let file = machine.path("open/token");
    let enrolled =
        machine.run_as_nobody(&["--json", "enroll", "--save-token", text(&file)]).expect(0).json();
    let old = enrolled[1]["recovery_codes"].as_array().unwrap().clone();
    let token = token(&file);
    let renew = ["--json", "recovery-codes"];
    machine.run_as_nobody(&renew).expect(1).complains("no code was given");
    machine.give_as_nobody(&renew, &wrong_code(&token)).expect(1);
    let verify =
        |code: &serde_json::Value| machine.run_as_nobody(&["verify", code.as_str().unwrap()]);
    verify(&old[0]).expect(0);
    let ended = machine.give_as_nobody(&renew, &code(&token, 1)).expect(0);
    let new = ended.json()[0]["recovery_codes"].as_array().unwrap().clone();
    assert_eq!(new.len(), 10);
    verify(&old[1]).expect(1);
    verify(&new[0]).expect(0);
    let ended = machine.run(&["recovery-codes", "--user", NOBODY.0]).expect(0);
    assert!(ended.out.contains("the old ones are void"), "{}", ended.out);
    verify(&new[1]).expect(1);
    machine.run(&["recovery-codes", "--user", "no-such"]).expect(1);
}

#[test]
fn keys_that_end_are_replaced_inside_the_session() {
    let limited = format!("[exchange]\ngroup = {GROUP:?}\nrekey_messages = 4\n");
    let machine = Machine::with(&limited);
    // No second connection is to be had.
    let proxy =
        Proxy::cutting(machine.path("run/p"), &machine.socket(), usize::MAX, Afterwards::Refused);
    let mut child = machine
        .mfa(&["--socket", text(proxy.path()), "--json", "enroll", "--user", "alice"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let token = shown_token(&read_line(child.stdout.as_mut().unwrap()));
    let wrong = wrong_code(&token);
    // Twelve messages.
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "{wrong}\n{wrong}\n{wrong}\n{wrong}\n{}", code(&token, 0)).unwrap();
    Ended::after(child.wait_with_output().unwrap()).expect(0);
    assert_eq!(machine.tokens("alice"), ["default"]);
}

#[test]
fn a_connection_that_ends_while_keys_are_replaced_costs_nothing() {
    /// Question and answer of params, kex_init, kex_finish, provision and a wrong first code: the
    /// fewest messages after which keys are replaced.
    const BEFORE: usize = 10;
    let machine = Machine::new();
    for frames in BEFORE..=BEFORE + 4 {
        let user = format!("u{frames}");
        let path = machine.path(&format!("run/{user}"));
        let proxy = Proxy::cutting(path, &machine.socket(), frames, Afterwards::Served);
        let mut child = machine
            .mfa(&["--socket", text(proxy.path()), "--json", "enroll", "--user", &user])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let token = shown_token(&read_line(child.stdout.as_mut().unwrap()));
        let (wrong, right) = (wrong_code(&token), code(&token, 0));
        // The last frame is the answer that ends the rekey: the connection ends under the code that
        // follows, which is asked for again.
        writeln!(child.stdin.take().unwrap(), "{wrong}\n{right}\n{right}").unwrap();
        let ended = Ended::after(child.wait_with_output().unwrap()).expect(0);
        let asked_again = ended.err.contains("Type the code again");
        assert_eq!(asked_again, frames == BEFORE + 4, "{frames}: {}", ended.err);
        assert_eq!(machine.tokens(&user), ["default"]);
    }
}
