// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa admin stats`.
//!
//! JSON: one object with the fields of `mfa_proto::stats::Stats`: `{"enrolled":…,"totp_tokens":…,…,
//! "hour":{"accepted":…,"denied":…,…},"day":{…}}`.

use std::time::Duration;

use crate::console::Console;
use crate::daemon::Daemon;
use crate::failure::{Exit, Failure};
use crate::messages;

/// Every record is opened, a million in some seconds, more slowly where people log in meanwhile.
const COUNTED_WITHIN: Duration = Duration::from_secs(300);

pub(super) fn run(daemon: &Daemon, console: &mut Console) -> Result<Exit, Failure> {
    let stats = daemon.connect()?.stats(COUNTED_WITHIN)?;
    if console.json() {
        console.object(&stats)?;
    } else {
        console.result(&messages::stats::describe(&stats))?;
    }
    Ok(Exit::Done)
}
