// SPDX-License-Identifier: GPL-3.0-or-later
//! The one writer: it takes the changes that wait, makes them in one transaction, commits, and only then
//! lets the answers go (group commit). Whose thread does that is [`Commits`]' owner's to say.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mfa_proto::UserName;
use mfa_proto::audit::AuditEvent;
use tokio::sync::{Notify, oneshot};
use tracing::{error, warn};

use super::mark::MarkFile;
use super::sqlite::{Blank, Sqlite};
use super::{Change, Obstacle, Step, StoreError};
use crate::audit::{Event, Share};
use crate::keyring::Keyring;
use crate::metrics::Metrics;
use crate::policy::record::Record;
use crate::progress::Progress;

/// Changes that share a commit, at most. Bounds how long the first of them waits.
const GROUP_MAX: usize = 256;

/// The longest a change may wait for its turn: less than the module's default timeout of 5 s.
const WAIT_MAX: Duration = Duration::from_secs(4);

/// Makes its change and returns the answer, to be released when the commit is durable; without a store to
/// make it in, that there is none.
type Job = Box<dyn FnOnce(Result<&Sqlite, Option<Obstacle>>) -> Release + Send>;
/// Sends an answer: the one decided on, or that nothing was committed.
type Release = Box<dyn FnOnce(Committed) + Send>;
/// Whether it was, and what an administrator can do about it.
type Committed = Result<(), Option<Obstacle>>;

/// What became of an event.
pub(super) enum Told {
    /// It is in the trail.
    Recorded(AuditEvent),
    /// It is not, by its user's share.
    PassedOver(Event),
}

/// The database while no group of changes is being committed: for reads as well, which find its cache as
/// the last commit has left it. Absent after a failed commit: what SQLite and the kernel then hold in memory
/// is not to be trusted (a failed fsync may have dropped the pages), so the file is opened anew.
pub(super) type Shared = Arc<Mutex<Option<Sqlite>>>;

/// The handle to the writer. Dropping it finishes what was queued, where a thread does the work.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Job>>,
    called: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
    metrics: Arc<Metrics>,
    progress: Arc<Progress>,
}

impl Writer {
    pub(super) fn new(
        store: Sqlite,
        mark: MarkFile,
        path: PathBuf,
        metrics: Arc<Metrics>,
    ) -> (Self, Commits) {
        let (queue, jobs) = mpsc::channel();
        let (called, progress) = <(Arc<Notify>, Arc<Progress>)>::default();
        let commits = Commits {
            jobs,
            called: Arc::clone(&called),
            keys: Arc::clone(&store.keys),
            store: Arc::new(Mutex::new(Some(store))),
            mark,
            path,
            metrics: Arc::clone(&metrics),
            progress: Arc::clone(&progress),
        };
        (Self { queue: Some(queue), called, thread: None, metrics, progress }, commits)
    }

