// SPDX-License-Identifier: GPL-3.0-or-later
//! A new master key: every row sealed anew, some rows a commit, while people log in.
//!
//! The new key is a file beside the old one before the database has its mark, and its mark is in the
//! database before anything is sealed under it. The old one's mark leaves the database once nothing
//! needs that key, and only then the new file takes the old one's place. So whatever is interrupted,
//! the marks in the database say which keys are needed, and these are there.

use std::path::Path;

use getrandom::SysRng;
use mfa_crypto::MasterKey;
use mfa_proto::UserName;
use rusqlite::params;
use tracing::error;

use super::sqlite::Sqlite;
use super::{Store, StoreError, guard, recovery_key, row};
use crate::audit::Event;
use crate::master_key;
use crate::policy::guard::pass;
use crate::vault;

/// Rows that are sealed anew in one commit: some milliseconds that a login may wait.
const PAGE: u32 = 200;

/// What there was to be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// A new key.
    Now,
    /// One that was begun before.
    Before,
    /// Nothing but to put the file of the last one into its place.
    Ended,
}

/// What became of some rows.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Renewed {
    /// Where to go on; `None` when these were the last.
    pub last: Option<String>,
    /// Rows that were looked at.
    pub rows: u64,
    /// Of them, those that open with no key. They stay as they are and are denied as before.
    pub damaged: u64,
}

impl Store {
    /// Makes the next master key in a file beside `file`, and seals with it from here on. Where that
    /// was begun before, it goes on with the key that was made then.
    ///
    /// # Errors
    /// [`StoreError`]; beginning again is safe then, whatever of it is on the disk.
    pub async fn begin_rekey(&self, file: &Path, event: Event) -> Result<Begun, StoreError> {
        let path = file.to_owned();
        let (begun, id, event) = self
            .writer
            .run(move |store| {
                let current = store.keys.id();
                let id = match store.master_key_ids()?.as_slice() {
                    // A commit that was not answered for, because what comes after it had failed.
                    [_, id] => return Ok((Begun::Before, key_id(id), None)),
                    _ => match master_key::load(&master_key::next(&path))? {
                        // All that is left of the last one.
                        Some(key) if key.id() == current => {
                            master_key::replace(&path, &current)?;
                            return Ok((Begun::Ended, current, None));
                        }
                        Some(key) => {
                            let id = key.id();
                            store.keys.know(key);
                            id
                        }
                        None => {
                            let key =
                                MasterKey::generate(&mut SysRng).map_err(StoreError::Randomness)?;
                            master_key::create(&master_key::next(&path), &key)?;
                            let id = key.id();
                            store.keys.know(key);
                            id
                        }
                    },
                };
                store.connection.execute("INSERT INTO master_key (id) VALUES (?1)", [&id])?;
                Ok((Begun::Now, id, Some(store.note(event)?)))
            })
            .await?;
        self.keys.turn_to(&id);
        event.iter().for_each(|event| self.make_known(event));
        Ok(begun)
    }

    /// Whether rows may still be sealed under an older key.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn is_between_keys(&self) -> Result<bool, StoreError> {
        Ok(self.writer.run(Sqlite::master_key_ids).await?.len() > 1)
    }

    /// How many rows there are.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn rows(&self) -> Result<u64, StoreError> {
        self.apart.rows()
    }

    /// Seals the next rows after `after` under the current key.
    ///
    /// # Errors
    /// [`StoreError`]; these rows are as they were then.
    pub async fn renew_some(&self, after: String) -> Result<Renewed, StoreError> {
        self.writer.run(move |store| store.renew_some(&after)).await
    }

    /// Lets the old key go, since every row has been sealed anew, and puts the new one into its place.
    ///
    /// # Errors
    /// [`StoreError`]; beginning again, or the next start, does what is left to be done.
    pub async fn complete_rekey(
        &self,
        file: Option<&Path>,
        event: Event,
    ) -> Result<(), StoreError> {
        let (path, id) = (file.map(Path::to_owned), self.keys.id());
        let event = self
            .writer
            .run(move |store| {
                store.keep_current_key(path.as_deref())?;
                store.note(event)
            })
            .await?;
        if let Some(file) = file {
            master_key::replace(file, &id)?;
        }
        self.make_known(&event);
        Ok(())
    }

    /// Forgets the key that is no longer needed. Who has read a row before it was sealed anew must have
    /// opened it by now.
    pub fn forget_old_key(&self, id: &[u8; 16]) {
        self.keys.forget(id);
    }

    /// The mark of the old key.
    #[must_use]
    pub fn old_key_id(&self) -> Option<[u8; 16]> {
        self.keys.other_id()
    }
}

