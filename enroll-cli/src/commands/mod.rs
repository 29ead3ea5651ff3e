// SPDX-License-Identifier: GPL-3.0-or-later
//! One file a command.

mod admin_audit;
mod admin_backup;
mod admin_check;
mod admin_export;
mod admin_import;
mod admin_issue;
mod admin_list;
mod admin_rekey;
mod admin_reload;
mod admin_reset;
mod admin_restore;
mod admin_show;
mod admin_stats;
mod admin_unlock;
mod code;
mod completions;
pub(crate) mod doctor;
mod end_grace;
mod enroll;
mod explain;
mod new_token;
mod pam;
mod params;
mod proof;
mod recovery_codes;
mod revoke;
mod rotate;
mod status;
mod verify;

use mfa_proto::UserName;
use mfa_proto::status::TokenStatus;
use nix::unistd::{User, geteuid};

use crate::arguments::{Admin, Arguments, Command, OfUser};
use crate::console::Console;
use crate::daemon::Daemon;
use crate::failure::{Exit, Failure};

/// Carries out a command line.
pub(crate) fn run(arguments: Arguments, console: &mut Console) -> Result<Exit, Failure> {
    let daemon = Daemon::at(&arguments.global.socket);
    match arguments.command {
        Command::Enroll(enroll) => enroll::run(enroll, &daemon, console),
        Command::Code(code) => until_unread(code::run(&code, console)),
        Command::Verify(verify) => verify::run(verify, &daemon, console),
        Command::Status(status) => status::run(&status, &daemon, console),
        Command::Rotate(rotate) => rotate::run(&rotate, &daemon, console),
        Command::RecoveryCodes(of) => recovery_codes::run(&of, &daemon, console),
        Command::Explain(explain) => explain::run(explain, &daemon, console),
        Command::Revoke(revoke) => revoke::run(revoke, &daemon, console),
        Command::Admin { command } => administer(command, &daemon, console),
        Command::Pam(pam) => pam::run(pam, &daemon, console),
        Command::Params { command } => params::run(&command, console),
        Command::Doctor(asked) => doctor::run(&asked, &daemon, console),
        Command::Completions { shell } => completions::run(shell, console),
    }
}

fn administer(command: Admin, daemon: &Daemon, console: &mut Console) -> Result<Exit, Failure> {
    match command {
        Admin::List(list) => until_unread(admin_list::run(&list, daemon, console)),
        Admin::Show { user } => admin_show::run(&user, daemon, console),
        Admin::Stats => admin_stats::run(daemon, console),
        Admin::Audit(audit) => until_unread(admin_audit::run(audit, daemon, console)),
        Admin::Reset { user, yes } => admin_reset::run(&user, yes, daemon, console),
        Admin::Unlock { user } => admin_unlock::run(&user, daemon, console),
        Admin::Invite(invite) => admin_issue::invite(invite, daemon, console),
        Admin::Bypass(bypass) => admin_issue::bypass(bypass, daemon, console),
        Admin::EndGrace { user } => end_grace::run(&user, daemon, console),
        Admin::Import(import) => admin_import::run(&import, daemon, console),
        Admin::Export(export) => admin_export::run(&export, daemon, console),
        Admin::Backup { file } => until_unread(admin_backup::run(&file, daemon, console)),
        Admin::Restore { file, yes } => admin_restore::run(&file, yes, daemon, console),
        Admin::Check => admin_check::run(daemon, console),
        Admin::Rekey { yes } => admin_rekey::run(yes, daemon, console),
        Admin::Reload => admin_reload::run(daemon, console),
    }
}

/// Output without end is done when its reader has had enough.
fn until_unread(ended: Result<Exit, Failure>) -> Result<Exit, Failure> {
    match ended {
        Err(failure) if failure.is_reader_gone() => Ok(Exit::Done),
        ended => ended,
    }
}

/// The user who is meant: the one named, or the one who calls.
fn user(of: &OfUser) -> Result<UserName, Failure> {
    if let Some(user) = &of.user {
        return Ok(user.clone());
    }
    let uid = geteuid();
    let nameless = || Failure::NoOwnName { uid: uid.as_raw() };
    let user = User::from_uid(uid).ok().flatten().ok_or_else(nameless)?;
    UserName::new(user.name).map_err(|_| nameless())
}

/// The token that is meant: the one named, or the only one.
fn token(daemon: &Daemon, user: &UserName, name: Option<&str>) -> Result<TokenStatus, Failure> {
    let mut tokens = daemon.status(user)?.tokens;
    if let Some(name) = name {
        let place = tokens.iter().position(|token| token.name == name);
        let missing = || Failure::NoSuchToken { user: user.clone(), name: name.to_owned() };
        return place.map(|place| tokens.swap_remove(place)).ok_or_else(missing);
    }
    match (tokens.pop(), tokens.is_empty()) {
        (None, _) => Err(Failure::NoToken(user.clone())),
        (Some(only), true) => Ok(only),
        (Some(last), false) => {
            tokens.push(last);
            let names = tokens.into_iter().map(|token| token.name).collect();
            Err(Failure::SeveralTokens { user: user.clone(), names })
        }
    }
}
