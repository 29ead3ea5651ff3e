// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa admin audit`: the trail as a table or as a stream of objects.
//!
//! JSON: one object a line and entry, `{"seq":…,"time":…,"act":…,"result":…,"reason":…,"warning":true,
//! "user":…,"token":…,"service":…,"rhost":…,"tty":…,"figures":{…},"peer_uid":…,"peer_pid":…}`; what
//! does not belong to an entry is absent.

use std::io;
use std::os::fd::AsFd;

use jiff::tz::TimeZone;
use mfa_proto::audit::{AdminAudit, AuditAnswer, AuditEvent};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};

use crate::arguments::Audit;
use crate::clock;
use crate::console::Console;
use crate::daemon::{Connection, Daemon};
use crate::failure::{Exit, Failure};
use crate::messages;
use crate::table::Table;

/// Entries of a page; the daemon sends fewer where they do not fit a frame.
const PAGE: u16 = 200;

/// Between two looks for new entries, in milliseconds.
const PAUSE: u16 = 1000;

pub(super) fn run(audit: Audit, daemon: &Daemon, console: &mut Console) -> Result<Exit, Failure> {
    let zone = TimeZone::system();
    let now = clock::now()?;
    let since = audit.since.map_or(0, |since| since.unix_seconds(now, &zone));
    let mut pages = Pages::new(AdminAudit { since, user: audit.user, ..AdminAudit::default() });
    let mut output = Output { table: table().within(console.columns()), zone, has_heading: false };
    output.further(&mut pages, &mut daemon.connect()?, console)?;
    if !output.has_heading && !console.json() && !audit.follow {
        console.note(messages::NO_ENTRIES);
    }
    let mut is_lost = false;
    while audit.follow && is_read() {
        let looked = daemon
            .connect()
            .and_then(|mut connection| output.further(&mut pages, &mut connection, console));
        match looked {
            Ok(()) => is_lost = false,
            // It is being restarted: what it writes afterwards is wanted as well.
            Err(failure @ Failure::Daemon { .. }) => {
                if !is_lost {
                    console.warn(&messages::following_without(&failure));
                }
                is_lost = true;
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(Exit::Done)
}

/// Waits for the pause. Whether anybody still reads the output.
fn is_read() -> bool {
    let stdout = io::stdout();
    // Nothing is waited for but that the reader goes, which poll tells unasked.
    let mut end = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
    matches!(poll(&mut end, PAUSE), Ok(0) | Err(Errno::EINTR))
}

/// The trail, page by page, each entry once.
pub(super) struct Pages {
    next: AdminAudit,
    more: bool,
    /// How many entries were overwritten before they were read.
    missed: u64,
}

impl Pages {
    pub(super) fn new(what: AdminAudit) -> Self {
        Self { next: AdminAudit { limit: PAGE, ..what }, more: true, missed: 0 }
    }

    /// What there is after the last page, or `None` where that was the last for now.
    pub(super) fn next(
        &mut self,
        connection: &mut Connection,
    ) -> Result<Option<Vec<AuditEvent>>, Failure> {
        if !self.more {
            return Ok(None);
        }
        let AuditAnswer::Trail { events, more, first, last } =
            connection.audit(self.next.clone())?
        else {
            return Err(Failure::OtherAnswer { to: "admin_audit" });
        };
        let after = self.next.after;
        if after > 0 {
            self.missed += first.saturating_sub(after + 1);
        }
        // Entries of others count as read; a trail that was put back begins behind them.
        self.next.after = match events.last() {
            Some(event) if more => event.seq,
            _ => last,
        };
        self.more = more && !events.is_empty();
        Ok(Some(events))
    }

    /// There may be new ones.
    fn look_again(&mut self) {
        self.more = true;
    }
}

struct Output {
    table: Table<9>,
    zone: TimeZone,
    has_heading: bool,
}

impl Output {
    fn further(
        &mut self,
        pages: &mut Pages,
        connection: &mut Connection,
        console: &mut Console,
    ) -> Result<(), Failure> {
        pages.look_again();
        while let Some(events) = pages.next(connection)? {
            let missed = std::mem::take(&mut pages.missed);
            if missed > 0 {
                console.warn(&messages::overwritten(missed));
            }
            if console.json() {
                events.iter().try_for_each(|event| console.object(event))?;
            } else if !events.is_empty() {
                for event in &events {
                    self.table.push(row(event, &self.zone));
                }
                self.has_heading = true;
                console.result(&self.table.render())?;
            }
        }
        Ok(())
    }
}

/// The heading of entries.
pub(super) fn table() -> Table<9> {
    Table::new(["", "TIME", "ACT", "RESULT", "USER", "SERVICE", "FROM", "WHAT", "BY"])
}

/// An entry; a warning begins with an exclamation mark.
pub(super) fn row(event: &AuditEvent, zone: &TimeZone) -> [String; 9] {
    let mut what: Vec<String> = Vec::new();
    what.extend(event.reason.clone());
    what.extend(event.token.as_ref().map(|token| format!("token={token}")));
    what.extend(event.figures.iter().map(|(name, value)| format!("{name}={value}")));
    let none = || "-".to_owned();
    [
        if event.warning { "!" } else { "" }.to_owned(),
        clock::local_to_the_second(event.time, zone),
        event.act.as_str().to_owned(),
        event.result.as_str().to_owned(),
        event.user.as_ref().map_or_else(none, ToString::to_string),
        event.service.clone().unwrap_or_else(none),
        event.rhost.clone().or_else(|| event.tty.clone()).unwrap_or_else(none),
        if what.is_empty() { none() } else { what.join(" ") },
        format!("uid {} pid {}", event.peer_uid, event.peer_pid),
    ]
}

#[cfg(test)]
mod tests {
    use mfa_proto::UserName;
    use mfa_proto::audit::{Act, ActResult};

    use super::*;

    #[test]
    fn an_entry_is_a_line_that_says_who_what_and_why() {
        let event = AuditEvent {
            seq: 7,
            time: clock::BUILT_AFTER,
            act: Act::Login,
            result: ActResult::Denied,
            reason: Some("replayed".into()),
            warning: true,
            user: Some(UserName::new("alice").unwrap()),
            token: Some("pho\x1bne".into()),
            service: Some("sshd".into()),
            rhost: Some("192.0.2.1".into()),
            tty: Some("ssh".into()),
            figures: [("failures".to_owned(), 2)].into(),
            peer_uid: 0,
            peer_pid: 42,
        };
        let mut all = table();
        all.push(row(&event, &TimeZone::UTC));
        let quiet = AuditEvent {
            act: Act::Reload,
            result: ActResult::Done,
            reason: None,
            warning: false,
            user: None,
            token: None,
            service: None,
            rhost: None,
            tty: None,
            figures: std::collections::BTreeMap::new(),
            ..event
        };
        all.push(row(&quiet, &TimeZone::UTC));
        let text = all.render();
        let cells = |line: &str| -> Vec<String> {
            line.split("  ")
                .map(str::trim)
                .filter(|cell| !cell.is_empty())
                .map(str::to_owned)
                .collect()
        };
        let lines: Vec<Vec<String>> = text.lines().map(cells).collect();
        assert_eq!(lines[0], ["TIME", "ACT", "RESULT", "USER", "SERVICE", "FROM", "WHAT", "BY"]);
        let what = "replayed token=pho\u{fffd}ne failures=2";
        let time = "2026-11-01 00:00:00";
        assert_eq!(
            lines[1],
            ["!", time, "login", "denied", "alice", "sshd", "192.0.2.1", what, "uid 0 pid 42"]
        );
        assert_eq!(lines[2], [time, "reload", "done", "-", "-", "-", "-", "uid 0 pid 42"]);
    }
}
