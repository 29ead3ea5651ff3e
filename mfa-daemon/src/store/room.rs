// SPDX-License-Identifier: GPL-3.0-or-later
//! Room that logins need, taken beforehand: in the log, in the database, on the disk. So they go on where a disk
//! is full, and a start succeeds there.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::StoreError;
use super::open::beside;
use super::sqlite::{Sqlite, pragma};

/// Pages of the log that are reserved: the group of changes that is committed at that moment adds
/// to them.
const LOG_PAGES: i64 = 600;
/// Bytes before the first page of a log, <https://www.sqlite.org/fileformat2.html#walformat>.
const LOG_HEADER: usize = 32;
/// Bytes of the disk that an import leaves: enough for the log, and for the database to take in what
/// stands in it.
const ROOM: u64 = 8 << 20;

impl Sqlite {
    /// Grows the write-ahead log beforehand by more than a checkpoint leaves in it, so that commits
    /// overwrite it in place: they change no file size, which makes them quicker, and they need no
    /// space, which lets logins go on where a disk is full. What an earlier start has left of it is used
    /// again, from its beginning: so a start needs no space either.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn reserve_log(&self) -> Result<(), StoreError> {
        self.empty_log()?;
        let log = fs::metadata(self.log_path()).map_or(0, |log| log.len());
        if log >= self.reserved()? && self.has_free_pages()? {
            return Ok(());
        }
        self.begin()?;
        self.reserve_pages()?;
        self.commit()?;
        self.empty_log().map(drop)
    }

    /// Takes all of the log into the database, so that the next change begins it anew; says whether that
    /// was possible, which a reader keeps it from.
    fn empty_log(&self) -> Result<bool, StoreError> {
        let mut checkpoint = self.connection.prepare("PRAGMA wal_checkpoint(RESTART)")?;
        Ok(checkpoint.query_row([], |row| {
            Ok(row.get::<_, i64>(0)? == 0 && row.get::<_, i64>(1)? == row.get::<_, i64>(2)?)
        })?)
    }

    /// Leaves a database that stands for itself, and a log that says nothing: it stays for the room that
    /// it holds, and beside another database, as a backup that somebody copies here, it must change nothing.
    ///
    /// # Errors
    /// [`StoreError`]; the log counts then, as after a crash.
    pub(super) fn settle(&self) -> Result<(), StoreError> {
        if !self.empty_log()? {
            return Ok(());
        }
        let path = self.log_path();
        // A restore may have made it as long as the database.
        let most = 2 * self.reserved()?;
        fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .and_then(|log| {
                log.write_all_at(&[0; LOG_HEADER], 0)?;
                if log.metadata()?.len() > most {
                    log.set_len(most)?;
                }
                log.sync_data()
            })
            .map_err(|error| StoreError::Directory(path, error))
    }

    /// Bytes of the log that are reserved.
    fn reserved(&self) -> Result<u64, StoreError> {
        let page = u64::try_from(pragma(&self.connection, "page_size")?).unwrap_or(0);
        Ok(u64::try_from(LOG_PAGES).unwrap_or(0).saturating_mul(page))
    }

    fn log_path(&self) -> PathBuf {
        beside(Path::new(self.connection.path().unwrap_or_default()), "-wal")
    }

    /// Has as many free pages in the database, inside a transaction: records become longer with use.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn reserve_pages(&self) -> Result<(), StoreError> {
        let content = LOG_PAGES * pragma(&self.connection, "page_size")?;
        Ok(self.connection.execute_batch(&format!(
            "CREATE TABLE reserve (content BLOB NOT NULL) STRICT;
             INSERT INTO reserve (content) VALUES (zeroblob({content}));
             DROP TABLE reserve;"
        ))?)
    }

    /// The same where less than half of them are left.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn restore_pages(&self) -> Result<(), StoreError> {
        if self.has_free_pages()? { Ok(()) } else { self.reserve_pages() }
    }

    fn has_free_pages(&self) -> Result<bool, StoreError> {
        Ok(pragma(&self.connection, "freelist_count")? >= LOG_PAGES / 2)
    }

    /// Whether the disk has room for more than logins.
    ///
    /// # Errors
    /// [`StoreError::NoRoom`].
    pub(super) fn has_room(&self) -> Result<(), StoreError> {
        let path = self.connection.path().unwrap_or_default();
        match nix::sys::statvfs::statvfs(path) {
            Ok(disk) if disk.blocks_available() * disk.fragment_size() < ROOM => {
                Err(StoreError::NoRoom(ROOM))
            }
            // Where it cannot be told, a write says so.
            _ => Ok(()),
        }
    }
}
