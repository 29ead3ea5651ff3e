// SPDX-License-Identifier: GPL-3.0-or-later
//! Reads, on a thread and a connection of their own: a slow disk delays them, not the sockets.

use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use mfa_proto::UserName;
use tokio::sync::oneshot;

use super::sqlite::Sqlite;
use super::{Listed, StoreError};
use crate::policy::record::Record;

type Job = Box<dyn FnOnce(&Sqlite) + Send>;

/// The handle to the thread.
pub(super) struct Reader {
    queue: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    pub(super) fn start(store: Sqlite) -> Result<Self, StoreError> {
        let (queue, jobs) = mpsc::channel::<Job>();
        let thread = thread::Builder::new()
            .name("store-reader".to_owned())
            .spawn(move || {
                while let Ok(job) = jobs.recv() {
                    job(&store);
                }
            })
            .map_err(StoreError::Thread)?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    pub(super) async fn get(&self, user: UserName) -> Result<Option<Record>, StoreError> {
        self.run(move |store| Ok(store.get(&user)?.map(|row| row.record))).await
    }

    pub(super) async fn list(
        &self,
        after: Option<UserName>,
        limit: u16,
    ) -> Result<Vec<Listed>, StoreError> {
        self.run(move |store| store.list(after.as_ref(), limit)).await
    }

    async fn run<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Sqlite) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, StoreError> {
        let (sender, answer) = oneshot::channel();
        let job: Job = Box::new(move |store| {
            let _ = sender.send(work(store));
        });
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        queue.send(job).map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
