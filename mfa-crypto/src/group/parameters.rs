// SPDX-License-Identifier: GPL-3.0-or-later
//! Arithmetic on secret exponents, in constant time.
//!
//! crypto-bigint's `pow_bounded_exp` does the same work for every exponent of the same bound: fixed
//! windows, table look-ups that read every entry, and Montgomery multiplication without a
//! conditional subtraction. What it cannot do is erase its own accumulator: that memory is freed
//! with the partial powers in it. What is returned from it is erased here. Whoever needs many powers of the
//! generator has them from a table, see [`Comb`].

use super::comb::Comb;
use crate::random::{self, RngError};
use crypto_bigint::{
    BoxedUint, Odd, Word,
    modular::{BoxedMontyForm, BoxedMontyParams},
};
use rand_core::TryCryptoRng;
use std::sync::OnceLock;
use zeroize::{Zeroize, Zeroizing};

/// A group's numbers, with what is computed from them once.
pub(super) struct Parameters {
    pub(super) name: Option<&'static str>,
    pub(super) p: Vec<u8>,
    pub(super) g: Vec<u8>,
    pub(super) fingerprint: [u8; 32],
    pub(super) exponent_bits: u32,
    pub(super) generator: BoxedMontyForm,
    montgomery: BoxedMontyParams,
    /// Of the generator. It costs most of a power, so it is not made for one.
    comb: OnceLock<Comb>,
}

impl Parameters {
    /// `None` unless P is odd and G no longer than P, which the checks have seen to.
    pub(super) fn new(
        name: Option<&'static str>,
        p: &[u8],
        g: &[u8],
        fingerprint: [u8; 32],
    ) -> Option<Self> {
        let modulus = number(p, p.len())?;
        let montgomery = BoxedMontyParams::new_vartime(Odd::new(modulus).into_option()?);
        let generator = BoxedMontyForm::new(number(g, p.len())?, &montgomery);
        Some(Self {
            name,
            p: p.to_vec(),
            g: g.to_vec(),
            fingerprint,
            exponent_bits: exponent_bits(super::checks::bits(p)),
            generator,
            montgomery,
            comb: OnceLock::new(),
        })
    }

    /// The element of a public value of |P| bytes.
    pub(super) fn element(&self, y: &[u8]) -> Option<BoxedMontyForm> {
        if y.len() != self.p.len() {
            return None;
        }
        Some(BoxedMontyForm::new(number(y, y.len())?, &self.montgomery))
    }

    /// base^x in |P| bytes, leading zeros kept.
    pub(super) fn power(&self, base: &BoxedMontyForm, x: &Exponent) -> Zeroizing<Vec<u8>> {
        self.encode(base.pow_bounded_exp(&x.number, x.bits))
    }

    /// G^x in |P| bytes, by the table that the first of these makes.
    pub(super) fn power_of_generator(&self, x: &Exponent) -> Zeroizing<Vec<u8>> {
        let comb = self.comb.get_or_init(|| Comb::new(&self.generator, self.exponent_bits));
        self.encode(comb.power(&self.montgomery, x))
    }

    fn encode(&self, mut power: BoxedMontyForm) -> Zeroizing<Vec<u8>> {
        let mut number = power.retrieve();
        power.zeroize();
        let wide = Zeroizing::new(number.to_be_bytes());
        number.zeroize();
        // Whole limbs; what lies above |P| bytes is zero because the number is below P.
        let above = wide.len().saturating_sub(self.p.len());
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.p.len()));
        bytes.extend(wide.iter().skip(above));
        bytes
    }
}

/// A secret exponent, erased on drop.
pub(crate) struct Exponent {
    number: Zeroizing<BoxedUint>,
    bits: u32,
}

impl Exponent {
    /// Uniform among all numbers of at most `bits` bits. The top bit is not forced: the bound,
    /// which is public, sets the time of a power, not the number. 0 and 1 have a chance of 2^-224;
    /// the public value of 0 is refused by its range.
    pub(super) fn random<R: TryCryptoRng + ?Sized>(
        bits: u32,
        rng: &mut R,
    ) -> Result<Self, RngError> {
        let length = bits.div_ceil(8);
        let mut bytes = Zeroizing::new(vec![0; usize::try_from(length).unwrap_or_default()]);
        random::fill(rng, &mut bytes)?;
        if let Some(first) = bytes.first_mut() {
            *first &= 0xff_u8 >> (8 * length - bits);
        }
        Ok(Self::of_bytes(bits, &bytes))
    }

    /// The big-endian number of these bytes, which has at most `bits` bits.
    pub(super) fn of_bytes(bits: u32, bytes: &[u8]) -> Self {
        let number = BoxedUint::from_be_slice_truncated(bytes, 8 * bits.div_ceil(8));
        Self { number: Zeroizing::new(number), bits }
    }

    /// The bit at a place that is public, 0 above the number.
    pub(super) fn bit(&self, place: u32) -> Word {
        let words = self.number.as_words();
        let word = usize::try_from(place / Word::BITS).ok().and_then(|at| words.get(at));
        word.map_or(0, |word| word >> (place % Word::BITS) & 1)
    }
}

/// Bits of a secret exponent: those of RFC 7919, appendix A, which are twice the group's strength.
/// A group between two of them gets those of the larger.
fn exponent_bits(modulus_bits: usize) -> u32 {
    match modulus_bits {
        0..=2048 => 225,
        2049..=3072 => 275,
        3073..=4096 => 325,
        4097..=6144 => 375,
        _ => 400,
    }
}

/// A number in as many limbs as `width` bytes need, which all numbers of a group share.
fn number(bytes: &[u8], width: usize) -> Option<BoxedUint> {
    let bits = u32::try_from(width).ok()?.checked_mul(8)?;
    BoxedUint::from_be_slice(bytes, bits).ok()
}
