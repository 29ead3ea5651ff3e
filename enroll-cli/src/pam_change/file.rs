// SPDX-License-Identifier: GPL-3.0-or-later
//! The file of a service, and another one in its place.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{FileExt as _, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use xattr::FileExt as _;

use super::{PamError, Place};

/// More than any file of PAM has; what is larger is something else.
const BYTES_MAX: u64 = 1 << 20;

/// Where packages have their files; a change there would be lost with the next upgrade.
const OF_PACKAGES: &str = "usr";

/// The file that a service is in, with links followed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Target {
    pub(crate) path: PathBuf,
}

/// What belongs to a file besides its bytes.
#[derive(PartialEq, Eq, Debug)]
struct Attributes {
    uid: u32,
    gid: u32,
    mode: u32,
    /// Labels of SELinux, access lists and the like.
    extended: Vec<(std::ffi::OsString, Vec<u8>)>,
}

/// The file of `service`, which must be one that can be changed.
pub(crate) fn file_of(place: &Place, service: &str) -> Result<Target, PamError> {
    let path = place.services.join(service);
    let found = fs::canonicalize(&path);
    let path = match found {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let instead = ["usr/lib/pam.d", "usr/share/pam.d"]
                .map(|directory| place.root.join(directory).join(service))
                .into_iter()
                .find(|path| path.exists());
            return Err(PamError::NoService { service: service.to_owned(), instead });
        }
        found => found.map_err(|error| PamError::io(&path, error))?,
    };
    let about = fs::symlink_metadata(&path).map_err(|error| PamError::io(&path, error))?;
    if !about.is_file() || about.len() > BYTES_MAX {
        return Err(PamError::NotAFile(path));
    }
    if path.starts_with(place.root.join(OF_PACKAGES)) {
        return Err(PamError::OfAPackage(path));
    }
    Ok(Target { path })
}

impl Target {
    /// The new file, before it takes the place.
    fn fresh(&self) -> PathBuf {
        self.beside("mfa-new")
    }

    /// The old file, once it has given the place up. Nothing takes a hidden file for a service.
    pub(crate) fn old(&self) -> PathBuf {
        self.beside("mfa-old")
    }

    fn beside(&self, end: &str) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        self.path.with_file_name(format!(".{name}.{end}"))
    }

    pub(crate) fn read(&self) -> Result<Vec<u8>, PamError> {
        read(&self.path).map_err(|error| PamError::io(&self.path, error))
    }

    /// Whether another name leads to it, which would lead to the old one afterwards.
    pub(crate) fn has_other_names(&self) -> Result<bool, PamError> {
        let about = fs::metadata(&self.path).map_err(|error| PamError::io(&self.path, error))?;
        Ok(about.nlink() > 1)
    }

    /// These bytes as a new file with the attributes of the one there is, which stays under its other
    /// name where `keep_old`.
    pub(crate) fn replace(&self, bytes: &[u8], keep_old: bool) -> Result<(), PamError> {
        let (new, old) = (self.fresh(), self.old());
        let io = |path: &Path| {
            let path = path.to_owned();
            move |error| PamError::io(&path, error)
        };
        remove_if_there(&new)?;
        let current = File::open(&self.path).map_err(io(&self.path))?;
        let attributes = Attributes::of(&current).map_err(io(&self.path))?;
        let replaced = write(&new, bytes, &attributes).map_err(io(&new)).and_then(|()| {
            if keep_old {
                remove_if_there(&old)?;
                fs::hard_link(&self.path, &old).map_err(io(&old))?;
            }
            fs::rename(&new, &self.path).map_err(io(&self.path))
        });
        if replaced.is_err() {
            let _ = fs::remove_file(&new);
        }
        replaced.and_then(|()| self.sync())
    }

    /// Puts the old file itself back, where it is what it must be and nobody changed owner, mode or
    /// labels since. This takes no room on the disk.
    pub(crate) fn restore(&self, before: &[u8]) -> Result<bool, PamError> {
        let old = self.old();
        let alike = || -> std::io::Result<bool> {
            let (current, old) = (File::open(&self.path)?, File::open(&old)?);
            Ok(Attributes::of(&current)? == Attributes::of(&old)?)
        };
        if !matches!(read(&old), Ok(bytes) if bytes == before) || !alike().unwrap_or(false) {
            return Ok(false);
        }
        fs::rename(&old, &self.path).map_err(|error| PamError::io(&self.path, error))?;
        self.sync()?;
        Ok(true)
    }

    /// Overwrites single bytes in the file itself: takes no room on the disk.
    pub(crate) fn overwrite(&self, places: &[usize], byte: u8) -> Result<(), PamError> {
        let io = |error| PamError::io(&self.path, error);
        let file = OpenOptions::new().write(true).open(&self.path).map_err(io)?;
        for place in places {
            file.write_all_at(&[byte], u64::try_from(*place).unwrap_or(u64::MAX)).map_err(io)?;
        }
        file.sync_all().map_err(io)
    }

    /// Nothing of ours lies beside it any more.
    pub(crate) fn tidy(&self) -> Result<(), PamError> {
        remove_if_there(&self.fresh())?;
        remove_if_there(&self.old())?;
        self.sync()
    }

    fn sync(&self) -> Result<(), PamError> {
        sync_directory(self.path.parent().unwrap_or(Path::new("/")))
    }
}

impl Attributes {
    fn of(file: &File) -> std::io::Result<Self> {
        let about = file.metadata()?;
        let mut extended = Vec::new();
        for name in file.list_xattr()? {
            if let Some(value) = file.get_xattr(&name)? {
                extended.push((name, value));
            }
        }
        extended.sort();
        Ok(Self { uid: about.uid(), gid: about.gid(), mode: about.mode() & 0o7777, extended })
    }

    fn give(&self, file: &File) -> std::io::Result<()> {
        fchown(file, Some(self.uid), Some(self.gid))?;
        file.set_permissions(Permissions::from_mode(self.mode))?;
        let there = Self::of(file)?;
        for (name, value) in &self.extended {
            // The kernel gives labels to new files, often the right ones.
            if !there.extended.contains(&(name.clone(), value.clone())) {
                file.set_xattr(name, value)?;
            }
        }
        Ok(())
    }
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn write(path: &Path, bytes: &[u8], attributes: &Attributes) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    attributes.give(&file)?;
    file.sync_all()
}

pub(super) fn remove_if_there(path: &Path) -> Result<(), PamError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(PamError::io(path, error)),
        _ => Ok(()),
    }
}

pub(super) fn sync_directory(path: &Path) -> Result<(), PamError> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| PamError::io(path, error))
}
