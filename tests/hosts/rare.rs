// SPDX-License-Identifier: GPL-3.0-or-later
//! Programs that use PAM in ways that hardly any does, and none should be harmed by.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use mfa_tests::artifacts;
use mfa_tests::daemon::Daemon;
use mfa_tests::fake_daemon::{FakeDaemon, Reply, accepted};
use mfa_tests::host::Host;
use mfa_tests::stack::{SERVICE, Stack};

use super::{STRANGER, host, lenient, login, rare};

const WRONG: &str = "error: Wrong code.";

#[test]
fn an_answer_to_more_messages_than_were_asked_is_taken_for_the_one() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let stack = Stack::module(&daemon.socket(), "");
    let wrong = rare(&stack, "alice", &["surplus"]).answer(&alice.wrong_code()).run();
    assert_eq!(wrong.authenticated(), "PAM_AUTH_ERR");
    let right = rare(&stack, "alice", &["surplus"]).answer(&alice.code_now()).run();
    assert_eq!(right.authenticated(), "PAM_SUCCESS");
}

/// What libpam says of the user afterwards is the account that is opened.
#[test]
fn a_transaction_that_is_about_somebody_else_at_the_prompt_opens_neither_account() {
    let daemon = Daemon::start();
    let (alice, bob) = (daemon.account("alice"), daemon.account("bob"));
    let stack = Stack::module(&daemon.socket(), "");
    for code in [alice.code_now(), bob.code_now()] {
        let denied = rare(&stack, "alice", &["other-user", "bob"]).answer(&code).run();
        assert_ne!(denied.authenticated(), "PAM_SUCCESS");
    }
    let same = rare(&stack, "alice", &["other-user", "alice"]).answer(&alice.code_now()).run();
    assert_eq!(same.authenticated(), "PAM_SUCCESS");
    assert_eq!(login(&stack, "bob", &bob.code_now()).authenticated(), "PAM_SUCCESS");
}

#[test]
fn a_program_that_gives_up_its_uid_at_the_prompt_is_refused() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let socket = daemon.socket();
    fs::set_permissions(socket.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
    let stack = lenient(&socket, "nullok unavailable=ignore");
    let code = alice.code_now();
    let stranger = STRANGER.to_string();
    let denied = rare(&stack, "alice", &["other-uid", &stranger]).answer(&code).run();
    assert_eq!(denied.authenticated(), "PAM_AUTHINFO_UNAVAIL");
    let root = rare(&stack, "alice", &["other-uid", "0"]).answer(&code).run();
    assert_eq!(root.authenticated(), "PAM_SUCCESS");
}

#[test]
fn a_refused_caller_counts_against_nobody() {
    let daemon = Daemon::start();
    let accounts = ["alice", "root"].map(|name| daemon.account(name));
    // An account that exists has its own uid; `nobody` is one everywhere.
    let nobody = daemon.account("nobody");
    let socket = daemon.socket();
    fs::set_permissions(socket.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
    let stack = lenient(&socket, "nullok unavailable=ignore");
    let as_nobody = ["as-uid", "65534"];
    for account in &accounts {
        for code in [account.wrong_code(), account.code_now()].iter().cycle().take(20) {
            let denied = rare(&stack, &account.name, &as_nobody).answer(code).run();
            assert_eq!(denied.authenticated(), "PAM_AUTHINFO_UNAVAIL");
        }
        let right = login(&stack, &account.name, &account.code_now());
        assert_eq!(right.authenticated(), "PAM_SUCCESS");
        assert_eq!(right.seen(), ["prompt: One-time code: "], "no wrong code is told of");
    }
    let own = rare(&stack, "nobody", &as_nobody).answer(&nobody.wrong_code()).run();
    assert_eq!((own.authenticated(), own.seen().last()), ("PAM_AUTH_ERR", Some(&WRONG)));
    let own = rare(&stack, "nobody", &as_nobody).answer(&nobody.code_now()).run();
    assert_eq!(own.authenticated(), "PAM_SUCCESS");
}

#[test]
fn a_program_that_ends_at_the_prompt_leaves_nothing_behind() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let stack = Stack::module(&daemon.socket(), "");
    let ended = rare(&stack, "alice", &["exit"]).run();
    assert!(ended.status.success() && ended.complaints.is_empty(), "{ended:?}");
    assert_eq!(ended.seen(), ["prompt: One-time code: "]);
    assert!(!ended.printed.contains("authenticate"), "{ended:?}");
    assert!(!daemon.log().contains("denied"), "{}", daemon.log());
    let right = login(&stack, "alice", &alice.code_now());
    assert_eq!((right.authenticated(), right.seen().len()), ("PAM_SUCCESS", 1));
}

