// SPDX-License-Identifier: GPL-3.0-or-later
//! `end_grace`: ask again at once.

use mfa_proto::status::StatusAnswer;
use mfa_proto::{ErrorAnswer, Peer, UserName};
use tracing::warn;

use crate::caller::{self, Standing};
use crate::daemon::Daemon;

pub(super) async fn end(
    daemon: &Daemon,
    peer: Peer,
    user: UserName,
) -> Result<StatusAnswer, ErrorAnswer> {
    match caller::standing(peer, &user, &daemon.settings().config.admin_group).await {
        Standing::Root | Standing::Admin | Standing::Own => {}
        Standing::Stranger => return Err(caller::not_permitted()),
    }
    let ended = daemon.end_grace(&user);
    warn!(%user, ended, peer_uid = peer.uid, peer_pid = peer.pid, "grace ended");
    Ok(StatusAnswer::GraceEnded { ended })
}