    /// Has a thread of its own do the work.
    pub(super) fn on_a_thread(mut self, commits: Commits) -> Result<Self, StoreError> {
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || commits.run())
            .map_err(StoreError::Thread)?;
        self.thread = Some(thread);
        Ok(self)
    }

    pub(super) fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    pub(super) async fn act<R: Send + 'static>(
        &self,
        user: UserName,
        decide: impl FnOnce(Option<Record>) -> Step<R> + Send + 'static,
        admit: impl FnOnce(Event) -> Share + Send + 'static,
    ) -> Result<(R, Option<Told>), StoreError> {
        self.run(move |store| {
            let (version, record) = match store.get(&user)? {
                Some(row) => (Some(row.version), Some(row.record)),
                None => (None, None),
            };
            let step = decide(record);
            match (step.change, version) {
                (Change::Keep, _) | (Change::Remove, None) => {}
                (Change::Put(record), version) => store.put(&user, version, &record)?,
                (Change::Remove, Some(version)) => store.remove(&user, version)?,
            }
            let event = match step.event.map(admit) {
                Some(Share::Within(event)) => Some(Told::Recorded(store.note(event)?)),
                Some(Share::Beyond(event)) => Some(Told::PassedOver(event)),
                None => None,
            };
            Ok((step.answer, event))
        })
        .await
    }

    pub(super) async fn run<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Sqlite) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, StoreError> {
        let (sender, answer) = oneshot::channel();
        self.queue(work, move |result| {
            let _ = sender.send(result);
        })?;
        answer.await.map_err(|_| StoreError::NotCommitted(None))?
    }

    /// Queues `work`; `release` gets what came of it, on the writer's thread.
    pub(super) fn queue<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Sqlite) -> Result<R, StoreError> + Send + 'static,
        release: impl FnOnce(Result<R, StoreError>) + Send + 'static,
    ) -> Result<(), StoreError> {
        let queued = Instant::now();
        let waiting = self.metrics.waits();
        let job: Job = Box::new(move |store| {
            drop(waiting);
            // Whoever asked has been told "no" by his own deadline long since: a code must not be
            // spent, nor an attempt counted, for an answer that nobody waits for.
            let stale = queued.elapsed() > WAIT_MAX;
            let result = match store {
                Ok(_) if stale => Err(StoreError::Stale),
                Ok(store) => store.apart(work),
                Err(obstacle) => Err(StoreError::NotCommitted(obstacle)),
            };
            Box::new(move |committed| {
                release(match committed {
                    Err(obstacle) if result.is_ok() => Err(StoreError::NotCommitted(obstacle)),
                    _ => result,
                });
            })
        });
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        queue.send(job).map_err(|_| StoreError::Closed)?;
        self.called.notify_one();
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The work of the writer. Whoever has it commits what is queued.
pub struct Commits {
    jobs: mpsc::Receiver<Job>,
    called: Arc<Notify>,
    store: Shared,
    keys: Arc<Keyring>,
    mark: MarkFile,
    path: PathBuf,
    metrics: Arc<Metrics>,
    progress: Arc<Progress>,
}

/// What is to be told of a commit that is durable, or failed.
pub struct Answers {
    releases: Vec<Release>,
    committed: Committed,
}

impl Default for Answers {
    fn default() -> Self {
        Self { releases: Vec::new(), committed: Ok(()) }
    }
}

impl Answers {
    /// Tells it.
    pub fn release(self) {
        for release in self.releases {
            release(self.committed);
        }
    }
}

impl Commits {
    /// Works on this thread until the store is dropped.
    fn run(mut self) {
        self.progress.of_this_thread();
        while let Ok(first) = self.jobs.recv() {
            self.commit_with(first).release();
        }
    }

    /// The database, between two commits.
    pub(super) fn shared(&self) -> Shared {
        Arc::clone(&self.store)
    }

    /// Whether it gets on with its work, for the watchdog: this thread does it.
    pub fn are_of_this_thread(&self) {
        self.progress.of_this_thread();
    }

    /// Waits until a change is queued.
    pub async fn called(&self) {
        self.called.notified().await;
    }

    /// Makes the changes that wait, up to a group, and commits. Blocks for as long as the disk takes.
    #[must_use]
    pub fn commit(&mut self) -> Answers {
        let Ok(first) = self.jobs.try_recv() else { return Answers::default() };
        let answers = self.commit_with(first);
        if answers.releases.len() >= GROUP_MAX {
            // More may wait, and whoever queued it has called already.
            self.called.notify_one();
        }
        answers
    }

    fn commit_with(&mut self, first: Job) -> Answers {
        self.progress.goes_on();
        let mut releases = Vec::new();
        let result = self.group(first, &mut releases);
        let committed = result
            .as_ref()
            .map(drop)
            .map_err(|error| error.obstacle().or_else(|| Obstacle::of_disk(&self.path)));
        if let (Err(error), Err(obstacle)) = (result, committed) {
            // Those behind would wait as long for the same end: they are denied at once.
            let before = releases.len();
            releases.extend(self.jobs.try_iter().map(|job| job(Err(obstacle))));
            let behind = releases.len() - before;
            error!(%error, behind, "cannot commit; what waited for it is denied");
        }
        self.progress.rests();
        Answers { releases, committed }
    }

    fn settle(&self) {
        let store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Err(error)) = store.as_ref().map(Sqlite::settle) {
            warn!(%error, "the log of the database was not taken in; the next start does it");
        }
    }

    fn group(&mut self, first: Job, releases: &mut Vec<Release>) -> Result<(), StoreError> {
        // For as long as this takes: a read beside it has a connection of its own.
        let mut shared = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let store = match shared.take() {
            Some(store) => Ok(store),
            None => self.reopen(),
        };
        let store = match store.and_then(|store| store.begin().map(|()| store)) {
            Ok(store) => store,
            Err(error) => {
                let obstacle = error.obstacle().or_else(|| Obstacle::of_disk(&self.path));
                releases.push(first(Err(obstacle)));
                return Err(error);
            }
        };
        releases.push(first(Ok(&store)));
        while releases.len() < GROUP_MAX {
            let Ok(job) = self.jobs.try_recv() else { break };
            releases.push(job(Ok(&store)));
            self.progress.goes_on();
        }
        store.commit()?;
        self.metrics.committed(releases.len());
        // Before anybody is told: what opened a login must not be forgotten with an older database.
        let marked = self.mark.write(store.mark());
        *shared = Some(store);
        marked.map_err(|error| StoreError::Mark(self.path.clone(), error))
    }

    fn reopen(&self) -> Result<Sqlite, StoreError> {
        let store = Blank::open(&self.path, false)?.with_keys(Arc::clone(&self.keys))?;
        if store.mark().seq < self.mark.written().seq {
            return Err(StoreError::PutBack);
        }
        store.reached(self.mark.written());
        Ok(store)
    }
}

