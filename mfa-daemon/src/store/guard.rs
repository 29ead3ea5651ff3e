// SPDX-License-Identifier: GPL-3.0-or-later
//! The guard as it is kept in the database, and what puts it there at start; what it means is
//! [`crate::policy::guard`]'s.

use mfa_proto::Peer;
use mfa_proto::audit::{Act, ActResult, AuditEvent};
use rusqlite::{Connection, params};
use tracing::warn;

use super::mark::{Found, Mark};
use super::sqlite::Sqlite;
use super::{Moment, StoreError};
use crate::audit::Event;
use crate::daemon::CLOCK_FLOOR;
use crate::policy::guard::Guard;

/// The guard that holds.
///
/// # Errors
/// [`StoreError`].
pub(super) fn read(connection: &Connection) -> Result<Guard, StoreError> {
    let mut guard = connection.prepare_cached("SELECT number, until, skew FROM guard")?;
    let unsigned = |n: i64| u64::try_from(n).unwrap_or(0);
    Ok(guard.query_row([], |row| {
        let number = row.get(0)?;
        Ok(Guard { number, until: unsigned(row.get(1)?), skew: unsigned(row.get(2)?) })
    })?)
}

/// Puts the next guard into the database: every record passes it anew.
///
/// # Errors
/// [`StoreError`].
pub(super) fn raise(connection: &Connection, until: u64, skew: u64) -> Result<(), StoreError> {
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    connection.execute(
        "UPDATE guard SET number = number + 1, until = max(until, ?1), skew = max(skew, ?2)",
        params![signed(until), signed(skew)],
    )?;
    Ok(())
}

/// Compares the database with its mark. One that is older, or has lost its mark, gets a guard and goes on
/// with the mark's numbers; `unmarked` is one of a first start, or of a schema that had no mark.
///
/// # Errors
/// [`StoreError`].
pub(super) fn compare(
    store: &Sqlite,
    found: Found,
    unmarked: bool,
    at: Moment,
) -> Result<Option<AuditEvent>, StoreError> {
    let (known, reason) = match found {
        Found::Mark(mark) if mark.seq <= store.mark().seq => {
            store.reached(mark);
            return Ok(None);
        }
        Found::Mark(mark) => (mark, "older_than_its_mark"),
        Found::Nothing if unmarked || !store.has_users()? => return Ok(None),
        Found::Nothing => (Mark::default(), "no_mark"),
        Found::Damaged => (Mark::default(), "damaged_mark"),
    };
    let until = match found {
        // The mark is synced now and then only, and the clock of a host may be wrong: the later of both.
        Found::Mark(mark) => mark.spent.max(at.now),
        Found::Nothing | Found::Damaged if at.now < CLOCK_FLOOR => {
            return Err(StoreError::ClockTooEarly(at.now));
        }
        Found::Nothing | Found::Damaged => at.now,
    };
    let lost = known.seq.saturating_sub(store.mark().seq);
    store.reached(known);
    let event = Event::new(Act::PutBack, ActResult::Done, ourselves(), at.now)
        .because(reason)
        .figure("lost", lost)
        .figure("until", until)
        .warning();
    store.begin()?;
    raise(&store.connection, until, at.skew)?;
    let event = store.note(event)?;
    store.commit()?;
    warn!(
        reason,
        until,
        "this database is not the one that was used last: codes up to that moment, recovery codes, \
         bypass codes and invites are void, and tokens by counter have to be made anew"
    );
    Ok(Some(event))
}

fn ourselves() -> Peer {
    let (uid, gid) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    Peer { uid, gid, pid: nix::unistd::getpid().as_raw() }
}
