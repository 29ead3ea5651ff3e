// SPDX-License-Identifier: GPL-3.0-or-later
//! The dialogue of an enrolment and of a rotation, how each of its steps can fail, and what the
//! second pass makes of it.

use std::cell::RefCell;

use mfa_proto::ClientError;
use mfa_proto::account::AccountAnswer;

use super::*;
use crate::options::{Unavailable, Words};
use crate::script::{CODE, Fake, Script, alice, client_errors, refusal, script};

const SECRET: &str = "GEZD GNBV GY3T QOJQ";
const QR: [&str; 2] = ["\u{2588}\u{2580}qr1", "\u{2584}qr2"];
const RECOVERY: &str = "ABCD-EFGH-JKM";
const ASKED_FIRST: &str = "Off The code that it shows now: ";
const WRITTEN_DOWN: &str = "On Press Enter when you have written them down: ";

fn enrolling() -> Options {
    Options { enroll: true, ..Options::default() }
}

fn enrolment_due() -> Result<AccountAnswer, ClientError> {
    Ok(AccountAnswer::EnrollmentDue { invite: false })
}

fn rotation_due() -> Result<AccountAnswer, ClientError> {
    Ok(AccountAnswer::RotationDue { token: "default".into() })
}

fn provisioned() -> Result<LoginProvisionAnswer, ClientError> {
    Ok(LoginProvisionAnswer::LoginProvisioned {
        token: "default".into(),
        secret: SecretText::new(SECRET),
        qr: QR.map(SecretText::new).into(),
        digits: 6,
        period: 30,
    })
}

fn confirmed(recovery_codes: &[&str]) -> Result<LoginConfirmAnswer, ClientError> {
    let recovery_codes = recovery_codes.iter().map(|code| TypedCode::new(code).unwrap()).collect();
    Ok(LoginConfirmAnswer::LoginConfirmed { recovery_codes })
}

fn wrong(tries_left: u8) -> Result<LoginConfirmAnswer, ClientError> {
    Ok(LoginConfirmAnswer::WrongCode { tries_left })
}

fn daemon(
    account: Result<AccountAnswer, ClientError>,
    provision: impl IntoIterator<Item = Result<LoginProvisionAnswer, ClientError>>,
    confirm: impl IntoIterator<Item = Result<LoginConfirmAnswer, ClientError>>,
) -> Fake {
    Fake {
        account: RefCell::new([account].into()),
        provision: RefCell::new(provision.into_iter().collect()),
        confirm: RefCell::new(confirm.into_iter().collect()),
        ..Fake::default()
    }
}

/// After an `account` that has asked for it.
fn first_pass(host: &mut Script, daemon: &Fake, options: &Options) -> PamResultCode {
    host.kept.push((alice(), Kept::AskedFor));
    enrolment(host, daemon, options, Phase::Preliminary, false)
}

/// The second pass: asks the daemon and the user nothing.
fn second_pass(host: &mut Script) -> PamResultCode {
    let seen = host.seen.len();
    let code = enrolment(host, &Fake::default(), &enrolling(), Phase::Update, false);
    assert_eq!(host.seen.len(), seen);
    code
}

/// A first pass that must fail so, and the second one after it.
fn fails(mut host: Script, daemon: &Fake, code: &PamResultCode, case: &str) -> Script {
    assert_eq!(first_pass(&mut host, daemon, &enrolling()), *code, "{case}");
    assert_eq!(second_pass(&mut host), PamResultCode::PAM_AUTHTOK_ERR, "{case}");
    host
}

