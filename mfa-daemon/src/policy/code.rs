// SPDX-License-Identifier: GPL-3.0-or-later
//! Does a code belong to a token, and at which step or counter? RFC 6238, 5.2 and 6; RFC 4226, 7.4.

use std::ops::RangeInclusive;

use mfa_crypto::{Code, Codes, Secret, step};

use super::near;
use super::record::{Factor, Record, Token};

/// Counters accepted ahead of the expected one (the look-ahead window s of RFC 4226, 7.4).
pub const LOOK_AHEAD: u64 = 10;

/// What a code is to a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// Nothing.
    None,
    /// It was right, but that step is spent, or barred because its code was typed before its time.
    Spent,
    /// It is right; the token's factor must become this.
    Fresh(Factor),
}

/// Looks at every step of the window, whether or not one has matched already: the time it takes
/// does not tell where a code fits. `codes` are the token's.
#[must_use]
pub fn look(token: &Token, codes: &Codes, code: &Code, now: u64, skew: u64) -> Match {
    let matches = |counter| bool::from(codes.has(code, counter));
    match token.factor {
        Factor::Totp { period, last_step, drift } => {
            let current = step(now, period);
            let mut found = Match::None;
            for candidate in window(current, drift, skew) {
                if !matches(candidate) {
                    continue;
                }
                if last_step.is_some_and(|last| candidate <= last) || near::bars(token, candidate) {
                    if found == Match::None {
                        found = Match::Spent;
                    }
                } else {
                    let drift = learn(drift, current, candidate);
                    found =
                        Match::Fresh(Factor::Totp { period, last_step: Some(candidate), drift });
                }
            }
            found
        }
        Factor::Hotp { counter } => {
            let mut found = Match::None;
            for candidate in counter..=counter.saturating_add(LOOK_AHEAD) {
                // The last counter of all has no next one, so it is never accepted.
                let Some(next) = candidate.checked_add(1) else { continue };
                if !matches(candidate) {
                    continue;
                }
                match found {
                    Match::Fresh(_) => {}
                    Match::None | Match::Spent if near::bars(token, candidate) => {
                        found = Match::Spent;
                    }
                    Match::None | Match::Spent => {
                        found = Match::Fresh(Factor::Hotp { counter: next });
                    }
                }
            }
            found
        }
    }
}

/// Whether the last accepted step lies beyond the window: then the clock was set back, and no code
/// can be accepted until it has caught up.
#[must_use]
pub fn clock_is_behind(token: &Token, now: u64, skew: u64) -> bool {
    match token.factor {
        Factor::Totp { period, last_step: Some(last), drift } => {
            let centre = step(now, period).saturating_add_signed(i64::from(drift));
            last > centre.saturating_add(skew).saturating_add(2)
        }
        Factor::Totp { last_step: None, .. } | Factor::Hotp { .. } => false,
    }
}

/// Moves the mark of a token whose last step lies beyond the window to now, and leaves others as they are.
/// For an administrator who says that the clock is right now. The code that set the mark stays spent when its
/// time comes; of those before it, from while the clock was ahead, nothing is known any more. A drift to the past
/// was learned from the clock that was ahead, and goes with it: it would hold the window behind the mark.
pub fn catch_up(token: &mut Token, now: u64, skew: u64) {
    if let Factor::Totp { period, last_step: Some(last), drift } = token.factor
        && clock_is_behind(token, now, skew)
    {
        let current = step(now, period);
        token.factor =
            Factor::Totp { period, last_step: Some(last.min(current)), drift: drift.max(0) };
        if last > current {
            near::bar(token, last, now);
        }
    }
}

/// The steps that are accepted.
pub(super) fn window(current: u64, drift: i8, skew: u64) -> RangeInclusive<u64> {
    let centre = current.saturating_add_signed(i64::from(drift));
    centre.saturating_sub(skew)..=centre.saturating_add(skew)
}

/// What a token shows.
#[must_use]
pub fn codes(token: &Token, secret: &Secret) -> Codes {
    Codes::new(secret, token.algorithm, token.digits)
}

/// The drift that is learned without resynchronisation, in steps.
const LEARNED: i8 = 2;

/// Drift moves by at most one step a success and stays within ±2 (RFC 6238, 6). One that a
/// resynchronisation set further out may come back, but goes no further.
fn learn(drift: i8, current: u64, accepted: u64) -> i8 {
    let seen = i128::from(accepted) - i128::from(current);
    let towards = match seen.cmp(&i128::from(drift)) {
        std::cmp::Ordering::Less => -1,
        std::cmp::Ordering::Equal => 0,
        std::cmp::Ordering::Greater => 1,
    };
    let drift = drift.clamp(-Record::MAX_DRIFT, Record::MAX_DRIFT);
    let furthest = drift.abs().max(LEARNED);
    (drift + towards).clamp(-furthest, furthest)
}

#[cfg(test)]
mod tests {
    use mfa_crypto::{Algorithm, Digits, Period, hotp};
    use mfa_proto::Blob;

    use super::*;

    fn look(token: &Token, code: &Code, now: u64, skew: u64) -> Match {
        super::look(token, &codes(token, &secret()), code, now, skew)
    }

    fn secret() -> Secret {
        Secret::new(b"12345678901234567890".to_vec())
    }

    fn token(factor: Factor) -> Token {
        Token {
            name: "phone".into(),
            factor,
            algorithm: Algorithm::Sha1,
            digits: Digits::default(),
            sealed: Blob::new([]),
            created: 0,
            last_used: None,
            near: None,
        }
    }

    fn totp(last_step: Option<u64>, drift: i8) -> Token {
        token(Factor::Totp { period: Period::default(), last_step, drift })
    }

