// SPDX-License-Identifier: GPL-3.0-or-later
//! Opening the store at start: database and master key belong together, and neither is ever made
//! anew beside what the other proves to have existed.
//!
//! First start: database, then key, then the key's mark in the database. Whatever of these an
//! interrupted first start has left, the next one goes on from there.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use getrandom::SysRng;
use mfa_crypto::MasterKey;
use nix::fcntl::{Flock, FlockArg};

use super::census::Apart;
use super::mark::{self, Found, Mark, MarkFile};
use super::reader::Reader;
use super::sqlite::{Blank, Sqlite};
use super::writer::{Commits, Writer};
use super::{Store, StoreError, guard, restore};
use crate::audit;
use crate::keyring::Keyring;
use crate::master_key::{self, KeySource};
use crate::metrics::Metrics;
use crate::vault::Vault;

/// Holds the store for this process; dropped last.
pub struct StoreLock {
    _file: Flock<fs::File>,
}

/// When the store is opened, and what is configured for codes: what a guard is made of.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Unix seconds.
    pub now: u64,
    /// Steps accepted before and after the current one.
    pub skew: u64,
}

/// Opens the store at `database`, whose secrets are sealed under the key from `source`; what it does is
/// counted in `metrics`. A thread of the store's own writes.
///
/// # Errors
/// [`StoreError`] says what is missing and what to do.
pub fn open(
    database: &Path,
    source: &KeySource,
    at: Moment,
    metrics: &Arc<Metrics>,
) -> Result<(Store, Vault, StoreLock), StoreError> {
    let (lock, mut store, commits, vault) = open_in_turns(database, source, at, metrics)?;
    store.writer = store.writer.on_a_thread(commits)?;
    Ok((store, vault, lock))
}

/// The same, where the caller's thread writes, between what else it does: see [`crate::turns`].
///
/// # Errors
/// Those of [`open`].
pub fn open_in_turns(
    database: &Path,
    source: &KeySource,
    at: Moment,
    metrics: &Arc<Metrics>,
) -> Result<(StoreLock, Store, Commits, Vault), StoreError> {
    if matches!(source, KeySource::File(file) if database == file) {
        return Err(StoreError::SamePath(database.to_owned()));
    }
    make_directories(database, source)?;
    let lock = lock(database)?;
    restore::clear(database);
    let key = source.load()?;
    let size = match fs::metadata(database) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(StoreError::Directory(database.to_owned(), error)),
    };
    // A credential is there before the first start, so it proves nothing; the mark beside the database
    // is made after it.
    let mark = beside(database, ".mark");
    let made = match source {
        KeySource::File(_) => key.is_some(),
        KeySource::Credential { .. } => mark.exists(),
    };
    if size == 0 && made {
        return Err(StoreError::DatabaseLost(database.to_owned()));
    }
    if size == 0 {
        make_private(database)?;
    }
    let blank = Blank::open(database, true)?;
    let keys = Arc::new(agree(&blank, key, source)?);
    // A first start, or a schema that had no mark.
    let unmarked = size == 0 || blank.is_old()?;
    if size != 0 && unmarked {
        // First of all: a start that is interrupted behind the migration would be taken for a database
        // that has lost its mark.
        let failed = |error| StoreError::Mark(mark.clone(), error);
        if matches!(mark::read(&mark).map_err(failed)?, Found::Nothing) {
            MarkFile::create(&mark, Mark::default()).map_err(failed)?;
        }
    }
    // Only what belongs together is changed: after a mistake the older version can go on with it.
    let sqlite = blank.with_keys(Arc::clone(&keys))?;
    let recovery = sqlite.recovery_key()?;
    let mark = compare_mark(&sqlite, &mark, unmarked, at)?;
    sqlite.reserve_log()?;
    let (writer, commits) = Writer::new(sqlite, mark, database.to_owned(), Arc::clone(metrics));
    let own = Sqlite::open_reader(database, Arc::clone(&keys))?;
    // From its first read on it holds the log's index, which is in memory alone. After a failed sync the writer
    // closes its connection; were that the last one, the next would build the index anew from the log, and take the
    // change that nobody may count on for a commit.
    own.has_users()?;
    let reader = Reader::new(own, commits.shared());
    let apart = Apart { path: database.to_owned(), keys: Arc::clone(&keys) };
    let metrics = Arc::clone(metrics);
    let store =
        Store { writer, reader, apart, keys: Arc::clone(&keys), quota: Arc::default(), metrics };
    Ok((StoreLock { _file: lock }, store, commits, Vault::new(keys, recovery)))
}

