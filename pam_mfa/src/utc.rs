// SPDX-License-Identifier: GPL-3.0-or-later
//! A moment as people read it, in UTC. gmtime_r(3) would do the same, but on its first use in a
//! program glibc reads the environment variable TZ and the file that it names.

use std::fmt;

/// The last moment that is written with a year of four digits: the end of 9999.
const LAST: u64 = 253_402_300_799;

/// Days of 400 years of the Gregorian calendar.
const ERA_DAYS: u64 = 146_097;

/// A moment, in seconds since 1970.
pub(crate) struct Utc(pub(crate) u64);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.min(LAST);
        let (year, month, day) = date(seconds / 86_400);
        let (hour, minute) = (seconds / 3600 % 24, seconds / 60 % 60);
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
    }
}

/// Year, month and day, so many days after 1970-01-01. Years are counted from the first of March
/// here, so that the leap day is the last of its year; the months from March on have 31, 30, 31, 30,
/// 31 days again and again, 153 in five.
fn date(days: u64) -> (u64, u64, u64) {
    // Since 0000-03-01.
    let days = days + 719_468;
    let (era, day_of_era) = (days / ERA_DAYS, days % ERA_DAYS);
    // Every fourth year is longer by a day, every hundredth is not, the last one is.
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_that_date_1_shows() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_399, "2000-02-28 23:59 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (951_868_800, "2000-03-01 00:00 UTC"),
            (1_796_261_339, "2026-12-03 01:28 UTC"),
            (2_147_483_648, "2038-01-19 03:14 UTC"),
            (4_107_542_399, "2100-02-28 23:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00 UTC"),
            (LAST, "9999-12-31 23:59 UTC"),
            (u64::MAX, "9999-12-31 23:59 UTC"),
        ] {
            assert_eq!(Utc(seconds).to_string(), text, "{seconds}");
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut before = date(0);
        for days in 1..200_000 {
            let (year, month, day) = date(days);
            let next = if day == 1 {
                let (last_year, last_month, last_day) = before;
                assert!((28..=31).contains(&last_day));
                if month == 1 {
                    (last_year, last_month, last_day) == (year - 1, 12, 31)
                } else {
                    (last_year, last_month) == (year, month - 1)
                }
            } else {
                before == (year, month, day - 1)
            };
            assert!(next, "{before:?} {:?}", (year, month, day));
            before = (year, month, day);
        }
    }
}
