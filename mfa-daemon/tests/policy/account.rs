// SPDX-License-Identifier: GPL-3.0-or-later
//! An account whose "sealed" secrets are the secrets themselves.

use mfa_crypto::{Algorithm, Digits, Period, Secret, hotp};
use mfa_daemon::policy::lockout::LockoutRules;
use mfa_daemon::policy::login::{Attempt, Decision, LoginRules, Typed, decide};
use mfa_daemon::policy::record::{Factor, Record, Token};
use mfa_proto::Blob;

pub(crate) const NOW: u64 = 1_800_000_000;

pub(crate) const RULES: LoginRules = LoginRules {
    skew: 1,
    lockout: LockoutRules { free_attempts: 5, base_seconds: 30, max_seconds: 900, hard_limit: 100 },
};

/// With locks out of the way.
pub(crate) const PATIENT: LoginRules = LoginRules {
    skew: 1,
    lockout: LockoutRules {
        free_attempts: u64::MAX,
        base_seconds: 1,
        max_seconds: 1,
        hard_limit: u64::MAX,
    },
};

pub(crate) fn token(name: &str, factor: Factor) -> Token {
    Token {
        name: name.into(),
        factor,
        algorithm: Algorithm::Sha1,
        digits: Digits::default(),
        sealed: Blob::new(format!("the secret of {name}")),
        created: 0,
        last_used: None,
        near: None,
    }
}

pub(crate) fn totp(name: &str) -> Token {
    token(name, Factor::Totp { period: Period::default(), last_step: None, drift: 0 })
}

pub(crate) fn account(tokens: impl Into<Vec<Token>>) -> Record {
    Record { tokens: tokens.into(), ..Record::default() }
}

/// The code of a token at a step or counter.
pub(crate) fn code(token: &Token, at: u64) -> Typed {
    let secret = Secret::new(token.sealed.as_bytes().to_vec());
    Typed::Code(hotp(&secret, token.algorithm, token.digits, at))
}

/// A code that is none of the account's anywhere near `now`.
pub(crate) fn wrong(now: u64) -> Typed {
    code(&totp("nobody's"), now / 30)
}

pub(crate) fn login(record: &mut Record, typed: &Typed, now: u64, rules: &LoginRules) -> Decision {
    let attempt = Attempt { now, service: "sshd", rhost: Some("192.0.2.1") };
    decide(record, typed, &attempt, rules, |token| {
        Some(Secret::new(token.sealed.as_bytes().to_vec()))
    })
}
