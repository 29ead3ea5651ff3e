// SPDX-License-Identifier: GPL-3.0-or-later
//! The Jacobi symbol of public numbers, which is all that a safe prime needs for its subgroup test.

/// (a/n) of two big-endian numbers, n odd: 1, −1, or 0 where they share a factor. For a prime n it
/// is the Legendre symbol, so 1 means that a^((n−1)/2) = 1. Not constant time.
///
/// The rules of HAC 2.149 in their binary form (Cohen 1.4.12): taking out factors of two and
/// subtracting needs no division, so a step is two passes over the limbs.
pub(super) fn jacobi(a: &[u8], n: &[u8]) -> i8 {
    let (mut a, mut n) = (limbs(a), limbs(n));
    let mut symbol = 1;
    while let Some(zeros) = trailing_zeros(&a) {
        shift_right(&mut a, zeros);
        // (2/n) = −1 for n ≡ 3 or 5 mod 8.
        if zeros % 2 == 1 && matches!(low(&n) & 7, 3 | 5) {
            symbol = -symbol;
        }
        if less(&a, &n) {
            core::mem::swap(&mut a, &mut n);
            // Quadratic reciprocity.
            if low(&a) & 3 == 3 && low(&n) & 3 == 3 {
                symbol = -symbol;
            }
        }
        subtract(&mut a, &n);
    }
    // a is 0 and n the greatest common divisor.
    if n == [1] { symbol } else { 0 }
}

/// Little-endian limbs without zeros on top.
fn limbs(bytes: &[u8]) -> Vec<u64> {
    let mut limbs: Vec<u64> = bytes
        .rchunks(8)
        .map(|chunk| chunk.iter().fold(0, |limb, byte| limb << 8 | u64::from(*byte)))
        .collect();
    trim(&mut limbs);
    limbs
}

fn trim(limbs: &mut Vec<u64>) {
    while limbs.last() == Some(&0) {
        limbs.pop();
    }
}

fn low(limbs: &[u64]) -> u64 {
    limbs.first().copied().unwrap_or(0)
}

/// `None` for zero.
fn trailing_zeros(limbs: &[u64]) -> Option<usize> {
    let whole = limbs.iter().position(|limb| *limb != 0)?;
    let bits = limbs.get(whole)?.trailing_zeros();
    Some(64 * whole + usize::try_from(bits).ok()?)
}

fn shift_right(limbs: &mut Vec<u64>, count: usize) {
    limbs.drain(..(count / 64).min(limbs.len()));
    let bits = count % 64;
    if bits != 0 {
        let mut above = 0;
        for limb in limbs.iter_mut().rev() {
            let next = *limb << (64 - bits);
            *limb = *limb >> bits | above;
            above = next;
        }
    }
    trim(limbs);
}

fn less(a: &[u64], b: &[u64]) -> bool {
    let by_length = a.len().cmp(&b.len());
    by_length.then_with(|| a.iter().rev().cmp(b.iter().rev())).is_lt()
}

/// a − b for a ≥ b.
fn subtract(a: &mut Vec<u64>, b: &[u64]) {
    let mut borrow = false;
    for (limb, other) in a.iter_mut().zip(b.iter().chain(core::iter::repeat(&0))) {
        let (half, first) = limb.overflowing_sub(*other);
        let (whole, second) = half.overflowing_sub(u64::from(borrow));
        *limb = whole;
        borrow = first || second;
    }
    trim(a);
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
