// SPDX-License-Identifier: GPL-3.0-or-later
//! When the time is up.
//!
//! Two clocks are asked and the first to reach the end counts: the one since boot, which nobody sets but
//! which a paused machine may not have seen go on, and the one of the day, which may be set either way. So
//! a clock set back never makes anybody wait longer, and one set forward ends the time early, which is the
//! safe side. After a reboot the time is up.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

use super::PamError;
use super::record::Armed;

/// The two clocks, in seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Clocks {
    /// Since boot, suspended or not.
    pub(crate) boot: u64,
    /// Since 1970; 0 before.
    pub(crate) day: u64,
}

impl Clocks {
    pub(crate) fn now() -> Result<Self, PamError> {
        let boot = clock_gettime(ClockId::CLOCK_BOOTTIME)
            .map_err(|error| PamError::io(Path::new("CLOCK_BOOTTIME"), error.into()))?;
        let day = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Ok(Self { boot: u64::try_from(boot.tv_sec()).unwrap_or(0), day })
    }
}

impl Armed {
    /// The seconds that are left; `None` once the time is up. `same_boot`: whether the machine runs since.
    pub(crate) fn left(&self, now: Clocks, same_boot: bool) -> Option<u64> {
        let since_boot = now.boot.checked_sub(self.boot)?;
        // Set back: the other clock tells.
        let of_day = now.day.saturating_sub(self.day);
        let gone = since_boot.max(of_day);
        self.seconds.checked_sub(gone).filter(|left| same_boot && *left > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_that_is_first_ends_the_time() {
        let armed =
            Armed { id: "x".to_owned(), since: 0, boot: 1000, day: 1_800_000_000, seconds: 600 };
        let left = |boot: u64, day: i64, same_boot| {
            let day = u64::try_from(1_800_000_000 + day).unwrap();
            armed.left(Clocks { boot: 1000 + boot, day }, same_boot)
        };
        assert_eq!(left(0, 0, true), Some(600));
        assert_eq!(left(599, 599, true), Some(1));
        assert_eq!(left(600, 600, true), None);
        // Set back by a day and by more than all time: not a second longer.
        assert_eq!(left(599, -86_400, true), Some(1));
        assert_eq!(left(600, -86_400, true), None);
        assert_eq!(armed.left(Clocks { boot: 1599, day: 0 }, true), Some(1));
        // Set forward: early.
        assert_eq!(left(1, 500, true), Some(100));
        assert_eq!(left(1, 86_400, true), None);
        // Paused for longer than the clock since boot knows.
        assert_eq!(left(5, 700, true), None);
        // Rebooted, seen by the mark or by the clock.
        assert_eq!(left(5, 5, false), None);
        assert_eq!(armed.left(Clocks { boot: 3, day: 1_800_000_005 }, true), None);
    }
}
