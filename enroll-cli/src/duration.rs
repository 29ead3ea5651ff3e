// SPDX-License-Identifier: GPL-3.0-or-later
//! Lengths of time, as they are typed and as they are shown: `90s`, `15m`, `1h`, `7d`.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

const MINUTE: u64 = 60;
const HOUR: u64 = 3600;
const DAY: u64 = 86_400;

/// How long a code of an administrator's may be good, in seconds (`mfa_proto::admin`).
const ISSUED: RangeInclusive<u64> = MINUTE..=30 * DAY;

/// How long a change of PAM may wait for a login, in seconds.
const COUNTDOWN: RangeInclusive<u64> = 5..=7 * DAY;

/// How long a code of an administrator's is good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Validity(u64);

/// How long a change of PAM waits for a login.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Countdown(u64);

/// Why a text is none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum DurationError {
    /// Not a number with a unit.
    Form,
    /// Too short or too long, with what is possible.
    Range(&'static str),
}

impl Validity {
    pub(crate) fn seconds(self) -> u64 {
        self.0
    }
}

impl FromStr for Validity {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        within(&ISSUED, "from 1m to 30d", text).map(Self)
    }
}

impl Countdown {
    pub(crate) fn seconds(self) -> u64 {
        self.0
    }
}

impl FromStr for Countdown {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        within(&COUNTDOWN, "from 5s to 7d", text).map(Self)
    }
}

fn within(
    range: &RangeInclusive<u64>,
    possible: &'static str,
    text: &str,
) -> Result<u64, DurationError> {
    let seconds = parse(text)?;
    if range.contains(&seconds) { Ok(seconds) } else { Err(DurationError::Range(possible)) }
}

impl fmt::Display for DurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "a number and a unit are needed: 90s, 15m, 1h or 7d",
            Self::Range(possible) => return write!(f, "{possible} are possible"),
        })
    }
}

impl std::error::Error for DurationError {}

/// Seconds; what no number holds is the longest.
pub(crate) fn parse(text: &str) -> Result<u64, DurationError> {
    let (number, unit) = [("s", 1), ("m", MINUTE), ("h", HOUR), ("d", DAY)]
        .into_iter()
        .find_map(|(letter, unit)| Some((text.strip_suffix(letter)?, unit)))
        .ok_or(DurationError::Form)?;
    // `parse` alone would take "+5".
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DurationError::Form);
    }
    Ok(number.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(unit))
}

/// A length of time as people read it, in its two largest units, rounded down.
pub(crate) fn words(seconds: u64) -> String {
    let (days, hours) = (seconds / DAY, seconds % DAY / HOUR);
    let (minutes, rest) = (seconds % HOUR / MINUTE, seconds % MINUTE);
    let (large, small) = match (days, hours, minutes) {
        (0, 0, 0) => return format!("{rest} s"),
        (0, 0, _) => ((minutes, "min"), (rest, "s")),
        (0, _, _) => ((hours, "h"), (minutes, "min")),
        (1, _, _) => ((days, "day"), (hours, "h")),
        _ => ((days, "days"), (hours, "h")),
    };
    match small {
        (0, _) => format!("{} {}", large.0, large.1),
        (small, unit) => format!("{} {} {small} {unit}", large.0, large.1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_with_a_unit_is_a_length_of_time_and_nothing_else_is() {
        let seconds = |text: &str| text.parse::<Validity>().map(Validity::seconds);
        for (text, expected) in [
            ("90s", 90),
            ("15m", 900),
            ("1h", 3600),
            ("7d", 604_800),
            ("60s", 60),
            ("30d", 2_592_000),
        ] {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for text in ["", "s", "90", "-1h", "+1h", "1.5h", "1 h", "1h30m", "1w", "1H", "h1"] {
            assert_eq!(seconds(text), Err(DurationError::Form), "{text}");
        }
        for text in
            ["0s", "59s", "31d", "2592001s", "18446744073709551615d", "99999999999999999999s"]
        {
            assert_eq!(seconds(text), Err(DurationError::Range("from 1m to 30d")), "{text}");
        }
        for (text, fits) in [("5s", true), ("7d", true), ("4s", false), ("8d", false)] {
            assert_eq!(text.parse::<Countdown>().is_ok(), fits, "{text}");
        }
    }

    #[test]
    fn a_length_of_time_is_shown_in_two_units() {
        for (seconds, expected) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (90, "1 min 30 s"),
            (3600, "1 h"),
            (3661, "1 h 1 min"),
            (DAY, "1 day"),
            (2 * DAY + 3 * HOUR + 5, "2 days 3 h"),
        ] {
            assert_eq!(words(seconds), expected);
        }
    }
}
