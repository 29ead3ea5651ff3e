// SPDX-License-Identifier: GPL-3.0-or-later
//! What `account` answers for everything that the daemon may say.

use std::cell::RefCell;

use mfa_proto::ClientError;

use super::*;
use crate::options::Unavailable;
use crate::script::{Fake, alice, client_errors, refusal, script};

fn enrolling() -> Options {
    Options { enroll: true, ..Options::default() }
}

fn daemon(answer: Result<AccountAnswer, ClientError>) -> Fake {
    Fake { account: RefCell::new([answer].into()), ..Fake::default() }
}

fn enrolment_due() -> Result<AccountAnswer, ClientError> {
    Ok(AccountAnswer::EnrollmentDue { invite: false })
}

#[test]
fn without_enroll_nothing_is_asked_and_nothing_said() {
    let mut host = script(&[]);
    host.user = None;
    let fake = Fake::default();
    assert_eq!(account(&mut host, &fake, &Options::default(), false), PamResultCode::PAM_IGNORE);
    assert!(host.logged.is_empty() && fake.asked.borrow().is_empty());
}

#[test]
fn what_is_due_is_said_and_nothing_due_is_ignored() {
    let rows = [
        (Ok(AccountAnswer::NothingDue {}), PamResultCode::PAM_IGNORE, None),
        (
            enrolment_due(),
            PamResultCode::PAM_NEW_AUTHTOK_REQD,
            Some("Info You must set up a one-time code now, this login asks you to."),
        ),
        (
            Ok(AccountAnswer::EnrollmentDue { invite: true }),
            PamResultCode::PAM_NEW_AUTHTOK_REQD,
            Some("Info You must set up a one-time code now, this login asks you to."),
        ),
        (
            Ok(AccountAnswer::RotationDue { token: "default".into() }),
            PamResultCode::PAM_NEW_AUTHTOK_REQD,
            Some("Info The key of your one-time code is too old, this login gives you a new one."),
        ),
    ];
    for (answer, code, text) in rows {
        let case = format!("{answer:?}");
        let mut host = script(&[]);
        let fake = daemon(answer);
        assert_eq!(account(&mut host, &fake, &enrolling(), false), code, "{case}");
        assert_eq!(host.seen, Vec::from_iter(text), "{case}");
        assert_eq!(*fake.asked.borrow(), ["account alice sshd"], "{case}");
        let asked = text.map_or(Kept::NotAskedFor, |_| Kept::AskedFor);
        assert_eq!(host.kept, [(alice(), asked)], "{case}");
    }
    let mut silent = script(&[]);
    let code = account(&mut silent, &daemon(enrolment_due()), &enrolling(), true);
    assert_eq!(code, PamResultCode::PAM_NEW_AUTHTOK_REQD);
    assert!(silent.seen.is_empty());
}

#[test]
fn every_error_denies_and_unavailable_ignore_is_about_the_same_ones_as_in_a_login() {
    for unavailable in [Unavailable::Deny, Unavailable::Ignore] {
        let said = unavailable == Unavailable::Ignore;
        let options = Options { unavailable, ..enrolling() };
        let (excused, others) = client_errors();
        let mut rows: Vec<_> = excused.into_iter().map(|error| (Err(error), said)).collect();
        rows.extend(others.into_iter().map(|error| (Err(error), false)));
        rows.push((Ok(AccountAnswer::Unavailable { ignore: false }), said));
        rows.push((Ok(AccountAnswer::Unavailable { ignore: true }), true));
        rows.push((Ok(AccountAnswer::Error(refusal())), false));
        for (answer, ignored) in rows {
            let case = format!("{answer:?} {unavailable:?}");
            let mut host = script(&[]);
            let code = account(&mut host, &daemon(answer), &options, false);
            if ignored {
                assert_eq!(code, PamResultCode::PAM_IGNORE, "{case}");
                assert_eq!(host.logged[0].0, Level::Alert, "{case}");
            } else {
                assert_eq!(code, PamResultCode::PAM_AUTHINFO_UNAVAIL, "{case}");
                assert_eq!(host.logged[0].0, Level::Error, "{case}");
            }
        }
        let mut due = script(&[]);
        let code = account(&mut due, &daemon(enrolment_due()), &options, false);
        assert_eq!(code, PamResultCode::PAM_NEW_AUTHTOK_REQD);
    }
}

#[test]
fn members_of_the_exempt_group_are_ignored_and_not_asked_about() {
    let options = Options { exempt_group: Some("robots".into()), ..enrolling() };
    let mut member = script(&[]);
    member.group = Some(("robots", true));
    let fake = Fake::default();
    assert_eq!(account(&mut member, &fake, &options, false), PamResultCode::PAM_IGNORE);
    assert!(fake.asked.borrow().is_empty());
    let mut other = script(&[]);
    other.group = Some(("robots", false));
    let code = account(&mut other, &daemon(enrolment_due()), &options, false);
    assert_eq!(code, PamResultCode::PAM_NEW_AUTHTOK_REQD);
}

#[test]
fn observing_holds_up_nobody_and_logs_who_would_have_been() {
    let options = Options { observe: true, ..enrolling() };
    for (answer, logged) in [
        (enrolment_due(), "observed: enrolment is due: would have been asked for;"),
        (
            Ok(AccountAnswer::RotationDue { token: "default".into() }),
            "observed: rotation is due: would have been asked for;",
        ),
        (Ok(AccountAnswer::Error(refusal())), "observed: mfa-daemon refused: not"),
    ] {
        let mut host = script(&[]);
        let code = account(&mut host, &daemon(answer), &options, false);
        assert_eq!(code, PamResultCode::PAM_IGNORE);
        assert!(host.seen.is_empty());
        assert_eq!(host.logged[0].0, Level::Notice);
        assert!(host.lines()[0].starts_with(logged), "{:?}", host.logged);
    }
}

#[test]
fn a_name_that_is_none_or_that_no_account_has_is_denied() {
    let mut nobody = script(&[]);
    nobody.user = None;
    let code = account(&mut nobody, &Fake::default(), &enrolling(), false);
    assert_eq!(code, PamResultCode::PAM_CONV_ERR);
    let mut impossible = script(&[]);
    impossible.user = Some(User::Impossible { name: "a/b".into(), reason: "no".into() });
    let code = account(&mut impossible, &Fake::default(), &enrolling(), false);
    assert_eq!(code, PamResultCode::PAM_USER_UNKNOWN);
    let code = account(&mut script(&[]), &daemon(enrolment_due()), &enrolling(), false);
    assert_eq!(code, PamResultCode::PAM_NEW_AUTHTOK_REQD);
}

#[test]
fn a_libpam_that_does_not_keep_what_is_due_denies() {
    for keeps in [true, false] {
        let mut host = script(&[]);
        host.keeps = keeps;
        let code = account(&mut host, &daemon(enrolment_due()), &enrolling(), false);
        let expected =
            if keeps { PamResultCode::PAM_NEW_AUTHTOK_REQD } else { PamResultCode::PAM_BUF_ERR };
        assert_eq!(code, expected);
        assert_eq!(host.logged.iter().any(|(level, _)| *level == Level::Error), !keeps);
    }
}
