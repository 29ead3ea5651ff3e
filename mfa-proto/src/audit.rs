// SPDX-License-Identifier: GPL-3.0-or-later
//! The audit trail: what was decided or done, by whom, with what result; and `admin_audit`, which reads it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::field::UserName;
use crate::login::is_false;
use crate::refusal::ErrorAnswer;

/// Entries of the trail, in the order of their numbers.
#[derive(Serialize, Deserialize, Debug, Clone, Default)]
#[serde(deny_unknown_fields)]
pub struct AdminAudit {
    /// Those after this number.
    #[serde(default)]
    pub after: u64,
    /// Those of this moment, in Unix seconds, and later.
    #[serde(default)]
    pub since: u64,
    /// Those of this user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserName>,
    /// At most so many; the daemon sends fewer where they would not fit a frame.
    pub limit: u16,
}

/// The answer to `admin_audit`.
#[derive(Serialize, Deserialize, Debug)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum AuditAnswer {
    /// This page.
    Trail {
        /// The entries.
        events: Vec<AuditEvent>,
        /// There are more after the last one.
        more: bool,
        /// The number of the oldest entry that is kept; 1 where none was overwritten yet.
        first: u64,
        /// The number of the newest one; 0 where there is none.
        last: u64,
    },
    /// The request was refused.
    Error(ErrorAnswer),
}

/// One entry. No field ever holds a code, a secret or a key.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct AuditEvent {
    /// Counts entries from 1, without a gap.
    pub seq: u64,
    /// Unix seconds.
    pub time: u64,
    /// What was asked.
    pub act: Act,
    /// What came of it.
    pub result: ActResult,
    /// Why, in a word that programs can rely on: `wrong_code`, `replayed`, `locked` and the like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Something an administrator should look at: a replay, a lock, a recovery or bypass code, a login
    /// that passed because nothing could be checked.
    #[serde(default, skip_serializing_if = "is_false")]
    pub warning: bool,
    /// Whose login or second factor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserName>,
    /// The token's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// `PAM_SERVICE`, shortened where it is longer than a name can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// `PAM_RHOST`, shortened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rhost: Option<String>,
    /// `PAM_TTY`, shortened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tty: Option<String>,
    /// Numbers that belong to it: `failures`, `seconds`, `uses`, `added` and the like.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub figures: BTreeMap<String, i64>,
    /// Who asked, by the kernel's word.
    pub peer_uid: u32,
    /// The process that asked.
    pub peer_pid: i32,
}

/// What was asked.
#[derive(Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// May this login pass?
    Login,
    /// A new token was confirmed with its first code.
    Enroll,
    /// A token's new secret was confirmed.
    Rotate,
    /// New recovery codes.
    RecoveryCodes,
    /// A token was removed.
    Revoke,
    /// Graces were ended.
    EndGrace,
    /// A lock was ended.
    Unlock,
    /// Everything of a user was removed.
    Reset,
    /// A bypass code was made.
    Bypass,
    /// An invite code was made.
    Invite,
    /// Users came from elsewhere.
    Import,
    /// Users were written out; with secrets where it is a warning.
    Export,
    /// A copy of the store was made.
    Backup,
    /// The store was put back.
    Restore,
    /// A database that was not the one used last was found at start: codes from before are void.
    PutBack,
    /// The master key was replaced.
    Rekey,
    /// The configuration was read anew.
    Reload,
    /// The store was checked.
    Check,
}

/// What came of it.
#[derive(Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub enum ActResult {
    /// A right code.
    Accepted,
    /// No.
    Denied,
    /// Not asked, since an earlier success still holds.
    Granted,
    /// Not asked: exempt, or no token.
    Skipped,
    /// Would have been denied, or could not be decided, and passed because a rule says so.
    Ignored,
    /// Done as asked.
    Done,
}

impl Act {
    /// The word on the wire and in the journal.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Enroll => "enroll",
            Self::Rotate => "rotate",
            Self::RecoveryCodes => "recovery_codes",
            Self::Revoke => "revoke",
            Self::EndGrace => "end_grace",
            Self::Unlock => "unlock",
            Self::Reset => "reset",
            Self::Bypass => "bypass",
            Self::Invite => "invite",
            Self::Import => "import",
            Self::Export => "export",
            Self::Backup => "backup",
            Self::Restore => "restore",
            Self::PutBack => "put_back",
            Self::Rekey => "rekey",
            Self::Reload => "reload",
            Self::Check => "check",
        }
    }
}

impl ActResult {
    /// The word on the wire and in the journal.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Denied => "denied",
            Self::Granted => "granted",
            Self::Skipped => "skipped",
            Self::Ignored => "ignored",
            Self::Done => "done",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_on_the_wire() {
        for act in [Act::Login, Act::RecoveryCodes, Act::EndGrace, Act::Rekey, Act::Check] {
            assert_eq!(serde_json::to_value(act).unwrap(), act.as_str());
        }
        for result in [ActResult::Accepted, ActResult::Ignored, ActResult::Done] {
            assert_eq!(serde_json::to_value(result).unwrap(), result.as_str());
        }
    }
}
