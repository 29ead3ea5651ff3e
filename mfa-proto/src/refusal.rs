// SPDX-License-Identifier: GPL-3.0-or-later
//! The one way in which the daemon refuses.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A refusal. After a malformed frame the connection closes as well.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct ErrorAnswer {
    /// For programs.
    pub code: ErrorCode,
    /// For people: what happened, why, what to do next.
    pub message: String,
}

impl fmt::Display for ErrorAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// What kind of refusal.
#[derive(Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The frame or message is not one of this protocol.
    Malformed,
    /// This caller may not ask this. Does not tell whether the user exists.
    NotPermitted,
    /// A code was wanted, and the one given is missing, wrong, spent or comes while locked.
    CodeNeeded,
    /// An invite code was wanted, and the one given is missing, wrong or comes while locked.
    InviteNeeded,
    /// No token of that name waits to be confirmed.
    NotPending,
    /// The state does not allow it: the name is taken, there is no such token, and the like.
    Conflict,
    /// The exchange or the session failed and is over.
    Exchange,
    /// Too many connections or exchanges of this caller; try later.
    Busy,
    /// The daemon cannot do it now; its log says why.
    Unavailable,
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "error")]
struct Tagged<'a> {
    #[serde(flatten)]
    answer: &'a ErrorAnswer,
}

impl ErrorAnswer {
    /// The refusal as a message of its own, `{"type":"error",…}`.
    #[must_use]
    pub fn tagged(&self) -> impl Serialize + '_ {
        Tagged { answer: self }
    }
}
