// SPDX-License-Identifier: GPL-3.0-or-later
//! How much of the trail ordinary users may fill: what others did must not be pushed out of the ring by
//! somebody who asks the daemon about himself as quickly as he can.
//!
//! What is bounded elsewhere is always recorded: right codes, which are spent, and wrong ones, which lock.

use std::collections::HashMap;

use mfa_proto::audit::{Act, ActResult};

use super::Event;

/// Entries of one uid at once.
const AT_ONCE: u64 = 30;
/// Seconds until one more.
const ANOTHER: u64 = 10;
/// Users who are counted at a time. With more of them, which no machine has, all begin anew.
const UIDS: usize = 4096;

/// What each uid has used.
#[derive(Default)]
pub struct Quota(HashMap<u32, Used>);

/// An event, and whether it is to be recorded.
#[derive(Debug, PartialEq, Eq)]
pub enum Share {
    /// It is; with the number of those before it that were not.
    Within(Event),
    /// It is not.
    Beyond(Event),
}

#[derive(Clone, Copy)]
struct Used {
    left: u64,
    /// Unix seconds, up to which `left` is counted.
    at: u64,
    /// Events since the last one that was recorded.
    unrecorded: u64,
}

impl Quota {
    /// Whether the event is to be recorded.
    pub fn admit(&mut self, event: Event, own_uid: u32) -> Share {
        let (uid, now) = (event.get().peer_uid, event.get().time);
        if uid == 0 || uid == own_uid || is_bounded(&event) {
            return Share::Within(event);
        }
        if self.0.len() >= UIDS && !self.0.contains_key(&uid) {
            self.0.clear();
        }
        let used = self.0.entry(uid).or_insert(Used { left: AT_ONCE, at: now, unrecorded: 0 });
        let more = now.saturating_sub(used.at) / ANOTHER;
        used.left = used.left.saturating_add(more).min(AT_ONCE);
        used.at = used.at.saturating_add(more.saturating_mul(ANOTHER));
        if used.left == 0 {
            used.unrecorded += 1;
            return Share::Beyond(event);
        }
        used.left -= 1;
        Share::Within(match std::mem::take(&mut used.unrecorded) {
            0 => event,
            unrecorded => event.figure("unrecorded", unrecorded),
        })
    }
}

fn is_bounded(event: &Event) -> bool {
    let event = event.get();
    let of_a_code = matches!(event.reason.as_deref(), Some("wrong_code" | "replayed"));
    event.act == Act::Login && (event.result == ActResult::Accepted || of_a_code)
}

#[cfg(test)]
mod tests {
    use mfa_proto::Peer;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn event(uid: u32, result: ActResult, reason: &'static str, time: u64) -> Event {
        Event::new(Act::Login, result, Peer { uid, gid: uid, pid: 1 }, time).because(reason)
    }

    #[test]
    fn a_user_has_thirty_at_once_then_one_in_ten_seconds_and_what_is_left_out_is_counted() {
        let mut quota = Quota::default();
        let mut recorded =
            |uid, time| match quota.admit(event(uid, ActResult::Skipped, "no_token", time), 999) {
                Share::Within(event) => Some(event.get().figures.get("unrecorded").copied()),
                Share::Beyond(_) => None,
            };
        for _ in 0..30 {
            assert_eq!(recorded(1000, NOW), Some(None));
        }
        for _ in 0..500 {
            assert!(recorded(1000, NOW + 9).is_none());
        }
        assert_eq!(recorded(1001, NOW + 9), Some(None), "others have their own");
        assert_eq!(recorded(1000, NOW + 10), Some(Some(500)));
        assert!(recorded(1000, NOW + 19).is_none());
        // A clock that is set back gives nothing.
        assert!(recorded(1000, NOW - 1000).is_none());
        assert_eq!(recorded(1000, NOW + 20), Some(Some(2)));
        for uid in [0, 999] {
            assert!((0..1000).all(|_| recorded(uid, NOW) == Some(None)), "{uid}");
        }
    }

    #[test]
    fn what_spends_a_code_or_counts_against_the_account_is_always_recorded() {
        let mut quota = Quota::default();
        let mut all = |result, reason| {
            (0..100).all(|_| {
                matches!(quota.admit(event(1000, result, reason, NOW), 999), Share::Within(_))
            })
        };
        assert!(all(ActResult::Accepted, "recovery_code"));
        assert!(all(ActResult::Denied, "wrong_code"));
        assert!(all(ActResult::Denied, "replayed"));
        assert!(!all(ActResult::Denied, "locked"));
        assert!(!all(ActResult::Denied, "not_a_code"));
    }
}
