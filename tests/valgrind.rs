// SPDX-License-Identifier: GPL-3.0-or-later
//! The release module under valgrind: no invalid access, no use after free, no leak.

#![expect(clippy::unwrap_used, reason = "test code")]

use mfa_tests::daemon::Daemon;
use mfa_tests::fake_daemon::{FakeDaemon, Reply};
use mfa_tests::host::{Host, Outcome};
use mfa_tests::stack::Stack;

/// Valgrind's own complaints are on another descriptor than the program's, which must stay empty.
fn login(stack: &Stack, user: &str, options: &[&str], codes: &[&str]) -> Outcome {
    let home = tempfile::tempdir().unwrap();
    let log = home.path().join("valgrind");
    let log_option = format!("--log-file={}", log.display());
    let valgrind = [
        "valgrind",
        "--error-exitcode=99",
        "--leak-check=full",
        "--errors-for-leak-kinds=definite,indirect",
        &log_option,
    ];
    let mut host =
        Host::new(env!("CARGO_BIN_EXE_pam-host"), stack, user).under(&valgrind).with(options);
    for code in codes {
        host = host.answer(code);
    }
    let outcome = host.run();
    let found = std::fs::read_to_string(&log).unwrap_or_default();
    assert!(found.contains("ERROR SUMMARY: 0 errors"), "{found}\n{outcome:?}");
    outcome
}

#[test]
fn valgrind_finds_nothing_in_any_path_of_a_login() {
    let mut daemon = Daemon::start();
    let alice = daemon.account("alice");
    let socket = daemon.socket();
    let stack = Stack::module(&socket, "timeout=30 debug");
    let wrong = alice.wrong_code();
    let calls = ["--calls", "authenticate,setcred,acct_mgmt,chauthtok,open_session,close_session"];
    let plain: &[&str] = &[];
    for (options, code, result) in [
        (plain, &*wrong, "PAM_AUTH_ERR"),
        (plain, "", "PAM_AUTH_ERR"),
        (plain, &"1".repeat(5000), "PAM_AUTH_ERR"),
        (&["--null-text"], "", "PAM_AUTH_ERR"),
        (&["--null-responses"], "", "PAM_CONV_ERR"),
        (&["--result", "19"], "", "PAM_CONV_ERR"),
        (&["--no-conversation"], "", "PAM_CONV_ERR"),
        (&calls, &*alice.code_now(), "PAM_SUCCESS"),
    ] {
        let outcome = login(&stack, "alice", options, &[code]);
        assert_eq!(outcome.authenticated(), result, "{options:?}");
    }
    let counting = daemon.counting_account("bob");
    let codes: Vec<_> = (0..5).map(|counter| counting.code(counter)).collect();
    let codes: Vec<_> = codes.iter().map(String::as_str).collect();
    let many = login(&stack, "bob", &["--times", "5"], &codes);
    assert_eq!(many.authenticated(), "5 times PAM_SUCCESS");

    let misconfigured = login(&Stack::module(&socket, "unknown"), "alice", &[], &[]);
    assert_eq!(misconfigured.authenticated(), "PAM_SERVICE_ERR");
    daemon.kill();
    assert_eq!(login(&stack, "alice", &[], &[]).authenticated(), "PAM_AUTHINFO_UNAVAIL");
    let liar = FakeDaemon::after_prompt(|_| Reply::Bytes(b"\0\0\0\x02[]".to_vec()));
    let stack = Stack::module(&liar.socket(), "");
    assert_eq!(login(&stack, "alice", &[], &[&wrong]).authenticated(), "PAM_AUTHINFO_UNAVAIL");
}
