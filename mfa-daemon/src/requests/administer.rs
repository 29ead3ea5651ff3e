// SPDX-License-Identifier: GPL-3.0-or-later
//! `admin_list` and `admin_unlock`.

use mfa_proto::admin::{AdminAnswer, AdminList};
use mfa_proto::audit::{Act, ActResult};
use mfa_proto::{ErrorAnswer, FRAME_MAX, Peer, UserName};
use tracing::error;

use super::status::{damaged, describe};
use super::{conflict, unavailable};
use crate::audit::Event;
use crate::caller;
use crate::daemon::Daemon;
use crate::messages::refusals;
use crate::policy::code;
use crate::policy::record::Record;
use crate::store::{Change, Step};

/// The most users of a page, whatever is asked for: four tokens each still fit a frame's reader.
const PAGE_MAX: u16 = 200;

pub(super) async fn list(
    daemon: &Daemon,
    peer: Peer,
    list: AdminList,
) -> Result<AdminAnswer, ErrorAnswer> {
    if !caller::is_admin(peer, &daemon.settings().config.admin_group).await {
        return Err(caller::not_permitted());
    }
    let limit = list.limit.clamp(1, PAGE_MAX);
    let (mut users, mut size, mut after) = (Vec::new(), 0, list.after);
    // Rows that are nobody's do not make a page shorter: an empty one would be the last.
    loop {
        let rows = daemon
            .store
            .list(after.as_ref(), limit)
            .map_err(|error| unavailable(&error, "admin_list"))?;
        let is_last = rows.len() < usize::from(limit);
        let before = after.clone();
        for (name, record) in rows {
            let Ok(user) = UserName::new(name.as_str()) else {
                error!(name, "the store has a row that is no user name");
                continue;
            };
            let shown = match record {
                Ok(record) => {
                    let now = (daemon.clock)();
                    is_known(&record, now).then(|| describe(daemon, user.clone(), &record))
                }
                Err(error) => {
                    error!(%user, %error, "listed as damaged");
                    Some(damaged(user.clone()))
                }
            };
            if let Some(shown) = shown {
                size += serde_json::to_vec(&shown).map_or(FRAME_MAX, |text| text.len() + 1);
                if size > FRAME_MAX - 256 || users.len() == usize::from(limit) {
                    return Ok(AdminAnswer::Users { users, more: true });
                }
                users.push(shown);
            }
            after = Some(user);
        }
        if is_last || after == before {
            return Ok(AdminAnswer::Users { users, more: false });
        }
    }
}

/// Whether there is anything of a user; a code that has ended is nothing.
fn is_known(record: &Record, now: u64) -> bool {
    !record.tokens.is_empty()
        || record.bypasses.iter().any(|bypass| now < bypass.until && bypass.uses_left > 0)
        || record.invite.as_ref().is_some_and(|invite| now < invite.until)
}

pub(super) async fn unlock(
    daemon: &Daemon,
    peer: Peer,
    user: UserName,
) -> Result<AdminAnswer, ErrorAnswer> {
    if !caller::is_admin(peer, &daemon.settings().config.admin_group).await {
        return Err(caller::not_permitted());
    }
    let (now, skew) = ((daemon.clock)(), daemon.login_rules().skew);
    let event = Event::new(Act::Unlock, ActResult::Done, peer, now).of(&user);
    let known = daemon
        .store
        .act(user.clone(), move |record| match record {
            Some(mut record) => {
                let event = event.figure("failures", record.lockout.failures);
                record.lockout.reset();
                for token in &mut record.tokens {
                    code::catch_up(token, now, skew);
                }
                Step { change: Change::to(record), event: Some(event), answer: true }
            }
            None => Step { change: Change::Keep, event: None, answer: false },
        })
        .await
        .map_err(|error| unavailable(&error, "admin_unlock"))?;
    if !known {
        return Err(conflict(refusals::not_known(&user)));
    }
    Ok(AdminAnswer::Unlocked {})
}
