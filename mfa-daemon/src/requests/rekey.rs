// SPDX-License-Identifier: GPL-3.0-or-later
//! `admin_rekey`: a new master key, and how far it has come.

use std::sync::Arc;

use mfa_proto::rekey::{AdminRekey, RekeyAnswer};
use mfa_proto::{ErrorAnswer, Peer};

use super::{conflict, unavailable};
use crate::caller;
use crate::daemon::Daemon;
use crate::rekey::RekeyError;

pub(super) async fn rekey(
    daemon: &Arc<Daemon>,
    peer: Peer,
    AdminRekey { begin }: AdminRekey,
) -> Result<RekeyAnswer, ErrorAnswer> {
    if !caller::is_root(peer) {
        return Err(caller::not_permitted());
    }
    if begin {
        daemon.begin_rekey(peer).await.map_err(|error| match error {
            RekeyError::Credential | RekeyError::Busy => conflict(error.to_string()),
            RekeyError::Store(error) => unavailable(&error, "admin_rekey"),
        })?;
    }
    Ok(RekeyAnswer::Rekey(daemon.rekeyed()))
}
