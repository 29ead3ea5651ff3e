// SPDX-License-Identifier: GPL-3.0-or-later
//! The decision about one typed code.

use mfa_crypto::{Code, RecoveryCode, Secret};
use mfa_proto::Blob;
use mfa_proto::login::LastFailure;

use super::code::{self, Match};
use super::guard;
use super::lockout::{Lock, LockoutRules};
use super::near::{self, Nearby};
use super::record::{Factor, Lockout, Record, Token};
use super::recovery;

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
    /// 8 digits: a code, or a scratch code as its keyed hash. Nothing in the form tells which.
    CodeOrScratch(Code, Blob),
    /// A recovery or bypass code, as its keyed hash.
    Recovery(Blob),
    /// Neither; it cannot be right.
    Neither,
}

/// What is decided. Only [`Decision::Accepted`] ever logs somebody in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The code is right and is now spent.
    Accepted(Success),
    /// Right once, but spent.
    Replayed,
    /// Not right.
    Wrong {
        /// It would be right for a clock that is so many seconds ahead (positive) or behind.
        clock_offset: Option<i64>,
    },
    /// Not even of a code's form; not counted.
    NotACode,
    /// Not evaluated.
    Locked(Lock),
    /// Refused and not counted: the last accepted step of every token lies in the future, so the
    /// clock was set back and no code can be right; or the token waits for an administrator, since an
    /// older database was put back.
    ClockBehind,
    /// The only token moves by a counter, and which of its codes were used is not known since the
    /// database was put back.
    Held,
}

/// What a success says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Success {
    /// What opened the login.
    pub by: By,
    /// Wrong codes since the last success.
    pub failures: u32,
    /// The last of them.
    pub last_failure: Option<LastFailure>,
    /// Seconds that the token's clock is ahead (positive) or behind (negative), where that is two
    /// steps or more.
    pub clock_offset: Option<i64>,
    /// It took the second of two codes in a row.
    pub resynchronised: bool,
}

/// What opened a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// The token of this name.
    Token(String),
    /// A recovery code.
    Recovery,
    /// A bypass code of an administrator's.
    Bypass,
}

/// When and from where a code was typed.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// Unix seconds.
    pub now: u64,
    /// `PAM_SERVICE`.
    pub service: &'a str,
    /// `PAM_RHOST`.
    pub rhost: Option<&'a str>,
}

/// Reads what was typed. `hash` is the keyed hash of a recovery code, `hash_scratch` of a scratch code.
pub fn read(
    typed: &str,
    hash: impl FnOnce(&RecoveryCode) -> [u8; 32],
    hash_scratch: impl FnOnce(&Code) -> [u8; 32],
) -> Typed {
    if let Some(code) = Code::parse(typed) {
        if !code.may_be_scratch() {
            return Typed::Code(code);
        }
        let hash = Blob::new(hash_scratch(&code));
        return Typed::CodeOrScratch(code, hash);
    }
    match RecoveryCode::parse(typed) {
        Ok(code) => Typed::Recovery(Blob::new(hash(&code))),
        Err(_) => Typed::Neither,
    }
}

/// Decides about `typed` and changes the record to what must be stored before the decision is told.
/// `secret` opens a token's secret; a token that does not open is as if it were not there.
pub fn decide(
    record: &mut Record,
    typed: &Typed,
    attempt: &Attempt<'_>,
    rules: &LoginRules,
    mut secret: impl FnMut(&Token) -> Option<Secret>,
) -> Decision {
    let now = attempt.now;
    match record.lockout.lock_at(now, &rules.lockout) {
        Lock::Open => {}
        lock => return Decision::Locked(lock),
    }
    let decision = match typed {
        Typed::Neither => Decision::NotACode,
        Typed::Code(code) => decide_code(record, code, attempt, rules, &mut secret),
        Typed::CodeOrScratch(code, hash) => {
            let lockout = record.lockout.clone();
            let by_token = decide_code(record, code, attempt, rules, &mut secret);
            recovery::decide_scratch(record, hash, by_token, lockout)
        }
        Typed::Recovery(hash) => recovery::decide(record, hash, attempt),
    };
    match decision {
        Decision::Accepted(_) | Decision::Replayed | Decision::Wrong { .. } => {
            record.bypasses.retain(|bypass| now < bypass.until);
        }
        // Nothing is written for these.
        Decision::NotACode | Decision::Locked(_) | Decision::ClockBehind | Decision::Held => {}
    }
    decision
}

