// SPDX-License-Identifier: GPL-3.0-or-later
//! Whether the writer gets on with its work, for whoever watches over the daemon.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::unistd::Pid;

/// Nothing is under way.
const RESTS: u64 = u64::MAX;

/// The last sign of life of the writer's thread.
pub struct Progress {
    began: Instant,
    /// Milliseconds from `began` to it.
    last: AtomicU64,
    thread: OnceLock<Pid>,
}

impl Default for Progress {
    fn default() -> Self {
        Self { began: Instant::now(), last: AtomicU64::new(RESTS), thread: OnceLock::new() }
    }
}

impl Progress {
    /// This thread is the one that is looked at.
    pub fn of_this_thread(&self) {
        let _ = self.thread.set(nix::unistd::gettid());
    }

    /// A piece of work begins, or a part of it is done.
    pub fn goes_on(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(RESTS);
        self.last.store(now, Ordering::Relaxed);
    }

    /// Nothing is left to be done.
    pub fn rests(&self) {
        self.last.store(RESTS, Ordering::Relaxed);
    }

    /// How long the work that is under way has shown no progress; `None` while there is none.
    #[must_use]
    pub fn standing(&self) -> Option<Duration> {
        let last = self.last.load(Ordering::Relaxed);
        (last != RESTS).then(|| self.began.elapsed().saturating_sub(Duration::from_millis(last)))
    }

    /// The state of its thread.
    #[must_use]
    pub fn thread_state(&self) -> Option<char> {
        thread_state(*self.thread.get()?)
    }
}

/// The state of a thread of this process as the kernel tells it, proc_pid_stat(5): `D` waits for a disk.
#[must_use]
pub fn thread_state(thread: Pid) -> Option<char> {
    state_in(&std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")).ok()?)
}

/// The state is behind the name, which may hold anything, and its bracket.
fn state_in(stat: &str) -> Option<char> {
    stat.rsplit_once(") ")?.1.chars().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_work_that_is_under_way_can_stand_still() {
        let progress = Progress::default();
        assert_eq!(progress.standing(), None);
        progress.goes_on();
        assert!(progress.standing().is_some());
        progress.rests();
        assert_eq!(progress.standing(), None);
    }

    #[test]
    fn the_state_of_a_thread_is_read_whatever_its_name() {
        assert_eq!(state_in("12 (store-writer) D 1 12"), Some('D'));
        assert_eq!(state_in("12 (a) S (b) R 1 12"), Some('R'));
        assert_eq!(state_in("12"), None);
        let progress = Progress::default();
        assert_eq!(progress.thread_state(), None);
        progress.of_this_thread();
        assert_eq!(progress.thread_state(), Some('R'));
    }
}
