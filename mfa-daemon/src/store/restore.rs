// SPDX-License-Identifier: GPL-3.0-or-later
//! Putting a backup back: looked at apart first, then taken over in one commit, with a guard, so that no
//! code from before that moment opens a login.
//!
//! Users come from the backup. The trail, the master key and the key of the recovery codes stay: what
//! happened since is still told, and numbers never go back.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::params;

use super::check::is_damage;
use super::open::beside;
use super::sqlite::{Blank, Sqlite};
use super::{Moment, Store, StoreError, guard};
use crate::audit::Event;
use crate::progress::Progress;

/// What comes before it is looked at: a file in a directory of its own, gone with it.
pub struct Incoming {
    directory: PathBuf,
    file: File,
}

/// A backup that was looked at and is good.
pub struct Verified {
    store: Sqlite,
    /// Users in it.
    pub users: u64,
    /// The last guard that a record of it has passed.
    guard: u32,
    _incoming: Incoming,
}

/// Why a backup is not put back. The store is as it was.
#[derive(Debug)]
pub enum Unfit {
    /// It is no database of this program.
    NotABackup,
    /// A version of the schema that this program does not know.
    Schema(i64),
    /// It is sealed under another master key.
    OtherKey,
    /// It was made while one key took the place of another.
    BetweenKeys,
    /// The file is damaged: SQLite's words.
    Faults(Vec<String>),
    /// Users do not open: how many, and the first names.
    Damaged(u64, Vec<String>),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing was put back: ")?;
        match self {
            Self::NotABackup => f.write_str("this is no backup of mfa, or only a part of one"),
            Self::Schema(found) => write!(
                f,
                "the backup has schema {found}, which this version does not know; was it made by a newer \
                 one?"
            ),
            Self::OtherKey => f.write_str(
                "the backup is sealed under another master key. docs/operations/backup.md says how it is \
                 put back together with its key",
            ),
            Self::BetweenKeys => f.write_str(
                "the backup was made while one master key took the place of another; take an older or a \
                 newer one",
            ),
            Self::Faults(faults) => {
                write!(f, "the backup is damaged ({}); take another one", faults.join("; "))
            }
            Self::Damaged(count, names) => write!(
                f,
                "{count} records in the backup do not open ({}); take another one",
                names.join(", ")
            ),
        }
    }
}

impl Incoming {
    /// The next bytes.
    ///
    /// # Errors
    /// [`StoreError`], as of a full disk.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file
            .write_all(bytes)
            .map_err(|error| StoreError::Directory(self.directory.clone(), error))
    }

    fn path(&self) -> PathBuf {
        self.directory.join("copy")
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// What a daemon that was killed has left of a restore or a backup.
pub(super) fn clear(database: &Path) {
    let _ = fs::remove_dir_all(beside(database, ".restore"));
    let _ = fs::remove_file(beside(database, ".backup"));
}

impl Store {
    /// A place for a backup that is to be put back. One at a time.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn receive(&self) -> Result<Incoming, StoreError> {
        let directory = beside(&self.apart.path, ".restore");
        let failed = |error| StoreError::Directory(directory.clone(), error);
        clear(&self.apart.path);
        DirBuilder::new().mode(0o700).create(&directory).map_err(failed)?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let file = options.open(directory.join("copy")).map_err(failed)?;
        Ok(Incoming { directory, file })
    }

    /// Looks at everything in it, in the current schema. May take long.
    ///
    /// # Errors
    /// [`StoreError::Unfit`] and others.
    pub fn verify_copy(
        &self,
        incoming: Incoming,
        goes_on: impl Fn() -> bool + Send + Clone + 'static,
    ) -> Result<Verified, StoreError> {
        self.look_into(incoming, goes_on).map_err(|error| match error {
            StoreError::Sqlite(error) if is_damage(&error) => {
                Unfit::Faults(vec![error.to_string()]).into()
            }
            error => error,
        })
    }

    fn look_into(
        &self,
        incoming: Incoming,
        goes_on: impl Fn() -> bool + Send + Clone + 'static,
    ) -> Result<Verified, StoreError> {
        let blank = Blank::open_copy(&incoming.path())?;
        match blank.master_key_ids()?.as_slice() {
            [id] if *id == self.keys.id() => {}
            [_, _] => return Err(Unfit::BetweenKeys.into()),
            _ => return Err(Unfit::OtherKey.into()),
        }
        let mut store = blank.with_keys(Arc::clone(&self.keys))?;
        let (checked, guard) = store.check(goes_on)?;
        if !checked.faults.is_empty() || checked.incomplete {
            return Err(Unfit::Faults(checked.faults).into());
        }
        if checked.damaged > 0 {
            return Err(Unfit::Damaged(checked.damaged, checked.names).into());
        }
        Ok(Verified { store, users: checked.users, guard, _incoming: incoming })
    }

    /// Puts its users into the place of those there are, in one commit. Every code up to `at` is void
    /// from here on.
    ///
    /// # Errors
    /// [`StoreError`]; all is as it was then.
    pub async fn restore(
        &self,
        copy: Verified,
        at: Moment,
        event: Event,
    ) -> Result<(), StoreError> {
        let progress = Arc::clone(self.writer.progress());
        let event = self
            .writer
            .run(move |store| {
                store.take_over(&copy.store, copy.guard, at, &progress)?;
                store.note(event)
            })
            .await?;
        self.make_known(&event);
        Ok(())
    }
}

impl Sqlite {
    fn take_over(
        &self,
        copy: &Self,
        copy_guard: u32,
        at: Moment,
        progress: &Progress,
    ) -> Result<(), StoreError> {
        let completed: i64 =
            copy.connection.query_row("SELECT completed FROM import", [], |row| row.get(0))?;
        self.connection.execute_batch("DELETE FROM user; DELETE FROM held;")?;
        let mut insert = self
            .connection
            .prepare("INSERT INTO user (name, version, sealed) VALUES (?1, ?2, ?3)")?;
        let mut users = copy
            .connection
            .prepare("SELECT name, version, sealed FROM user WHERE version >= -?1 ORDER BY name")?;
        let mut users = users.query([completed])?;
        while let Some(user) = users.next()? {
            insert.execute(params![
                user.get::<_, String>(0)?,
                user.get::<_, i64>(1)?,
                user.get::<_, Vec<u8>>(2)?
            ])?;
            progress.goes_on();
        }
        self.connection.execute("UPDATE import SET begun = ?1, completed = ?1", [completed])?;
        // A record counts the guards that it has passed, so none may have passed the one that is raised
        // here. What the backup's own table says of it is not sealed, and so not asked.
        self.connection.execute("UPDATE guard SET number = max(number, ?1)", [copy_guard])?;
        // A code may have been accepted since that moment was read.
        guard::raise(&self.connection, at.now.max(self.mark().spent), at.skew)
    }
}
