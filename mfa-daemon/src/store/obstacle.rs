// SPDX-License-Identifier: GPL-3.0-or-later
//! What keeps the store from writing where an administrator can do something about it.

use std::io::ErrorKind;
use std::path::Path;

use nix::sys::statvfs::{FsFlags, statvfs};
use rusqlite::ErrorCode;

use super::StoreError;

/// Why the disk takes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// It has no room, or a quota or a limit on file sizes is used up.
    Full,
    /// It is mounted read-only, as after an error that the kernel has found in it.
    ReadOnly,
}

impl Obstacle {
    /// What is to be seen of the disk itself: SQLite tells of a read-only one as of any other error.
    #[must_use]
    pub(super) fn of_disk(database: &Path) -> Option<Self> {
        let disk = statvfs(database).ok()?;
        if disk.flags().contains(FsFlags::ST_RDONLY) {
            Some(Self::ReadOnly)
        } else {
            (disk.blocks_available() == 0).then_some(Self::Full)
        }
    }
}

impl StoreError {
    /// The obstacle, where that is the reason.
    #[must_use]
    pub fn obstacle(&self) -> Option<Obstacle> {
        match self {
            Self::NotCommitted(obstacle) => *obstacle,
            Self::NoRoom(_) => Some(Obstacle::Full),
            Self::Sqlite(error) => match error.sqlite_error_code()? {
                ErrorCode::DiskFull => Some(Obstacle::Full),
                ErrorCode::ReadOnly => Some(Obstacle::ReadOnly),
                _ => None,
            },
            Self::Mark(_, error) | Self::Directory(_, error) => match error.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                    Some(Obstacle::Full)
                }
                ErrorKind::ReadOnlyFilesystem => Some(Obstacle::ReadOnly),
                _ => None,
            },
            _ => None,
        }
    }
}
