// SPDX-License-Identifier: GPL-3.0-or-later
//! Randomness that a test writes down: it gives out its bytes, then fails.

use rand_core::{TryCryptoRng, TryRng};
use std::{collections::VecDeque, fmt};

pub(crate) struct ScriptedRng(VecDeque<u8>);

#[derive(Debug)]
pub(crate) struct UsedUp;

impl ScriptedRng {
    pub(crate) fn new(bytes: &[&[u8]]) -> Self {
        Self(bytes.concat().into())
    }

    pub(crate) fn is_used_up(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for UsedUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the test's bytes are used up")
    }
}

impl std::error::Error for UsedUp {}

impl TryRng for ScriptedRng {
    type Error = UsedUp;

    fn try_next_u32(&mut self) -> Result<u32, UsedUp> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, UsedUp> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Like a short read: what there is has been given out when the failure shows.
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), UsedUp> {
        for byte in out {
            *byte = self.0.pop_front().ok_or(UsedUp)?;
        }
        Ok(())
    }
}

impl TryCryptoRng for ScriptedRng {}
