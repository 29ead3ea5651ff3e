// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa completions`: completions for a shell.

use clap_complete::Shell;

use crate::console::Console;
use crate::failure::{Exit, Failure};

pub(super) fn run(shell: Shell, console: &mut Console) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut crate::command(), "mfa", &mut script);
    console.part(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
