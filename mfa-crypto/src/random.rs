// SPDX-License-Identifier: GPL-3.0-or-later
//! Randomness as a parameter, whose failure is an error and never a weaker number.

use core::fmt;
use rand_core::TryCryptoRng;

/// The source of randomness failed. Whatever was under way was given up.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RngError {
    cause: String,
}

impl fmt::Display for RngError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "no randomness to be had ({}), so no key was made; try again, and if it persists \
             check that the kernel's getrandom is not blocked",
            self.cause
        )
    }
}

impl core::error::Error for RngError {}

/// Fills `out`, or fails without saying how far it came: the caller drops the buffer.
pub(crate) fn fill<R: TryCryptoRng + ?Sized>(rng: &mut R, out: &mut [u8]) -> Result<(), RngError> {
    rng.try_fill_bytes(out).map_err(|error| RngError { cause: error.to_string() })
}
