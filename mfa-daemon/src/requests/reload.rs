// SPDX-License-Identifier: GPL-3.0-or-later
//! `admin_reload`: a new configuration, or the old one and what is wrong with the new.

use mfa_proto::admin::AdminAnswer;
use mfa_proto::{ErrorAnswer, Peer};

use super::conflict;
use crate::caller;
use crate::daemon::Daemon;
use crate::messages::refusals;

/// Characters of a mistake that are told: it may quote what stands in the file.
const MISTAKE_MAX: usize = 2_000;

pub(super) async fn reload(daemon: &Daemon, peer: Peer) -> Result<AdminAnswer, ErrorAnswer> {
    if !caller::is_admin(peer, &daemon.settings().config.admin_group).await {
        return Err(caller::not_permitted());
    }
    match daemon.reload(peer).await {
        Ok(reloaded) => {
            let needs_restart = reloaded.waiting.into_iter().map(str::to_owned).collect();
            Ok(AdminAnswer::Reloaded { needs_restart })
        }
        Err(error) => {
            let mistake: String = error.to_string().chars().take(MISTAKE_MAX).collect();
            Err(conflict(refusals::not_reloaded(&mistake)))
        }
    }
}
