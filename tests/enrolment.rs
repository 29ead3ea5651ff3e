// SPDX-License-Identifier: GPL-3.0-or-later
//! Enrolment and rotation inside a login, with the real daemon: what is shown works, and what is
//! abandoned changed nothing.

use mfa_tests::account::Account;
use mfa_tests::daemon::Daemon;
use mfa_tests::host::{Host, Outcome, Prompted};
use mfa_tests::stack::{Stack, line};

const FIRST_CODE: &str = "prompt: The code that it shows now: ";
const DAYS: u64 = 86_400 / 30;

/// The calls of a login whose `account` asks for a change.
const LOGIN: [&str; 3] = ["--calls", "authenticate,acct_mgmt,chauthtok", "--expired"];

/// What a program does where `account` has nothing to ask for.
const PLAIN: [&str; 2] = ["--calls", "authenticate,acct_mgmt"];

fn host(stack: &Stack, calls: &[&str]) -> Host {
    Host::new(env!("CARGO_BIN_EXE_pam-host"), stack, "alice").with(calls)
}

fn service(daemon: &Daemon) -> Stack {
    let socket = daemon.socket();
    let permit = |kind| format!("{kind} required pam_permit.so\n");
    Stack::of_lines(
        &[
            line("auth", "required", &socket, "nullok"),
            permit("auth"),
            permit("account"),
            line("account", "required", &socket, "enroll"),
            line("password", "[success=done ignore=ignore default=die]", &socket, "enroll"),
        ]
        .concat(),
    )
}

/// The key that the screen shows: the one line of nothing but base32 in groups.
fn key_on(printed: &str) -> &str {
    let base32 = |text: &&str| {
        let letter = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
        text.len() > 20
            && text.split(' ').all(|group| group.len() <= 4 && group.chars().all(letter))
    };
    let mut texts = printed.lines().filter_map(|line| line.strip_prefix("info: "));
    texts.find(base32).unwrap_or_default()
}

fn token_on(printed: &str) -> Account {
    Account::shown("alice", key_on(printed))
}

/// A login that has come to the prompt for the first code.
fn at_first_code(stack: &Stack, before: &[&str]) -> Prompted {
    let mut prompted = host(stack, &LOGIN).start();
    for answer in before {
        prompted.type_in(answer);
    }
    prompted.until(FIRST_CODE);
    prompted
}

/// The recovery codes that a login showed.
fn recovery_codes(outcome: &Outcome) -> Vec<&str> {
    let shown = outcome.starting("info: ");
    shown.into_iter().filter(|text| text.len() == 13 && text.matches('-').count() == 2).collect()
}

fn succeeded(outcome: &Outcome) {
    assert_eq!(outcome.authenticated(), "PAM_SUCCESS", "{outcome:?}");
    assert_eq!(outcome.result("acct_mgmt"), "PAM_NEW_AUTHTOK_REQD");
    assert_eq!(outcome.result("chauthtok"), "PAM_SUCCESS", "{outcome:?}");
}

#[test]
fn the_token_that_the_first_login_shows_opens_the_next_one_and_so_does_a_recovery_code() {
    let daemon = Daemon::start();
    let stack = service(&daemon);
    let mut prompted = at_first_code(&stack, &[]);
    let alice = token_on(prompted.printed());
    assert!(prompted.printed().contains('\u{2588}'), "a QR code: {}", prompted.printed());
    let (code, next) = (alice.code_now(), alice.next_code());
    prompted.type_in(&code);
    let first = prompted.answer("");
    succeeded(&first);
    let codes = recovery_codes(&first);
    assert_eq!(codes.len(), 10, "{first:?}");

    let spent = host(&stack, &PLAIN).answer(&code).run();
    assert_eq!(spent.authenticated(), "PAM_AUTH_ERR");
    let next = host(&stack, &PLAIN).answer(&next).run();
    assert_eq!(next.authenticated(), "PAM_SUCCESS");
    assert_eq!(next.result("acct_mgmt"), "PAM_SUCCESS");
    let recovered = host(&stack, &PLAIN).answer(codes.first().copied().unwrap_or_default()).run();
    assert_eq!(recovered.authenticated(), "PAM_SUCCESS");
}

#[test]
fn an_abandoned_enrolment_leaves_no_token_and_the_next_login_starts_again() {
    let mut daemon = Daemon::start();
    let stack = service(&daemon);
    let prompted = at_first_code(&stack, &[]);
    let shown = token_on(prompted.printed());
    let abandoned = prompted.answer("");
    assert_eq!(abandoned.result("chauthtok"), "PAM_AUTHTOK_ERR");
    let hung_up = at_first_code(&stack, &[]).wait();
    assert_eq!(hung_up.result("chauthtok"), "PAM_CONV_ERR");
    daemon.restart();
    // Still nobody to be asked: the login goes on to the enrolment.
    let mut prompted = at_first_code(&stack, &[]);
    let alice = token_on(prompted.printed());
    assert_ne!(alice.code_now(), shown.code_now());
    prompted.type_in(&shown.code_now());
    prompted.type_in(&alice.code_now());
    let done = prompted.answer("");
    succeeded(&done);
    assert!(done.seen().contains(&"error: Wrong code."), "{done:?}");
}

#[test]
fn too_many_wrong_first_codes_throw_the_token_away() {
    let daemon = Daemon::start();
    let stack = service(&daemon);
    let mut prompted = at_first_code(&stack, &[]);
    let alice = token_on(prompted.printed());
    for _ in 0..9 {
        prompted.type_in(&alice.wrong_code());
    }
    let denied = prompted.answer(&alice.wrong_code());
    assert_eq!(denied.result("chauthtok"), "PAM_AUTHTOK_ERR");
    let told = "error: None of these codes was right: the new key is gone, nothing has changed. \
                Log in again.";
    assert_eq!(denied.seen().last(), Some(&told));
    let mut prompted = at_first_code(&stack, &[]);
    let again = token_on(prompted.printed());
    prompted.type_in(&again.code_now());
    succeeded(&prompted.answer(""));
}

