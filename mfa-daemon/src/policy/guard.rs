// SPDX-License-Identifier: GPL-3.0-or-later
//! What an older database may still say after it was put back: nothing that may be spent. Its records
//! do not know which codes were used since, so every code that may have been is taken for used.
//!
//! A record passes the guard when it is next read, not before: a million users need no sweep.

use mfa_crypto::step;
use serde::{Deserialize, Serialize};

use super::near;
use super::record::{Factor, Record, Token};

/// What was decided when the database was put back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    /// Counts these decisions; 0 where there was none.
    pub number: u32,
    /// The last second, in Unix time, of which a code may have been used.
    pub until: u64,
    /// Steps that were accepted before and after the current one.
    pub skew: u64,
}

/// A token by counter whose used counters are not known: it opens nothing until an administrator says so.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// The token's name,
    pub name: String,
    /// and when it was made: one that took its place is not held.
    pub created: u64,
}

/// Makes void in a record what may have been used. A record that has passed stays as it is.
pub fn pass(record: &mut Record, guard: &Guard) {
    if record.guard >= guard.number {
        return;
    }
    record.guard = guard.number;
    record.recovery.clear();
    record.bypasses.clear();
    record.invite = None;
    for token in &mut record.tokens {
        near::break_row(token);
        match &mut token.factor {
            Factor::Totp { period, last_step, drift } => {
                let ahead = u64::try_from(*drift).unwrap_or(0).saturating_add(guard.skew);
                let spent = step(guard.until, *period).saturating_add(ahead);
                *last_step = Some(last_step.unwrap_or(0).max(spent));
            }
            Factor::Hotp { .. } => {
                let held = Held { name: token.name.clone(), created: token.created };
                if !record.held.contains(&held) {
                    record.held.push(held);
                }
            }
        }
    }
}

/// Whether the token waits for an administrator.
#[must_use]
pub fn holds(record: &Record, token: &Token) -> bool {
    record.held.iter().any(|held| held.name == token.name && held.created == token.created)
}

/// The last second that belongs to a step which a code of this record was accepted for. 0 where none is
/// known: a step that another system has told of may be anything.
#[must_use]
pub fn spent_until(record: &Record) -> u64 {
    let spent = |token: &Token| match (token.factor, token.last_used) {
        (Factor::Totp { period, last_step: Some(last), .. }, Some(used)) => {
            let end = last.saturating_add(1).saturating_mul(period.get()).saturating_sub(1);
            // No step further ahead was ever accepted.
            let furthest = near::STEPS + Record::MAX_DRIFT.unsigned_abs() as u64 + 1;
            end.min(used.saturating_add(furthest * period.get()))
        }
        _ => 0,
    };
    record.tokens.iter().map(spent).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use mfa_crypto::{Algorithm, Digits, Period};
    use mfa_proto::Blob;

    use super::*;
    use crate::policy::record::{Bypass, Invite, Near};

    const NOW: u64 = 1_800_000_000;
    const STEP: u64 = NOW / 30;
    const GUARD: Guard = Guard { number: 1, until: NOW, skew: 1 };

    fn token(name: &str, factor: Factor) -> Token {
        Token {
            name: name.into(),
            factor,
            algorithm: Algorithm::Sha1,
            digits: Digits::default(),
            sealed: Blob::new([]),
            created: 7,
            last_used: None,
            near: None,
        }
    }

    fn totp(last_step: Option<u64>, drift: i8) -> Factor {
        Factor::Totp { period: Period::default(), last_step, drift }
    }

    fn of(tokens: Vec<Token>) -> Record {
        Record { tokens, ..Record::default() }
    }

    #[test]
    fn steps_are_spent_up_to_the_moment_and_the_skew() {
        for (last, drift, skew, spent) in [
            (None, 0, 1, STEP + 1),
            (Some(STEP - 90), 0, 1, STEP + 1),
            (Some(STEP - 90), 0, 0, STEP),
            (Some(STEP - 90), 2, 1, STEP + 3),
            (Some(STEP - 90), -2, 1, STEP + 1),
            (Some(STEP + 40), 0, 1, STEP + 40),
        ] {
            let mut record = of(vec![token("phone", totp(last, drift))]);
            pass(&mut record, &Guard { skew, ..GUARD });
            let found = record.tokens.first().map(|token| token.factor);
            assert_eq!(found, Some(totp(Some(spent), drift)), "{last:?} {drift} {skew}");
        }
    }

    #[test]
    fn codes_that_may_be_used_are_void_and_counters_wait_for_an_administrator() {
        let key = token("key", Factor::Hotp { counter: 3 });
        let mut record = Record {
            recovery: vec![Blob::new([1; 32])],
            bypasses: vec![Bypass {
                hash: Blob::new([2; 32]),
                until: NOW + 60,
                uses_left: 1,
                service: None,
            }],
            invite: Some(Invite { hash: Blob::new([3; 32]), until: NOW + 60 }),
            ..of(vec![key.clone()])
        };
        assert!(!holds(&record, &key));
        pass(&mut record, &GUARD);
        assert!(
            record.recovery.is_empty() && record.bypasses.is_empty() && record.invite.is_none()
        );
        assert!(holds(&record, &key));
        assert!(!holds(&record, &Token { created: 8, ..key }), "it was enrolled anew");
    }

    #[test]
    fn a_record_passes_a_guard_once_and_a_later_one_again() {
        let mut record = of(vec![token("phone", totp(None, 0))]);
        pass(&mut record, &Guard::default());
        assert_eq!(record, of(vec![token("phone", totp(None, 0))]));
        pass(&mut record, &GUARD);
        record.recovery = vec![Blob::new([1; 32])];
        let issued = record.clone();
        pass(&mut record, &GUARD);
        assert_eq!(record, issued);
        pass(&mut record, &Guard { number: 2, until: NOW + 300, skew: 1 });
        assert!(record.recovery.is_empty());
        assert_eq!(record.tokens.first().map(|t| t.factor), Some(totp(Some(STEP + 11), 0)));
    }

    #[test]
    fn the_first_of_two_codes_in_a_row_is_forgotten_and_what_is_barred_stays_so() {
        let near = |seen| Some(Near { at: STEP + 5, seen, barred: vec![STEP + 4] });
        let mut record = of(vec![Token { near: near(Some(NOW)), ..token("phone", totp(None, 0)) }]);
        pass(&mut record, &GUARD);
        assert_eq!(record.tokens.first().and_then(|token| token.near.clone()), near(None));
    }

    #[test]
    fn what_is_spent_reaches_to_the_end_of_the_last_step_and_never_into_nowhere() {
        let used = |last, used| Token { last_used: used, ..token("phone", totp(Some(last), 0)) };
        for (token, until) in [
            (used(STEP, Some(NOW)), STEP * 30 + 29),
            (used(STEP + 10, Some(NOW)), STEP * 30 + 329),
            (used(1 << 53, Some(NOW)), NOW + 21 * 30),
            (used(STEP, None), 0),
            (token("key", Factor::Hotp { counter: 3 }), 0),
        ] {
            assert_eq!(spent_until(&of(vec![token.clone()])), until, "{token:?}");
        }
    }
}
