// SPDX-License-Identifier: GPL-3.0-or-later
//! The command line of `mfa pam`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};

use crate::duration::Countdown;

#[derive(Args)]
pub(crate) struct Pam {
    /// Work on the files below DIR and start no unit
    #[arg(long, global = true, hide = true, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: PamCommand,
}

#[derive(Subcommand)]
pub(crate) enum PamCommand {
    /// Have services ask for a code; each service is as before again unless a login with a code, or
    /// `mfa pam keep`, confirms it in time. A reboot reverts what is not confirmed
    Enable(Enable),
    /// Have services ask for no code any more
    Disable(Disable),
    /// Keep what waits for a login with a code
    Keep {
        /// Only these [default: all that wait]
        #[arg(value_name = "SERVICE")]
        services: Vec<Service>,
    },
    /// Show which services ask for a code, and which of them wait to be confirmed
    Status,
    /// Take back at once what waits for a login with a code
    Revert {
        /// Only these [default: all that wait]
        #[arg(value_name = "SERVICE")]
        services: Vec<Service>,
        /// Wait for a login or the end of the time, as mfa-pam-revert.service does
        #[arg(long, hide = true, conflicts_with = "services")]
        wait: bool,
    },
}

#[derive(Args)]
pub(crate) struct Enable {
    /// The names of PAM services, such as sshd and sudo
    #[arg(value_name = "SERVICE", required = true)]
    pub(crate) services: Vec<Service>,
    /// How long to wait for a login with a code, each service for its own: 90s, 15m, 1h, at most 7d
    #[arg(long, value_name = "TIME", default_value = "10m", conflicts_with = "keep")]
    pub(crate) revert_after: Countdown,
    /// Wait for nothing: the services ask for a code from now on
    #[arg(long)]
    pub(crate) keep: bool,
    /// Deny users without a token; otherwise they log in as before (nullok)
    #[arg(long)]
    pub(crate) required: bool,
    /// Go on where nobody has a token yet, where a login can do without the code, or where sshd would
    /// not ask for it
    #[arg(long)]
    pub(crate) force: bool,
    /// Do not ask whether it is meant
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Args)]
pub(crate) struct Disable {
    /// Every line of the module in these, whoever wrote it [default: what `mfa pam enable` wrote]
    #[arg(value_name = "SERVICE")]
    pub(crate) services: Vec<Service>,
    /// Do not ask whether it is meant
    #[arg(long)]
    pub(crate) yes: bool,
}

/// The name of a PAM service: a file of /etc/pam.d.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Service(String);

/// A text that names none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NoService;

impl Service {
    const MAX_BYTES: usize = 64;

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Service {
    type Err = NoService;

    fn from_str(text: &str) -> Result<Self, NoService> {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte);
        let fits = (1..=Self::MAX_BYTES).contains(&text.len());
        if fits && text.bytes().all(is_name) && !text.starts_with(['.', '-']) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NoService)
        }
    }
}

impl std::error::Error for NoService {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_a_plain_file_name() {
        for good in ["sshd", "sudo-i", "polkit-1", "gdm-password", "x.y_z+1"] {
            assert!(good.parse::<Service>().is_ok(), "{good}");
        }
        for bad in ["", ".", "..", ".sshd", "-x", "a/b", "/etc/pam.d/sshd", "a b", "ä", "a\n"] {
            assert_eq!(bad.parse::<Service>(), Err(NoService), "{bad:?}");
        }
        assert_eq!("a".repeat(65).parse::<Service>(), Err(NoService));
    }
}
