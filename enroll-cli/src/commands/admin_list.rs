// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa admin list`, page by page, so that a million users need no more memory than a page.
//!
//! JSON: one object a line and user, the same as `mfa status --json`.

use jiff::tz::TimeZone;
use mfa_proto::Request;
use mfa_proto::admin::{AdminAnswer, AdminList};
use mfa_proto::status::UserStatus;

use super::status::lock;
use crate::clock;
use crate::console::Console;
use crate::daemon::{Daemon, PATIENCE};
use crate::failure::{Exit, Failure};
use crate::messages;
use crate::table::Table;

/// Users of a page; the daemon sends fewer where they do not fit a frame.
const PAGE: u16 = 200;

pub(super) fn run(daemon: &Daemon, console: &mut Console) -> Result<Exit, Failure> {
    let zone = TimeZone::system();
    let mut connection = daemon.connect()?;
    let mut after = None;
    loop {
        let is_first = after.is_none();
        let request = Request::AdminList(AdminList { after: after.take(), limit: PAGE });
        let AdminAnswer::Users { users, more } = connection.admin(&request, PATIENCE)? else {
            return Err(Failure::OtherAnswer { to: "admin_list" });
        };
        match (console.json(), users.is_empty()) {
            (true, _) => users.iter().try_for_each(|user| console.object(user))?,
            (false, true) if is_first => console.note(messages::NOBODY),
            (false, true) => {}
            (false, false) => console.result(&page(&users, is_first, &zone))?,
        }
        after = users.into_iter().next_back().map(|user| user.user);
        // A page without users would be asked for again and again.
        if !more || after.is_none() {
            return Ok(Exit::Done);
        }
    }
}

fn page(users: &[UserStatus], with_heading: bool, zone: &TimeZone) -> String {
    let mut table = Table::new(["USER", "TOKENS", "FAILURES", "LOCKED", "LAST USED"]);
    for user in users {
        let last = user.tokens.iter().filter_map(|token| token.last_used).max();
        table.push([
            user.user.to_string(),
            user.tokens.len().to_string(),
            user.failures.to_string(),
            lock(user).unwrap_or_else(|| "no".to_owned()),
            last.map_or_else(|| "never".to_owned(), |time| clock::local(time, zone)),
        ]);
    }
    if with_heading { table.render() } else { table.render_further() }
}