#[test]
fn an_invite_code_enrols_once_and_a_wrong_one_does_not() {
    let daemon = Daemon::start_with("[token]\nenrollment = \"invite\"\n");
    let stack = service(&daemon);
    let invite = daemon.invite("alice");
    let other = daemon.invite("bob");
    for wrong in ["000000", &other] {
        let refused = host(&stack, &LOGIN).answer(wrong).run();
        assert_eq!(refused.result("acct_mgmt"), "PAM_NEW_AUTHTOK_REQD");
        assert_eq!(refused.result("chauthtok"), "PAM_AUTHTOK_ERR", "{refused:?}");
        assert_eq!(refused.seen().last(), Some(&"error: Wrong code."));
    }
    let mut prompted = at_first_code(&stack, &[&invite]);
    let alice = token_on(prompted.printed());
    prompted.type_in(&alice.code_now());
    succeeded(&prompted.answer(""));
    let next = host(&stack, &PLAIN).answer(&alice.next_code()).run();
    assert_eq!(next.authenticated(), "PAM_SUCCESS");
}

#[test]
fn where_only_administrators_enrol_nothing_is_asked_for() {
    let daemon = Daemon::start_with("[token]\nenrollment = \"admin\"\n");
    let login = host(&service(&daemon), &PLAIN).run();
    assert_eq!(login.result("acct_mgmt"), "PAM_SUCCESS");
}

/// A daemon where alice's token is older than it may be.
fn with_old_token() -> (Daemon, Account) {
    let mut daemon = Daemon::start_with("[token]\nmax_age_days = 30\n");
    let alice = daemon.account("alice");
    daemon.restart_ahead(31);
    (daemon, alice)
}

#[test]
fn an_old_token_is_rotated_in_the_login_and_only_the_new_one_counts_afterwards() {
    let (daemon, old) = with_old_token();
    let stack = service(&daemon);
    let ahead = 31 * DAYS;
    let mut prompted = at_first_code(&stack, &[&old.code_in(ahead)]);
    let new = token_on(prompted.printed());
    prompted.type_in(&new.code_in(ahead));
    // Imported tokens have no recovery codes, so there are some to be shown.
    let rotated = prompted.answer("");
    succeeded(&rotated);
    assert_eq!(recovery_codes(&rotated).len(), 10, "{rotated:?}");
    let by_old = host(&stack, &PLAIN).answer(&old.code_in(ahead + 1)).run();
    assert_eq!(by_old.authenticated(), "PAM_AUTH_ERR");
    let by_new = host(&stack, &PLAIN).answer(&new.code_in(ahead + 1)).run();
    assert_eq!(by_new.authenticated(), "PAM_SUCCESS");
    assert_eq!(by_new.result("acct_mgmt"), "PAM_SUCCESS");
}

#[test]
fn an_abandoned_rotation_keeps_the_old_token() {
    let (daemon, old) = with_old_token();
    let stack = service(&daemon);
    let ahead = 31 * DAYS;
    let abandoned = at_first_code(&stack, &[&old.code_in(ahead)]).answer("");
    assert_eq!(abandoned.authenticated(), "PAM_SUCCESS");
    assert_eq!(abandoned.result("chauthtok"), "PAM_AUTHTOK_ERR");
    let again = host(&stack, &PLAIN).answer(&old.code_in(ahead + 1)).run();
    assert_eq!(again.authenticated(), "PAM_SUCCESS");
    assert_eq!(again.result("acct_mgmt"), "PAM_NEW_AUTHTOK_REQD");
}

#[test]
fn a_rotation_without_a_code_in_this_login_asks_for_a_current_one() {
    let (daemon, old) = with_old_token();
    let stack = service(&daemon);
    let ahead = 31 * DAYS;
    let calls = ["--calls", "acct_mgmt,chauthtok", "--expired"];
    let wrong = host(&stack, &calls).answer(&old.wrong_code()).run();
    assert_eq!(wrong.result("chauthtok"), "PAM_AUTHTOK_ERR");
    let mut prompted = host(&stack, &calls).start();
    prompted.type_in(&old.code_in(ahead));
    prompted.until(FIRST_CODE);
    let new = token_on(prompted.printed());
    prompted.type_in(&new.code_in(ahead));
    let rotated = prompted.answer("");
    assert_eq!(rotated.result("chauthtok"), "PAM_SUCCESS", "{rotated:?}");
    assert!(rotated.seen().contains(&"prompt: Your current one-time code: "), "{rotated:?}");
}

#[test]
fn nothing_that_a_login_shows_is_logged_by_the_module_or_the_daemon() {
    let daemon = Daemon::start();
    let socket = daemon.socket();
    let stack = Stack::of_lines(
        &[
            line("auth", "required", &socket, "nullok debug"),
            "auth required pam_permit.so\naccount required pam_permit.so\n".to_owned(),
            line("account", "required", &socket, "enroll debug"),
            line("password", "required", &socket, "enroll debug"),
        ]
        .concat(),
    );
    let mut prompted = at_first_code(&stack, &[]);
    let alice = token_on(prompted.printed());
    let code = alice.code_now();
    prompted.type_in(&code);
    let done = prompted.answer("");
    succeeded(&done);
    let group = key_on(&done.printed).split(' ').next().unwrap_or_default();
    assert_eq!(group.len(), 4, "{done:?}");
    let log = [done.logged().join("\n"), daemon.log()].concat();
    for secret in [&code, group].into_iter().chain(recovery_codes(&done)) {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}
