// SPDX-License-Identifier: GPL-3.0-or-later
//! The Jacobi symbol of public numbers, which is all that a safe prime needs for its subgroup test.

/// (a/n) of two big-endian numbers, n odd: 1, −1, or 0 where they share a factor. For a prime n it
/// is the Legendre symbol, so 1 means that a^((n−1)/2) = 1. Not constant time.
///
/// The rules of HAC 2.149 in their binary form (Cohen 1.4.12): taking out factors of two and
/// subtracting needs no division, and both are done in one pass over the limbs.
pub(super) fn jacobi(a: &[u8], n: &[u8]) -> i8 {
    let (mut a, mut n) = (limbs(a), limbs(n));
    let length = a.len().max(n.len());
    a.resize(length, 0);
    n.resize(length, 0);
    let mut symbol = 1;
    // (2/n) = −1 for n ≡ 3 or 5 mod 8.
    let of_twos = |zeros: u32, n: &[u64]| zeros % 2 == 1 && matches!(low(n) & 7, 3 | 5);
    // From here on both are odd.
    let Some(zeros) = take_out_twos(&mut a) else { return i8::from(is_one(&n)) };
    if of_twos(zeros, &n) {
        symbol = -symbol;
    }
    loop {
        if a.iter().rev().lt(n.iter().rev()) {
            core::mem::swap(&mut a, &mut n);
            // Quadratic reciprocity.
            if low(&a) & 3 == 3 && low(&n) & 3 == 3 {
                symbol = -symbol;
            }
        }
        let zeros = match low(&a).wrapping_sub(low(&n)).trailing_zeros() {
            // All of the lowest limb, or more: hardly ever, and when they are equal.
            u64::BITS => {
                subtract_and_shift(&mut a, &n, 0);
                let Some(zeros) = take_out_twos(&mut a) else { break };
                zeros
            }
            zeros => {
                subtract_and_shift(&mut a, &n, zeros);
                zeros
            }
        };
        if of_twos(zeros, &n) {
            symbol = -symbol;
        }
        while a.last() == Some(&0) && n.last() == Some(&0) {
            a.pop();
            n.pop();
        }
    }
    // a is 0 and n the greatest common divisor.
    if is_one(&n) { symbol } else { 0 }
}

/// Little-endian limbs.
fn limbs(bytes: &[u8]) -> Vec<u64> {
    let limb = |chunk: &[u8]| chunk.iter().fold(0, |limb, byte| limb << 8 | u64::from(*byte));
    bytes.rchunks(8).map(limb).collect()
}

fn low(limbs: &[u64]) -> u64 {
    limbs.first().copied().unwrap_or(0)
}

fn is_one(limbs: &[u64]) -> bool {
    low(limbs) == 1 && limbs.iter().skip(1).all(|limb| *limb == 0)
}

/// Makes a number odd, and says how often it was halved for that. `None` for zero.
fn take_out_twos(limbs: &mut [u64]) -> Option<u32> {
    let whole = limbs.iter().position(|limb| *limb != 0)?;
    limbs.rotate_left(whole);
    let bits = low(limbs).trailing_zeros();
    let mut above = 0;
    for limb in limbs.iter_mut().rev() {
        let next = limb.checked_shl(u64::BITS - bits).unwrap_or(0);
        *limb = *limb >> bits | above;
        above = next;
    }
    Some(u64::BITS * u32::try_from(whole).ok()? + bits)
}

/// (a − b) / 2^zeros, for a ≥ b of as many limbs and fewer zeros than a limb has bits.
fn subtract_and_shift(a: &mut [u64], b: &[u64], zeros: u32) {
    let mut limbs = a.iter_mut().zip(b);
    let Some((mut place, other)) = limbs.next() else { return };
    let (mut below, mut borrow) = place.overflowing_sub(*other);
    for (next, other) in limbs {
        let (half, first) = next.overflowing_sub(*other);
        let (difference, second) = half.overflowing_sub(u64::from(borrow));
        borrow = first | second;
        *place = below >> zeros | difference.checked_shl(u64::BITS - zeros).unwrap_or(0);
        (place, below) = (next, difference);
    }
    *place = below >> zeros;
}

#[cfg(test)]
mod tests {
    use super::jacobi;
    use num_bigint::BigUint;
    use proptest::prelude::*;

    fn symbol(a: u128, n: u128) -> i8 {
        jacobi(&a.to_be_bytes(), &n.to_be_bytes())
    }

    #[test]
    fn the_symbol_is_the_product_of_the_legendre_symbols() {
        let legendre = |a: u128, p: u128| match (1..p).any(|x| x * x % p == a % p) {
            _ if a.is_multiple_of(p) => 0,
            true => 1,
            false => -1,
        };
        for n in (1..400_u128).step_by(2) {
            let (mut rest, mut factors) = (n, Vec::new());
            while let Some(factor) = (3..=rest).find(|factor| rest % factor == 0) {
                factors.push(factor);
                rest /= factor;
            }
            for a in 0..n + 20 {
                let product = factors.iter().map(|p| legendre(a, *p)).product::<i8>();
                assert_eq!(symbol(a, n), product, "({a}/{n})");
            }
        }
    }

    #[test]
    fn the_symbol_is_that_of_hac_example_2_152() {
        assert_eq!(symbol(158, 235), -1);
    }

    /// A difference that ends in whole limbs of zeros, and numbers of different lengths.
    #[test]
    fn the_symbol_of_numbers_that_share_their_lowest_limbs_follows_eulers_criterion() {
        let p = (BigUint::from(1_u8) << 521_u32) - 1_u8;
        for shift in [1_u32, 63, 64, 65, 127, 128, 200, 519] {
            for above in [1_u32, 2, 3, 77] {
                let a = &p - (BigUint::from(above) << shift) % &p;
                let one = a.modpow(&(&p >> 1_u8), &p) == BigUint::from(1_u8);
                let found = jacobi(&a.to_bytes_be(), &p.to_bytes_be());
                assert_eq!(found, if one { 1 } else { -1 }, "{shift} {above}");
            }
        }
        assert_eq!(jacobi(&p.to_bytes_be(), &p.to_bytes_be()), 0);
        assert_eq!(jacobi(&[], &p.to_bytes_be()), 0);
        assert_eq!(jacobi(&[], &[1]), 1);
    }

    proptest! {
        /// 2^521 − 1 is prime, so the symbol must follow Euler's criterion on numbers of many limbs.
        #[test]
        fn the_symbol_follows_eulers_criterion(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let p = (BigUint::from(1_u8) << 521_u32) - 1_u8;
            let power = BigUint::from_bytes_be(&bytes).modpow(&(&p >> 1_u8), &p);
            let expected = match &power {
                zero if *zero == BigUint::ZERO => 0,
                one if *one == BigUint::from(1_u8) => 1,
                _ => -1,
            };
            prop_assert_eq!(jacobi(&bytes, &p.to_bytes_be()), expected);
        }
    }
}
