// SPDX-License-Identifier: GPL-3.0-or-later
//! Imports that count as a whole or not at all, however large, while logins go on.
//!
//! The rows of import n are written with version −n, in as many commits as it takes, and are invisible
//! while `import.completed` is below n. One small commit sets it to n, and all of them count at once. An
//! import that was not completed is cleared away, some rows at a time, before the next one begins.

use mfa_proto::UserName;
use rusqlite::{OptionalExtension, params};

use super::sqlite::Sqlite;
use super::{StoreError, row};
use crate::policy::record::Record;

/// Rows that are cleared away in one commit, at most.
const CLEARED: u32 = 2000;

/// What became of a user who was to be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Staged {
    /// Will be added.
    New,
    /// Has a token already, and is left as he is.
    Known,
}

impl Sqlite {
    /// Begins an import.
    ///
    /// # Errors
    /// [`StoreError::ImportUnderWay`] where another one is, or has left rows to be cleared.
    pub(super) fn begin_import(&self) -> Result<(), StoreError> {
        if self.has_staged()? {
            return Err(StoreError::ImportUnderWay);
        }
        self.connection.execute("UPDATE import SET begun = completed + 1", [])?;
        Ok(())
    }

    /// Whether there may be rows of an import that was not completed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn has_staged(&self) -> Result<bool, StoreError> {
        Ok(self.connection.query_row("SELECT begun <> completed FROM import", [], |r| r.get(0))?)
    }

    /// Writes users of the import that has begun. In the order of their names this rewrites few pages.
    ///
    /// # Errors
    /// [`StoreError`], [`StoreError::Repeated`] for a user whom this import has brought already.
    pub(super) fn stage(&self, users: &[(UserName, Record)]) -> Result<Vec<Staged>, StoreError> {
        let begun: i64 =
            self.connection.query_row("SELECT begun FROM import", [], |row| row.get(0))?;
        users.iter().map(|(user, record)| self.stage_one(user, record, -begun)).collect()
    }

    fn stage_one(
        &self,
        user: &UserName,
        record: &Record,
        version: i64,
    ) -> Result<Staged, StoreError> {
        let sealed = row::seal(&self.keys, user.as_str(), version, record)?;
        let added = self
            .connection
            .prepare_cached(
                "INSERT INTO user (name, version, sealed) VALUES (?1, ?2, ?3)
                 ON CONFLICT (name) DO NOTHING",
            )?
            .execute(params![user.as_str(), version, sealed])?;
        if added == 1 {
            return Ok(Staged::New);
        }
        match self.get(user)? {
            None => Err(StoreError::Repeated(user.clone())),
            Some(known) if !known.record.tokens.is_empty() => Ok(Staged::Known),
            // An invite or a bypass code does not make a user known.
            Some(_) => {
                let held = self
                    .connection
                    .prepare_cached(
                        "INSERT INTO held (name, sealed) VALUES (?1, ?2)
                         ON CONFLICT (name) DO NOTHING",
                    )?
                    .execute(params![user.as_str(), sealed])?;
                if held == 1 { Ok(Staged::New) } else { Err(StoreError::Repeated(user.clone())) }
            }
        }
    }

    /// Makes all of the import count.
    ///
    /// # Errors
    /// [`StoreError`]; then none of it does.
    pub(super) fn complete_import(&self) -> Result<(), StoreError> {
        let version: i64 =
            self.connection.query_row("SELECT -begun FROM import", [], |row| row.get(0))?;
        let mut after = String::new();
        while let Some((name, sealed)) = self.next_held(&after)? {
            self.release(&name, version, &sealed)?;
            after = name;
        }
        self.connection.execute_batch("DELETE FROM held; UPDATE import SET completed = begun;")?;
        Ok(())
    }

    fn next_held(&self, after: &str) -> Result<Option<(String, Vec<u8>)>, StoreError> {
        let mut next = self.connection.prepare_cached(
            "SELECT name, sealed FROM held WHERE name > ?1 ORDER BY name LIMIT 1",
        )?;
        Ok(next.query_row([after], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
    }

    /// Gives the tokens of an import to a user who has an invite or a bypass code, unless he has
    /// enrolled meanwhile.
    fn release(&self, name: &str, version: i64, sealed: &[u8]) -> Result<(), StoreError> {
        let brought = row::open(&self.keys, name, version, sealed)?;
        let Ok(user) = UserName::new(name) else { return Ok(()) };
        let (version, mut record) = match self.get(&user)? {
            Some(known) if !known.record.tokens.is_empty() => return Ok(()),
            Some(known) => (Some(known.version), known.record),
            None => (None, Record::default()),
        };
        record.tokens = brought.tokens;
        record.recovery = brought.recovery;
        self.put(&user, version, &record)
    }

    /// Clears some rows of an import that was not completed, those after `after`; says where to go on,
    /// or `None` when all are gone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn clear_staged(&self, after: &str) -> Result<Option<String>, StoreError> {
        let last: Option<String> = self.connection.query_row(
            "SELECT max(name) FROM (
                     SELECT name FROM user WHERE name > ?1 ORDER BY name LIMIT ?2)",
            params![after, CLEARED],
            |row| row.get(0),
        )?;
        let Some(last) = last else {
            self.connection
                .execute_batch("DELETE FROM held; UPDATE import SET begun = completed;")?;
            return Ok(None);
        };
        self.connection.execute(
            "DELETE FROM user WHERE name > ?1 AND name <= ?2
             AND version < (SELECT -completed FROM import)",
            params![after, last],
        )?;
        Ok(Some(last))
    }
}
