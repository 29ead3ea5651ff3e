// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa status`.
//!
//! JSON: `{"user":…,"tokens":[{"name":…,"moving":"totp"|"hotp","algorithm":…,"digits":…,"period":…,
//! "created":…,"last_used":…,"clock_offset":…,"rotation_due":true}],"failures":…,"last_failure":
//! {"at":…,"from":…},"locked_seconds":…,"locked_hard":…,"recovery_codes_left":…,"bypasses":[{"until":…,
//! "uses_left":…,"service":…}],"invited_until":…,"graces":[{"service":…,"tie":…,"value":…,
//! "seconds_left":…}]}`, times in Unix seconds; what does not hold is absent.

use jiff::tz::TimeZone;

use crate::arguments::Status;
use crate::console::Console;
use crate::daemon::Daemon;
use crate::failure::{Exit, Failure};
use crate::messages;

pub(super) fn run(
    arguments: &Status,
    daemon: &Daemon,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let user = super::user(&arguments.of)?;
    if arguments.end_grace {
        return super::end_grace::run(&user, daemon, console);
    }
    let status = daemon.status(&user)?;
    if console.json() {
        console.object(&status)?;
    } else {
        console.result(&messages::status::describe(
            &status,
            &TimeZone::system(),
            console.columns(),
        ))?;
        console.explain(&messages::explain_shows(user.as_str()))?;
    }
    Ok(Exit::Done)
}
