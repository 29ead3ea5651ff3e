// SPDX-License-Identifier: GPL-3.0-or-later
//! The one writer: a thread that takes the changes that wait, makes them in one transaction,
//! commits, and only then lets the answers go (group commit).

use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use mfa_proto::UserName;
use tokio::sync::oneshot;
use tracing::error;

use super::sqlite::Sqlite;
use super::{Change, StoreError};
use crate::policy::record::Record;

/// Changes that share a commit, at most. Bounds how long the first of them waits.
const GROUP_MAX: usize = 256;

/// Makes its change and returns the answer, to be released when the commit is durable.
type Job = Box<dyn FnOnce(&Sqlite) -> Release + Send>;
/// Sends an answer: the one decided on, or that nothing was committed.
type Release = Box<dyn FnOnce(bool) + Send>;

/// The handle to the thread. Dropping it finishes what was queued.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(store: Sqlite, path: PathBuf) -> Result<Self, StoreError> {
        let (queue, jobs) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || Loop { store: Some(store), path }.run(&jobs))
            .map_err(StoreError::Thread)?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    pub(super) async fn update<R: Send + 'static>(
        &self,
        user: UserName,
        decide: impl FnOnce(Option<Record>) -> (Change, R) + Send + 'static,
    ) -> Result<R, StoreError> {
        self.run(move |store| {
            let (version, record) = match store.get(&user)? {
                Some(row) => (Some(row.version), Some(row.record)),
                None => (None, None),
            };
            let (change, answer) = decide(record);
            match (change, version) {
                (Change::Keep, _) | (Change::Remove, None) => {}
                (Change::Put(record), version) => store.put(&user, version, &record)?,
                (Change::Remove, Some(version)) => store.remove(&user, version)?,
            }
            Ok(answer)
        })
        .await
    }

    pub(super) async fn add(&self, users: Vec<(UserName, Record)>) -> Result<usize, StoreError> {
        self.run(move |store| {
            let mut added = 0;
            for (user, record) in &users {
                match store.put(user, None, record) {
                    Ok(()) => added += 1,
                    Err(StoreError::Conflict) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(added)
        })
        .await
    }

    async fn run<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Sqlite) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, StoreError> {
        let (sender, answer) = oneshot::channel();
        let job: Job = Box::new(move |store| {
            let result = store.apart(work);
            Box::new(move |committed| {
                let _ = sender.send(if committed || result.is_err() {
                    result
                } else {
                    Err(StoreError::NotCommitted)
                });
            })
        });
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        queue.send(job).map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::NotCommitted)?
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
    path: PathBuf,
}

impl Loop {
    fn run(mut self, jobs: &mpsc::Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let mut releases = Vec::new();
            let result = self.group(first, jobs, &mut releases);
            let committed = result.is_ok();
            if let Err(error) = result {
                error!(%error, "cannot commit; what waited for it is denied");
            }
            for release in releases {
                release(committed);
            }
        }
    }

    fn group(
        &mut self,
        first: Job,
        jobs: &mpsc::Receiver<Job>,
        releases: &mut Vec<Release>,
    ) -> Result<(), StoreError> {
        let store = match self.store.take() {
            Some(store) => store,
            None => Sqlite::open(&self.path, false)?,
        };
        store.begin()?;
        releases.push(first(&store));
        while releases.len() < GROUP_MAX {
            let Ok(job) = jobs.try_recv() else { break };
            releases.push(job(&store));
        }
        store.commit()?;
        self.store = Some(store);
        Ok(())
    }
}
