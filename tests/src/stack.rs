// SPDX-License-Identifier: GPL-3.0-or-later
//! PAM configurations in private directories, see pam_start_confdir(3).

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::artifacts;

/// The service that every configuration here is for.
pub const SERVICE: &str = "mfa-test";

/// A directory in place of `/etc/pam.d`, with one service and nothing else.
pub struct Stack {
    confdir: TempDir,
}

impl Stack {
    /// Exactly these lines.
    #[must_use]
    pub fn of_lines(lines: &str) -> Self {
        let confdir = tempfile::tempdir().expect("a private directory");
        fs::write(confdir.path().join(SERVICE), lines).expect("the service");
        // Its absence would be logged. What no line is for is denied.
        fs::write(confdir.path().join("other"), "").expect("the service without a name");
        Self { confdir }
    }

    /// One `auth required` line with the module under test.
    #[must_use]
    pub fn module(socket: &Path, options: &str) -> Self {
        Self::of_lines(&line("auth", "required", socket, options))
    }

    /// Alone on a line of each kind, another build of the module.
    #[must_use]
    pub fn of_module(module: &Path, options: &str) -> Self {
        let kinds = ["auth", "account", "password", "session"];
        let lines = kinds.map(|kind| format!("{kind} required {} {options}\n", module.display()));
        Self::of_lines(&lines.concat())
    }

    /// Gives another service the same lines.
    pub fn add_service(&self, name: &str) {
        let directory = self.confdir.path();
        fs::copy(directory.join(SERVICE), directory.join(name)).expect("the other service");
    }

    /// Where it is.
    #[must_use]
    pub fn confdir(&self) -> PathBuf {
        self.confdir.path().to_owned()
    }
}

/// One line with the module under test.
#[must_use]
pub fn line(kind: &str, control: &str, socket: &Path, options: &str) -> String {
    let module = artifacts::module();
    format!("{kind} {control} {} socket={} {options}\n", module.display(), socket.display())
}
