// SPDX-License-Identifier: GPL-3.0-or-later
//! Waiting after wrong codes: free attempts, then waits that double, then a lock that only an
//! administrator ends.

use mfa_proto::login::LastFailure;

use super::record::Lockout;

/// Bytes that are kept of where a wrong code came from: it is somebody else's text.
pub const FROM_MAX: usize = 256;

/// The configured figures.
#[derive(Clone, Copy, Debug)]
pub struct LockoutRules {
    /// Wrong codes in a row without a wait.
    pub free_attempts: u64,
    /// Seconds of the first wait.
    pub base_seconds: u64,
    /// The longest wait in seconds.
    pub max_seconds: u64,
    /// Wrong codes in a row after which only an administrator unlocks.
    pub hard_limit: u64,
}

/// Whether an attempt is evaluated now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// It is.
    Open,
    /// Not before so many seconds, at least 1, have passed.
    Wait(u64),
    /// Not before an administrator unlocks.
    Hard,
}

impl Lockout {
    /// Whether an attempt at `now` is evaluated. Where the clock was set back behind the last
    /// failure, the wait begins anew from `now`, so that the jump neither ends nor prolongs it. A
    /// jump forward cannot be told from time that has passed: it ends the wait, for one attempt;
    /// the count and the hard limit know no time.
    pub fn lock_at(&mut self, now: u64, rules: &LockoutRules) -> Lock {
        let failures = u64::from(self.failures);
        if failures >= rules.hard_limit {
            return Lock::Hard;
        }
        let Some(doublings) = failures.checked_sub(rules.free_attempts) else {
            return Lock::Open;
        };
        self.last_failure = self.last_failure.min(now);
        let factor = u32::try_from(doublings).ok().and_then(|n| 2_u64.checked_pow(n));
        let wait = factor
            .and_then(|factor| rules.base_seconds.checked_mul(factor))
            .map_or(rules.max_seconds, |wait| wait.min(rules.max_seconds));
        match self.last_failure.saturating_add(wait).saturating_sub(now) {
            0 => Lock::Open,
            left => Lock::Wait(left),
        }
    }

    /// Counts a wrong code and keeps where it came from, at most [`FROM_MAX`] bytes of it.
    pub fn count_failure(&mut self, now: u64, from: Option<&str>) {
        self.failures = self.failures.saturating_add(1);
        self.last_failure = now;
        self.last_from = from.map(|from| {
            let mut kept = String::new();
            for character in from.chars() {
                if kept.len() + character.len_utf8() > FROM_MAX {
                    break;
                }
                kept.push(character);
            }
            kept
        });
    }

    /// The last of the wrong codes that are counted, if any is.
    #[must_use]
    pub fn last(&self) -> Option<LastFailure> {
        (self.failures > 0)
            .then(|| LastFailure { at: self.last_failure, from: self.last_from.clone() })
    }

    /// Starts from zero.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: LockoutRules =
        LockoutRules { free_attempts: 5, base_seconds: 30, max_seconds: 900, hard_limit: 100 };

    fn after(failures: u32, passed: u64) -> Lock {
        Lockout { failures, last_failure: 1_000_000, last_from: None }
            .lock_at(1_000_000 + passed, &RULES)
    }

    #[test]
    fn waits_double_from_the_base_to_the_maximum_and_end_in_a_hard_lock() {
        for (failures, passed, expected) in [
            (0, 0, Lock::Open),
            (4, 0, Lock::Open),
            (5, 0, Lock::Wait(30)),
            (5, 29, Lock::Wait(1)),
            (5, 30, Lock::Open),
            (6, 0, Lock::Wait(60)),
            (9, 0, Lock::Wait(480)),
            (10, 0, Lock::Wait(900)),
            (99, 0, Lock::Wait(900)),
            (99, 900, Lock::Open),
            (100, 0, Lock::Hard),
            (100, u64::MAX / 2, Lock::Hard),
            (u32::MAX, 0, Lock::Hard),
        ] {
            assert_eq!(after(failures, passed), expected, "{failures} failures, {passed} s");
        }
    }

    #[test]
    fn a_clock_set_back_begins_the_wait_anew_and_never_locks_for_longer() {
        let mut lockout = Lockout { failures: 5, last_failure: 10_000_000, last_from: None };
        assert_eq!(lockout.lock_at(1_000, &RULES), Lock::Wait(30));
        assert_eq!(lockout.lock_at(1_029, &RULES), Lock::Wait(1));
        assert_eq!(lockout.lock_at(1_030, &RULES), Lock::Open);
    }

    #[test]
    fn a_clock_set_forward_and_back_again_ends_one_wait_and_no_hard_lock() {
        let (now, year) = (1_800_000_000, 31_536_000);
        let mut lockout = Lockout { failures: 5, last_failure: now, last_from: None };
        assert_eq!(lockout.lock_at(now, &RULES), Lock::Wait(30));
        assert_eq!(lockout.lock_at(now + year, &RULES), Lock::Open);
        lockout.count_failure(now + year, None);
        assert_eq!(lockout.lock_at(now + year, &RULES), Lock::Wait(60));
        assert_eq!(lockout.lock_at(now, &RULES), Lock::Wait(60));
        assert_eq!(lockout.lock_at(now + 60, &RULES), Lock::Open);
        lockout.failures = 100;
        assert_eq!(lockout.lock_at(now + 100 * year, &RULES), Lock::Hard);
    }

    #[test]
    fn a_reset_forgets_the_count_and_the_last_failure() {
        let mut lockout = Lockout::default();
        assert_eq!(lockout.last(), None);
        lockout.count_failure(7, Some("192.0.2.1"));
        lockout.count_failure(8, Some("login"));
        assert_eq!(lockout.failures, 2);
        assert_eq!(lockout.last(), Some(LastFailure { at: 8, from: Some("login".into()) }));
        lockout.reset();
        assert_eq!(lockout, Lockout::default());
    }

    #[test]
    fn where_a_failure_came_from_is_cut_between_two_characters() {
        let mut lockout = Lockout::default();
        for (from, kept) in [
            ("h".repeat(256), 256),
            ("h".repeat(257), 256),
            ("ä".repeat(128), 256),
            (format!("h{}", "ä".repeat(200)), 255),
            ("𐍈".repeat(1000), 256),
        ] {
            lockout.count_failure(1, Some(&from));
            let stored = lockout.last_from.as_deref().unwrap();
            assert_eq!(stored.len(), kept);
            assert!(from.starts_with(stored));
        }
        lockout.count_failure(1, None);
        assert_eq!(lockout.last_from, None);
    }
}