#[test]
fn an_enrolment_shows_the_key_asks_for_the_first_code_and_shows_the_recovery_codes() {
    let mut host = script(&[CODE, ""]);
    let fake = daemon(enrolment_due(), [provisioned()], [confirmed(&[RECOVERY, "second"])]);
    assert_eq!(first_pass(&mut host, &fake, &enrolling()), PamResultCode::PAM_SUCCESS);
    assert_eq!(
        host.seen,
        [
            "Info Scan this with the authenticator on your phone, or type the key below into it.",
            "Info \u{2588}\u{2580}qr1",
            "Info \u{2584}qr2",
            "Info GEZD GNBV GY3T QOJQ",
            "Info (6 digits, a new code every 30 s)",
            ASKED_FIRST,
            "Info Your one-time code is set up. If you lose your phone, each of these codes logs \
             you in once:",
            "Info ABCD-EFGH-JKM",
            "Info second",
            WRITTEN_DOWN,
        ]
    );
    assert_eq!(
        *fake.asked.borrow(),
        ["account alice sshd", "provision alice nothing", &format!("confirm alice default {CODE}")]
    );
    assert_eq!(second_pass(&mut host), PamResultCode::PAM_SUCCESS);
}

/// An expired password has libpam call with PAM_CHANGE_EXPIRED_AUTHTOK as well.
#[test]
fn a_change_that_account_did_not_ask_for_is_left_to_others_and_asks_the_daemon_nothing() {
    let bob = UserName::new("bob").unwrap();
    for kept in [vec![], vec![(alice(), Kept::NotAskedFor)], vec![(bob, Kept::AskedFor)]] {
        let mut host = script(&[]);
        host.kept = kept;
        let fake = daemon(enrolment_due(), [], []);
        let code = enrolment(&mut host, &fake, &enrolling(), Phase::Preliminary, false);
        assert_eq!(code, PamResultCode::PAM_IGNORE);
        assert_eq!(second_pass(&mut host), PamResultCode::PAM_IGNORE);
        assert!(host.seen.is_empty() && fake.asked.borrow().is_empty());
    }
    let mut host = script(&[CODE, ""]);
    let fake = daemon(enrolment_due(), [provisioned()], [confirmed(&[RECOVERY])]);
    assert_eq!(first_pass(&mut host, &fake, &enrolling()), PamResultCode::PAM_SUCCESS);
}

#[test]
fn quiet_takes_nothing_of_the_dialogue_away_and_a_program_without_texts_cannot_enrol() {
    let quiet = Options { words: Words::Few, ..enrolling() };
    let mut host = script(&[CODE, ""]);
    let fake = daemon(enrolment_due(), [provisioned()], [confirmed(&[RECOVERY])]);
    assert_eq!(first_pass(&mut host, &fake, &quiet), PamResultCode::PAM_SUCCESS);
    assert_eq!(host.seen.len(), 9);

    let mut silent = script(&[]);
    silent.kept.push((alice(), Kept::AskedFor));
    let fake = daemon(enrolment_due(), [], []);
    let code = enrolment(&mut silent, &fake, &enrolling(), Phase::Preliminary, true);
    assert_eq!(code, PamResultCode::PAM_AUTHTOK_ERR);
    assert!(silent.seen.is_empty());
    assert!(silent.lines()[0].contains("PAM_SILENT"));
}

#[test]
fn an_invite_code_is_asked_for_only_where_one_is_wanted() {
    let mut host = script(&["invite me", CODE, ""]);
    let due = Ok(AccountAnswer::EnrollmentDue { invite: true });
    let fake = daemon(due, [provisioned()], [confirmed(&[RECOVERY])]);
    assert_eq!(first_pass(&mut host, &fake, &enrolling()), PamResultCode::PAM_SUCCESS);
    assert_eq!(host.seen[0], "Off Invite code: ");
    assert_eq!(fake.asked.borrow()[1], "provision alice invite invite me");

    let refused = ErrorAnswer { code: ErrorCode::InviteNeeded, message: "no such invite".into() };
    let due = Ok(AccountAnswer::EnrollmentDue { invite: true });
    let fake = daemon(due, [Ok(LoginProvisionAnswer::Error(refused))], []);
    let host = fails(script(&["wrong"]), &fake, &PamResultCode::PAM_AUTHTOK_ERR, "invite");
    assert_eq!(host.seen[1..], ["Error Wrong code."]);
    assert!(host.lines()[0].contains("no such invite: nothing changed, login denied"));
}

