// SPDX-License-Identifier: GPL-3.0-or-later
//! Bytes that nobody may print and that erase themselves.

use crate::random::{self, RngError};
use rand_core::TryCryptoRng;
use zeroize::Zeroizing;

/// A secret of any length, such as the key of a token. It has neither `Debug` nor `Display`.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes over the bytes. A buffer that has grown before may have left copies behind: give
    /// `Vec::with_capacity` the full size at once.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A new secret of `len` random bytes.
    ///
    /// # Errors
    /// When the source of randomness fails.
    pub fn random<R: TryCryptoRng + ?Sized>(len: usize, rng: &mut R) -> Result<Self, RngError> {
        let mut bytes = Zeroizing::new(vec![0; len]);
        random::fill(rng, &mut bytes)?;
        Ok(Self(bytes))
    }

    /// The bytes, for computing with them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}
