// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa admin reset`. JSON: `{"user":…,"reset":true}`.

use mfa_proto::admin::AdminAnswer;
use mfa_proto::{Request, UserName};
use serde::Serialize;

use crate::console::Console;
use crate::daemon::{Daemon, PATIENCE};
use crate::failure::{Exit, Failure};
use crate::messages;

#[derive(Serialize)]
struct Reset<'a> {
    user: &'a UserName,
    reset: bool,
}

pub(super) fn run(
    user: &UserName,
    yes: bool,
    daemon: &Daemon,
    console: &mut Console,
) -> Result<Exit, Failure> {
    if !yes {
        console.confirm(&messages::reset_asks(user.as_str()))?;
    }
    let request = Request::AdminReset { user: user.clone() };
    match daemon.connect()?.admin(&request, PATIENCE)? {
        AdminAnswer::Reset {} if console.json() => console.object(&Reset { user, reset: true })?,
        AdminAnswer::Reset {} => console.explain(&messages::reset(user.as_str()))?,
        _ => return Err(Failure::OtherAnswer { to: "admin_reset" }),
    }
    Ok(Exit::Done)
}
