// SPDX-License-Identifier: GPL-3.0-or-later
//! Every request that the daemon understands.

use serde::{Deserialize, Serialize};

use crate::account::{Account, LoginConfirm, LoginProvision};
use crate::admin::{AdminBypass, AdminInvite, AdminList};
use crate::audit::AdminAudit;
use crate::exchange::{KexFinish, KexInit, Sealed};
use crate::explain::Explain;
use crate::field::UserName;
use crate::keep::{AdminBackupPart, AdminRestorePart};
use crate::login::{Begin, Verify};
use crate::rekey::AdminRekey;
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
    /// Which version runs, and is its clock kept right?
    About {},
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
    /// Remove everything of a user, also where it cannot be read.
    AdminReset {
        /// Whose.
        user: UserName,
    },
    /// Read the trail.
    AdminAudit(AdminAudit),
    /// Figures.
    AdminStats {},
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
    /// A new master key.
    AdminRekey(AdminRekey),
    /// Make a copy of the store.
    AdminBackup {},
    /// A part of that copy.
    AdminBackupPart(AdminBackupPart),
    /// What follows on this connection is a backup that is to be put back.
    AdminRestoreBegin {},
    /// Its next part.
    AdminRestorePart(AdminRestorePart),
    /// Put it back.
    AdminRestoreCommit {},
    /// Look at every page and every record.
    AdminCheck {},
}

impl Request {
    /// Its name on the wire, and the user whom it names.
    #[must_use]
    pub fn about(&self) -> (&'static str, Option<&UserName>) {
        match self {
            Self::Begin(begin) => ("begin", Some(&begin.user)),
            Self::Verify(verify) => ("verify", Some(&verify.user)),
            Self::Account(account) => ("account", Some(&account.user)),
            Self::LoginProvision(provision) => ("login_provision", Some(&provision.user)),
            Self::LoginConfirm(confirm) => ("login_confirm", Some(&confirm.user)),
            Self::Explain(explain) => ("explain", Some(&explain.user)),
            Self::About {} => ("about", None),
            Self::Status { user } => ("status", Some(user)),
            Self::Params {} => ("params", None),
            Self::KexInit(init) => ("kex_init", Some(&init.user)),
            Self::KexFinish(_) => ("kex_finish", None),
            Self::Sealed(_) => ("sealed", None),
            Self::Revoke(revoke) => ("revoke", Some(&revoke.user)),
            Self::AdminList(_) => ("admin_list", None),
            Self::AdminUnlock { user } => ("admin_unlock", Some(user)),
            Self::EndGrace { user } => ("end_grace", Some(user)),
            Self::AdminBypass(bypass) => ("admin_bypass", Some(&bypass.user)),
            Self::AdminInvite(invite) => ("admin_invite", Some(&invite.user)),
            Self::AdminImport(_) => ("admin_import", None),
            Self::AdminReset { user } => ("admin_reset", Some(user)),
            Self::AdminAudit(audit) => ("admin_audit", audit.user.as_ref()),
            Self::AdminStats {} => ("admin_stats", None),
            Self::AdminReload {} => ("admin_reload", None),
            Self::AdminImportBegin {} => ("admin_import_begin", None),
            Self::AdminImportCommit {} => ("admin_import_commit", None),
            Self::AdminKnown { .. } => ("admin_known", None),
            Self::AdminExport(_) => ("admin_export", None),
            Self::AdminRekey(_) => ("admin_rekey", None),
            Self::AdminBackup {} => ("admin_backup", None),
            Self::AdminBackupPart(_) => ("admin_backup_part", None),
            Self::AdminRestoreBegin {} => ("admin_restore_begin", None),
            Self::AdminRestorePart(_) => ("admin_restore_part", None),
            Self::AdminRestoreCommit {} => ("admin_restore_commit", None),
            Self::AdminCheck {} => ("admin_check", None),
        }
    }
}
