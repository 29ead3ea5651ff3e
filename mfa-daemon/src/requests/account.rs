// SPDX-License-Identifier: GPL-3.0-or-later
//! `account`: is an enrolment or a rotation due for this user?

use std::error::Error;

use mfa_proto::account::{Account, AccountAnswer};
use mfa_proto::{ErrorAnswer, Peer};

use super::{begin, unavailable};
use crate::caller;
use crate::config::Enrollment;
use crate::daemon::Daemon;
use crate::policy::due;
use crate::policy::record::Record;
use crate::policy::rule::Terms;

pub(super) async fn account(
    daemon: &Daemon,
    peer: Peer,
    Account { user, origin }: Account,
) -> Result<AccountAnswer, ErrorAnswer> {
    if !caller::may_log_in(peer, &user).await {
        return Err(caller::not_permitted());
    }
    // A screen locker cannot do what would be due: only root may make a token inside a login.
    if !caller::is_root(peer) {
        return Ok(AccountAnswer::NothingDue {});
    }
    let attempted = begin::attempted(daemon, &user, &origin, peer);
    let terms = match daemon.terms_for(&user, &origin).await {
        Ok(terms) => terms,
        Err(error) => {
            unavailable(&error, "account");
            return Ok(AccountAnswer::Unavailable {
                ignore: begin::undecided(daemon, None, &attempted),
            });
        }
    };
    let unavailable = |error: &(dyn Error + 'static)| {
        unavailable(error, "account");
        AccountAnswer::Unavailable { ignore: begin::undecided(daemon, Some(&terms), &attempted) }
    };
    let now = match daemon.now() {
        Ok(now) => now,
        Err(error) => return Ok(unavailable(&error)),
    };
    match daemon.store.get(&user) {
        Ok(record) => Ok(due(daemon, record.as_ref(), &terms, now)),
        // Nothing is ever due there, whatever the store holds.
        Err(_) if terms.is_exempt(now) || terms.observe => Ok(AccountAnswer::NothingDue {}),
        Err(error) => Ok(unavailable(&error)),
    }
}

fn due(daemon: &Daemon, record: Option<&Record>, terms: &Terms, now: u64) -> AccountAnswer {
    let token = &daemon.settings().config.token;
    if let Some(enrollment) = due::enrollment(record, terms, token.enrollment, now) {
        return AccountAnswer::EnrollmentDue { invite: enrollment == Enrollment::Invite };
    }
    record
        .filter(|_| !terms.is_exempt(now) && !terms.observe)
        .and_then(|record| due::rotation(record, token.max_age_days.get(), now))
        .map_or(AccountAnswer::NothingDue {}, |token| AccountAnswer::RotationDue {
            token: token.name.clone(),
        })
}
