// SPDX-License-Identifier: GPL-3.0-or-later
//! A user's own view of the second factor: `status` and `revoke`.

use serde::{Deserialize, Serialize};

use crate::exchange::MovingFactor;
use crate::field::{TypedCode, UserName};
use crate::login::{LastFailure, is_false};
use crate::refusal::ErrorAnswer;

/// What is known of one user. No secret is in it.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct UserStatus {
    /// Who.
    pub user: UserName,
    /// The tokens.
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
    /// The last wrong code since the last success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<LastFailure>,
    /// Bypass codes that an administrator made and that still open a login.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bypasses: Vec<BypassStatus>,
    /// Unix seconds until which an invite code is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invited_until: Option<u64>,
    /// Where the user is not asked again for a while.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub graces: Vec<GraceStatus>,
    /// The record cannot be read, so that nothing else here is known and every login is denied. For
    /// administrators.
    #[serde(default, skip_serializing_if = "is_false")]
    pub damaged: bool,
}

/// A bypass code, without the code.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct BypassStatus {
    /// Unix seconds.
    pub until: u64,
    /// Logins it still opens.
    pub uses_left: u32,
    /// Only of this service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

/// One grace.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct GraceStatus {
    /// The service it is for.
    pub service: String,
    /// What it is tied to.
    pub tie: GraceTie,
    /// The key's fingerprint (`SHA256:…`), the terminal, or the host.
    pub value: String,
    /// Seconds until it ends.
    pub seconds_left: u64,
}

/// What a grace is tied to.
#[derive(Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[serde(rename_all = "snake_case")]
pub enum GraceTie {
    /// The ssh key whose signature sshd has verified.
    SshKey,
    /// The terminal and process session.
    Tty,
    /// The remote host.
    Host,
}

/// One token.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct TokenStatus {
    /// Its name.
    pub name: String,
    /// Time or counter.
    pub moving: MovingFactor,
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
    /// Seconds that its clock was last seen ahead (positive) or behind (negative).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_offset: Option<i64>,
    /// Older than `max_age_days`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub rotation_due: bool,
    /// It moves by a counter, and which of its codes were used is not known since the store was put back:
    /// it opens nothing any more.
    #[serde(default, skip_serializing_if = "is_false")]
    pub held: bool,
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

/// The answers to `status`, `revoke` and `end_grace`.
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
    /// To `end_grace`.
    GraceEnded {
        /// So many graces ended.
        ended: u32,
    },
    /// The request was refused.
    Error(ErrorAnswer),
}
