// SPDX-License-Identifier: GPL-3.0-or-later
//! Administration: list, unlock, bypass, invite, import.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::blob::Blob;
use crate::field::{TypedCode, UserName};
use crate::refusal::ErrorAnswer;
use crate::status::UserStatus;

/// A page of users, in the order of their names.
#[derive(Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct AdminList {
    /// Names greater than this one; absent for the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<UserName>,
    /// At most so many; the daemon sends fewer where they would not fit a frame.
    pub limit: u16,
}

/// Make a code that opens logins of one user in place of a token's code.
#[derive(Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct AdminBypass {
    /// Whose. The name need not be known yet.
    pub user: UserName,
    /// How long it is good, in seconds: 60 to 2,592,000 (30 days).
    pub seconds: u64,
    /// How many logins it opens: 1 to 100.
    pub uses: u32,
    /// Only of this service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

/// Make a code that allows a user's first enrolment where `enrollment` is `invite`.
#[derive(Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct AdminInvite {
    /// Whose.
    pub user: UserName,
    /// How long it is good, in seconds: 60 to 2,592,000 (30 days).
    pub seconds: u64,
}

/// Some users to be added. A user who is known already is left as he is.
#[derive(Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct AdminImport {
    /// As many as fit a frame.
    pub tokens: Vec<ImportedToken>,
}

/// A token from another system. It is active at once: its owner has used it before.
#[derive(Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct ImportedToken {
    /// Whose.
    pub user: UserName,
    /// The secret.
    pub secret: Blob,
    /// SHA1, SHA256 or SHA512.
    pub algorithm: String,
    /// 6 to 8.
    pub digits: u8,
    /// What moves, and where it stands.
    pub moving: ImportedMoving,
}

impl ImportedToken {
    /// Bytes that a secret may have. 80 bits is what the weakest known authenticator makes, shorter
    /// ones can be guessed; longer ones are of no use to any of the hashes.
    pub const SECRET_BYTES: RangeInclusive<usize> = 10..=128;
}

/// The moving factor of an imported token.
#[derive(Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(tag = "factor", rename_all = "snake_case", deny_unknown_fields)]
pub enum ImportedMoving {
    /// RFC 6238.
    Totp {
        /// Seconds, 15 to 300.
        period: u64,
        /// The last step that was accepted elsewhere: it stays spent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last_step: Option<u64>,
    },
    /// RFC 4226.
    Hotp {
        /// The next counter that is accepted.
        counter: u64,
    },
}

/// The answers to the requests of administration.
#[derive(Serialize, Deserialize, Debug)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum AdminAnswer {
    /// To `admin_list`.
    Users {
        /// This page.
        users: Vec<UserStatus>,
        /// There are more after the last one.
        more: bool,
    },
    /// To `admin_unlock`.
    Unlocked {},
    /// To `admin_bypass` and `admin_invite`: shown once.
    Issued {
        /// The code.
        code: TypedCode,
        /// Unix seconds until which it is good.
        until: u64,
    },
    /// To `admin_import`.
    Imported {
        /// Added.
        added: u32,
        /// Known already, left as they are.
        known: u32,
    },
    /// The request was refused.
    Error(ErrorAnswer),
}
