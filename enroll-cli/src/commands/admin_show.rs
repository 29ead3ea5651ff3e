// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa admin show`: a user's status and the last entries of the trail about the user.
//!
//! JSON: the object of `mfa status --json` with `"events":[…]`, the objects of `mfa admin audit --json`.

use std::collections::VecDeque;

use jiff::tz::TimeZone;
use mfa_proto::UserName;
use mfa_proto::audit::{AdminAudit, AuditEvent};
use mfa_proto::status::UserStatus;
use serde::Serialize;

use super::admin_audit::{self, Pages};
use crate::console::Console;
use crate::daemon::Daemon;
use crate::failure::{Exit, Failure};
use crate::messages;

/// Entries that are shown.
const LAST: usize = 10;

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    status: &'a UserStatus,
    events: &'a VecDeque<AuditEvent>,
}

pub(super) fn run(
    user: &UserName,
    daemon: &Daemon,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let status = daemon.status(user)?;
    let mut connection = daemon.connect()?;
    let mut pages = Pages::new(AdminAudit { user: Some(user.clone()), ..AdminAudit::default() });
    let mut events = VecDeque::new();
    while let Some(page) = pages.next(&mut connection)? {
        events.extend(page);
        events.drain(..events.len().saturating_sub(LAST));
    }
    if console.json() {
        console.object(&Shown { status: &status, events: &events })?;
        return Ok(Exit::Done);
    }
    let zone = TimeZone::system();
    console.result(&messages::status::describe(&status, &zone, console.columns()))?;
    if !events.is_empty() {
        let mut table = admin_audit::table().within(console.columns());
        for event in &events {
            table.push(admin_audit::row(event, &zone));
        }
        console.result(&format!("\n{}\n{}", messages::LAST_ENTRIES, table.render()))?;
    }
    console.explain(&messages::explain_shows(user.as_str()))?;
    Ok(Exit::Done)
}
