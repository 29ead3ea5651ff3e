// SPDX-License-Identifier: GPL-3.0-or-later
//! The master key: 32 bytes that only the daemon may read, in a file that the first start makes, or in
//! a credential that systemd passes and only an administrator makes.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use mfa_crypto::MasterKey;
use nix::fcntl::OFlag;
use zeroize::Zeroizing;

use crate::store::{beside, sync_names};

const LEN: usize = 32;

/// Where the master key comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeySource {
    /// A file of the daemon's.
    File(PathBuf),
    /// A credential of the service, systemd.exec(5): there when it starts, never changed by it.
    Credential {
        /// Its name.
        name: String,
        /// The file that systemd has put it into; `None` where it passes no credentials.
        path: Option<PathBuf>,
        /// The file of the key that it takes the place of.
        old: Option<PathBuf>,
    },
}

impl KeySource {
    /// The key; `None` where a first start may make one.
    ///
    /// # Errors
    /// [`MasterKeyError`], also where there is no such credential.
    pub fn load(&self) -> Result<Option<MasterKey>, MasterKeyError> {
        match self {
            Self::File(path) => load(path),
            Self::Credential { name, path, .. } => {
                let found = path.as_deref().map_or(Ok(None), |path| read(path, Kept::BySystemd))?;
                found.map(Some).ok_or_else(|| MasterKeyError::NoCredential(name.clone()))
            }
        }
    }

    /// The other key while one takes the place of another: a file's next one, a credential's old one.
    ///
    /// # Errors
    /// [`MasterKeyError`].
    pub fn load_other(&self) -> Result<Option<MasterKey>, MasterKeyError> {
        match self {
            Self::File(path) => load(&next(path)),
            Self::Credential { old: Some(old), .. } => read(old, Kept::BySystemd),
            Self::Credential { old: None, .. } => Ok(None),
        }
    }

    /// What messages name of both.
    #[must_use]
    pub fn both_places(&self) -> [PathBuf; 2] {
        let other = match self {
            Self::File(path) => next(path),
            Self::Credential { old, .. } => old.clone().unwrap_or_else(|| "old_credential".into()),
        };
        [self.place().to_owned(), other]
    }

    /// What messages name.
    #[must_use]
    pub fn place(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Credential { name, path, .. } => path.as_deref().unwrap_or(Path::new(name)),
        }
    }
}

/// Why there is no master key.
#[derive(Debug)]
pub enum MasterKeyError {
    /// The file cannot be read or written.
    Io(PathBuf, io::Error),
    /// Not a regular file.
    NotAFile(PathBuf),
    /// Others may read it.
    Mode(PathBuf, u32),
    /// It belongs to somebody else.
    Owner(PathBuf, u32),
    /// It has not 32 bytes.
    Length(PathBuf, u64),
    /// systemd passes no credential of this name.
    NoCredential(String),
    /// It is missing or another one than that which takes the old one's place.
    NotTheNext(PathBuf),
}

impl fmt::Display for MasterKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "master key {}: {error}", path.display()),
            Self::NotAFile(path) => {
                write!(f, "master key {} is not a regular file", path.display())
            }
            Self::Mode(path, mode) => write!(
                f,
                "master key {} has mode {mode:04o}: others may read it; chmod 600 it, and consider \
                 it known to them",
                path.display()
            ),
            Self::Owner(path, uid) => write!(
                f,
                "master key {} belongs to uid {uid}, not to the daemon's user",
                path.display()
            ),
            Self::Length(path, len) => write!(
                f,
                "master key {} has {len} bytes instead of {LEN}; restore it from your backup",
                path.display()
            ),
            Self::NotTheNext(path) => write!(
                f,
                "{} is not the new master key that was begun with; nothing was replaced",
                path.display()
            ),
            Self::NoCredential(name) => write!(
                f,
                "systemd passes no credential {name:?} to this service (master_key.credential). Where \
                 there are users already, restore the key that belongs to them. For a new store make \
                 one: `head -c32 /dev/urandom | systemd-creds encrypt --name={name} - \
                 /etc/credstore.encrypted/{name}`; and pass it, in `systemctl edit mfa.service`: \
                 `[Service]` and below it \
                 `LoadCredentialEncrypted={name}:/etc/credstore.encrypted/{name}`"
            ),
        }
    }
}

impl std::error::Error for MasterKeyError {}

/// Whose a key's file is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// The daemon's.
    ByUs,
    /// systemd's, which makes it readable for the service's user: as its owner, or by an access control
    /// list, whose mask stat(2) shows as the group's bits.
    BySystemd,
}

/// Reads the key; `None` where there is no file at all.
///
/// # Errors
/// [`MasterKeyError`] for a file that is not exactly as it must be.
pub fn load(path: &Path) -> Result<Option<MasterKey>, MasterKeyError> {
    read(path, Kept::ByUs)
}

