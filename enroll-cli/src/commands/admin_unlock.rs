// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa admin unlock`. JSON: `{"user":…,"unlocked":true}`.

use mfa_proto::admin::AdminAnswer;
use mfa_proto::{Request, UserName};
use serde::Serialize;

use crate::console::Console;
use crate::daemon::{Daemon, PATIENCE};
use crate::failure::{Exit, Failure};
use crate::messages;

#[derive(Serialize)]
struct Unlocked<'a> {
    user: &'a UserName,
    unlocked: bool,
}

pub(super) fn run(
    user: &UserName,
    daemon: &Daemon,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let request = Request::AdminUnlock { user: user.clone() };
    match daemon.connect()?.admin(&request, PATIENCE)? {
        AdminAnswer::Unlocked {} if console.json() => {
            console.object(&Unlocked { user, unlocked: true })?;
        }
        AdminAnswer::Unlocked {} => console.explain(&messages::unlocked(user.as_str()))?,
        _ => return Err(Failure::OtherAnswer { to: "admin_unlock" }),
    }
    Ok(Exit::Done)
}
