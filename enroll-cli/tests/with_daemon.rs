// SPDX-License-Identifier: GPL-3.0-or-later
//! The real `mfa` against the real daemon on a private socket.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests, outside the functions that clippy takes for tests"
)]

mod machine;

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;

use machine::proxy::{Afterwards, Proxy};
use machine::terminal::Terminal;
use machine::{Ended, Machine, NOBODY, code, open, read_line, text, token, wrong_code};
use mfa_crypto::{Moving, OtpUri};

/// Frames of an enrolment: question and answer of params, kex_init, kex_finish, provision, confirm.
const FRAMES: usize = 10;

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
    assert_eq!(machine.tokens("alice"), [("laptop".to_owned(), true)]);

    let token = token(&path);
    let next = code(&token, 1);
    machine.run(&["verify", "--user", "alice", &next]).expect(0);
    machine.run(&["verify", "--user", "alice", &next]).expect(1).complains("used already");
    machine.run(&["verify", "--user", "alice", &wrong_code(&token)]).expect(1).complains("wrong");
    let ended = machine.run(&["--json", "verify", "--user", "alice", &next]).expect(1);
    assert_eq!(ended.json()[0]["type"], "replayed");

    let recovery = active["recovery_codes"][0].as_str().unwrap();
    let ended = machine.run(&["verify", "--user", "alice", recovery]).expect(0);
    assert!(ended.out.contains("9 left"), "{}", ended.out);
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
    assert_eq!(machine.tokens("bob"), [("default".to_owned(), false)]);
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
    assert_eq!(machine.tokens("alice"), [("default".to_owned(), false)]);
    for what in ["cmdline", "environ"] {
        let bytes = fs::read(format!("/proc/{}/{what}", child.id())).unwrap();
        assert!(!bytes.is_empty() && !String::from_utf8_lossy(&bytes).contains(secret), "{what}");
    }
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "{}\n{}", wrong_code(&token), code(&token, 0)).unwrap();
    let ended = Ended::after(child.wait_with_output().unwrap()).expect(0).complains("tries left");
    assert_eq!(ended.json()[0]["recovery_codes"].as_array().unwrap().len(), 10);
    assert_eq!(machine.tokens("alice"), [("default".to_owned(), true)]);
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
    assert_eq!(machine.tokens("alice"), [("default".to_owned(), false)]);
    machine.run(&["verify", "--user", "alice", &code(&token, 0)]).expect(1);
    // As many as the daemon allows: nothing is left.
    let (ended, token) = enroll(20);
    ended.expect(1).complains("the new token was dropped");
    assert_eq!(machine.tokens("alice"), []);
    machine.run(&["verify", "--user", "alice", &code(&token, 0)]).expect(1);
    // And the next enrolment works.
    let token = machine.enrolled("alice", "token");
    machine.run(&["verify", "--user", "alice", &code(&token, 1)]).expect(0);
}

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
            let active = machine.tokens(&user).iter().any(|(_, active)| *active);
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
    Ended::after(child.wait_with_output().unwrap()).expect(0).complains("type a code again");
    assert_eq!(machine.tokens("alice"), [("default".to_owned(), true)]);
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
    assert_eq!(machine.tokens("alice"), [("default".to_owned(), false)]);
    held.recv().unwrap();
    pass_on.send(()).unwrap();
    held.recv().unwrap();
    assert_eq!(machine.tokens("alice"), [("default".to_owned(), true)]);
    // A first code that came a step late has told the daemon that this clock is late.
    let token = token(&file);
    let opens = |ahead| machine.run(&["verify", "--user", "alice", &code(&token, ahead)]).code == 0;
    assert!(opens(1) || opens(0));
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
fn on_a_terminal_the_picture_stands_above_the_prompt() {
    let machine = Machine::new();
    let mut terminal = Terminal::run(&machine.mfa(&["enroll", "--user", "alice"]), 80, 24);
    let shown = terminal.wait_for("First code: ").to_owned();
    assert!(shown.contains("\x1b[38;5;16m\x1b[48;5;231m"), "{shown}");
    // The last 24 lines hold the whole picture and the prompt.
    let picture = shown.lines().filter(|line| line.contains('▀')).count();
    assert!(
        picture >= 18
            && shown.lines().rev().take(24).filter(|line| line.contains('▀')).count() == picture
    );
    let secret = shown.lines().find(|line| line.split(' ').all(|group| group.len() == 4)).unwrap();
    let address = format!("otpauth://totp/alice?secret={}", secret.trim_end().replace(' ', ""));
    let token = OtpUri::parse(&address).unwrap();
    terminal.type_line("");
    terminal.wait_for("First code: ");
    terminal.type_line(&wrong_code(&token));
    terminal.wait_for("tries left.");
    terminal.type_line(&code(&token, 0));
    let (shown, code) = terminal.end();
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("Token \"default\" is active."), "{shown}");
    assert_eq!(
        shown.lines().filter(|line| line.trim_end().len() == 13 && line.contains('-')).count(),
        10
    );
}

