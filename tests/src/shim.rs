// SPDX-License-Identifier: GPL-3.0-or-later
//! Libraries that stand between a login program and the system, for what the system does not do when
//! asked: `tests/shims/NAME.c`, compiled here and loaded by `LD_PRELOAD`.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::host::Host;

/// A compiled one.
pub struct Shim {
    home: TempDir,
}

impl Shim {
    /// Compiles `tests/shims/NAME.c`.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let home = tempfile::tempdir().expect("a private directory");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("shims").join(name);
        let output = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .arg(home.path().join("shim.so"))
            .arg(source.with_extension("c"))
            .output()
            .expect("cc");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self { home }
    }

    /// The library.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.home.path().join("shim.so")
    }

    /// The login program with this in between, told these variables.
    #[must_use]
    pub fn before(&self, host: Host, variables: &[&str]) -> Host {
        let preload = format!("LD_PRELOAD={}", self.path().display());
        host.under(&[&["env", &preload], variables].concat())
    }
}
