// SPDX-License-Identifier: GPL-3.0-or-later
//! What a group and a public value must satisfy, the cheap questions first.

use super::{
    jacobi::jacobi,
    prime::{passes_miller_rabin, passes_pocklington, small_odd_primes},
};
use crate::random::RngError;
use core::{cmp::Ordering, fmt};
use num_bigint::BigUint;
use rand_core::TryCryptoRng;

/// Smallest size of P in bits.
pub const MIN_BITS: usize = 2048;
/// Largest size of P in bits. It bounds the time that a foreign number can cost.
pub const MAX_BITS: usize = 8192;

/// Rounds for q: a composite passes with a chance of at most 4^-64 = 2^-128.
const ROUNDS: u32 = 64;
/// Rounds for P before those for q. They only decide which of the two an error names.
const FIRST_ROUNDS: u32 = 2;

/// Why a group is refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum GroupError {
    /// P is too short.
    TooSmall {
        /// Bits of P.
        bits: usize,
    },
    /// P is too long.
    TooLarge {
        /// Bits of P.
        bits: usize,
    },
    /// This number begins with a zero byte, so the same group would have two encodings.
    LeadingZero(&'static str),
    /// P is even.
    Even,
    /// P is not prime.
    CompositeModulus,
    /// P may be prime, but (P−1)/2 is not.
    NotSafePrime,
    /// G is not in 2..=P−2.
    GeneratorRange,
    /// G generates the whole group, not the subgroup of order (P−1)/2.
    GeneratorOrder,
    /// A file of the X9.42 form names another order than (P−1)/2.
    SubgroupOrder,
    /// The file is longer than any group.
    FileTooLong {
        /// Its bytes.
        bytes: usize,
    },
    /// The file is not PEM.
    Pem(pem_rfc7468::Error),
    /// The file is PEM of something else.
    Label(String),
    /// The PEM holds no DER of a group.
    Der(der::Error),
    /// No randomness for the tests.
    Randomness(RngError),
}

impl fmt::Display for GroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooSmall { bits } => write!(
                f,
                "P has {bits} bits; at least {MIN_BITS} are needed against precomputation (Logjam); \
                 use a named group such as ffdhe3072"
            ),
            Self::TooLarge { bits } => write!(
                f,
                "P has {bits} bits; at most {MAX_BITS} are accepted; use a named group such as ffdhe3072"
            ),
            Self::LeadingZero(number) => {
                write!(f, "{number} begins with a zero byte; encode it without")
            }
            Self::Even => f.write_str("P is even, so it is not prime"),
            Self::CompositeModulus => {
                f.write_str("P is not prime; do not use parameters from where this came")
            }
            Self::NotSafePrime => f.write_str(
                "(P-1)/2 is not prime, so P is no safe prime; make parameters with `openssl dhparam`",
            ),
            Self::GeneratorRange => f.write_str("G must be at least 2 and at most P-2"),
            Self::GeneratorOrder => f.write_str(
                "G does not generate the subgroup of order (P-1)/2, so public values would tell one \
                 bit of the exponent; use G squared, or make parameters with OpenSSL 1.1.1 or later",
            ),
            Self::SubgroupOrder => f.write_str(
                "the file's subgroup order is not (P-1)/2; only safe primes are accepted",
            ),
            Self::FileTooLong { bytes } => {
                write!(f, "{bytes} bytes are too many for a file of parameters")
            }
            Self::Pem(error) => write!(f, "not a PEM file of Diffie-Hellman parameters: {error}"),
            Self::Label(label) => write!(
                f,
                "the PEM file holds {label:?}, not DH PARAMETERS; make one with `openssl dhparam`"
            ),
            Self::Der(error) => write!(f, "the PEM file's DER is not that of parameters: {error}"),
            Self::Randomness(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for GroupError {}

impl From<RngError> for GroupError {
    fn from(error: RngError) -> Self {
        Self::Randomness(error)
    }
}

/// Why a public value is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PublicValueError {
    /// Not as long as P.
    Length {
        /// Bytes of P.
        expected: usize,
        /// Bytes of the value.
        got: usize,
    },
    /// Not in 2..=P−2.
    Range,
    /// Not in the subgroup of order (P−1)/2.
    Subgroup,
}