#[test]
fn a_window_without_room_shows_the_secret_alone() {
    let machine = Machine::new();
    for (columns, arguments, picture) in
        [(40, &[][..], false), (80, &["--qr", "never"], false), (40, &["--qr", "always"], true)]
    {
        let arguments = [&["enroll", "--user", "alice"][..], arguments].concat();
        let mut terminal = Terminal::run(&machine.mfa(&arguments), columns, 24);
        let shown = terminal.wait_for("First code: ");
        assert_eq!(shown.contains('▀'), picture, "{shown}");
        assert!(shown.lines().any(|line| line.trim_end().split(' ').count() == 8), "{shown}");
        // Ctrl-D.
        terminal.type_line("\x04");
        let (shown, code) = terminal.end();
        assert_eq!(code, 1, "{shown}");
    }
    assert_eq!(machine.tokens("alice"), [("default".to_owned(), false)]);
}

#[test]
fn a_code_is_typed_without_echo() {
    let machine = Machine::new();
    let token = machine.enrolled("alice", "token");
    let mut terminal = Terminal::run(&machine.mfa(&["verify", "--user", "alice"]), 80, 24);
    terminal.wait_for("One-time code: ");
    let next = code(&token, 1);
    terminal.type_line(&next);
    let (shown, code) = terminal.end();
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("Accepted.") && !shown.contains(&next), "{shown}");
}

#[test]
fn a_terminal_has_its_echo_again_after_an_interrupted_question() {
    let machine = Machine::new();
    // A shell, so that something is left on the terminal to look at it.
    let mfa = machine.mfa(&[]);
    let line = format!(
        "{} verify --user alice; echo ended with $?; stty -a",
        machine.path("mfa").display()
    );
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &format!("trap : INT; {line}")]);
    mfa.get_envs().for_each(|(name, value)| {
        command.env(name, value.unwrap());
    });
    let mut terminal = Terminal::run(&command, 80, 24);
    terminal.wait_for("One-time code: ");
    // Ctrl-C.
    terminal.type_text("\x03");
    let (shown, _) = terminal.end();
    assert!(shown.contains("ended with 130"), "{shown}");
    assert!(shown.contains(" echo ") && !shown.contains("-echo "), "{shown}");
}

#[test]
fn who_has_a_token_needs_a_code_of_it_for_another_one_and_to_remove_it() {
    let machine = Machine::new();
    let first = machine.path("open/first");
    machine.run_as_nobody(&["enroll", "--save-token", text(&first)]).expect(0);
    let token = token(&first);
    let second = machine.path("open/second");
    let enroll = ["enroll", "--name", "second", "--save-token", text(&second)];
    let give = |arguments: &[&str], line: &str| {
        let mut child = machine.mfa_as_nobody(arguments).stdin(Stdio::piped()).spawn().unwrap();
        writeln!(child.stdin.take().unwrap(), "{line}").unwrap();
        Ended::after(child.wait_with_output().unwrap())
    };
    machine.run_as_nobody(&enroll).expect(1).complains("no code was given");
    give(&enroll, &wrong_code(&token)).expect(1);
    give(&enroll, &code(&token, 0)).expect(1);
    assert!(!second.exists());
    give(&enroll, &code(&token, 1)).expect(0);
    assert!(second.exists());
    // With two of them one must be named; root needs no code.
    machine.run_as_nobody(&["revoke"]).expect(2).complains("\"second\"");
    give(&["revoke", "--name", "second"], &wrong_code(&token)).expect(1);
    assert_eq!(machine.tokens(NOBODY.0).len(), 2);
    machine.run(&["revoke", "--user", NOBODY.0, "--name", "second"]).expect(0);
    machine.run(&["revoke", "--user", NOBODY.0]).expect(0);
    machine.run(&["revoke", "--user", NOBODY.0]).expect(1).complains("has no token");
}

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
    ] {
        let refusal = |user| machine.run_as_nobody(&[command, &[user]].concat()).expect(4).err;
        assert_eq!(refusal("root"), refusal("no-such-user"), "{command:?}");
    }
    machine.run_as_nobody(&["admin", "list"]).expect(4);
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
        machine.run(&[&arguments[..], more].concat()).expect(0).json().remove(0)
    };
    let list = || machine.run(&["--json", "admin", "list"]).expect(0).json();

    assert_eq!(import(&["--dry-run"])["lines"], 1002);
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

/// The present as a UsersFile writes it, in UTC.
fn written_now() -> String {
    let output = std::process::Command::new("date").args(["-u", "+%FT%T"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}
