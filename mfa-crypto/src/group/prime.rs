// SPDX-License-Identifier: GPL-3.0-or-later
//! Primality of public numbers that somebody may have chosen to deceive the test.

use crate::random::{self, RngError};
use num_bigint::BigUint;
use rand_core::TryCryptoRng;
use zeroize::Zeroizing;

/// Whether an odd number above 3 passes `rounds` Miller–Rabin rounds. A composite number, however
/// chosen, passes a round with a base drawn after it was chosen with a chance of at most 1/4
/// (Rabin 1980; HAC 4.24): the average-case bounds that allow fewer rounds do not hold here.
pub(super) fn passes_miller_rabin<R: TryCryptoRng + ?Sized>(
    n: &BigUint,
    rounds: u32,
    rng: &mut R,
) -> Result<bool, RngError> {
    // One after the other: most composites fail with the first.
    for _ in 0..rounds {
        if !passes_miller_rabin_with(n, &draw_bases(n, 1, rng)?) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether an odd number above 3 passes a Miller–Rabin round with each of these bases.
pub(super) fn passes_miller_rabin_with(n: &BigUint, bases: &[BigUint]) -> bool {
    let one = BigUint::from(1_u8);
    let last = n - &one;
    let Some(twos) = last.trailing_zeros() else {
        return false;
    };
    let odd = &last >> twos;
    bases.iter().all(|base| {
        let mut power = base.modpow(&odd, n);
        let mut left = twos;
        while power != last && power != one && left > 1 {
            power = &power * &power % n;
            left -= 1;
        }
        // One at once, or −1 within s squarings; a one that −1 did not lead to has another root.
        let first = left == twos;
        power == last || (power == one && first)
    })
}

/// Random bases for n.
pub(super) fn draw_bases<R: TryCryptoRng + ?Sized>(
    n: &BigUint,
    count: u32,
    rng: &mut R,
) -> Result<Vec<BigUint>, RngError> {
    (0..count).map(|_| base(n, rng)).collect()
}

/// Whether P = 2q+1 is prime, given that q is: Pocklington's theorem with base 2, since
/// q > √P − 1, asks for 2^(P−1) = 1 and gcd(2^2 − 1, P) = 1. It leaves no doubt about P.
pub(super) fn passes_pocklington(p: &BigUint) -> bool {
    let one = BigUint::from(1_u8);
    p % 3_u8 != BigUint::ZERO && BigUint::from(2_u8).modpow(&(p - &one), p) == one
}

/// Odd primes below 2^12, for rejecting most composites without an exponentiation.
pub(super) fn small_odd_primes() -> impl Iterator<Item = u32> {
    (3..4096_u32).step_by(2).filter(|candidate| {
        (3..)
            .step_by(2)
            .take_while(|divisor| divisor * divisor <= *candidate)
            .all(|divisor| candidate % divisor != 0)
    })
}

/// A base in 2..=n−2. Drawn 128 bits too long and then reduced, so it is uniform but for 2^-128 and
/// no loop depends on the source of randomness.
fn base<R: TryCryptoRng + ?Sized>(n: &BigUint, rng: &mut R) -> Result<BigUint, RngError> {
    let length = n.to_bytes_be().len() + 16;
    let mut bytes = Zeroizing::new(vec![0; length]);
    random::fill(rng, &mut bytes)?;
    Ok(BigUint::from_bytes_be(&bytes) % (n - 3_u8) + 2_u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::Group;
    use getrandom::SysRng;

    fn is_prime(n: &BigUint, rounds: u32) -> bool {
        passes_miller_rabin(n, rounds, &mut SysRng).unwrap()
    }

    #[test]
    fn small_numbers_are_told_apart() {
        let primes: Vec<u32> = small_odd_primes().collect();
        assert_eq!((primes.len(), primes.last()), (563, Some(&4093)));
        for n in (5..4096_u32).step_by(2) {
            assert_eq!(is_prime(&n.into(), 64), primes.contains(&n), "{n}");
        }
    }

    #[test]
    fn numbers_that_deceive_fixed_bases_do_not_deceive_random_ones() {
        let mersenne = (BigUint::from(1_u8) << 521_u32) - 1_u8;
        assert!(is_prime(&mersenne, 64));
        let decimal = |digits: &str| digits.parse::<BigUint>().unwrap();
        // Arnault 1995: a Carmichael number of 397 digits that passes for every prime base < 307.
        let factor = decimal(concat!(
            "29674495668685510550154174642905332730771991799853043350995075531276838753171770199",
            "594238596428121188033664754218345562493168782883",
        ));
        let last = &factor - 1_u8;
        let arnault = &factor * (&last * 313_u32 + 1_u8) * (&last * 353_u32 + 1_u8);
        assert_eq!(arnault.to_string().len(), 397);
        let mut deceptive = vec![arnault];
        // Carmichael numbers; the smallest numbers that pass for the first 4, 9 and 12 primes.
        for digits in [
            "561",
            "1105",
            "1729",
            "56052361",
            "3215031751",
            "3825123056546413051",
            "318665857834031151167461",
        ] {
            deceptive.push(decimal(digits));
        }
        for n in deceptive {
            for _ in 0..20 {
                assert!(!is_prime(&n, 64), "{n}");
            }
        }
    }

    #[test]
    fn the_primes_of_rfc_7919_are_safe() {
        // Eight rounds: the numbers are recomputed from the RFC's formula in another test, so nobody
        // chose them to deceive, and each failing round would tell.
        for name in ["ffdhe2048", "ffdhe3072"] {
            let p = BigUint::from_bytes_be(Group::named(name).unwrap().p());
            let q = &p >> 1_u8;
            assert!(is_prime(&q, 8) && passes_pocklington(&p), "{name}");
            assert!(!is_prime(&(&q + 2_u8), 8));
            assert!(!passes_pocklington(&(&p + 4_u8)));
        }
    }

    #[test]
    fn pocklington_tells_primes_from_twice_a_prime_plus_one() {
        let primes: Vec<u32> = small_odd_primes().collect();
        for q in primes.iter().filter(|q| **q < 2048) {
            let p = 2 * q + 1;
            assert_eq!(passes_pocklington(&p.into()), primes.contains(&p), "{p}");
        }
    }

    #[test]
    fn a_test_without_randomness_says_so() {
        struct Failing;
        impl rand_core::TryRng for Failing {
            type Error = core::fmt::Error;
            fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
                Err(core::fmt::Error)
            }
            fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
                Err(core::fmt::Error)
            }
            fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Self::Error> {
                Err(core::fmt::Error)
            }
        }
        impl TryCryptoRng for Failing {}
        assert!(passes_miller_rabin(&101_u8.into(), 1, &mut Failing).is_err());
        assert!(is_prime(&101_u8.into(), 1));
    }
}
