// SPDX-License-Identifier: GPL-3.0-or-later
//! Imports that count as a whole or not at all, however large, while logins go on.
//!
//! The rows of import n are written with version −n, in as many commits as it takes, and are invisible
//! while `import.completed` is below n. One small commit sets it to n, and all of them count at once. An
//! import that was not completed is cleared away, some rows at a time, before the next one begins.

use std::sync::Arc;

use mfa_proto::UserName;
use rusqlite::{OptionalExtension, params};

use super::sqlite::Sqlite;
use super::{StoreError, guard, row};
use crate::keyring::Keyring;
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

/// Seals the rows of an import, on whatever thread: the writer's has enough to do.
///
/// The key that seals must stay the same until they are written, so no other may take its place while an
/// import is under way. Of the guard it has what held when the import began: should another one be raised
/// meanwhile, the rows pass that when they are read, as all others do.
pub struct Sealer {
    keys: Arc<Keyring>,
    version: i64,
    guard: u32,
}

/// A user as an import writes him.
pub struct SealedRow {
    user: UserName,
    version: i64,
    sealed: Vec<u8>,
}

impl Sealer {
    /// The user's row.
    ///
    /// # Errors
    /// [`StoreError`] where the system gives no randomness.
    pub fn seal(&self, user: UserName, mut record: Record) -> Result<SealedRow, StoreError> {
        record.guard = self.guard;
        let sealed = row::seal(&self.keys, user.as_str(), self.version, &record)?;
        Ok(SealedRow { user, version: self.version, sealed })
    }
}

impl Sqlite {
    /// Begins an import, and gives what seals its rows.
    ///
    /// # Errors
    /// [`StoreError::ImportUnderWay`] where another one is, or has left rows to be cleared.
    pub(super) fn begin_import(&self) -> Result<Sealer, StoreError> {
        if self.has_staged()? {
            return Err(StoreError::ImportUnderWay);
        }
        self.connection.execute("UPDATE import SET begun = completed + 1", [])?;
        let guard = guard::read(&self.connection)?.number;
        Ok(Sealer { keys: Arc::clone(&self.keys), version: self.staged_version()?, guard })
    }

    /// The version of the rows of the import that has begun.
    fn staged_version(&self) -> Result<i64, StoreError> {
        Ok(self.connection.query_row("SELECT -begun FROM import", [], |row| row.get(0))?)
    }

