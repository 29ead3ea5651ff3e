// SPDX-License-Identifier: GPL-3.0-or-later
//! `account` and `password` through libpam: the dialogue of an enrolment, and what libpam makes of
//! its two passes. The daemon is one that answers as scripted.

#![expect(clippy::unwrap_used, reason = "test code")]

use std::path::Path;

use mfa_proto::account::{AccountAnswer, LoginConfirmAnswer, LoginProvisionAnswer};
use mfa_proto::login::{Accepted, BeginAnswer, SkipReason, VerifyAnswer};
use mfa_proto::{ErrorAnswer, ErrorCode, Request, SecretText, TypedCode};
use mfa_tests::fake_daemon::{FakeDaemon, Reply, answer, framed, prompt};
use mfa_tests::host::{Host, Outcome};
use mfa_tests::stack::{Stack, line};

const CODE: &str = "271828";
const SECRET: &str = "GEZD GNBV GY3T QOJQ";
const RECOVERY_CODE: &str = "ABCD-EFGH-JKM";
const FIRST_CODE: &str = "prompt: The code that it shows now: ";
const WRITTEN_DOWN: &str = "prompt: (echo) Press Enter when you have written them down: ";

/// The calls of a login whose `account` asks for a change.
const LOGIN: [&str; 3] = ["--calls", "authenticate,acct_mgmt,chauthtok", "--expired"];

fn host(stack: &Stack) -> Host {
    Host::new(env!("CARGO_BIN_EXE_pam-host"), stack, "alice")
}

fn provisioned() -> LoginProvisionAnswer {
    LoginProvisionAnswer::LoginProvisioned {
        token: "default".into(),
        secret: SecretText::new(SECRET),
        qr: ["\u{2588}\u{2580}", "\u{2584}\u{2588}"].map(SecretText::new).into(),
        digits: 6,
        period: 30,
    }
}

/// Nobody has a token; `CODE` is the code of the new one.
fn enrolling(due: fn() -> AccountAnswer) -> FakeDaemon {
    FakeDaemon::start(move |id, request| match request {
        Request::Begin(_) => answer(
            id,
            BeginAnswer::Skip {
                reason: SkipReason::NoToken,
                digits: 6,
                enroll_within: Some(0),
                observe: false,
            },
        ),
        Request::LoginConfirm(confirm) if confirm.code.as_str() == CODE => {
            let recovery_codes = vec![TypedCode::new(RECOVERY_CODE).unwrap()];
            answer(id, LoginConfirmAnswer::LoginConfirmed { recovery_codes })
        }
        _ => others(id, request, due),
    })
}

/// The token is too old; `CODE` is its code and that of the new one.
fn rotating() -> FakeDaemon {
    FakeDaemon::start(|id, request| match request {
        Request::Begin(_) => prompt(id),
        Request::Verify(_) => {
            let accepted = Accepted { rotation_due: true, ..Accepted::default() };
            answer(id, VerifyAnswer::Accepted(accepted))
        }
        Request::LoginConfirm(confirm) if confirm.code.as_str() == CODE => {
            answer(id, LoginConfirmAnswer::LoginConfirmed { recovery_codes: Vec::new() })
        }
        _ => others(id, request, || AccountAnswer::RotationDue { token: "default".into() }),
    })
}

fn others(id: u64, request: &Request, due: fn() -> AccountAnswer) -> Reply {
    match request {
        Request::Account(_) => answer(id, due()),
        Request::LoginProvision(_) => answer(id, provisioned()),
        Request::LoginConfirm(_) => answer(id, LoginConfirmAnswer::WrongCode { tries_left: 2 }),
        _ => Reply::Close,
    }
}

fn enrolment_due() -> AccountAnswer {
    AccountAnswer::EnrollmentDue { invite: false }
}

/// A whole service: the module on three lines, each with its options, and modules that agree.
fn service(socket: &Path, auth: &str, enroll: &str) -> Stack {
    let permit = |kind| format!("{kind} required pam_permit.so\n");
    Stack::of_lines(
        &[
            line("auth", "required", socket, auth),
            permit("auth"),
            permit("account"),
            line("account", "required", socket, enroll),
            line("password", "[success=done ignore=ignore default=die]", socket, enroll),
            permit("password"),
        ]
        .concat(),
    )
}

