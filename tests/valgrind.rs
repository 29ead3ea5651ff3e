// SPDX-License-Identifier: GPL-3.0-or-later
//! The release module under valgrind: no invalid access, no use after free, no leak.

#![expect(clippy::unwrap_used, reason = "test code")]

use mfa_proto::Request;
use mfa_proto::account::{AccountAnswer, LoginConfirmAnswer, LoginProvisionAnswer};
use mfa_proto::login::{Accepted, VerifyAnswer};
use mfa_proto::{SecretText, TypedCode};
use mfa_tests::daemon::Daemon;
use mfa_tests::fake_daemon::{FakeDaemon, Reply, answer, prompt};
use mfa_tests::host::{Host, Outcome};
use mfa_tests::stack::{Stack, line};

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

#[test]
fn valgrind_finds_nothing_in_a_password_that_is_split_nor_in_an_enrolment() {
    let daemon = FakeDaemon::start(|id, request| match request {
        Request::Begin(_) => prompt(id),
        Request::Verify(_) => {
            let accepted = Accepted { rotation_due: true, ..Accepted::default() };
            answer(id, VerifyAnswer::Accepted(accepted))
        }
        Request::Account(_) => answer(id, AccountAnswer::RotationDue { token: "t".into() }),
        Request::LoginProvision(_) => answer(
            id,
            LoginProvisionAnswer::LoginProvisioned {
                token: "t".into(),
                secret: SecretText::new("GEZD GNBV"),
                qr: vec![SecretText::new("\u{2588}\u{2580}")],
                digits: 6,
                period: 30,
            },
        ),
        _ => {
            let recovery_codes = vec![TypedCode::new("ABCD-EFGH-JKM").unwrap()];
            answer(id, LoginConfirmAnswer::LoginConfirmed { recovery_codes })
        }
    });
    let socket = daemon.socket();
    let options = "enroll forward_pass try_first_pass exempt_group=daemon timeout=30 debug";
    let lines =
        ["auth", "account", "password"].map(|kind| line(kind, "required", &socket, options));
    let stack = Stack::of_lines(&lines.concat());
    let options = [
        "--calls",
        "authenticate,acct_mgmt,chauthtok",
        "--expired",
        "--tty",
        "/dev/pts/1",
        "--putenv",
        "SSH_AUTH_INFO_0=publickey ssh-ed25519 AAAA",
    ];
    let outcome = login(&stack, "root", &options, &["password123456", "123456", ""]);
    assert_eq!(outcome.authenticated(), "PAM_SUCCESS");
    assert_eq!(outcome.result("acct_mgmt"), "PAM_NEW_AUTHTOK_REQD");
    assert_eq!(outcome.result("chauthtok"), "PAM_SUCCESS");
    let abandoned = login(&stack, "root", &options, &["password123456", ""]);
    assert_eq!(abandoned.result("chauthtok"), "PAM_AUTHTOK_ERR");
}
