// SPDX-License-Identifier: GPL-3.0-or-later
//! Reads, on a connection of their own: in WAL mode they wait for no writer, so they run where they
//! are asked for. Another thread would cost a login two wake-ups, more than the read itself.

use std::sync::{Mutex, PoisonError};

use mfa_proto::UserName;

use super::sqlite::Sqlite;
use super::{Listed, StoreError};
use crate::policy::record::Record;

/// A connection that only reads.
pub(super) struct Reader(Mutex<Sqlite>);

impl Reader {
    pub(super) fn new(store: Sqlite) -> Self {
        Self(Mutex::new(store))
    }

    pub(super) fn get(&self, user: &UserName) -> Result<Option<Record>, StoreError> {
        let store = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(store.get(user)?.map(|row| row.record))
    }

    pub(super) fn list(
        &self,
        after: Option<&UserName>,
        limit: u16,
    ) -> Result<Vec<Listed>, StoreError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).list(after, limit)
    }
}
