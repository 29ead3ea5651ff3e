// SPDX-License-Identifier: GPL-3.0-or-later
//! `admin_check`: whether everything in the store can be read.

use std::sync::Arc;

use mfa_proto::audit::{Act, ActResult};
use mfa_proto::keep::KeepAnswer;
use mfa_proto::{ErrorAnswer, FRAME_MAX, Peer};

use super::unavailable;
use crate::audit::Event;
use crate::caller;
use crate::daemon::Daemon;

pub(super) async fn check(daemon: &Arc<Daemon>, peer: Peer) -> Result<KeepAnswer, ErrorAnswer> {
    if !caller::is_root(peer) {
        return Err(caller::not_permitted());
    }
    let mut checked =
        daemon.look_at_all().await.map_err(|error| unavailable(&error, "admin_check"))?;
    let event = Event::new(Act::Check, ActResult::Done, peer, (daemon.clock)())
        .figure("users", checked.users)
        .figure("damaged", checked.damaged)
        .figure("faults", checked.faults.len());
    let event = if checked.is_sound() { event } else { event.warning() };
    // It is told even where it cannot be written any more.
    let _ = daemon.store.note(event).await;
    let fits = |checked: &mfa_proto::keep::Checked| {
        serde_json::to_vec(checked).is_ok_and(|text| text.len() < FRAME_MAX - 256)
    };
    while !fits(&checked) && checked.names.pop().is_some() {}
    Ok(KeepAnswer::Checked(checked))
}
