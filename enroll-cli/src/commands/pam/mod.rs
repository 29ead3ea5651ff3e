// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa pam`: services ask for a code, with a way back.
//!
//! JSON: one object a service, see `Told`.

mod checks;
mod diff;
mod disable;
mod enable;
mod keep;
mod revert;
mod sshd;
mod status;
mod watch;

use std::path::PathBuf;

use serde::Serialize;

use crate::arguments::{Pam, PamCommand};
use crate::console::Console;
use crate::daemon::Daemon;
use crate::failure::{Exit, Failure};
use crate::pam_change::{PamError, Place};

/// What became of a service.
#[derive(Debug, Default, Serialize)]
struct Told {
    service: String,
    /// `armed`, `kept`, `asks_already`, `disabled`, `reverted`; of `status` also `missing`, `by_hand`,
    /// `included`.
    state: &'static str,
    /// The file with the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds_left: Option<u64>,
    /// What taking it back came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'static str>,
}

pub(super) fn run(pam: Pam, daemon: &Daemon, console: &mut Console) -> Result<Exit, Failure> {
    let place = Place::below(pam.root.as_deref());
    let is_this_machine = pam.root.is_none();
    if is_this_machine && !nix::unistd::geteuid().is_root() {
        return Err(PamError::NotRoot.into());
    }
    match pam.command {
        PamCommand::Enable(enable) => {
            let machine = enable::Machine { place: &place, is_this: is_this_machine, daemon };
            enable::run(&enable, &machine, console)
        }
        PamCommand::Disable(disable) => disable::run(&disable, &place, console),
        PamCommand::Keep { services } => keep::run(&services, &place, console),
        PamCommand::Status => status::run(&place, console),
        PamCommand::Revert { wait: true, .. } => watch::run(&place, console),
        PamCommand::Revert { services, wait: false } => revert::run(&services, &place, console),
    }
}

impl Told {
    fn new(service: &str, state: &'static str) -> Self {
        Self { service: service.to_owned(), state, ..Self::default() }
    }

    /// As an object, or as this sentence.
    fn tell(&self, sentence: &str, console: &mut Console) -> Result<(), Failure> {
        if console.json() { console.object(self) } else { console.result(sentence) }
    }
}
