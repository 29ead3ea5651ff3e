// SPDX-License-Identifier: GPL-3.0-or-later
//! Randomness that an input decides, so that a run can be repeated.

use std::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};

/// xorshift64*, of no use to anybody else.
pub(crate) struct ScriptedRng(u64);

impl ScriptedRng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }
}

impl TryRng for ScriptedRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|number| u32::try_from(number >> 32).unwrap_or_default())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        Ok(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for chunk in out.chunks_mut(8) {
            let bytes = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for ScriptedRng {}
