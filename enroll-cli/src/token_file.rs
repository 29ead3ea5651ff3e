// SPDX-License-Identifier: GPL-3.0-or-later
//! A token file: an `otpauth` address in one line, readable by its owner alone.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use getrandom::SysRng;
use getrandom::rand_core::TryRng;
use mfa_crypto::{Code, Moving, OtpUri, UriError, hotp};
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use zeroize::Zeroizing;

use crate::messages;

/// No address comes near it.
const MAX_BYTES: usize = 4096;

/// What is wrong with a token file.
#[derive(Debug)]
pub(crate) enum TokenFileError {
    /// It is there already.
    Exists(PathBuf),
    /// What could not be done with it.
    Io { path: PathBuf, doing: &'static str, error: io::Error },
    /// The file that was to replace it stays beside it, and is the only one with an active secret.
    NotReplaced { path: PathBuf, at: PathBuf, error: io::Error },
    /// Others may read or write it.
    Exposed { path: PathBuf, mode: u32 },
    /// A directory, a device, a pipe.
    NotAFile(PathBuf),
    /// It belongs to somebody else, who could change it.
    Foreign { path: PathBuf, owner: u32 },
    /// Longer than any address, or more than one line.
    NotOneLine(PathBuf),
    /// Its line is no usable address.
    Content { path: PathBuf, error: UriError },
    /// Its counter has no next value.
    Exhausted(PathBuf),
}

/// Whether an existing file may be replaced.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overwrite {
    No,
    Yes,
}

/// The address in the file at `path`.
pub(crate) fn read(path: &Path) -> Result<OtpUri, TokenFileError> {
    load(&open(path)?, path)
}

/// The next code of a counter, whose new value is on the disk before the code is known to anybody:
/// a code that was shown is never shown again.
pub(crate) fn next_counter_code(path: &Path) -> Result<Code, TokenFileError> {
    // A link is followed here, so that the file it names is replaced and not the link.
    let path = &fs::canonicalize(path).map_err(|error| failed(path, "open", error))?;
    let file = locked(path)?;
    let token = load(&file, path)?;
    let Moving::Hotp { counter } = token.moving else {
        return Err(TokenFileError::NotOneLine(path.clone()));
    };
    let code = hotp(&token.secret, token.algorithm, token.digits, counter);
    let next = advanced(&token).ok_or_else(|| TokenFileError::Exhausted(path.clone()))?;
    let temporary = Temporary::write(path, &next)?;
    let owner = file.metadata().map_err(|error| failed(path, "look at", error))?;
    fchown(&temporary.file, Some(owner.uid()), Some(owner.gid()))
        .map_err(|error| failed(path, messages::KEEP_OWNER, error))?;
    temporary.replace(path)?;
    sync_directory(path)?;
    Ok(code)
}

/// The token after its present code has been used; `None` where the counter ends. A token that
/// moves with the time stays as it is.
pub(crate) fn advanced(token: &OtpUri) -> Option<OtpUri> {
    let mut next = token.clone();
    if let Moving::Hotp { counter } = &mut next.moving {
        *counter = counter.checked_add(1)?;
    }
    Some(next)
}

/// A new token file that is durable, and that vanishes again unless it is kept. What has its name
/// stays untouched until then.
pub(crate) struct NewTokenFile {
    path: PathBuf,
    /// The file, where something else has its name.
    beside: Option<Temporary>,
    kept: bool,
}

/// Where a secret is that may be active.
#[derive(Debug)]
pub(crate) struct Stays {
    pub(crate) at: PathBuf,
    /// The file that it did not replace.
    pub(crate) instead_of: Option<PathBuf>,
}

impl NewTokenFile {
    /// Refuses early what [`NewTokenFile::write`] would refuse late.
    pub(crate) fn check(path: &Path, overwrite: Overwrite) -> Result<(), TokenFileError> {
        match fs::symlink_metadata(path) {
            Ok(found) if overwrite == Overwrite::Yes && !found.is_file() => {
                Err(TokenFileError::NotAFile(path.to_owned()))
            }
            Ok(_) if overwrite == Overwrite::No => Err(TokenFileError::Exists(path.to_owned())),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failed(path, "look at", error))
            }
            // Is the directory there, and may a file be made in it?
            _ => Temporary::create(path).map(drop),
        }
    }

    /// Writes `token` with mode 0600 and returns once it is on the disk: under its name, or beside
    /// the file that it shall replace.
    pub(crate) fn write(
        path: &Path,
        token: &OtpUri,
        overwrite: Overwrite,
    ) -> Result<Self, TokenFileError> {
        let temporary = Temporary::write(path, token)?;
        let beside = match temporary.put(path) {
            Ok(()) => None,
            Err(TokenFileError::Exists(_)) if overwrite == Overwrite::Yes => Some(temporary),
            Err(error) => return Err(error),
        };
        let new = Self { path: path.to_owned(), beside, kept: false };
        sync_directory(path)?;
        Ok(new)
    }

    /// The token is active: the file stays, and gets its name. An error leaves it where it is.
    pub(crate) fn keep(mut self) -> Result<(), TokenFileError> {
        self.kept = true;
        let Some(at) = self.beside.take().and_then(Temporary::stay) else { return Ok(()) };
        match fs::rename(&at, &self.path) {
            Ok(()) => sync_directory(&self.path),
            Err(error) => Err(TokenFileError::NotReplaced { path: self.path.clone(), at, error }),
        }
    }

    /// Nobody knows whether the token is active: both files stay.
    pub(crate) fn leave(mut self) -> Stays {
        self.kept = true;
        match self.beside.take().and_then(Temporary::stay) {
            Some(at) => Stays { at, instead_of: Some(self.path.clone()) },
            None => Stays { at: self.path.clone(), instead_of: None },
        }
    }
}

