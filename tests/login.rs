// SPDX-License-Identifier: GPL-3.0-or-later
//! Logins through the release module and the real daemon, one after the other.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use mfa_proto::{Client, ClientError, Deadline};
use mfa_tests::account::Account;
use mfa_tests::daemon::Daemon;
use mfa_tests::host::{Host, Outcome};
use mfa_tests::stack::Stack;

const PROMPT: &str = "prompt: One-time code: ";
const WRONG: &str = "error: Wrong code.";
const NOT_CHECKED: &str = "error: The code could not be checked.";

fn host(stack: &Stack, user: &str) -> Host {
    Host::new(env!("CARGO_BIN_EXE_pam-host"), stack, user)
}

fn login(stack: &Stack, user: &str, code: &str) -> Outcome {
    host(stack, user).answer(code).run()
}

/// One prompt, and one text after it that begins like this and ends with a time.
fn told(outcome: &Outcome, beginning: &str) {
    let text = |text: &str| text.starts_with(beginning) && text.ends_with(" UTC.");
    assert!(matches!(*outcome.seen(), [PROMPT, last] if text(last)), "{outcome:?}");
}

#[test]
fn the_right_code_logs_in_once_and_the_next_one_again() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let stack = Stack::module(&daemon.socket(), "");
    let (code, next) = (alice.code_now(), alice.next_code());

    let first = login(&stack, "alice", &code);
    assert_eq!(first.authenticated(), "PAM_SUCCESS");
    assert_eq!(first.seen(), [PROMPT]);
    let replayed = login(&stack, "alice", &code);
    assert_eq!(replayed.authenticated(), "PAM_AUTH_ERR");
    assert_eq!(replayed.seen(), [PROMPT, WRONG]);
    let second = login(&stack, "alice", &next);
    assert_eq!(second.authenticated(), "PAM_SUCCESS");
    told(&second, "info: 1 wrong code since your last login, last from mfa-test at 20");
}

#[test]
fn a_code_of_an_older_step_is_refused_after_a_newer_one() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let stack = Stack::module(&daemon.socket(), "");
    let (code, next) = (alice.code_now(), alice.next_code());
    assert_eq!(login(&stack, "alice", &next).authenticated(), "PAM_SUCCESS");
    assert_eq!(login(&stack, "alice", &code).authenticated(), "PAM_AUTH_ERR");
}

#[test]
fn a_wrong_code_and_the_code_of_somebody_else_are_refused_alike() {
    let daemon = Daemon::start();
    let (alice, bob) = (daemon.account("alice"), daemon.account("bob"));
    let stack = Stack::module(&daemon.socket(), "");

    let wrong = login(&stack, "alice", &alice.wrong_code());
    let foreign = login(&stack, "alice", &bob.code_now());
    for refused in [&wrong, &foreign] {
        assert_eq!(refused.authenticated(), "PAM_AUTH_ERR");
        assert_eq!(refused.seen(), [PROMPT, WRONG]);
    }
    assert_eq!(wrong.logged(), foreign.logged());
    assert_eq!(login(&stack, "bob", &bob.code_now()).authenticated(), "PAM_SUCCESS");
    let control = login(&stack, "alice", &alice.code_now());
    assert_eq!(control.authenticated(), "PAM_SUCCESS");
    told(&control, "info: 2 wrong codes since your last login, last from mfa-test at 20");
}

#[test]
fn only_six_ascii_digits_with_or_without_spaces_are_taken() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let stack = Stack::module(&daemon.socket(), "");
    let code = alice.code_now();
    let (short, _) = code.split_at(5);
    let wide: String =
        code.chars().filter_map(|c| char::from_u32(c as u32 - 0x30 + 0xff10)).collect();
    let arabic: String =
        code.chars().filter_map(|c| char::from_u32(c as u32 - 0x30 + 0x660)).collect();
    for odd in [
        short.to_owned(),
        format!("{code}\n"),
        format!("+{code}"),
        format!("-{code}"),
        format!("{code}a"),
        format!("{code}000"),
        format!("0x{code}"),
        format!("\t{code}"),
        format!("{code}\u{200b}"),
        "0".repeat(65) + &code,
        wide,
        arabic,
    ] {
        let refused = login(&stack, "alice", &odd);
        assert_eq!(refused.authenticated(), "PAM_AUTH_ERR", "{odd:?}");
        assert_eq!(refused.seen(), [PROMPT, WRONG], "{odd:?}");
    }
    let (left, right) = code.split_at(3);
    let spaced = login(&stack, "alice", &format!(" {left} {right} "));
    assert_eq!(spaced.authenticated(), "PAM_SUCCESS");
    assert_eq!(spaced.seen(), [PROMPT]);
}

