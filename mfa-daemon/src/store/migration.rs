// SPDX-License-Identifier: GPL-3.0-or-later
//! What an older version wrote, made into what this one reads: one transaction, so that a start that
//! is interrupted leaves the old database as it was.

use rusqlite::{Connection, Row, params};
use serde_json::Value;
use tracing::{error, info};

use super::sqlite::{SCHEMA, USERS};
use super::{StoreError, recovery_key, ring, row};
use crate::keyring::Keyring;
use crate::policy::record::Record;

/// Rows that are in memory at a time.
const PAGE: u32 = 500;

/// Makes schema `found` the current one, in one transaction.
///
/// # Errors
/// [`StoreError`]; the database is as it was then.
pub(super) fn bring_up_to_date(
    connection: &mut Connection,
    keys: &Keyring,
    found: i64,
) -> Result<(), StoreError> {
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let mut done = Counts::default();
    if found == 1 {
        from_1_to_2(&transaction, &mut done)?;
    }
    from_2_to_3(&transaction, keys, &mut done)?;
    transaction.pragma_update(None, "user_version", SCHEMA)?;
    transaction.commit()?;
    info!(
        from = found,
        to = SCHEMA,
        kept = done.kept,
        removed = done.removed,
        damaged = done.damaged,
        "the database was brought to the current schema"
    );
    Ok(())
}

/// A token had a `state`: those that were `active` count without one, those that were pending are gone
/// (they are kept in memory now), and so is a record that held nothing else.
fn from_1_to_2(transaction: &Connection, done: &mut Counts) -> Result<(), StoreError> {
    let mut after = None::<String>;
    loop {
        let rows = page(transaction, after.as_deref())?;
        let Some((last, ..)) = rows.last() else { return Ok(()) };
        after = Some(last.clone());
        for (name, _, text) in &rows {
            migrate(transaction, name, text, done)?;
        }
    }
}

/// Records were readable; now they are sealed, and the audit trail is kept beside them.
fn from_2_to_3(
    transaction: &Connection,
    keys: &Keyring,
    done: &mut Counts,
) -> Result<(), StoreError> {
    transaction.execute_batch(&format!("ALTER TABLE user RENAME TO readable; {USERS}"))?;
    let mut insert =
        transaction.prepare("INSERT INTO user (name, version, sealed) VALUES (?1, ?2, ?3)")?;
    let mut readable =
        transaction.prepare("SELECT name, version, record FROM readable ORDER BY name")?;
    let mut rows = readable.query([])?;
    while let Some(found) = rows.next()? {
        let (name, version): (String, i64) = (found.get(0)?, found.get(1)?);
        // What was no record stays none, and is refused as before.
        let text = without_guard(bytes(found, 2)?);
        let sealed = row::seal_text(keys, &name, version, text)?;
        insert.execute(params![name, version, sealed])?;
        done.kept += 1;
    }
    drop(rows);
    drop(readable);
    transaction.execute_batch("DROP TABLE readable")?;
    recovery_key::make(transaction, keys)?;
    ring::make(transaction)
}

/// There were no guards yet: a record that says it has passed some was not written by that version.
fn without_guard(text: Vec<u8>) -> Vec<u8> {
    match serde_json::from_slice::<Record>(&text) {
        Ok(record) if record.guard != 0 || !record.held.is_empty() => {
            let record = Record { guard: 0, held: Vec::new(), ..record };
            serde_json::to_vec(&record).unwrap_or(text)
        }
        _ => text,
    }
}

/// A column's bytes, whatever SQLite takes them for: text may be damaged so that it is none.
fn bytes(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<u8>> {
    Ok(row.get_ref(column)?.as_bytes().map_err(rusqlite::Error::from)?.to_vec())
}

#[derive(Default)]
struct Counts {
    kept: u64,
    removed: u64,
    damaged: u64,
}

fn page(
    transaction: &Connection,
    after: Option<&str>,
) -> Result<Vec<(String, i64, Vec<u8>)>, StoreError> {
    let mut statement = transaction.prepare_cached(
        "SELECT name, version, record FROM user WHERE ?1 IS NULL OR name > ?1 ORDER BY name LIMIT ?2",
    )?;
    let rows = statement
        .query_map(params![after, PAGE], |row| Ok((row.get(0)?, row.get(1)?, bytes(row, 2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn migrate(
    transaction: &Connection,
    name: &str,
    text: &[u8],
    done: &mut Counts,
) -> Result<(), StoreError> {
    let record = match convert(name, text) {
        Ok(record) => record,
        // It could not be read before either. It stays, and is refused as before, instead of keeping
        // everybody else out.
        Err(error) => {
            error!(user = name, %error, "left as it is");
            done.damaged += 1;
            return Ok(());
        }
    };
    if record.is_empty() {
        transaction.prepare_cached("DELETE FROM user WHERE name = ?1")?.execute([name])?;
        done.removed += 1;
    } else {
        let text = serde_json::to_string(&record).map_err(StoreError::Encode)?;
        transaction
            .prepare_cached("UPDATE user SET record = ?2, version = version + 1 WHERE name = ?1")?
            .execute(params![name, text])?;
    }
    Ok(())
}

fn convert(name: &str, text: &[u8]) -> Result<Record, StoreError> {
    let damaged = |what: String| StoreError::Damaged { user: name.to_owned(), what };
    let mut record: Value =
        serde_json::from_slice(text).map_err(|error| damaged(error.to_string()))?;
    let tokens = record
        .get_mut("tokens")
        .and_then(Value::as_array_mut)
        .ok_or_else(|| damaged("it has no tokens".to_owned()))?;
    let mut kept = Vec::with_capacity(tokens.len());
    for mut token in tokens.drain(..) {
        let fields = token.as_object_mut().ok_or_else(|| damaged("a token is none".to_owned()))?;
        match fields.remove("state") {
            Some(Value::String(state)) if state == "active" => kept.push(token),
            Some(Value::Object(state)) if state.contains_key("pending") => {}
            _ => return Err(damaged("a token has no state of schema 1".to_owned())),
        }
    }
    *tokens = kept;
    row::parse(name, record.to_string().as_bytes())
}
