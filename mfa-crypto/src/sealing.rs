// SPDX-License-Identifier: GPL-3.0-or-later
//! Sealing at rest: secrets in the store, under a master key that is not in the store.

use crate::{
    kdf::{self, Key},
    random::{self, RngError},
    secret::Secret,
};
use chacha20poly1305::{
    XChaCha20Poly1305,
    aead::{Aead, KeyInit, Payload},
};
use core::fmt;
use rand_core::TryCryptoRng;
use zeroize::Zeroizing;

/// First byte of everything sealed: XChaCha20-Poly1305 with a random nonce of 24 bytes.
const VERSION: u8 = 1;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

/// The key above all that is stored. It seals nothing itself: every use has a subkey of its own,
/// HKDF-Expand with the use as label.
#[derive(Clone)]
pub struct MasterKey {
    key: Key,
    /// The subkey that seals, which each login needs more than once.
    sealing: Key,
}

/// Why nothing was sealed or opened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SealError {
    /// No randomness for the nonce.
    Randomness(RngError),
    /// Shorter than anything that was ever sealed.
    TooShort {
        /// Its bytes.
        got: usize,
    },
    /// Sealed by another version of this format.
    Version(u8),
    /// The tag is wrong.
    Forged,
    /// Longer than the cipher takes.
    TooLong,
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Randomness(error) => error.fmt(f),
            Self::TooShort { got } => {
                write!(f, "{got} bytes are too few for a sealed secret; the record is damaged")
            }
            Self::Version(version) => write!(
                f,
                "the secret is sealed in format {version}, only {VERSION} is known; was it written \
                 by a newer version?"
            ),
            Self::Forged => f.write_str(
                "the sealed secret does not open: it was moved or changed, or the master key is \
                 another one",
            ),
            Self::TooLong => f.write_str("the secret is too long to be sealed"),
        }
    }
}

impl core::error::Error for SealError {}

impl From<RngError> for SealError {
    fn from(error: RngError) -> Self {
        Self::Randomness(error)
    }
}

impl MasterKey {
    /// A key that was kept somewhere.
    #[must_use]
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        let sealing = kdf::expand(&bytes, b"mfa/1 sealing");
        Self { key: bytes, sealing }
    }

    /// A new key.
    ///
    /// # Errors
    /// When the source of randomness fails.
    pub fn generate<R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<Self, RngError> {
        let mut key = Key::default();
        random::fill(rng, key.as_mut_slice())?;
        Ok(Self::from_bytes(key))
    }

    /// The bytes, for keeping them.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.key
    }

    /// A mark by which the key is recognised and which tells nothing about it.
    #[must_use]
    pub fn id(&self) -> [u8; 16] {
        let mark = self.subkey(b"mfa/1 master key id");
        mark.first_chunk().copied().unwrap_or_default()
    }

    /// Version, nonce, ciphertext and tag of `plaintext`. `aad` is what it belongs to: it is not
    /// kept in the result, and only the same bytes open it.
    ///
    /// # Errors
    /// When the source of randomness fails.
    pub fn seal<R: TryCryptoRng + ?Sized>(
        &self,
        aad: &[u8],
        plaintext: &Secret,
        rng: &mut R,
    ) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_BYTES];
        random::fill(rng, &mut nonce)?;
        let payload = Payload { msg: plaintext.expose(), aad: &associated(aad) };
        let ciphertext =
            self.cipher().encrypt(&nonce.into(), payload).map_err(|_| SealError::TooLong)?;
        Ok([&[VERSION], nonce.as_slice(), &ciphertext].concat())
    }

    /// What [`MasterKey::seal`] sealed for the same `aad`.
    ///
    /// # Errors
    /// When it is damaged, of another version, sealed for something else or under another key.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Secret, SealError> {
        let too_short = SealError::TooShort { got: sealed.len() };
        let (version, rest) = sealed.split_first().ok_or(too_short.clone())?;
        if *version != VERSION {
            return Err(SealError::Version(*version));
        }
        let (nonce, ciphertext) = rest
            .split_first_chunk::<NONCE_BYTES>()
            .filter(|(_, ciphertext)| ciphertext.len() >= TAG_BYTES)
            .ok_or(too_short)?;
        let payload = Payload { msg: ciphertext, aad: &associated(aad) };
        self.cipher()
            .decrypt(&(*nonce).into(), payload)
            .map(Secret::new)
            .map_err(|_| SealError::Forged)
    }

    /// The key for one use.
    pub(crate) fn subkey(&self, label: &[u8]) -> Key {
        kdf::expand(&self.key, label)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.sealing).into())
    }
}

/// The version is covered by the tag too, so that no later format can be taken for this one.
fn associated(aad: &[u8]) -> Vec<u8> {
    [&[VERSION], aad].concat()
}
