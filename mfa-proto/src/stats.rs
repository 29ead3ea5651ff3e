// SPDX-License-Identifier: GPL-3.0-or-later
//! `admin_stats`: figures about all users and about what was decided lately.

use serde::{Deserialize, Serialize};

use crate::login::is_false;
use crate::refusal::ErrorAnswer;

/// How many there are of what. Names are in none of it.
#[derive(Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Stats {
    /// Users with a token.
    pub enrolled: u64,
    /// Users without one, who have an invite or a bypass code.
    pub unenrolled: u64,
    /// Tokens by time (RFC 6238).
    pub totp_tokens: u64,
    /// Tokens by counter (RFC 4226).
    pub hotp_tokens: u64,
    /// Users who have to wait after wrong codes.
    pub locked: u64,
    /// Users who are locked until an administrator unlocks.
    pub locked_hard: u64,
    /// Users with a token and without a recovery code.
    pub without_recovery_codes: u64,
    /// Tokens older than `max_age_days`.
    pub rotations_due: u64,
    /// Users with a bypass code that is good.
    pub bypassed: u64,
    /// Users with an invite code that is good.
    pub invited: u64,
    /// Users whose record cannot be read.
    pub damaged: u64,
    /// Logins of the last hour.
    pub hour: Decisions,
    /// Logins of the last day.
    pub day: Decisions,
}

/// Logins by result, as the trail has them.
#[derive(Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Decisions {
    /// By a right code.
    pub accepted: u64,
    /// Denied.
    pub denied: u64,
    /// Not asked, since an earlier success still held.
    pub granted: u64,
    /// Not asked: exempt, or no token.
    pub skipped: u64,
    /// Passed because a rule says so, although a code was wrong or nothing could be decided.
    pub ignored: u64,
    /// Entries of any kind that an administrator should look at.
    pub warnings: u64,
    /// The trail does not reach back so far, so there were more.
    #[serde(default, skip_serializing_if = "is_false")]
    pub incomplete: bool,
}

/// The answer to `admin_stats`.
#[derive(Serialize, Deserialize, Debug)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum StatsAnswer {
    /// The figures.
    Stats(Stats),
    /// The request was refused.
    Error(ErrorAnswer),
}
