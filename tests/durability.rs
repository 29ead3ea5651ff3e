// SPDX-License-Identifier: GPL-3.0-or-later
//! What was answered stays true when the daemon dies. (`kill -9` alone does not test lost writes:
//! what was written survives in the kernel.)

use mfa_tests::daemon::Daemon;
use mfa_tests::host::Host;
use mfa_tests::stack::Stack;

fn login(stack: &Stack, user: &str, code: &str) -> String {
    let host = Host::new(env!("CARGO_BIN_EXE_pam-host"), stack, user);
    host.answer(code).run().authenticated().to_owned()
}

#[test]
fn a_code_stays_spent_when_the_daemon_is_killed_right_after_the_login_ten_times() {
    let mut daemon = Daemon::start();
    let stack = Stack::module(&daemon.socket(), "");
    for round in 0..10 {
        let user = daemon.counting_account(&format!("user{round}"));
        assert_eq!(login(&stack, &user.name, &user.code(0)), "PAM_SUCCESS", "{round}");
        daemon.kill();
        daemon.restart();
        assert_eq!(login(&stack, &user.name, &user.code(0)), "PAM_AUTH_ERR", "{round}");
        assert_eq!(login(&stack, &user.name, &user.code(1)), "PAM_SUCCESS", "{round}");
    }
}

#[test]
fn a_code_of_this_step_stays_spent_as_well() {
    let mut daemon = Daemon::start();
    let alice = daemon.account("alice");
    let stack = Stack::module(&daemon.socket(), "");
    let (code, next) = (alice.code_now(), alice.next_code());
    assert_eq!(login(&stack, "alice", &code), "PAM_SUCCESS");
    daemon.kill();
    daemon.restart();
    assert_eq!(login(&stack, "alice", &code), "PAM_AUTH_ERR");
    assert_eq!(login(&stack, "alice", &next), "PAM_SUCCESS");
}

#[test]
fn a_lock_survives_a_kill() {
    let mut daemon = Daemon::start();
    let (alice, bob) = (daemon.account("alice"), daemon.account("bob"));
    let stack = Stack::module(&daemon.socket(), "");
    for _ in 0..5 {
        assert_eq!(login(&stack, "alice", &alice.wrong_code()), "PAM_AUTH_ERR");
        daemon.kill();
        daemon.restart();
    }
    assert_eq!(login(&stack, "alice", &alice.code_now()), "PAM_MAXTRIES");
    assert_eq!(login(&stack, "bob", &bob.code_now()), "PAM_SUCCESS");
}

#[test]
fn a_daemon_killed_while_eight_logins_wait_lets_in_one_at_most_and_then_none() {
    let mut daemon = Daemon::start();
    let stack = Stack::module(&daemon.socket(), "timeout=30");
    for round in 0..10 {
        let user = daemon.counting_account(&format!("user{round}"));
        let start =
            |_| Host::new(env!("CARGO_BIN_EXE_pam-host"), &stack, &user.name).until_prompt();
        let mut hosts: Vec<_> = (0..8).map(start).collect();
        for host in &mut hosts {
            host.type_in(&user.code(0));
        }
        daemon.kill();
        let outcomes: Vec<_> = hosts.into_iter().map(|host| host.wait()).collect();
        let results: Vec<_> = outcomes.iter().map(|outcome| outcome.authenticated()).collect();
        let admitted = results.iter().filter(|result| **result == "PAM_SUCCESS").count();
        assert!(admitted <= 1, "{results:?}");
        daemon.restart();
        if admitted == 1 {
            assert_ne!(login(&stack, &user.name, &user.code(0)), "PAM_SUCCESS", "{round}");
        }
    }
    let control = daemon.account("control");
    assert_eq!(login(&stack, "control", &control.code_now()), "PAM_SUCCESS");
}