/// The proofs that were shown.
fn proofs(daemon: &FakeDaemon) -> Vec<serde_json::Value> {
    let frames = daemon.sent();
    let frames = frames.iter().map(|frame| serde_json::from_str::<serde_json::Value>(frame));
    frames.map(Result::unwrap).filter_map(|frame| frame.get("proof").cloned()).collect()
}

#[test]
fn a_user_without_token_enrols_inside_the_login() {
    let daemon = enrolling(enrolment_due);
    let stack = service(&daemon.socket(), "nullok", "enroll");
    let outcome = host(&stack).with(&LOGIN).answer("999999").answer(CODE).answer("").run();
    assert_eq!(outcome.authenticated(), "PAM_SUCCESS");
    assert_eq!(outcome.result("acct_mgmt"), "PAM_NEW_AUTHTOK_REQD");
    assert_eq!(outcome.result("chauthtok"), "PAM_SUCCESS");
    assert_eq!(
        outcome.seen(),
        [
            "info: You must set up a one-time code now.",
            "info: You must set up a one-time code now, this login asks you to.",
            "info: Scan this with the authenticator on your phone, or type the key below into it.",
            "info: \u{2588}\u{2580}",
            "info: \u{2584}\u{2588}",
            "info: GEZD GNBV GY3T QOJQ",
            "info: (6 digits, a new code every 30 s)",
            FIRST_CODE,
            "error: Wrong code.",
            FIRST_CODE,
            "info: Your one-time code is set up. If you lose your phone, each of these codes logs \
             you in once:",
            "info: ABCD-EFGH-JKM",
            WRITTEN_DOWN,
        ]
    );
    let asked = ["begin", "account", "account", "login_provision", "login_confirm"];
    assert_eq!(daemon.questions(), [&asked[..], &["login_confirm"]].concat());
    assert_eq!(proofs(&daemon), [serde_json::json!({"by": "nothing"})]);
    for secret in ["GEZD", RECOVERY_CODE, CODE] {
        assert!(!outcome.logged().iter().any(|line| line.contains(secret)), "{outcome:?}");
    }
}

#[test]
fn without_enroll_both_groups_ask_nothing() {
    let daemon = enrolling(enrolment_due);
    let stack = service(&daemon.socket(), "nullok", "");
    let outcome = host(&stack).with(&LOGIN).run();
    assert_eq!(outcome.result("acct_mgmt"), "PAM_SUCCESS");
    assert_eq!(outcome.result("chauthtok"), "PAM_SUCCESS");
    assert_eq!(daemon.questions(), ["begin"]);
}

#[test]
fn neither_passwd_nor_a_password_that_expired_is_the_modules() {
    let daemon = enrolling(enrolment_due);
    let stack = service(&daemon.socket(), "nullok", "enroll");
    for calls in [&["--calls", "chauthtok"][..], &["--calls", "chauthtok", "--expired"]] {
        let outcome = host(&stack).with(calls).run();
        assert_eq!(outcome.result("chauthtok"), "PAM_SUCCESS");
        assert!(daemon.questions().is_empty() && outcome.seen().is_empty(), "{outcome:?}");
    }
    let own = ["--calls", "acct_mgmt,chauthtok", "--expired"];
    let control = host(&stack).with(&own).answer("").run();
    assert_eq!(control.result("chauthtok"), "PAM_AUTHTOK_ERR");
    assert_eq!(daemon.questions(), ["account", "account", "login_provision"]);
}

