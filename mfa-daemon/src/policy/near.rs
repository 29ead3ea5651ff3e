// SPDX-License-Identifier: GPL-3.0-or-later
//! Codes that fit a token outside its window, and resynchronisation by two of them in a row.
//! RFC 6238, 6; RFC 4226, 7.4.
//!
//! One such code is wrong and is counted, but its user is told that the clock is off. That hint
//! must be worth nothing to a guesser. Where the step lies in the future it says "this code will be
//! right in five minutes", and without more he would only have to wait. So every step that a hint
//! was given for is barred: it never opens a login by itself, however often others are typed, and
//! whatever is typed or accepted in between. A memory of the last such step alone would not do:
//! another wrong code, or a login of the owner's, would clear it and give the guess back its worth.
//! What is left to the guesser is what the owner has as well: the next code, typed next, by the same
//! clock. `docs/guessing.md` says how little that is.

use mfa_crypto::{Code, Codes, Period, step};

use super::code::{self, LOOK_AHEAD};
use super::record::{Factor, Near, Record, Token};

/// Steps on either side of the current one that are looked at.
pub const STEPS: u64 = 10;

/// Counters ahead of the expected one that are looked at.
pub const COUNTERS: u64 = 100;

/// The second code comes within so many periods of the first,
const PERIODS: u64 = 10;

/// and within so many seconds.
const SECONDS: u64 = 600;

/// Steps that are barred at a time; a further one takes the place of the oldest. A step can still
/// come into a window for less than 32 steps (10 of drift, 10 of skew and 10 ahead), so only somebody
/// who has the token's own codes could fill this.
const BARRED_MAX: usize = 32;

/// What a code is to a token outside its window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Nearby {
    /// Nothing.
    None,
    /// It would be right for another clock or counter: wrong, and to be remembered.
    First {
        /// What the token's `near` must become.
        near: Near,
        /// Seconds that the token's clock is ahead (positive) or behind; none for a counter, nor
        /// where the clock is right and what was learned of it is not.
        clock_offset: Option<i64>,
    },
    /// The second of two in a row: right. The token's factor must become this.
    Second(Factor),
}

/// Looks at every step or counter within reach, whether or not one has matched already. `codes` are the token's.
#[must_use]
pub fn look(token: &Token, codes: &Codes, typed: &Code, now: u64, skew: u64) -> Nearby {
    let matches = |at| bool::from(codes.has(typed, at));
    match token.factor {
        Factor::Totp { period, last_step, drift } => {
            let current = step(now, period);
            let window = code::window(current, drift, skew);
            let mut met = Vec::new();
            for at in current.saturating_sub(STEPS)..=current.saturating_add(STEPS) {
                if matches(at) && !window.contains(&at) && last_step.is_none_or(|last| at > last) {
                    met.push(at);
                }
            }
            // While the clock is behind the last success nothing is counted, so nothing may open.
            if code::clock_is_behind(token, now, skew) {
                return Nearby::None;
            }
            let second =
                |at: &&u64| !bars(token, **at) && follows(token.near.as_ref(), **at, now, period);
            if let Some(&at) = met.iter().find(second) {
                let drift = i8::try_from(offset(at, current))
                    .unwrap_or(0)
                    .clamp(-Record::MAX_DRIFT, Record::MAX_DRIFT);
                return Nearby::Second(Factor::Totp { period, last_step: Some(at), drift });
            }
            let Some(near) = remember(token, &met, now) else { return Nearby::None };
            let seconds = i64::try_from(offset(near.at, current) * i128::from(period.get()));
            Nearby::First { near, clock_offset: seconds.ok().filter(|seconds| *seconds != 0) }
        }
        Factor::Hotp { counter } => {
            let furthest = counter.saturating_add(COUNTERS);
            let mut met = Vec::new();
            let mut second = None;
            // One more than is remembered: the one after the last of these.
            for at in counter.saturating_add(LOOK_AHEAD + 1)..=furthest.saturating_add(1) {
                let Some(next) = at.checked_add(1) else { continue };
                if !matches(at) {
                    continue;
                }
                let first = token.near.as_ref().filter(|near| near.seen.is_some());
                if first.and_then(|near| near.at.checked_add(1)) == Some(at) && !bars(token, at) {
                    second = Some(Factor::Hotp { counter: next });
                }
                if at <= furthest {
                    met.push(at);
                }
            }
            match (second, remember(token, &met, now)) {
                (Some(factor), _) => Nearby::Second(factor),
                (None, Some(near)) => Nearby::First { near, clock_offset: None },
                (None, None) => Nearby::None,
            }
        }
    }
}

