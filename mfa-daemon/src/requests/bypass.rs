// SPDX-License-Identifier: GPL-3.0-or-later
//! `admin_bypass`: a code that opens some logins of one user in place of a token's.

use std::ops::RangeInclusive;

use mfa_proto::admin::{AdminAnswer, AdminBypass};
use mfa_proto::audit::{Act, ActResult};
use mfa_proto::{ErrorAnswer, Peer};

use super::{Bounded, conflict, invite, recovery, unavailable};
use crate::audit::Event;
use crate::caller;
use crate::daemon::Daemon;
use crate::messages::refusals;
use crate::policy::record::{Bypass, Record};
use crate::store::{Change, Step};

/// How many logins one code may open.
const USES: RangeInclusive<u32> = 1..=100;

/// The longest name of a service, in bytes: it is a file name below `/etc/pam.d`.
const SERVICE_MAX: usize = 255;

pub(super) async fn bypass(
    daemon: &Daemon,
    peer: Peer,
    AdminBypass { user, seconds, uses, service }: AdminBypass,
) -> Result<AdminAnswer, ErrorAnswer> {
    if !caller::is_admin(peer, &daemon.settings().config.admin_group).await {
        return Err(caller::not_permitted());
    }
    invite::check_seconds(seconds)?;
    if !USES.contains(&uses) {
        return Err(conflict(refusals::uses(&USES, uses)));
    }
    if let Some(service) = &service {
        check_service(service)?;
    }
    let now = daemon.now().map_err(|error| unavailable(&error, "admin_bypass"))?;
    let until = now.saturating_add(seconds);
    let (code, hash) =
        recovery::one(daemon, &user).map_err(|error| unavailable(&error, "admin_bypass"))?;
    let bypass = Bypass { hash, until, uses_left: uses, service: service.clone() };
    let event = Event::new(Act::Bypass, ActResult::Done, peer, now)
        .of(&user)
        .service(service.as_deref())
        .figure("seconds", seconds)
        .figure("uses", uses)
        .warning();
    let made = daemon
        .store
        .act(user.clone(), move |record| match add(record.unwrap_or_default(), bypass, now) {
            Some(record) => Step { change: Change::Put(record), event: Some(event), answer: true },
            None => Step { change: Change::Keep, event: None, answer: false },
        })
        .await
        .map_err(|error| unavailable(&error, "admin_bypass"))?;
    if !made {
        return Err(conflict(refusals::too_many_bypasses(&user, Record::MAX_BYPASSES)));
    }
    Ok(AdminAnswer::Issued { code, until })
}

/// Adds the code where there is room; what has ended makes room.
fn add(mut record: Record, bypass: Bypass, now: u64) -> Option<Record> {
    record.bypasses.retain(|old| now < old.until && old.uses_left > 0);
    if record.bypasses.len() >= Record::MAX_BYPASSES {
        return None;
    }
    record.bypasses.push(bypass);
    Some(record)
}

fn check_service(service: &str) -> Result<(), ErrorAnswer> {
    let possible = !service.is_empty()
        && service.len() <= SERVICE_MAX
        && !service.chars().any(|c| c.is_control() || c == '/');
    if possible {
        return Ok(());
    }
    Err(conflict(refusals::not_a_service(Bounded(service))))
}
