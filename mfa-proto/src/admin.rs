// SPDX-License-Identifier: GPL-3.0-or-later
//! Administration: list, unlock, reset, bypass, invite, reload.

use serde::{Deserialize, Serialize};

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
    /// To `admin_reset`: nothing of the user is left.
    Reset {},
    /// To `admin_bypass` and `admin_invite`: shown once.
    Issued {
        /// The code.
        code: TypedCode,
        /// Unix seconds until which it is good.
        until: u64,
    },
    /// To `admin_reload`.
    Reloaded {
        /// Keys of the configuration that were changed, but only a restart of the daemon applies.
        needs_restart: Vec<String>,
    },
    /// The request was refused.
    Error(ErrorAnswer),
}
