// SPDX-License-Identifier: GPL-3.0-or-later
//! What a login gets before a code is typed, and what is due after it: enrolment and rotation.

use mfa_proto::explain::Outcome;

use super::lockout::{Lock, LockoutRules};
use super::record::{Record, Token};
use super::rule::{Enrollment, Terms};

/// What a login gets. `grace` is whether an earlier success holds.
///
/// Grace is honoured while wrong codes make the account wait: a guesser must not take from the owner
/// what he has proved already, and a grace opens nothing for the guesser. Under the hard lock it is not:
/// there an administrator has to look first.
#[must_use]
pub fn outcome(
    record: Option<&Record>,
    terms: &Terms,
    rules: &LockoutRules,
    service: &str,
    grace: bool,
    now: u64,
) -> Outcome {
    if terms.is_exempt(now) {
        return Outcome::Exempt {};
    }
    let Some(record) = record.filter(|record| record.is_asked(service, now)) else {
        return without_token(terms, now);
    };
    match record.lockout.clone().lock_at(now, rules) {
        Lock::Hard => Outcome::Locked { seconds: None },
        _ if grace && !record.tokens.is_empty() => Outcome::Granted {},
        Lock::Wait(seconds) => Outcome::Locked { seconds: Some(seconds) },
        Lock::Open => Outcome::Prompt {},
    }
}

fn without_token(terms: &Terms, now: u64) -> Outcome {
    if terms.required || terms.enroll_until.is_some_and(|until| until <= now) {
        return Outcome::Expired {};
    }
    let next = terms.enroll_from.or(terms.enroll_until);
    Outcome::NoToken { enroll_within: next.map(|at| at.saturating_sub(now)) }
}

/// Whether a user without a token must enrol in this login, and how; `default` is
/// `token.enrollment`. Nobody is asked for what only an administrator may do.
#[must_use]
pub fn enrollment(
    record: Option<&Record>,
    terms: &Terms,
    default: Enrollment,
    now: u64,
) -> Option<Enrollment> {
    let has_token = record.is_some_and(|record| !record.tokens.is_empty());
    // With a deadline only, the user may still choose the day.
    let begins = match (terms.enroll_from, terms.enroll_until) {
        (Some(from), _) => from,
        (None, Some(until)) => until,
        (None, None) => 0,
    };
    let enrollment = terms.enrollment.unwrap_or(default);
    let due = !has_token && !terms.is_exempt(now) && !terms.observe && begins <= now;
    (due && enrollment != Enrollment::Admin).then_some(enrollment)
}

/// The token that is to be rotated in this login: of those older than `max_age_days` the one that was
/// used last. 0 days: none.
#[must_use]
pub fn rotation(record: &Record, max_age_days: u64, now: u64) -> Option<&Token> {
    let old = record.tokens.iter().filter(|token| is_old(token, max_age_days, now));
    old.max_by_key(|token| token.last_used)
}

/// Whether a token is older than `max_age_days`; 0 for never.
#[must_use]
pub fn is_old(token: &Token, max_age_days: u64, now: u64) -> bool {
    let age = max_age_days.saturating_mul(86_400);
    age > 0 && now.saturating_sub(token.created) >= age
}

#[cfg(test)]
mod tests {
    use mfa_crypto::{Algorithm, Digits, Period};
    use mfa_proto::Blob;

    use super::*;
    use crate::policy::record::{Bypass, Factor, Lockout};

    const RULES: LockoutRules =
        LockoutRules { free_attempts: 5, base_seconds: 30, max_seconds: 900, hard_limit: 100 };
    const NOW: u64 = 1_800_000_000;

    fn token(name: &str, created: u64, last_used: Option<u64>) -> Token {
        Token {
            name: name.into(),
            factor: Factor::Totp { period: Period::default(), last_step: None, drift: 0 },
            algorithm: Algorithm::Sha1,
            digits: Digits::default(),
            sealed: Blob::new([]),
            created,
            last_used,
            near: None,
        }
    }

    fn with_token(failures: u32) -> Record {
        Record {
            tokens: vec![token("phone", 0, None)],
            lockout: Lockout { failures, last_failure: NOW, last_from: None },
            ..Record::default()
        }
    }

