// SPDX-License-Identifier: GPL-3.0-or-later
//! `admin_stats`: how many there are of what. Opens every row, apart and with rests.

use std::sync::Arc;

use mfa_proto::audit::{Act, ActResult, AuditEvent};
use mfa_proto::stats::{Decisions, Stats, StatsAnswer};
use mfa_proto::{ErrorAnswer, Peer};

use super::unavailable;
use crate::caller;
use crate::daemon::Daemon;
use crate::policy::due;
use crate::policy::lockout::{Lock, LockoutRules};
use crate::policy::record::{Factor, Record};
use crate::store::{AUDIT_ENTRIES, AuditQuery, StoreError};

const HOUR: u64 = 3600;
const DAY: u64 = 86_400;

pub(super) async fn stats(daemon: &Arc<Daemon>, peer: Peer) -> Result<StatsAnswer, ErrorAnswer> {
    if !caller::is_admin(peer, &daemon.settings().config.admin_group).await {
        return Err(caller::not_permitted());
    }
    let daemon = Arc::clone(daemon);
    tokio::task::spawn_blocking(move || collect(&daemon))
        .await
        .map_err(|error| unavailable(&error, "admin_stats"))?
        .map(StatsAnswer::Stats)
        .map_err(|error| unavailable(&error, "admin_stats"))
}

fn collect(daemon: &Daemon) -> Result<Stats, StoreError> {
    let now = (daemon.clock)();
    let rules = daemon.login_rules().lockout;
    let max_age_days = daemon.settings().config.token.max_age_days.get();
    let mut stats = Stats::default();
    let goes_on = || daemon.metrics.census.goes_on();
    daemon.store.each(goes_on, |record| count(&mut stats, record, max_age_days, &rules, now))?;
    let query = AuditQuery { limit: u16::MAX, ..AuditQuery::default() };
    let (events, last) = daemon.store.events(&query)?;
    // What was overwritten may have been of that time, unless something older was not.
    let overwritten = last > u64::from(AUDIT_ENTRIES);
    let of = |seconds| {
        let since = now.saturating_sub(seconds);
        let reaches = events.first().is_some_and(|event| event.time < since);
        Decisions { incomplete: overwritten && !reaches, ..decisions(&events, since) }
    };
    (stats.hour, stats.day) = (of(HOUR), of(DAY));
    Ok(stats)
}

fn count(
    stats: &mut Stats,
    record: Result<Record, StoreError>,
    max_age_days: u64,
    rules: &LockoutRules,
    now: u64,
) {
    let Ok(mut record) = record else {
        stats.damaged += 1;
        return;
    };
    let bypassed = record.bypasses.iter().any(|bypass| now < bypass.until && bypass.uses_left > 0);
    let invited = record.invite.as_ref().is_some_and(|invite| now < invite.until);
    stats.bypassed += u64::from(bypassed);
    stats.invited += u64::from(invited);
    if record.tokens.is_empty() {
        stats.unenrolled += u64::from(bypassed || invited);
    } else {
        stats.enrolled += 1;
        stats.without_recovery_codes += u64::from(record.recovery.is_empty());
    }
    match record.lockout.lock_at(now, rules) {
        Lock::Open => {}
        Lock::Wait(_) => stats.locked += 1,
        Lock::Hard => stats.locked_hard += 1,
    }
    for token in &record.tokens {
        match token.factor {
            Factor::Totp { .. } => stats.totp_tokens += 1,
            Factor::Hotp { .. } => stats.hotp_tokens += 1,
        }
        stats.rotations_due += u64::from(due::is_old(token, max_age_days, now));
    }
}

fn decisions(events: &[AuditEvent], since: u64) -> Decisions {
    let mut counted = Decisions::default();
    for event in events.iter().filter(|event| event.time >= since) {
        counted.warnings += u64::from(event.warning);
        let of_result = match event.result {
            _ if event.act != Act::Login => continue,
            ActResult::Accepted => &mut counted.accepted,
            ActResult::Denied => &mut counted.denied,
            ActResult::Granted => &mut counted.granted,
            ActResult::Skipped => &mut counted.skipped,
            ActResult::Ignored => &mut counted.ignored,
            ActResult::Done => continue,
        };
        *of_result += 1;
    }
    counted
}
