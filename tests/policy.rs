// SPDX-License-Identifier: GPL-3.0-or-later
//! Rules, grace, lockout and what a login is told, with the real daemon.

use mfa_tests::daemon::Daemon;
use mfa_tests::host::{Host, Outcome};
use mfa_tests::stack::{SERVICE, Stack, line};

const ASKED: &str = "prompt: One-time code: ";
const WRONG: &str = "error: Wrong code.";
const KEY: &str = "publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP0o3kd8ezUcb0e2Xg6bLjLdC3oPHKkR";

fn host(stack: &Stack, user: &str) -> Host {
    Host::new(env!("CARGO_BIN_EXE_pam-host"), stack, user)
}

/// The module, and one that agrees: what it ignores passes.
fn stack(daemon: &Daemon, options: &str) -> Stack {
    let module = line("auth", "required", &daemon.socket(), options);
    Stack::of_lines(&(module + "auth required pam_permit.so\n"))
}

fn login(stack: &Stack, user: &str, code: &str) -> Outcome {
    host(stack, user).answer(code).run()
}

/// Whether a login with these options passes without a prompt.
fn granted(stack: &Stack, options: &[&str]) -> bool {
    let outcome = host(stack, "alice").with(options).run();
    match outcome.authenticated() {
        "PAM_SUCCESS" => outcome.seen().is_empty(),
        // Asked, and nobody there to answer.
        "PAM_CONV_ERR" => false,
        other => panic_with(other, &outcome),
    }
}

#[expect(clippy::panic, reason = "test code")]
fn panic_with(result: &str, outcome: &Outcome) -> bool {
    panic!("{result}: {outcome:?}")
}

#[test]
fn an_exemption_holds_until_its_date_and_a_rule_for_others_does_not() {
    let mut daemon = Daemon::start_with(&format!(
        "[[rule]]\nusers = [\"bob\"]\nexempt_until = 2999-12-31\n\
         [[rule]]\nusers = [\"carol\"]\nexempt_until = 2020-01-01\n\
         [[rule]]\nusers = [\"dave\"]\nservices = [\"{SERVICE}-other\"]\nexempt_until = 2999-12-31\n"
    ));
    let users = ["bob", "carol", "dave"].map(|name| daemon.account(name));
    let stack = stack(&daemon, "");
    let exempt = login(&stack, "bob", "000000");
    assert_eq!(exempt.authenticated(), "PAM_SUCCESS");
    assert!(exempt.seen().is_empty(), "{exempt:?}");
    for user in &users[1..] {
        let asked = login(&stack, &user.name, &user.wrong_code());
        assert_eq!(asked.authenticated(), "PAM_AUTH_ERR", "{}", user.name);
        let right = login(&stack, &user.name, &user.code_now());
        assert_eq!(right.authenticated(), "PAM_SUCCESS", "{}", user.name);
    }
    daemon.kill();
}

#[test]
fn a_rule_that_observes_denies_nobody_and_logs_it() {
    let daemon = Daemon::start_with("[[rule]]\nusers = [\"bob\"]\nobserve = true\n");
    let (bob, carol) = (daemon.account("bob"), daemon.account("carol"));
    let stack = stack(&daemon, "");
    let observed = login(&stack, "bob", &bob.wrong_code());
    assert_eq!(observed.authenticated(), "PAM_SUCCESS");
    assert_eq!(observed.seen(), [ASKED]);
    assert!(observed.logged()[0].contains("observed: wrong code: the login would have been"));
    let denied = login(&stack, "carol", &carol.wrong_code());
    assert_eq!(denied.authenticated(), "PAM_AUTH_ERR");
}

