// SPDX-License-Identifier: GPL-3.0-or-later
//! When a refusal leaves. A wrong code of an account is written down, one for a name without a token is
//! counted in memory, and under a lock nothing is evaluated: the time that this takes would tell them
//! apart. So refusals leave at whole multiples of a time that hides it.

use std::time::Duration;

/// Longer than a commit takes on a disk that is not busy.
const STEP: Duration = Duration::from_millis(10);

/// The time after its question's arrival at which a refusal leaves that was `ready` so long after it.
#[must_use]
pub fn leaves(ready: Duration) -> Duration {
    let steps = ready.as_nanos().div_ceil(STEP.as_nanos()).max(1);
    STEP.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_leaves_at_the_next_whole_step_and_never_at_once() {
        for (ready, leaves_after) in [
            (0, 10_000),
            (1, 10_000),
            (400, 10_000),
            (9_999, 10_000),
            (10_000, 10_000),
            (10_001, 20_000),
            (35_000, 40_000),
            (4_000_000, 4_000_000),
        ] {
            let ready = Duration::from_micros(ready);
            assert_eq!(leaves(ready), Duration::from_micros(leaves_after), "{ready:?}");
        }
    }
}