#[test]
fn a_rotation_needs_a_code_of_this_login_or_a_current_one() {
    let mut host = script(&[CODE]);
    host.kept.push((alice(), Kept::CodeAccepted));
    let fake = daemon(rotation_due(), [provisioned()], [confirmed(&[])]);
    assert_eq!(first_pass(&mut host, &fake, &enrolling()), PamResultCode::PAM_SUCCESS);
    assert_eq!(fake.asked.borrow()[1], "provision alice this_login");
    let last = "Info The new key is in use. Remove the old entry from your authenticator.";
    assert_eq!(host.seen.last().unwrap(), last);
    assert_eq!(second_pass(&mut host), PamResultCode::PAM_SUCCESS);

    // A code that another user showed on this handle is no proof, and an enrolment is none.
    let bob = UserName::new("bob").unwrap();
    for kept in [vec![], vec![(bob, Kept::CodeAccepted)], vec![(alice(), Kept::EnrolmentDone)]] {
        let mut host = script(&["314159", CODE]);
        host.kept = kept;
        let fake = daemon(rotation_due(), [provisioned()], [confirmed(&[])]);
        assert_eq!(first_pass(&mut host, &fake, &enrolling()), PamResultCode::PAM_SUCCESS);
        assert_eq!(host.seen[0], "Off Your current one-time code: ");
        assert_eq!(fake.asked.borrow()[1], "provision alice code 314159");
    }
}

#[test]
fn a_first_token_needs_no_code_even_where_one_was_accepted() {
    let mut host = script(&[CODE, ""]);
    host.kept.push((alice(), Kept::CodeAccepted));
    let fake = daemon(enrolment_due(), [provisioned()], [confirmed(&[RECOVERY])]);
    assert_eq!(first_pass(&mut host, &fake, &enrolling()), PamResultCode::PAM_SUCCESS);
    assert_eq!(fake.asked.borrow()[1], "provision alice nothing");
}

#[test]
fn nothing_due_and_not_asked_for_is_ignored_in_both_passes() {
    let mut host = script(&[]);
    let fake = daemon(Ok(AccountAnswer::NothingDue {}), [], []);
    assert_eq!(first_pass(&mut host, &fake, &enrolling()), PamResultCode::PAM_IGNORE);
    assert_eq!(second_pass(&mut host), PamResultCode::PAM_IGNORE);

    let mut member = script(&[]);
    member.group = Some(("robots", true));
    let options = Options { exempt_group: Some("robots".into()), ..enrolling() };
    assert_eq!(first_pass(&mut member, &Fake::default(), &options), PamResultCode::PAM_IGNORE);
    assert_eq!(second_pass(&mut member), PamResultCode::PAM_IGNORE);

    for options in [Options::default(), Options { observe: true, ..enrolling() }] {
        for phase in [Phase::Preliminary, Phase::Update] {
            let mut host = script(&[]);
            let code = enrolment(&mut host, &Fake::default(), &options, phase, false);
            assert_eq!(code, PamResultCode::PAM_IGNORE);
            assert!(host.kept.is_empty() && host.logged.is_empty());
        }
    }
}

#[test]
fn a_second_pass_alone_and_one_of_another_user_are_denied() {
    assert_eq!(second_pass(&mut script(&[])), PamResultCode::PAM_AUTHTOK_ERR);
    let mut host = script(&[]);
    host.kept.push((UserName::new("bob").unwrap(), Kept::EnrolmentDone));
    host.kept.push((alice(), Kept::CodeAccepted));
    assert_eq!(second_pass(&mut host), PamResultCode::PAM_AUTHTOK_ERR);
    host.kept.push((alice(), Kept::EnrolmentDone));
    assert_eq!(second_pass(&mut host), PamResultCode::PAM_SUCCESS);
}

#[test]
fn a_change_that_fails_after_one_that_succeeded_is_denied_in_the_second_pass() {
    let mut host = script(&[CODE, "", ""]);
    let fake = daemon(enrolment_due(), [provisioned()], [confirmed(&[RECOVERY])]);
    assert_eq!(first_pass(&mut host, &fake, &enrolling()), PamResultCode::PAM_SUCCESS);
    let fake = daemon(enrolment_due(), [provisioned()], []);
    fails(host, &fake, &PamResultCode::PAM_AUTHTOK_ERR, "again");
}

