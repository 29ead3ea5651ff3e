// SPDX-License-Identifier: GPL-3.0-or-later
//! What a login would get, and the rule that says so.

use serde::{Deserialize, Serialize};

use crate::field::UserName;
use crate::login::{Origin, is_false};
use crate::refusal::ErrorAnswer;
use crate::status::GraceTie;

/// What would `begin` answer to this login?
#[derive(Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Explain {
    /// Who.
    pub user: UserName,
    /// From where.
    pub origin: Origin,
}

/// The answer to [`Explain`].
#[derive(Serialize, Deserialize, Debug)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ExplainAnswer {
    /// The decision and what makes it.
    Explanation(Explanation),
    /// The request was refused.
    Error(ErrorAnswer),
}

/// The decision and what makes it.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Explanation {
    /// What the login would get.
    pub outcome: Outcome,
    /// The rule that matched; absent where none did and the defaults hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleRef>,
    /// Check, log, never deny.
    #[serde(default, skip_serializing_if = "is_false")]
    pub observe: bool,
    /// Where the daemon cannot decide the login passes.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unavailable_ignored: bool,
    /// Who may make the first token: `self`, `invite` or `admin`.
    pub enrollment: String,
    /// Unix seconds from which a user without a token must enrol inside the login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enroll_from: Option<u64>,
    /// Unix seconds from which a user without a token is denied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enroll_until: Option<u64>,
    /// Unix seconds at which the exemption ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exempt_until: Option<u64>,
    /// Seconds of grace after a success; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_seconds: Option<u64>,
    /// What grace is tied to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grace_for: Vec<GraceTie>,
}

/// Where a rule stands.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct RuleRef {
    /// Its line in `mfa.toml`, from 1.
    pub line: u32,
    /// Its name, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What a login gets.
#[derive(Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(tag = "is", rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// Asked for a code.
    Prompt {},
    /// Asked, and not evaluated while locked.
    Locked {
        /// Until then; absent where only an administrator unlocks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<u64>,
    },
    /// Passes without a code: a grace holds.
    Granted {},
    /// Passes without counting: exempt.
    Exempt {},
    /// No token: with `nullok` it passes without counting, else asked and denied.
    NoToken {
        /// Seconds until the user must enrol; 0 where that is due. Absent without a deadline.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        enroll_within: Option<u64>,
    },
    /// No token, and the deadline has passed: asked and denied, `nullok` or not.
    Expired {},
}
