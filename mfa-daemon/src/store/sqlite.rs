// SPDX-License-Identifier: GPL-3.0-or-later
//! The SQLite engine: one row a user, WAL, `synchronous=FULL`.

use std::cell::Cell;
use std::collections::HashSet;
use std::ffi::CStr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use getrandom::SysRng;
use mfa_crypto::{MasterKey, RecoveryKey};
use mfa_proto::UserName;
use mfa_proto::audit::AuditEvent;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use tracing::error;

use super::mark::Mark;
use super::{Listed, StoreError, Unfit, guard, migration, recovery_key, ring, row};
use crate::audit::Event;
use crate::keyring::Keyring;
use crate::policy::guard::spent_until;
use crate::policy::record::Record;

/// The schema that this version reads and writes (`PRAGMA user_version`).
pub(super) const SCHEMA: i64 = 3;
/// The oldest that is brought up to date.
const OLDEST_SCHEMA: i64 = 1;
/// "mfad", so that file(1) and a wrong path are told apart (`PRAGMA application_id`).
const APPLICATION: i64 = 0x6d66_6164;

/// How the live database is opened: for this process alone, with the index of the log in its memory and not
/// in a file, for which a full disk would have no room at start. It also saves the calls that lock it.
const LIVE: &CStr = c"unix-excl";
/// How a copy is opened.
const COPY: &CStr = c"unix";

/// Pages in the log at which SQLite begins a checkpoint.
const CHECKPOINT_PAGES: i64 = 300;

/// Pages that a connection keeps, in KiB (`PRAGMA cache_size`, negative): what lies above the leaves of a large
/// table. The kernel has the others.
const CACHE_KIB: i64 = 512;

/// A row as it was read: the version is what a replacement compares.
pub(super) struct Row {
    /// Counts the replacements of this row; negative where an import brought it, see [`staging`].
    pub(super) version: i64,
    /// What it holds.
    pub(super) record: Record,
}

/// A database that was opened and is not yet known to belong to a master key.
pub(super) struct Blank {
    connection: Connection,
}

/// A connection to the database.
pub(super) struct Sqlite {
    pub(super) connection: Connection,
    pub(super) keys: Arc<Keyring>,
    /// How far the database has come, with what is not committed yet.
    mark: Cell<Mark>,
    /// Damaged places of the trail. Found when the database is opened, which it is anew after a commit
    /// that has failed: inside a transaction even a look at one loses it.
    lost: HashSet<u64>,
}

impl Blank {
    /// Opens the database. At start, which `create` says, the schema is made where the file is new, and
    /// may be one that [`Blank::with_keys`] brings up to date.
    ///
    /// # Errors
    /// [`StoreError`], also for a schema that this version does not know.
    pub(super) fn open(path: &Path, create: bool) -> Result<Self, StoreError> {
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_EXRESCODE;
        flags.set(OpenFlags::SQLITE_OPEN_CREATE, create);
        let connection = connect(path, flags, LIVE)?;
        // Longer than any commit of ours, shorter than a login waits.
        connection.busy_timeout(Duration::from_secs(3))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        // The last connection would remove the log, and with it what it keeps of a full disk.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        Self { connection }.of_known_schema(create)
    }

    /// Opens a backup to be looked at; an older one is brought up to date by [`Blank::with_keys`].
    ///
    /// # Errors
    /// [`Unfit`] and other [`StoreError`]s.
    pub(super) fn open_copy(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_EXRESCODE;
        let connection = connect(path, flags, COPY)?;
        // Whoever made it may have put anything into it.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        let read = |name| pragma(&connection, name).map_err(|_| Unfit::NotABackup);
        match (read("application_id")?, read("user_version")?) {
            (APPLICATION, OLDEST_SCHEMA..=SCHEMA) => Ok(Self { connection }),
            (APPLICATION, found) => Err(Unfit::Schema(found).into()),
            _ => Err(Unfit::NotABackup.into()),
        }
    }

    fn of_known_schema(self, create: bool) -> Result<Self, StoreError> {
        let this = self;
        match pragma(&this.connection, "user_version")? {
            0 if create && this.is_blank()? => this.make_schema()?,
            found => {
                let known = if create { OLDEST_SCHEMA..=SCHEMA } else { SCHEMA..=SCHEMA };
                let ours = pragma(&this.connection, "application_id")? == APPLICATION;
                if !ours || !known.contains(&found) {
                    return Err(StoreError::Schema { found, known: SCHEMA });
                }
            }
        }
        Ok(this)
    }

