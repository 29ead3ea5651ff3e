// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa admin reload`. JSON: `{"reloaded":true,"needs_restart":["socket",…]}`.

use std::time::Duration;

use mfa_proto::Request;
use mfa_proto::admin::AdminAnswer;
use serde::Serialize;

use crate::console::Console;
use crate::daemon::Daemon;
use crate::failure::{Exit, Failure};
use crate::messages;

/// A group of 8192 bits in a PEM file is tested for minutes on a slow machine.
const CHECKED_WITHIN: Duration = Duration::from_secs(600);

#[derive(Serialize)]
struct Reloaded<'a> {
    reloaded: bool,
    needs_restart: &'a [String],
}

pub(super) fn run(daemon: &Daemon, console: &mut Console) -> Result<Exit, Failure> {
    let answer = daemon.connect()?.admin(&Request::AdminReload {}, CHECKED_WITHIN)?;
    let AdminAnswer::Reloaded { needs_restart } = answer else {
        return Err(Failure::OtherAnswer { to: "admin_reload" });
    };
    if console.json() {
        console.object(&Reloaded { reloaded: true, needs_restart: &needs_restart })?;
        return Ok(Exit::Done);
    }
    console.explain(messages::RELOADED)?;
    if !needs_restart.is_empty() {
        console.warn(&messages::needs_restart(&needs_restart));
    }
    Ok(Exit::Done)
}
