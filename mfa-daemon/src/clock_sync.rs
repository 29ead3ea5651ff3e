// SPDX-License-Identifier: GPL-3.0-or-later
//! Is this host's clock synchronised? Codes depend on it. Asked when a code is checked, at most once an
//! hour: no timer wakes the daemon for it.

use std::sync::atomic::{AtomicU64, Ordering};

use tracing::{debug, warn};

/// Seconds between two looks.
const INTERVAL: u64 = 3600;

/// What the kernel says of its clock, adjtimex(2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClockState {
    /// Something keeps it right.
    Synchronised,
    /// Nothing does, or it has lost its source: `TIME_ERROR`.
    Unsynchronised,
    /// The kernel does not tell; with the error number.
    Unknown(i32),
}

/// Looks at the clock now and then.
pub struct ClockWatch {
    state: fn() -> ClockState,
    /// When to look next.
    next: AtomicU64,
}

impl ClockWatch {
    /// `state` is [`clock_state`] but for tests.
    #[must_use]
    pub fn new(state: fn() -> ClockState) -> Self {
        Self { state, next: AtomicU64::new(0) }
    }

    /// Looks, unless that was done within the hour, and logs what is wrong. `uptime` is in seconds of
    /// a clock that is never set. Returns what was seen.
    pub fn look(&self, uptime: u64) -> Option<ClockState> {
        if uptime < self.next.load(Ordering::Relaxed) {
            return None;
        }
        self.next.store(uptime.saturating_add(INTERVAL), Ordering::Relaxed);
        let state = (self.state)();
        match state {
            ClockState::Synchronised => {}
            ClockState::Unsynchronised => warn!(
                "this host's clock is not synchronised: right codes will be refused when it drifts; \
                 see timedatectl"
            ),
            ClockState::Unknown(error) => {
                debug!(error, "whether the clock is synchronised is not known");
            }
        }
        Some(state)
    }
}

/// What the kernel says.
#[must_use]
pub fn clock_state() -> ClockState {
    // SAFETY: `timex` is a C structure of integers, for which all bytes zero is a value; `modes` is
    // then 0, which asks and sets nothing.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a `timex` that lives through the call, and the call keeps none.
    let state = unsafe { libc::adjtimex(&raw mut timex) };
    match state {
        -1 => ClockState::Unknown(nix::errno::Errno::last_raw()),
        libc::TIME_ERROR => ClockState::Unsynchronised,
        _ => ClockState::Synchronised,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_looked_at_once_an_hour_at_most() {
        let watch = ClockWatch::new(|| ClockState::Unsynchronised);
        assert_eq!(watch.look(100), Some(ClockState::Unsynchronised));
        assert_eq!(watch.look(101), None);
        assert_eq!(watch.look(3699), None);
        assert_eq!(watch.look(3700), Some(ClockState::Unsynchronised));
    }

    #[test]
    fn the_kernel_answers() {
        assert!(!matches!(clock_state(), ClockState::Unknown(libc::EFAULT | libc::EINVAL)));
    }
}
