// SPDX-License-Identifier: GPL-3.0-or-later
//! The key of the recovery codes, as it is kept in the database: sealed under the master key, and the
//! same for ever.

use mfa_crypto::{RecoveryKey, Secret};
use rusqlite::{Connection, OptionalExtension};
use zeroize::Zeroizing;

use super::StoreError;
use crate::keyring::Keyring;

/// The associated data.
const BINDING: &[u8] = b"mfa/1 recovery key";

/// Keeps the one that comes from the master key: at first start, and where an older version hashed with
/// that.
///
/// # Errors
/// [`StoreError`].
pub(super) fn make(connection: &Connection, keys: &Keyring) -> Result<(), StoreError> {
    write(connection, keys, &keys.with_current(RecoveryKey::of))
}

/// Keeps this one, sealed under the current master key.
///
/// # Errors
/// [`StoreError`].
pub(super) fn write(
    connection: &Connection,
    keys: &Keyring,
    key: &RecoveryKey,
) -> Result<(), StoreError> {
    let secret = Secret::new(key.expose().to_vec());
    let sealed = keys.seal(BINDING, &secret).map_err(StoreError::Seal)?;
    connection.execute("DELETE FROM recovery_key", [])?;
    connection.execute("INSERT INTO recovery_key (sealed) VALUES (?1)", [sealed])?;
    Ok(())
}

/// The one that is kept, if any.
///
/// # Errors
/// [`StoreError`].
pub(super) fn read(
    connection: &Connection,
    keys: &Keyring,
) -> Result<Option<RecoveryKey>, StoreError> {
    let sealed: Option<Vec<u8>> =
        connection.query_row("SELECT sealed FROM recovery_key", [], |row| row.get(0)).optional()?;
    let Some(sealed) = sealed else { return Ok(None) };
    let damaged = |what: String| StoreError::Damaged { user: "recovery codes".to_owned(), what };
    let secret = keys.open(BINDING, &sealed).map_err(|error| damaged(error.to_string()))?;
    let mut bytes = Zeroizing::new([0; 32]);
    if secret.expose().len() != bytes.len() {
        return Err(damaged("their key has another length".to_owned()));
    }
    bytes.copy_from_slice(secret.expose());
    Ok(Some(RecoveryKey::from_bytes(bytes)))
}
