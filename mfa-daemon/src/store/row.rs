// SPDX-License-Identifier: GPL-3.0-or-later
//! A user's record as it stands in its row: sealed, and bound to the name and the version of the row,
//! so that none can be read, changed, or put into another's place.

use mfa_crypto::{SealError, Secret};

use super::StoreError;
use crate::keyring::Keyring;
use crate::policy::guard::{Guard, pass};
use crate::policy::record::Record;

/// What a token's first login writes down of it: when, which step, a drift.
const FIRST_LOGIN: usize = 48;
/// What a wrong code writes down: how many, when, and where it came from, as hosts are usually called.
const FIRST_FAILURE: usize = 96;
/// Records are filled up to a multiple of so many bytes.
const UNIT: usize = 32;

/// The row's content. It is filled up with blanks, as if all that logins write down were in it already:
/// they change rows in place then, and many first logins need no page of a full disk.
///
/// # Errors
/// [`StoreError`] where the system gives no randomness.
pub(super) fn seal(
    keys: &Keyring,
    name: &str,
    version: i64,
    record: &Record,
) -> Result<Vec<u8>, StoreError> {
    let mut text = serde_json::to_vec(record).map_err(StoreError::Encode)?;
    text.resize(filled(text.len(), record), b' ');
    seal_text(keys, name, version, text)
}

fn filled(length: usize, record: &Record) -> usize {
    let fresh = record.tokens.iter().filter(|token| token.last_used.is_none()).count();
    let unfailed = usize::from(record.lockout.last_from.is_none());
    (length + FIRST_LOGIN * fresh + FIRST_FAILURE * unfailed).next_multiple_of(UNIT)
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

/// The same, as the guard leaves it.
///
/// # Errors
/// [`StoreError::Damaged`].
pub(super) fn open_behind(
    guard: &Guard,
    keys: &Keyring,
    name: &str,
    version: i64,
    sealed: &[u8],
) -> Result<Record, StoreError> {
    let mut record = open(keys, name, version, sealed)?;
    pass(&mut record, guard);
    Ok(record)
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

#[cfg(test)]
mod tests {
    use getrandom::SysRng;
    use mfa_crypto::{Algorithm, Digits, MasterKey, Period};
    use mfa_proto::Blob;

    use super::*;
    use crate::policy::record::{Factor, Token};

    #[test]
    fn neither_a_first_login_nor_a_wrong_code_makes_a_row_longer() {
        let keys = Keyring::new(MasterKey::generate(&mut SysRng).unwrap());
        let length = |record: &Record| {
            let sealed = seal(&keys, "alice", 1, record).unwrap();
            assert_eq!(open(&keys, "alice", 1, &sealed).unwrap(), *record);
            sealed.len()
        };
        for secret in 20..84 {
            let factors = [
                Factor::Totp { period: Period::default(), last_step: None, drift: 0 },
                Factor::Hotp { counter: 0 },
            ];
            for factor in factors {
                let token = Token {
                    name: "phone".into(),
                    factor,
                    algorithm: Algorithm::Sha1,
                    digits: Digits::default(),
                    sealed: Blob::new(vec![7; secret]),
                    created: 1_800_000_000,
                    last_used: None,
                    near: None,
                };
                let mut record = Record { tokens: vec![token], ..Record::default() };
                let before = length(&record);
                // The control: without the blanks it would.
                let bare = |record: &Record| serde_json::to_vec(record).unwrap().len();
                let short = bare(&record);
                record.lockout.count_failure(1_800_000_030, Some("client.example.org"));
                assert!(length(&record) <= before && bare(&record) > short, "{secret}");
                record.lockout = crate::policy::record::Lockout::default();
                let token = record.tokens.first_mut().unwrap();
                token.last_used = Some(1_800_000_060);
                token.factor = match factor {
                    Factor::Totp { period, .. } => {
                        Factor::Totp { period, last_step: Some(60_000_002), drift: -2 }
                    }
                    Factor::Hotp { .. } => Factor::Hotp { counter: 1_000_000 },
                };
                assert!(length(&record) <= before && bare(&record) > short, "{secret}");
                record.lockout.count_failure(1_800_000_090, Some("client.example.org"));
                assert!(length(&record) <= before, "{secret}");
            }
        }
    }
}
