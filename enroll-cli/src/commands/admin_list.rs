// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa admin list`, page by page, so that a million users in the order of their names need no more
//! memory than a page; other orders collect first.
//!
//! JSON: one object a line and user, the same as `mfa status --json`.

use std::cmp::Ordering;

use jiff::tz::TimeZone;
use mfa_proto::Request;
use mfa_proto::admin::{AdminAnswer, AdminList};
use mfa_proto::status::UserStatus;
use wildmatch::WildMatch;

use crate::arguments::{List, SortBy, State};
use crate::clock;
use crate::console::Console;
use crate::daemon::{Daemon, PATIENCE};
use crate::failure::{Exit, Failure};
use crate::messages;
use crate::table::Table;

/// Users of a page; the daemon sends fewer where they do not fit a frame.
const PAGE: u16 = 200;

pub(super) fn run(list: &List, daemon: &Daemon, console: &mut Console) -> Result<Exit, Failure> {
    let pattern = list.user.as_deref().map(WildMatch::new);
    let is_meant = |user: &UserStatus| {
        pattern.as_ref().is_none_or(|pattern| pattern.matches(user.user.as_str()))
            && list.state.is_none_or(|state| is(user, state))
    };
    let collects = list.sort != SortBy::Name || list.reverse;
    let mut output = Output::new(console.columns());
    let mut collected = Vec::new();
    let mut anybody = false;
    each_page(daemon, |mut users| {
        anybody |= !users.is_empty();
        users.retain(&is_meant);
        if collects {
            collected.append(&mut users);
            return Ok(());
        }
        output.write(&users, console)
    })?;
    if collects {
        collected.sort_by(|one, other| order(one, other, list.sort, list.reverse));
        output.write(&collected, console)?;
    }
    if output.written == 0 && !console.json() {
        console.note(if anybody { messages::NOBODY_LIKE_THAT } else { messages::NOBODY });
    }
    Ok(Exit::Done)
}

