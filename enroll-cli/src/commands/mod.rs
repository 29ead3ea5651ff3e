// SPDX-License-Identifier: GPL-3.0-or-later
//! One file a command.

mod admin_import;
mod admin_list;
mod admin_unlock;
mod code;
mod completions;
mod doctor;

mod enroll;
mod revoke;
mod status;
mod verify;

use mfa_proto::UserName;
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
        Command::Status(of) => status::run(&of, &daemon, console),
        Command::Revoke(revoke) => revoke::run(revoke, &daemon, console),
        Command::Admin { command: Admin::List } => until_unread(admin_list::run(&daemon, console)),
        Command::Admin { command: Admin::Unlock { user } } => {
            admin_unlock::run(&user, &daemon, console)
        }
        Command::Admin { command: Admin::Import(import) } => {
            admin_import::run(&import, &daemon, console)
        }
        Command::Doctor => doctor::run(&daemon, console),
        Command::Completions { shell } => completions::run(shell, console),
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

/// How often a current code is asked for where somebody can answer.
const TRIES: u32 = 3;
