// SPDX-License-Identifier: GPL-3.0-or-later
//! `verify`: does this code open the login?

use mfa_proto::login::{Accepted, Verify, VerifyAnswer};
use mfa_proto::{ErrorAnswer, Peer};
use tokio::time::Instant;
use tracing::debug;

use super::{begin, unavailable};
use crate::caller;
use crate::daemon::{Asked, Checked, Count, Daemon};
use crate::policy::lockout::Lock;
use crate::policy::login::{By, Decision, Success};
use crate::policy::pad;

/// So many recovery codes are few: whoever has no more is told.
const FEW: u8 = 3;

pub(super) async fn verify(
    daemon: &Daemon,
    peer: Peer,
    verify: Verify,
) -> Result<VerifyAnswer, ErrorAnswer> {
    let arrived = Instant::now();
    let answer = decide(daemon, peer, verify).await;
    daemon.metrics.answered(arrived.elapsed());
    if !matches!(answer, Ok(VerifyAnswer::Accepted(_))) {
        // On a timer: whoever is refused holds nothing but his connection.
        tokio::time::sleep_until(arrived + pad::leaves(arrived.elapsed())).await;
    }
    answer
}

async fn decide(
    daemon: &Daemon,
    peer: Peer,
    Verify { user, code, origin }: Verify,
) -> Result<VerifyAnswer, ErrorAnswer> {
    if !caller::may_log_in(peer, &user).await {
        return Err(caller::not_permitted());
    }
    let attempted = begin::attempted(daemon, &user, &origin, peer);
    let terms = match daemon.terms_for(&user, &origin).await {
        Ok(terms) => terms,
        Err(error) => {
            unavailable(&error, "verify");
            let ignore = begin::undecided(daemon, None, &attempted);
            return Ok(VerifyAnswer::Unavailable { ignore });
        }
    };
    let asked = Asked { peer, count: Count::Told, observe: terms.observe };
    match daemon.check_code(&user, code, &origin, asked).await {
        Ok(checked) => {
            if let Decision::Accepted(Success { by: By::Token(_), .. }) = checked.decision
                && let Some(grace) = terms.grace.as_ref().filter(|_| caller::is_root(peer))
            {
                let given = daemon.graces().give(&user, &origin, grace, (daemon.uptime)());
                debug!(%user, given, seconds = grace.seconds, "grace");
            }
            Ok(answer(checked))
        }
        Err(error) => {
            unavailable(&error, "verify");
            let ignore = begin::undecided(daemon, Some(&terms), &attempted);
            Ok(VerifyAnswer::Unavailable { ignore })
        }
    }
}

fn answer(checked: Checked) -> VerifyAnswer {
    let left = checked.recovery_codes_left;
    match checked.decision {
        Decision::Accepted(success) => VerifyAnswer::Accepted(Accepted {
            failures: success.failures,
            last_failure: success.last_failure,
            // Whoever never had any need not hear that there are none.
            recovery_codes_left: (success.by == By::Recovery || (1..=FEW).contains(&left))
                .then_some(left),
            clock_offset: success.clock_offset,
            rotation_due: checked.rotation_due,
        }),
        Decision::Replayed | Decision::ClockBehind | Decision::Held => VerifyAnswer::Replayed {},
        Decision::Wrong { clock_offset } => VerifyAnswer::Wrong { clock_offset },
        Decision::NotACode => VerifyAnswer::Wrong { clock_offset: None },
        Decision::Locked(Lock::Wait(seconds)) => VerifyAnswer::Locked { seconds: Some(seconds) },
        Decision::Locked(Lock::Open | Lock::Hard) => VerifyAnswer::Locked { seconds: None },
    }
}
