// SPDX-License-Identifier: GPL-3.0-or-later
//! Every request that the daemon understands.

use serde::{Deserialize, Serialize};

use crate::admin::{AdminImport, AdminList};
use crate::exchange::{KexFinish, KexInit, Sealed};
use crate::field::UserName;
use crate::login::{Begin, Verify};
use crate::status::Revoke;

/// A request. The field `type` names it.
#[derive(Serialize, Deserialize, Debug)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Is this user to be asked for a code?
    Begin(Begin),
    /// Does this code open the login?
    Verify(Verify),
    /// What is known of this user?
    Status {
        /// Who.
        user: UserName,
    },
    /// Which group is offered?
    Params {},
    /// First flight of the exchange.
    KexInit(KexInit),
    /// Last flight of the exchange.
    KexFinish(KexFinish),
    /// A message inside a session.
    Sealed(Sealed),
    /// Remove a token.
    Revoke(Revoke),
    /// A page of users.
    AdminList(AdminList),
    /// End a lock, and count from zero again.
    AdminUnlock {
        /// Whose.
        user: UserName,
    },
    /// Add users from elsewhere.
    AdminImport(AdminImport),
}
