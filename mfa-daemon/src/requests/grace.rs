// SPDX-License-Identifier: GPL-3.0-or-later
//! `end_grace`: ask again at once.

use mfa_proto::audit::{Act, ActResult};
use mfa_proto::status::StatusAnswer;
use mfa_proto::{ErrorAnswer, Peer, UserName};

use crate::audit::Event;
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
    if ended > 0 {
        let event = Event::new(Act::EndGrace, ActResult::Done, peer, (daemon.clock)());
        // What asks more often needs no store: it holds, and where the trail cannot be written, the log
        // tells of it alone.
        let _ = daemon.store.note(event.of(&user).figure("ended", ended)).await;
    }
    Ok(StatusAnswer::GraceEnded { ended })
}
