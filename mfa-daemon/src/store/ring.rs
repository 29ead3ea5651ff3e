// SPDX-License-Identifier: GPL-3.0-or-later
//! The stored audit trail: a ring of fixed size, made at first start and then written in place, so that
//! it needs no space where a disk is full. The whole trail is the journal's.

use std::collections::HashSet;

use mfa_proto::UserName;
use mfa_proto::audit::AuditEvent;
use rusqlite::{Connection, params};
use tracing::error;

use super::StoreError;
use super::check::is_damage;
use crate::audit::Event;

/// Entries that are kept.
pub const ENTRIES: u32 = 8192;
/// Bytes that each is filled up to: more than nearly all have.
const ENTRY_BYTES: usize = 448;

/// Which entries are wanted.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Those after this number.
    pub after: u64,
    /// Those of this moment, in Unix seconds, and later.
    pub since: u64,
    /// Those of this user.
    pub user: Option<UserName>,
    /// At most so many.
    pub limit: u16,
}

/// The statements that make the ring, inside a transaction.
///
/// # Errors
/// [`StoreError`].
pub(super) fn make(connection: &Connection) -> Result<(), StoreError> {
    connection.execute_batch(
        "CREATE TABLE audit (
             slot  INTEGER NOT NULL PRIMARY KEY,
             seq   INTEGER NOT NULL,
             time  INTEGER NOT NULL,
             event TEXT NOT NULL
         ) STRICT;",
    )?;
    let empty = format!("{{}}{}", " ".repeat(ENTRY_BYTES - 2));
    let mut insert =
        connection.prepare("INSERT INTO audit (slot, seq, time, event) VALUES (?1, 0, 0, ?2)")?;
    for slot in 0..ENTRIES {
        insert.execute(params![slot, empty])?;
    }
    Ok(())
}

/// How far the trail has come, and which of its places are damaged.
///
/// # Errors
/// [`StoreError`].
pub(super) fn look(connection: &Connection) -> Result<(u64, HashSet<u64>), StoreError> {
    match last(connection) {
        Ok(last) => Ok((last, HashSet::new())),
        Err(StoreError::Sqlite(error)) if is_damage(&error) => {
            let (mut last, mut lost) = (0, HashSet::new());
            let mut one = connection.prepare("SELECT seq FROM audit WHERE slot = ?1")?;
            for slot in 0..u64::from(ENTRIES) {
                match one.query_row([number(slot)], |row| row.get::<_, i64>(0)) {
                    Ok(seq) => last = u64::try_from(seq).unwrap_or(0).max(last),
                    Err(_) => {
                        lost.insert(slot);
                    }
                }
            }
            error!(%error, places = lost.len(), "the audit trail is damaged; these places are passed over");
            Ok((last, lost))
        }
        Err(error) => Err(error),
    }
}

/// The number of the last entry.
///
/// # Errors
/// [`StoreError`].
fn last(connection: &Connection) -> Result<u64, StoreError> {
    let last: i64 = connection.query_row("SELECT max(seq) FROM audit", [], |row| row.get(0))?;
    Ok(u64::try_from(last).unwrap_or(0))
}

/// The place of the entry of this number.
pub(super) fn place(seq: u64) -> u64 {
    seq % u64::from(ENTRIES)
}

fn number(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Writes the entry of this number over the oldest one.
///
/// # Errors
/// [`StoreError`].
pub(super) fn write(
    connection: &Connection,
    event: Event,
    seq: u64,
) -> Result<AuditEvent, StoreError> {
    let event = event.numbered(seq);
    let mut text = serde_json::to_string(&event).map_err(StoreError::Encode)?;
    while text.len() < ENTRY_BYTES {
        text.push(' ');
    }
    connection
        .prepare_cached("UPDATE audit SET seq = ?2, time = ?3, event = ?4 WHERE slot = ?1")?
        .execute(params![number(place(seq)), number(seq), number(event.time), text])?;
    Ok(event)
}

/// Entries in the order of their numbers. Where the trail is damaged, those that can be read.
///
/// # Errors
/// [`StoreError`].
pub(super) fn read(connection: &Connection, query: &Query) -> Result<Vec<AuditEvent>, StoreError> {
    match read_all(connection, query) {
        Ok(events) => Ok(events),
        Err(error) => {
            error!(%error, "the audit trail is damaged; what can be read of it is told");
            read_one_by_one(connection, query)
        }
    }
}

fn read_all(connection: &Connection, query: &Query) -> Result<Vec<AuditEvent>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT event FROM audit
         WHERE seq > ?1 AND time >= ?2 AND (?3 IS NULL OR json_extract(event, '$.user') = ?3)
         ORDER BY seq LIMIT ?4",
    )?;
    let user = query.user.as_ref().map(UserName::as_str);
    let rows = statement
        .query_map(params![number(query.after), number(query.since), user, query.limit], |row| {
            row.get::<_, String>(0)
        })?;
    rows.map(|text| {
        serde_json::from_str(&text?).map_err(|error| StoreError::Damaged {
            user: "audit".to_owned(),
            what: error.to_string(),
        })
    })
    .collect()
}

fn read_one_by_one(connection: &Connection, query: &Query) -> Result<Vec<AuditEvent>, StoreError> {
    let mut one = connection.prepare("SELECT event FROM audit WHERE slot = ?1")?;
    let read = |slot| -> Option<AuditEvent> {
        let text: String = one.query_row([slot], |row| row.get(0)).ok()?;
        serde_json::from_str(&text).ok()
    };
    let mut events: Vec<_> = (0..ENTRIES)
        .filter_map(read)
        .filter(|event| {
            event.seq > query.after
                && event.time >= query.since
                && query.user.as_ref().is_none_or(|user| event.user.as_ref() == Some(user))
        })
        .collect();
    events.sort_by_key(|event| event.seq);
    events.truncate(usize::from(query.limit));
    Ok(events)
}