/// Every token is tried, all steps of its window, without early exit; what lies outside is looked at unless the
/// token's window has it. So all that is refused takes the same time, and what opens a login says so itself.
fn decide_code(
    record: &mut Record,
    typed: &Code,
    attempt: &Attempt<'_>,
    rules: &LoginRules,
    secret: &mut impl FnMut(&Token) -> Option<Secret>,
) -> Decision {
    let now = attempt.now;
    let mut spent = false;
    // Whether no token at all can be guessed now. One that still can keeps the count going.
    let (mut all_behind, mut held, mut behind) = (!record.tokens.is_empty(), false, false);
    let mut opened = None;
    let mut firsts = Vec::new();
    for (at, token) in record.tokens.iter().enumerate() {
        let Some(secret) = secret(token) else {
            all_behind = false;
            continue;
        };
        // Its used counters are not known, so no code of it can be right, and none is a guess.
        if guard::holds(record, token) {
            held = true;
            continue;
        }
        let is_behind = code::clock_is_behind(token, now, rules.skew);
        all_behind &= is_behind;
        behind |= is_behind;
        let codes = code::codes(token, &secret);
        match code::look(token, &codes, typed, now, rules.skew) {
            Match::None => {}
            Match::Spent => spent = true,
            Match::Fresh(factor) => {
                opened = opened.or(Some((at, factor, false)));
                continue;
            }
        }
        match near::look(token, &codes, typed, now, rules.skew) {
            Nearby::None => {}
            Nearby::First { near, clock_offset } => firsts.push((at, near, clock_offset)),
            Nearby::Second(factor) => opened = opened.or(Some((at, factor, true))),
        }
    }
    if opened.is_none() && all_behind {
        return if held && !behind { Decision::Held } else { Decision::ClockBehind };
    }
    record.tokens.iter_mut().for_each(near::break_row);
    let opened =
        opened.and_then(|(at, factor, again)| Some((record.tokens.get_mut(at)?, factor, again)));
    if let Some((token, factor, resynchronised)) = opened {
        token.factor = factor;
        token.last_used = Some(now);
        near::forget_passed(token);
        let by = By::Token(token.name.clone());
        let clock_offset = drifted(factor);
        let success = success(by, &record.lockout);
        record.lockout.reset();
        return Decision::Accepted(Success { clock_offset, resynchronised, ..success });
    }
    let mut hint = None;
    for (at, near, clock_offset) in firsts {
        if let Some(token) = record.tokens.get_mut(at) {
            token.near = Some(near);
            hint = hint.or(clock_offset);
        }
    }
    count_failure(record, attempt);
    if spent { Decision::Replayed } else { Decision::Wrong { clock_offset: hint } }
}

/// Counts a wrong code, with the host that it came from, or the service where there is none.
pub(super) fn count_failure(record: &mut Record, attempt: &Attempt<'_>) {
    let rhost = attempt.rhost.filter(|rhost| !rhost.is_empty());
    let from = rhost.or(Some(attempt.service)).filter(|from| !from.is_empty());
    record.lockout.count_failure(attempt.now, from);
}

/// Seconds that a clock is off, where it is so by two steps or more.
fn drifted(factor: Factor) -> Option<i64> {
    match factor {
        Factor::Totp { period, drift, .. } if drift.unsigned_abs() >= 2 => {
            i64::try_from(period.get()).ok()?.checked_mul(i64::from(drift))
        }
        Factor::Totp { .. } | Factor::Hotp { .. } => None,
    }
}

pub(super) fn success(by: By, lockout: &Lockout) -> Success {
    Success {
        by,
        failures: lockout.failures,
        last_failure: lockout.last(),
        clock_offset: None,
        resynchronised: false,
    }
}

