// SPDX-License-Identifier: GPL-3.0-or-later
//! The `mfa` command: enrolment, codes, status and administration, for people and for programs.
//!
//! A command is one file below `commands/`; what users read stands in `messages.rs`.

#![forbid(unsafe_code)]

mod arguments;
mod channel;
mod clock;
mod commands;
mod console;
mod daemon;
mod duration;
mod export_error;
mod failure;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod google_authenticator;
mod groups;
mod import_error;
mod incoming;
mod messages;
mod pam_change;
mod pam_edit;
mod pam_stack;
mod progress;
mod table;
mod token_file;
mod users_json;
mod users_oath;
mod weakness;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

/// Runs the command line of this process.
#[must_use]
pub fn run() -> ExitCode {
    keep_memory_private();
    let matches = command().color(console::colours_of_usage()).get_matches();
    let arguments =
        arguments::Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let mut console = console::Console::new(&arguments.global);
    match commands::run(arguments, &mut console) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            console.failure(&failure);
            failure.exit().into()
        }
    }
}

/// No core dump, no ptrace by others of the same uid (`PR_SET_DUMPABLE`, prctl(2)): secrets and codes
/// pass through the memory. That cannot fail but where a sandbox forbids the call, and is then no
/// reason to keep somebody from his token.
fn keep_memory_private() {
    let _ = nix::sys::prctl::set_dumpable(false);
}

/// The command line itself, for man pages and completions.
#[must_use]
pub fn command() -> clap::Command {
    arguments::Arguments::command()
}
