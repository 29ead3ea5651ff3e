// SPDX-License-Identifier: GPL-3.0-or-later
//! The decision about one typed code.

use mfa_crypto::{Code, RecoveryCode, Secret};
use mfa_proto::Blob;

use super::code::{self, Match};
use super::lockout::{Lock, LockoutRules};
use super::record::{Record, Token};

/// The configured figures that a decision needs.
#[derive(Clone, Copy, Debug)]
pub struct LoginRules {
    /// Steps accepted before and after the current one.
    pub skew: u64,
    /// What wrong codes lead to.
    pub lockout: LockoutRules,
}

/// What a user typed, as far as its form tells.
pub enum Typed {
    /// 6 to 8 digits.
    Code(Code),
    /// A recovery code, as its keyed hash.
    Recovery(Blob),
    /// Neither; it cannot be right.
    Neither,
}

/// What is decided. Only [`Decision::Accepted`] ever logs somebody in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The code is right and is now spent.
    Accepted {
        /// The token's name; absent where it was a recovery code.
        token: Option<String>,
        /// Wrong codes since the last success.
        failures: u32,
    },
    /// Right once, but spent.
    Replayed,
    /// Not right.
    Wrong,
    /// Not even of a code's form; not counted.
    NotACode,
    /// Not evaluated.
    Locked(Lock),
    /// Refused and not counted: the last accepted step of every token lies in the future, so the
    /// clock was set back and no code can be right.
    ClockBehind,
}

/// Reads what was typed. `hash` is the keyed hash of a recovery code.
pub fn read(typed: &str, hash: impl FnOnce(&RecoveryCode) -> [u8; 32]) -> Typed {
    if let Some(code) = Code::parse(typed) {
        return Typed::Code(code);
    }
    match RecoveryCode::parse(typed) {
        Ok(code) => Typed::Recovery(Blob::new(hash(&code))),
        Err(_) => Typed::Neither,
    }
}

/// Decides about `typed` at `now` (Unix seconds) and changes the record to what must be stored
/// before the decision is told. `secret` opens a token's secret; a token that does not open is as
/// if it were not there.
pub fn decide(
    record: &mut Record,
    typed: &Typed,
    now: u64,
    rules: &LoginRules,
    mut secret: impl FnMut(&Token) -> Option<Secret>,
) -> Decision {
    match record.lockout.lock_at(now, &rules.lockout) {
        Lock::Open => {}
        lock => return Decision::Locked(lock),
    }
    match typed {
        Typed::Neither => Decision::NotACode,
        Typed::Code(code) => decide_code(record, code, now, rules, &mut secret),
        Typed::Recovery(hash) => decide_recovery(record, hash, now),
    }
}

/// Every active token is tried, without early exit.
fn decide_code(
    record: &mut Record,
    typed: &Code,
    now: u64,
    rules: &LoginRules,
    secret: &mut impl FnMut(&Token) -> Option<Secret>,
) -> Decision {
    let mut spent = false;
    // Whether no token at all can be guessed now. One that still can keeps the count going.
    let mut all_behind = record.has_active_token();
    let mut opened = None;
    for (at, token) in record.tokens.iter().enumerate().filter(|(_, token)| token.is_active()) {
        let Some(secret) = secret(token) else {
            all_behind = false;
            continue;
        };
        all_behind &= code::clock_is_behind(token, now, rules.skew);
        match code::look(token, &secret, typed, now, rules.skew) {
            Match::None => {}
            Match::Spent => spent = true,
            Match::Fresh(factor) => opened = opened.or(Some((at, factor))),
        }
    }
    let token = opened.and_then(|(at, factor)| Some((record.tokens.get_mut(at)?, factor)));
    if let Some((token, factor)) = token {
        token.factor = factor;
        token.last_used = Some(now);
        let token = Some(token.name.clone());
        return Decision::Accepted { token, failures: record.lockout.reset() };
    }
    if all_behind {
        return Decision::ClockBehind;
    }
    record.lockout.count_failure(now);
    if spent { Decision::Replayed } else { Decision::Wrong }
}

/// A recovery code is removed by the decision that accepts it. It leaves the count of wrong codes
/// as it is: only a success of the account's own token resets that.
fn decide_recovery(record: &mut Record, hash: &Blob, now: u64) -> Decision {
    match record.recovery.iter().position(|stored| stored == hash) {
        Some(at) if record.has_active_token() => {
            record.recovery.remove(at);
            Decision::Accepted { token: None, failures: record.lockout.failures }
        }
        _ => {
            record.lockout.count_failure(now);
            Decision::Wrong
        }
    }
}

#[cfg(test)]
mod tests {
    use mfa_crypto::{Algorithm, Digits, Period, hotp};

    use super::*;
    use crate::policy::record::{Factor, State};

    const RULES: LoginRules = LoginRules {
        skew: 1,
        lockout: LockoutRules {
            free_attempts: 5,
            base_seconds: 30,
            max_seconds: 900,
            hard_limit: 100,
        },
    };
    const NOW: u64 = 1_800_000_000;

    fn secret_of(token: &Token) -> Option<Secret> {
        Some(Secret::new(token.sealed.as_bytes().to_vec()))
    }

    /// In these tests "sealed" is the secret itself.
    fn token(name: &str, state: State) -> Token {
        Token {
            name: name.into(),
            state,
            factor: Factor::Totp { period: Period::default(), last_step: None, drift: 0 },
            algorithm: Algorithm::Sha1,
            digits: Digits::default(),
            sealed: Blob::new(format!("secret of the token {name}")),
            created: 0,
            last_used: None,
        }
    }

