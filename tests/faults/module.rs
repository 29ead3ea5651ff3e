// SPDX-License-Identifier: GPL-3.0-or-later
//! The module, ten thousand times, and with everything that can fail failing once.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use mfa_proto::Request;
use mfa_proto::login::VerifyAnswer;
use mfa_tests::daemon::Daemon;
use mfa_tests::fake_daemon::{FakeDaemon, Reply, accepted, answer, prompt};
use mfa_tests::host::{Host, Outcome};
use mfa_tests::shim::Shim;
use mfa_tests::stack::{Stack, line};

const TIMES: usize = 10_000;
const RIGHT: &str = "271828";
const WRONG: &str = "314159";

fn host(stack: &Stack, user: &str) -> Host {
    Host::new(env!("CARGO_BIN_EXE_pam-host"), stack, user)
}

fn lenient(socket: &Path) -> Stack {
    let module = line("auth", "required", socket, "nullok unavailable=ignore");
    Stack::of_lines(&(module + "auth required pam_permit.so\n"))
}

/// So many logins in one process, with these answers one after the other.
fn many(socket: &Path, options: &str, user: &str, answers: &[String], more: &[&str]) -> Outcome {
    let stack = Stack::module(socket, options);
    let mut host = host(&stack, user).with(&["--times", &TIMES.to_string()]).with(more);
    for answer in answers {
        host = host.answer(answer);
    }
    host.run()
}

#[test]
fn ten_thousand_logins_on_every_path_leave_the_program_as_it_was() {
    let daemon = Daemon::start();
    let alice = daemon.counting_account("alice");
    let socket = daemon.socket();
    let codes: Vec<_> = (0..TIMES as u64).map(|counter| alice.code(counter)).collect();
    let same = |text: &str| vec![text.to_owned(); TIMES];
    let fake = FakeDaemon::after_prompt(|_| Reply::Close);
    let garbage = FakeDaemon::after_prompt(|_| Reply::Bytes(b"\0\0\0\x02{}".to_vec()));
    let nowhere = socket.with_file_name("nowhere.sock");
    let cases: [(&Path, &str, &str, Vec<String>, &str); 9] = [
        (&socket, "", "alice", codes, "PAM_SUCCESS"),
        // More than one of them is counted: the account is locked on the way.
        (&socket, "", "bob", same("0"), ""),
        (&socket, "", "carol", same(""), "PAM_AUTH_ERR"),
        (&socket, "", "carol", Vec::new(), "PAM_CONV_ERR"),
        (&socket, "unknown", "carol", Vec::new(), "PAM_SERVICE_ERR"),
        (&socket, "nullok", "nobody", Vec::new(), "PAM_PERM_DENIED"),
        (&fake.socket(), "", "carol", same(WRONG), "PAM_AUTHINFO_UNAVAIL"),
        (&garbage.socket(), "", "carol", same(WRONG), "PAM_AUTHINFO_UNAVAIL"),
        (&nowhere, "", "carol", Vec::new(), "PAM_AUTHINFO_UNAVAIL"),
    ];
    for (socket, options, user, answers, result) in cases {
        let outcome = many(socket, options, user, &answers, &[]);
        if result.is_empty() {
            assert!(!outcome.printed.contains("PAM_SUCCESS"), "{user}");
        } else {
            assert_eq!(outcome.authenticated(), format!("{TIMES} times {result}"), "{user}");
        }
        outcome.left_the_program_as_it_was();
    }
}

/// Each transaction loads the module, and its end unloads it.
#[test]
fn ten_thousand_loads_and_unloads_amid_signals_leave_nothing_behind() {
    let daemon = FakeDaemon::after_prompt(|id| Reply::Bytes(accepted(id)));
    let codes = vec![RIGHT.to_owned(); TIMES];
    let outcome = many(&daemon.socket(), "", "alice", &codes, &["--storm"]);
    assert_eq!(outcome.authenticated(), format!("{TIMES} times PAM_SUCCESS"));
    outcome.left_the_program_as_it_was();
    assert_eq!(outcome.result("loaded"), "false");
    let signals: u64 = outcome.result("signals").parse().expect("a number");
    assert!(signals > 1000, "{signals}");
}

/// One code is right, every other is wrong.
fn strict() -> FakeDaemon {
    FakeDaemon::start(|id, request| match request {
        Request::Begin(_) => prompt(id),
        Request::Verify(verify) if verify.code.as_str() == RIGHT => Reply::Bytes(accepted(id)),
        _ => answer(id, VerifyAnswer::Wrong { clock_offset: None }),
    })
}