#[test]
fn an_abandoned_dialogue_changes_nothing_and_denies() {
    let broken = |answers: &[&str]| {
        let mut host = script(answers);
        host.answers.push_back(Err(ConversationFailed));
        host
    };
    let null = || {
        let mut host = script(&[]);
        host.answers = [Ok(None)].into();
        host
    };
    for (host, code) in [
        (script(&[""]), PamResultCode::PAM_AUTHTOK_ERR),
        (script(&[" \t"]), PamResultCode::PAM_AUTHTOK_ERR),
        (null(), PamResultCode::PAM_AUTHTOK_ERR),
        (broken(&[]), PamResultCode::PAM_CONV_ERR),
    ] {
        let fake = daemon(enrolment_due(), [provisioned()], []);
        fails(host, &fake, &code, "first code");
        assert_eq!(fake.asked.borrow().len(), 2);
    }
    for (host, code) in [
        (script(&[""]), PamResultCode::PAM_AUTHTOK_ERR),
        (broken(&[]), PamResultCode::PAM_CONV_ERR),
    ] {
        let fake = daemon(rotation_due(), [], []);
        fails(host, &fake, &code, "current code");
        assert_eq!(fake.asked.borrow().len(), 1);
    }
    // Here the token is set up; that its recovery codes were read is not known.
    let fake = daemon(enrolment_due(), [provisioned()], [confirmed(&[RECOVERY])]);
    let host = fails(broken(&[CODE]), &fake, &PamResultCode::PAM_CONV_ERR, "recovery codes");
    assert!(host.lines().iter().any(|line| line.contains("may not have been read")));
}

#[test]
fn wrong_first_codes_are_asked_again_as_often_as_the_daemon_says_and_never_without_end() {
    let mut host = script(&["1", "2", CODE, ""]);
    let confirm = [wrong(2), wrong(1), confirmed(&[RECOVERY])];
    let fake = daemon(enrolment_due(), [provisioned()], confirm);
    assert_eq!(first_pass(&mut host, &fake, &enrolling()), PamResultCode::PAM_SUCCESS);
    let told = host.seen.iter().filter(|text| *text == "Error Wrong code.").count();
    assert_eq!(told, 2);

    let fake = daemon(enrolment_due(), [provisioned()], [wrong(1), wrong(0)]);
    let host = fails(script(&["1"]), &fake, &PamResultCode::PAM_AUTHTOK_ERR, "no tries left");
    assert!(host.seen.last().unwrap().starts_with("Error None of these codes was right"));

    let endless = std::iter::repeat_with(|| wrong(9)).take(100);
    let fake = daemon(enrolment_due(), [provisioned()], endless);
    fails(script(&["1"]), &fake, &PamResultCode::PAM_AUTHTOK_ERR, "endless");
    assert_eq!(fake.asked.borrow().len(), 2 + usize::from(TRIES_MAX));
}

#[test]
fn what_can_be_no_code_is_not_sent_and_not_asked_for_without_end() {
    let long = "1".repeat(100);
    let fake = daemon(enrolment_due(), [provisioned()], []);
    fails(script(&[&long]), &fake, &PamResultCode::PAM_AUTHTOK_ERR, "long");
    assert_eq!(fake.asked.borrow().len(), 2);
}

