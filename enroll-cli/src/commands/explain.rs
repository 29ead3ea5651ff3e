// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa explain`: what a login would get, and the rule that decides it. Nobody logs in for it.
//!
//! JSON: the daemon's explanation, `{"outcome":{"is":…},"rule":{"line":…,"name":…},…}`.

use jiff::tz::TimeZone;
use mfa_proto::explain::Explain;
use mfa_proto::login::Origin;

use crate::arguments;
use crate::console::Console;
use crate::daemon::Daemon;
use crate::failure::{Exit, Failure};
use crate::messages;

pub(super) fn run(
    arguments: arguments::Explain,
    daemon: &Daemon,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let arguments::Explain { user, service, rhost, tty } = arguments;
    let origin = Origin { service, rhost, tty, ..Origin::default() };
    let found = daemon.explain(Explain { user: user.clone(), origin: origin.clone() })?;
    if console.json() {
        console.object(&found)?;
    } else {
        console.result(&messages::explain::describe(
            &user,
            &origin,
            &found,
            &TimeZone::system(),
        ))?;
    }
    Ok(Exit::Done)
}
