// SPDX-License-Identifier: GPL-3.0-or-later
//! After the call the program is as it was: descriptors, threads, children, signals, mask, timers,
//! ids, limits, umask, directory, environment, memory.

use std::path::Path;

use mfa_tests::daemon::Daemon;
use mfa_tests::fake_daemon::{FakeDaemon, Reply};
use mfa_tests::host::Host;
use mfa_tests::stack::Stack;

/// So many logins in one process, all with this result, and nothing is different afterwards.
fn unchanged(
    socket: &Path,
    options: &str,
    user: &str,
    times: usize,
    codes: &[String],
    result: &str,
) {
    let stack = Stack::module(socket, options);
    let mut host = Host::new(env!("CARGO_BIN_EXE_pam-host"), &stack, user)
        .with(&["--times", &times.to_string()]);
    for code in codes {
        host = host.answer(code);
    }
    let outcome = host.run();
    assert_eq!(outcome.authenticated(), format!("{times} times {result}"));
    outcome.left_the_program_as_it_was();
}

#[test]
fn a_thousand_logins_leave_the_program_as_it_was() {
    let daemon = Daemon::start();
    let alice = daemon.counting_account("alice");
    let codes: Vec<_> = (0..1000).map(|counter| alice.code(counter)).collect();
    unchanged(&daemon.socket(), "", "alice", 1000, &codes, "PAM_SUCCESS");
}

#[test]
fn denied_logins_leave_the_program_as_it_was() {
    let mut daemon = Daemon::start();
    let _alice = daemon.account("alice");
    let socket = daemon.socket();
    let wrong = vec!["0".to_owned(); 1000];
    unchanged(&socket, "", "alice", 1000, &wrong, "PAM_AUTH_ERR");
    let empty = vec![String::new(); 1000];
    unchanged(&socket, "", "alice", 1000, &empty, "PAM_AUTH_ERR");
    // Input at its end: the conversation fails.
    unchanged(&socket, "", "alice", 1000, &[], "PAM_CONV_ERR");
    unchanged(&socket, "unknown", "alice", 1000, &[], "PAM_SERVICE_ERR");
    // Alone in the stack, the module that ignores lets nobody in.
    unchanged(&socket, "nullok", "nobody", 1000, &[], "PAM_PERM_DENIED");
    daemon.kill();
    unchanged(&socket, "", "alice", 10_000, &[], "PAM_AUTHINFO_UNAVAIL");
}

#[test]
fn failing_daemons_leave_the_program_as_it_was() {
    let codes = vec!["123456".to_owned(); 1000];
    let daemon = FakeDaemon::after_prompt(|_| Reply::Close);
    unchanged(&daemon.socket(), "", "alice", 1000, &codes, "PAM_AUTHINFO_UNAVAIL");
    let daemon = FakeDaemon::after_prompt(|_| Reply::Bytes(b"\0\0\0\x02{}".to_vec()));
    unchanged(&daemon.socket(), "", "alice", 1000, &codes, "PAM_AUTHINFO_UNAVAIL");
    let daemon = FakeDaemon::after_prompt(|_| Reply::Hang(Vec::new()));
    unchanged(&daemon.socket(), "timeout=1", "alice", 3, &codes[..3], "PAM_AUTHINFO_UNAVAIL");
}

/// What the others count on.
#[test]
fn a_program_that_loses_memory_is_noticed() {
    let nowhere = std::env::temp_dir().join("no-daemon.sock");
    let stack = Stack::module(&nowhere, "");
    let host = Host::new(env!("CARGO_BIN_EXE_pam-host"), &stack, "alice");
    let outcome = host.with(&["--times", "1000", "--lose", "4096"]).run();
    let grown = outcome.grown();
    assert!(grown.is_some_and(|grown| grown > 1900), "{grown:?}");
}
