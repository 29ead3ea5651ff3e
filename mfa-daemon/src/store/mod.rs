// SPDX-License-Identifier: GPL-3.0-or-later
//! Where users are kept. Changes go through one writer that shares commits; reads go beside it.

mod backup;
mod census;
mod check;
mod guard;
mod mark;
mod migration;
mod obstacle;
mod open;
#[cfg(test)]
mod plan;
mod reader;
mod recovery_key;
mod rekey;
mod restore;
mod ring;
mod room;
mod row;
mod sqlite;
mod staging;
mod writer;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use mfa_crypto::SealError;
use mfa_proto::UserName;
use mfa_proto::audit::{ActResult, AuditEvent};
use mfa_proto::keep::Checked;
use tracing::dispatcher;

use self::census::Apart;
pub use self::obstacle::Obstacle;
use self::reader::Reader;
pub use self::rekey::{Begun, Renewed};
pub use self::restore::{Incoming, Unfit, Verified};
pub use self::ring::{ENTRIES as AUDIT_ENTRIES, Query as AuditQuery};
use self::sqlite::Sqlite;
pub use self::staging::{SealedRow, Sealer, Staged};
use self::writer::{Told, Writer};
use crate::audit::{self, Event, Quota, Share};
use crate::keyring::Keyring;
use crate::master_key::MasterKeyError;
use crate::metrics::Metrics;
use crate::metrics::census::Counted;
use crate::policy::lockout::LockoutRules;
use crate::policy::record::Record;
use crate::progress::Progress;

pub use self::open::{Moment, StoreLock, make_directories, open, open_in_turns};
pub(crate) use self::open::{beside, sync_names};
pub use self::writer::{Answers, Commits};

/// The handle that requests use.
pub struct Store {
    writer: Writer,
    reader: Reader,
    apart: Apart,
    keys: Arc<Keyring>,
    quota: Arc<Mutex<Quota>>,
    metrics: Arc<Metrics>,
}

/// Whether an event is to be recorded.
fn admit(quota: &Mutex<Quota>, event: Event) -> Share {
    let own = nix::unistd::geteuid().as_raw();
    quota.lock().unwrap_or_else(PoisonError::into_inner).admit(event, own)
}

/// An event that its user's quota leaves out of the trail. What was done is told in the log.
fn pass_over(metrics: &Metrics, event: Event) {
    let event = event.numbered(0);
    metrics.decided(&event);
    if event.result == ActResult::Done {
        audit::make_known(&event);
    }
}

fn make_known(metrics: &Metrics, event: &AuditEvent) {
    metrics.decided(event);
    audit::make_known(event);
}

/// A name as it is stored, and its record; a row that cannot be read comes with its error instead of
/// hiding the others.
pub type Listed = (String, Result<Record, StoreError>);

/// What a change makes of a user's record.
pub enum Change {
    /// Nothing is written.
    Keep,
    /// The record is replaced, or made.
    Put(Record),
    /// The user is gone.
    Remove,
}

impl Change {
    /// Keeps what a change has left of a record, and no row of which nothing would be missed.
    #[must_use]
    pub fn to(record: Record) -> Self {
        if record.is_empty() { Self::Remove } else { Self::Put(record) }
    }
}

/// What a decision comes to: the change, what the trail tells of it, and what the asker is answered.
pub struct Step<R> {
    /// To the user's record.
    pub change: Change,
    /// Written with the change; known once both are durable.
    pub event: Option<Event>,
    /// For the asker, released then.
    pub answer: R,
}

