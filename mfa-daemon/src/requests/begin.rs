// SPDX-License-Identifier: GPL-3.0-or-later
//! `begin`: is this user to be asked for a code?

use mfa_proto::audit::ActResult;
use mfa_proto::explain::Outcome;
use mfa_proto::login::{Begin, BeginAnswer, Origin, SkipReason};
use mfa_proto::{ErrorAnswer, Peer, UserName};

use super::unavailable;
use crate::audit::Attempted;
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
    let attempted = attempted(daemon, &user, &origin, peer);
    let terms = match daemon.terms_for(&user, &origin).await {
        Ok(terms) => terms,
        Err(error) => {
            unavailable(&error, "begin");
            return Ok(BeginAnswer::Unavailable { ignore: undecided(daemon, None, &attempted) });
        }
    };
    let cannot_decide =
        || BeginAnswer::Unavailable { ignore: undecided(daemon, Some(&terms), &attempted) };
    let now = match daemon.now_for(&terms) {
        Ok(now) => now,
        Err(error) => {
            unavailable(&error, "begin");
            return Ok(cannot_decide());
        }
    };
    let record = match daemon.store.get(&user) {
        Ok(record) => record,
        // Whoever is exempt needs no store.
        Err(_) if terms.is_exempt(now) => None,
        Err(error) => {
            unavailable(&error, "begin");
            return Ok(cannot_decide());
        }
    };
    let digits = digits(daemon, record.as_ref());
    let observe = terms.observe;
    let prompt = BeginAnswer::Prompt { digits, observe };
    let skip = |reason, enroll_within| BeginAnswer::Skip { reason, digits, enroll_within, observe };
    // What a process without privileges says of its terminal or key is only its word.
    let grace = caller::is_root(peer) && grace(daemon, &user, &origin, &terms);
    let rules = daemon.login_rules().lockout;
    Ok(match due::outcome(record.as_ref(), &terms, &rules, &origin.service, grace, now) {
        Outcome::Prompt {} | Outcome::Locked { .. } | Outcome::Expired {} => prompt,
        Outcome::Granted {} => {
            let noted = daemon.store.note(attempted.spared(ActResult::Granted, "grace")).await;
            // Nobody is let in without a trace: a code leaves one or fails.
            noted.map_or(prompt, |()| BeginAnswer::Granted {})
        }
        Outcome::Exempt {} => {
            // Passes without a store, and then the log alone tells of it.
            let _ = daemon.store.note(attempted.spared(ActResult::Skipped, "exempt")).await;
            skip(SkipReason::Exempt, None)
        }
        Outcome::NoToken { enroll_within } => {
            // Without a wait, since a prompt has none: without `nullok` a name that has no token gets
            // one, and the time until it must not tell the two apart.
            daemon.store.note_aside(attempted.spared(ActResult::Skipped, "no_token"));
            skip(SkipReason::NoToken, enroll_within)
        }
    })
}

/// A login as the trail tells of it.
pub(super) fn attempted<'a>(
    daemon: &Daemon,
    user: &'a UserName,
    origin: &'a Origin,
    peer: Peer,
) -> Attempted<'a> {
    Attempted { user, origin, peer, now: (daemon.clock)(), observe: false }
}

/// Whether an earlier success holds for this login.
pub(super) fn grace(daemon: &Daemon, user: &UserName, origin: &Origin, terms: &Terms) -> bool {
    let grace = terms.grace.as_ref();
    grace.is_some_and(|grace| daemon.graces().holds(user, origin, grace, (daemon.uptime)()))
}

/// Tells of a login that cannot be decided, and says whether a rule lets it pass all the same, as one
/// that only observes does. Without a wait: what keeps the daemon from deciding may keep it from writing
/// for longer than the login waits, and then the rule would not hold.
pub(super) fn undecided(daemon: &Daemon, terms: Option<&Terms>, attempted: &Attempted<'_>) -> bool {
    let ignored = terms.is_some_and(|terms| terms.ignore_unavailable || terms.observe);
    daemon.store.note_aside(attempted.undecided(ignored));
    ignored
}

/// Digits of this user's codes; the fewest where they differ, since with more the end of a password
/// would be taken for the beginning of a code. Without a token those of the codes that are made here.
fn digits(daemon: &Daemon, record: Option<&Record>) -> u8 {
    let tokens = record.into_iter().flat_map(|record| &record.tokens);
    let fewest = tokens.map(|token| token.digits.get()).min();
    fewest.unwrap_or_else(|| daemon.settings().config.token.digits.get())
}
