// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa status --end-grace` and `mfa admin end-grace`. JSON: `{"user":…,"graces_ended":…}`.

use mfa_proto::status::StatusAnswer;
use mfa_proto::{Request, UserName};
use serde::Serialize;

use crate::console::Console;
use crate::daemon::Daemon;
use crate::failure::{Exit, Failure};
use crate::messages;

#[derive(Serialize)]
struct GraceEnded<'a> {
    user: &'a UserName,
    graces_ended: u32,
}

pub(super) fn run(
    user: &UserName,
    daemon: &Daemon,
    console: &mut Console,
) -> Result<Exit, Failure> {
    match daemon.connect()?.status(&Request::EndGrace { user: user.clone() })? {
        StatusAnswer::GraceEnded { ended } if console.json() => {
            console.object(&GraceEnded { user, graces_ended: ended })?;
        }
        StatusAnswer::GraceEnded { ended } => {
            console.explain(&messages::grace_ended(user.as_str(), ended))?;
        }
        _ => return Err(Failure::OtherAnswer { to: "end_grace" }),
    }
    Ok(Exit::Done)
}