#[test]
fn an_answer_longer_than_any_code_is_denied_and_not_sent() {
    let daemon = FakeDaemon::after_prompt(|id| Reply::Bytes(accepted(id)));
    let stack = Stack::module(&daemon.socket(), "");
    for length in ["65", "513", "65536", "4194304"] {
        let denied = rare(&stack, "alice", &["long", length]).run();
        assert_eq!(denied.authenticated(), "PAM_AUTH_ERR", "{length}");
    }
    assert!(!daemon.questions().contains(&"verify".to_owned()), "{:?}", daemon.questions());
    let control = rare(&stack, "alice", &["long", "6"]).run();
    assert_eq!(control.authenticated(), "PAM_SUCCESS");
}

#[test]
fn a_login_within_a_login_is_one_of_its_own() {
    let daemon = Daemon::start();
    let (alice, bob) = (daemon.account("alice"), daemon.account("bob"));
    let stack = Stack::module(&daemon.socket(), "");
    let nested = |inner: &str, outer: &str| {
        rare(&stack, "alice", &["nested", "bob"]).answer(inner).answer(outer).run()
    };
    let outcome = nested(&bob.code_now(), &alice.wrong_code());
    assert_eq!(outcome.result("nested"), "PAM_SUCCESS");
    assert_eq!(outcome.authenticated(), "PAM_AUTH_ERR");
    let outcome = nested(&bob.wrong_code(), &alice.code_now());
    assert_eq!(outcome.result("nested"), "PAM_AUTH_ERR");
    assert_eq!(outcome.authenticated(), "PAM_SUCCESS");
}

#[test]
fn two_transactions_that_take_turns_know_nothing_of_each_other() {
    let daemon = Daemon::start();
    let (alice, bob) = (daemon.account("alice"), daemon.account("bob"));
    let stack = Stack::module(&daemon.socket(), "");
    let turns = rare(&stack, "alice", &["interleaved", "bob"]);
    let outcome = turns.answer(&alice.code_now()).answer(&bob.wrong_code()).run();
    assert_eq!(outcome.result("first"), "PAM_SUCCESS");
    assert_eq!(outcome.result("second"), "PAM_AUTH_ERR");
    assert_eq!(outcome.result("first setcred"), "PAM_SUCCESS");
    assert_ne!(outcome.result("second setcred"), "PAM_SUCCESS");
}

#[test]
fn threads_that_log_in_at_once_each_get_their_own_answer() {
    let daemon = Daemon::start();
    let stack = Stack::module(&daemon.socket(), "");
    let accounts: Vec<_> = (0..8).map(|at| daemon.account(&format!("user{at}"))).collect();
    let mut host = rare(&stack, "nobody", &["threads", "8"]);
    for (at, account) in accounts.iter().enumerate() {
        let code = if at % 2 == 0 { account.code_now() } else { account.wrong_code() };
        host = host.answer(&format!("{} {code}", account.name));
    }
    let outcome = host.run();
    for (at, account) in accounts.iter().enumerate() {
        let result = if at % 2 == 0 { "PAM_SUCCESS" } else { "PAM_AUTH_ERR" };
        assert_eq!(outcome.result(&account.name), result, "{outcome:?}");
    }
}

/// musl gives a thread 128 KiB, and programs with many threads ask for little.
#[test]
fn a_login_fits_into_the_stack_of_a_small_thread() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let stack = Stack::module(&daemon.socket(), "debug");
    let wrong = rare(&stack, "alice", &["stack", "65536"]).answer(&alice.wrong_code()).run();
    assert_eq!(wrong.authenticated(), "PAM_AUTH_ERR");
    let right = rare(&stack, "alice", &["stack", "65536"]).answer(&alice.code_now()).run();
    assert_eq!(right.authenticated(), "PAM_SUCCESS");
}

/// The connection to the daemon is then standard input, and what anybody prints would go to the daemon.
#[test]
fn a_program_without_standard_descriptors_logs_in_and_says_nothing_to_the_daemon() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let stack = Stack::module(&daemon.socket(), "debug");
    let run = |code: &str| rare(&stack, "alice", &["closed"]).answer(code).run().status.code();
    // PAM_AUTH_ERR and PAM_SUCCESS.
    assert_eq!(run(&alice.wrong_code()), Some(7));
    assert_eq!(run(&alice.code_now()), Some(0));
    assert!(!daemon.log().contains("malformed"), "{}", daemon.log());
}

#[test]
fn a_program_with_hardly_a_descriptor_is_denied() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let stack = lenient(&daemon.socket(), "nullok unavailable=ignore");
    let code = alice.code_now();
    for most in ["0", "3", "4"] {
        for user in ["alice", "nobody"] {
            let few = rare(&stack, user, &["descriptors", most]).answer(&code).run();
            assert!(!few.printed.contains("authenticate: PAM_SUCCESS"), "{most}: {few:?}");
        }
    }
    let enough = rare(&stack, "alice", &["descriptors", "16"]).answer(&code).run();
    assert_eq!(enough.authenticated(), "PAM_SUCCESS");
}