#[test]
fn an_empty_answer_is_denied_and_not_sent() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let stack = Stack::module(&daemon.socket(), "");
    for empty in ["", " ", "   ", "\n"] {
        let refused = login(&stack, "alice", empty);
        assert_eq!(refused.authenticated(), "PAM_AUTH_ERR", "{empty:?}");
        assert_eq!(refused.seen(), [PROMPT], "{empty:?}");
    }
    // A code that is refused is in the daemon's log; these are not.
    assert!(!daemon.log().contains("denied"), "{}", daemon.log());
    let wrong = login(&stack, "alice", "12345");
    assert_eq!(wrong.authenticated(), "PAM_AUTH_ERR");
    assert!(daemon.log().contains("denied"), "{}", daemon.log());
    assert_eq!(login(&stack, "alice", &alice.code_now()).authenticated(), "PAM_SUCCESS");
}

#[test]
fn a_name_that_is_almost_anothers_is_not_his() {
    let daemon = Daemon::start();
    let root = daemon.account("root");
    let stack = Stack::module(&daemon.socket(), "");
    let code = root.code_now();
    let long = "root".repeat(1024);
    for name in [
        "root ", " root", "ROOT", "../root", "/root", "", "-x", "0", "%n%s", "root\n", "root@d",
        &long,
    ] {
        let refused = login(&stack, name, &code);
        assert_eq!(refused.authenticated(), "PAM_AUTH_ERR", "{name:?}");
        assert_eq!(refused.seen(), [PROMPT, WRONG], "{name:?}");
    }
    let no_text = OsStr::from_bytes(b"root\xff");
    let refused = Host::new(env!("CARGO_BIN_EXE_pam-host"), &stack, no_text).answer(&code).run();
    assert_eq!(refused.authenticated(), "PAM_AUTH_ERR");
    assert_eq!(refused.seen(), [PROMPT, WRONG]);
    assert_eq!(login(&stack, "root", &code).authenticated(), "PAM_SUCCESS");
}

#[test]
fn a_user_without_token_sees_what_any_other_sees() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let stack = Stack::module(&daemon.socket(), "");
    let with = login(&stack, "alice", &alice.wrong_code());
    let without = login(&stack, "nobody", &alice.wrong_code());
    assert_eq!(with.authenticated(), "PAM_AUTH_ERR");
    assert_eq!(without.authenticated(), with.authenticated());
    assert_eq!(without.seen(), with.seen());
    assert_eq!(login(&stack, "alice", &alice.code_now()).authenticated(), "PAM_SUCCESS");
}

#[test]
fn nullok_passes_over_users_without_token_and_nobody_else() {
    let mut daemon = Daemon::start();
    let alice = daemon.account("alice");
    let lines = |options| {
        mfa_tests::stack::line("auth", "required", &daemon.socket(), options)
            + "auth required pam_permit.so\n"
    };
    let with = Stack::of_lines(&lines("nullok"));
    let without = Stack::of_lines(&lines(""));

    let passed = login(&with, "nobody", "123456");
    assert_eq!(passed.authenticated(), "PAM_SUCCESS");
    assert!(passed.seen().is_empty(), "{passed:?}");
    assert_eq!(login(&without, "nobody", "123456").authenticated(), "PAM_AUTH_ERR");
    assert_eq!(login(&with, "alice", &alice.wrong_code()).authenticated(), "PAM_AUTH_ERR");
    assert_eq!(login(&with, "alice", &alice.code_now()).authenticated(), "PAM_SUCCESS");
    daemon.kill();
    let down = login(&with, "nobody", "123456");
    assert_eq!(down.authenticated(), "PAM_AUTHINFO_UNAVAIL");
    assert_eq!(down.seen(), [NOT_CHECKED]);
}

