// SPDX-License-Identifier: GPL-3.0-or-later
//! What systemd is told, sd_notify(3): ready, reloading, stopping, and that the daemon is alive.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use nix::unistd::{Pid, gettid};
use sd_notify::NotifyState;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tracing::{error, info, warn};

use crate::progress::{Progress, thread_state};

/// Work of the writer that shows no progress for so long stands still: three times as long as it waits
/// for anything by itself, which is a lock on the database. As long the accept loop may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Without systemd this does nothing.
pub fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        warn!(%error, "cannot notify systemd");
    }
}

/// The accept loop's end of the watchdog: it is asked now and then whether it still comes by.
pub struct Watched {
    asked: UnboundedReceiver<()>,
    here: Sender<()>,
}

impl Watched {
    /// Starts a watchdog over this thread, on which connections are accepted, and over the writer, where
    /// `WatchdogSec=` of the unit asks for it. Where nobody asks, an idle daemon sleeps for good.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn by_systemd(writer: &Arc<Progress>) -> io::Result<Self> {
        let (watched, ask, answers) = Self::new();
        let every = sd_notify::watchdog_enabled().map(|limit| limit / 2);
        if let Some(every) = every.filter(|every| !every.is_zero()) {
            let watchdog = Watchdog {
                ask,
                answers,
                patience: PATIENCE.min(every / 2),
                acceptor: gettid(),
                writer: Arc::clone(writer),
                last: Health::Good,
            };
            thread::Builder::new()
                .name("watchdog".to_owned())
                .spawn(move || watchdog.run(every))?;
        }
        Ok(watched)
    }

    /// Asked by nobody.
    #[must_use]
    pub fn by_nobody() -> Self {
        Self::new().0
    }

    fn new() -> (Self, UnboundedSender<()>, Receiver<()>) {
        let (ask, asked) = unbounded_channel();
        let (here, answers) = channel();
        (Self { asked, here }, ask, answers)
    }

    /// Waits for the question.
    pub async fn asked(&mut self) {
        if self.asked.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    /// Answers it.
    pub fn here(&self) {
        let _ = self.here.send(());
    }
}

/// How a thread is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Health {
    /// It works, or has nothing to do.
    Good,
    /// It waits for the disk. Another daemon would wait for the same disk, and could not even begin as long
    /// as this one cannot end: no reason for a restart.
    WaitsForDisk,
    /// It waits for nothing that could come.
    Stuck,
}

impl Health {
    /// Of a thread that stands still, by its state, proc_pid_stat(5).
    fn of_standing(state: Option<char>) -> Self {
        if state == Some('D') { Self::WaitsForDisk } else { Self::Stuck }
    }

    fn of_writer(standing: Option<Duration>, state: impl FnOnce() -> Option<char>) -> Self {
        match standing {
            Some(standing) if standing >= PATIENCE => Self::of_standing(state()),
            _ => Self::Good,
        }
    }
}

/// A thread of its own, since a thread that waits for the disk cannot say so. Twice in each interval it
/// looks whether connections are accepted and changes written; where they are not, it is silent, and systemd
/// ends the daemon and starts another.
struct Watchdog {
    ask: UnboundedSender<()>,
    answers: Receiver<()>,
    patience: Duration,
    acceptor: Pid,
    writer: Arc<Progress>,
    last: Health,
}

impl Watchdog {
    fn run(mut self, every: Duration) {
        while let Some(health) = self.look() {
            self.report(health);
            if health != Health::Stuck {
                tell(&[NotifyState::Watchdog]);
            }
            thread::sleep(every);
        }
    }

    /// `None` where the daemon stops and no longer accepts.
    fn look(&self) -> Option<Health> {
        // An answer that came too late is none to the next question.
        while self.answers.try_recv().is_ok() {}
        self.ask.send(()).ok()?;
        let acceptor = match self.answers.recv_timeout(self.patience) {
            Ok(()) => Health::Good,
            Err(RecvTimeoutError::Timeout) => Health::of_standing(thread_state(self.acceptor)),
            Err(RecvTimeoutError::Disconnected) => return None,
        };
        let writer = Health::of_writer(self.writer.standing(), || self.writer.thread_state());
        Some(acceptor.max(writer))
    }

    fn report(&mut self, health: Health) {
        if health == self.last {
            return;
        }
        self.last = health;
        match health {
            Health::Good => info!("the daemon works again"),
            Health::WaitsForDisk => error!(
                "the disk of the store does not answer: logins that need a code are denied until it does; \
                 a restart would not help"
            ),
            Health::Stuck => error!(
                "the daemon hangs, at accepting connections or at writing: systemd is to end it and start \
                 another"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_writer_that_stands_still_and_waits_for_no_disk_is_stuck() {
        let seconds = Duration::from_secs;
        for (standing, state, health) in [
            (None, None, Health::Good),
            (Some(seconds(0)), Some('D'), Health::Good),
            (Some(seconds(9)), Some('S'), Health::Good),
            (Some(seconds(10)), Some('D'), Health::WaitsForDisk),
            (Some(seconds(100_000)), Some('D'), Health::WaitsForDisk),
            (Some(seconds(10)), Some('S'), Health::Stuck),
            (Some(seconds(10)), Some('R'), Health::Stuck),
            (Some(seconds(10)), Some('t'), Health::Stuck),
            (Some(seconds(10)), None, Health::Stuck),
        ] {
            assert_eq!(Health::of_writer(standing, || state), health, "{standing:?} {state:?}");
        }
        assert_eq!(Health::Stuck.max(Health::WaitsForDisk), Health::Stuck);
        assert_eq!(Health::Good.max(Health::WaitsForDisk), Health::WaitsForDisk);
    }

    fn watchdog() -> (Watched, Watchdog) {
        let (watched, ask, answers) = Watched::new();
        let watchdog = Watchdog {
            ask,
            answers,
            patience: Duration::from_millis(50),
            acceptor: gettid(),
            writer: Arc::default(),
            last: Health::Good,
        };
        (watched, watchdog)
    }

    #[test]
    fn a_loop_that_comes_by_is_well_and_one_that_does_not_is_stuck() {
        let (mut watched, watchdog) = watchdog();
        // Nobody comes by: this thread is running, and waits for no disk.
        assert_eq!(watchdog.look(), Some(Health::Stuck));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let looking = thread::spawn(move || {
            let health = watchdog.look();
            (health, watchdog)
        });
        runtime.block_on(async {
            // The question that nobody answered, and the new one.
            for _ in 0..2 {
                watched.asked().await;
                watched.here();
            }
        });
        let (health, watchdog) = looking.join().unwrap();
        assert_eq!(health, Some(Health::Good));
        // The daemon stops.
        drop(watched);
        assert_eq!(watchdog.look(), None);
    }
}
