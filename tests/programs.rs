// SPDX-License-Identifier: GPL-3.0-or-later
//! Programs that understand less than a terminal does: lockers and greeters with one field, those that
//! have both answers before they are asked, and those that know no texts.

use mfa_proto::account::{AccountAnswer, LoginConfirmAnswer, LoginProvisionAnswer};
use mfa_proto::login::{Accepted, VerifyAnswer};
use mfa_proto::{Request, SecretText, TypedCode};
use mfa_tests::fake_daemon::{FakeDaemon, Reply, answer, prompt};
use mfa_tests::host::{Host, Outcome};
use mfa_tests::stack::{Stack, line};

const CODE: &str = "271828";
const PASSWORD: &str = "correct horse";

/// Asks for a password and leaves it in PAM_AUTHTOK, as pam_unix does.
const ASKS_PASSWORD: &str = "auth optional pam_exec.so quiet expose_authtok /bin/true\n";

/// The ways to take a text that is no prompt.
const TEXTS: [&str; 3] = ["refused", "answered", "without-responses"];

/// Accepts `CODE`, with something to tell.
fn daemon() -> FakeDaemon {
    FakeDaemon::start(|id, request| match request {
        Request::Begin(_) => prompt(id),
        Request::Verify(verify) if verify.code.as_str() == CODE => {
            let accepted = Accepted { failures: 1, ..Accepted::default() };
            answer(id, VerifyAnswer::Accepted(accepted))
        }
        Request::Verify(_) => answer(id, VerifyAnswer::Wrong { clock_offset: None }),
        Request::Account(_) => answer(id, AccountAnswer::EnrollmentDue { invite: false }),
        Request::LoginProvision(_) => answer(
            id,
            LoginProvisionAnswer::LoginProvisioned {
                token: "default".into(),
                secret: SecretText::new("GEZD GNBV"),
                qr: Vec::new(),
                digits: 6,
                period: 30,
            },
        ),
        Request::LoginConfirm(confirm) if confirm.code.as_str() == CODE => {
            let recovery_codes = TypedCode::new("ABCD-EFGH-JKM").into_iter().collect();
            answer(id, LoginConfirmAnswer::LoginConfirmed { recovery_codes })
        }
        Request::LoginConfirm(_) => answer(id, LoginConfirmAnswer::WrongCode { tries_left: 2 }),
        _ => Reply::Close,
    })
}

fn host(stack: &Stack) -> Host {
    Host::new(env!("CARGO_BIN_EXE_pam-host"), stack, "alice")
}

/// Password, then the module with these options.
fn behind_a_password(daemon: &FakeDaemon, options: &str) -> Stack {
    let module = line("auth", "required", &daemon.socket(), options);
    Stack::of_lines(&format!("{ASKS_PASSWORD}{module}"))
}

fn one_field(stack: &Stack, text: &str) -> Outcome {
    host(stack).with(&["--same", text]).run()
}

fn verified(daemon: &FakeDaemon) -> usize {
    daemon.questions().iter().filter(|question| *question == "verify").count()
}

#[test]
fn a_program_with_one_field_needs_an_option_and_is_told_so_and_nothing_is_counted() {
    let daemon = daemon();
    for tries in ["", "retry=3"] {
        let outcome = one_field(&behind_a_password(&daemon, tries), PASSWORD);
        assert_eq!(outcome.authenticated(), "PAM_AUTH_ERR");
        assert!(outcome.logged().iter().any(|line| line.contains("forward_pass")), "{outcome:?}");
        assert!(!outcome.logged().iter().any(|line| line.contains("horse")), "{outcome:?}");
    }
    assert_eq!(verified(&daemon), 0, "the password was sent as a code");
    assert!(!daemon.sent().iter().any(|frame| frame.contains("horse")));

    let both = format!("{PASSWORD}{CODE}");
    let first = behind_a_password(&daemon, "use_first_pass forward_pass");
    let alone = Stack::module(&daemon.socket(), "forward_pass");
    for stack in [first, alone] {
        let asked = verified(&daemon);
        assert_eq!(one_field(&stack, &both).authenticated(), "PAM_SUCCESS");
        assert_eq!(one_field(&stack, PASSWORD).authenticated(), "PAM_AUTH_ERR");
        assert_eq!(verified(&daemon), asked + 1);
    }
}

