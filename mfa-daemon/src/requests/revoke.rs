// SPDX-License-Identifier: GPL-3.0-or-later
//! `revoke`: removes a token.

use std::sync::{Arc, PoisonError};

use mfa_proto::audit::{Act, ActResult};
use mfa_proto::status::{Revoke, StatusAnswer};
use mfa_proto::{ErrorAnswer, Peer};

use super::{conflict, current_code, unavailable};
use crate::audit::Event;
use crate::caller::{self, Standing};
use crate::daemon::{Daemon, command};
use crate::messages::refusals;
use crate::policy::record::Record;
use crate::store::{Change, Step};

pub(super) async fn revoke(
    daemon: &Daemon,
    peer: Peer,
    revoke: Revoke,
) -> Result<StatusAnswer, ErrorAnswer> {
    let Revoke { user, name, code } = revoke;
    match caller::standing(peer, &user, &daemon.settings().config.admin_group).await {
        Standing::Root | Standing::Admin => {}
        Standing::Own => current_code::require(daemon, &user, code, &command(), peer).await?,
        Standing::Stranger => return Err(caller::not_permitted()),
    }
    let (all, owner, wanted) = (Arc::clone(&daemon.pending), user.clone(), name.clone());
    let event = Event::new(Act::Revoke, ActResult::Done, peer, (daemon.clock)());
    let event = event.of(&user).token(&name);
    let left = daemon
        .store
        .act(user.clone(), move |record| {
            let (change, left) = remove(record, &wanted);
            if left.is_some() {
                // Whoever has begun an enrolment with a code of that token begins again. Here, where
                // changes have their turn, no first code can come between.
                all.lock().unwrap_or_else(PoisonError::into_inner).forget(&owner);
            }
            let event = left.map(|left| event.figure("tokens_left", left));
            Step { change, event, answer: left }
        })
        .await
        .map_err(|error| unavailable(&error, "revoke"))?;
    let Some(left) = left else {
        return Err(conflict(refusals::no_such_token(&user, format_args!("{name:?}"))));
    };
    daemon.end_grace(&user);
    Ok(StatusAnswer::Revoked { left })
}

/// Removes the token, and with the last one what would otherwise outlive it: recovery codes, and the
/// invite that it was made with. A bypass code stays: it is made for those who have lost their token.
fn remove(record: Option<Record>, name: &str) -> (Change, Option<u8>) {
    let Some(mut record) = record else { return (Change::Keep, None) };
    let before = record.tokens.len();
    record.tokens.retain(|token| token.name != name);
    if record.tokens.len() == before {
        return (Change::Keep, None);
    }
    let left = record.tokens.len();
    if left == 0 {
        record.recovery.clear();
        record.invite = None;
    }
    (Change::to(record), Some(u8::try_from(left).unwrap_or(u8::MAX)))
}
