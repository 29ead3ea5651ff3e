// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa revoke`. JSON: `{"user":…,"token":…,"tokens_left":…}`.

use mfa_proto::status::{Revoke, StatusAnswer};
use mfa_proto::{Request, UserName};
use serde::Serialize;

use super::proof;
use crate::arguments;
use crate::console::Console;
use crate::daemon::Daemon;
use crate::failure::{Exit, Failure};
use crate::messages;

#[derive(Serialize)]
struct Revoked<'a> {
    user: &'a UserName,
    token: &'a str,
    tokens_left: u8,
}

pub(super) fn run(
    arguments: arguments::Revoke,
    daemon: &Daemon,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let user = super::user(&arguments.of)?;
    let name = match arguments.name {
        Some(name) => name,
        None => super::token(daemon, &user, None)?.name,
    };
    let left = proof::with_current_code(console, |code| {
        let request = Request::Revoke(Revoke { user: user.clone(), name: name.clone(), code });
        match daemon.connect()?.status(&request)? {
            StatusAnswer::Revoked { left } => Ok(left),
            _ => Err(Failure::OtherAnswer { to: "revoke" }),
        }
    })?;
    if console.json() {
        console.object(&Revoked { user: &user, token: &name, tokens_left: left })?;
    } else {
        console.explain(&messages::revoked(&name, left))?;
    }
    Ok(Exit::Done)
}
