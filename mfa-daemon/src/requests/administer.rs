// SPDX-License-Identifier: GPL-3.0-or-later
//! `admin_list` and `admin_unlock`.

use mfa_proto::admin::{AdminAnswer, AdminList};
use mfa_proto::audit::{Act, ActResult};
use mfa_proto::{ErrorAnswer, FRAME_MAX, Peer, UserName};
use tracing::error;

use super::status::describe;
use super::{conflict, unavailable};
use crate::audit::Event;
use crate::caller;
use crate::daemon::Daemon;
use crate::policy::code;
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
    let rows = daemon
        .store
        .list(list.after.as_ref(), limit)
        .map_err(|error| unavailable(&error, "admin_list"))?;
    let mut more = rows.len() == usize::from(limit);
    let mut users = Vec::with_capacity(rows.len());
    let mut size = 0;
    for (name, record) in rows {
        let Ok(user) = UserName::new(name.as_str()) else {
            error!(name, "the store has a row that is no user name");
            continue;
        };
        let record = record.unwrap_or_else(|error| {
            error!(%user, %error, "listed without its tokens");
            crate::policy::record::Record::default()
        });
        let user = describe(daemon, user, &record);
        size += serde_json::to_vec(&user).map_or(FRAME_MAX, |text| text.len() + 1);
        if size > FRAME_MAX - 256 {
            more = true;
            break;
        }
        users.push(user);
    }
    Ok(AdminAnswer::Users { users, more })
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
                record.held.clear();
                for token in &mut record.tokens {
                    token.factor = code::caught_up(token, now, skew);
                }
                Step { change: Change::to(record), event: Some(event), answer: true }
            }
            None => Step { change: Change::Keep, event: None, answer: false },
        })
        .await
        .map_err(|error| unavailable(&error, "admin_unlock"))?;
    if !known {
        return Err(conflict(format!(
            "{user} has no second factor here; mfa admin list shows who has"
        )));
    }
    Ok(AdminAnswer::Unlocked {})
}