#[test]
fn children_that_a_program_makes_meanwhile_inherit_no_connection() {
    let (go, wait) = std::sync::mpsc::channel();
    let daemon = FakeDaemon::after_prompt(move |id| {
        let _ = wait.recv();
        Reply::Bytes(accepted(id))
    });
    let stack = Stack::module(&daemon.socket(), "timeout=30");
    let mut program = rare(&stack, "alice", &["children"]).until_prompt();
    let sockets = |pid: u32| {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
        open.filter_map(|entry| fs::read_link(entry.path()).ok())
            .filter(|target| target.to_string_lossy().starts_with("socket:"))
            .count()
    };
    assert_eq!(sockets(program.pid()), 0, "at the prompt");
    program.type_in("123456");
    let until = Instant::now() + Duration::from_secs(20);
    while daemon.questions().len() < 2 {
        assert!(Instant::now() < until, "{:?}", daemon.questions());
        std::thread::yield_now();
    }
    assert_eq!(sockets(program.pid()), 1, "the connection is open while children are made");
    let made = program.printed().matches("child: ").count();
    // Some more, all of them while it is open.
    std::thread::sleep(Duration::from_millis(300));
    go.send(()).unwrap();
    let outcome = program.wait();
    let children = outcome.starting("child: ");
    assert_eq!(outcome.authenticated(), "PAM_SUCCESS");
    assert!(children.len() >= made + 2, "{children:?}");
    assert!(children.iter().all(|child| *child == "0 sockets"), "{children:?}");
}

#[test]
fn a_child_that_ends_its_copy_of_a_transaction_ends_nothing_else() {
    let daemon = FakeDaemon::after_prompt(|id| Reply::Bytes(accepted(id)));
    let stack = Stack::module(&daemon.socket(), "");
    let outcome = rare(&stack, "alice", &["fork"]).answer("123456").run();
    assert_eq!(outcome.authenticated(), "PAM_SUCCESS");
    assert_eq!(outcome.result("setcred"), "PAM_SUCCESS");
    assert_eq!(daemon.questions(), ["begin", "verify"], "no question is asked twice");
    assert_eq!(outcome.seen().len(), 1, "{outcome:?}");
}

/// An upgrade puts another file in place by a rename; who has the old one goes on with it.
#[test]
fn a_module_replaced_between_two_calls_goes_on_as_it_was() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let home = tempfile::tempdir().unwrap();
    let module = home.path().join("pam_mfa.so");
    let other = home.path().join("other");
    let options = format!("socket={}", daemon.socket().display());
    let stack = Stack::of_module(&module, &options);
    let arguments = ["replace", other.to_str().unwrap(), module.to_str().unwrap()];
    for (code, result) in [(alice.wrong_code(), "PAM_AUTH_ERR"), (alice.code_now(), "PAM_SUCCESS")]
    {
        fs::copy(artifacts::module(), &module).unwrap();
        fs::write(&other, "not a library").unwrap();
        let outcome = rare(&stack, "alice", &arguments).answer(&code).run();
        assert_eq!(outcome.authenticated(), result);
        assert_eq!(outcome.result("setcred") == "PAM_SUCCESS", result == "PAM_SUCCESS");
        let next = host(&stack, "alice").answer(&alice.next_code()).run();
        assert_ne!(next.authenticated(), "PAM_SUCCESS", "the new file is no module");
    }
}

/// libpam looks for the service's file, finds the name too long, and takes `other`.
#[test]
fn a_service_and_a_host_with_the_longest_of_names_are_cut_and_checked_like_any_other() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let stack = Stack::module(&daemon.socket(), "");
    let lines = fs::read(stack.confdir().join(SERVICE)).unwrap();
    fs::write(stack.confdir().join("other"), lines).unwrap();
    let rhost = "\u{1b}[2J\n".repeat(200);
    let log_in = |code: &str| {
        let host = Host::new(env!("CARGO_BIN_EXE_pam-host"), &stack, "alice");
        host.with(&["--service", &"s".repeat(4096), "--rhost", &rhost]).answer(code).run()
    };
    let wrong = log_in(&alice.wrong_code());
    assert_eq!(wrong.authenticated(), "PAM_AUTH_ERR");
    let ours = wrong.logged().into_iter().filter(|line| line.contains("wrong code"));
    assert!(
        ours.clone().count() == 1 && ours.clone().all(|line| line.contains(r"rhost=\u{1b}[2J\n"))
    );
    assert_eq!(log_in(&alice.code_now()).authenticated(), "PAM_SUCCESS");
}