/// Whether the code of this step or counter was typed before its time, so that it opens nothing.
#[must_use]
pub fn bars(token: &Token, at: u64) -> bool {
    token.near.as_ref().is_some_and(|near| near.at == at || near.barred.contains(&at))
}

/// Has this step open nothing when its time comes.
pub(super) fn bar(token: &mut Token, at: u64, now: u64) {
    token.near = remember(token, &[at], now).map(|near| Near { seen: None, ..near });
}

/// After a code that was not the token's second of two: the next one is not in a row with the one
/// before it. What is barred stays barred.
pub fn break_row(token: &mut Token) {
    if let Some(near) = &mut token.near {
        near.seen = None;
    }
}

/// After a success of the token: what its factor has passed cannot come again and is forgotten.
pub fn forget_passed(token: &mut Token) {
    let next = match token.factor {
        Factor::Totp { last_step, .. } => last_step.map_or(0, |last| last.saturating_add(1)),
        Factor::Hotp { counter } => counter,
    };
    token.near = token.near.take().and_then(|near| {
        let mut barred = near.barred;
        barred.push(near.at);
        barred.retain(|at| *at >= next);
        barred.pop().map(|at| Near { at, seen: None, barred })
    });
}

/// Whether a code of the step `at` is, by the same clock, the next one after the code in `near`.
fn follows(near: Option<&Near>, at: u64, now: u64, period: Period) -> bool {
    let Some((first, seen)) = near.and_then(|near| Some((near.at, near.seen?))) else {
        return false;
    };
    let in_time = now
        .checked_sub(seen)
        .is_some_and(|passed| passed <= SECONDS.min(PERIODS.saturating_mul(period.get())));
    let (offset, offset_then) = (offset(at, step(now, period)), offset(first, step(seen, period)));
    in_time && at > first && offset.abs_diff(offset_then) <= 1
}

/// The last of the steps that a code met becomes the first of two; all of them are barred.
fn remember(token: &Token, met: &[u64], now: u64) -> Option<Near> {
    let (&at, others) = met.split_last()?;
    let mut barred = Vec::new();
    if let Some(near) = &token.near {
        barred.extend(&near.barred);
        barred.push(near.at);
    }
    barred.extend(others);
    let mut kept: Vec<u64> = Vec::new();
    for step in barred {
        if step != at && !kept.contains(&step) {
            kept.push(step);
        }
    }
    let surplus = kept.len().saturating_sub(BARRED_MAX - 1);
    kept.drain(..surplus);
    Some(Near { at, seen: Some(now), barred: kept })
}

fn offset(at: u64, current: u64) -> i128 {
    i128::from(at) - i128::from(current)
}

#[cfg(test)]
mod tests {
    use mfa_crypto::{Algorithm, Digits, Secret, hotp};
    use mfa_proto::Blob;

    use super::*;

    #[test]
    fn extremes_of_time_and_counter_do_not_overflow() {
        let secret = Secret::new(b"12345678901234567890".to_vec());
        let all = [0, 1, u64::MAX / 2, u64::MAX - 1, u64::MAX];
        for at in all {
            let totp = Factor::Totp { period: Period::default(), last_step: Some(at), drift: -10 };
            for factor in [totp, Factor::Hotp { counter: at }] {
                for (seen, near_at) in all.into_iter().zip(all.into_iter().rev()) {
                    let mut token = Token {
                        name: "phone".into(),
                        factor,
                        algorithm: Algorithm::Sha1,
                        digits: Digits::default(),
                        sealed: Blob::new([]),
                        created: 0,
                        last_used: None,
                        near: Some(Near { at: near_at, seen: Some(seen), barred: vec![at] }),
                    };
                    for now in all {
                        let typed = hotp(&secret, Algorithm::Sha1, Digits::default(), now / 30);
                        let codes = code::codes(&token, &secret);
                        let _ = look(&token, &codes, &typed, now, 10);
                    }
                    forget_passed(&mut token);
                }
            }
        }
    }
}
