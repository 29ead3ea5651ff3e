// SPDX-License-Identifier: GPL-3.0-or-later
//! Waiting after wrong codes: free attempts, then waits that double, then a lock that only an
//! administrator ends.

use super::record::Lockout;

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
    /// failure, the wait begins anew from `now`, so that the jump neither ends nor prolongs it.
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

    /// Counts a wrong code.
    pub fn count_failure(&mut self, now: u64) {
        self.failures = self.failures.saturating_add(1);
        self.last_failure = now;
    }

    /// Starts from zero and returns what was counted.
    pub fn reset(&mut self) -> u32 {
        std::mem::take(self).failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: LockoutRules =
        LockoutRules { free_attempts: 5, base_seconds: 30, max_seconds: 900, hard_limit: 100 };

    fn after(failures: u32, passed: u64) -> Lock {
        Lockout { failures, last_failure: 1_000_000 }.lock_at(1_000_000 + passed, &RULES)
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
        let mut lockout = Lockout { failures: 5, last_failure: 10_000_000 };
        assert_eq!(lockout.lock_at(1_000, &RULES), Lock::Wait(30));
        assert_eq!(lockout.lock_at(1_029, &RULES), Lock::Wait(1));
        assert_eq!(lockout.lock_at(1_030, &RULES), Lock::Open);
    }

    #[test]
    fn a_reset_returns_the_count_and_starts_from_zero() {
        let mut lockout = Lockout::default();
        lockout.count_failure(7);
        lockout.count_failure(8);
        assert_eq!(lockout, Lockout { failures: 2, last_failure: 8 });
        assert_eq!(lockout.reset(), 2);
        assert_eq!(lockout, Lockout::default());
    }
}
