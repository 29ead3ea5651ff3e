// SPDX-License-Identifier: GPL-3.0-or-later
//! How many users there are and how many of them are locked: every row has to be opened for it, so it
//! is done seldom, apart, and never for longer than a small share of the time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Seconds between two counts, at least.
const EVERY: u64 = 60;
/// A count rests so many times as long as it took: a million users cost no more than a twentieth of
/// one core.
const REST: u64 = 20;

/// A count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Users with a token.
    pub users: u64,
    /// Those of them who are locked.
    pub locked: u64,
}

/// The last count, and when the next one may begin.
#[derive(Default)]
pub struct Census {
    state: Mutex<State>,
    stopped: AtomicBool,
}

#[derive(Default)]
struct State {
    last: Option<Counted>,
    running: bool,
    not_before: u64,
}

impl Census {
    /// What was counted last.
    #[must_use]
    pub fn last(&self) -> Option<Counted> {
        self.state().last
    }

    /// Whether a count is to begin at `now`, in seconds of a clock that is never set. Whoever is told
    /// so has to [`end`](Self::end) it.
    #[must_use]
    pub fn begin(&self, now: u64) -> bool {
        let mut state = self.state();
        let begins = !state.running && now >= state.not_before;
        state.running |= begins;
        begins
    }

    /// The count that began at `begun` ends; where it failed, nothing is known any more.
    pub fn end(&self, begun: u64, now: u64, counted: Option<Counted>) {
        let mut state = self.state();
        state.running = false;
        state.last = counted;
        let rest = now.saturating_sub(begun).saturating_mul(REST);
        state.not_before = now.saturating_add(rest).max(begun.saturating_add(EVERY));
    }

    /// Ends a count that is under way: the daemon stops.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether it may go on.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        !self.stopped.load(Ordering::Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_a_minute_apart_and_rest_twenty_times_as_long_as_they_took() {
        let census = Census::default();
        assert!(census.begin(1_000));
        assert!(!census.begin(5_000), "two at once");
        assert_eq!(census.last(), None);
        let counted = Counted { users: 3, locked: 1 };
        census.end(1_000, 1_001, Some(counted));
        assert_eq!(census.last(), Some(counted));
        assert!(!census.begin(1_059));
        assert!(census.begin(1_060));
        census.end(1_060, 1_070, Some(counted));
        assert!(!census.begin(1_269));
        assert!(census.begin(1_270));
        census.end(1_270, 1_270, None);
        assert_eq!(census.last(), None);
    }
}
