// SPDX-License-Identifier: GPL-3.0-or-later
//! SHA-256 (FIPS 180-4) of public data: fingerprints.

use sha2::{Digest, Sha256};

/// The hash of `data`.
#[must_use]
pub fn sha256(data: &[u8]) -> [u8; 32] {
    Sha256::digest(data).into()
}