#[test]
fn after_five_wrong_codes_the_right_one_has_to_wait() {
    let daemon = Daemon::start();
    let (alice, bob) = (daemon.account("alice"), daemon.account("bob"));
    let stack = Stack::module(&daemon.socket(), "");
    for _ in 0..5 {
        let refused = login(&stack, "alice", &alice.wrong_code());
        assert_eq!(refused.authenticated(), "PAM_AUTH_ERR");
    }
    let locked = login(&stack, "alice", &alice.code_now());
    assert_eq!(locked.authenticated(), "PAM_MAXTRIES");
    let seen = locked.seen();
    assert!(seen[1].starts_with("error: Too many wrong codes. Try again in "), "{seen:?}");
    assert_eq!(login(&stack, "bob", &bob.code_now()).authenticated(), "PAM_SUCCESS");
}

#[test]
fn a_daemon_that_is_down_denies_without_a_prompt_until_it_is_back() {
    let mut daemon = Daemon::start();
    let alice = daemon.account("alice");
    let stack = Stack::module(&daemon.socket(), "");
    let check = |down: Outcome| {
        assert_eq!(down.authenticated(), "PAM_AUTHINFO_UNAVAIL");
        assert_eq!(down.seen(), [NOT_CHECKED]);
        assert_eq!(down.logged().len(), 1, "{down:?}");
        assert!(down.logged()[0].starts_with("err "), "{down:?}");
        assert!(down.logged()[0].contains("systemctl status mfa.socket"), "{down:?}");
    };
    daemon.stop();
    check(login(&stack, "alice", &alice.code_now()));
    daemon.restart();
    // Killed, it leaves its socket behind.
    daemon.kill();
    check(login(&stack, "alice", &alice.code_now()));
    daemon.restart();
    assert_eq!(login(&stack, "alice", &alice.code_now()).authenticated(), "PAM_SUCCESS");
}

#[test]
fn a_daemon_restarted_while_the_user_types_still_checks_the_code() {
    let mut daemon = Daemon::start();
    let alice = daemon.account("alice");
    let stack = Stack::module(&daemon.socket(), "");
    let prompted = host(&stack, "alice").until_prompt();
    daemon.stop();
    daemon.restart();
    let code = alice.code_now();
    assert_eq!(prompted.answer(&code).authenticated(), "PAM_SUCCESS");
    assert_eq!(login(&stack, "alice", &code).authenticated(), "PAM_AUTH_ERR");
}

#[test]
fn a_daemon_stopped_while_the_user_types_denies_and_does_not_spend_the_code() {
    let mut daemon = Daemon::start();
    let alice = daemon.account("alice");
    let stack = Stack::module(&daemon.socket(), "");
    let prompted = host(&stack, "alice").until_prompt();
    daemon.stop();
    let code = alice.code_now();
    let denied = prompted.answer(&code);
    assert_eq!(denied.authenticated(), "PAM_AUTHINFO_UNAVAIL");
    assert_eq!(denied.seen(), [PROMPT, NOT_CHECKED]);
    daemon.restart();
    assert_eq!(login(&stack, "alice", &code).authenticated(), "PAM_SUCCESS");
}

#[test]
fn a_daemon_that_hangs_delays_a_login_by_its_timeout_and_no_more() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let stack = Stack::module(&daemon.socket(), "timeout=1");
    let check = |hung: Outcome| {
        assert_eq!(hung.authenticated(), "PAM_AUTHINFO_UNAVAIL");
        assert_eq!(hung.seen().last(), Some(&NOT_CHECKED));
        assert!(hung.took >= Duration::from_secs(1), "{hung:?}");
        assert!(hung.took < Duration::from_secs(2), "{hung:?}");
    };
    let prompted = host(&stack, "alice").until_prompt();
    daemon.signal("STOP");
    check(prompted.answer(&alice.wrong_code()));
    check(login(&stack, "alice", &alice.code_now()));

    // A listen queue that is full: connect itself would wait for ever.
    let mut queue = Vec::new();
    loop {
        match Client::connect(&daemon.socket(), Deadline::after(Duration::from_millis(50))) {
            Ok(client) => queue.push(client),
            Err(ClientError::TimedOut) => break,
            Err(error) => panic!("{error}"),
        }
    }
    check(login(&stack, "alice", &alice.code_now()));
    drop(queue);
    daemon.signal("CONT");
    assert_eq!(login(&stack, "alice", &alice.code_now()).authenticated(), "PAM_SUCCESS");
}

