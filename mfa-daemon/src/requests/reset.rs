// SPDX-License-Identifier: GPL-3.0-or-later
//! `admin_reset`: removes everything of a user, also where it cannot be read.

use std::sync::PoisonError;

use mfa_proto::admin::AdminAnswer;
use mfa_proto::audit::{Act, ActResult};
use mfa_proto::{ErrorAnswer, Peer, UserName};

use super::{conflict, unavailable};
use crate::audit::Event;
use crate::caller;
use crate::daemon::Daemon;
use crate::messages::refusals;

pub(super) async fn reset(
    daemon: &Daemon,
    peer: Peer,
    user: UserName,
) -> Result<AdminAnswer, ErrorAnswer> {
    if !caller::is_admin(peer, &daemon.settings().config.admin_group).await {
        return Err(caller::not_permitted());
    }
    // Before and after: whoever has begun an enrolment with a code of what goes now begins again.
    let forget = || daemon.pending.lock().unwrap_or_else(PoisonError::into_inner).forget(&user);
    forget();
    let event = Event::new(Act::Reset, ActResult::Done, peer, (daemon.clock)()).of(&user).warning();
    let known = daemon
        .store
        .erase(user.clone(), event)
        .await
        .map_err(|error| unavailable(&error, "admin_reset"))?;
    forget();
    daemon.end_grace(&user);
    if !known {
        return Err(conflict(refusals::not_known(&user)));
    }
    Ok(AdminAnswer::Reset {})
}