fn read(path: &Path, kept: Kept) -> Result<Option<MasterKey>, MasterKeyError> {
    let io_error = |error| MasterKeyError::Io(path.to_owned(), error);
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let mut file = match OpenOptions::new().read(true).custom_flags(flags.bits()).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.raw_os_error() == Some(nix::errno::Errno::ELOOP as i32) => {
            return Err(MasterKeyError::NotAFile(path.to_owned()));
        }
        Err(error) => return Err(io_error(error)),
    };
    let found = file.metadata().map_err(io_error)?;
    if !found.is_file() {
        return Err(MasterKeyError::NotAFile(path.to_owned()));
    }
    let mode = found.permissions().mode() & 0o7777;
    let listed = kept == Kept::BySystemd && found.uid() == 0 && found.gid() == 0;
    let closed = if listed { 0o037 } else { 0o077 };
    if mode & closed != 0 {
        return Err(MasterKeyError::Mode(path.to_owned(), mode));
    }
    let me = nix::unistd::geteuid().as_raw();
    if found.uid() != me && found.uid() != 0 {
        return Err(MasterKeyError::Owner(path.to_owned(), found.uid()));
    }
    if found.len() != LEN as u64 {
        return Err(MasterKeyError::Length(path.to_owned(), found.len()));
    }
    let mut bytes = Zeroizing::new([0; LEN]);
    file.read_exact(bytes.as_mut()).map_err(io_error)?;
    Ok(Some(MasterKey::from_bytes(bytes)))
}

/// Writes a new key where there is none: whole and durable, or not at all.
///
/// # Errors
/// [`MasterKeyError::Io`], also where a file of that name exists.
pub fn create(path: &Path, key: &MasterKey) -> Result<(), MasterKeyError> {
    let fresh = beside(path, ".new");
    let write = || {
        let _ = fs::remove_file(&fresh);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        file.write_all(key.expose())?;
        file.sync_all()?;
        // A link, not a rename: it never replaces a key that is there.
        fs::hard_link(&fresh, path)?;
        fs::remove_file(&fresh)?;
        sync_names(path)
    };
    write().map_err(|error| MasterKeyError::Io(path.to_owned(), error))
}

/// Where the key stands that takes the place of the one at `path`.
#[must_use]
pub fn next(path: &Path) -> PathBuf {
    beside(path, ".next")
}

/// Puts the next key, which must be the one with this mark, into the place of the one at `path`, durably.
///
/// # Errors
/// [`MasterKeyError`]; both are as they were then, or the next one is in its place.
pub fn replace(path: &Path, id: &[u8; 16]) -> Result<(), MasterKeyError> {
    if load(&next(path))?.is_none_or(|key| key.id() != *id) {
        return Err(MasterKeyError::NotTheNext(next(path)));
    }
    fs::rename(next(path), path)
        .and_then(|()| sync_names(path))
        .map_err(|error| MasterKeyError::Io(path.to_owned(), error))
}

#[cfg(test)]
mod tests {
    use getrandom::SysRng;

    use super::*;

    #[test]
    fn a_key_survives_the_file_and_is_never_replaced() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("key");
        assert!(load(&path).unwrap().is_none());
        let key = MasterKey::generate(&mut SysRng).unwrap();
        create(&path, &key).unwrap();
        assert_eq!(load(&path).unwrap().unwrap().id(), key.id());
        let other = MasterKey::generate(&mut SysRng).unwrap();
        assert!(create(&path, &other).is_err());
        assert_eq!(load(&path).unwrap().unwrap().id(), key.id());
    }

    #[test]
    fn a_credential_is_read_where_only_the_service_can_read_it_and_never_made() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("mfa.master-key");
        let of = |path: Option<&Path>| KeySource::Credential {
            name: "mfa.master-key".to_owned(),
            path: path.map(Path::to_owned),
            old: None,
        };
        for none in [of(None), of(Some(&path))] {
            let error = none.load().err().unwrap().to_string();
            assert!(error.contains("systemd-creds encrypt --name=mfa.master-key"), "{error}");
            assert!(error.contains("LoadCredentialEncrypted=mfa.master-key:"), "{error}");
        }
        assert!(!path.exists());
        fs::write(&path, [7; LEN]).unwrap();
        let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        mode(0o400);
        assert_eq!(
            of(Some(&path)).load().unwrap().unwrap().id(),
            load(&path).unwrap().unwrap().id()
        );
        for others in [0o404, 0o420, 0o410] {
            mode(others);
            assert!(matches!(of(Some(&path)).load(), Err(MasterKeyError::Mode(..))), "{others:o}");
        }
        // A list's mask; as a file of ours it would be open to a group.
        mode(0o440);
        assert!(matches!(load(&path), Err(MasterKeyError::Mode(_, 0o440))));
        let of_root = fs::metadata(&path).unwrap().uid() == 0;
        assert_eq!(of(Some(&path)).load().is_ok(), of_root);
        mode(0o400);
        for len in [0, 31, 33] {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            fs::write(&path, vec![0; len]).unwrap();
            assert!(matches!(of(Some(&path)).load(), Err(MasterKeyError::Length(..))), "{len}");
        }
    }

    #[test]
    fn a_file_that_is_not_exactly_as_it_must_be_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("key");
        create(&path, &MasterKey::generate(&mut SysRng).unwrap()).unwrap();
        let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        mode(0o644);
        assert!(matches!(load(&path), Err(MasterKeyError::Mode(_, 0o644))));
        mode(0o600);
        assert!(load(&path).unwrap().is_some());
        let link = home.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(matches!(load(&link), Err(MasterKeyError::NotAFile(_))));
        assert!(matches!(load(home.path()), Err(MasterKeyError::NotAFile(_))));
        for len in [0, 31, 33] {
            fs::write(&path, vec![0; len]).unwrap();
            assert!(matches!(load(&path), Err(MasterKeyError::Length(..))), "{len}");
        }
    }
}