#[test]
fn a_conversation_that_fails_is_denied_and_nothing_is_sent() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let stack = Stack::module(&daemon.socket(), "");
    for (script, result) in [
        (&["--no-conversation"][..], "PAM_CONV_ERR"),
        (&["--null-responses"], "PAM_CONV_ERR"),
        (&["--null-text"], "PAM_AUTH_ERR"),
        (&["--result", "19"], "PAM_CONV_ERR"),
        (&["--result", "26"], "PAM_CONV_ERR"),
        (&["--result", "30"], "PAM_CONV_ERR"),
        (&["--result", "9999"], "PAM_CONV_ERR"),
    ] {
        let denied = host(&stack, "alice").with(script).run();
        assert_eq!(denied.authenticated(), result, "{script:?}");
        assert!(!denied.seen().contains(&WRONG), "{script:?}");
    }
    assert!(!daemon.log().contains("denied"), "{}", daemon.log());
    assert_eq!(login(&stack, "alice", &alice.code_now()).authenticated(), "PAM_SUCCESS");
}

#[test]
fn a_program_without_a_user_asks_for_the_name_and_takes_no_answer_for_none() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let stack = Stack::module(&daemon.socket(), "nullok");
    for script in [&["--null-text"][..], &["--null-responses"], &["--result", "19"]] {
        let denied = host(&stack, "").with(&["--no-user"]).with(script).run();
        assert_eq!(denied.authenticated(), "PAM_CONV_ERR", "{script:?}");
    }
    let named =
        host(&stack, "").with(&["--no-user"]).answer("alice").answer(&alice.code_now()).run();
    assert_eq!(named.authenticated(), "PAM_SUCCESS");
    assert_eq!(named.seen(), ["prompt: (echo) login:", PROMPT]);
}

#[test]
fn prompt_echo_quiet_and_silent_do_what_they_say() {
    let daemon = Daemon::start();
    let socket = daemon.socket();
    let wrong = Account::totp("alice").wrong_code();
    let stack = Stack::module(&socket, "prompt=Your_code:_ echo_code");
    assert_eq!(login(&stack, "a", &wrong).seen(), ["prompt: (echo) Your code: ", WRONG]);
    let stack = Stack::module(&socket, "[prompt=Type it in: ]");
    assert_eq!(login(&stack, "b", &wrong).seen(), ["prompt: Type it in: ", WRONG]);
    let quiet = login(&Stack::module(&socket, "quiet"), "c", &wrong);
    assert_eq!(quiet.seen(), [PROMPT]);
    let silent = host(&Stack::module(&socket, ""), "d").with(&["--silent"]).answer(&wrong).run();
    assert_eq!(silent.seen(), [PROMPT]);
    for denied in [quiet, silent] {
        assert_eq!(denied.authenticated(), "PAM_AUTH_ERR");
        assert_eq!(denied.logged().len(), 1, "{denied:?}");
    }
}

#[test]
fn an_option_that_is_not_understood_denies_with_one_line_that_names_it() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    for (bad, named) in [
        ("nulok", "'nulok'"),
        ("nullok nullok", "nullok is given twice"),
        ("timeout=0", "timeout=0"),
        ("timeout=-1", "timeout=-1"),
        ("timeout=99999999999", "timeout=99999999999"),
        ("prompt=", "prompt"),
        ("socket=/run/x", "socket is given twice"),
        ("retry=4", "retry=4"),
        ("exempt_group=", "exempt_group"),
        ("unavailable=never", "unavailable=never"),
        ("try_first_pass use_first_pass", "use_first_pass contradict"),
        ("echo_code forward_pass", "forward_pass contradict"),
        ("panic", "'panic'"),
    ] {
        let stack = Stack::module(&daemon.socket(), bad);
        let denied = login(&stack, "alice", &alice.code_now());
        assert_eq!(denied.authenticated(), "PAM_SERVICE_ERR", "{bad}");
        assert!(denied.seen().is_empty(), "{bad}: {denied:?}");
        assert_eq!(denied.logged().len(), 1, "{bad}: {denied:?}");
        assert!(denied.logged()[0].starts_with("err "), "{bad}: {denied:?}");
        assert!(denied.logged()[0].contains(named), "{bad}: {denied:?}");
    }
    let stack = Stack::module(&daemon.socket(), "nullok timeout=60 debug");
    assert_eq!(login(&stack, "alice", &alice.code_now()).authenticated(), "PAM_SUCCESS");
}

