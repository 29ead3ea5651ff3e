// SPDX-License-Identifier: GPL-3.0-or-later
//! What libpam makes of the module's answers, in the stacks that administrators write.

use std::path::Path;

use mfa_tests::artifacts;
use mfa_tests::daemon::Daemon;
use mfa_tests::fake_daemon::{self, FakeDaemon, Reply};
use mfa_tests::host::{Host, Outcome};
use mfa_tests::pam_host::Call;
use mfa_tests::stack::{Stack, line};

fn host(stack: &Stack, user: &str) -> Host {
    Host::new(env!("CARGO_BIN_EXE_pam-host"), stack, user)
}

fn login(stack: &Stack, user: &str, code: &str) -> Outcome {
    host(stack, user).answer(code).run()
}

/// The stacks, each with whether a user whom the module ignores is let in by the rest of it.
fn stacks(socket: &Path, options: &str) -> Vec<(&'static str, Stack, bool)> {
    let module = |control| line("auth", control, socket, options);
    let permit = "auth required pam_permit.so\n";
    let deny = "auth required pam_deny.so\n";
    let stack = |lines: &[&str]| Stack::of_lines(&lines.concat());
    vec![
        ("required alone", stack(&[&module("required")]), false),
        ("requisite alone", stack(&[&module("requisite")]), false),
        ("sufficient alone", stack(&[&module("sufficient")]), false),
        ("required, permit", stack(&[&module("required"), permit]), true),
        ("permit, required", stack(&[permit, &module("required")]), true),
        ("requisite, permit", stack(&[&module("requisite"), permit]), true),
        ("sufficient, deny", stack(&[&module("sufficient"), deny]), false),
        (
            "success=1 default=die, deny, permit",
            stack(&[&module("[success=1 default=die]"), deny, permit]),
            false,
        ),
        (
            "success=ok ignore=ignore default=bad, permit",
            stack(&[&module("[success=ok ignore=ignore default=bad]"), permit]),
            true,
        ),
    ]
}

#[test]
fn no_stack_lets_in_whom_the_daemon_did_not_accept() {
    let mut daemon = Daemon::start();
    let socket = daemon.socket();
    // A fresh account for each login that must succeed: each code opens one.
    for (at, (name, stack, _)) in stacks(&socket, "timeout=1").into_iter().enumerate() {
        let user = daemon.account(&format!("user{at}"));
        let wrong = login(&stack, &user.name, &user.wrong_code());
        assert_ne!(wrong.authenticated(), "PAM_SUCCESS", "{name}: wrong code");
        let none = login(&stack, "nobody", "123456");
        assert_ne!(none.authenticated(), "PAM_SUCCESS", "{name}: no token");
        daemon.signal("STOP");
        let hung = login(&stack, &user.name, &user.code_now());
        assert_ne!(hung.authenticated(), "PAM_SUCCESS", "{name}: daemon hangs");
        daemon.signal("CONT");
        let code = user.code_now();
        let right = login(&stack, &user.name, &code);
        assert_eq!(right.authenticated(), "PAM_SUCCESS", "{name}: right code");
        let again = login(&stack, &user.name, &code);
        assert_ne!(again.authenticated(), "PAM_SUCCESS", "{name}: spent code");
    }
    daemon.kill();
    for (name, stack, _) in stacks(&socket, "nullok") {
        let down = login(&stack, "nobody", "123456");
        assert_ne!(down.authenticated(), "PAM_SUCCESS", "{name}: daemon down");
    }
    for (name, stack, _) in stacks(&socket, "nullok unknown") {
        let misconfigured = login(&stack, "nobody", "123456");
        assert_ne!(misconfigured.authenticated(), "PAM_SUCCESS", "{name}: unknown option");
    }
}

#[test]
fn a_user_whom_the_module_ignores_is_up_to_the_rest_of_the_stack() {
    let daemon = Daemon::start();
    for (name, stack, passes) in stacks(&daemon.socket(), "nullok") {
        let outcome = login(&stack, "nobody", "123456");
        let passed = outcome.authenticated() == "PAM_SUCCESS";
        assert_eq!(passed, passes, "{name}: {outcome:?}");
        assert!(outcome.seen().is_empty(), "{name}: {outcome:?}");
    }
}

#[test]
fn a_module_that_cannot_be_loaded_denies_in_every_stack() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let module = artifacts::module();
    let home = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(&module).unwrap();
    let empty = home.path().join("empty.so");
    std::fs::write(&empty, "").unwrap();
    let text = home.path().join("text.so");
    std::fs::write(&text, "not a library\n".repeat(1000)).unwrap();
    let copied = home.path().join("copied.so");
    std::fs::write(&copied, &bytes).unwrap();
    let options = format!("socket={}", daemon.socket().display());
    let stack = |path: &Path| {
        let lines =
            format!("auth required {} {options}\nauth required pam_permit.so\n", path.display());
        Stack::of_lines(&lines)
    };
    for broken in [&empty, &text, &home.path().join("missing.so")] {
        let denied = login(&stack(broken), "alice", &alice.code_now());
        assert_ne!(denied.authenticated(), "PAM_SUCCESS", "{}", broken.display());
    }
    let control = login(&stack(&copied), "alice", &alice.code_now());
    assert_eq!(control.authenticated(), "PAM_SUCCESS");
}

