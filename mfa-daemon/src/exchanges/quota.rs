// SPDX-License-Identifier: GPL-3.0-or-later
//! How many exchanges a uid may begin: an enrolment needs one or two, and each costs the daemon
//! milliseconds of arithmetic.

use std::collections::HashMap;

/// Exchanges that one uid may begin at once,
const AT_ONCE: u64 = 20;
/// and the seconds until one more.
const ANOTHER: u64 = 2;
/// Uids that are counted at a time: those with something used up, so it takes as many users at once.
const UIDS: usize = 4096;

/// What each unprivileged uid has used.
#[derive(Default)]
pub(super) struct Quota(HashMap<u32, Used>);

#[derive(Clone, Copy)]
struct Used {
    left: u64,
    /// Seconds of a clock that is never set, up to which `left` is counted.
    at: u64,
}

impl Used {
    fn by(self, now: u64) -> Self {
        let more = now.saturating_sub(self.at) / ANOTHER;
        let left = self.left.saturating_add(more);
        // Time that would fill it beyond the brim is not kept for later.
        let at = if left >= AT_ONCE { now } else { self.at.saturating_add(more * ANOTHER) };
        Self { left: left.min(AT_ONCE), at }
    }
}

impl Quota {
    /// Whether `uid` may begin one at `now`. It is counted then.
    pub(super) fn admit(&mut self, uid: u32, now: u64) -> bool {
        let used = self.0.get(&uid).map_or(Used { left: AT_ONCE, at: now }, |used| used.by(now));
        let Some(left) = used.left.checked_sub(1) else { return false };
        if self.0.len() >= UIDS && !self.0.contains_key(&uid) {
            self.0.retain(|_, used| used.by(now).left < AT_ONCE);
            if self.0.len() >= UIDS {
                return false;
            }
        }
        self.0.insert(uid, Used { left, ..used });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_uid_begins_so_many_exchanges_at_once_and_then_one_every_two_seconds() {
        let mut quota = Quota::default();
        let mut at = |uid, now| (0..100).filter(|_| quota.admit(uid, now)).count();
        assert_eq!(at(1000, 50), 20);
        assert_eq!(at(1000, 51), 0);
        assert_eq!(at(1001, 51), 20, "somebody else has his own");
        assert_eq!(at(1000, 52), 1);
        assert_eq!(at(1000, 57), 2);
        assert_eq!(at(1000, 58), 1, "the odd second of before counts");
        assert_eq!(at(1000, 58 + 40), 20);
        assert_eq!(at(1000, 100_000), 20, "and no more however long one waits");
        assert_eq!(at(1000, 0), 0, "a clock that goes back gives nothing");
    }

    #[test]
    fn more_uids_than_are_counted_take_no_more_memory_and_are_told_to_wait() {
        let mut quota = Quota::default();
        let many = u32::try_from(UIDS).unwrap();
        assert!((0..many).all(|uid| quota.admit(uid, 10)));
        assert!(!quota.admit(many, 10));
        assert_eq!(quota.0.len(), UIDS);
        assert!(quota.admit(many, 12), "the others are as new again");
        assert_eq!(quota.0.len(), 1);
    }
}