#[test]
fn a_rule_that_requires_a_code_overrules_nullok() {
    let daemon = Daemon::start_with("[[rule]]\nusers = [\"bob\"]\nrequired = true\n");
    let stack = stack(&daemon, "nullok");
    let required = login(&stack, "bob", "000000");
    assert_eq!(required.authenticated(), "PAM_AUTH_ERR");
    assert_eq!(required.seen(), [ASKED, WRONG]);
    let passed = login(&stack, "carol", "000000");
    assert_eq!(passed.authenticated(), "PAM_SUCCESS");
    assert!(passed.seen().is_empty(), "{passed:?}");
}

#[test]
fn a_deadline_counts_down_then_enrols_then_denies() {
    let daemon = Daemon::start_with(
        "[[rule]]\nusers = [\"early\"]\nenroll_from = 9999-01-01\nenroll_until = 9999-02-01\n\
         [[rule]]\nusers = [\"due\"]\nenroll_from = 2020-01-01\nenroll_until = 9999-02-01\n\
         [[rule]]\nusers = [\"late\"]\nenroll_from = 2020-01-01\nenroll_until = 2020-02-01\n",
    );
    let socket = daemon.socket();
    let lines = line("auth", "required", &socket, "nullok")
        + "auth required pam_permit.so\naccount required pam_permit.so\n"
        + &line("account", "required", &socket, "enroll");
    let stack = Stack::of_lines(&lines);
    let both = ["--calls", "authenticate,acct_mgmt"];
    let early = host(&stack, "early").with(&both).run();
    assert_eq!(early.authenticated(), "PAM_SUCCESS");
    assert_eq!(early.result("acct_mgmt"), "PAM_SUCCESS");
    let notice = early.seen().concat();
    assert!(notice.starts_with("info: You must set up a one-time code within "), "{notice}");
    assert!(notice.ends_with(" days."), "{notice}");
    let due = host(&stack, "due").with(&both).run();
    assert_eq!(due.authenticated(), "PAM_SUCCESS");
    assert_eq!(due.result("acct_mgmt"), "PAM_NEW_AUTHTOK_REQD");
    assert_eq!(due.seen()[0], "info: You must set up a one-time code now.");
    let late = host(&stack, "late").answer("000000").run();
    assert_eq!(late.authenticated(), "PAM_AUTH_ERR");
    assert_eq!(late.seen(), [ASKED, WRONG]);
}

#[test]
fn grace_by_key_holds_for_that_key_alone_and_only_after_a_code() {
    let daemon = Daemon::start_with("[[rule]]\ngrace_seconds = 3600\ngrace_for = [\"ssh_key\"]\n");
    let alice = daemon.account("alice");
    let stack = stack(&daemon, "");
    let variable = format!("SSH_AUTH_INFO_0={KEY}");
    let other = variable.replace("HKkR", "AAAA");
    let with_key = ["--putenv", &*variable];
    assert!(!granted(&stack, &with_key));
    let wrong = host(&stack, "alice").with(&with_key).answer(&alice.wrong_code()).run();
    assert_eq!(wrong.authenticated(), "PAM_AUTH_ERR");
    assert!(!granted(&stack, &with_key));
    let right = host(&stack, "alice").with(&with_key).answer(&alice.code_now()).run();
    assert_eq!(right.authenticated(), "PAM_SUCCESS");
    assert!(granted(&stack, &with_key));
    assert!(granted(&stack, &with_key));
    assert!(!granted(&stack, &["--putenv", &other]));
    assert!(!granted(&stack, &[]));
}

#[test]
fn grace_by_terminal_holds_in_the_session_that_typed_the_code() {
    let daemon = Daemon::start_with("[[rule]]\ngrace_seconds = 900\ngrace_for = [\"tty\"]\n");
    let alice = daemon.account("alice");
    let stack = stack(&daemon, "");
    let tty = ["--tty", "/dev/pts/77"];
    let two = |options: &[&str]| {
        // Two transactions of one process are in one session.
        let twice = [options, &["--times", "2"]].concat();
        host(&stack, "alice").under(&["setsid", "--wait"]).with(&twice)
    };
    let first = two(&tty).answer(&alice.code_now()).run();
    assert_eq!(first.starting("authenticate: "), ["2 times PAM_SUCCESS"], "{first:?}");
    assert_eq!(first.seen(), [ASKED]);
    // Another session on a terminal of the same name is asked.
    let again = two(&tty).run();
    assert_eq!(again.starting("authenticate: "), ["2 times PAM_CONV_ERR"], "{again:?}");
}

