// SPDX-License-Identifier: GPL-3.0-or-later
//! SELinux labels, where SELinux is on: those that a file keeps when it is moved here from a home or from
//! /tmp, and that confined programs such as sshd may not use.

use std::path::{Path, PathBuf};

use super::finding::{Check, Finding, Mend};
use super::host::Host;
use crate::messages::doctor as messages;

/// The types of files that stand nowhere, in somebody's home or among temporary ones.
const STRAY: [&str; 9] = [
    "unlabeled_t",
    "file_t",
    "default_t",
    "user_home_t",
    "admin_home_t",
    "user_home_dir_t",
    "tmp_t",
    "user_tmp_t",
    "initrc_tmp_t",
];

pub(super) fn look(host: &Host<'_>, paths: impl IntoIterator<Item = PathBuf>) -> Vec<Finding> {
    if !host.below("/sys/fs/selinux/enforce").exists() {
        return Vec::new();
    }
    let stray = |path: PathBuf| {
        let label = label(&path, host.label)?;
        let kind = label.split(':').nth(2)?;
        STRAY.contains(&kind).then(|| {
            let text = messages::label(&label);
            Finding::new(Check::LabelWrong, &path.display().to_string(), text)
                .mended(Mend::Command(messages::restorecon(&path)))
        })
    };
    paths.into_iter().filter_map(stray).collect()
}

fn label(path: &Path, attribute: &str) -> Option<String> {
    let bytes = xattr::get(path, attribute).ok().flatten()?;
    Some(String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_owned())
}
