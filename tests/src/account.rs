// SPDX-License-Identifier: GPL-3.0-or-later
//! Accounts with tokens whose secrets the tests know, and the codes of those tokens.

use std::time::{SystemTime, UNIX_EPOCH};

use mfa_crypto::{Algorithm, Digits, Period, Secret, base32_decode, hotp, step};
use mfa_proto::transfer::{ImportedMoving, ImportedToken};
use mfa_proto::{Blob, UserName};

/// Somebody with one token.
#[derive(Clone, Debug)]
pub struct Account {
    /// The name.
    pub name: String,
    secret: Vec<u8>,
    moves: Moves,
}

/// What a token's codes move with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Moves {
    WithTime,
    WithUse,
}

impl Account {
    /// A token of RFC 6238 with the usual parameters.
    #[must_use]
    pub fn totp(name: &str) -> Self {
        Self { name: name.to_owned(), secret: secret_of(name), moves: Moves::WithTime }
    }

    /// A token of RFC 4226 that has made no code yet: for many logins without waiting.
    #[must_use]
    pub fn hotp(name: &str) -> Self {
        Self { name: name.to_owned(), secret: secret_of(name), moves: Moves::WithUse }
    }

    /// A token whose base32 text somebody was shown.
    #[must_use]
    pub fn shown(name: &str, base32: &str) -> Self {
        let secret = base32_decode(base32).expect("base32").expose().to_vec();
        Self { name: name.to_owned(), secret, moves: Moves::WithTime }
    }

    /// The token's secret.
    #[must_use]
    pub fn secret(&self) -> &[u8] {
        &self.secret
    }

    /// The code of the step that is so many away from the present one.
    #[must_use]
    pub fn code_in(&self, steps: u64) -> String {
        self.code(step_now() + steps)
    }

    /// The code of `counter`, or of that step.
    #[must_use]
    pub fn code(&self, counter: u64) -> String {
        let secret = Secret::new(self.secret.clone());
        hotp(&secret, Algorithm::Sha1, Digits::default(), counter).as_str().to_owned()
    }

    /// The code that an authenticator shows now. It is good for the whole next step as well, so no
    /// test depends on when in a step it runs.
    #[must_use]
    pub fn code_now(&self) -> String {
        self.code(step_now())
    }

    /// The code of the next step, which is accepted already: a second login without waiting.
    #[must_use]
    pub fn next_code(&self) -> String {
        self.code(step_now() + 1)
    }

    /// A code that is not one of this token, now or soon.
    #[must_use]
    pub fn wrong_code(&self) -> String {
        let now = step_now();
        let good: Vec<_> = (now - 5..now + 10).chain(0..100).map(|n| self.code(n)).collect();
        (0..).map(|n| format!("{n:06}")).find(|code| !good.contains(code)).unwrap_or_default()
    }

    /// As an import brings it.
    #[must_use]
    pub fn as_import(&self) -> ImportedToken {
        ImportedToken {
            user: UserName::new(&self.name).expect("a name"),
            name: None,
            secret: Blob::new(self.secret.clone()),
            algorithm: "SHA1".to_owned(),
            digits: 6,
            moving: match self.moves {
                Moves::WithTime => ImportedMoving::Totp { period: 30, last_step: None, drift: 0 },
                Moves::WithUse => ImportedMoving::Hotp { counter: 0 },
            },
            created: None,
            last_used: None,
            barred: Vec::new(),
        }
    }
}

fn step_now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    step(now.as_secs(), Period::default())
}

/// Twenty bytes that differ between names.
fn secret_of(name: &str) -> Vec<u8> {
    name.bytes().cycle().zip(1_u8..=20).map(|(byte, at)| byte.wrapping_mul(31) ^ at).collect()
}