#[test]
fn retry_counts_each_code_and_the_lock_ends_it() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let stack = Stack::module(&daemon.socket(), "retry=3");
    let wrong = alice.wrong_code();
    let second = host(&stack, "alice").answer(&wrong).answer(&alice.code_now()).run();
    assert_eq!(second.authenticated(), "PAM_SUCCESS");
    let last = second.seen().last().copied().unwrap_or_default().to_owned();
    assert!(last.starts_with("info: 1 wrong code since your last login, last "), "{last}");
    for _ in 0..4 {
        assert_eq!(login(&stack, "alice", &wrong).authenticated(), "PAM_CONV_ERR");
    }
    let locked = host(&stack, "alice").answer(&wrong).answer(&alice.next_code()).run();
    assert_eq!(locked.authenticated(), "PAM_MAXTRIES");
    assert_eq!(locked.seen()[..3], [ASKED, WRONG, ASKED]);
}

#[test]
fn the_last_wrong_code_is_told_after_a_success_and_only_then() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let stack = Stack::module(&daemon.socket(), "");
    let from = ["--rhost", "evil\u{1b}[2Jhost.example"];
    let wrong = host(&stack, "alice").with(&from).answer(&alice.wrong_code()).run();
    assert_eq!(wrong.seen(), [ASKED, WRONG]);
    let right = login(&stack, "alice", &alice.code_now());
    assert_eq!(right.authenticated(), "PAM_SUCCESS");
    let told = right.seen()[1].to_owned();
    let host = "info: 1 wrong code since your last login, last from evil??2Jhost.example at 20";
    assert!(told.starts_with(host) && told.ends_with(" UTC."), "{told}");
}

#[test]
fn a_code_of_a_clock_that_is_off_is_wrong_with_a_hint() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let stack = Stack::module(&daemon.socket(), "");
    let ahead = login(&stack, "alice", &alice.code_in(3));
    assert_eq!(ahead.authenticated(), "PAM_AUTH_ERR");
    assert!(ahead.seen()[1].contains("seems to be about "), "{ahead:?}");
    assert!(ahead.seen()[1].contains(" s ahead; correct it"), "{ahead:?}");
    let bob = daemon.account("bob");
    let plain = login(&stack, "bob", &bob.wrong_code());
    assert_eq!(plain.seen(), [ASKED, WRONG]);
}

#[test]
fn a_bypass_code_opens_one_login() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let stack = Stack::module(&daemon.socket(), "");
    let bypass = daemon.bypass("alice");
    assert_eq!(login(&stack, "alice", &bypass).authenticated(), "PAM_SUCCESS");
    assert_eq!(login(&stack, "alice", &bypass).authenticated(), "PAM_AUTH_ERR");
    assert_eq!(login(&stack, "alice", &alice.code_now()).authenticated(), "PAM_SUCCESS");
}

#[test]
fn password_and_code_in_one_field_open_one_login_with_the_real_daemon() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let lines = line("auth", "required", &daemon.socket(), "forward_pass debug")
        + "auth optional pam_exec.so quiet expose_authtok stdout /bin/cat\n";
    let stack = Stack::of_lines(&lines);
    let both = format!("horse-battery{}", alice.code_now());
    let first = login(&stack, "alice", &both);
    assert_eq!(first.authenticated(), "PAM_SUCCESS");
    assert_eq!(first.starting("info: "), ["horse-battery"]);
    let replayed = login(&stack, "alice", &both);
    assert_eq!(replayed.authenticated(), "PAM_AUTH_ERR");
    assert!(!daemon.log().contains("horse"), "{}", daemon.log());
}