    fn is_blank(&self) -> Result<bool, StoreError> {
        let tables: i64 =
            self.connection.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))?;
        Ok(tables == 0)
    }

    fn make_schema(&self) -> Result<(), StoreError> {
        self.connection.execute_batch(&format!(
            "BEGIN IMMEDIATE;
             {USERS}
             CREATE TABLE master_key (id BLOB NOT NULL) STRICT;
             PRAGMA application_id = {APPLICATION};
             PRAGMA user_version = {SCHEMA};"
        ))?;
        ring::make(&self.connection)?;
        Ok(self.connection.execute_batch("COMMIT")?)
    }

    /// The marks of the keys that what is sealed needs, the one that seals last.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn master_key_ids(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut ids = self.connection.prepare("SELECT id FROM master_key ORDER BY rowid")?;
        let ids = ids.query_map([], |row| row.get(0))?;
        Ok(ids.collect::<Result<_, _>>()?)
    }

    /// Adds the mark of a key that seals from here on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn add_master_key_id(&self, id: &[u8]) -> Result<(), StoreError> {
        self.connection.execute("INSERT INTO master_key (id) VALUES (?1)", [id])?;
        Ok(())
    }

    /// Whether this schema has neither mark nor guard, so that their absence tells nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn is_old(&self) -> Result<bool, StoreError> {
        Ok(pragma(&self.connection, "user_version")? != SCHEMA)
    }

    /// Whether there is any user.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn has_users(&self) -> Result<bool, StoreError> {
        Ok(self.connection.query_row("SELECT EXISTS (SELECT 1 FROM user)", [], |r| r.get(0))?)
    }

    /// The store that these keys open, in the current schema: an older one is brought up to date in
    /// one transaction.
    ///
    /// # Errors
    /// [`StoreError`]; the database is as it was then.
    pub(super) fn with_keys(mut self, keys: Arc<Keyring>) -> Result<Sqlite, StoreError> {
        let found = pragma(&self.connection, "user_version")?;
        if found != SCHEMA {
            migration::bring_up_to_date(&mut self.connection, &keys, found)?;
        }
        let (seq, lost) = ring::look(&self.connection)?;
        let mark = Mark { seq, spent: 0 };
        Ok(Sqlite { connection: self.connection, keys, mark: Cell::new(mark), lost })
    }
}

/// The tables of schema 3 that hold users, and what decides about them.
pub(super) const USERS: &str = "CREATE TABLE user (
                 name    TEXT NOT NULL PRIMARY KEY,
                 version INTEGER NOT NULL,
                 sealed  BLOB NOT NULL
             ) STRICT, WITHOUT ROWID;
             CREATE TABLE import (begun INTEGER NOT NULL, completed INTEGER NOT NULL) STRICT;
             INSERT INTO import (begun, completed) VALUES (0, 0);
             CREATE TABLE guard (
                 number INTEGER NOT NULL,
                 until  INTEGER NOT NULL,
                 skew   INTEGER NOT NULL
             ) STRICT;
             INSERT INTO guard (number, until, skew) VALUES (0, 0, 0);
             CREATE TABLE recovery_key (sealed BLOB NOT NULL) STRICT;
             CREATE TABLE held (name TEXT NOT NULL PRIMARY KEY, sealed BLOB NOT NULL)
                 STRICT, WITHOUT ROWID;";

