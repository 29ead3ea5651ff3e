// SPDX-License-Identifier: GPL-3.0-or-later
//! What takes long to read: the trail, and all users, which opens every row. On a connection of its own, a page at a time and with a
//! rest after each: logins wait for neither lock nor core, and no long read keeps the log from being
//! used again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use mfa_proto::audit::AuditEvent;
use rusqlite::params;

use super::sqlite::Sqlite;
use super::{StoreError, guard, ring, row};
use crate::keyring::Keyring;
use crate::metrics::census::Counted;
use crate::policy::lockout::{Lock, LockoutRules};
use crate::policy::record::Record;

/// Rows that are read at once: some milliseconds.
const PAGE: u16 = 200;

/// What a connection needs that is opened for one count.
pub(super) struct Apart {
    pub(super) path: PathBuf,
    pub(super) keys: Arc<Keyring>,
}

impl Apart {
    /// Counts users as of `now`, until `goes_on` says otherwise. A row that does not open is nobody.
    ///
    /// # Errors
    /// [`StoreError`], [`StoreError::Closed`] where it was not to go on.
    pub(super) fn count(
        &self,
        now: u64,
        rules: &LockoutRules,
        goes_on: impl Fn() -> bool,
    ) -> Result<Counted, StoreError> {
        let mut counted = Counted::default();
        self.each(goes_on, |record| {
            let Some(mut record) = record.ok().filter(|record| !record.tokens.is_empty()) else {
                return;
            };
            counted.users += 1;
            counted.locked += u64::from(record.lockout.lock_at(now, rules) != Lock::Open);
        })?;
        Ok(counted)
    }

    /// Shows every user's record, until `goes_on` says otherwise.
    ///
    /// # Errors
    /// [`StoreError`], [`StoreError::Closed`] where it was not to go on.
    pub(super) fn each(
        &self,
        goes_on: impl Fn() -> bool,
        mut see: impl FnMut(Result<Record, StoreError>),
    ) -> Result<(), StoreError> {
        let store = Sqlite::open_reader(&self.path, Arc::clone(&self.keys))?;
        let guard = guard::read(&store.connection)?;
        let mut after = String::new();
        while goes_on() {
            let begun = Instant::now();
            let rows = store.page(&after)?;
            for (name, version, sealed) in &rows {
                see(row::open_behind(&guard, &self.keys, name, *version, sealed));
            }
            match rows.into_iter().next_back() {
                Some((last, ..)) => after = last,
                None => return Ok(()),
            }
            std::thread::sleep(begun.elapsed());
        }
        Err(StoreError::Closed)
    }

    /// How many rows there are.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn rows(&self) -> Result<u64, StoreError> {
        let store = Sqlite::open_reader(&self.path, Arc::clone(&self.keys))?;
        let count: i64 =
            store.connection.query_row("SELECT count(*) FROM user", [], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Entries of the trail, and the number of the last one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn events(&self, query: &ring::Query) -> Result<(Vec<AuditEvent>, u64), StoreError> {
        let store = Sqlite::open_reader(&self.path, Arc::clone(&self.keys))?;
        let (last, _) = ring::look(&store.connection)?;
        Ok((store.events(query)?, last))
    }
}

impl Sqlite {
    fn page(&self, after: &str) -> Result<Vec<(String, i64, Vec<u8>)>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT name, version, sealed FROM user
             WHERE name > ?1 AND version >= (SELECT -completed FROM import)
             ORDER BY name LIMIT ?2",
        )?;
        let rows = statement
            .query_map(params![after, PAGE], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