#[test]
fn the_log_says_who_and_from_where_on_one_line_and_never_the_code() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let stack = Stack::module(&daemon.socket(), "debug");
    let (right, wrong) = (alice.code_now(), alice.wrong_code());
    let from = ["--rhost", "192.0.2.7\nroot", "--tty", "ssh"];
    let denied = host(&stack, "alice").with(&from).answer(&wrong).run();
    let accepted = host(&stack, "alice").with(&from).answer(&right).run();
    assert_eq!(denied.authenticated(), "PAM_AUTH_ERR");
    assert_eq!(accepted.authenticated(), "PAM_SUCCESS");
    let tail = r"; rhost=192.0.2.7\nroot tty=ssh user=alice";
    for (outcome, line) in [
        (&denied, "notice libpam_mfa(mfa-test:auth): wrong code: login denied"),
        (&accepted, "info libpam_mfa(mfa-test:auth): login accepted"),
    ] {
        let whole = format!("{line}{tail}");
        assert!(outcome.logged().contains(&whole.as_str()), "{outcome:?}");
        let debug = outcome.logged().iter().filter(|line| line.starts_with("debug ")).count();
        assert_eq!(debug, 2, "{outcome:?}");
        for code in [&right, &wrong] {
            assert!(!outcome.printed.contains(code), "{outcome:?}");
            assert!(!daemon.log().contains(code), "{}", daemon.log());
        }
    }
    let forged = login(&stack, "x rhost=198.51.100.1", &wrong);
    assert_eq!(forged.authenticated(), "PAM_AUTH_ERR");
    assert!(forged.logged().iter().all(|line| line.contains("; rhost= tty= user=")));
}

#[test]
fn a_login_program_without_a_free_descriptor_is_denied() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let stack = Stack::module(&daemon.socket(), "nullok");
    for user in ["alice", "nobody"] {
        // The first call loads the module, which takes descriptors as well.
        let options = ["--calls", "setcred,authenticate", "--no-descriptors"];
        let denied = host(&stack, user).with(&options).answer(&alice.code_now()).run();
        // libpam has a word of its own in the result: it needs a descriptor for the audit log.
        assert_ne!(denied.authenticated(), "PAM_SUCCESS", "{user}");
        assert_eq!(denied.seen(), [NOT_CHECKED], "{user}");
        assert!(denied.logged()[0].contains("Too many open files"), "{denied:?}");
    }
    assert_eq!(login(&stack, "alice", &alice.code_now()).authenticated(), "PAM_SUCCESS");
}

#[test]
fn alarms_every_millisecond_change_neither_the_answer_nor_the_deadline() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let stack = Stack::module(&daemon.socket(), "timeout=1");
    let right = host(&stack, "alice").with(&["--alarms"]).answer(&alice.code_now()).run();
    assert_eq!(right.authenticated(), "PAM_SUCCESS");
    daemon.signal("STOP");
    let hung = host(&stack, "alice").with(&["--alarms"]).answer(&alice.next_code()).run();
    assert_eq!(hung.authenticated(), "PAM_AUTHINFO_UNAVAIL");
    assert!(hung.took >= Duration::from_secs(1), "{hung:?}");
    assert!(hung.took < Duration::from_secs(2), "{hung:?}");
    let alarms: u64 = hung.result("alarms").parse().unwrap();
    assert!(alarms > 300, "{alarms}");
    daemon.signal("CONT");
}
