// SPDX-License-Identifier: GPL-3.0-or-later
//! One thread serves connections and writes the store, in turns: all that is ready is read and decided, one
//! commit makes it durable, the answers leave. So a login is handed from thread to thread nowhere, which would
//! cost it more than its decision does, and those that come together share a commit.
//!
//! A disk may take its time, or never answer. A second thread, which sleeps otherwise, then serves the
//! connections until the first is back: what needs no commit is answered meanwhile.
//! See `docs/decisions/0023-turns.md`.

use std::future::Future;
use std::io;
use std::mem;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::store::{Answers, Commits};

/// A commit that takes longer than this is not waited for: many times what a disk takes, and far less than
/// a person notices.
const PATIENCE: Duration = Duration::from_millis(10);

/// Runs `work` to its end on this thread, and between its turns the commits. `runtime` is a current-thread
/// one, whose tasks any thread can go on with.
///
/// # Errors
/// Those of starting a thread, and of `work` that has ended in no way of its own.
pub fn run<T: Send + 'static>(
    runtime: &Arc<Runtime>,
    commits: &mut Commits,
    work: impl Future<Output = T> + Send + 'static,
) -> io::Result<T> {
    commits.are_of_this_thread();
    let stand_in = StandIn::start(runtime)?;
    let mut work = runtime.spawn(work);
    let mut answers = Answers::default();
    loop {
        let ended = runtime.block_on(async {
            mem::take(&mut answers).release();
            tokio::select! {
                biased;
                () = commits.called() => {
                    // What has arrived with it shares its commit.
                    tokio::task::yield_now().await;
                    None
                }
                ended = &mut work => Some(ended),
            }
        });
        if let Some(ended) = ended {
            return ended.map_err(io::Error::from);
        }
        answers = stand_in.during(|| commits.commit())?;
    }
}

/// The second thread, and what wakes it. It ends with the process.
struct StandIn {
    timer: Arc<TimerFd>,
    away: watch::Sender<bool>,
}

impl StandIn {
    fn start(runtime: &Arc<Runtime>) -> io::Result<Self> {
        let timer = Arc::new(TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC)?);
        let (away, mut back) = watch::channel(false);
        let (runtime, expired) = (Arc::downgrade(runtime), Arc::clone(&timer));
        thread::Builder::new().name("stand-in".to_owned()).spawn(move || {
            while expired.wait().is_ok() {
                let Some(runtime) = runtime.upgrade() else { return };
                // Until the first thread is back, or at once where it was so meanwhile.
                let waited = runtime.block_on(back.wait_for(|away| !*away));
                if waited.is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { timer, away })
    }

    /// Does what may block this thread.
    fn during<R>(&self, work: impl FnOnce() -> R) -> io::Result<R> {
        self.away.send_replace(true);
        self.timer.set(
            Expiration::OneShot(TimeSpec::from_duration(PATIENCE)),
            TimerSetTimeFlags::empty(),
        )?;
        let result = work();
        self.timer.unset()?;
        self.away.send_replace(false);
        Ok(result)
    }
}