/// All users in the order of their names.
fn each_page(
    daemon: &Daemon,
    mut page: impl FnMut(Vec<UserStatus>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut connection = daemon.connect()?;
    let mut after = None;
    loop {
        let request = Request::AdminList(AdminList { after: after.take(), limit: PAGE });
        let AdminAnswer::Users { users, more } = connection.admin(&request, PATIENCE)? else {
            return Err(Failure::OtherAnswer { to: "admin_list" });
        };
        after = users.last().map(|user| user.user.clone());
        page(users)?;
        // A page without users would be asked for again and again.
        if !more || after.is_none() {
            return Ok(());
        }
    }
}

fn is(user: &UserStatus, state: State) -> bool {
    match state {
        State::Enrolled => !user.tokens.is_empty(),
        State::Unenrolled => user.tokens.is_empty() && !user.damaged,
        State::Locked => user.locked_hard || user.locked_seconds.is_some(),
        State::Invited => user.invited_until.is_some(),
        State::Bypass => !user.bypasses.is_empty(),
        State::Damaged => user.damaged,
    }
}

/// Users who are alike stand in the order of their names either way.
fn order(one: &UserStatus, other: &UserStatus, by: SortBy, reverse: bool) -> Ordering {
    let ascending = match by {
        SortBy::Name => one.user.as_str().cmp(other.user.as_str()),
        SortBy::LastUsed => last_used(one).cmp(&last_used(other)),
        SortBy::Failures => one.failures.cmp(&other.failures),
        SortBy::Created => created(one).cmp(&created(other)),
    };
    let primary = if reverse { ascending.reverse() } else { ascending };
    primary.then_with(|| one.user.as_str().cmp(other.user.as_str()))
}

fn last_used(user: &UserStatus) -> Option<u64> {
    user.tokens.iter().filter_map(|token| token.last_used).max()
}

fn created(user: &UserStatus) -> Option<u64> {
    user.tokens.iter().map(|token| token.created).min()
}

/// One table or one stream of objects, in as many parts as there are pages.
struct Output {
    table: Table<6>,
    zone: TimeZone,
    written: usize,
}

impl Output {
    fn new(columns: Option<usize>) -> Self {
        let table = Table::new(["USER", "TOKENS", "FAILURES", "LOCKED", "CREATED", "LAST USED"]);
        Self { table: table.within(columns), zone: TimeZone::system(), written: 0 }
    }

    fn write(&mut self, users: &[UserStatus], console: &mut Console) -> Result<(), Failure> {
        self.written += users.len();
        if console.json() {
            return users.iter().try_for_each(|user| console.object(user));
        }
        if users.is_empty() {
            return Ok(());
        }
        for user in users {
            self.table.push(row(user, &self.zone));
        }
        console.result(&self.table.render())
    }
}

fn row(user: &UserStatus, zone: &TimeZone) -> [String; 6] {
    let name = user.user.to_string();
    if user.damaged {
        let [unknown, also, locked] = ["?", "?", "damaged"].map(str::to_owned);
        return [name, unknown, also, locked, String::new(), String::new()];
    }
    let moment = |time: u64| clock::local(time, zone);
    [
        name,
        user.tokens.len().to_string(),
        user.failures.to_string(),
        messages::status::lock(user).unwrap_or_else(|| "no".to_owned()),
        created(user).map_or_else(|| "-".to_owned(), moment),
        last_used(user).map_or_else(|| "never".to_owned(), moment),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::status::tests::plain;

    fn named(name: &str) -> UserStatus {
        UserStatus { user: mfa_proto::UserName::new(name).unwrap(), ..plain() }
    }

    #[test]
    fn a_state_is_that_of_the_users_who_have_it() {
        let enrolled = plain();
        let mut unenrolled = plain();
        unenrolled.tokens.clear();
        unenrolled.invited_until = Some(1);
        let damaged = UserStatus { damaged: true, tokens: Vec::new(), ..plain() };
        let waits = UserStatus { locked_seconds: Some(1), ..plain() };
        let hard = UserStatus { locked_hard: true, ..plain() };
        let users = [enrolled, unenrolled, damaged, waits, hard];
        for (state, expected) in [
            (State::Enrolled, [true, false, false, true, true]),
            (State::Unenrolled, [false, true, false, false, false]),
            (State::Locked, [false, false, false, true, true]),
            (State::Invited, [false, true, false, false, false]),
            (State::Bypass, [false; 5]),
            (State::Damaged, [false, false, true, false, false]),
        ] {
            let found: Vec<bool> = users.iter().map(|user| is(user, state)).collect();
            assert_eq!(found, expected, "{state:?}");
        }
    }

    #[test]
    fn the_least_the_oldest_and_the_never_used_come_first() {
        let mut used = named("b");
        used.tokens[0].last_used = Some(5);
        used.tokens[0].created = 1;
        let mut failed = named("a");
        failed.failures = 1;
        let names = |by, reverse| {
            let mut users = [used.clone(), failed.clone(), named("c")];
            users.sort_by(|one, other| order(one, other, by, reverse));
            users.map(|user| user.user.to_string())
        };
        assert_eq!(names(SortBy::LastUsed, false), ["a", "c", "b"]);
        assert_eq!(names(SortBy::LastUsed, true), ["b", "a", "c"]);
        assert_eq!(names(SortBy::Failures, false), ["b", "c", "a"]);
        assert_eq!(names(SortBy::Created, false), ["b", "a", "c"]);
        assert_eq!(names(SortBy::Name, true), ["c", "b", "a"]);
    }

    #[test]
    fn of_a_damaged_record_nothing_is_claimed() {
        let damaged = UserStatus { damaged: true, ..plain() };
        assert_eq!(row(&damaged, &TimeZone::UTC), ["alice", "?", "?", "damaged", "", ""]);
        let known = ["alice", "1", "0", "no", "2026-11-01 00:00", "never"];
        assert_eq!(row(&plain(), &TimeZone::UTC), known);
    }
}
