// SPDX-License-Identifier: GPL-3.0-or-later
//! `begin`: is this user to be asked for a code?

use mfa_proto::explain::Outcome;
use mfa_proto::login::{Begin, BeginAnswer, Origin, SkipReason};
use mfa_proto::{ErrorAnswer, Peer, UserName};
use tracing::{info, warn};

use super::{Bounded, rhost, tty, unavailable};
use crate::caller;
use crate::daemon::Daemon;
use crate::policy::due;
use crate::policy::record::Record;
use crate::policy::rule::Terms;

pub(super) async fn begin(
    daemon: &Daemon,
    peer: Peer,
    Begin { user, origin }: Begin,
) -> Result<BeginAnswer, ErrorAnswer> {
    if !caller::may_log_in(peer, &user).await {
        return Err(caller::not_permitted());
    }
    let terms = match daemon.terms_for(&user, &origin).await {
        Ok(terms) => terms,
        Err(error) => {
            unavailable(&error, "begin");
            return Ok(BeginAnswer::Unavailable { ignore: false });
        }
    };
    let now = match daemon.now_for(&terms) {
        Ok(now) => now,
        Err(error) => {
            unavailable(&error, "begin");
            return Ok(BeginAnswer::Unavailable { ignore: ignored(&terms, &user, &origin, peer) });
        }
    };
    let record = match daemon.store.get(&user) {
        Ok(record) => record,
        // Whoever is exempt needs no store.
        Err(_) if terms.is_exempt(now) => None,
        Err(error) => {
            unavailable(&error, "begin");
            return Ok(BeginAnswer::Unavailable { ignore: ignored(&terms, &user, &origin, peer) });
        }
    };
    let digits = digits(daemon, record.as_ref());
    let observe = terms.observe;
    let skip = |reason, enroll_within| BeginAnswer::Skip { reason, digits, enroll_within, observe };
    // What a process without privileges says of its terminal or key is only its word.
    let grace = caller::is_root(peer) && grace(daemon, &user, &origin, &terms);
    let rules = daemon.login_rules().lockout;
    Ok(match due::outcome(record.as_ref(), &terms, &rules, &origin.service, grace, now) {
        Outcome::Prompt {} | Outcome::Locked { .. } | Outcome::Expired {} => {
            BeginAnswer::Prompt { digits, observe }
        }
        Outcome::Granted {} => {
            info!(
                %user, service = %Bounded(&origin.service), rhost = rhost(&origin),
                tty = tty(&origin), peer_uid = peer.uid, peer_pid = peer.pid,
                "granted: an earlier success still holds"
            );
            BeginAnswer::Granted {}
        }
        Outcome::Exempt {} => skip(SkipReason::Exempt, None),
        Outcome::NoToken { enroll_within } => skip(SkipReason::NoToken, enroll_within),
    })
}

/// Whether an earlier success holds for this login.
pub(super) fn grace(daemon: &Daemon, user: &UserName, origin: &Origin, terms: &Terms) -> bool {
    let grace = terms.grace.as_ref();
    grace.is_some_and(|grace| daemon.graces().holds(user, origin, grace, (daemon.uptime)()))
}

/// Whether a rule lets a login pass that cannot be decided, as one that only observes does. Said in the
/// log each time.
pub(super) fn ignored(terms: &Terms, user: &UserName, origin: &Origin, peer: Peer) -> bool {
    let ignored = terms.ignore_unavailable || terms.observe;
    if ignored {
        warn!(%user, service = %Bounded(&origin.service), peer_uid = peer.uid, peer_pid = peer.pid,
            "cannot decide, and a rule lets this login pass without a code");
    }
    ignored
}

/// Digits of this user's codes; the fewest where they differ, since with more the end of a password
/// would be taken for the beginning of a code. Without a token those of the codes that are made here.
fn digits(daemon: &Daemon, record: Option<&Record>) -> u8 {
    let tokens = record.into_iter().flat_map(|record| &record.tokens);
    let fewest = tokens.map(|token| token.digits.get()).min();
    fewest.unwrap_or_else(|| daemon.settings().config.token.digits.get())
}
