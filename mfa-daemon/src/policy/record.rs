// SPDX-License-Identifier: GPL-3.0-or-later
//! What is stored of a user. One record is one row: a decision reads and replaces it as a whole.

use mfa_crypto::{Algorithm, Digits, Period};
use mfa_proto::Blob;
use serde::{Deserialize, Serialize};

/// Everything that decides about a user's logins. Times are Unix seconds.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// At most [`Record::MAX_TOKENS`], pending ones among them.
    pub tokens: Vec<Token>,
    /// Wrong codes in a row.
    #[serde(default)]
    pub lockout: Lockout,
    /// Keyed hashes of the unused recovery codes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recovery: Vec<Blob>,
}

/// One token.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Unique among the user's tokens.
    pub name: String,
    /// Whether it counts.
    pub state: State,
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
}

/// Whether a token counts.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum State {
    /// Its first code was seen.
    Active,
    /// Provisioned, never confirmed: it opens nothing.
    Pending {
        /// Attempts to confirm it that are left.
        tries_left: u8,
    },
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
        /// Steps that the token's clock runs ahead, −2 to 2.
        drift: i8,
    },
    /// RFC 4226.
    Hotp {
        /// The next counter that is accepted.
        counter: u64,
    },
}

/// Wrong codes in a row and when the last one came.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Lockout {
    /// Since the last success.
    pub failures: u32,
    /// Unix seconds.
    pub last_failure: u64,
}

/// Why a stored record cannot be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// More tokens than are ever written.
    TooManyTokens(usize),
    /// Two tokens of one name.
    SameName,
    /// A drift beyond ±2.
    Drift(i8),
    /// More recovery codes than are ever written.
    TooManyRecoveryCodes(usize),
}

impl std::fmt::Display for RecordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooManyTokens(n) => write!(f, "the record has {n} tokens"),
            Self::SameName => write!(f, "the record has two tokens of one name"),
            Self::Drift(steps) => write!(f, "the record has a drift of {steps} steps"),
            Self::TooManyRecoveryCodes(n) => write!(f, "the record has {n} recovery codes"),
        }
    }
}

impl std::error::Error for RecordError {}

impl Record {
    /// Tokens a user may have.
    pub const MAX_TOKENS: usize = 4;
    /// Recovery codes of a set.
    pub const RECOVERY_CODES: usize = 10;
    /// Attempts to confirm a pending token.
    pub const CONFIRM_TRIES: u8 = 5;

    /// Whether any token counts.
    #[must_use]
    pub fn has_active_token(&self) -> bool {
        self.tokens.iter().any(Token::is_active)
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
        for (at, token) in self.tokens.iter().enumerate() {
            if self.tokens.iter().skip(at + 1).any(|other| other.name == token.name) {
                return Err(RecordError::SameName);
            }
            match token.factor {
                Factor::Totp { drift, .. } if !(-2..=2).contains(&drift) => {
                    return Err(RecordError::Drift(drift));
                }
                Factor::Totp { .. } | Factor::Hotp { .. } => {}
            }
        }
        Ok(())
    }
}

impl Token {
    /// Whether it counts.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.state == State::Active
    }
}