impl Sqlite {
    /// The marks of the keys that are needed; the last one seals.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn master_key_ids(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut ids = self.connection.prepare_cached("SELECT id FROM master_key ORDER BY rowid")?;
        let ids = ids.query_map([], |row| row.get(0))?;
        Ok(ids.collect::<Result<_, _>>()?)
    }

    fn renew_some(&self, after: &str) -> Result<Renewed, StoreError> {
        let guard = guard::read(&self.connection)?;
        let mut statement = self.connection.prepare_cached(
            "SELECT name, version, sealed FROM user
             WHERE name > ?1 AND version >= (SELECT -completed FROM import)
             ORDER BY name LIMIT ?2",
        )?;
        let found = statement.query_map(params![after, PAGE], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, Vec<u8>>(2)?))
        })?;
        let found = found.collect::<Result<Vec<_>, _>>()?;
        let mut renewed = Renewed { rows: found.len() as u64, ..Renewed::default() };
        for (name, version, sealed) in found {
            if let Err(error) = self.renew(&name, version, &sealed, |record| pass(record, &guard)) {
                match error {
                    StoreError::Damaged { .. } => {
                        error!(name, %error, "left as it is, and denied as before");
                        renewed.damaged += 1;
                    }
                    error => return Err(error),
                }
            }
            renewed.last = Some(name);
        }
        if renewed.rows < u64::from(PAGE) {
            renewed.last = None;
        }
        Ok(renewed)
    }

    fn renew(
        &self,
        name: &str,
        version: i64,
        sealed: &[u8],
        pass: impl FnOnce(&mut crate::policy::record::Record),
    ) -> Result<(), StoreError> {
        let damaged = |what: String| StoreError::Damaged { user: name.to_owned(), what };
        let mut record = row::open(&self.keys, name, version, sealed)?;
        let user = UserName::new(name).map_err(|error| damaged(error.to_string()))?;
        let mut is_old = !self.keys.is_current(sealed);
        let mut broken = None;
        for token in &mut record.tokens {
            match vault::renew(&self.keys, &user, token) {
                Ok(renewed) => is_old |= renewed,
                Err(error) => broken = Some(format!("token {:?}: {error}", token.name)),
            }
        }
        if is_old {
            pass(&mut record);
            self.put(&user, Some(version), &record)?;
        }
        broken.map_or(Ok(()), |what| Err(damaged(what)))
    }

    /// From here on the database needs no other key. The one that it needs is looked at before: it must
    /// be the one that seals, and lie where the next start finds it.
    fn keep_current_key(&self, file: Option<&Path>) -> Result<(), StoreError> {
        let current = self.keys.id();
        let place = || file.map(master_key::next).unwrap_or_default();
        if self.master_key_ids()?.last().is_none_or(|id| *id != current) {
            return Err(StoreError::KeyMismatch(place()));
        }
        if let Some(file) = file {
            match master_key::load(&master_key::next(file))? {
                Some(key) if key.id() == current => {}
                Some(_) => return Err(StoreError::KeyMismatch(place())),
                None => self
                    .keys
                    .with_current(|key| master_key::create(&master_key::next(file), key))?,
            }
        }
        match recovery_key::read(&self.connection, &self.keys) {
            Ok(Some(key)) => recovery_key::write(&self.connection, &self.keys, &key)?,
            Ok(None) => {}
            Err(StoreError::Damaged { .. }) => {
                error!("the key of the recovery codes does not open; they are refused as before");
            }
            Err(error) => return Err(error),
        }
        self.connection.execute("DELETE FROM master_key WHERE id <> ?1", [current])?;
        Ok(())
    }
}

