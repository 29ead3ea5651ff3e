// SPDX-License-Identifier: GPL-3.0-or-later
//! The SQLite engine: one row a user, WAL, `synchronous=FULL`.

use std::path::Path;
use std::time::Duration;

use mfa_proto::UserName;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::{Listed, StoreError, migration};
use crate::policy::record::Record;

/// The schema that this version reads and writes (`PRAGMA user_version`).
pub(super) const SCHEMA: i64 = 2;
/// The one before, which is brought up to date.
const OLD_SCHEMA: i64 = 1;
/// "mfad", so that file(1) and a wrong path are told apart (`PRAGMA application_id`).
const APPLICATION: i64 = 0x6d66_6164;

/// Pages in the log at which SQLite begins a checkpoint.
const CHECKPOINT_PAGES: i64 = 300;
/// Pages of the log that are reserved: the group of changes that is committed at that moment adds
/// to them.
const LOG_PAGES: i64 = 600;

/// A row as it was read: the version is what a replacement compares.
pub(super) struct Row {
    /// Counts the replacements of this row.
    pub(super) version: i64,
    /// What it holds.
    pub(super) record: Record,
}

/// A connection to the database.
pub(super) struct Sqlite {
    connection: Connection,
}

impl Sqlite {
    /// Opens the database. At start, which `create` says, the schema is made where the file is new, and
    /// may be one that [`bring_up_to_date`](Self::bring_up_to_date) knows.
    ///
    /// # Errors
    /// [`StoreError`], also for a schema that this version does not know.
    pub(super) fn open(path: &Path, create: bool) -> Result<Self, StoreError> {
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_EXRESCODE;
        flags.set(OpenFlags::SQLITE_OPEN_CREATE, create);
        let connection = Connection::open_with_flags(path, flags)?;
        // Longer than any commit of ours, shorter than a login waits.
        connection.busy_timeout(Duration::from_secs(3))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        let this = Self { connection };
        match this.pragma("user_version")? {
            SCHEMA if this.pragma("application_id")? == APPLICATION => {}
            OLD_SCHEMA if create && this.pragma("application_id")? == APPLICATION => {}
            0 if create && this.is_blank()? => this.make_schema()?,
            found => return Err(StoreError::Schema { found, known: SCHEMA }),
        }
        Ok(this)
    }

