// SPDX-License-Identifier: GPL-3.0-or-later
//! A copy of the database while people log in, by SQLite's online backup. It is of one moment, sealed
//! as the database is, and worth nothing without the master key.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::census::Apart;
use super::open::beside;
use super::sqlite::Sqlite;
use super::{Store, StoreError};

/// Pages between two questions whether to go on.
const PAGES: i32 = 1024;

impl Store {
    /// A copy, in a file of the daemon's own that has no name any more, and its length in bytes.
    ///
    /// # Errors
    /// [`StoreError`], [`StoreError::Closed`] where `goes_on` said that it was not to go on.
    pub fn back_up(&self, goes_on: impl Fn() -> bool) -> Result<(File, u64), StoreError> {
        self.apart.back_up(goes_on)
    }
}

impl Apart {
    fn back_up(&self, goes_on: impl Fn() -> bool) -> Result<(File, u64), StoreError> {
        let path = beside(&self.path, ".backup");
        let failed = |error| StoreError::Directory(path.clone(), error);
        // Of a daemon that was killed.
        let _ = fs::remove_file(&path);
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        let copied = self.copy_to(&path, goes_on);
        let removed = fs::remove_file(&path).map_err(failed);
        copied?;
        removed?;
        let bytes = file.metadata().map_err(failed)?.len();
        Ok((file, bytes))
    }

    fn copy_to(
        &self,
        path: &std::path::Path,
        goes_on: impl Fn() -> bool,
    ) -> Result<(), StoreError> {
        let source = Sqlite::open_reader(&self.path, Arc::clone(&self.keys))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut copy = Connection::open_with_flags(path, flags)?;
        // What a power cut leaves of it is thrown away.
        copy.pragma_update(None, "journal_mode", "MEMORY")?;
        copy.pragma_update(None, "synchronous", "OFF")?;
        // One moment: without this the copy would begin anew with every login.
        source.connection.execute_batch("BEGIN; SELECT completed FROM import;")?;
        {
            let backup = Backup::new(&source.connection, &mut copy)?;
            while goes_on() {
                match backup.step(PAGES)? {
                    StepResult::Done => break,
                    // Nobody else uses the copy, and readers wait for nobody.
                    _ => std::thread::yield_now(),
                }
            }
        }
        if !goes_on() {
            return Err(StoreError::Closed);
        }
        // A file that stands for itself, without a log beside it.
        copy.pragma_update(None, "journal_mode", "DELETE")?;
        copy.close().map_err(|(_, error)| StoreError::Sqlite(error))
    }
}
