// SPDX-License-Identifier: GPL-3.0-or-later
//! What is stored of a user. One record is one row: a decision reads and replaces it as a whole.

use mfa_crypto::{Algorithm, Digits, Period};
use mfa_proto::Blob;
use serde::{Deserialize, Serialize};

use super::guard::Held;

/// Everything that decides about a user's logins. Times are Unix seconds.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// At most [`Record::MAX_TOKENS`], each confirmed: a pending one is in no record.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<Token>,
    /// Wrong codes in a row.
    #[serde(default)]
    pub lockout: Lockout,
    /// Keyed hashes of the unused recovery codes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recovery: Vec<Blob>,
    /// Bypass codes, at most [`Record::MAX_BYPASSES`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bypasses: Vec<Bypass>,
    /// What allows the first enrolment where `enrollment` is `invite`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invite: Option<Invite>,
    /// The last guard that it has passed; see [`super::guard`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub guard: u32,
    /// Tokens that wait for an administrator since a guard.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<Held>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form of a condition")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// One token.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Unique among the user's tokens.
    pub name: String,
    /// What moves from code to code.
    pub factor: Factor,
    /// The HMAC's hash.
    pub algorithm: Algorithm,
    /// Digits of a code.
    pub digits: Digits,
    /// The secret, sealed under the master key; see [`crate::vault`].
    pub sealed: Blob,
    /// When it was made.
    pub created: u64,
    /// When a code of it was last accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<u64>,
    /// A wrong code that would be right for another step or counter: the first of the two that a
    /// resynchronisation needs (RFC 4226, 7.4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub near: Option<Near>,
}

/// Where wrong codes would have been right; see [`super::near`].
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Near {
    /// The last such step or counter. It never opens a login by itself afterwards.
    pub at: u64,
    /// When that code was typed; absent once another code came after it, for then it is no longer
    /// the first of two in a row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<u64>,
    /// Earlier ones that never open a login either, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub barred: Vec<u64>,
}

/// The moving factor (RFC 4226, 5.1) and how far it is spent.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Factor {
    /// RFC 6238.
    Totp {
        /// Seconds of a step.
        period: Period,
        /// The last accepted step; only greater ones are accepted.
        last_step: Option<u64>,
        /// Steps that the token's clock runs ahead: −2 to 2 as learned from success to success,
        /// −10 to 10 after a resynchronisation.
        drift: i8,
    },
    /// RFC 4226.
    Hotp {
        /// The next counter that is accepted.
        counter: u64,
    },
}

/// Wrong codes in a row and the last of them.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Lockout {
    /// Since the last success.
    pub failures: u32,
    /// Unix seconds.
    pub last_failure: u64,
    /// `PAM_RHOST` of the last one, or its service where it had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_from: Option<String>,
}

/// A code of an administrator's in place of a token's.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Bypass {
    /// Its keyed hash.
    pub hash: Blob,
    /// From this moment on it opens nothing.
    pub until: u64,
    /// Logins it still opens, at least 1.
    pub uses_left: u32,
    /// Only of this service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

/// An invite code.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Invite {
    /// Its keyed hash.
    pub hash: Blob,
    /// From this moment on it allows nothing.
    pub until: u64,
}

/// Why a stored record cannot be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// More tokens than are ever written.
    TooManyTokens(usize),
    /// Two tokens of one name.
    SameName,
    /// A drift beyond ±[`Record::MAX_DRIFT`].
    Drift(i8),
    /// More recovery codes than are ever written.
    TooManyRecoveryCodes(usize),
    /// More bypass codes than are ever written.
    TooManyBypasses(usize),
}

impl std::fmt::Display for RecordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooManyTokens(n) => write!(f, "the record has {n} tokens"),
            Self::SameName => write!(f, "the record has two tokens of one name"),
            Self::Drift(steps) => write!(f, "the record has a drift of {steps} steps"),
            Self::TooManyRecoveryCodes(n) => write!(f, "the record has {n} recovery codes"),
            Self::TooManyBypasses(n) => write!(f, "the record has {n} bypass codes"),
        }
    }
}

impl std::error::Error for RecordError {}

impl Bypass {
    /// Whether it opens a login of `service` at `now`.
    #[must_use]
    pub fn is_good(&self, service: &str, now: u64) -> bool {
        let serves = self.service.as_deref().is_none_or(|only| only == service);
        now < self.until && self.uses_left > 0 && serves
    }
}

impl Record {
    /// Tokens a user may have.
    pub const MAX_TOKENS: usize = 4;
    /// Recovery codes of a set.
    pub const RECOVERY_CODES: usize = 10;
    /// Bypass codes a user may have.
    pub const MAX_BYPASSES: usize = 4;
    /// The drift of a token that was resynchronised, in steps.
    pub const MAX_DRIFT: i8 = 10;

    /// Whether any code could be right for `service` at `now`: there is a token, or a bypass code that
    /// is good there.
    #[must_use]
    pub fn is_asked(&self, service: &str, now: u64) -> bool {
        !self.tokens.is_empty() || self.bypasses.iter().any(|bypass| bypass.is_good(service, now))
    }

    /// Whether there is nothing in it that would be missed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.bypasses.is_empty() && self.invite.is_none()
    }

    /// The token of that name.
    #[must_use]
    pub fn token(&self, name: &str) -> Option<&Token> {
        self.tokens.iter().find(|token| token.name == name)
    }

    /// The token of that name, to be changed.
    pub fn token_mut(&mut self, name: &str) -> Option<&mut Token> {
        self.tokens.iter_mut().find(|token| token.name == name)
    }

    /// What is left of the ranges that the types do not keep by themselves. For records that come
    /// from the store.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn check(&self) -> Result<(), RecordError> {
        if self.tokens.len() > Self::MAX_TOKENS {
            return Err(RecordError::TooManyTokens(self.tokens.len()));
        }
        if self.recovery.len() > Self::RECOVERY_CODES {
            return Err(RecordError::TooManyRecoveryCodes(self.recovery.len()));
        }
        if self.bypasses.len() > Self::MAX_BYPASSES {
            return Err(RecordError::TooManyBypasses(self.bypasses.len()));
        }
        for (at, token) in self.tokens.iter().enumerate() {
            if self.tokens.iter().skip(at + 1).any(|other| other.name == token.name) {
                return Err(RecordError::SameName);
            }
            match token.factor {
                Factor::Totp { drift, .. }
                    if !(-Self::MAX_DRIFT..=Self::MAX_DRIFT).contains(&drift) =>
                {
                    return Err(RecordError::Drift(drift));
                }
                Factor::Totp { .. } | Factor::Hotp { .. } => {}
            }
        }
        Ok(())
    }
}