/// Whether the database has come as far as its mark says; from here on the mark goes with it.
fn compare_mark(
    sqlite: &Sqlite,
    path: &Path,
    unmarked: bool,
    at: Moment,
) -> Result<MarkFile, StoreError> {
    let failed = |error| StoreError::Mark(path.to_owned(), error);
    let found = mark::read(path).map_err(failed)?;
    let event = guard::compare(sqlite, found, unmarked, at)?;
    let reached = sqlite.mark();
    let in_place = || {
        let mut file = MarkFile::open(path)?;
        file.write(reached)?;
        Ok(file)
    };
    let file = match found {
        Found::Mark(_) => in_place(),
        Found::Nothing => MarkFile::create(path, reached),
        // Where there is no room for another file, a damaged one must not keep everybody out.
        Found::Damaged => MarkFile::create(path, reached).or_else(|_| in_place()),
    };
    let file = file.map_err(failed)?;
    event.iter().for_each(audit::make_known);
    Ok(file)
}

/// The keys that belong to the database; one is made where this is a first start.
fn agree(
    sqlite: &Blank,
    key: Option<MasterKey>,
    source: &KeySource,
) -> Result<Keyring, StoreError> {
    let place = || source.place().to_owned();
    let ids = sqlite.master_key_ids()?;
    let has = |key: &Option<MasterKey>, id: &[u8]| key.as_ref().is_some_and(|key| key.id() == id);
    match ids.as_slice() {
        [] if sqlite.has_users()? => Err(StoreError::KeyMismatch(place())),
        [] => {
            let key = match key {
                Some(key) => key,
                None => {
                    let key = MasterKey::generate(&mut SysRng).map_err(StoreError::Randomness)?;
                    master_key::create(source.place(), &key)?;
                    key
                }
            };
            sqlite.add_master_key_id(&key.id())?;
            Ok(Keyring::new(key))
        }
        [id] => match (key, source) {
            (Some(key), _) if key.id() == id.as_slice() => Ok(Keyring::new(key)),
            (key, source) => match (key, source.load_other()?, source) {
                // What remained to be done of a new key.
                (_, Some(next), KeySource::File(path)) if next.id() == id.as_slice() => {
                    master_key::replace(path, &next.id())?;
                    Ok(Keyring::new(next))
                }
                (Some(key), Some(old), KeySource::Credential { .. })
                    if old.id() == id.as_slice() =>
                {
                    sqlite.add_master_key_id(&key.id())?;
                    Ok(Keyring::between(key, old))
                }
                (Some(_), ..) => Err(StoreError::KeyMismatch(place())),
                (None, ..) => Err(StoreError::KeyLost(place())),
            },
        },
        [old, current] => {
            let (mut one, mut other) = (key, source.load_other()?);
            if has(&one, old) {
                std::mem::swap(&mut one, &mut other);
            }
            match (one, other) {
                (Some(one), Some(other))
                    if one.id() == current.as_slice() && other.id() == old.as_slice() =>
                {
                    Ok(Keyring::between(one, other))
                }
                (one, other) => Err(StoreError::KeyOfTwo {
                    current: has(&one, current) || has(&other, current),
                    old: has(&one, old) || has(&other, old),
                    places: source.both_places(),
                }),
            }
        }
        _ => Err(StoreError::KeyMismatch(place())),
    }
}

/// The path with something behind its last part, extension and all: so it is never that of another
/// file that the configuration names.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Makes durable which files stand in the directory of this one.
pub(crate) fn sync_names(file: &Path) -> io::Result<()> {
    fs::File::open(file.parent().unwrap_or(Path::new("/")))?.sync_all()
}

/// Makes the directories of the database and of its key, where they are not there, and says which
/// they are.
///
/// # Errors
/// [`StoreError::Directory`].
pub fn make_directories(database: &Path, source: &KeySource) -> Result<Vec<PathBuf>, StoreError> {
    let key = match source {
        KeySource::File(file) => Some(file.as_path()),
        KeySource::Credential { .. } => None,
    };
    let mut made = Vec::new();
    for file in [Some(database), key].into_iter().flatten() {
        let directory = file.parent().unwrap_or(Path::new("/"));
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|error| StoreError::Directory(directory.to_owned(), error))?;
        made.push(directory.to_owned());
        // Where a link leads counts as well.
        let real = fs::canonicalize(file).ok().and_then(|real| real.parent().map(Path::to_owned));
        made.extend(real);
    }
    Ok(made)
}

/// The database must be nobody else's to read; SQLite gives its `-wal` the same mode.
fn make_private(database: &Path) -> Result<(), StoreError> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(database)
        .map(drop)
        .map_err(|error| StoreError::Directory(database.to_owned(), error))
}

fn lock(database: &Path) -> Result<Flock<fs::File>, StoreError> {
    let path = beside(database, ".lock");
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(&path)
        .map_err(|error| StoreError::Directory(path.clone(), error))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock)
        .map_err(|_| StoreError::InUse(database.to_owned()))
}