    /// Opens the database for reading only.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn open_reader(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(Duration::from_secs(3))?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(Self { connection })
    }

    fn pragma(&self, name: &str) -> Result<i64, StoreError> {
        Ok(self.connection.pragma_query_value(None, name, |row| row.get(0))?)
    }

    fn is_blank(&self) -> Result<bool, StoreError> {
        let tables: i64 =
            self.connection.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))?;
        Ok(tables == 0)
    }

    fn make_schema(&self) -> Result<(), StoreError> {
        self.connection.execute_batch(&format!(
            "BEGIN IMMEDIATE;
             CREATE TABLE user (
                 name    TEXT NOT NULL PRIMARY KEY,
                 version INTEGER NOT NULL,
                 record  TEXT NOT NULL
             ) STRICT, WITHOUT ROWID;
             CREATE TABLE master_key (id BLOB NOT NULL) STRICT;
             PRAGMA application_id = {APPLICATION};
             PRAGMA user_version = {SCHEMA};
             COMMIT;"
        ))?;
        Ok(())
    }

    /// Makes the current schema of the one before, in one transaction.
    ///
    /// # Errors
    /// [`StoreError`]; the database is as it was then.
    pub(super) fn bring_up_to_date(&mut self) -> Result<(), StoreError> {
        match self.pragma("user_version")? {
            OLD_SCHEMA => migration::from_1_to_2(&mut self.connection),
            _ => Ok(()),
        }
    }

    /// The mark of the key that the secrets are sealed with.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn master_key_id(&self) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self
            .connection
            .query_row("SELECT id FROM master_key", [], |row| row.get(0))
            .optional()?)
    }

    /// Writes the mark, once.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn set_master_key_id(&self, id: &[u8]) -> Result<(), StoreError> {
        self.connection.execute("INSERT INTO master_key (id) VALUES (?1)", [id])?;
        Ok(())
    }

    /// Whether there is any user.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn has_users(&self) -> Result<bool, StoreError> {
        Ok(self.connection.query_row("SELECT EXISTS (SELECT 1 FROM user)", [], |r| r.get(0))?)
    }

    /// A user's row.
    ///
    /// # Errors
    /// [`StoreError`], also where the row is not a record in its ranges.
    pub(super) fn get(&self, user: &UserName) -> Result<Option<Row>, StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT version, record FROM user WHERE name = ?1")?;
        let found = statement
            .query_row([user.as_str()], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))
            .optional()?;
        found
            .map(|(version, text)| Ok(Row { version, record: parse(user.as_str(), &text)? }))
            .transpose()
    }

    /// Replaces a user's row if it is still of `version`; `None` is "no row". The one write that
    /// spends a code.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where somebody was faster.
    pub(super) fn put(
        &self,
        user: &UserName,
        version: Option<i64>,
        record: &Record,
    ) -> Result<(), StoreError> {
        let text = serde_json::to_string(record).map_err(StoreError::Encode)?;
        let changed = match version {
            Some(version) => self
                .connection
                .prepare_cached(
                    "UPDATE user SET record = ?3, version = ?2 + 1 WHERE name = ?1 AND version = ?2",
                )?
                .execute(params![user.as_str(), version, text])?,
            None => self
                .connection
                .prepare_cached("INSERT OR IGNORE INTO user (name, version, record) VALUES (?1, 0, ?2)")?
                .execute(params![user.as_str(), text])?,
        };
        if changed == 1 { Ok(()) } else { Err(StoreError::Conflict) }
    }

    /// Removes a user's row if it is still of `version`.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where somebody was faster.
    pub(super) fn remove(&self, user: &UserName, version: i64) -> Result<(), StoreError> {
        let changed = self
            .connection
            .prepare_cached("DELETE FROM user WHERE name = ?1 AND version = ?2")?
            .execute(params![user.as_str(), version])?;
        if changed == 1 { Ok(()) } else { Err(StoreError::Conflict) }
    }

    /// Users in the order of their names, after `after`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn list(
        &self,
        after: Option<&UserName>,
        limit: u16,
    ) -> Result<Vec<Listed>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT name, record FROM user WHERE name > ?1 ORDER BY name LIMIT ?2",
        )?;
        let after = after.map_or("", UserName::as_str);
        let rows = statement.query_map(params![after, limit], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        })?;
        rows.map(|row| {
            let (name, text) = row?;
            let record = parse(&name, &text);
            Ok((name, record))
        })
        .collect()
    }

    /// Grows the write-ahead log beforehand by more than a checkpoint leaves in it, so that commits
    /// overwrite it in place: they change no file size, which makes them quicker, and they need no
    /// space, which lets logins go on where a disk is full.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn reserve_log(&self) -> Result<(), StoreError> {
        let content = LOG_PAGES * self.pragma("page_size")?;
        self.connection.execute_batch(&format!(
            "BEGIN IMMEDIATE;
             CREATE TABLE reserve (content BLOB NOT NULL) STRICT;
             INSERT INTO reserve (content) VALUES (zeroblob({content}));
             DROP TABLE reserve;
             COMMIT;
             PRAGMA wal_checkpoint(RESTART);"
        ))?;
        Ok(())
    }

    /// Begins the transaction that a group of changes shares.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn begin(&self) -> Result<(), StoreError> {
        Ok(self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([]).map(drop)?)
    }

    /// Makes the transaction durable.
    ///
    /// # Errors
    /// [`StoreError`]; nothing of it is there then.
    pub(super) fn commit(&self) -> Result<(), StoreError> {
        Ok(self.connection.prepare_cached("COMMIT")?.execute([]).map(drop)?)
    }

    /// Does `work` inside the open transaction so that, where it fails, nothing of it stays while
    /// the others of the transaction do.
    ///
    /// # Errors
    /// What `work` fails with, or [`StoreError`].
    pub(super) fn apart<R>(
        &self,
        work: impl FnOnce(&Self) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        self.connection.prepare_cached("SAVEPOINT change")?.execute([])?;
        let result = work(self);
        if result.is_err() {
            self.connection.prepare_cached("ROLLBACK TO change")?.execute([])?;
        }
        self.connection.prepare_cached("RELEASE change")?.execute([])?;
        result
    }
}

/// A row's record, in its ranges.
///
/// # Errors
/// [`StoreError::Damaged`].
pub(super) fn parse(user: &str, text: &str) -> Result<Record, StoreError> {
    let record: Record = serde_json::from_str(text)
        .map_err(|error| StoreError::Damaged { user: user.to_owned(), what: error.to_string() })?;
    record
        .check()
        .map_err(|error| StoreError::Damaged { user: user.to_owned(), what: error.to_string() })?;
    Ok(record)
}