impl Drop for NewTokenFile {
    fn drop(&mut self) {
        if !self.kept && self.beside.is_none() {
            // Nothing can be done about an error here, and a file that stays opens nothing.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A file with another name in the same directory, removed on drop unless it got its name or stays.
struct Temporary {
    file: File,
    path: Option<PathBuf>,
}

impl Temporary {
    fn create(target: &Path) -> Result<Self, TokenFileError> {
        let path = beside(target, "new")?;
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| failed(target, "create", error))?;
        let temporary = Self { file, path: Some(path) };
        // Whatever the umask left of the mode: neither more nor less than the owner.
        temporary
            .file
            .set_permissions(Permissions::from_mode(0o600))
            .map_err(|error| failed(target, "protect", error))?;
        Ok(temporary)
    }

    fn write(target: &Path, token: &OtpUri) -> Result<Self, TokenFileError> {
        let mut temporary = Self::create(target)?;
        let address = token.render();
        temporary
            .file
            .write_all(address.as_bytes())
            .and_then(|()| temporary.file.write_all(b"\n"))
            .and_then(|()| temporary.file.sync_all())
            .map_err(|error| failed(target, "write", error))?;
        Ok(temporary)
    }

    /// Gives it its name, unless that is taken.
    fn put(&self, target: &Path) -> Result<(), TokenFileError> {
        let Some(path) = &self.path else { return Ok(()) };
        match renameat2(AT_FDCWD, path, AT_FDCWD, target, RenameFlags::RENAME_NOREPLACE) {
            Ok(()) => Ok(()),
            // File systems without that flag, NFS among them, have links.
            Err(nix::errno::Errno::EINVAL) => match fs::hard_link(path, target) {
                Ok(()) => Ok(()),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    Err(TokenFileError::Exists(target.to_owned()))
                }
                Err(error) => Err(failed(target, "create", error)),
            },
            Err(nix::errno::Errno::EEXIST) => Err(TokenFileError::Exists(target.to_owned())),
            Err(error) => Err(failed(target, "create", error.into())),
        }
    }

    /// Gives it its name in place of whatever has it.
    fn replace(mut self, target: &Path) -> Result<(), TokenFileError> {
        let Some(path) = &self.path else { return Ok(()) };
        fs::rename(path, target).map_err(|error| failed(target, "replace", error))?;
        self.path = None;
        Ok(())
    }

    /// Keeps it under the name that it has.
    fn stay(mut self) -> Option<PathBuf> {
        self.path.take()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // After `put` it has gone, or is a second name of the file.
            let _ = fs::remove_file(path);
        }
    }
}

fn open(path: &Path) -> Result<File, TokenFileError> {
    // O_NONBLOCK: a pipe must be refused, not waited for.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits())
        .open(path)
        .map_err(|error| failed(path, "open", error))?;
    let found = file.metadata().map_err(|error| failed(path, "look at", error))?;
    if !found.is_file() {
        return Err(TokenFileError::NotAFile(path.to_owned()));
    }
    let mode = found.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(TokenFileError::Exposed { path: path.to_owned(), mode });
    }
    let (owner, caller) = (found.uid(), nix::unistd::geteuid().as_raw());
    if owner != caller && caller != 0 {
        return Err(TokenFileError::Foreign { path: path.to_owned(), owner });
    }
    Ok(file)
}

/// The file, locked, and still the one that `path` names: two callers never get one counter.
fn locked(path: &Path) -> Result<File, TokenFileError> {
    loop {
        let file = open(path)?;
        file.lock().map_err(|error| failed(path, "lock", error))?;
        let named = fs::metadata(path).map_err(|error| failed(path, "look at", error))?;
        let held = file.metadata().map_err(|error| failed(path, "look at", error))?;
        if (named.dev(), named.ino()) == (held.dev(), held.ino()) {
            return Ok(file);
        }
    }
}

fn load(file: &File, path: &Path) -> Result<OtpUri, TokenFileError> {
    let mut text = Zeroizing::new(String::with_capacity(MAX_BYTES + 1));
    file.take(MAX_BYTES as u64 + 1)
        .read_to_string(&mut text)
        .map_err(|error| failed(path, "read", error))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if text.len() > MAX_BYTES || line.contains('\n') {
        return Err(TokenFileError::NotOneLine(path.to_owned()));
    }
    OtpUri::parse(line).map_err(|error| TokenFileError::Content { path: path.to_owned(), error })
}

/// A name in the same directory that nobody else uses.
fn beside(path: &Path, what: &str) -> Result<PathBuf, TokenFileError> {
    let number = SysRng
        .try_next_u64()
        .map_err(|error| failed(path, "create", io::Error::other(error.to_string())))?;
    let name = path
        .file_name()
        .ok_or_else(|| TokenFileError::NotAFile(path.to_owned()))?
        .to_string_lossy()
        .into_owned();
    Ok(path.with_file_name(format!(".{name}.{number:016x}.{what}")))
}

/// A name is durable once its directory is.
fn sync_directory(path: &Path) -> Result<(), TokenFileError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| failed(path, "make durable", error))
}

fn failed(path: &Path, doing: &'static str, error: io::Error) -> TokenFileError {
    TokenFileError::Io { path: path.to_owned(), doing, error }
}

#[cfg(test)]
#[path = "token_file/tests.rs"]
mod tests;
