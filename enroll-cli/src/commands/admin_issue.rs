// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa admin bypass` and `mfa admin invite`: codes that are handed to a user by other means.
//!
//! JSON: `{"user":…,"code":…,"until":…}`, the time in Unix seconds.

use jiff::tz::TimeZone;
use mfa_proto::admin::{AdminAnswer, AdminBypass, AdminInvite};
use mfa_proto::{Request, TypedCode, UserName};
use serde::Serialize;

use crate::arguments::{Bypass, Invite};
use crate::clock;
use crate::console::Console;
use crate::daemon::{Daemon, PATIENCE};
use crate::failure::{Exit, Failure};
use crate::messages;

#[derive(Serialize)]
struct Issued<'a> {
    user: &'a UserName,
    code: &'a TypedCode,
    until: u64,
}

pub(super) fn bypass(
    arguments: Bypass,
    daemon: &Daemon,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let Bypass { user, validity, uses, service } = arguments;
    let what = messages::bypass(user.as_str(), uses, service.as_deref());
    let request = Request::AdminBypass(AdminBypass {
        user: user.clone(),
        seconds: validity.seconds(),
        uses,
        service,
    });
    issue(&request, "admin_bypass", &user, &what, daemon, console)
}

pub(super) fn invite(
    arguments: Invite,
    daemon: &Daemon,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let Invite { user, validity } = arguments;
    let what = messages::invite(user.as_str());
    let request =
        Request::AdminInvite(AdminInvite { user: user.clone(), seconds: validity.seconds() });
    issue(&request, "admin_invite", &user, &what, daemon, console)
}

fn issue(
    request: &Request,
    to: &'static str,
    user: &UserName,
    what: &str,
    daemon: &Daemon,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let AdminAnswer::Issued { code, until } = daemon.connect()?.admin(request, PATIENCE)? else {
        return Err(Failure::OtherAnswer { to });
    };
    if console.json() {
        console.object(&Issued { user, code: &code, until })?;
        return Ok(Exit::Done);
    }
    console.explain(what)?;
    console.result(code.as_str())?;
    console.explain(&messages::issued(&clock::local(until, &TimeZone::system())))?;
    Ok(Exit::Done)
}