impl fmt::Display for PublicValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the public value is refused: ")?;
        match self {
            Self::Length { expected, got } => {
                write!(f, "it has {got} bytes, the group's numbers have {expected}")
            }
            Self::Range => f.write_str("it is not between 2 and P-2"),
            Self::Subgroup => f.write_str("it is outside the subgroup that G generates"),
        }
    }
}

impl core::error::Error for PublicValueError {}

/// Bits of a big-endian number.
pub(super) fn bits(number: &[u8]) -> usize {
    let mut bytes = number.iter().skip_while(|byte| **byte == 0);
    match bytes.next() {
        None => 0,
        Some(first) => {
            8 * bytes.count() + usize::try_from(8 - first.leading_zeros()).unwrap_or_default()
        }
    }
}

/// Sizes and ranges, without any arithmetic.
pub(super) fn shape(p: &[u8], g: &[u8]) -> Result<(), GroupError> {
    match bits(p) {
        bits @ 0..MIN_BITS => return Err(GroupError::TooSmall { bits }),
        MIN_BITS..=MAX_BITS => (),
        bits => return Err(GroupError::TooLarge { bits }),
    }
    if p.first() == Some(&0) {
        return Err(GroupError::LeadingZero("P"));
    }
    if is_even(p) {
        return Err(GroupError::Even);
    }
    if bits(g) < 2 || bits(g) > bits(p) {
        return Err(GroupError::GeneratorRange);
    }
    if g.first() == Some(&0) {
        return Err(GroupError::LeadingZero("G"));
    }
    if g.len() == p.len() && !below_last(g, p) {
        return Err(GroupError::GeneratorRange);
    }
    Ok(())
}

/// P is prime and so is (P−1)/2.
pub(super) fn safe_prime<R: TryCryptoRng + ?Sized>(
    p: &[u8],
    rng: &mut R,
) -> Result<(), GroupError> {
    let p = BigUint::from_bytes_be(p);
    let q = &p >> 1_u8;
    for prime in small_odd_primes() {
        if &p % prime == BigUint::ZERO {
            return Err(GroupError::CompositeModulus);
        }
        if &q % prime == BigUint::ZERO {
            return Err(GroupError::NotSafePrime);
        }
    }
    if !passes_miller_rabin(&p, FIRST_ROUNDS, rng)? {
        return Err(GroupError::CompositeModulus);
    }
    // q is odd: otherwise Miller–Rabin would be asked about an even number.
    if !q.bit(0) || !passes_miller_rabin(&q, ROUNDS, rng)? {
        return Err(GroupError::NotSafePrime);
    }
    if !passes_pocklington(&p) {
        return Err(GroupError::CompositeModulus);
    }
    Ok(())
}

/// G has order q. P is a safe prime by now, so the orders are 1, 2, q and 2q; the range excludes
/// those of 1 and P−1, and Euler's criterion, G^q = (G/P), tells q from 2q.
pub(super) fn generator(p: &[u8], g: &[u8]) -> Result<(), GroupError> {
    if jacobi(g, p) == 1 { Ok(()) } else { Err(GroupError::GeneratorOrder) }
}

/// The order that an X9.42 file states.
pub(super) fn subgroup_order(p: &[u8], q: &[u8]) -> Result<(), GroupError> {
    shape(p, &[2])?;
    if BigUint::from_bytes_be(p) >> 1_u8 == BigUint::from_bytes_be(q) {
        Ok(())
    } else {
        Err(GroupError::SubgroupOrder)
    }
}

pub(super) fn public_value(p: &[u8], y: &[u8]) -> Result<(), PublicValueError> {
    if y.len() != p.len() {
        return Err(PublicValueError::Length { expected: p.len(), got: y.len() });
    }
    if bits(y) < 2 || !below_last(y, p) {
        return Err(PublicValueError::Range);
    }
    if jacobi(y, p) != 1 {
        return Err(PublicValueError::Subgroup);
    }
    Ok(())
}

fn is_even(number: &[u8]) -> bool {
    number.last().is_none_or(|byte| byte % 2 == 0)
}

/// Whether y ≤ P−2 for an odd P of the same length: below P, and not P with its last bit cleared.
fn below_last(y: &[u8], p: &[u8]) -> bool {
    let same_but_last_bit =
        y.iter().rev().zip(p.iter().rev()).enumerate().all(|(place, (y, p))| {
            let mask = if place == 0 { 0xfe } else { 0xff };
            y & mask == p & mask
        });
    y.cmp(p) == Ordering::Less && !same_but_last_bit
}
