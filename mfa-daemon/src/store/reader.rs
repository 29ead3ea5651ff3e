// SPDX-License-Identifier: GPL-3.0-or-later
//! Reads. They run where they are asked for: another thread would cost a login two wake-ups, more than the
//! read itself. Between two commits the writer's connection serves them, whose cache is warm and of this very
//! moment; during one, which they must not wait for, another does.

use std::sync::{Mutex, PoisonError};

use mfa_proto::UserName;

use super::sqlite::Sqlite;
use super::writer::Shared;
use super::{Listed, StoreError};
use crate::policy::record::Record;

/// Two connections, of which one only reads.
pub(super) struct Reader {
    writers: Shared,
    own: Mutex<Sqlite>,
}

impl Reader {
    pub(super) fn new(own: Sqlite, writers: Shared) -> Self {
        Self { writers, own: Mutex::new(own) }
    }

    pub(super) fn get(&self, user: &UserName) -> Result<Option<Record>, StoreError> {
        if let Ok(shared) = self.writers.try_lock()
            && let Some(store) = shared.as_ref()
        {
            return Ok(store.get(user)?.map(|row| row.record));
        }
        let store = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(store.get(user)?.map(|row| row.record))
    }

    pub(super) fn list(
        &self,
        after: Option<&UserName>,
        limit: u16,
    ) -> Result<Vec<Listed>, StoreError> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).list(after, limit)
    }
}