#[test]
fn every_error_of_the_daemon_denies_and_only_one_of_the_first_question_can_be_ignored() {
    let ignoring = || Options { unavailable: Unavailable::Ignore, ..enrolling() };
    for options in [enrolling(), ignoring()] {
        let said = options.unavailable == Unavailable::Ignore;
        let (excused, others) = client_errors();
        for (errors, ignored) in [(excused, said), (others, false)] {
            for error in errors {
                let case = format!("{error:?}");
                let mut host = script(&[]);
                let code = first_pass(&mut host, &daemon(Err(error), [], []), &options);
                let second = second_pass(&mut host);
                if ignored {
                    assert_eq!(code, PamResultCode::PAM_IGNORE, "{case}");
                    assert_eq!(second, PamResultCode::PAM_IGNORE, "{case}");
                    assert_eq!(host.logged[0].0, Level::Alert, "{case}");
                } else {
                    assert_eq!(code, PamResultCode::PAM_AUTHINFO_UNAVAIL, "{case}");
                    assert_eq!(second, PamResultCode::PAM_AUTHTOK_ERR, "{case}");
                }
            }
        }
        let (excused, others) = client_errors();
        for error in excused.into_iter().chain(others) {
            let mut host = script(&[]);
            let fake = daemon(enrolment_due(), [Err(error)], []);
            let code = first_pass(&mut host, &fake, &options);
            assert_eq!(code, PamResultCode::PAM_AUTHINFO_UNAVAIL);
            assert_eq!(second_pass(&mut host), PamResultCode::PAM_AUTHTOK_ERR);
        }
        let (excused, others) = client_errors();
        for error in excused.into_iter().chain(others) {
            let mut host = script(&[CODE]);
            let fake = daemon(enrolment_due(), [provisioned()], [Err(error)]);
            let code = first_pass(&mut host, &fake, &options);
            assert_eq!(code, PamResultCode::PAM_AUTHINFO_UNAVAIL);
            assert_eq!(second_pass(&mut host), PamResultCode::PAM_AUTHTOK_ERR);
        }
    }
    let refused = || Ok(LoginProvisionAnswer::Error(refusal()));
    let fake = daemon(enrolment_due(), [refused()], []);
    let host = fails(script(&[]), &fake, &PamResultCode::PAM_AUTHTOK_ERR, "provision");
    assert!(host.seen[0].starts_with("Error The one-time code could not be set up"));
    let refused = Ok(LoginConfirmAnswer::Error(refusal()));
    let fake = daemon(enrolment_due(), [provisioned()], [refused]);
    fails(script(&[CODE]), &fake, &PamResultCode::PAM_AUTHTOK_ERR, "confirm");
}

#[test]
fn a_libpam_that_keeps_nothing_denies() {
    for due in [enrolment_due(), Ok(AccountAnswer::NothingDue {})] {
        let mut host = script(&[CODE, ""]);
        host.keeps = false;
        let fake = daemon(due, [provisioned()], [confirmed(&[RECOVERY])]);
        assert_eq!(first_pass(&mut host, &fake, &enrolling()), PamResultCode::PAM_AUTHTOK_ERR);
        assert!(fake.asked.borrow().is_empty());
    }
}

#[test]
fn a_name_that_is_none_or_that_no_account_has_is_denied() {
    let mut nobody = script(&[]);
    nobody.user = None;
    let code = first_pass(&mut nobody, &Fake::default(), &enrolling());
    assert_eq!(code, PamResultCode::PAM_CONV_ERR);
    let mut impossible = script(&[]);
    impossible.user = Some(User::Impossible { name: "a/b".into(), reason: "no".into() });
    let code = first_pass(&mut impossible, &Fake::default(), &enrolling());
    assert_eq!(code, PamResultCode::PAM_USER_UNKNOWN);
}

#[test]
fn nothing_secret_is_logged_with_debug() {
    let options = Options { debug: true, ..enrolling() };
    let mut host = script(&["314159", "1", CODE, ""]);
    let confirm = [wrong(2), confirmed(&[RECOVERY])];
    let fake = daemon(rotation_due(), [provisioned()], confirm);
    assert_eq!(first_pass(&mut host, &fake, &options), PamResultCode::PAM_SUCCESS);
    assert!(host.logged.iter().filter(|(level, _)| *level == Level::Debug).count() >= 4);
    for line in host.lines() {
        for secret in ["GEZD", "qr1", RECOVERY, CODE, "314159"] {
            assert!(!line.contains(secret), "{line}");
        }
    }
}