/// Never a login that the daemon did not accept. Whether the program survives is another matter: Rust ends
/// a process that has no memory left; sshd and login have one for each connection, sudo and su are one.
#[test]
fn whichever_allocation_fails_nobody_is_let_in_whom_the_daemon_did_not_accept() {
    let shim = Shim::of("no_memory");
    let daemon = strict();
    let stack = lenient(&daemon.socket());
    let run = |code: &str, variables: &[&str]| {
        shim.before(host(&stack, "alice").answer(code), variables).run()
    };
    assert_eq!(run(RIGHT, &[]).authenticated(), "PAM_SUCCESS");
    let allocations: usize = run(WRONG, &[]).result("allocations").parse().expect("a number");
    assert!(allocations > 20, "{allocations}");
    let (mut ended, mut denied, mut unharmed) = (0, 0, 0);
    for at in 1..=allocations {
        let at = format!("FAIL_AT={at}");
        for variables in [&[&*at][..], &[&at, "FAIL_ON=1"]] {
            let outcome = run(WRONG, variables);
            assert!(!outcome.printed.contains("authenticate: PAM_SUCCESS"), "{at}: {outcome:?}");
            assert!(!outcome.complaints.contains(WRONG), "{outcome:?}");
            match outcome.status.signal() {
                None => denied += 1,
                // SIGABRT, and the reason on standard error.
                Some(signal) => {
                    assert_eq!(signal, 6, "{at}: {outcome:?}");
                    assert!(outcome.complaints.contains("memory allocation of"), "{outcome:?}");
                    ended += 1;
                }
            }
        }
        let asked = daemon.questions().len();
        if run(RIGHT, &[&at]).printed.contains("authenticate: PAM_SUCCESS") {
            unharmed += 1;
            assert_eq!(daemon.questions()[asked..], ["begin", "verify"], "{at}");
        }
    }
    println!("{allocations} allocations: {denied} denied, {ended} ended, {unharmed} unharmed");
    assert!(ended > 0 && unharmed < allocations, "no failure was noticed");
    assert_eq!(run(RIGHT, &[]).authenticated(), "PAM_SUCCESS");
}

/// Every call of the whole program, by name and number, as often as it is made in a login.
#[test]
fn whichever_system_call_fails_nobody_is_let_in_whom_the_daemon_did_not_accept() {
    let daemon = strict();
    let stack = lenient(&daemon.socket());
    let home = tempfile::tempdir().expect("a private directory");
    let trace = home.path().join("trace");
    let trace = trace.to_str().expect("a path");
    let run = |code: &str, inject: &str| {
        let mut under = vec!["strace", "-f", "-o", trace];
        if !inject.is_empty() {
            under.extend(["-e", inject]);
        }
        host(&stack, "alice").under(&under).answer(code).run()
    };
    assert_eq!(run(RIGHT, "").authenticated(), "PAM_SUCCESS");
    let mut calls = BTreeMap::<String, usize>::new();
    assert_eq!(run(WRONG, "").authenticated(), "PAM_AUTH_ERR");
    for call in fs::read_to_string(trace).expect("the trace").lines() {
        let call = call.split_whitespace().nth(1).and_then(|call| call.split_once('('));
        if let Some((name, _)) = call
            && !name.starts_with("exit")
            && name != "execve"
        {
            *calls.entry(name.to_owned()).or_default() += 1;
        }
    }
    assert!(calls.contains_key("connect") && calls.contains_key("recvfrom"), "{calls:?}");
    let (mut tried, mut let_in) = (0, 0);
    for (call, times) in calls {
        for at in 1..=times {
            for error in ["EIO", "ENOMEM"] {
                let inject = format!("inject={call}:error={error}:when={at}");
                let outcome = run(WRONG, &inject);
                let success = "authenticate: PAM_SUCCESS";
                assert!(!outcome.printed.contains(success), "{inject}: {outcome:?}");
                tried += 1;
            }
            let asked = daemon.questions().len();
            let inject = format!("inject={call}:error=EIO:when={at}");
            if run(RIGHT, &inject).printed.contains("authenticate: PAM_SUCCESS") {
                let_in += 1;
                assert_eq!(daemon.questions()[asked..], ["begin", "verify"], "{inject}");
            }
        }
    }
    println!("{tried} calls failed; {let_in} logins with the right code went on all the same");
    assert!(tried > 200 && let_in > 0, "{tried} {let_in}");
}
