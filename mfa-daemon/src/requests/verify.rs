// SPDX-License-Identifier: GPL-3.0-or-later
//! `verify`: does this code open the login?

use mfa_proto::login::{Origin, Verify, VerifyAnswer};
use mfa_proto::{ErrorAnswer, Peer, UserName};
use tracing::{info, warn};

use super::{Bounded, unavailable};
use crate::caller;
use crate::daemon::{Checked, Daemon};
use crate::policy::lockout::Lock;
use crate::policy::login::Decision;

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
    match daemon.check_code(&verify.user, verify.code).await {
        Ok(Checked { decision, has_token, recovery_codes_left }) => {
            record(&decision, has_token, &verify.user, &verify.origin, peer);
            Ok(answer(decision, recovery_codes_left))
        }
        Err(error) => {
            unavailable(&error, "verify");
            denied("unavailable", &verify.user, &verify.origin, peer);
            Ok(VerifyAnswer::Unavailable {})
        }
    }
}

fn answer(decision: Decision, recovery_codes_left: u8) -> VerifyAnswer {
    match decision {
        Decision::Accepted { token, failures } => VerifyAnswer::Accepted {
            failures,
            recovery_codes_left: token.is_none().then_some(recovery_codes_left),
        },
        Decision::Replayed | Decision::ClockBehind => VerifyAnswer::Replayed {},
        Decision::Wrong | Decision::NotACode => VerifyAnswer::Wrong {},
        Decision::Locked(Lock::Wait(seconds)) => VerifyAnswer::Locked { seconds: Some(seconds) },
        Decision::Locked(Lock::Open | Lock::Hard) => VerifyAnswer::Locked { seconds: None },
    }
}

/// What an administrator reads of a login. Replays, locks and recovery codes are warnings.
fn record(decision: &Decision, has_token: bool, user: &UserName, origin: &Origin, peer: Peer) {
    match decision {
        Decision::Accepted { token: Some(token), failures } => info!(
            %user, service = %Bounded(&origin.service), rhost = rhost(origin), tty = tty(origin),
            peer_uid = peer.uid, peer_pid = peer.pid, token, failures, "accepted"
        ),
        Decision::Accepted { token: None, failures } => warn!(
            %user, service = %Bounded(&origin.service), rhost = rhost(origin), tty = tty(origin),
            peer_uid = peer.uid, peer_pid = peer.pid, failures, "accepted: recovery code"
        ),
        Decision::Replayed => warned("replayed", user, origin, peer),
        Decision::ClockBehind => warned("clock_behind_last_login", user, origin, peer),
        Decision::Locked(_) => warned("locked", user, origin, peer),
        Decision::Wrong if !has_token => denied("no_token", user, origin, peer),
        Decision::Wrong => denied("wrong_code", user, origin, peer),
        Decision::NotACode => denied("not_a_code", user, origin, peer),
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

fn rhost(origin: &Origin) -> Option<tracing::field::DisplayValue<Bounded<'_>>> {
    origin.rhost.as_deref().map(|host| tracing::field::display(Bounded(host)))
}

fn tty(origin: &Origin) -> Option<tracing::field::DisplayValue<Bounded<'_>>> {
    origin.tty.as_deref().map(|tty| tracing::field::display(Bounded(tty)))
}