#[cfg(test)]
mod tests {
    use mfa_crypto::{Algorithm, Digits, Period, hotp};

    use super::*;
    use crate::policy::record::Factor;

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
    fn token(name: &str) -> Token {
        Token {
            name: name.into(),
            factor: Factor::Totp { period: Period::default(), last_step: None, drift: 0 },
            algorithm: Algorithm::Sha1,
            digits: Digits::default(),
            sealed: Blob::new(format!("secret of the token {name}")),
            created: 0,
            last_used: None,
            near: None,
        }
    }

    fn record() -> Record {
        Record {
            tokens: vec![token("phone"), token("key")],
            recovery: vec![Blob::new([1; 32]), Blob::new([2; 32])],
            ..Record::default()
        }
    }

    fn code_of(name: &str, now: u64) -> Typed {
        let secret = Secret::new(format!("secret of the token {name}").into_bytes());
        Typed::Code(hotp(&secret, Algorithm::Sha1, Digits::default(), now / 30))
    }

    fn decide(record: &mut Record, typed: &Typed, now: u64) -> Decision {
        super::decide(record, typed, &attempt(now), &RULES, secret_of)
    }

    fn attempt(now: u64) -> Attempt<'static> {
        Attempt { now, service: "sshd", rhost: Some("192.0.2.1") }
    }

    /// What opened the login and how many wrong codes came before.
    fn opened(decision: Decision) -> Option<(By, u32)> {
        match decision {
            Decision::Accepted(success) => Some((success.by, success.failures)),
            _ => None,
        }
    }

    fn by_token(name: &str, failures: u32) -> Option<(By, u32)> {
        Some((By::Token(name.to_owned()), failures))
    }

    const WRONG: Decision = Decision::Wrong { clock_offset: None };

    #[test]
    fn one_code_is_accepted_once_and_spends_its_own_token_only() {
        let mut record = record();
        assert_eq!(opened(decide(&mut record, &code_of("phone", NOW), NOW)), by_token("phone", 0));
        assert_eq!(record.tokens[0].last_used, Some(NOW));
        assert_eq!(decide(&mut record, &code_of("phone", NOW), NOW), Decision::Replayed);
        assert_eq!(decide(&mut record, &code_of("phone", NOW - 30), NOW), Decision::Replayed);
        assert_eq!(opened(decide(&mut record, &code_of("key", NOW), NOW)), by_token("key", 2));
        let next = decide(&mut record, &code_of("phone", NOW + 30), NOW + 30);
        assert_eq!(opened(next), by_token("phone", 0));
    }

    #[test]
    fn a_secret_that_does_not_open_is_as_if_the_token_were_not_there() {
        let mut record = record();
        let typed = code_of("phone", NOW);
        let broken = super::decide(&mut record, &typed, &attempt(NOW), &RULES, |_| None);
        assert_eq!(broken, WRONG);
        assert_eq!(opened(decide(&mut record, &typed, NOW)), by_token("phone", 1));
    }

    #[test]
    fn while_locked_a_right_code_is_not_evaluated_and_not_spent() {
        let mut record = record();
        for _ in 0..5 {
            assert_eq!(decide(&mut record, &code_of("none", NOW), NOW), WRONG);
        }
        let locked = decide(&mut record, &code_of("phone", NOW), NOW);
        assert_eq!(locked, Decision::Locked(Lock::Wait(30)));
        assert_eq!(record.lockout.failures, 5);
        let later = NOW + 30;
        let typed = code_of("phone", later);
        assert_eq!(opened(decide(&mut record, &typed, later)), by_token("phone", 5));
        assert_eq!(record.lockout.failures, 0);
    }

    #[test]
    fn what_is_no_code_is_refused_and_not_counted() {
        let mut record = record();
        for typed in ["", "12345", "123456789", "12345a", "+12345", "１２３４５６", "123456\n"]
        {
            let read = super::read(typed, |_| [0; 32], |_| [1; 32]);
            assert!(matches!(read, Typed::Neither), "{typed:?}");
            assert_eq!(decide(&mut record, &read, NOW), Decision::NotACode, "{typed:?}");
        }
        assert_eq!(record.lockout.failures, 0);
        let spaced = super::read(" 123 456", |_| [0; 32], |_| [1; 32]);
        assert!(matches!(spaced, Typed::Code(_)));
    }

    #[test]
    fn a_recovery_code_works_once_and_does_not_reset_the_count() {
        let mut record = record();
        let typed = Typed::Recovery(Blob::new([1; 32]));
        record.lockout.count_failure(NOW, None);
        assert_eq!(opened(decide(&mut record, &typed, NOW)), Some((By::Recovery, 1)));
        assert_eq!(record.recovery.len(), 1);
        assert_eq!(decide(&mut record, &typed, NOW), WRONG);
        assert_eq!(record.lockout.failures, 2);
    }

    #[test]
    fn after_the_clock_was_set_back_every_old_code_is_refused_uncounted() {
        let mut record = record();
        record.tokens.truncate(1);
        assert_eq!(opened(decide(&mut record, &code_of("phone", NOW), NOW)), by_token("phone", 0));
        let earlier = NOW - 86_400;
        let typed = code_of("phone", earlier);
        assert_eq!(decide(&mut record, &typed, earlier), Decision::ClockBehind);
        assert_eq!(record.lockout.failures, 0);
    }

    #[test]
    fn a_token_ahead_of_the_clock_does_not_keep_guesses_at_another_from_being_counted() {
        let mut record = record();
        assert_eq!(opened(decide(&mut record, &code_of("phone", NOW), NOW)), by_token("phone", 0));
        let earlier = NOW - 86_400;
        for _ in 0..5 {
            assert_eq!(decide(&mut record, &code_of("none", earlier), earlier), WRONG);
        }
        let typed = code_of("key", earlier);
        assert_eq!(decide(&mut record, &typed, earlier), Decision::Locked(Lock::Wait(30)));
        let later = earlier + 30;
        let typed = code_of("key", later);
        assert_eq!(opened(decide(&mut record, &typed, later)), by_token("key", 5));
    }

    #[test]
    fn a_recovery_code_of_an_account_without_a_token_opens_nothing() {
        let typed = Typed::Recovery(Blob::new([1; 32]));
        let mut without = Record { tokens: Vec::new(), ..record() };
        assert_eq!(decide(&mut without, &typed, NOW), WRONG);
        assert_eq!(without.recovery.len(), 2);
        assert_eq!(opened(decide(&mut record(), &typed, NOW)), Some((By::Recovery, 0)));
    }

    #[test]
    fn a_success_tells_of_the_last_wrong_code_and_only_a_token_makes_it_forgotten() {
        let mut record = record();
        let wrong = code_of("none", NOW);
        let at = |now, service, rhost| Attempt { now, service, rhost };
        let last = |decision| match decision {
            Decision::Accepted(Success { failures, last_failure, .. }) => (failures, last_failure),
            _ => (0, None),
        };
        let failure = |at, from: &str| Some(LastFailure { at, from: Some(from.to_owned()) });
        for attempt in [at(NOW, "sshd", Some("192.0.2.7")), at(NOW + 1, "su", Some(""))] {
            super::decide(&mut record, &wrong, &attempt, &RULES, secret_of);
        }
        let recovery = Typed::Recovery(Blob::new([2; 32]));
        let by_recovery = decide(&mut record, &recovery, NOW + 2);
        assert_eq!(last(by_recovery), (2, failure(NOW + 1, "su")));
        let host = at(NOW + 3, "sshd", Some("192.0.2.8"));
        super::decide(&mut record, &wrong, &host, &RULES, secret_of);
        let first = decide(&mut record, &code_of("phone", NOW + 4), NOW + 4);
        assert_eq!(last(first), (3, failure(NOW + 3, "192.0.2.8")));
        let second = decide(&mut record, &code_of("phone", NOW + 34), NOW + 34);
        assert!(opened(second.clone()).is_some());
        assert_eq!(last(second), (0, None));
    }
}
