// SPDX-License-Identifier: GPL-3.0-or-later
//! `begin`: is this user to be asked for a code?

use mfa_proto::login::{Begin, BeginAnswer, SkipReason};
use mfa_proto::{ErrorAnswer, Peer};

use super::unavailable;
use crate::caller;
use crate::daemon::Daemon;
use crate::policy::record::Record;

pub(super) async fn begin(
    daemon: &Daemon,
    peer: Peer,
    begin: Begin,
) -> Result<BeginAnswer, ErrorAnswer> {
    if !caller::may_log_in(peer, &begin.user).await {
        return Err(caller::not_permitted());
    }
    match daemon.store.get(&begin.user) {
        Ok(record) if record.as_ref().is_some_and(Record::has_active_token) => {
            Ok(BeginAnswer::Prompt {})
        }
        Ok(_) => Ok(BeginAnswer::Skip { reason: SkipReason::NoToken }),
        Err(error) => {
            unavailable(&error, "begin");
            Ok(BeginAnswer::Unavailable {})
        }
    }
}
