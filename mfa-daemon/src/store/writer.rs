// SPDX-License-Identifier: GPL-3.0-or-later
//! The one writer: a thread that takes the changes that wait, makes them in one transaction,
//! commits, and only then lets the answers go (group commit).

use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mfa_proto::UserName;
use mfa_proto::audit::AuditEvent;
use tokio::sync::oneshot;
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

/// The handle to the thread. Dropping it finishes what was queued.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    metrics: Arc<Metrics>,
    progress: Arc<Progress>,
}

impl Writer {
    pub(super) fn start(
        store: Sqlite,
        mark: MarkFile,
        path: PathBuf,
        metrics: Arc<Metrics>,
    ) -> Result<Self, StoreError> {
        let (queue, jobs) = mpsc::channel();
        let keys = Arc::clone(&store.keys);
        let counted = Arc::clone(&metrics);
        let progress = Arc::<Progress>::default();
        let shown = Arc::clone(&progress);
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                shown.of_this_thread();
                let store = Some(store);
                Loop { store, keys, mark, path, metrics: counted, progress: shown }.run(&jobs);
            })
            .map_err(StoreError::Thread)?;
        Ok(Self { queue: Some(queue), thread: Some(thread), metrics, progress })
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
        queue.send(job).map_err(|_| StoreError::Closed)
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

struct Loop {
    /// Absent after a failed commit: what SQLite and the kernel then hold in memory is not to be
    /// trusted (a failed fsync may have dropped the pages), so the file is opened anew.
    store: Option<Sqlite>,
    keys: Arc<Keyring>,
    mark: MarkFile,
    path: PathBuf,
    metrics: Arc<Metrics>,
    progress: Arc<Progress>,
}

impl Loop {
    fn run(mut self, jobs: &mpsc::Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            self.progress.goes_on();
            let mut releases = Vec::new();
            let result = self.group(first, jobs, &mut releases);
            let committed = result
                .as_ref()
                .map(drop)
                .map_err(|error| error.obstacle().or_else(|| Obstacle::of_disk(&self.path)));
            if let (Err(error), Err(obstacle)) = (result, committed) {
                // Those behind would wait as long for the same end: they are denied at once.
                let before = releases.len();
                releases.extend(jobs.try_iter().map(|job| job(Err(obstacle))));
                let behind = releases.len() - before;
                error!(%error, behind, "cannot commit; what waited for it is denied");
            }
            for release in releases {
                release(committed);
            }
            self.progress.rests();
        }
        if let Some(Err(error)) = self.store.as_ref().map(Sqlite::settle) {
            warn!(%error, "the log of the database was not taken in; the next start does it");
        }
    }

    fn group(
        &mut self,
        first: Job,
        jobs: &mpsc::Receiver<Job>,
        releases: &mut Vec<Release>,
    ) -> Result<(), StoreError> {
        let store = match self.store.take() {
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
            let Ok(job) = jobs.try_recv() else { break };
            releases.push(job(Ok(&store)));
            self.progress.goes_on();
        }
        store.commit()?;
        self.metrics.committed(releases.len());
        // Before anybody is told: what opened a login must not be forgotten with an older database.
        let marked = self.mark.write(store.mark());
        self.store = Some(store);
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use getrandom::SysRng;
    use mfa_crypto::MasterKey;

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
            let (queue, jobs) = mpsc::channel();
            for job in waiting {
                queue.send(job).unwrap();
            }
            drop(queue);
            let mark = MarkFile::open(&self.home.path().join("mark")).unwrap();
            let (keys, metrics) = (Arc::clone(&self.keys), Arc::default());
            let (store, path, progress) = (Some(store), self.path(), Arc::default());
            Loop { store, keys, mark, path, metrics, progress }.run(&jobs);
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
