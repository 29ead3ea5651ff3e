// SPDX-License-Identifier: GPL-3.0-or-later
//! The module's file: could this machine load it, and of which version is it? It is read, not loaded.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::finding::{Check, Finding, Mend};
use crate::messages::doctor as messages;

/// What stands before the version in the file (`pam_mfa/src/version.rs`), as what(1) would look for it.
const MARK: &[u8] = b"@(#)pam_mfa ";

/// No module is as long.
const LENGTH_MAX: u64 = 16 << 20;

/// As much of an ELF header as is compared.
const HEADER: u64 = 64;

/// `ET_DYN`, elf(5).
const SHARED: u16 = 3;

/// This version.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Whether the file is a module of this machine and this version.
pub(super) fn look(path: &Path) -> Finding {
    let subject = path.display().to_string();
    let bytes = match read(path, LENGTH_MAX) {
        Ok(bytes) => bytes,
        Err(error) => {
            return Finding::new(Check::NotLookedAt, &subject, messages::unread(path, &error));
        }
    };
    let own = read(Path::new("/proc/self/exe"), HEADER).unwrap_or_default();
    let mend = || Mend::Advice(messages::reinstall());
    if kind(&bytes) != kind(&own) || number(&bytes, 16) != Some(SHARED) {
        let text = messages::not_loadable();
        return Finding::new(Check::ModuleUnloadable, &subject, text).mended(mend());
    }
    let version = version(&bytes);
    if version.as_deref() == Some(VERSION) {
        return Finding::new(Check::VersionsSame, &subject, messages::same_version(VERSION));
    }
    let text = messages::other_version("pam_mfa.so", version.as_deref(), VERSION);
    Finding::new(Check::VersionModule, &subject, text).mended(mend())
}

fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Magic number, class and byte order; and the machine.
fn kind(bytes: &[u8]) -> Option<(&[u8], u16)> {
    let beginning = bytes.get(..6).filter(|bytes| bytes.starts_with(b"\x7fELF"))?;
    Some((beginning, number(bytes, 18)?))
}

/// Two bytes in the order of this machine.
fn number(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn version(bytes: &[u8]) -> Option<String> {
    let at = bytes.windows(MARK.len()).position(|window| window == MARK)? + MARK.len();
    let version = bytes.get(at..)?.split(|byte| !byte.is_ascii_graphic()).next()?;
    String::from_utf8(version.to_vec()).ok()
}
