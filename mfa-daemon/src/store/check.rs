// SPDX-License-Identifier: GPL-3.0-or-later
//! Whether the database is sound: its pages, every row, and every secret in it. Others are served
//! meanwhile, and whoever is damaged is known by name, as far as the names can be read.

use std::sync::Arc;
use std::time::Instant;

use mfa_proto::UserName;
use mfa_proto::keep::Checked;
use rusqlite::{ErrorCode, params};

use super::census::Apart;
use super::sqlite::Sqlite;
use super::{StoreError, row};
use crate::policy::record::Record;
use crate::vault;

/// Rows that are read at once: some milliseconds.
const PAGE: u32 = 200;
/// Names of damaged users that are told; the others are counted.
const NAMED: usize = 100;
/// Faults of the file that are told.
const FAULTS: u32 = 20;
/// Steps of SQLite's machine between two questions whether to go on.
const STEPS: i32 = 10_000;

/// Name, version and what is sealed.
type Found = (String, i64, Vec<u8>);

impl Apart {
    /// Looks at everything, until `goes_on` says otherwise.
    ///
    /// # Errors
    /// [`StoreError`], [`StoreError::Closed`] where it was not to go on. Damage is no error, but a finding.
    pub(super) fn check(
        &self,
        goes_on: impl Fn() -> bool + Send + Clone + 'static,
    ) -> Result<Checked, StoreError> {
        let mut store = Sqlite::open_reader(&self.path, Arc::clone(&self.keys))?;
        Ok(store.check(goes_on)?.0)
    }
}

impl Sqlite {
    /// As [`Apart::check`], with the last guard that a record has passed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn check(
        &mut self,
        goes_on: impl Fn() -> bool + Send + Clone + 'static,
    ) -> Result<(Checked, u32), StoreError> {
        let asked = goes_on.clone();
        self.connection.progress_handler(STEPS, Some(move || !asked()))?;
        let mut guard = 0;
        let looked = self.look(&mut guard, goes_on);
        self.connection.progress_handler(0, None::<fn() -> bool>)?;
        match looked {
            Err(StoreError::Sqlite(error))
                if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) =>
            {
                Err(StoreError::Closed)
            }
            looked => looked.map(|checked| (checked, guard)),
        }
    }

    fn look(&self, guard: &mut u32, goes_on: impl Fn() -> bool) -> Result<Checked, StoreError> {
        let mut checked = Checked { faults: self.faults()?, ..Checked::default() };
        let (mut after, mut limit) = (String::new(), PAGE);
        loop {
            if !goes_on() {
                return Err(StoreError::Closed);
            }
            let begun = Instant::now();
            match self.after(&after, limit) {
                Ok(rows) => {
                    let Some((last, ..)) = rows.last() else { return Ok(checked) };
                    after.clone_from(last);
                    rows.iter().for_each(|row| self.open_row(row, &mut checked, guard));
                }
                Err(StoreError::Sqlite(error)) if is_damage(&error) && limit > 1 => limit = 1,
                Err(StoreError::Sqlite(error)) if is_damage(&error) => {
                    checked.faults.push(error.to_string());
                    break;
                }
                Err(error) => return Err(error),
            }
            std::thread::sleep(begun.elapsed());
        }
        self.look_from_the_end(&after, &mut checked, guard, goes_on)?;
        Ok(checked)
    }

    /// The rows behind the part that cannot be read.
    fn look_from_the_end(
        &self,
        after: &str,
        checked: &mut Checked,
        guard: &mut u32,
        goes_on: impl Fn() -> bool,
    ) -> Result<(), StoreError> {
        let (mut before, mut limit) = (None, PAGE);
        checked.incomplete = true;
        while goes_on() {
            match self.before(before.as_deref(), after, limit) {
                Ok(rows) => {
                    let Some((last, ..)) = rows.last() else { break };
                    before = Some(last.clone());
                    rows.iter().for_each(|row| self.open_row(row, checked, guard));
                }
                Err(StoreError::Sqlite(error)) if is_damage(&error) && limit > 1 => limit = 1,
                Err(StoreError::Sqlite(error)) if is_damage(&error) => break,
                Err(error) => return Err(error),
            }
        }
        checked.unread_after = Some(after.to_owned()).filter(|name| !name.is_empty());
        checked.unread_before = before;
        Ok(())
    }

    fn faults(&self) -> Result<Vec<String>, StoreError> {
        let told = || -> Result<Vec<String>, rusqlite::Error> {
            let mut check = self.connection.prepare(&format!("PRAGMA quick_check({FAULTS})"))?;
            let told = check.query_map([], |row| row.get(0))?;
            told.collect()
        };
        match told() {
            Ok(told) => Ok(told.into_iter().filter(|fault| fault != "ok").collect()),
            Err(error) if is_damage(&error) => Ok(vec![error.to_string()]),
            Err(error) => Err(error.into()),
        }
    }

    fn open_row(&self, (name, version, sealed): &Found, checked: &mut Checked, guard: &mut u32) {
        checked.users += 1;
        match self.open_all(name, *version, sealed) {
            Some(record) => *guard = record.guard.max(*guard),
            None => {
                checked.damaged += 1;
                if checked.names.len() < NAMED {
                    checked.names.push(name.clone());
                }
            }
        }
    }

    /// A record of which every secret opens.
    fn open_all(&self, name: &str, version: i64, sealed: &[u8]) -> Option<Record> {
        let user = UserName::new(name).ok()?;
        let record = row::open(&self.keys, name, version, sealed).ok()?;
        let opens = record.tokens.iter().all(|token| vault::opens(&self.keys, &user, token));
        opens.then_some(record)
    }

    fn after(&self, after: &str, limit: u32) -> Result<Vec<Found>, StoreError> {
        self.rows(
            "SELECT name, version, sealed FROM user
             WHERE name > ?1 AND version >= (SELECT -completed FROM import)
             ORDER BY name LIMIT ?2",
            params![after, limit],
        )
    }

    fn before(
        &self,
        before: Option<&str>,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Found>, StoreError> {
        self.rows(
            "SELECT name, version, sealed FROM user
             WHERE (?1 IS NULL OR name < ?1) AND name > ?2
                 AND version >= (SELECT -completed FROM import)
             ORDER BY name DESC LIMIT ?3",
            params![before, after, limit],
        )
    }

    fn rows(
        &self,
        query: &str,
        parameters: &[&dyn rusqlite::ToSql],
    ) -> Result<Vec<Found>, StoreError> {
        let mut statement = self.connection.prepare_cached(query)?;
        let rows =
            statement.query_map(parameters, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// What SQLite says where the file is not as it was written.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::SystemIoFailure)
    ) || matches!(
        error,
        rusqlite::Error::InvalidColumnType(..) | rusqlite::Error::FromSqlConversionFailure(..)
    )
}
