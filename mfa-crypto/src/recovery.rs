// SPDX-License-Identifier: GPL-3.0-or-later
//! Recovery codes: 50 random bits that people can copy from paper.
//!
//! Ten characters of Crockford's base32, five bits each, and one check character of the same
//! alphabet. The check is over GF(32) = GF(2)\[x\]/(x^5 + x^2 + 1), whose element x generates all 31
//! non-zero elements: with d0 … d9 the characters and d10 the check, Σ x^(10−i)·di = 0. One wrong
//! character changes the sum by x^(10−i)·(d − d') ≠ 0. Two characters i ≠ j in each other's place
//! change it by (x^(10−i) − x^(10−j))·(di − dj) ≠ 0, as all weights differ. So every slip of one
//! character and every exchange of two, neighbours or not, is noticed, including those with the
//! check character; and unlike a check modulo 37 it needs no sign outside the alphabet.

use crate::{
    fields,
    kdf::{self, Key},
    otp::Code,
    random::{self, RngError},
    sealing::MasterKey,
};
use core::fmt;
use rand_core::TryCryptoRng;
use zeroize::Zeroizing;

/// No I, L, O and U: three look like digits, and one less makes fewer words.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const DATA: usize = 10;
/// Characters without separators. A code of an authenticator has at most 8, so neither is ever
/// taken for the other.
const LENGTH: usize = DATA + 1;
/// Digits of a scratch code of google_authenticator.
const SCRATCH_DIGITS: usize = 8;

/// A recovery code. It erases itself and has neither `Debug` nor `Display`.
#[derive(Clone)]
pub struct RecoveryCode(Zeroizing<[u8; LENGTH]>);

/// What recovery codes are hashed with. It is taken from the first master key and outlives it: the codes
/// themselves are nowhere, so they cannot be hashed anew when the master key is replaced.
#[derive(Clone)]
pub struct RecoveryKey(Key);

impl RecoveryKey {
    /// The one that comes from a master key.
    #[must_use]
    pub fn of(master_key: &MasterKey) -> Self {
        Self(master_key.subkey(b"mfa/1 recovery codes"))
    }

    /// One that was kept somewhere.
    #[must_use]
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// The bytes, for keeping them.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Why a text is not a recovery code. Neither is a wrong guess, so neither costs an attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RecoveryCodeError {
    /// Not eleven characters of the alphabet.
    Shape,
    /// The check character does not fit: a typing slip.
    Check,
}

impl fmt::Display for RecoveryCodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shape => "a recovery code has eleven letters and digits, XXXX-XXXX-XXX",
            Self::Check => "the recovery code has a typing slip; compare it with the paper",
        })
    }
}

impl core::error::Error for RecoveryCodeError {}

impl RecoveryCode {
    /// A new code.
    ///
    /// # Errors
    /// When the source of randomness fails.
    pub fn generate<R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<Self, RngError> {
        let mut drawn = Zeroizing::new([0; DATA]);
        random::fill(rng, drawn.as_mut_slice())?;
        let mut symbols = Zeroizing::new([0; LENGTH]);
        for (symbol, byte) in symbols.iter_mut().zip(drawn.iter()) {
            // 32 divides 256, so every character is equally likely.
            *symbol = byte & 31;
        }
        // The check character's weight is 1, so it is the sum of the others.
        let check = weighted_sum(&symbols);
        if let Some(last) = symbols.last_mut() {
            *last = check;
        }
        Ok(Self(symbols))
    }

    /// Reads what a user typed, in any case, without ASCII spaces and `-`; O is 0, I and L are 1.
    ///
    /// # Errors
    /// When it has another shape or the check character does not fit.
    pub fn parse(typed: &str) -> Result<Self, RecoveryCodeError> {
        let mut characters = typed.bytes().filter(|byte| !matches!(byte, b' ' | b'-'));
        let mut symbols = Zeroizing::new([0; LENGTH]);
        for symbol in symbols.iter_mut() {
            *symbol = characters.next().and_then(value).ok_or(RecoveryCodeError::Shape)?;
        }
        if characters.next().is_some() {
            return Err(RecoveryCodeError::Shape);
        }
        if weighted_sum(&symbols) != 0 {
            return Err(RecoveryCodeError::Check);
        }
        Ok(Self(symbols))
    }

    /// The code as it is shown, `XXXX-XXXX-XXX`.
    #[must_use]
    pub fn display(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(LENGTH + 2));
        for (place, symbol) in self.0.iter().enumerate() {
            if place == 4 || place == 8 {
                text.push('-');
            }
            text.extend(character(*symbol));
        }
        text
    }

    /// What is stored: HMAC-SHA256 over user and code, each behind its length. A stolen store cannot be
    /// searched for the 2^50 codes without the key.
    #[must_use]
    pub fn keyed_hash(&self, key: &RecoveryKey, user: &str) -> [u8; 32] {
        let mut code = Zeroizing::new([0; LENGTH]);
        for (byte, symbol) in code.iter_mut().zip(self.0.iter()) {
            *byte = ALPHABET.get(usize::from(*symbol)).copied().unwrap_or(b'0');
        }
        let message = fields::join(&[user.as_bytes(), code.as_slice()]);
        *kdf::hmac(&key.0, &message)
    }
}

impl Code {
    /// Whether it has as many digits as the scratch codes that other systems make: eight.
    #[must_use]
    pub fn may_be_scratch(&self) -> bool {
        self.as_str().len() == SCRATCH_DIGITS
    }

    /// What is stored of a scratch code: as of a recovery code, under a subkey of its own.
    #[must_use]
    pub fn keyed_hash(&self, key: &RecoveryKey, user: &str) -> [u8; 32] {
        let message = fields::join(&[user.as_bytes(), self.as_str().as_bytes()]);
        *kdf::hmac(&kdf::expand(&key.0, b"mfa/1 scratch codes"), &message)
    }
}

fn character(symbol: u8) -> Option<char> {
    ALPHABET.get(usize::from(symbol)).map(|byte| char::from(*byte))
}

fn value(character: u8) -> Option<u8> {
    let plain = match character.to_ascii_uppercase() {
        b'O' => b'0',
        b'I' | b'L' => b'1',
        other => other,
    };
    let place = ALPHABET.iter().position(|byte| *byte == plain)?;
    u8::try_from(place).ok()
}

/// Σ x^(10−i)·di by Horner's rule.
fn weighted_sum(symbols: &[u8; LENGTH]) -> u8 {
    symbols.iter().fold(0, |sum, symbol| times_x(sum) ^ symbol)
}

/// Multiplication by x in GF(32).
fn times_x(element: u8) -> u8 {
    let shifted = element << 1;
    if shifted & 32 == 0 { shifted } else { shifted ^ 0b10_0101 }
}