/// Why the store did not do what it was asked. In every case nothing was changed.
#[derive(Debug)]
pub enum StoreError {
    /// SQLite's word.
    Sqlite(rusqlite::Error),
    /// A row that is not a record.
    Damaged {
        /// Whose.
        user: String,
        /// What is wrong with it.
        what: String,
    },
    /// A record that cannot be written down.
    Encode(serde_json::Error),
    /// A record that cannot be sealed.
    Seal(SealError),
    /// Another import is under way, or what an interrupted one has left is being cleared away.
    ImportUnderWay,
    /// An import brings a user twice.
    Repeated(UserName),
    /// Somebody changed the row first.
    Conflict,
    /// A schema of another version.
    Schema {
        /// In the file.
        found: i64,
        /// Of this program.
        known: i64,
    },
    /// The commit that this change was part of failed; the log has the cause.
    NotCommitted(Option<Obstacle>),
    /// The disk has less left than so many bytes, which are kept for logins.
    NoRoom(u64),
    /// The change waited longer for its turn than whoever asked for it.
    Stale,
    /// The store is closing.
    Closed,
    /// No thread could be started.
    Thread(std::io::Error),
    /// The database is missing or empty, but its master key is there.
    DatabaseLost(PathBuf),
    /// There are users, but their master key is missing.
    KeyLost(PathBuf),
    /// The master key is another one than that of the database.
    KeyMismatch(PathBuf),
    /// One master key is taking the place of another, and not both are there.
    KeyOfTwo {
        /// Whether the new one is.
        current: bool,
        /// Whether the old one is.
        old: bool,
        /// Where they should be.
        places: [PathBuf; 2],
    },
    /// The mark cannot be read or written.
    Mark(PathBuf, std::io::Error),
    /// The database is an older one than that which was open.
    PutBack,
    /// The clock tells nothing about which codes may have been used.
    ClockTooEarly(u64),
    /// A backup that is not put back.
    Unfit(Unfit),
    /// Database and master key are one file.
    SamePath(PathBuf),
    /// Another daemon has the store.
    InUse(PathBuf),
    /// The store's directory cannot be used.
    Directory(PathBuf, std::io::Error),
    /// The master key cannot be used.
    Key(MasterKeyError),
    /// The system gives no randomness for a new key.
    Randomness(mfa_crypto::RngError),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(error) => write!(f, "database: {error}"),
            Self::Damaged { user, what } => {
                write!(f, "the record of {user:?} is damaged ({what}); restore it from a backup")
            }
            Self::Encode(error) => write!(f, "a record cannot be written: {error}"),
            Self::Seal(error) => write!(f, "a record cannot be sealed: {error}"),
            Self::ImportUnderWay => write!(
                f,
                "another import is under way, or an interrupted one is being cleared away; try \
                 again in a moment"
            ),
            Self::Repeated(user) => write!(f, "{user} is in this import twice"),
            Self::Conflict => write!(f, "the record was changed by somebody else at the same time"),
            Self::Schema { found, known } => write!(
                f,
                "the database has schema {found}, this version knows {known}; install the version \
                 that wrote it, or name another file in store.url"
            ),
            Self::NotCommitted(_) => write!(f, "the change could not be made durable"),
            Self::NoRoom(bytes) => {
                write!(
                    f,
                    "the disk has less than {} MiB left, which are kept for logins",
                    bytes >> 20
                )
            }
            Self::Stale => write!(f, "the store was busy for too long"),
            Self::Closed => write!(f, "the store is closing"),
            Self::Thread(error) => write!(f, "cannot start a thread for the store: {error}"),
            Self::DatabaseLost(path) => write!(
                f,
                "{} is missing or empty, but its master key exists: starting afresh would unenroll \
                 everybody. Restore the database from a backup; to really begin anew, remove the \
                 master key too",
                path.display()
            ),
            Self::KeyLost(path) => write!(
                f,
                "the database has users, but their master key {} is missing. Restore it from a \
                 backup; no secret can be opened without it",
                path.display()
            ),
            Self::KeyMismatch(path) => write!(
                f,
                "{} is not the master key of this database. Restore the one that belongs to it",
                path.display()
            ),
            Self::KeyOfTwo { current, old, places: [one, other] } => {
                let missing = match (current, old) {
                    (true, _) => "the old one is missing",
                    (false, true) => "the new one is missing",
                    (false, false) => "both are missing",
                };
                write!(
                    f,
                    "one master key is taking the place of another, so both are needed, {} and {}, \
                     but {missing}. Restore it from a backup",
                    one.display(),
                    other.display()
                )
            }
            Self::Mark(path, error) => write!(f, "generation mark {}: {error}", path.display()),
            Self::PutBack => write!(
                f,
                "the database is an older one than that which was open; restart mfa-daemon"
            ),
            Self::ClockTooEarly(now) => write!(
                f,
                "the database has lost its mark, so codes up to now must be refused, but this host's \
                 clock says {now} s since 1970, which is in the past; set it first"
            ),
            Self::Unfit(unfit) => write!(f, "{unfit}"),
            Self::SamePath(path) => write!(
                f,
                "store.url and master_key.file both name {}; give each a file of its own",
                path.display()
            ),
            Self::InUse(path) => {
                write!(f, "another mfa-daemon is using {}; stop it first", path.display())
            }
            Self::Directory(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Key(error) => write!(f, "{error}"),
            Self::Randomness(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for StoreError {}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Unfit> for StoreError {
    fn from(unfit: Unfit) -> Self {
        Self::Unfit(unfit)
    }
}

impl From<MasterKeyError> for StoreError {
    fn from(error: MasterKeyError) -> Self {
        Self::Key(error)
    }
}

impl Store {
    /// Reads a user's record, decides with `decide`, writes what it says, its event with it: one atomic
    /// step. The result comes only after the change is durable, and the event is logged soon after it.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was changed then.
    pub async fn act<R: Send + 'static>(
        &self,
        user: UserName,
        decide: impl FnOnce(Option<Record>) -> Step<R> + Send + 'static,
    ) -> Result<R, StoreError> {
        #[cfg(feature = "no-compare-and-set")]
        let decide = {
            let step = decide(self.reader.get(&user)?);
            move |_: Option<Record>| step
        };
        let quota = Arc::clone(&self.quota);
        let (answer, event) =
            self.writer.act(user, decide, move |event| admit(&quota, event)).await?;
        if let Some(event) = event {
            // A login does not wait for the log: this task goes on first, and sends its answer.
            let metrics = Arc::clone(&self.metrics);
            tokio::spawn(async move {
                match event {
                    Told::Recorded(event) => make_known(&metrics, &event),
                    Told::PassedOver(event) => pass_over(&metrics, event),
                }
            });
        }
        Ok(answer)
    }

    /// Writes an event that comes with no change, and logs it. Where it cannot be written it is
    /// logged all the same.
    ///
    /// # Errors
    /// [`StoreError`]; the event is in the log then, without a number.
    pub async fn note(&self, event: Event) -> Result<(), StoreError> {
        let event = match admit(&self.quota, event) {
            Share::Within(event) => event,
            Share::Beyond(event) => {
                self.pass_over(event);
                return Ok(());
            }
        };
        let noted = event.clone();
        let result = self.writer.run(move |store| store.note(noted)).await;
        let known = match &result {
            Ok(event) => event.clone(),
            Err(_) => event.numbered(0),
        };
        self.make_known(&known);
        result.map(drop)
    }

    /// The same for an event that nobody waits for.
    pub fn note_aside(&self, event: Event) {
        let event = match admit(&self.quota, event) {
            Share::Within(event) => event,
            Share::Beyond(event) => return self.pass_over(event),
        };
        let (noted, unnumbered) = (event.clone(), event.clone());
        let metrics = Arc::clone(&self.metrics);
        // As for those who wait: theirs is the log that they log to.
        let log = dispatcher::get_default(Clone::clone);
        let queued = self.writer.queue(
            move |store| store.note(noted),
            move |result| {
                let known = result.unwrap_or_else(|_| event.numbered(0));
                metrics.decided(&known);
                dispatcher::with_default(&log, || audit::make_known(&known));
            },
        );
        if queued.is_err() {
            self.make_known(&unnumbered.numbered(0));
        }
    }

    /// Audit events in the order of their numbers, and the number of the last one there is. Looks
    /// through all of them, some milliseconds, on a connection that no login waits for.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn events(&self, query: &AuditQuery) -> Result<(Vec<AuditEvent>, u64), StoreError> {
        self.apart.events(query)
    }

    /// Whether the writer gets on with its work.
    #[must_use]
    pub fn progress(&self) -> &Arc<Progress> {
        self.writer.progress()
    }

    /// A user's record as it was last committed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn get(&self, user: &UserName) -> Result<Option<Record>, StoreError> {
        self.reader.get(user)
    }

