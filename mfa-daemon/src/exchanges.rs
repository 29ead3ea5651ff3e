// SPDX-License-Identifier: GPL-3.0-or-later
//! The arithmetic of exchanges: on a thread of its own, apart from the logins, one at a time, root's
//! first. What others may begin is counted for each uid.

mod quota;

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use mfa_proto::Peer;
use tokio::sync::oneshot;

use self::quota::Quota;
use crate::caller;

/// The handle to the thread. Dropping it leaves undone what still waits.
pub struct Exchanges {
    turns: Arc<Turns>,
    thread: Option<JoinHandle<()>>,
}

/// Why an exchange was not computed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotComputed {
    /// The uid has begun too many.
    TooMany,
    /// The daemon stops.
    Stopping,
}

impl std::fmt::Display for NotComputed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TooMany => "this uid has begun too many exchanges",
            Self::Stopping => "the daemon stops",
        })
    }
}

impl std::error::Error for NotComputed {}

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Turns {
    waiting: Mutex<Waiting>,
    more: Condvar,
}

#[derive(Default)]
struct Waiting {
    root: VecDeque<Job>,
    /// As many as there are connections, at most: each has one under way.
    others: VecDeque<Job>,
    quota: Quota,
    stopping: bool,
}

impl Exchanges {
    /// Starts the thread.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start() -> io::Result<Self> {
        let turns = Arc::<Turns>::default();
        let work = Arc::clone(&turns);
        let thread = thread::Builder::new().name("exchanges".to_owned()).spawn(move || {
            while let Some(job) = work.next() {
                job();
            }
        })?;
        Ok(Self { turns, thread: Some(thread) })
    }

    /// Has `work` done when it is its turn. `now` is of a clock that is never set.
    ///
    /// # Errors
    /// [`NotComputed`].
    pub async fn compute<R: Send + 'static>(
        &self,
        peer: Peer,
        now: u64,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, NotComputed> {
        let (sender, answer) = oneshot::channel();
        let job: Job = Box::new(move || {
            if !sender.is_closed() {
                let _ = sender.send(work());
            }
        });
        {
            let mut waiting = self.turns.lock();
            if caller::is_root(peer) {
                waiting.root.push_back(job);
            } else if waiting.quota.admit(peer.uid, now) {
                waiting.others.push_back(job);
            } else {
                return Err(NotComputed::TooMany);
            }
        }
        self.turns.more.notify_one();
        answer.await.map_err(|_| NotComputed::Stopping)
    }
}

impl Drop for Exchanges {
    fn drop(&mut self) {
        self.turns.lock().stopping = true;
        self.turns.more.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Turns {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whose turn it is; waits for one. `None` ends the thread.
    fn next(&self) -> Option<Job> {
        let mut waiting = self.lock();
        loop {
            if waiting.stopping {
                return None;
            }
            if let Some(job) = waiting.root.pop_front().or_else(|| waiting.others.pop_front()) {
                return Some(job);
            }
            waiting = self.more.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn peer(uid: u32) -> Peer {
        Peer { uid, gid: uid, pid: 1 }
    }

    #[test]
    fn root_is_computed_before_others_who_have_waited_longer() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let exchanges = Exchanges::start().unwrap();
        let (begin, began) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        let job = |uid: u32| {
            let tell = tell.clone();
            exchanges.compute(peer(uid), 0, move || tell.send(uid).unwrap())
        };
        runtime.block_on(async {
            let first = exchanges.compute(peer(1000), 0, move || began.recv().unwrap());
            let waiting = async {
                // Polled in this order, so queued in this order; the thread is held until all are.
                let all = async { tokio::join!(job(1000), job(1001), job(0)) };
                let go = async { begin.send(()).unwrap() };
                tokio::join!(all, go).0
            };
            let (held, (one, other, root)) = tokio::join!(first, waiting);
            for result in [held, one, other, root] {
                assert_eq!(result, Ok(()));
            }
        });
        assert_eq!(told.try_iter().collect::<Vec<_>>(), [0, 1000, 1001]);
    }

    #[test]
    fn an_uid_beyond_its_quota_is_refused_and_root_and_others_are_not() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let exchanges = Exchanges::start().unwrap();
        let ask = |uid| runtime.block_on(exchanges.compute(peer(uid), 7, || ()));
        let refused = (0..50).filter(|_| ask(1000) == Err(NotComputed::TooMany)).count();
        assert_eq!(refused, 30);
        assert_eq!(ask(1001), Ok(()));
        assert!((0..50).all(|_| ask(0) == Ok(())));
    }
}