#[test]
fn an_abandoned_enrolment_denies_before_any_other_module_changes_anything() {
    let home = tempfile::tempdir().unwrap();
    let changed = home.path().join("changed");
    let run = |daemon: &FakeDaemon, control: &str, answers: &[&str]| {
        // pam_exec runs its program in the second pass only, as pam_unix sets the password.
        let lines = format!(
            "{}password required pam_exec.so quiet /bin/touch {}\n{}",
            line("account", "required", &daemon.socket(), "enroll"),
            changed.display(),
            line("password", control, &daemon.socket(), "enroll")
        );
        let stack = Stack::of_lines(&lines);
        let mut host = host(&stack).with(&["--calls", "acct_mgmt,chauthtok", "--expired"]);
        for answer in answers {
            host = host.answer(answer);
        }
        host.run()
    };
    for control in ["required", "requisite", "[success=done ignore=ignore default=die]"] {
        for answers in [&[][..], &[""], &["999999"], &["999999", ""]] {
            let outcome = run(&enrolling(enrolment_due), control, answers);
            assert_ne!(outcome.result("chauthtok"), "PAM_SUCCESS", "{control} {answers:?}");
            assert!(!changed.exists(), "{control} {answers:?}");
        }
        let outcome = run(&enrolling(enrolment_due), control, &[CODE, ""]);
        assert_eq!(outcome.result("chauthtok"), "PAM_SUCCESS", "{control}");
        assert!(changed.exists(), "{control}");
        std::fs::remove_file(&changed).unwrap();
    }
}

/// What decides where the dialogue belongs, shown with libpam's own module for such questions.
#[test]
fn libpam_judges_each_pass_by_itself_and_in_the_second_the_modules_before_have_changed_things() {
    let home = tempfile::tempdir().unwrap();
    let changed = home.path().join("changed");
    let change = |first: &str, second: &str, control: &str| {
        let stack = Stack::of_lines(&format!(
            "password required pam_exec.so quiet /bin/touch {}\n\
             password {control} pam_debug.so prechauthtok={first} chauthtok={second}\n\
             password required pam_permit.so\n",
            changed.display()
        ));
        let outcome = host(&stack).with(&["--calls", "chauthtok"]).run();
        let happened = std::fs::remove_file(&changed).is_ok();
        (outcome.result("chauthtok").to_owned(), happened)
    };
    let result = |name: &str, happened| (name.to_owned(), happened);
    assert_eq!(change("success", "success", "required"), result("PAM_SUCCESS", true));
    assert_eq!(change("authtok_err", "success", "required"), result("PAM_AUTHTOK_ERR", false));
    assert_eq!(change("success", "authtok_err", "required"), result("PAM_AUTHTOK_ERR", true));
    // What was ignored in the first pass is not ignored in the second.
    assert_eq!(change("ignore", "authtok_err", "required"), result("PAM_AUTHTOK_ERR", true));
    // Controls that forgive a failure forgive it in both.
    for control in ["sufficient", "optional", "[success=done default=ignore]"] {
        let forgiven = change("authtok_err", "authtok_err", control);
        assert_eq!(forgiven, result("PAM_SUCCESS", true), "{control}");
    }
}

#[test]
fn a_rotation_takes_the_code_of_this_login_and_asks_for_one_where_there_was_none() {
    let daemon = rotating();
    let stack = service(&daemon.socket(), "", "enroll");
    let outcome = host(&stack).with(&LOGIN).answer(CODE).answer(CODE).run();
    assert_eq!(outcome.authenticated(), "PAM_SUCCESS");
    assert_eq!(outcome.result("acct_mgmt"), "PAM_NEW_AUTHTOK_REQD");
    assert_eq!(outcome.result("chauthtok"), "PAM_SUCCESS");
    assert_eq!(proofs(&daemon), [serde_json::json!({"by": "this_login"})]);
    assert_eq!(
        outcome.seen().last().unwrap(),
        &"info: The new key is in use. Remove the old entry from your authenticator."
    );

    let alone = ["--calls", "acct_mgmt,chauthtok", "--expired"];
    let daemon = rotating();
    let stack = service(&daemon.socket(), "", "enroll");
    let outcome = host(&stack).with(&alone).answer("314159").answer(CODE).run();
    assert_eq!(outcome.result("chauthtok"), "PAM_SUCCESS");
    assert_eq!(proofs(&daemon), [serde_json::json!({"by": "code", "code": "314159"})]);
    assert!(outcome.seen().contains(&"prompt: Your current one-time code: "), "{outcome:?}");
}

