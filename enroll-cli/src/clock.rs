// SPDX-License-Identifier: GPL-3.0-or-later
//! The time: read here and in the commands, a parameter everywhere else.

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::duration;
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
    written(unix_seconds, zone, "%Y-%m-%d %H:%M")
}

/// The same to the second.
pub(crate) fn local_to_the_second(unix_seconds: u64, zone: &TimeZone) -> String {
    written(unix_seconds, zone, "%Y-%m-%d %H:%M:%S")
}

fn written(unix_seconds: u64, zone: &TimeZone, form: &str) -> String {
    i64::try_from(unix_seconds)
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .map_or_else(
            || format!("@{unix_seconds}"),
            |moment| zone.to_datetime(moment).strftime(form).to_string(),
        )
}

/// A moment that was named: so long ago, or a date, with a time or without, in the zone or with one of
/// its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Since {
    Ago(u64),
    Moment(Timestamp),
    Local(DateTime),
}

/// A text that names no moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NoMoment;

impl FromStr for Since {
    type Err = NoMoment;

    fn from_str(text: &str) -> Result<Self, NoMoment> {
        if let Ok(seconds) = duration::parse(text) {
            return Ok(Self::Ago(seconds));
        }
        // With an offset first: a date and time alone would leave it out.
        let moment = text.parse().map(Self::Moment);
        moment.or_else(|_| text.parse().map(Self::Local)).map_err(|_| NoMoment)
    }
}

impl fmt::Display for NoMoment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "how long ago is needed (90s, 15m, 2h, 7d), or a date: 2026-11-24, \
             \"2026-11-24 08:00\" or 2026-11-24T08:00:00Z",
        )
    }
}

impl std::error::Error for NoMoment {}

impl Since {
    /// In Unix seconds; what lies before 1970 is 0.
    pub(crate) fn unix_seconds(self, now: u64, zone: &TimeZone) -> u64 {
        let moment = match self {
            Self::Ago(seconds) => return now.saturating_sub(seconds),
            Self::Moment(moment) => moment,
            Self::Local(local) => match zone.to_timestamp(local) {
                Ok(moment) => moment,
                Err(_) => return 0,
            },
        };
        u64::try_from(moment.as_second()).unwrap_or(0)
    }
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

    #[test]
    fn a_moment_is_named_by_how_long_ago_or_by_its_date() {
        let east = TimeZone::fixed(jiff::tz::offset(1));
        for (text, expected) in [
            ("2h", BUILT_AFTER - 7200),
            ("0s", BUILT_AFTER),
            ("2026-11-01", BUILT_AFTER - 3600),
            ("2026-11-01 08:30", BUILT_AFTER + 7 * 3600 + 1800),
            ("2026-11-01T08:30:15", BUILT_AFTER + 7 * 3600 + 1815),
            ("2026-11-01T08:30:00Z", BUILT_AFTER + 8 * 3600 + 1800),
            ("2026-11-01T08:30:00+02:00", BUILT_AFTER + 6 * 3600 + 1800),
            ("1960-01-01", 0),
            ("99999999d", 0),
        ] {
            let since: Since = text.parse().unwrap();
            assert_eq!(since.unix_seconds(BUILT_AFTER, &east), expected, "{text}");
        }
        for text in ["", "2", "yesterday", "2026-13-01", "08:30", "2026-11-01 25:00"] {
            assert_eq!(text.parse::<Since>(), Err(NoMoment), "{text}");
        }
    }
}
