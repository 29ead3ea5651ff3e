// SPDX-License-Identifier: GPL-3.0-or-later
//! Enrolments whose connection ends, at any message: nobody loses the way in, and no token counts
//! that its owner does not hold.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use mfa_crypto::OtpUri;

use crate::machine::proxy::{Afterwards, Proxy};
use crate::machine::{Ended, Machine, code, read_line, text, token};

/// Frames of an enrolment: question and answer of params, kex_init, kex_finish, provision, confirm.
const FRAMES: usize = 10;

#[test]
fn an_enrolment_interrupted_at_any_message_leaves_no_token_that_its_owner_does_not_hold() {
    let machine = Machine::new();
    for afterwards in [Afterwards::Served, Afterwards::Refused] {
        for frames in 0..=FRAMES {
            let name = format!("{frames}{}", afterwards == Afterwards::Served);
            let (user, file) = (format!("u{name}"), machine.path(&format!("token{name}")));
            let path = machine.path(&format!("run/p{name}"));
            let proxy = Proxy::cutting(path, &machine.socket(), frames, afterwards);
            let ended = machine.run(&[
                "--socket",
                text(proxy.path()),
                "enroll",
                "--user",
                &user,
                "--save-token",
                text(&file),
            ]);
            let active = !machine.tokens(&user).is_empty();
            // The daemon has the first code from frame 9 on.
            assert_eq!(active, frames >= 9, "{name}");
            // Whoever has an active token has its file. It may stay where nothing is known.
            let unknown = afterwards == Afterwards::Refused && frames == 8;
            assert_eq!(file.exists(), active || unknown, "{name}: {}", ended.err);
            let expected = match (frames, afterwards) {
                (10, _) | (9, Afterwards::Served) => 0,
                _ => 3,
            };
            ended.expect(expected);
            if active {
                let next = code(&token(&file), 1);
                machine.run(&["verify", "--user", &user, &next]).expect(0);
            }
            // Nobody is kept from beginning again.
            let again = ["enroll", "--user", &user, "--name", "again", "--json", "--save-token"];
            let mut again = again.to_vec();
            let second = machine.path(&format!("again{name}"));
            again.push(text(&second));
            machine.run(&again).expect(0);
        }
    }
}

#[test]
fn an_answer_that_was_lost_is_asked_for_again() {
    let machine = Machine::new();
    let file = machine.path("token");
    let enroll = |socket: &str| {
        machine.run(&["--socket", socket, "enroll", "--user", "a", "--save-token", text(&file)])
    };
    let proxy =
        Proxy::cutting(machine.path("run/p"), &machine.socket(), FRAMES - 1, Afterwards::Served);
    enroll(text(proxy.path())).expect(0).complains("recovery codes was lost");
    assert!(file.exists());
    machine.run(&["revoke", "--user", "a"]).expect(0);
    fs::remove_file(&file).unwrap();

    let proxy =
        Proxy::cutting(machine.path("run/q"), &machine.socket(), FRAMES - 1, Afterwards::Refused);
    enroll(text(proxy.path())).expect(3).complains("it is not known whether").complains("stays in");
    assert!(file.exists());
}

#[test]
fn a_first_code_that_did_not_arrive_may_be_typed_again() {
    let machine = Machine::new();
    let proxy =
        Proxy::cutting(machine.path("run/p"), &machine.socket(), FRAMES - 2, Afterwards::Served);
    let mut child = machine
        .mfa(&["--socket", text(proxy.path()), "--json", "enroll", "--user", "alice"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let pending: serde_json::Value =
        serde_json::from_str(&read_line(child.stdout.as_mut().unwrap())).unwrap();
    let token = OtpUri::parse(pending["otpauth"].as_str().unwrap()).unwrap();
    writeln!(child.stdin.take().unwrap(), "{0}\n{0}", code(&token, 0)).unwrap();
    Ended::after(child.wait_with_output().unwrap()).expect(0).complains("Type the code again");
    assert_eq!(machine.tokens("alice"), ["default"]);
}

#[test]
fn a_working_token_file_is_replaced_only_when_the_new_token_counts() {
    let machine = Machine::new();
    let old = machine.enrolled("alice", "token");
    let file = machine.path("token");
    let before = fs::read_to_string(&file).unwrap();
    let beside = || -> Vec<_> {
        let names = fs::read_dir(machine.path("")).unwrap().map(|entry| entry.unwrap().path());
        names.filter(|path| text(path).contains("/.token.")).collect()
    };
    let enroll = |socket: &Path, name: &str| {
        let token = ["--user", "alice", "--name", name, "--force", "--save-token", text(&file)];
        machine.mfa(&[&["--socket", text(socket), "enroll"][..], &token].concat())
    };
    // It fails before the first code arrives: nothing has changed.
    let cut = |name: &str, frames, afterwards| {
        Proxy::cutting(machine.path(&format!("run/{name}")), &machine.socket(), frames, afterwards)
    };
    let proxy = cut("one", FRAMES - 2, Afterwards::Served);
    Ended::of(enroll(proxy.path(), "one")).expect(3);
    assert_eq!((fs::read_to_string(&file).unwrap(), beside().len()), (before.clone(), 0));

    // Killed while the first code is on its way: the old file still opens.
    let (proxy, held, _pass_on) =
        Proxy::holding(machine.path("run/two"), &machine.socket(), FRAMES - 2);
    let mut child = enroll(proxy.path(), "two").spawn().unwrap();
    held.recv().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    machine.run(&["verify", "--user", "alice", &code(&old, 1)]).expect(0);
    for left in beside() {
        fs::remove_file(left).unwrap();
    }

    // The answer is lost and the daemon with it: either file may be the one, and both stay.
    let proxy = cut("three", FRAMES - 1, Afterwards::Refused);
    let ended = Ended::of(enroll(proxy.path(), "three")).expect(3).complains("move that file to");
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    let [new] = &beside()[..] else { panic!("{:?}", beside()) };
    assert!(ended.err.contains(text(new)), "{}", ended.err);
    assert_eq!(fs::metadata(new).unwrap().permissions().mode() & 0o777, 0o600);
    machine.run(&["verify", "--user", "alice", &code(&token(new), 1)]).expect(0);
    fs::remove_file(new).unwrap();

    Ended::of(enroll(&machine.socket(), "four")).expect(0);
    assert_eq!(beside().len(), 0);
    machine.run(&["verify", "--user", "alice", &code(&token(&file), 1)]).expect(0);
}

#[test]
fn a_secret_stays_where_the_daemon_may_confirm_it_after_the_deadline() {
    let machine = Machine::new();
    let file = machine.path("token");
    let (proxy, held, pass_on) =
        Proxy::holding(machine.path("run/p"), &machine.socket(), FRAMES - 2);
    let arguments = ["enroll", "--user", "alice", "--save-token", text(&file)];
    let ended = machine.run(&[&["--socket", text(proxy.path())], &arguments[..]].concat());
    // The daemon said "pending" when it was asked, which was true then.
    ended.expect(3).complains("no answer in time").complains("stays in");
    assert_eq!(machine.tokens("alice"), [""; 0]);
    held.recv().unwrap();
    pass_on.send(()).unwrap();
    held.recv().unwrap();
    assert_eq!(machine.tokens("alice"), ["default"]);
    // A first code that came a step late has told the daemon that this clock is late.
    let token = token(&file);
    let opens = |ahead| machine.run(&["verify", "--user", "alice", &code(&token, ahead)]).code == 0;
    assert!(opens(1) || opens(0));
}
