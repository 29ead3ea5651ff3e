// SPDX-License-Identifier: GPL-3.0-or-later
//! Keeping the store: backup, restore and check. For root only.

use serde::{Deserialize, Serialize};

use crate::blob::Blob;
use crate::login::is_false;
use crate::refusal::ErrorAnswer;

/// Bytes of a part of a backup, at most: as base64 they fit a frame with room for its fields.
pub const PART_MAX: usize = 45 * 1024;

/// A part of the backup that was made on this connection.
#[derive(Serialize, Deserialize, Debug, Clone, Copy)]
#[serde(deny_unknown_fields)]
pub struct AdminBackupPart {
    /// Where it begins.
    pub offset: u64,
}

/// The next part of what is to be put back.
#[derive(Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct AdminRestorePart {
    /// At most [`PART_MAX`] bytes.
    pub data: Blob,
}

/// What a check has found.
#[derive(Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Checked {
    /// Users whose record was looked at.
    pub users: u64,
    /// Those whose record, or a secret in it, does not open.
    pub damaged: u64,
    /// Their names, not all where they are many: `admin_list` has all.
    pub names: Vec<String>,
    /// What SQLite says about the file. Empty where it is sound.
    pub faults: Vec<String>,
    /// Some users could not be looked at, because the part of the file that has them cannot be read.
    #[serde(default, skip_serializing_if = "is_false")]
    pub incomplete: bool,
    /// The last name before that part; absent where it is the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread_after: Option<String>,
    /// The first name behind it; absent where it is the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread_before: Option<String>,
}

impl Checked {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.damaged == 0 && self.faults.is_empty() && !self.incomplete
    }
}

/// The answers to the requests of this module.
#[derive(Serialize, Deserialize, Debug)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum KeepAnswer {
    /// To `admin_backup`: made, and so many bytes long.
    Backup {
        /// Bytes.
        bytes: u64,
    },
    /// To `admin_backup_part`; empty at the end.
    Part {
        /// At most [`PART_MAX`] bytes.
        data: Blob,
    },
    /// To `admin_restore_begin`.
    RestoreBegun {},
    /// To `admin_restore_part`.
    Taken {},
    /// To `admin_restore_commit`: these users are the ones now.
    Restored {
        /// How many.
        users: u64,
    },
    /// To `admin_check`.
    Checked(Checked),
    /// The request was refused.
    Error(ErrorAnswer),
}