/// Commits what is left, and leaves the database for the next start.
impl Drop for Commits {
    fn drop(&mut self) {
        while let Ok(first) = self.jobs.try_recv() {
            self.commit_with(first).release();
        }
        self.settle();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use getrandom::SysRng;
    use mfa_crypto::MasterKey;

    use super::super::mark::Mark;
    use super::*;
    use crate::policy::record::Lockout;

    struct Place {
        home: tempfile::TempDir,
        keys: Arc<Keyring>,
    }

    impl Place {
        fn new() -> Self {
            let keys = Keyring::new(MasterKey::generate(&mut SysRng).unwrap());
            Self { home: tempfile::tempdir().unwrap(), keys: Arc::new(keys) }
        }

        fn path(&self) -> PathBuf {
            self.home.path().join("db")
        }

        fn open(&self) -> Sqlite {
            let blank = Blank::open(&self.path(), true).unwrap();
            blank.with_keys(Arc::clone(&self.keys)).unwrap()
        }

        /// Bytes that commits have written so far.
        fn log_size(&self) -> u64 {
            std::fs::metadata(self.home.path().join("db-wal")).map_or(0, |found| found.len())
        }

        /// Runs jobs that all wait already when the loop looks.
        fn run(&self, store: Sqlite, waiting: Vec<Job>) {
            let mark = MarkFile::create(&self.home.path().join("mark"), Mark::default()).unwrap();
            let (mut writer, commits) = Writer::new(store, mark, self.path(), Arc::default());
            let queue = writer.queue.take().unwrap();
            for job in waiting {
                queue.send(job).unwrap();
            }
            drop(queue);
            commits.run();
        }
    }

    fn user(n: usize) -> UserName {
        UserName::new(format!("user{n:03}")).unwrap()
    }

    fn count_failure(n: usize, released: &Arc<Mutex<Vec<(usize, bool)>>>) -> Job {
        let released = Arc::clone(released);
        Box::new(move |store| {
            let store = match store {
                Ok(store) => store,
                Err(_) => return Box::new(move |_| released.lock().unwrap().push((n, false))),
            };
            let row = store.get(&user(n)).unwrap();
            let version = row.as_ref().map(|row| row.version);
            let failures = row.map_or(0, |row| row.record.lockout.failures) + 1;
            let record = Record {
                lockout: Lockout { failures, last_failure: 1, last_from: None },
                ..Record::default()
            };
            store.put(&user(n), version, &record).unwrap();
            Box::new(move |committed| released.lock().unwrap().push((n, committed.is_ok())))
        })
    }

    #[test]
    fn changes_that_wait_share_one_commit_and_are_answered_after_it() {
        let place = Place::new();
        let store = place.open();
        let released = Arc::default();
        place.run(store, vec![count_failure(0, &released)]);
        let store = place.open();
        let before = place.log_size();
        place.run(store, vec![count_failure(0, &released)]);
        let alone = place.log_size() - before;

        let store = place.open();
        let before = place.log_size();
        place.run(store, (0..100).map(|_| count_failure(0, &released)).collect());
        let shared = place.log_size().saturating_sub(before);
        assert!(shared <= 2 * alone.max(8_192), "{shared} bytes for 100, {alone} for one");
        assert_eq!(released.lock().unwrap().len(), 102);
        assert!(released.lock().unwrap().iter().all(|(_, committed)| *committed));
        assert_eq!(place.open().get(&user(0)).unwrap().unwrap().record.lockout.failures, 102);
    }

    #[test]
    fn a_change_that_fails_leaves_the_others_of_its_commit() {
        let place = Place::new();
        let released = Arc::default();
        let failed = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&failed);
        let failing: Job = Box::new(move |store| {
            let result = store.unwrap().apart(|store| {
                store.put(&user(7), None, &Record::default())?;
                store.put(&user(7), None, &Record::default())
            });
            Box::new(move |committed| {
                assert!(committed.is_ok());
                assert!(matches!(result, Err(StoreError::Conflict)));
                seen.fetch_add(1, Ordering::Relaxed);
            })
        });
        let jobs = vec![count_failure(1, &released), failing, count_failure(2, &released)];
        place.run(place.open(), jobs);
        let store = place.open();
        assert_eq!(failed.load(Ordering::Relaxed), 1);
        assert!(store.get(&user(7)).unwrap().is_none());
        assert!(store.get(&user(1)).unwrap().is_some());
        assert!(store.get(&user(2)).unwrap().is_some());
    }

