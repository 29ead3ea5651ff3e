// SPDX-License-Identifier: GPL-3.0-or-later
//! `admin_audit`: a page of the trail.

use std::sync::Arc;

use mfa_proto::audit::{AdminAudit, AuditAnswer};
use mfa_proto::{ErrorAnswer, FRAME_MAX, Peer};

use super::unavailable;
use crate::caller;
use crate::daemon::Daemon;
use crate::store::{AUDIT_ENTRIES, AuditQuery};

/// The most entries of a page.
const PAGE_MAX: u16 = 200;

pub(super) async fn audit(
    daemon: &Arc<Daemon>,
    peer: Peer,
    AdminAudit { after, since, user, limit }: AdminAudit,
) -> Result<AuditAnswer, ErrorAnswer> {
    if !caller::is_admin(peer, &daemon.settings().config.admin_group).await {
        return Err(caller::not_permitted());
    }
    let limit = limit.clamp(1, PAGE_MAX);
    let query = AuditQuery { after, since, user, limit };
    let daemon = Arc::clone(daemon);
    let (mut events, last) = tokio::task::spawn_blocking(move || daemon.store.events(&query))
        .await
        .map_err(|error| unavailable(&error, "admin_audit"))?
        .map_err(|error| unavailable(&error, "admin_audit"))?;
    let mut more = events.len() == usize::from(limit);
    let mut size = 0;
    let fit = events.iter().take_while(|event| {
        size += serde_json::to_vec(event).map_or(FRAME_MAX, |text| text.len() + 1);
        size < FRAME_MAX - 256
    });
    let fit = fit.count();
    if fit < events.len() {
        events.truncate(fit);
        more = true;
    }
    let first = last.saturating_sub(u64::from(AUDIT_ENTRIES)).saturating_add(1);
    Ok(AuditAnswer::Trail { events, more, first, last })
}
