// SPDX-License-Identifier: GPL-3.0-or-later
//! The files of all users, in their homes. This runs as root in directories that belong to others, so
//! it opens what is the user's own regular file and nothing else: no link, no pipe, nobody else's.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mfa_proto::UserName;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;
use zeroize::Zeroizing;

use super::file::FILE_MAX;

/// Its name in a home.
pub(crate) const FILE: &str = ".google_authenticator";

/// Reads the passwd database, whatever it is kept in.
const GETENT: &str = "/usr/bin/getent";

/// A user who has a file.
pub(crate) struct Found {
    pub(crate) user: UserName,
    pub(crate) path: PathBuf,
    pub(crate) content: Result<Content, HomeError>,
}

/// What a file holds.
pub(crate) struct Content {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    /// Others than its owner can read it.
    pub(crate) exposed: bool,
}

/// Why a file is not taken.
#[derive(Debug)]
pub(crate) enum HomeError {
    /// The passwd database cannot be read.
    Passwd(io::Error),
    /// The file cannot be read.
    Io(io::Error),
    /// It is a link, a pipe or the like.
    NotAFile,
    /// Somebody else owns it.
    Foreign { owner: u32, user: u32 },
}

impl fmt::Display for HomeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passwd(error) => {
                write!(f, "cannot read the passwd database with {GETENT}: {error}")
            }
            Self::Io(error) => write!(f, "cannot be read: {error}"),
            Self::NotAFile => f.write_str("expected a regular file, found something else"),
            Self::Foreign { owner, user } => {
                write!(f, "expected a file of uid {user}, found one of uid {owner}")
            }
        }
    }
}

/// Everybody in the passwd database who has a file, in the order of the names.
///
/// # Errors
/// [`HomeError::Passwd`].
pub(crate) fn find() -> Result<Vec<Found>, HomeError> {
    let output = Command::new(GETENT)
        .arg("passwd")
        .env_clear()
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .map_err(HomeError::Passwd)?;
    if !output.status.success() {
        return Err(HomeError::Passwd(io::Error::other(output.status.to_string())));
    }
    Ok(find_in(&String::from_utf8_lossy(&output.stdout)))
}

/// The same in a passwd database as passwd(5) describes it.
fn find_in(passwd: &str) -> Vec<Found> {
    let mut accounts = BTreeMap::new();
    for line in passwd.lines() {
        let mut fields = line.split(':');
        let (name, uid, home) = (fields.next(), fields.nth(1), fields.nth(2));
        let (Some(name), Some(uid), Some(home)) = (name, uid, home) else { continue };
        let (Ok(user), Ok(uid)) = (UserName::new(name), uid.parse::<u32>()) else { continue };
        if home.starts_with('/') {
            // As getpwnam(3), which google_authenticator asks, the first of one name.
            accounts.entry(user).or_insert((uid, PathBuf::from(home)));
        }
    }
    let found = accounts.into_iter().filter_map(|(user, (uid, home))| {
        let content = read(&home, uid).transpose()?;
        Some(Found { user, path: home.join(FILE), content })
    });
    found.collect()
}

/// The file in a home, if there is one.
fn read(home: &Path, uid: u32) -> Result<Option<Content>, HomeError> {
    let directory =
        match open(home, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty()) {
            Ok(directory) => directory,
            Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(None),
            Err(error) => return Err(HomeError::Io(error.into())),
        };
    // O_NONBLOCK: a pipe that its owner put there must not hold this up.
    let flags = OFlag::O_RDONLY
        | OFlag::O_NOFOLLOW
        | OFlag::O_NONBLOCK
        | OFlag::O_CLOEXEC
        | OFlag::O_NOCTTY;
    let file = match openat(&directory, FILE, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::ENOENT) => return Ok(None),
        // open(2): a link (ELOOP), a socket or a device without a driver (ENXIO).
        Err(Errno::ELOOP | Errno::ENXIO) => return Err(HomeError::NotAFile),
        Err(error) => return Err(HomeError::Io(error.into())),
    };
    let is = file.metadata().map_err(HomeError::Io)?;
    if !is.is_file() {
        return Err(HomeError::NotAFile);
    }
    if is.uid() != uid {
        return Err(HomeError::Foreign { owner: is.uid(), user: uid });
    }
    content(file, is.mode()).map(Some).map_err(HomeError::Io)
}

/// What an open file holds, at most one byte more than the parser takes.
///
/// # Errors
/// It cannot be read.
pub(super) fn content(file: File, mode: u32) -> io::Result<Content> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(FILE_MAX).unwrap_or(0) + 1));
    file.take(FILE_MAX + 1).read_to_end(&mut bytes)?;
    Ok(Content { bytes, exposed: mode & 0o077 != 0 })
}

/// A file that was named, a pipe among them.
///
/// # Errors
/// It cannot be read.
pub(crate) fn named(path: &Path) -> io::Result<Content> {
    let file = File::open(path)?;
    let is = file.metadata()?;
    content(file, if is.is_file() { is.mode() } else { 0 })
}

#[cfg(test)]
#[path = "homes_tests.rs"]
mod tests;