    #[test]
    fn without_a_commit_nobody_is_told_of_success_and_nothing_is_there() {
        let place = Place::new();
        let released = Arc::default();
        place.run(place.open(), vec![count_failure(1, &released)]);
        let other = rusqlite::Connection::open(place.path()).unwrap();
        let store = place.open();
        other.execute_batch("BEGIN EXCLUSIVE").unwrap();
        place.run(store, vec![count_failure(1, &released)]);
        other.execute_batch("ROLLBACK").unwrap();
        assert_eq!(*released.lock().unwrap(), [(1, true), (1, false)]);
        assert_eq!(place.open().get(&user(1)).unwrap().unwrap().record.lockout.failures, 1);
        place.run(place.open(), vec![count_failure(1, &released)]);
        assert_eq!(*released.lock().unwrap(), [(1, true), (1, false), (1, true)]);
    }

    #[test]
    fn a_row_that_was_changed_meanwhile_is_not_replaced() {
        let place = Place::new();
        let store = place.open();
        store.put(&user(1), None, &Record::default()).unwrap();
        let version = store.get(&user(1)).unwrap().unwrap().version;
        store.put(&user(1), Some(version), &Record::default()).unwrap();
        let late = store.put(&user(1), Some(version), &Record::default());
        assert!(matches!(late, Err(StoreError::Conflict)));
        assert!(matches!(store.remove(&user(1), version), Err(StoreError::Conflict)));
        store.remove(&user(1), version + 1).unwrap();
        assert!(store.get(&user(1)).unwrap().is_none());
    }
}
