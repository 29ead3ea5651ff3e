// SPDX-License-Identifier: GPL-3.0-or-later
//! Who may change or read what decides logins: PAM's files, the module, the configuration, the state.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::finding::{Check, Finding, Mend};
use super::host::Host;
use super::{configuration, pam};
use crate::messages::doctor as messages;

/// The account that the package makes for the daemon.
const DAEMON: &str = "mfa";

const PROGRAMS: [&str; 2] = ["/usr/sbin/mfa-daemon", "/usr/bin/mfa"];

pub(super) fn look(
    host: &Host<'_>,
    seen: &pam::Seen,
    configuration: &configuration::Seen,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for path in system_files(host, seen, configuration) {
        if let Ok(met) = fs::metadata(&path) {
            system_file(host, &path, &met, &mut findings);
        }
    }
    let looked = state(host, configuration, &mut findings);
    if findings.is_empty() && looked {
        findings.push(Finding::new(Check::FilesSafe, "files", messages::files_safe()));
    }
    findings
}

/// What only root may write: the files and the directories that they are in.
fn system_files(
    host: &Host<'_>,
    seen: &pam::Seen,
    configuration: &configuration::Seen,
) -> BTreeSet<PathBuf> {
    let mut paths: BTreeSet<PathBuf> = seen.files.iter().chain(&seen.modules).cloned().collect();
    paths.extend(PROGRAMS.iter().map(|path| host.below(path)));
    paths.insert(configuration.file.clone());
    let directories: Vec<PathBuf> =
        paths.iter().filter_map(|path| path.parent().map(Path::to_owned)).collect();
    paths.extend(directories);
    paths
}

fn system_file(host: &Host<'_>, path: &Path, met: &Metadata, findings: &mut Vec<Finding>) {
    let subject = path.display().to_string();
    if met.permissions().mode() & 0o022 != 0 {
        let text = messages::writable(met.permissions().mode());
        let mend = Mend::Command(messages::chmod("go-w", path));
        findings.push(Finding::new(Check::FileWritable, &subject, text).mended(mend));
    }
    if met.uid() != host.system_owner() {
        let mend = Mend::Command(messages::chown(host.system_owner(), path));
        let text = messages::owned(met.uid(), host.system_owner());
        findings.push(Finding::new(Check::FileOwner, &subject, text).mended(mend));
    }
}

/// Whether the daemon's own files could be looked at.
fn state(
    host: &Host<'_>,
    configuration: &configuration::Seen,
    findings: &mut Vec<Finding>,
) -> bool {
    let Some(directory) = configuration.database.parent() else { return true };
    if !host.is_root() && host.uid() != host.uid_of(DAEMON).unwrap_or(0) {
        let text = messages::not_root_for(&directory.display().to_string());
        let finding = Finding::new(Check::NotLookedAt, "state", text);
        findings.push(finding.mended(Mend::Command("sudo mfa doctor".to_owned())));
        return false;
    }
    let mut private = vec![directory.to_owned(), configuration.database.clone()];
    for ending in ["-wal", "-shm"] {
        let mut name = configuration.database.clone().into_os_string();
        name.push(ending);
        private.push(name.into());
    }
    private.extend(configuration.key.clone());
    for path in &private {
        if let Ok(met) = fs::symlink_metadata(path) {
            private_file(host, path, &met, findings);
        }
    }
    let is_missing = |path: &Path| {
        fs::metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    };
    if let Some(key) = &configuration.key {
        let (key_lost, store_lost) = (is_missing(key), is_missing(&configuration.database));
        let mend = || Mend::Advice(messages::restore());
        if key_lost && !store_lost {
            let text = messages::key_missing(&configuration.database);
            findings.push(Finding::new(Check::KeyMissing, &shown(key), text).mended(mend()));
        }
        if store_lost && !key_lost {
            let text = messages::store_missing(key);
            let subject = shown(&configuration.database);
            findings.push(Finding::new(Check::StoreMissing, &subject, text).mended(mend()));
        }
    }
    true
}

fn private_file(host: &Host<'_>, path: &Path, met: &Metadata, findings: &mut Vec<Finding>) {
    if met.permissions().mode() & 0o077 != 0 {
        let text = messages::readable(met.permissions().mode());
        let mend = Mend::Command(messages::chmod("go-rwx", path));
        findings.push(Finding::new(Check::FileReadable, &shown(path), text).mended(mend));
    }
    if let Some(owner) = host.uid_of(DAEMON).filter(|owner| *owner != met.uid()) {
        let text = messages::owned(met.uid(), owner);
        let mend = Mend::Command(messages::chown_to_daemon(DAEMON, path));
        findings.push(Finding::new(Check::FileOwner, &shown(path), text).mended(mend));
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
