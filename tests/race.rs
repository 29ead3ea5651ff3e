// SPDX-License-Identifier: GPL-3.0-or-later
//! The same code from eight processes at once: one of them gets in. The same against a daemon whose
//! compare-and-set is removed shows that this test meets the race.

use mfa_tests::account::Account;
use mfa_tests::artifacts;
use mfa_tests::daemon::Daemon;
use mfa_tests::host::Host;
use mfa_tests::stack::Stack;

const PROCESSES: usize = 8;

/// How many of eight processes one code lets in. All of them have asked, been told to prompt, and
/// wait for the code, when it is given to all.
fn admitted(stack: &Stack, user: &Account) -> usize {
    let start = |_| Host::new(env!("CARGO_BIN_EXE_pam-host"), stack, &user.name).until_prompt();
    let mut hosts: Vec<_> = (0..PROCESSES).map(start).collect();
    let code = user.code_now();
    for host in &mut hosts {
        host.type_in(&code);
    }
    let outcomes: Vec<_> = hosts.into_iter().map(|host| host.wait()).collect();
    let results: Vec<_> = outcomes.iter().map(|outcome| outcome.authenticated()).collect();
    // A code that comes again is a wrong one, and a sixth wrong one has to wait.
    let expected = ["PAM_SUCCESS", "PAM_AUTH_ERR", "PAM_MAXTRIES"];
    assert!(results.iter().all(|result| expected.contains(result)), "{results:?}");
    results.iter().filter(|result| **result == "PAM_SUCCESS").count()
}

/// How many were let in, round by round, each with a user of its own.
fn rounds(daemon: &Daemon, count: usize) -> impl Iterator<Item = usize> {
    let users: Vec<_> = (0..count).map(|at| Account::totp(&format!("user{at}"))).collect();
    daemon.import(&users);
    let stack = Stack::module(&daemon.socket(), "timeout=30");
    users.into_iter().map(move |user| admitted(&stack, &user))
}

#[test]
fn one_code_from_eight_processes_at_once_opens_exactly_one_login_in_200_rounds() {
    let daemon = Daemon::start();
    let more: Vec<_> =
        rounds(&daemon, 200).enumerate().filter(|(_, admitted)| *admitted != 1).collect();
    assert!(more.is_empty(), "round and logins: {more:?}");
}

#[test]
fn without_the_compare_and_set_the_same_rounds_let_in_more_than_one() {
    let daemon = Daemon::start_program(artifacts::daemon_without_compare_and_set());
    let more = rounds(&daemon, 200).filter(|admitted| *admitted > 1).count();
    println!("without the compare-and-set: more than one login in {more} of 200 rounds");
    assert!(more > 0, "200 rounds without a second login: the race is not met");
}
