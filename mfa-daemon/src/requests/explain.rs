// SPDX-License-Identifier: GPL-3.0-or-later
//! `explain`: what would this login get, and which rule says so?

use mfa_proto::explain::{Explain, ExplainAnswer, Explanation, RuleRef};
use mfa_proto::{ErrorAnswer, Peer};

use super::{begin, unavailable};
use crate::caller::{self, Standing};
use crate::daemon::Daemon;
use crate::policy::due;
use crate::policy::rule::Terms;

pub(super) async fn explain(
    daemon: &Daemon,
    peer: Peer,
    Explain { user, origin }: Explain,
) -> Result<ExplainAnswer, ErrorAnswer> {
    match caller::standing(peer, &user, &daemon.settings().config.admin_group).await {
        Standing::Root | Standing::Admin | Standing::Own => {}
        Standing::Stranger => return Err(caller::not_permitted()),
    }
    let rule =
        daemon.rule_for(&user, &origin).await.map_err(|error| unavailable(&error, "explain"))?;
    let terms = rule.as_ref().map_or(&Terms::PLAIN, |rule| &rule.terms);
    let now = daemon.now_for(terms).map_err(|error| unavailable(&error, "explain"))?;
    let record = daemon.store.get(&user).map_err(|error| unavailable(&error, "explain"))?;
    // As for a login program, which runs as root, whoever asks.
    let grace = begin::grace(daemon, &user, &origin, terms);
    let rules = daemon.login_rules().lockout;
    let outcome = due::outcome(record.as_ref(), terms, &rules, &origin.service, grace, now);
    let enrollment = terms.enrollment.unwrap_or(daemon.settings().config.token.enrollment);
    Ok(ExplainAnswer::Explanation(Explanation {
        outcome,
        rule: rule.as_ref().map(|rule| RuleRef { line: rule.line, name: rule.name.clone() }),
        observe: terms.observe,
        unavailable_ignored: terms.ignore_unavailable,
        enrollment: enrollment.as_str().to_owned(),
        enroll_from: terms.enroll_from,
        enroll_until: terms.enroll_until,
        exempt_until: terms.exempt_until,
        grace_seconds: terms.grace.as_ref().map(|grace| grace.seconds),
        grace_for: terms.grace.as_ref().map(|grace| grace.ties.clone()).unwrap_or_default(),
    }))
}
