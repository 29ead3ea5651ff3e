// SPDX-License-Identifier: GPL-3.0-or-later
//! A user's own view of the second factor: `status` and `revoke`.

use serde::{Deserialize, Serialize};

use crate::exchange::MovingFactor;
use crate::field::{TypedCode, UserName};
use crate::refusal::ErrorAnswer;

/// What is known of one user. No secret is in it.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct UserStatus {
    /// Who.
    pub user: UserName,
    /// The tokens, pending ones too.
    pub tokens: Vec<TokenStatus>,
    /// Wrong codes since the last success.
    pub failures: u32,
    /// Seconds until the next attempt is evaluated; absent where nothing is locked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked_seconds: Option<u64>,
    /// Locked until an administrator unlocks.
    pub locked_hard: bool,
    /// Recovery codes left.
    pub recovery_codes_left: u8,
}

/// One token.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct TokenStatus {
    /// Its name.
    pub name: String,
    /// Time or counter.
    pub moving: MovingFactor,
    /// Confirmed; a pending token opens nothing.
    pub active: bool,
    /// SHA1, SHA256 or SHA512.
    pub algorithm: String,
    /// Digits of a code.
    pub digits: u8,
    /// Seconds a code is current (time) or 0 (counter).
    pub period: u64,
    /// Unix seconds.
    pub created: u64,
    /// Unix seconds of the last accepted code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<u64>,
}

/// Remove a token for good.
#[derive(Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Revoke {
    /// Whose.
    pub user: UserName,
    /// Which.
    pub name: String,
    /// A current code, where the caller must show one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<TypedCode>,
}

/// The answers to `status` and `revoke`.
#[derive(Serialize, Deserialize, Debug)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum StatusAnswer {
    /// To `status`.
    Status(UserStatus),
    /// To `revoke`: gone, durably.
    Revoked {
        /// Tokens that remain.
        left: u8,
    },
    /// The request was refused.
    Error(ErrorAnswer),
}