#[test]
fn a_login_that_was_granted_or_ignored_is_no_proof_for_a_rotation() {
    let begins: [fn() -> BeginAnswer; 2] = [
        || BeginAnswer::Granted {},
        || BeginAnswer::Skip {
            reason: SkipReason::Exempt,
            digits: 6,
            enroll_within: None,
            observe: false,
        },
    ];
    for begin in begins {
        let daemon = FakeDaemon::start(move |id, request| match request {
            Request::Begin(_) => answer(id, begin()),
            _ => others(id, request, || AccountAnswer::RotationDue { token: "default".into() }),
        });
        let stack = service(&daemon.socket(), "", "enroll");
        let outcome = host(&stack).with(&LOGIN).answer("314159").answer("").run();
        assert_eq!(outcome.authenticated(), "PAM_SUCCESS");
        assert_eq!(outcome.result("chauthtok"), "PAM_AUTHTOK_ERR");
        assert_eq!(proofs(&daemon), [serde_json::json!({"by": "code", "code": "314159"})]);
    }
}

#[test]
fn an_invite_is_asked_for_and_a_wrong_one_denies() {
    let daemon = enrolling(|| AccountAnswer::EnrollmentDue { invite: true });
    let stack = service(&daemon.socket(), "nullok", "enroll");
    let outcome = host(&stack).with(&LOGIN).answer("welcome").answer(CODE).answer("").run();
    assert_eq!(outcome.result("chauthtok"), "PAM_SUCCESS");
    assert_eq!(proofs(&daemon), [serde_json::json!({"by": "invite", "code": "welcome"})]);

    let daemon = FakeDaemon::start(|id, request| match request {
        Request::LoginProvision(_) => answer(
            id,
            LoginProvisionAnswer::Error(ErrorAnswer {
                code: ErrorCode::InviteNeeded,
                message: "no such invite".into(),
            }),
        ),
        _ => others(id, request, || AccountAnswer::EnrollmentDue { invite: true }),
    });
    let stack = service(&daemon.socket(), "nullok", "enroll");
    let options = ["--calls", "acct_mgmt,chauthtok", "--expired"];
    let outcome = host(&stack).with(&options).answer("wrong").run();
    assert_eq!(outcome.result("chauthtok"), "PAM_AUTHTOK_ERR");
    assert_eq!(outcome.seen().last(), Some(&"error: Wrong code."));
}

#[test]
fn nothing_due_is_no_business_of_the_module_in_either_group() {
    let daemon = enrolling(|| AccountAnswer::NothingDue {});
    let stack = service(&daemon.socket(), "nullok", "enroll");
    let outcome = host(&stack).with(&LOGIN).run();
    assert_eq!(outcome.result("acct_mgmt"), "PAM_SUCCESS");
    assert_eq!(outcome.result("chauthtok"), "PAM_SUCCESS");
    assert_eq!(daemon.questions(), ["begin", "account"]);
    let alone = Stack::of_lines(&line("account", "required", &daemon.socket(), "enroll"));
    let outcome = host(&alone).with(&["--calls", "acct_mgmt"]).run();
    assert_eq!(outcome.result("acct_mgmt"), "PAM_PERM_DENIED");
}

#[test]
fn a_daemon_that_is_down_denies_the_account_unless_that_is_to_be_ignored() {
    let calls = ["--calls", "acct_mgmt,chauthtok", "--expired"];
    let run = |daemon: &FakeDaemon, options: &str| -> Outcome {
        host(&service(&daemon.socket(), "nullok", options)).with(&calls).run()
    };
    let daemon = enrolling(enrolment_due);
    std::fs::remove_file(daemon.socket()).unwrap();
    let denied = run(&daemon, "enroll");
    assert_eq!(denied.result("acct_mgmt"), "PAM_AUTHINFO_UNAVAIL");
    let ignored = run(&daemon, "enroll unavailable=ignore");
    assert_eq!(ignored.result("acct_mgmt"), "PAM_SUCCESS");
    assert_eq!(ignored.result("chauthtok"), "PAM_SUCCESS");
    let alerts = ignored.logged().iter().filter(|line| line.starts_with("alert ")).count();
    assert_eq!(alerts, 1, "{ignored:?}");
}

