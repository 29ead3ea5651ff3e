// SPDX-License-Identifier: GPL-3.0-or-later
//! Diffie-Hellman groups: a safe prime P and a generator G of its subgroup of order (P−1)/2.

mod checks;
mod comb;
mod fermat;
mod generate;
mod jacobi;
mod parameters;
mod pem;
mod prime;
mod rfc7919;
mod sieve;

pub use checks::{GroupError, MAX_BITS, MIN_BITS, PublicValueError};
pub use generate::{GenerateError, Progress};
pub(crate) use parameters::Exponent;

use crate::{fields, random::RngError};
use core::fmt;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use parameters::Parameters;
use rand_core::TryCryptoRng;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use zeroize::Zeroizing;

/// A group that passed its checks. Cloning is cheap: the numbers are shared.
#[derive(Clone)]
pub struct Group(Arc<Parameters>);

impl Group {
    /// The group of RFC 7919 with this name, `ffdhe2048` to `ffdhe8192`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let named = rfc7919::GROUPS.iter().find(|named| named.name == name)?;
        let p = HEXLOWER_PERMISSIVE.decode(named.p.as_bytes()).ok()?;
        Self::assemble(Some(named.name), &p, &[2])
    }

    /// The names that [`Group::named`] knows, smallest group first.
    pub fn names() -> impl Iterator<Item = &'static str> {
        rfc7919::GROUPS.iter().map(|named| named.name)
    }

    /// The group of two big-endian numbers without leading zeros. A group of RFC 7919 is recognised
    /// by comparison; any other is tested, which takes seconds, so keep its fingerprint.
    ///
    /// # Errors
    /// [`GroupError`], saying which rule is broken.
    pub fn from_numbers<R: TryCryptoRng + ?Sized>(
        p: &[u8],
        g: &[u8],
        rng: &mut R,
    ) -> Result<Self, GroupError> {
        checks::shape(p, g)?;
        let known = rfc7919::GROUPS.iter().find(|named| {
            named.p.len() == 2 * p.len() && named.p.eq_ignore_ascii_case(&HEXLOWER.encode(p))
        });
        let name = match known {
            Some(named) if g == [2] => Some(named.name),
            Some(_) => None,
            None => {
                checks::safe_prime(p, rng)?;
                None
            }
        };
        checks::generator(p, g)?;
        Self::assemble(name, p, g).ok_or(GroupError::Even)
    }

    /// Reads a PEM file as `openssl dhparam` and `openssl genpkey -genparam` write it:
    /// `DH PARAMETERS` (PKCS #3) or `X9.42 DH PARAMETERS` (RFC 3279, 2.3.3). The numbers are then
    /// checked like any others.
    ///
    /// # Errors
    /// [`GroupError`], for the file or for the numbers in it.
    pub fn from_pem<R: TryCryptoRng + ?Sized>(text: &str, rng: &mut R) -> Result<Self, GroupError> {
        let numbers = pem::decode(text)?;
        if let Some(q) = &numbers.q {
            checks::subgroup_order(&numbers.p, q)?;
        }
        Self::from_numbers(&numbers.p, &numbers.g, rng)
    }

    /// The group as PKCS #3 `DH PARAMETERS`, which OpenSSL reads.
    ///
    /// # Errors
    /// Only if the numbers do not fit into the encoding, which the checks rule out.
    pub fn to_pem(&self) -> Result<String, GroupError> {
        pem::encode(self.p(), self.g())
    }

    /// The name in RFC 7919, if it has one.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        self.0.name
    }

    /// The prime P, big-endian, without leading zeros.
    #[must_use]
    pub fn p(&self) -> &[u8] {
        &self.0.p
    }

    /// The generator G, big-endian, without leading zeros.
    #[must_use]
    pub fn g(&self) -> &[u8] {
        &self.0.g
    }

    /// |P|: bytes of P, of every public value and of every shared secret.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.p.len()
    }

    /// Bits of P.
    #[must_use]
    pub fn bits(&self) -> usize {
        checks::bits(&self.0.p)
    }

    /// SHA-256 over P and G as in [`Group::p`] and [`Group::g`], each behind its length in 32 bits,
    /// big-endian. Equal fingerprints mean equal numbers.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        self.0.fingerprint
    }

    /// Whether `y` may be used as the other side's public value: |P| bytes, 2 ≤ y ≤ P−2, and in the
    /// subgroup of order q (RFC 7919, 5.1; SP 800-56A, 5.6.2.3.1). For a safe prime the Jacobi
    /// symbol decides the latter, at a tenth of the price of y^q.
    ///
    /// # Errors
    /// Which of the three it fails.
    pub fn check_public(&self, y: &[u8]) -> Result<(), PublicValueError> {
        checks::public_value(&self.0.p, y)
    }

    pub(crate) fn exponent<R: TryCryptoRng + ?Sized>(
        &self,
        rng: &mut R,
    ) -> Result<Exponent, RngError> {
        Exponent::random(self.0.exponent_bits, rng)
    }

    /// G^x, |P| bytes.
    pub(crate) fn public_value(&self, x: &Exponent) -> Zeroizing<Vec<u8>> {
        self.0.power(&self.0.generator, x)
    }

    /// The same for whoever needs many: from the second on at a third of the price.
    pub(crate) fn one_of_many_public_values(&self, x: &Exponent) -> Zeroizing<Vec<u8>> {
        self.0.power_of_generator(x)
    }

    /// Z = y^x, |P| bytes with leading zeros kept. `None` if `y` has not |P| bytes.
    pub(crate) fn shared_secret(&self, y: &[u8], x: &Exponent) -> Option<Zeroizing<Vec<u8>>> {
        Some(self.0.power(&self.0.element(y)?, x))
    }

    fn assemble(name: Option<&'static str>, p: &[u8], g: &[u8]) -> Option<Self> {
        let fingerprint = Sha256::digest(fields::join(&[p, g]).as_slice()).into();
        Parameters::new(name, p, g, fingerprint).map(|parameters| Self(Arc::new(parameters)))
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Group({}, {} bits, {})",
            self.name().unwrap_or("custom"),
            self.bits(),
            HEXLOWER.encode(&self.fingerprint())
        )
    }
}

impl PartialEq for Group {
    fn eq(&self, other: &Self) -> bool {
        self.p() == other.p() && self.g() == other.g()
    }
}

impl Eq for Group {}
