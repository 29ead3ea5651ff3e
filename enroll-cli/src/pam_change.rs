// SPDX-License-Identifier: GPL-3.0-or-later
//! A change of PAM on the disk: what was changed is written down first, and whatever stops the machine or
//! the program after that, the file of a service is the old one or the new one, and the way back needs
//! neither room on the disk nor the daemon.
//!
//! For each service there is one record in the state directory, `SERVICE.armed` while a login is waited
//! for and `SERVICE.kept` afterwards: one name becomes the other by a rename. While it is armed, the old
//! file itself lies beside the new one under another name, with its owner, mode, labels and times.

mod clocks;
mod confirm;
mod error;
mod file;
mod record;
mod settle;
mod stack;

pub(crate) use clocks::Clocks;
pub(crate) use confirm::Trail;
pub(crate) use error::PamError;
pub(crate) use file::{Target, file_of};
pub(crate) use record::{Armed, Record, State, Store};
pub(crate) use settle::{Settled, apply, keep, settle};
pub(crate) use stack::{Trial, asking, flaws};

use std::path::{Path, PathBuf};

/// Where things are.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The services.
    pub(crate) services: PathBuf,
    /// The records.
    pub(crate) state: PathBuf,
    /// What a reboot removes.
    pub(crate) run: PathBuf,
    /// Before absolute paths: empty but for tests.
    pub(crate) root: PathBuf,
}

impl Place {
    /// The text of a file that a service includes.
    pub(crate) fn included(&self) -> impl Fn(&str) -> Option<Vec<u8>> + '_ {
        |name| std::fs::read(self.services.join(name)).ok()
    }

    pub(crate) fn below(root: Option<&Path>) -> Self {
        let root = root.unwrap_or(Path::new("/"));
        Self {
            services: root.join("etc/pam.d"),
            state: root.join("var/lib/mfa-pam"),
            run: root.join("run/mfa-pam"),
            root: root.to_owned(),
        }
    }
}
