// SPDX-License-Identifier: GPL-3.0-or-later
//! Every request that the daemon understands.

use serde::{Deserialize, Serialize};

use crate::account::{Account, LoginConfirm, LoginProvision};
use crate::admin::{AdminBypass, AdminInvite, AdminList};
use crate::exchange::{KexFinish, KexInit, Sealed};
use crate::explain::Explain;
use crate::field::UserName;
use crate::login::{Begin, Verify};
use crate::status::Revoke;
use crate::transfer::{AdminExport, AdminImport};

/// A request. The field `type` names it.
#[derive(Serialize, Deserialize, Debug)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Is this user to be asked for a code?
    Begin(Begin),
    /// Does this code open the login?
    Verify(Verify),
    /// Is an enrolment or a rotation due?
    Account(Account),
    /// Make a token inside a login.
    LoginProvision(LoginProvision),
    /// Its first code.
    LoginConfirm(LoginConfirm),
    /// What would this login get?
    Explain(Explain),
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
    /// Ask again at once where grace holds.
    EndGrace {
        /// Whom.
        user: UserName,
    },
    /// Make a code in place of a token's.
    AdminBypass(AdminBypass),
    /// Make a code that allows a first enrolment.
    AdminInvite(AdminInvite),
    /// Add users from elsewhere: at once, or with others of one import.
    AdminImport(AdminImport),
    /// Read the configuration again.
    AdminReload {},
    /// What follows on this connection is one import.
    AdminImportBegin {},
    /// Now it counts.
    AdminImportCommit {},
    /// Who of these has a token?
    AdminKnown {
        /// As many as fit a frame.
        users: Vec<UserName>,
    },
    /// A page of users for another system.
    AdminExport(AdminExport),
}