/// A stack with the module, alone or beside others, on a line of each kind.
fn all_kinds(socket: &Path, beside: &str) -> Stack {
    let kinds = ["auth", "account", "password", "session"];
    let lines = kinds.map(|kind| {
        let other = if beside.is_empty() { String::new() } else { format!("{kind} {beside}\n") };
        line(kind, "required", socket, "") + &other
    });
    Stack::of_lines(&lines.concat())
}

#[test]
fn the_other_calls_grant_nothing_and_ask_the_daemon_nothing() {
    let daemon = FakeDaemon::after_prompt(|id| Reply::Bytes(fake_daemon::accepted(id)));
    let alone = all_kinds(&daemon.socket(), "");
    let beside = all_kinds(&daemon.socket(), "required pam_permit.so");
    for (call, kind) in Call::ALL {
        if kind == Call::Authenticate {
            continue;
        }
        let outcome = host(&alone, "alice").with(&["--calls", call]).run();
        // There are no credentials that could be set; see `sm_setcred`.
        let expected = if kind == Call::SetCred { "PAM_SUCCESS" } else { "PAM_PERM_DENIED" };
        assert_eq!(outcome.result(call), expected, "{call}");
        assert_eq!(outcome.seen().len() + outcome.logged().len(), 0, "{call}: {outcome:?}");
        let outcome = host(&beside, "alice").with(&["--calls", call]).run();
        assert_eq!(outcome.result(call), "PAM_SUCCESS", "{call} beside pam_permit");
    }
    assert!(daemon.questions().is_empty(), "{:?}", daemon.questions());
    let control = login(&alone, "alice", "123456");
    assert_eq!(control.authenticated(), "PAM_SUCCESS");
    assert_eq!(daemon.questions(), ["begin", "verify"]);
}

#[test]
fn setting_credentials_after_a_denial_fails_and_after_a_login_succeeds() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let both = ["--calls", "authenticate,setcred"];
    let alone = Stack::module(&daemon.socket(), "");
    let denied = host(&alone, "alice").with(&both).answer(&alice.wrong_code()).run();
    assert_eq!(denied.authenticated(), "PAM_AUTH_ERR");
    assert_ne!(denied.result("setcred"), "PAM_SUCCESS");
    let ignoring = Stack::module(&daemon.socket(), "nullok");
    let ignored = host(&ignoring, "nobody").with(&both).run();
    assert_ne!(ignored.authenticated(), "PAM_SUCCESS");
    assert_ne!(ignored.result("setcred"), "PAM_SUCCESS");
    let right = host(&alone, "alice").with(&both).answer(&alice.code_now()).run();
    assert_eq!(right.authenticated(), "PAM_SUCCESS");
    assert_eq!(right.result("setcred"), "PAM_SUCCESS");
}

#[test]
fn two_modules_in_one_stack_need_two_codes() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let module = line("auth", "required", &daemon.socket(), "");
    let stack = Stack::of_lines(&module.repeat(2));
    let code = alice.code_now();
    let same = host(&stack, "alice").answer(&code).answer(&code).run();
    assert_eq!(same.authenticated(), "PAM_AUTH_ERR");
    let bob = daemon.counting_account("bob");
    let two = host(&stack, "bob").answer(&bob.code(0)).answer(&bob.code(1)).run();
    assert_eq!(two.authenticated(), "PAM_SUCCESS");
}

#[test]
fn a_panic_in_any_entry_point_denies_and_is_logged_and_the_program_lives() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let module = artifacts::module_with_panic();
    let options = format!("socket={}", daemon.socket().display());
    let panics = Stack::of_module(&module, &format!("{options} panic"));
    for (call, _) in Call::ALL {
        let outcome = host(&panics, "alice").with(&["--calls", call]).run();
        assert_eq!(outcome.result(call), "PAM_SERVICE_ERR", "{call}");
        assert!(outcome.seen().is_empty(), "{call}: {outcome:?}");
        let logged = outcome.logged();
        assert_eq!(logged.len(), 2, "{call}: {outcome:?}");
        assert!(logged[0].starts_with("err pam_mfa: internal error at pam_mfa/src/lib.rs:"));
        assert!(logged[1].starts_with("err "), "{call}: {outcome:?}");
    }
    let control = login(&Stack::of_module(&module, &options), "alice", &alice.code_now());
    assert_eq!(control.authenticated(), "PAM_SUCCESS");
}

/// A panic while another one is under way ends any Rust program: no destructor of the module may panic. What
/// is thrown is never dropped there.
#[test]
fn a_panic_in_a_destructor_denies_and_one_within_another_ends_the_program_without_a_login() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let module = artifacts::module_with_panic();
    let options = format!("socket={}", daemon.socket().display());
    let stack = |option: &str| Stack::of_module(&module, &format!("{options} {option}"));
    for option in ["panic_in_destructor", "panic_with_one_that_panics"] {
        for (call, _) in Call::ALL {
            let outcome = host(&stack(option), "alice").with(&["--calls", call]).run();
            assert_eq!(outcome.result(call), "PAM_SERVICE_ERR", "{option} {call}");
        }
    }
    let ended = login(&stack("panic_twice"), "alice", &alice.code_now());
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended.status), Some(6), "{ended:?}");
    assert!(!ended.printed.contains("authenticate"), "{ended:?}");
    let control = login(&stack(""), "alice", &alice.code_now());
    assert_eq!(control.authenticated(), "PAM_SUCCESS");
}
