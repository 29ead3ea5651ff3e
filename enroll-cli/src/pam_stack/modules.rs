// SPDX-License-Identifier: GPL-3.0-or-later
//! Where PAM looks for modules.

use std::path::{Path, PathBuf};

/// The library directories of the distributions.
const LIBRARIES: [&str; 4] = ["lib", "lib64", "usr/lib", "usr/lib64"];

/// `security` of every library directory and of every architecture below it.
pub(crate) fn module_directories(root: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for library in LIBRARIES {
        let library = root.join(library);
        let mut directories = vec![library.join("security")];
        let below = std::fs::read_dir(&library).into_iter().flatten().flatten();
        directories.extend(below.map(|entry| entry.path().join("security")));
        for directory in directories {
            // /lib is /usr/lib today.
            let Ok(real) = directory.canonicalize() else { continue };
            if !found.contains(&real) {
                found.push(real);
            }
        }
    }
    found
}