    fn record() -> Record {
        Record {
            tokens: vec![token("phone", State::Active), token("key", State::Active)],
            recovery: vec![Blob::new([1; 32]), Blob::new([2; 32])],
            ..Record::default()
        }
    }

    fn code_of(name: &str, now: u64) -> Typed {
        let secret = Secret::new(format!("secret of the token {name}").into_bytes());
        Typed::Code(hotp(&secret, Algorithm::Sha1, Digits::default(), now / 30))
    }

    fn decide(record: &mut Record, typed: &Typed, now: u64) -> Decision {
        super::decide(record, typed, now, &RULES, secret_of)
    }

    fn accepted(token: Option<&str>, failures: u32) -> Decision {
        Decision::Accepted { token: token.map(str::to_owned), failures }
    }

    #[test]
    fn one_code_is_accepted_once_and_spends_its_own_token_only() {
        let mut record = record();
        assert_eq!(decide(&mut record, &code_of("phone", NOW), NOW), accepted(Some("phone"), 0));
        assert_eq!(record.tokens[0].last_used, Some(NOW));
        assert_eq!(decide(&mut record, &code_of("phone", NOW), NOW), Decision::Replayed);
        assert_eq!(decide(&mut record, &code_of("phone", NOW - 30), NOW), Decision::Replayed);
        assert_eq!(decide(&mut record, &code_of("key", NOW), NOW), accepted(Some("key"), 2));
        let next = decide(&mut record, &code_of("phone", NOW + 30), NOW + 30);
        assert_eq!(next, accepted(Some("phone"), 0));
    }

    #[test]
    fn a_pending_token_opens_nothing_until_it_is_active() {
        let mut record = record();
        record.tokens[0].state = State::Pending { tries_left: 5 };
        assert_eq!(decide(&mut record, &code_of("phone", NOW), NOW), Decision::Wrong);
        record.tokens[0].state = State::Active;
        assert_eq!(decide(&mut record, &code_of("phone", NOW), NOW), accepted(Some("phone"), 1));
    }

    #[test]
    fn a_secret_that_does_not_open_is_as_if_the_token_were_not_there() {
        let mut record = record();
        let typed = code_of("phone", NOW);
        let broken = super::decide(&mut record, &typed, NOW, &RULES, |_| None);
        assert_eq!(broken, Decision::Wrong);
        assert_eq!(decide(&mut record, &typed, NOW), accepted(Some("phone"), 1));
    }

    #[test]
    fn while_locked_a_right_code_is_not_evaluated_and_not_spent() {
        let mut record = record();
        for _ in 0..5 {
            assert_eq!(decide(&mut record, &code_of("none", NOW), NOW), Decision::Wrong);
        }
        let locked = decide(&mut record, &code_of("phone", NOW), NOW);
        assert_eq!(locked, Decision::Locked(Lock::Wait(30)));
        assert_eq!(record.lockout.failures, 5);
        let later = NOW + 30;
        assert_eq!(
            decide(&mut record, &code_of("phone", later), later),
            accepted(Some("phone"), 5)
        );
        assert_eq!(record.lockout.failures, 0);
    }

    #[test]
    fn what_is_no_code_is_refused_and_not_counted() {
        let mut record = record();
        for typed in ["", "12345", "123456789", "12345a", "+12345", "１２３４５６", "123456\n"]
        {
            let read = super::read(typed, |_| [0; 32]);
            assert!(matches!(read, Typed::Neither), "{typed:?}");
            assert_eq!(decide(&mut record, &read, NOW), Decision::NotACode, "{typed:?}");
        }
        assert_eq!(record.lockout.failures, 0);
        let spaced = super::read(" 123 456", |_| [0; 32]);
        assert!(matches!(spaced, Typed::Code(_)));
    }

    #[test]
    fn a_recovery_code_works_once_and_does_not_reset_the_count() {
        let mut record = record();
        let typed = Typed::Recovery(Blob::new([1; 32]));
        record.lockout.count_failure(NOW);
        assert_eq!(decide(&mut record, &typed, NOW), accepted(None, 1));
        assert_eq!(record.recovery.len(), 1);
        assert_eq!(decide(&mut record, &typed, NOW), Decision::Wrong);
        assert_eq!(record.lockout.failures, 2);
    }

    #[test]
    fn after_the_clock_was_set_back_every_old_code_is_refused_uncounted() {
        let mut record = record();
        record.tokens.truncate(1);
        assert_eq!(decide(&mut record, &code_of("phone", NOW), NOW), accepted(Some("phone"), 0));
        let earlier = NOW - 86_400;
        let typed = code_of("phone", earlier);
        assert_eq!(decide(&mut record, &typed, earlier), Decision::ClockBehind);
        assert_eq!(record.lockout.failures, 0);
    }

    #[test]
    fn a_token_ahead_of_the_clock_does_not_keep_guesses_at_another_from_being_counted() {
        let mut record = record();
        assert_eq!(decide(&mut record, &code_of("phone", NOW), NOW), accepted(Some("phone"), 0));
        let earlier = NOW - 86_400;
        for _ in 0..5 {
            assert_eq!(decide(&mut record, &code_of("none", earlier), earlier), Decision::Wrong);
        }
        let typed = code_of("key", earlier);
        assert_eq!(decide(&mut record, &typed, earlier), Decision::Locked(Lock::Wait(30)));
        let later = earlier + 30;
        let typed = code_of("key", later);
        assert_eq!(decide(&mut record, &typed, later), accepted(Some("key"), 5));
    }
}