#[test]
fn observe_and_the_exempt_group_hold_in_both_groups() {
    let daemon = enrolling(enrolment_due);
    let observed = service(&daemon.socket(), "nullok", "enroll observe");
    let outcome = host(&observed).with(&LOGIN).run();
    assert_eq!(outcome.result("acct_mgmt"), "PAM_SUCCESS");
    assert_eq!(outcome.result("chauthtok"), "PAM_SUCCESS");
    assert!(outcome.logged().iter().any(|line| line.contains("observed: enrolment is due")));

    let exempt = service(&daemon.socket(), "nullok", "enroll exempt_group=root");
    let asked = daemon.questions().len();
    let options = ["--calls", "acct_mgmt,chauthtok", "--expired"];
    let member = Host::new(env!("CARGO_BIN_EXE_pam-host"), &exempt, "root").with(&options).run();
    assert_eq!(member.result("acct_mgmt"), "PAM_SUCCESS");
    assert_eq!(member.result("chauthtok"), "PAM_SUCCESS");
    assert_eq!(daemon.questions().len(), asked);
    let other = Host::new(env!("CARGO_BIN_EXE_pam-host"), &exempt, "nobody").with(&options).run();
    assert_eq!(other.result("acct_mgmt"), "PAM_NEW_AUTHTOK_REQD");
}

#[test]
fn a_program_that_wants_no_texts_cannot_enrol() {
    let daemon = enrolling(enrolment_due);
    let stack = service(&daemon.socket(), "nullok", "enroll");
    let silent = ["--calls", "acct_mgmt,chauthtok", "--expired", "--silent"];
    let outcome = host(&stack).with(&silent).answer(CODE).run();
    assert_eq!(outcome.result("acct_mgmt"), "PAM_NEW_AUTHTOK_REQD");
    assert_eq!(outcome.result("chauthtok"), "PAM_AUTHTOK_ERR");
    assert!(outcome.seen().is_empty(), "{outcome:?}");
    assert!(!daemon.questions().contains(&"login_provision".to_owned()));
}

#[test]
fn an_answer_that_cannot_be_read_denies_and_nothing_of_it_is_logged() {
    let key = |key: &str| format!(r#""secret":"{SECRET}",{key},"digits":6,"period":30"#);
    let login = |fields: String| {
        let daemon = FakeDaemon::start(move |id, request| match request {
            Request::LoginProvision(_) => {
                let kind = r#""type":"login_provisioned","token":"default""#;
                let text = format!(r#"{{"v":1,"id":{id},{kind},{fields}}}"#);
                Reply::Bytes(framed(text.as_bytes()))
            }
            _ => others(id, request, enrolment_due),
        });
        let stack = service(&daemon.socket(), "nullok", "enroll debug");
        let calls = ["--calls", "acct_mgmt,chauthtok", "--expired"];
        host(&stack).with(&calls).run()
    };
    for odd in [format!(r#""qr":"{SECRET}""#), format!(r#""qr":[],"{SECRET}":1"#)] {
        let outcome = login(key(&odd));
        assert_eq!(outcome.result("chauthtok"), "PAM_AUTHINFO_UNAVAIL", "{odd}");
        assert!(outcome.logged().iter().any(|line| line.contains("no answer")), "{outcome:?}");
        assert!(!outcome.printed.contains("GEZD"), "{outcome:?}");
    }
    let control = login(key(r#""qr":[]"#));
    assert!(control.seen().contains(&"info: GEZD GNBV GY3T QOJQ"), "{control:?}");
}

#[test]
fn an_option_that_is_not_understood_denies_in_every_group() {
    let daemon = enrolling(enrolment_due);
    for (kind, call) in [
        ("account", "acct_mgmt"),
        ("password", "chauthtok"),
        ("session", "open_session"),
        ("session", "close_session"),
    ] {
        let bad = Stack::of_lines(&line(kind, "required", &daemon.socket(), "enrol"));
        let outcome = host(&bad).with(&["--calls", call]).run();
        assert_eq!(outcome.result(call), "PAM_SERVICE_ERR", "{call}");
        assert!(outcome.logged()[0].contains("unknown option 'enrol'"), "{outcome:?}");
    }
}

#[test]
fn five_hundred_enrolments_leave_the_program_as_it_was() {
    let daemon = enrolling(enrolment_due);
    let stack = service(&daemon.socket(), "nullok", "enroll exempt_group=root");
    let mut host = host(&stack).with(&LOGIN).with(&["--times", "500"]);
    for _ in 0..500 {
        host = host.answer(CODE).answer("");
    }
    let outcome = host.run();
    assert_eq!(outcome.result("chauthtok"), "500 times PAM_SUCCESS");
    outcome.left_the_program_as_it_was();
}
