// SPDX-License-Identifier: GPL-3.0-or-later
//! `verify`: does this code open the login?

use mfa_proto::login::{Accepted, Origin, Verify, VerifyAnswer};
use mfa_proto::{ErrorAnswer, Peer, UserName};
use tracing::{info, warn};

use super::{Bounded, begin, rhost, tty, unavailable};
use crate::caller;
use crate::daemon::{Checked, Count, Daemon};
use crate::policy::lockout::Lock;
use crate::policy::login::{By, Decision, Success};

/// So many recovery codes are few: whoever has no more is told.
const FEW: u8 = 3;

pub(super) async fn verify(
    daemon: &Daemon,
    peer: Peer,
    verify: Verify,
) -> Result<VerifyAnswer, ErrorAnswer> {
    if !caller::may_log_in(peer, &verify.user).await {
        warn!(user = %verify.user, peer_uid = peer.uid, peer_pid = peer.pid,
            "refused: verification for another user asked by an unprivileged process");
        return Err(caller::not_permitted());
    }
    let Verify { user, code, origin } = verify;
    let terms = match daemon.terms_for(&user, &origin).await {
        Ok(terms) => terms,
        Err(error) => {
            unavailable(&error, "verify");
            denied("unavailable", &user, &origin, peer);
            return Ok(VerifyAnswer::Unavailable { ignore: false });
        }
    };
    match daemon.check_code(&user, code, &origin, Count::Told).await {
        Ok(checked) => {
            record(&checked.decision, checked.has_token, &user, &origin, peer);
            if let Decision::Accepted(Success { by: By::Token(_), .. }) = checked.decision
                && let Some(grace) = terms.grace.as_ref().filter(|_| caller::is_root(peer))
            {
                let given = daemon.graces().give(&user, &origin, grace, (daemon.uptime)());
                if given {
                    info!(
                        %user, service = %Bounded(&origin.service), rhost = rhost(&origin),
                        tty = tty(&origin), seconds = grace.seconds, "grace given"
                    );
                }
            }
            Ok(answer(checked))
        }
        Err(error) => {
            unavailable(&error, "verify");
            let ignore = begin::ignored(&terms, &user, &origin, peer);
            if !ignore {
                denied("unavailable", &user, &origin, peer);
            }
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
        Decision::Replayed | Decision::ClockBehind => VerifyAnswer::Replayed {},
        Decision::Wrong { clock_offset } => VerifyAnswer::Wrong { clock_offset },
        Decision::NotACode => VerifyAnswer::Wrong { clock_offset: None },
        Decision::Locked(Lock::Wait(seconds)) => VerifyAnswer::Locked { seconds: Some(seconds) },
        Decision::Locked(Lock::Open | Lock::Hard) => VerifyAnswer::Locked { seconds: None },
    }
}

/// What an administrator reads of a login. Replays, locks and recovery codes are warnings.
pub(super) fn record(
    decision: &Decision,
    has_token: bool,
    user: &UserName,
    origin: &Origin,
    peer: Peer,
) {
    match decision {
        Decision::Accepted(success) => accepted(success, user, origin, peer),
        Decision::Replayed => warned("replayed", user, origin, peer),
        Decision::ClockBehind => warned("clock_behind_last_login", user, origin, peer),
        Decision::Locked(_) => warned("locked", user, origin, peer),
        Decision::Wrong { .. } if !has_token => denied("no_token", user, origin, peer),
        Decision::Wrong { .. } => denied("wrong_code", user, origin, peer),
        Decision::NotACode => denied("not_a_code", user, origin, peer),
    }
}

fn accepted(success: &Success, user: &UserName, origin: &Origin, peer: Peer) {
    let Success { by, failures, clock_offset, resynchronised, .. } = success;
    match by {
        By::Token(token) if *resynchronised => warn!(
            %user, service = %Bounded(&origin.service), rhost = rhost(origin), tty = tty(origin),
            peer_uid = peer.uid, peer_pid = peer.pid, token, failures, clock_offset,
            "accepted: resynchronised by two codes in a row"
        ),
        By::Token(token) => info!(
            %user, service = %Bounded(&origin.service), rhost = rhost(origin), tty = tty(origin),
            peer_uid = peer.uid, peer_pid = peer.pid, token, failures, clock_offset, "accepted"
        ),
        By::Recovery => warn!(
            %user, service = %Bounded(&origin.service), rhost = rhost(origin), tty = tty(origin),
            peer_uid = peer.uid, peer_pid = peer.pid, failures, "accepted: recovery code"
        ),
        By::Bypass => warn!(
            %user, service = %Bounded(&origin.service), rhost = rhost(origin), tty = tty(origin),
            peer_uid = peer.uid, peer_pid = peer.pid, failures, "accepted: bypass code"
        ),
    }
}

fn denied(reason: &'static str, user: &UserName, origin: &Origin, peer: Peer) {
    info!(
        %user, service = %Bounded(&origin.service), rhost = rhost(origin), tty = tty(origin),
        peer_uid = peer.uid, peer_pid = peer.pid, reason, "denied"
    );
}

fn warned(reason: &'static str, user: &UserName, origin: &Origin, peer: Peer) {
    warn!(
        %user, service = %Bounded(&origin.service), rhost = rhost(origin), tty = tty(origin),
        peer_uid = peer.uid, peer_pid = peer.pid, reason, "denied"
    );
}
