// SPDX-License-Identifier: GPL-3.0-or-later
//! The two questions of a login, `begin` and `verify`, and their answers.

use serde::{Deserialize, Serialize};

use crate::field::{TypedCode, UserName};
use crate::refusal::ErrorAnswer;

/// Where a login comes from, as PAM tells it. For the log and for rules; never trusted for more.
#[derive(Clone, Serialize, Deserialize, Debug, Default, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// `PAM_SERVICE`: the program's PAM configuration, for instance `sshd`.
    pub service: String,
    /// `PAM_RHOST`: the host at the other end, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rhost: Option<String>,
    /// `PAM_TTY`: the terminal, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tty: Option<String>,
}

/// What the module sends. The same two types stand in [`crate::Request`]; this smaller enum keeps
/// every other message out of the login programs.
#[derive(Serialize, Debug)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum LoginRequest {
    /// Before anything is asked of the user.
    Begin(Begin),
    /// With what the user typed.
    Verify(Verify),
}

/// Is this user to be asked for a code?
#[derive(Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    /// Who logs in.
    pub user: UserName,
    /// From where.
    pub origin: Origin,
}

/// Does this code open the login?
#[derive(Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    /// Who logs in.
    pub user: UserName,
    /// What was typed.
    pub code: TypedCode,
    /// From where.
    pub origin: Origin,
}

/// The answer to [`Begin`].
#[derive(Serialize, Deserialize, Debug, PartialEq, Eq)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum BeginAnswer {
    /// Ask for a code.
    Prompt {},
    /// This user need not be asked, for the reason given; only an option of the module that
    /// names this reason lets the login pass.
    Skip {
        /// Why.
        reason: SkipReason,
    },
    /// The daemon cannot decide now. Deny.
    Unavailable {},
    /// The request was refused.
    Error(ErrorAnswer),
}

/// Why [`BeginAnswer::Skip`] was said.
#[derive(Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// No confirmed token: `nullok` decides.
    NoToken,
}

/// The answer to [`Verify`].
#[derive(Serialize, Deserialize, Debug, PartialEq, Eq)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum VerifyAnswer {
    /// The one answer that logs somebody in. The code is spent, durably.
    Accepted {
        /// Wrong codes since the last success.
        failures: u32,
        /// Recovery codes left, where a recovery code was used.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        recovery_codes_left: Option<u8>,
    },
    /// Not a code of this user, now.
    Wrong {},
    /// A code that has been used already.
    Replayed {},
    /// Too many wrong codes; nothing was evaluated.
    Locked {
        /// Until the next attempt is evaluated; absent where only an administrator unlocks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<u64>,
    },
    /// The daemon cannot decide or cannot record now. Deny.
    Unavailable {},
    /// The request was refused.
    Error(ErrorAnswer),
}