    /// Whether there may be rows of an import that was not completed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn has_staged(&self) -> Result<bool, StoreError> {
        Ok(self.connection.query_row("SELECT begun <> completed FROM import", [], |r| r.get(0))?)
    }

    /// Writes rows of the import that has begun. In the order of their names this rewrites few pages.
    ///
    /// # Errors
    /// [`StoreError`], [`StoreError::Repeated`] for a user whom this import has brought already,
    /// [`StoreError::Conflict`] for rows with the number of another import. One that was cleared had no other
    /// number than the next one: whoever clears must wait for its last row.
    pub(super) fn stage(&self, rows: &[SealedRow]) -> Result<Vec<Staged>, StoreError> {
        // Logins go on where the disk is full. An import that fills it would take their room.
        self.has_room()?;
        let version = self.staged_version()?;
        if rows.iter().any(|row| row.version != version) {
            return Err(StoreError::Conflict);
        }
        rows.iter().map(|row| self.stage_one(row)).collect()
    }

    fn stage_one(&self, row: &SealedRow) -> Result<Staged, StoreError> {
        let SealedRow { user, version, sealed } = row;
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
        let version = self.staged_version()?;
        let mut after = String::new();
        while let Some((name, sealed)) = self.next_held(&after)? {
            self.release(&name, version, &sealed)?;
            after = name;
        }
        self.connection.execute_batch("DELETE FROM held; UPDATE import SET completed = begun;")?;
        // It has taken the free pages that there were.
        self.restore_pages()
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
        let guard = guard::read(&self.connection)?;
        let brought = row::open_behind(&guard, &self.keys, name, version, sealed)?;
        let Ok(user) = UserName::new(name) else { return Ok(()) };
        let (version, mut record) = match self.get(&user)? {
            Some(known) if !known.record.tokens.is_empty() => return Ok(()),
            Some(known) => (Some(known.version), known.record),
            None => (None, Record::default()),
        };
        record.tokens = brought.tokens;
        record.recovery = brought.recovery;
        record.held.extend(brought.held);
        // A lock is not left behind by moving.
        if brought.lockout.failures > record.lockout.failures {
            record.lockout = brought.lockout;
        }
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

#[cfg(test)]
mod tests {
    use getrandom::SysRng;
    use mfa_crypto::{Algorithm, Digits, MasterKey, Period};
    use mfa_proto::Blob;

    use super::super::sqlite::Blank;
    use super::*;
    use crate::policy::record::{Factor, Invite, Lockout, Token};

    fn store() -> (tempfile::TempDir, Sqlite) {
        let home = tempfile::tempdir().unwrap();
        let keys = Keyring::new(MasterKey::generate(&mut SysRng).unwrap());
        let blank = Blank::open(&home.path().join("db"), true).unwrap();
        let store = blank.with_keys(Arc::new(keys)).unwrap();
        (home, store)
    }

    fn user(name: &str) -> UserName {
        UserName::new(name).unwrap()
    }

    fn with_token(name: &str) -> Record {
        let token = Token {
            name: name.into(),
            factor: Factor::Totp { period: Period::default(), last_step: None, drift: 0 },
            algorithm: Algorithm::Sha1,
            digits: Digits::default(),
            sealed: Blob::new([7; 20]),
            created: 0,
            last_used: None,
            near: None,
        };
        Record { tokens: vec![token], ..Record::default() }
    }

    fn tokens(store: &Sqlite, name: &str) -> Option<Vec<String>> {
        let row = store.get(&user(name)).unwrap()?;
        Some(row.record.tokens.into_iter().map(|token| token.name).collect())
    }

    fn stage(
        store: &Sqlite,
        sealer: &Sealer,
        brought: &[(&str, &str)],
    ) -> Result<Vec<Staged>, StoreError> {
        let rows = brought.iter().map(|(name, token)| sealer.seal(user(name), with_token(token)));
        store.stage(&rows.collect::<Result<Vec<_>, _>>()?)
    }

    fn names(store: &Sqlite) -> Vec<String> {
        store.list(None, 100).unwrap().into_iter().map(|(name, _)| name).collect()
    }

    fn clear(store: &Sqlite) {
        let mut after = Some(String::new());
        while let Some(name) = after {
            after = store.clear_staged(&name).unwrap();
        }
    }

    #[test]
    fn nobody_is_there_before_the_import_is_complete_and_all_are_after_it() {
        let (_home, store) = store();
        let sealer = store.begin_import().unwrap();
        for name in ["a", "b"] {
            let staged = stage(&store, &sealer, &[(name, "new")]).unwrap();
            assert_eq!(staged, [Staged::New]);
        }
        assert_eq!((tokens(&store, "a"), names(&store).len()), (None, 0));
        assert!(matches!(store.begin_import(), Err(StoreError::ImportUnderWay)));
        store.complete_import().unwrap();
        assert_eq!(tokens(&store, "a"), Some(vec!["new".to_owned()]));
        assert_eq!(names(&store), ["a", "b"]);
        // Rows of an import are replaced and removed like others.
        let row = store.get(&user("a")).unwrap().unwrap();
        store.put(&user("a"), Some(row.version), &with_token("newer")).unwrap();
        assert_eq!(tokens(&store, "a"), Some(vec!["newer".to_owned()]));
        let late = store.put(&user("a"), Some(row.version), &with_token("late"));
        assert!(matches!(late, Err(StoreError::Conflict)));
        let row = store.get(&user("b")).unwrap().unwrap();
        store.remove(&user("b"), row.version).unwrap();
        assert_eq!(names(&store), ["a"]);
    }

    #[test]
    fn an_import_that_is_cleared_leaves_nothing_and_the_next_one_begins() {
        let (_home, store) = store();
        store.put(&user("known"), None, &with_token("old")).unwrap();
        for round in 1..=2 {
            let sealer = store.begin_import().unwrap();
            let many: Vec<_> = (0..4_500).map(|n| format!("u{n}")).collect();
            let many: Vec<_> = many.iter().map(|name| (name.as_str(), "new")).collect();
            let staged = stage(&store, &sealer, &many).unwrap();
            assert!(staged.iter().all(|staged| *staged == Staged::New));
            clear(&store);
            assert_eq!(names(&store), ["known"], "round {round}");
        }
        let sealer = store.begin_import().unwrap();
        stage(&store, &sealer, &[("later", "new")]).unwrap();
        store.complete_import().unwrap();
        let next = store.begin_import().unwrap();
        let late = stage(&store, &sealer, &[("late", "new")]);
        assert!(matches!(late, Err(StoreError::Conflict)));
        stage(&store, &next, &[]).unwrap();
        store.complete_import().unwrap();
        assert_eq!(names(&store), ["known", "later"], "what was cleared came back");
    }

    #[test]
    fn who_has_a_token_or_makes_one_meanwhile_keeps_it() {
        let (_home, store) = store();
        store.put(&user("known"), None, &with_token("old")).unwrap();
        let invite = Invite { hash: Blob::new([1; 32]), until: 9 };
        let invited = Record { invite: Some(invite), ..Record::default() };
        for name in ["invited", "invited and quick"] {
            store.put(&user(name), None, &invited).unwrap();
        }
        let sealer = store.begin_import().unwrap();
        let brought = ["known", "invited", "invited and quick", "quick"].map(|name| (name, "new"));
        let staged = stage(&store, &sealer, &brought).unwrap();
        assert_eq!(staged, [Staged::Known, Staged::New, Staged::New, Staged::New]);
        store.put(&user("quick"), None, &with_token("own")).unwrap();
        let row = store.get(&user("invited and quick")).unwrap().unwrap();
        let mut record = row.record;
        record.tokens = with_token("own").tokens;
        store.put(&user("invited and quick"), Some(row.version), &record).unwrap();
        store.complete_import().unwrap();
        for (name, token) in
            [("known", "old"), ("invited", "new"), ("quick", "own"), ("invited and quick", "own")]
        {
            assert_eq!(tokens(&store, name), Some(vec![token.to_owned()]), "{name}");
        }
        assert!(store.get(&user("invited")).unwrap().unwrap().record.invite.is_some());
    }

    #[test]
    fn a_lock_and_a_guard_of_meanwhile_reach_also_who_has_an_invite() {
        let (_home, store) = store();
        let invite = Invite { hash: Blob::new([1; 32]), until: 9 };
        let invited = Record { invite: Some(invite), ..Record::default() };
        store.put(&user("invited"), None, &invited).unwrap();
        let sealer = store.begin_import().unwrap();
        let lockout = Lockout { failures: 7, last_failure: 5, last_from: None };
        let brought = Record { lockout: lockout.clone(), ..with_token("new") };
        store.stage(&[sealer.seal(user("invited"), brought).unwrap()]).unwrap();
        guard::raise(&store.connection, 3000, 0).unwrap();
        store.complete_import().unwrap();
        let record = store.get(&user("invited")).unwrap().unwrap().record;
        assert_eq!(record.lockout, lockout);
        let [Token { factor: Factor::Totp { last_step, .. }, .. }] = record.tokens.as_slice()
        else {
            panic!("not the token that was brought");
        };
        assert_eq!(*last_step, Some(100));
    }

    #[test]
    fn a_user_who_is_brought_twice_is_an_error_and_nothing_of_that_batch_stays() {
        let (_home, store) = store();
        let sealer = store.begin_import().unwrap();
        stage(&store, &sealer, &[("a", "new")]).unwrap();
        let twice = store.apart(|store| stage(store, &sealer, &[("b", "1"), ("a", "2")]));
        assert!(matches!(twice, Err(StoreError::Repeated(name)) if name.as_str() == "a"));
        store.complete_import().unwrap();
        assert_eq!(names(&store), ["a"]);
    }
}
