// SPDX-License-Identifier: GPL-3.0-or-later
//! A user's record as it stands in its row: sealed, and bound to the name and the version of the row,
//! so that none can be read, changed, or put into another's place.

use mfa_crypto::{SealError, Secret};

use super::StoreError;
use crate::keyring::Keyring;
use crate::policy::record::Record;

/// The row's content.
///
/// # Errors
/// [`StoreError`] where the system gives no randomness.
pub(super) fn seal(
    keys: &Keyring,
    name: &str,
    version: i64,
    record: &Record,
) -> Result<Vec<u8>, StoreError> {
    let text = serde_json::to_vec(record).map_err(StoreError::Encode)?;
    seal_text(keys, name, version, text)
}

/// The same, of a record that is written down already.
///
/// # Errors
/// [`StoreError`] where the system gives no randomness.
pub(super) fn seal_text(
    keys: &Keyring,
    name: &str,
    version: i64,
    text: Vec<u8>,
) -> Result<Vec<u8>, StoreError> {
    keys.seal(&binding(name, version), &Secret::new(text)).map_err(StoreError::Seal)
}

/// The record of a row, in its ranges.
///
/// # Errors
/// [`StoreError::Damaged`].
pub(super) fn open(
    keys: &Keyring,
    name: &str,
    version: i64,
    sealed: &[u8],
) -> Result<Record, StoreError> {
    let damaged = |what: String| StoreError::Damaged { user: name.to_owned(), what };
    let text = keys
        .open(&binding(name, version), sealed)
        .map_err(|error: SealError| damaged(error.to_string()))?;
    parse(name, text.expose())
}

/// A record that is written down, in its ranges.
///
/// # Errors
/// [`StoreError::Damaged`].
pub(super) fn parse(name: &str, text: &[u8]) -> Result<Record, StoreError> {
    let damaged = |what: String| StoreError::Damaged { user: name.to_owned(), what };
    let record: Record =
        serde_json::from_slice(text).map_err(|error| damaged(error.to_string()))?;
    record.check().map_err(|error| damaged(error.to_string()))?;
    Ok(record)
}

/// The associated data. The version counts the replacements of the row, so an older content does not
/// open under a newer one's number.
fn binding(name: &str, version: i64) -> Vec<u8> {
    let mut bound = b"mfa/1 row ".to_vec();
    bound.extend_from_slice(&version.to_be_bytes());
    bound.extend_from_slice(name.as_bytes());
    bound
}
