// SPDX-License-Identifier: GPL-3.0-or-later
//! The joint sieve: of the numbers Q₀ + 12i those that neither are divisible by a small prime nor have
//! a 2Q+1 that is. What it removes costs no exponentiation.
//!
//! Q₀ = 11 mod 12, so Q is odd, neither Q nor 2Q+1 is divisible by 3, and 2Q+1 = 23 mod 24, for which
//! 2 is a square.

use super::fermat::negative_inverse;
use num_bigint::BigUint;

/// Numbers of the sieve's own segment, odd ones only: half of what a first-level cache holds.
const SEGMENT: u32 = 1 << 18;

/// Which of the first `length` numbers Q₀ + 12i are left after the primes of `from..to` (5 ≤ from ≤
/// to ≤ 2^31). Bit i of the result is set where the number is out.
pub(super) fn sieve(start: &BigUint, length: u32, from: u32, to: u32) -> Vec<u64> {
    let limbs = start.to_u64_digits();
    let words = usize::try_from(length.div_ceil(64)).unwrap_or_default();
    let mut out = vec![0; words];
    let mut strike = |prime: u32, residue: u32| {
        let prime_64 = u64::from(prime);
        // 24·24 = 1 mod 24 for every unit, so −prime is the inverse of −prime^−1 there.
        let inverse_24 = ((24 - prime_64 % 24) * prime_64 + 1) / 24;
        let inverse_12 = 2 * inverse_24 % prime_64;
        // Q₀ + 12i = 0, and 2(Q₀ + 12i) + 1 = 0 one 24th earlier.
        let first = (prime_64 - u64::from(residue)) * inverse_12 % prime_64;
        let second = (first + prime_64 - inverse_24) % prime_64;
        for mut at in [first, second] {
            while at < u64::from(length) {
                let word = usize::try_from(at / 64).unwrap_or(usize::MAX);
                if let Some(word) = out.get_mut(word) {
                    *word |= 1 << (at % 64);
                }
                at += prime_64;
            }
        }
    };
    for_each_prime(from, to, |primes| {
        // Two primes to a division of the long number.
        let (pairs, rest) = primes.as_chunks::<2>();
        let last = rest.iter().map(|prime| [*prime, 1]);
        for [prime, other] in pairs.iter().copied().chain(last) {
            let residue = residue(&limbs, u64::from(prime) * u64::from(other));
            strike(prime, remainder(residue, prime));
            if other != 1 {
                strike(other, remainder(residue, other));
            }
        }
    });
    out
}

/// The long number mod m, for odd m below 2^62. Montgomery's reduction limb by limb gives
/// number·2^(−64·limbs), and one multiplication brings that back: a tenth of the price of dividing.
fn residue(limbs: &[u64], m: u64) -> u64 {
    let inverse = negative_inverse(m);
    let mut sum = 0;
    for limb in limbs {
        sum = reduce(u128::from(sum) + u128::from(*limb), m, inverse);
    }
    let one = (u64::MAX % m + 1) % m;
    let mut square = u64::try_from(u128::from(one) * u128::from(one) % u128::from(m)).unwrap_or(0);
    // 2^(64·limbs) in Montgomery's form, by squaring.
    let mut back = one;
    let mut exponent = limbs.len();
    while exponent > 0 {
        if exponent % 2 == 1 {
            back = reduce(u128::from(back) * u128::from(square), m, inverse);
        }
        square = reduce(u128::from(square) * u128::from(square), m, inverse);
        exponent /= 2;
    }
    reduce(u128::from(sum) * u128::from(back), m, inverse)
}

/// wide·2^−64 mod m, for wide below m·2^64.
#[expect(clippy::cast_possible_truncation, reason = "halves of a number of 128 bits")]
fn reduce(wide: u128, m: u64, inverse: u64) -> u64 {
    let factor = (wide as u64).wrapping_mul(inverse);
    // Below 2^124 + 2^126: m is below 2^62.
    let reduced = ((wide + u128::from(factor) * u128::from(m)) >> 64) as u64;
    if reduced >= m { reduced - m } else { reduced }
}

fn remainder(residue: u64, prime: u32) -> u32 {
    u32::try_from(residue % u64::from(prime)).unwrap_or(0)
}