    #[test]
    fn what_a_login_gets_follows_from_record_terms_grace_and_time() {
        let plain = Terms::default();
        let exempt = Terms { exempt_until: Some(NOW + 1), ..Terms::default() };
        let ended = Terms { exempt_until: Some(NOW), ..Terms::default() };
        let required = Terms { required: true, ..Terms::default() };
        let ahead = Terms {
            enroll_from: Some(NOW + 100),
            enroll_until: Some(NOW + 200),
            ..Terms::default()
        };
        let due = Terms { enroll_from: Some(NOW), enroll_until: Some(NOW + 1), ..Terms::default() };
        let over =
            Terms { enroll_from: Some(NOW - 9), enroll_until: Some(NOW), ..Terms::default() };
        let until = Terms { enroll_until: Some(NOW + 50), ..Terms::default() };
        let (none, some) = (None, Some(with_token(0)));
        let (waiting, hard) = (Some(with_token(5)), Some(with_token(100)));
        for (record, terms, grace, expected) in [
            (&some, &plain, false, Outcome::Prompt {}),
            (&some, &plain, true, Outcome::Granted {}),
            (&some, &exempt, false, Outcome::Exempt {}),
            (&some, &ended, false, Outcome::Prompt {}),
            (&some, &over, false, Outcome::Prompt {}),
            (&waiting, &plain, false, Outcome::Locked { seconds: Some(30) }),
            (&waiting, &plain, true, Outcome::Granted {}),
            (&hard, &plain, true, Outcome::Locked { seconds: None }),
            (&none, &plain, false, Outcome::NoToken { enroll_within: None }),
            (&none, &plain, true, Outcome::NoToken { enroll_within: None }),
            (&none, &exempt, false, Outcome::Exempt {}),
            (&none, &required, false, Outcome::Expired {}),
            (&none, &ahead, false, Outcome::NoToken { enroll_within: Some(100) }),
            (&none, &due, false, Outcome::NoToken { enroll_within: Some(0) }),
            (&none, &over, false, Outcome::Expired {}),
            (&none, &until, false, Outcome::NoToken { enroll_within: Some(50) }),
        ] {
            assert_eq!(
                outcome(record.as_ref(), terms, &RULES, "sshd", grace, NOW),
                expected,
                "{terms:?}"
            );
        }
    }

    #[test]
    fn a_bypass_code_has_its_user_asked_until_it_ends() {
        let bypass = Bypass { hash: Blob::new([]), until: NOW + 1, uses_left: 1, service: None };
        let record = Record { bypasses: vec![bypass], ..Record::default() };
        let at = |now| outcome(Some(&record), &Terms::default(), &RULES, "sshd", true, now);
        assert_eq!(at(NOW), Outcome::Prompt {});
        assert_eq!(at(NOW + 1), Outcome::NoToken { enroll_within: None });
    }

    #[test]
    fn enrolment_is_due_for_whom_it_is_for_and_from_when_it_is_due() {
        use Enrollment::{Admin, Invite, Oneself};
        let terms =
            |from, until| Terms { enroll_from: from, enroll_until: until, ..Terms::default() };
        let exempt = Terms { exempt_until: Some(NOW + 1), ..Terms::default() };
        let observed = Terms { observe: true, ..Terms::default() };
        let by_admin = Terms { enrollment: Some(Admin), ..Terms::default() };
        let token = with_token(0);
        for (record, terms, default, expected) in [
            (None, &Terms::default(), Oneself, Some(Oneself)),
            (None, &Terms::default(), Invite, Some(Invite)),
            (None, &Terms::default(), Admin, None),
            (None, &by_admin, Oneself, None),
            (Some(&token), &Terms::default(), Oneself, None),
            (None, &exempt, Oneself, None),
            (None, &observed, Oneself, None),
            (None, &terms(Some(NOW + 1), None), Oneself, None),
            (None, &terms(Some(NOW), None), Oneself, Some(Oneself)),
            (None, &terms(None, Some(NOW + 1)), Oneself, None),
            (None, &terms(None, Some(NOW)), Oneself, Some(Oneself)),
            (None, &terms(Some(NOW - 2), Some(NOW - 1)), Oneself, Some(Oneself)),
        ] {
            assert_eq!(enrollment(record, terms, default, NOW), expected, "{terms:?} {default:?}");
        }
    }

    #[test]
    fn the_old_token_that_was_used_last_is_rotated() {
        let day = 86_400;
        let record = Record {
            tokens: vec![
                token("new", NOW - 9 * day, Some(NOW)),
                token("old", NOW - 10 * day, Some(NOW - 5)),
                token("older", NOW - 20 * day, Some(NOW - 9)),
                token("unused", NOW - 30 * day, None),
            ],
            ..Record::default()
        };
        let due = |days| rotation(&record, days, NOW).map(|token| token.name.as_str());
        assert_eq!(due(0), None);
        assert_eq!(due(31), None);
        assert_eq!(due(25), Some("unused"));
        assert_eq!(due(10), Some("old"));
        assert_eq!(due(1), Some("new"));
        assert_eq!(due(u64::MAX), None);
    }
}
