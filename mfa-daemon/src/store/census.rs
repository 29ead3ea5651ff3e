// SPDX-License-Identifier: GPL-3.0-or-later
//! Counting all users, which opens every row. On a connection of its own, a page at a time and with a
//! rest after each: logins wait for neither lock nor core, and no long read keeps the log from being
//! used again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use rusqlite::params;

use super::sqlite::Sqlite;
use super::{StoreError, row};
use crate::keyring::Keyring;
use crate::metrics::census::Counted;
use crate::policy::lockout::{Lock, LockoutRules};

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
        let store = Sqlite::open_reader(&self.path, Arc::clone(&self.keys))?;
        let mut counted = Counted::default();
        let mut after = String::new();
        while goes_on() {
            let begun = Instant::now();
            let rows = store.page(&after)?;
            for (name, version, sealed) in &rows {
                let Ok(mut record) = row::open(&self.keys, name, *version, sealed) else {
                    continue;
                };
                if record.tokens.is_empty() {
                    continue;
                }
                counted.users += 1;
                counted.locked += u64::from(record.lockout.lock_at(now, rules) != Lock::Open);
            }
            match rows.into_iter().next_back() {
                Some((last, ..)) => after = last,
                None => return Ok(counted),
            }
            std::thread::sleep(begun.elapsed());
        }
        Err(StoreError::Closed)
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