    fn code(counter: u64) -> Code {
        hotp(&secret(), Algorithm::Sha1, Digits::default(), counter)
    }

    fn accepted_step(token: &Token, code_step: u64, now: u64) -> Option<u64> {
        match look(token, &code(code_step), now, 1) {
            Match::Fresh(Factor::Totp { last_step, .. }) => last_step,
            _ => None,
        }
    }

    #[test]
    fn exactly_the_window_of_two_skews_and_one_step_is_accepted() {
        for now in [29_999_u64, 30_000, 30_001, 30_029] {
            let current = now / 30;
            for offset in -3_i64..=3 {
                let at = current.saturating_add_signed(offset);
                let expected = (-1..=1).contains(&offset).then_some(at);
                assert_eq!(accepted_step(&totp(None, 0), at, now), expected, "{now} {offset}");
            }
        }
    }

    #[test]
    fn a_step_not_greater_than_the_last_one_is_spent() {
        let now = 60_000_u64;
        let current = now / 30;
        let token = totp(Some(current), 0);
        assert_eq!(look(&token, &code(current), now, 1), Match::Spent);
        assert_eq!(look(&token, &code(current - 1), now, 1), Match::Spent);
        assert_eq!(accepted_step(&token, current + 1, now), Some(current + 1));
    }

    #[test]
    fn drift_follows_by_one_step_and_stops_at_two() {
        let now = 60_000_u64;
        let current = now / 30;
        let drift_after = |drift, offset: i64| {
            let at = current.saturating_add_signed(offset);
            match look(&totp(None, drift), &code(at), now, 1) {
                Match::Fresh(Factor::Totp { drift, .. }) => Some(drift),
                _ => None,
            }
        };
        assert_eq!(drift_after(0, 0), Some(0));
        assert_eq!(drift_after(0, 1), Some(1));
        assert_eq!(drift_after(1, 2), Some(2));
        assert_eq!(drift_after(2, 3), Some(2));
        assert_eq!(drift_after(2, 4), None);
        assert_eq!(drift_after(2, 1), Some(1));
        assert_eq!(drift_after(0, -1), Some(-1));
        assert_eq!(drift_after(-2, -3), Some(-2));
        // After a resynchronisation: back, but never further out.
        for (drift, offset, after) in [
            (6, 7, 6),
            (6, 6, 6),
            (6, 5, 5),
            (-9, -10, -9),
            (-9, -8, -8),
            (10, 11, 10),
            (-10, -11, -10),
            (3, 2, 2),
        ] {
            assert_eq!(drift_after(drift, offset), Some(after), "{drift} {offset}");
        }
    }

    #[test]
    fn a_counter_token_looks_ahead_and_never_back() {
        let token = token(Factor::Hotp { counter: 5 });
        for (counter, expected) in [(4, None), (5, Some(6)), (15, Some(16)), (16, None)] {
            let next = match look(&token, &code(counter), 0, 1) {
                Match::Fresh(Factor::Hotp { counter }) => Some(counter),
                _ => None,
            };
            assert_eq!(next, expected, "counter {counter}");
        }
    }

    #[test]
    fn extremes_of_time_and_counter_do_not_overflow() {
        for now in [0, 1, 29, u64::MAX] {
            let _ = look(&totp(None, -2), &code(0), now, 10);
            let _ = look(&totp(Some(u64::MAX), 2), &code(0), now, 10);
            let _ = clock_is_behind(&totp(Some(u64::MAX), 2), now, 10);
        }
        let last = token(Factor::Hotp { counter: u64::MAX });
        assert_eq!(look(&last, &code(u64::MAX), 0, 1), Match::None);
    }

    #[test]
    fn an_unlock_moves_only_a_mark_that_lies_beyond_the_window() {
        let now = 60_000_u64;
        let current = now / 30;
        let mark = |token: &Token| {
            let mut token = token.clone();
            catch_up(&mut token, now, 1);
            match token.factor {
                Factor::Totp { last_step, .. } => last_step,
                Factor::Hotp { .. } => None,
            }
        };
        assert_eq!(mark(&totp(Some(current + 2_880), 0)), Some(current));
        assert_eq!(mark(&totp(Some(current + 1), 0)), Some(current + 1));
        assert_eq!(mark(&totp(Some(current - 9), 0)), Some(current - 9));
        assert_eq!(mark(&totp(None, 0)), None);
    }

    #[test]
    fn after_an_unlock_the_next_code_opens_also_where_a_clock_ahead_had_been_taken_for_a_slow_phone()
     {
        let now = 60_000_u64;
        let current = now / 30;
        for (last, drift) in [(current + 5, -10), (current - 5, -10), (current + 50, 0)] {
            let mut token = totp(Some(last), drift);
            assert!(clock_is_behind(&token, now, 1), "{last} {drift}");
            for later in 0..3 {
                catch_up(&mut token, now + 30 * later, 1);
            }
            assert!(!clock_is_behind(&token, now, 1), "{last} {drift}");
            let next = look(&token, &code(current + 1), now + 30, 1);
            let open =
                Factor::Totp { period: Period::default(), last_step: Some(current + 1), drift: 0 };
            assert_eq!(next, Match::Fresh(open), "{last} {drift}");
            let spent = last.min(current);
            assert_eq!(look(&token, &code(spent), spent * 30, 1), Match::Spent);
        }
    }

    #[test]
    fn a_clock_that_was_set_back_is_noticed() {
        let now = 60_000_u64;
        assert!(!clock_is_behind(&totp(Some(now / 30 + 1), 0), now, 1));
        assert!(clock_is_behind(&totp(Some(now / 30 + 4), 0), now, 1));
        assert!(!clock_is_behind(&totp(None, 0), now, 1));
    }
}
