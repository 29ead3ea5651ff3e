// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa revoke`. JSON: `{"user":…,"token":…,"tokens_left":…}`.

use mfa_proto::status::{Revoke, StatusAnswer};
use mfa_proto::{Request, TypedCode, UserName};
use serde::Serialize;

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
        None => only_token(daemon, &user)?,
    };
    let left = with_code(daemon, console, &user, &name)?;
    if console.json() {
        console.object(&Revoked { user: &user, token: &name, tokens_left: left })?;
    } else {
        console.explain(&messages::revoked(&name, left))?;
    }
    Ok(Exit::Done)
}

/// The token that is meant where none is named: the only one.
fn only_token(daemon: &Daemon, user: &UserName) -> Result<String, Failure> {
    let tokens = daemon.status(user)?.tokens;
    let mut names: Vec<String> = tokens.into_iter().map(|token| token.name).collect();
    match (names.pop(), names.is_empty()) {
        (None, _) => Err(Failure::NoToken(user.clone())),
        (Some(name), true) => Ok(name),
        (Some(name), false) => {
            names.push(name);
            Err(Failure::SeveralTokens { user: user.clone(), names })
        }
    }
}

/// Asks for a current code where the daemon wants one.
fn with_code(
    daemon: &Daemon,
    console: &mut Console,
    user: &UserName,
    name: &str,
) -> Result<u8, Failure> {
    let mut refused = match revoke(daemon, user, name, None) {
        Err(failure) if failure.asks_for_a_code() => failure,
        settled => return settled,
    };
    for _ in 0..super::TRIES {
        let code = console.ask_hidden(messages::ASK_CURRENT)?;
        match revoke(daemon, user, name, Some(code)) {
            Err(failure) if failure.asks_for_a_code() && console.can_ask() => {
                console.note(messages::WRONG_CURRENT);
                refused = failure;
            }
            settled => return settled,
        }
    }
    Err(refused)
}

fn revoke(
    daemon: &Daemon,
    user: &UserName,
    name: &str,
    code: Option<TypedCode>,
) -> Result<u8, Failure> {
    let request = Request::Revoke(Revoke { user: user.clone(), name: name.to_owned(), code });
    match daemon.connect()?.status(&request)? {
        StatusAnswer::Revoked { left } => Ok(left),
        _ => Err(Failure::OtherAnswer { to: "revoke" }),
    }
}
