// SPDX-License-Identifier: GPL-3.0-or-later
//! Where the programs under test are. What is missing fails the test that wants it, with the
//! command that builds it.

use std::env;
use std::path::{Path, PathBuf};

/// The release build of the module.
#[must_use]
pub fn module() -> PathBuf {
    built("libpam_mfa.so", "cargo build --release --package pam_mfa")
}

/// The release build of the daemon.
#[must_use]
pub fn daemon() -> PathBuf {
    built("mfa-daemon", "cargo build --release --package mfa-daemon")
}

/// The release build of the command.
#[must_use]
pub fn command() -> PathBuf {
    built("mfa", "cargo build --release --package enroll-cli")
}

/// The release build of the program whose instructions are counted.
#[must_use]
pub fn cost_of() -> PathBuf {
    built("cost-of", "cargo build --release --package mfa-tests --bin cost-of")
}

/// The daemon whose compare-and-set is removed.
#[must_use]
pub fn daemon_without_compare_and_set() -> PathBuf {
    named(
        "MFA_DAEMON_WITHOUT_CAS",
        "cargo build --release --package mfa-daemon --features no-compare-and-set \
         --target-dir target/without-cas",
    )
}

/// The module that panics where it is asked to.
#[must_use]
pub fn module_with_panic() -> PathBuf {
    named(
        "MFA_MODULE_WITH_PANIC",
        "cargo build --release --package pam_mfa --features panic-test \
         --target-dir target/panic-test",
    )
}

/// `MFA_ARTIFACTS`, or `release` in the directory that this test was built in.
fn built(name: &str, command: &str) -> PathBuf {
    let directory = env::var_os("MFA_ARTIFACTS").map_or_else(
        || {
            let test = env::current_exe().expect("the path of this program");
            let target = test
                .ancestors()
                .find(|path| path.ends_with("debug") || path.ends_with("release"))
                .and_then(Path::parent)
                .unwrap_or_else(|| panic!("{} is in no target directory", test.display()));
            target.join("release")
        },
        PathBuf::from,
    );
    let path = directory.join(name);
    assert!(path.is_file(), "{} is missing: {command}", path.display());
    path.canonicalize().expect("an absolute path")
}

fn named(variable: &str, command: &str) -> PathBuf {
    let path = env::var_os(variable)
        .map(PathBuf::from)
        .unwrap_or_else(|| panic!("{variable} must name what this builds: {command}"));
    assert!(path.is_file(), "{variable}: {} is missing: {command}", path.display());
    path.canonicalize().expect("an absolute path")
}
