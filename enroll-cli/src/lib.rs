// SPDX-License-Identifier: GPL-3.0-or-later
//! The `mfa` command: enrolment, codes, status and administration, for people and for programs.
//!
//! A command is one file below `commands/`; what users read stands in `messages.rs`.

#![forbid(unsafe_code)]

mod arguments;
mod clock;
mod commands;
mod console;
mod daemon;
mod enrolment;
mod failure;
mod groups;
mod messages;
mod pam_stack;
mod qr;
mod table;
mod token_file;
mod users_oath;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

/// Runs the command line of this process.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = arguments::Arguments::parse();
    let mut console = console::Console::new(&arguments.global);
    match commands::run(arguments, &mut console) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            console.failure(&failure);
            failure.exit().into()
        }
    }
}

/// The command line itself, for man pages and completions.
#[must_use]
pub fn command() -> clap::Command {
    arguments::Arguments::command()
}
