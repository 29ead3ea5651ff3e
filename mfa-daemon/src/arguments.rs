// SPDX-License-Identifier: GPL-3.0-or-later
//! The command line.

use std::path::PathBuf;

use clap::{CommandFactory, Parser};

/// The configuration, unless another one is named.
const DEFAULT_CONFIG: &str = "/etc/mfa/mfa.toml";

/// Keeps second-factor secrets and checks one-time codes for pam_mfa.
#[derive(Parser, Debug)]
#[command(name = "mfa-daemon", version, about)]
pub(crate) struct Arguments {
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub(crate) config: PathBuf,
    /// Check the configuration and exit.
    #[arg(long)]
    pub(crate) check: bool,
    /// Log more: what is refused on the socket, too.
    #[arg(long)]
    pub(crate) debug: bool,
}

/// The command line itself, for this program and for its manual page.
pub(crate) fn command() -> clap::Command {
    Arguments::command()
}