    /// A page of users after `after`, in the order of their names.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn list(&self, after: Option<&UserName>, limit: u16) -> Result<Vec<Listed>, StoreError> {
        self.reader.list(after, limit)
    }

    /// Begins an import, and gives what seals its rows; at most one is under way.
    ///
    /// # Errors
    /// [`StoreError::ImportUnderWay`] and others.
    pub async fn begin_import(&self) -> Result<Sealer, StoreError> {
        self.writer.run(Sqlite::begin_import).await
    }

    /// Writes users of the import: they count once it is completed. What else is kept of a user, such
    /// as an invite, stays.
    ///
    /// # Errors
    /// [`StoreError`]; none of these was written then.
    pub async fn stage(&self, rows: Vec<SealedRow>) -> Result<Vec<Staged>, StoreError> {
        self.writer.run(move |store| store.stage(&rows)).await
    }

    /// Makes the whole import count, with its event.
    ///
    /// # Errors
    /// [`StoreError`]; none of it counts then.
    pub async fn complete_import(&self, event: Event) -> Result<(), StoreError> {
        let event = self
            .writer
            .run(move |store| {
                store.complete_import()?;
                store.note(event)
            })
            .await?;
        self.make_known(&event);
        Ok(())
    }

    fn pass_over(&self, event: Event) {
        pass_over(&self.metrics, event);
    }

    fn make_known(&self, event: &AuditEvent) {
        make_known(&self.metrics, event);
    }

    /// Counts all users as of `now`, which may take long, until `goes_on` says otherwise.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn count(
        &self,
        now: u64,
        rules: &LockoutRules,
        goes_on: impl Fn() -> bool,
    ) -> Result<Counted, StoreError> {
        self.apart.count(now, rules, goes_on)
    }

    /// Shows every user's record, which may take long, until `goes_on` says otherwise.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn each(
        &self,
        goes_on: impl Fn() -> bool,
        see: impl FnMut(Result<Record, StoreError>),
    ) -> Result<(), StoreError> {
        self.apart.each(goes_on, see)
    }

    /// Looks at every page, every record and every secret, which may take long, until `goes_on` says
    /// otherwise.
    ///
    /// # Errors
    /// [`StoreError`]; damage is none.
    pub fn check(
        &self,
        goes_on: impl Fn() -> bool + Send + Clone + 'static,
    ) -> Result<Checked, StoreError> {
        self.apart.check(goes_on)
    }

    /// Removes a user, also where the row cannot be read; says whether there was one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn erase(&self, user: UserName, event: Event) -> Result<bool, StoreError> {
        let erased = self.writer.run(move |store| {
            if store.erase(&user)? { store.note(event).map(Some) } else { Ok(None) }
        });
        let event = erased.await?;
        event.iter().for_each(|event| self.make_known(event));
        Ok(event.is_some())
    }

    /// Clears away what an import has left that was not completed, some rows a commit, so that logins
    /// go on meanwhile.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn clear_staged(&self) -> Result<(), StoreError> {
        let mut after = Some(String::new());
        if !self.writer.run(Sqlite::has_staged).await? {
            return Ok(());
        }
        while let Some(name) = after {
            after = self.writer.run(move |store| store.clear_staged(&name)).await?;
        }
        Ok(())
    }
}