/// Calls `each` with the primes of `from..to`, some at a time, smallest first. For `from` above 2.
fn for_each_prime(from: u32, to: u32, mut each: impl FnMut(&[u32])) {
    let base = small_primes(to.isqrt() + 1);
    let mut primes = Vec::new();
    // Flag i of a segment stands for low + 2i, low odd.
    let mut low = from | 1;
    while low < to {
        let flags = (to - low).div_ceil(2).min(SEGMENT);
        let mut composite = vec![false; usize::try_from(flags).unwrap_or_default()];
        let high = u64::from(low) + 2 * u64::from(flags);
        for prime in base.iter().copied().filter(|prime| *prime > 2) {
            let prime = u64::from(prime);
            let low = u64::from(low);
            if prime * prime >= high {
                break;
            }
            // The first odd multiple from low on, and no prime itself.
            let mut multiple = low.div_ceil(prime).max(prime) * prime;
            if multiple.is_multiple_of(2) {
                multiple += prime;
            }
            let at = usize::try_from((multiple - low) / 2).unwrap_or(usize::MAX);
            let step = usize::try_from(prime).unwrap_or(usize::MAX);
            composite.iter_mut().skip(at).step_by(step).for_each(|flag| *flag = true);
        }
        primes.clear();
        let numbers = (low..).step_by(2).zip(&composite);
        primes.extend(numbers.filter(|(_, composite)| !**composite).map(|(number, _)| number));
        each(&primes);
        match low.checked_add(2 * flags) {
            Some(next) => low = next,
            None => return,
        }
    }
}

fn small_primes(below: u32) -> Vec<u32> {
    let mut composite = vec![false; usize::try_from(below).unwrap_or_default()];
    let mut primes = Vec::new();
    for number in 2..below {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        if composite.get(at) != Some(&false) {
            continue;
        }
        primes.push(number);
        composite.iter_mut().skip(at).step_by(at).for_each(|flag| *flag = true);
    }
    primes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn primes(from: u32, to: u32) -> Vec<u32> {
        let mut all = Vec::new();
        for_each_prime(from, to, |primes| all.extend_from_slice(primes));
        all
    }

    #[test]
    fn primes_are_found_across_segments() {
        let small = small_primes(100_000);
        assert_eq!((small.len(), small.last()), (9592, Some(&99_991)));
        assert_eq!(primes(5, 100_000), small[2..]);
        assert_eq!(primes(5, 2_000_000).len(), 148_933 - 2);
        assert_eq!(primes(1_000_000, 1_000_040), [1_000_003, 1_000_033, 1_000_037, 1_000_039]);
        assert_eq!(primes(2_147_483_600, 2_147_483_647), [2_147_483_629]);
        assert!(primes(101, 101).is_empty());
    }

    proptest! {
        #[test]
        fn residues_are_those_of_division(bytes in prop::collection::vec(any::<u8>(), 1..300), m in 1..(1_u64 << 61)) {
            let number = BigUint::from_bytes_be(&bytes);
            let m = 2 * m + 1;
            let expected = (&number % m).to_u64_digits().first().copied().unwrap_or(0);
            prop_assert_eq!(residue(&number.to_u64_digits(), m), expected);
        }

        /// Exactly the numbers with a small divisor of Q or 2Q+1 are out: one too many would only be
        /// slow, one that is prime and missing would never be found.
        #[test]
        fn the_sieve_removes_what_has_a_small_divisor_and_nothing_else(bytes in prop::collection::vec(any::<u8>(), 9..40)) {
            let start = BigUint::from_bytes_be(&bytes) * 12_u8 + 11_u8;
            let divisors = primes(5, 300);
            let out = sieve(&start, 1000, 5, 300);
            for i in 0..1000_u32 {
                let q = &start + 12 * i;
                let p: BigUint = &q * 2_u8 + 1_u8;
                let divided = |n: &BigUint| divisors.iter().any(|prime| n % *prime == BigUint::ZERO);
                let is_out = out[i as usize / 64] >> (i % 64) & 1 == 1;
                prop_assert_eq!(is_out, divided(&q) || divided(&p), "{}", i);
            }
        }
    }
}