/// Opens a file. What does not fit SQLite's caches stays in memory: the daemon has no other directory
/// than that of the database to write to, and what is in there is counted upon.
fn connect(path: &Path, flags: OpenFlags, vfs: &CStr) -> Result<Connection, rusqlite::Error> {
    let connection = Connection::open_with_flags_and_vfs(path, flags, vfs)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

/// A number that SQLite keeps.
///
/// # Errors
/// [`StoreError`].
pub(super) fn pragma(connection: &Connection, name: &str) -> Result<i64, StoreError> {
    Ok(connection.pragma_query_value(None, name, |row| row.get(0))?)
}

impl Sqlite {
    /// Whether there is any user.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn has_users(&self) -> Result<bool, StoreError> {
        Ok(self.connection.query_row("SELECT EXISTS (SELECT 1 FROM user)", [], |r| r.get(0))?)
    }

    /// Opens the database for reading only.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn open_reader(path: &Path, keys: Arc<Keyring>) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = connect(path, flags, LIVE)?;
        connection.busy_timeout(Duration::from_secs(3))?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(Self { connection, keys, mark: Cell::default(), lost: HashSet::new() })
    }

    /// The key of the recovery codes, which a first start makes. Where it is damaged a new one takes its
    /// place: the codes of before are refused, everything else goes on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn recovery_key(&self) -> Result<RecoveryKey, StoreError> {
        match recovery_key::read(&self.connection, &self.keys) {
            Ok(Some(key)) => return Ok(key),
            Ok(None) => recovery_key::make(&self.connection, &self.keys)?,
            Err(StoreError::Damaged { what, .. }) => {
                error!(
                    what,
                    "the key of the recovery codes is damaged: all recovery, bypass and invite codes \
                     of before are refused; `mfa recovery-codes` makes new ones"
                );
                let fresh = MasterKey::generate(&mut SysRng).map_err(StoreError::Randomness)?;
                let key = RecoveryKey::of(&fresh);
                recovery_key::write(&self.connection, &self.keys, &key)?;
                return Ok(key);
            }
            Err(error) => return Err(error),
        }
        Ok(self.keys.with_current(RecoveryKey::of))
    }

    /// A user's row, as the guard leaves it.
    ///
    /// # Errors
    /// [`StoreError`], also where the row is not a record in its ranges.
    pub(super) fn get(&self, user: &UserName) -> Result<Option<Row>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT version, sealed FROM user
             WHERE name = ?1 AND version >= (SELECT -completed FROM import)",
        )?;
        let found = statement
            .query_row([user.as_str()], |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?)))
            .optional()?;
        found
            .map(|(version, sealed)| {
                let guard = guard::read(&self.connection)?;
                let name = user.as_str();
                let record = row::open_behind(&guard, &self.keys, name, version, &sealed)?;
                Ok(Row { version, record })
            })
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
        let next = version.map_or(0, |version| version.max(0).saturating_add(1));
        let sealed = self.seal(user.as_str(), next, record)?;
        self.reached(Mark { seq: 0, spent: spent_until(record) });
        let changed = match version {
            Some(version) => self
                .connection
                .prepare_cached(
                    "UPDATE user SET sealed = ?4, version = ?3 WHERE name = ?1 AND version = ?2",
                )?
                .execute(params![user.as_str(), version, next, sealed])?,
            // A row that an import has brought and not completed is none.
            None => self
                .connection
                .prepare_cached(
                    "INSERT INTO user (name, version, sealed) VALUES (?1, ?2, ?3)
                     ON CONFLICT (name) DO UPDATE SET version = ?2, sealed = ?3
                     WHERE version < (SELECT -completed FROM import)",
                )?
                .execute(params![user.as_str(), next, sealed])?,
        };
        if changed == 1 { Ok(()) } else { Err(StoreError::Conflict) }
    }

    /// A record's row: it counts as having passed the guard, since it was read so or is new.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn seal(
        &self,
        name: &str,
        version: i64,
        record: &Record,
    ) -> Result<Vec<u8>, StoreError> {
        let guard = guard::read(&self.connection)?.number;
        row::seal(&self.keys, name, version, &Record { guard, ..record.clone() })
    }

    /// How far the database has come.
    pub(super) fn mark(&self) -> Mark {
        self.mark.get()
    }

    /// It has come at least so far.
    pub(super) fn reached(&self, mark: Mark) {
        let Mark { seq, spent } = self.mark.get();
        self.mark.set(Mark { seq: seq.max(mark.seq), spent: spent.max(mark.spent) });
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

    /// Removes a user's row, whatever is in it; says whether there was one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn erase(&self, user: &UserName) -> Result<bool, StoreError> {
        let changed = self.connection.execute(
            "DELETE FROM user WHERE name = ?1 AND version >= (SELECT -completed FROM import)",
            [user.as_str()],
        )?;
        Ok(changed == 1)
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
            "SELECT name, version, sealed FROM user
             WHERE name > ?1 AND version >= (SELECT -completed FROM import)
             ORDER BY name LIMIT ?2",
        )?;
        let after = after.map_or("", UserName::as_str);
        let guard = guard::read(&self.connection)?;
        let rows = statement.query_map(params![after, limit], |row| {
            Ok((row.get::<_, String>(0)?, row.get(1)?, row.get::<_, Vec<u8>>(2)?))
        })?;
        rows.map(|found| {
            let (name, version, sealed) = found?;
            let record = row::open_behind(&guard, &self.keys, &name, version, &sealed);
            Ok((name, record))
        })
        .collect()
    }

    /// Writes an audit event, with the next number. Places of the trail that are known to be damaged are
    /// passed over, so that their loss costs nobody a login; where there is no other, the event is in
    /// the log alone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn note(&self, event: Event) -> Result<AuditEvent, StoreError> {
        let next = self.mark.get().seq + 1;
        let mut numbers = next..next + u64::from(ring::ENTRIES);
        let Some(seq) = numbers.find(|seq| !self.lost.contains(&ring::place(*seq))) else {
            return Ok(event.numbered(0));
        };
        let event = ring::write(&self.connection, event, seq)?;
        self.reached(Mark { seq, spent: 0 });
        Ok(event)
    }

    /// Audit events.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn events(&self, query: &ring::Query) -> Result<Vec<AuditEvent>, StoreError> {
        ring::read(&self.connection, query)
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
        let mark = self.mark.get();
        let result = work(self);
        if result.is_err() {
            self.mark.set(mark);
            self.connection.prepare_cached("ROLLBACK TO change")?.execute([])?;
        }
        self.connection.prepare_cached("RELEASE change")?.execute([])?;
        result
    }
}