#[test]
fn a_program_that_has_both_answers_before_it_is_asked_gives_them_in_the_order_of_the_prompts() {
    let daemon = daemon();
    let stack = behind_a_password(&daemon, "");
    let outcome = host(&stack).answer(PASSWORD).answer(CODE).run();
    assert_eq!(outcome.authenticated(), "PAM_SUCCESS");
    let seen = outcome.seen();
    assert_eq!(seen.first(), Some(&"prompt: Password: "));
    assert_eq!(seen.get(1), Some(&"prompt: One-time code: "), "nothing comes between the two");
    assert!(seen.get(2).is_some_and(|text| text.starts_with("info: ")), "{outcome:?}");
    // The other way round is wrong, and the code is not taken for a password by this module.
    let swapped = host(&stack).answer(CODE).answer(PASSWORD).run();
    assert_eq!(swapped.authenticated(), "PAM_AUTH_ERR");
}

#[test]
fn a_program_that_understands_no_texts_logs_in_all_the_same() {
    let daemon = daemon();
    let stack = Stack::module(&daemon.socket(), "");
    for texts in TEXTS {
        let told = ["--texts", texts];
        let outcome = host(&stack).with(&told).answer(CODE).run();
        assert_eq!(outcome.authenticated(), "PAM_SUCCESS", "{texts}");
        assert!(outcome.seen().iter().any(|text| text.starts_with("info: 1 wrong")), "{outcome:?}");
        let outcome = host(&stack).with(&told).answer("314159").run();
        assert_eq!(outcome.authenticated(), "PAM_AUTH_ERR", "{texts}");
        assert_eq!(outcome.seen().last(), Some(&"error: Wrong code."));
    }
}

#[test]
fn texts_that_are_refused_or_answered_leave_the_program_as_it_was() {
    let daemon = daemon();
    let stack = Stack::module(&daemon.socket(), "");
    for texts in TEXTS {
        let mut host = host(&stack).with(&["--texts", texts, "--times", "200"]);
        for _ in 0..200 {
            host = host.answer(CODE);
        }
        let outcome = host.run();
        assert_eq!(outcome.authenticated(), "200 times PAM_SUCCESS", "{texts}");
        outcome.left_the_program_as_it_was();
    }
}

/// Nobody can enrol whose program does not show the key: there is no code to answer with.
#[test]
fn an_enrolment_that_cannot_be_shown_changes_nothing_unless_the_code_is_right() {
    let daemon = daemon();
    let account = line("account", "required", &daemon.socket(), "enroll");
    let password = line("password", "required", &daemon.socket(), "enroll");
    let stack = Stack::of_lines(&format!("{account}{password}"));
    let calls = ["--calls", "acct_mgmt,chauthtok", "--expired", "--texts", "refused"];
    let outcome = host(&stack).with(&calls).with(&["--same", PASSWORD]).run();
    assert_ne!(outcome.result("chauthtok"), "PAM_SUCCESS");
    let control = host(&stack).with(&calls).answer(CODE).answer("").run();
    assert_eq!(control.result("chauthtok"), "PAM_SUCCESS");
}

#[test]
fn a_program_that_closes_the_conversation_is_denied_and_nothing_is_counted() {
    let daemon = daemon();
    let stack = behind_a_password(&daemon, "retry=3");
    // The window is closed at the second prompt: no answer is left.
    let closed = host(&stack).answer(PASSWORD).run();
    assert_eq!(closed.authenticated(), "PAM_CONV_ERR");
    assert_eq!(verified(&daemon), 0);
    let open = host(&stack).answer(PASSWORD).answer(CODE).run();
    assert_eq!(open.authenticated(), "PAM_SUCCESS");
}