/// A mark as the database has it.
fn key_id(id: &[u8]) -> [u8; 16] {
    id.try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::PathBuf;
    use std::sync::Arc;

    use mfa_crypto::{Algorithm, Digits, Period, Secret};
    use mfa_proto::audit::{Act, ActResult};
    use mfa_proto::{Blob, Peer};

    use super::*;
    use crate::master_key::KeySource;
    use crate::policy::record::{Factor, Record, Token};
    use crate::store::{Change, Moment, Step, StoreLock, open};
    use crate::vault::Vault;

    const NOW: u64 = 1_800_000_000;
    const USERS: usize = 450;

    struct Place {
        store: Store,
        vault: Vault,
        _lock: StoreLock,
    }

    fn start(home: &Path) -> Result<Place, StoreError> {
        let source = KeySource::File(home.join("key"));
        let at = Moment { now: NOW, skew: 1 };
        let (store, vault, lock) = open(&home.join("db"), &source, at, &Arc::default())?;
        Ok(Place { store, vault, _lock: lock })
    }

    fn user(n: usize) -> UserName {
        UserName::new(format!("user{n:04}")).unwrap()
    }

    fn secret(n: usize) -> Secret {
        Secret::new(format!("the secret of user {n:04}").into_bytes())
    }

    fn event() -> Event {
        Event::new(Act::Rekey, ActResult::Done, Peer { uid: 0, gid: 0, pid: 1 }, NOW)
    }

    fn record(vault: &Vault, n: usize) -> Record {
        let mut token = Token {
            name: "phone".into(),
            factor: Factor::Totp { period: Period::default(), last_step: None, drift: 0 },
            algorithm: Algorithm::Sha1,
            digits: Digits::default(),
            sealed: Blob::new([]),
            created: 7,
            last_used: None,
            near: None,
        };
        vault.seal(&user(n), &mut token, &secret(n)).unwrap();
        let recovery = vec![Blob::new([5; 32])];
        Record { tokens: vec![token], recovery, ..Record::default() }
    }

    async fn put(place: &Place, n: usize) {
        let made = record(&place.vault, n);
        let step = move |_| Step { change: Change::Put(made), event: None, answer: () };
        place.store.act(user(n), step).await.unwrap();
    }

    /// A login: the row is written anew, the secret in it is not.
    async fn touch(place: &Place, n: usize) {
        let step = |record: Option<Record>| {
            let mut record = record.unwrap();
            record.lockout.failures += 1;
            Step { change: Change::Put(record), event: None, answer: () }
        };
        place.store.act(user(n), step).await.unwrap();
    }

    /// Everybody is there, opens, and so does every secret; each row with one of the keys that lie there.
    fn check(place: &Place, home: &Path) {
        for n in 0..USERS {
            let record = place.store.get(&user(n)).unwrap().unwrap();
            let opened = place.vault.open(&user(n), &record.tokens[0]).unwrap();
            assert_eq!(opened.expose(), secret(n).expose(), "{n}");
            assert_eq!(record.recovery.len(), 1);
        }
        let files = [home.join("key"), home.join("key.next")];
        let keys = files.iter().filter_map(|file| master_key::load(file).unwrap());
        let marks: Vec<Vec<u8>> = keys.map(|key| key.id()[..8].to_vec()).collect();
        let connection = rusqlite::Connection::open(home.join("db")).unwrap();
        let mut sealed = connection.prepare("SELECT substr(sealed, 1, 8) FROM user").unwrap();
        let sealed = sealed.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
        for mark in sealed {
            let mark = mark.unwrap();
            assert_eq!(marks.iter().filter(|known| **known == mark).count(), 1);
        }
    }

    /// What a crash at this moment would leave.
    fn crashed(home: &Path) -> tempfile::TempDir {
        let copy = tempfile::tempdir().unwrap();
        for name in ["db", "db-wal", "db.mark", "key", "key.next"] {
            if home.join(name).exists() {
                fs::copy(home.join(name), copy.path().join(name)).unwrap();
            }
        }
        copy
    }

    /// Goes on to the end, as a start does.
    async fn finish(place: &Place, file: &Path) {
        if !place.store.is_between_keys().await.unwrap() {
            return;
        }
        let mut after = Some(String::new());
        while let Some(name) = after {
            let renewed = place.store.renew_some(name).await.unwrap();
            assert_eq!(renewed.damaged, 0);
            after = renewed.last;
        }
        place.store.complete_rekey(Some(file), event()).await.unwrap();
    }

    fn marks(home: &Path) -> BTreeSet<Vec<u8>> {
        let connection = rusqlite::Connection::open(home.join("db")).unwrap();
        let mut sealed = connection.prepare("SELECT substr(sealed, 1, 8) FROM user").unwrap();
        let sealed = sealed.query_map([], |row| row.get(0)).unwrap();
        sealed.map(Result::unwrap).collect()
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().build().unwrap()
    }

    #[test]
    fn after_a_crash_at_any_step_everybody_opens_and_the_next_start_goes_on_to_the_end() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("key");
        let mut crashes = Vec::new();
        runtime().block_on(async {
            let place = start(home.path()).unwrap();
            for n in 0..USERS {
                put(&place, n).await;
            }
            let old = place.store.keys.id();
            let other = MasterKey::generate(&mut SysRng).unwrap();
            crashes.push(("before", crashed(home.path())));
            // A start between the file and its mark in the database.
            let half = crashed(home.path());
            master_key::create(&half.path().join("key.next"), &other).unwrap();
            crashes.push(("the file alone", half));

            place.store.begin_rekey(&file, event()).await.unwrap();
            assert_ne!(place.store.keys.id(), old);
            crashes.push(("begun", crashed(home.path())));
            // Begun twice is begun once.
            place.store.begin_rekey(&file, event()).await.unwrap();
            let renewed = place.store.renew_some(String::new()).await.unwrap();
            assert_eq!((renewed.rows, renewed.damaged), (200, 0));
            touch(&place, 10).await;
            touch(&place, 430).await;
            check(&place, home.path());
            crashes.push(("some rows", crashed(home.path())));
            let renewed = place.store.renew_some(renewed.last.unwrap()).await.unwrap();
            let renewed = place.store.renew_some(renewed.last.unwrap()).await.unwrap();
            assert_eq!((renewed.rows, renewed.last), (50, None));
            crashes.push(("all rows", crashed(home.path())));
            let before_rename = crashed(home.path());
            place.store.complete_rekey(Some(&file), event()).await.unwrap();
            check(&place, home.path());
            crashes.push(("complete", crashed(home.path())));
            // The database says so, the file has not moved yet.
            for name in ["db", "db-wal", "db.mark"] {
                fs::copy(home.path().join(name), before_rename.path().join(name)).unwrap();
            }
            crashes.push(("the file not moved", before_rename));
            place.store.forget_old_key(&old);
            assert_eq!(place.store.old_key_id(), None);
            check(&place, home.path());
            assert!(!home.path().join("key.next").exists());
        });
        assert_eq!(crashes.len(), 7);
        for (step, crash) in crashes {
            let file = crash.path().join("key");
            let was = master_key::load(&file).unwrap().unwrap().id();
            let to_the_end = step != "before" && step != "the file alone";
            runtime().block_on(async {
                let place = start(crash.path()).unwrap_or_else(|error| panic!("{step}: {error}"));
                check(&place, crash.path());
                finish(&place, &file).await;
                check(&place, crash.path());
            });
            let is = master_key::load(&file).unwrap().unwrap().id();
            assert_eq!(is != was, to_the_end && step != "complete", "{step}");
            assert_eq!(marks(crash.path()), BTreeSet::from([is[..8].to_vec()]), "{step}");
            // With that one file alone.
            let _ = fs::remove_file(crash.path().join("key.next"));
            check(&start(crash.path()).unwrap(), crash.path());
        }
    }

    #[test]
    fn a_missing_key_of_two_is_named_and_nothing_is_changed() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("key");
        runtime().block_on(async {
            let place = start(home.path()).unwrap();
            for n in 0..USERS {
                put(&place, n).await;
            }
            place.store.begin_rekey(&file, event()).await.unwrap();
            place.store.renew_some(String::new()).await.unwrap();
        });
        for missing in [file.clone(), master_key::next(&file)] {
            let aside = home.path().join("aside");
            fs::rename(&missing, &aside).unwrap();
            let refused = start(home.path()).err().unwrap().to_string();
            assert!(refused.contains(missing.to_str().unwrap()), "{refused}");
            fs::rename(&aside, &missing).unwrap();
        }
        runtime().block_on(async {
            let place = start(home.path()).unwrap();
            check(&place, home.path());
            finish(&place, &file).await;
        });
    }

    #[test]
    fn a_row_that_opens_with_no_key_stays_and_the_others_are_renewed() {
        let home = tempfile::tempdir().unwrap();
        let file: PathBuf = home.path().join("key");
        runtime().block_on(async {
            let place = start(home.path()).unwrap();
            for n in 0..3 {
                put(&place, n).await;
            }
            let connection = rusqlite::Connection::open(home.path().join("db")).unwrap();
            let damage = "UPDATE user SET sealed = x'00' WHERE name = 'user0001'";
            assert_eq!(connection.execute(damage, []).unwrap(), 1);
            place.store.begin_rekey(&file, event()).await.unwrap();
            let renewed = place.store.renew_some(String::new()).await.unwrap();
            assert_eq!(renewed, Renewed { last: None, rows: 3, damaged: 1 });
            place.store.complete_rekey(Some(&file), event()).await.unwrap();
        });
        let place = start(home.path()).unwrap();
        assert!(matches!(place.store.get(&user(1)), Err(StoreError::Damaged { .. })));
        for n in [0, 2] {
            let record = place.store.get(&user(n)).unwrap().unwrap();
            assert!(place.vault.open(&user(n), &record.tokens[0]).is_ok());
        }
    }

    async fn seal_all(place: &Place) {
        let mut after = Some(String::new());
        while let Some(name) = after {
            after = place.store.renew_some(name).await.unwrap().last;
        }
    }

    fn with_users() -> (tempfile::TempDir, PathBuf) {
        let home = tempfile::tempdir().unwrap();
        let place = start(home.path()).unwrap();
        runtime().block_on(async {
            for n in 0..USERS {
                put(&place, n).await;
            }
        });
        let file = home.path().join("key");
        (home, file)
    }

    /// A commit that is on the disk while the one who asked was told that it is not: as where the mark
    /// cannot be written.
    #[test]
    fn a_beginning_that_was_not_answered_for_goes_on_with_its_key() {
        let (home, file) = with_users();
        runtime().block_on(async {
            let place = start(home.path()).unwrap();
            let old = place.store.keys.id();
            place.store.begin_rekey(&file, event()).await.unwrap();
            // Back to what the keyring is without the answer.
            place.store.keys.turn_to(&old);
            assert!(place.store.complete_rekey(Some(&file), event()).await.is_err());
            assert_eq!(place.store.begin_rekey(&file, event()).await.unwrap(), Begun::Before);
            seal_all(&place).await;
            place.store.complete_rekey(Some(&file), event()).await.unwrap();
        });
        check(&start(home.path()).unwrap(), home.path());
    }

    #[test]
    fn an_end_without_its_file_is_ended_by_the_next_beginning_or_start() {
        for again in [false, true] {
            let (home, file) = with_users();
            let aside = home.path().join("aside");
            runtime().block_on(async {
                let place = start(home.path()).unwrap();
                place.store.begin_rekey(&file, event()).await.unwrap();
                seal_all(&place).await;
                // What cannot be renamed over.
                fs::rename(&file, &aside).unwrap();
                fs::create_dir(&file).unwrap();
                assert!(place.store.complete_rekey(Some(&file), event()).await.is_err());
                fs::remove_dir(&file).unwrap();
                fs::rename(&aside, &file).unwrap();
                assert!(!place.store.is_between_keys().await.unwrap());
                if again {
                    let begun = place.store.begin_rekey(&file, event()).await;
                    assert_eq!(begun.unwrap(), Begun::Ended);
                    assert!(!master_key::next(&file).exists());
                }
            });
            check(&start(home.path()).unwrap(), home.path());
            assert!(!master_key::next(&file).exists());
        }
    }

    #[test]
    fn a_new_key_whose_file_is_gone_is_written_again_before_the_old_one_goes() {
        let (home, file) = with_users();
        runtime().block_on(async {
            let place = start(home.path()).unwrap();
            place.store.begin_rekey(&file, event()).await.unwrap();
            seal_all(&place).await;
            fs::remove_file(master_key::next(&file)).unwrap();
            place.store.complete_rekey(Some(&file), event()).await.unwrap();
        });
        check(&start(home.path()).unwrap(), home.path());

        let (home, file) = with_users();
        runtime().block_on(async {
            let place = start(home.path()).unwrap();
            place.store.begin_rekey(&file, event()).await.unwrap();
            seal_all(&place).await;
            // Another key in its place is no reason to lose both.
            fs::remove_file(master_key::next(&file)).unwrap();
            let other = MasterKey::generate(&mut SysRng).unwrap();
            master_key::create(&master_key::next(&file), &other).unwrap();
            assert!(place.store.complete_rekey(Some(&file), event()).await.is_err());
            assert!(place.store.is_between_keys().await.unwrap());
            fs::remove_file(master_key::next(&file)).unwrap();
            place.store.complete_rekey(Some(&file), event()).await.unwrap();
        });
        check(&start(home.path()).unwrap(), home.path());
    }
}
