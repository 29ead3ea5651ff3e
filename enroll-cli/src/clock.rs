// SPDX-License-Identifier: GPL-3.0-or-later
//! The time: read here and in the commands, a parameter everywhere else.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::failure::Failure;

/// 2026-11-01: no true clock shows an earlier time to this program.
pub(crate) const BUILT_AFTER: u64 = 1_793_491_200;

/// Unix seconds, now.
pub(crate) fn now() -> Result<u64, Failure> {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map(|since| since.as_secs())
        .map_err(|_| Failure::Clock)
}

/// A moment as people here read it, to the minute.
pub(crate) fn local(unix_seconds: u64, zone: &TimeZone) -> String {
    i64::try_from(unix_seconds)
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .map_or_else(
            || format!("@{unix_seconds}"),
            |moment| zone.to_datetime(moment).strftime("%Y-%m-%d %H:%M").to_string(),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_shown_in_the_zone_and_impossible_ones_as_they_are() {
        assert_eq!(local(BUILT_AFTER, &TimeZone::UTC), "2026-11-01 00:00");
        let east = TimeZone::fixed(jiff::tz::offset(1));
        assert_eq!(local(BUILT_AFTER, &east), "2026-11-01 01:00");
        assert_eq!(local(u64::MAX, &TimeZone::UTC), format!("@{}", u64::MAX));
    }
}
