// SPDX-License-Identifier: GPL-3.0-or-later
//! Fermat's test with base 2, as fast as it goes here: the search for a safe prime spends nearly all
//! its time in it. Public numbers only; nothing is in constant time.
//!
//! 2^(n−1) mod n takes squarings and doublings, no other multiplication. The squarings are Montgomery's
//! (HAC 14.32), with two rows of a product in one pass over the limbs: two chains of carries run side
//! by side.

use num_bigint::BigUint;

/// Whether 2^(n−1) = 1 mod n. All primes above 2 pass, and hardly any composite drawn at random.
/// Even numbers and those below 3 do not pass.
pub(super) fn passes_fermat(n: &BigUint) -> bool {
    let Some(modulus) = Modulus::new(n) else { return false };
    let exponent = n - 1_u8;
    let mut power = modulus.one.clone();
    let mut wide = vec![0; 2 * power.len()];
    for bit in (0..exponent.bits()).rev() {
        modulus.square(&mut power, &mut wide);
        if exponent.bit(bit) {
            modulus.double(&mut power);
        }
    }
    power == modulus.one
}

/// An odd number and what Montgomery's reduction needs of it. Limbs are least significant first, and
/// even in number.
struct Modulus {
    n: Vec<u64>,
    /// −n^−1 mod 2^64.
    inverse: u64,
    /// 2^(64·limbs) mod n: the one of the Montgomery form.
    one: Vec<u64>,
}

impl Modulus {
    fn new(number: &BigUint) -> Option<Self> {
        if !number.bit(0) || number.bits() < 2 {
            return None;
        }
        let limbs = number.to_u64_digits().len().next_multiple_of(2);
        let padded = |number: &BigUint| {
            let mut digits = number.to_u64_digits();
            digits.resize(limbs, 0);
            digits
        };
        let n = padded(number);
        let inverse = negative_inverse(*n.first()?);
        let one = padded(&((BigUint::from(1_u8) << (64 * limbs)) % number));
        Some(Self { n, inverse, one })
    }

    /// x²·2^(−64·limbs) mod n. `wide` is room for the product.
    fn square(&self, x: &mut [u64], wide: &mut [u64]) {
        product(x, wide);
        let carry = self.reduce(wide);
        let (_, high) = wide.split_at(x.len());
        x.copy_from_slice(high);
        if carry != 0 || !less(x, &self.n) {
            subtract(x, &self.n);
        }
    }

    /// 2x mod n.
    fn double(&self, x: &mut [u64]) {
        let mut carry = 0;
        for limb in x.iter_mut() {
            let next = *limb >> 63;
            *limb = *limb << 1 | carry;
            carry = next;
        }
        if carry != 0 || !less(x, &self.n) {
            subtract(x, &self.n);
        }
    }

    /// Makes the lower half of `wide` zero by adding multiples of n, two limbs at a time. Returns the
    /// carry out of it.
    fn reduce(&self, wide: &mut [u64]) -> u64 {
        let limbs = self.n.len();
        let [first, second, ..] = *self.n.as_slice() else { return 0 };
        let mut carry = 0;
        for at in (0..limbs).step_by(2) {
            let window = wide.get_mut(at..).unwrap_or_default();
            let Some((rows, [above, ..])) = window.split_at_mut_checked(limbs + 1) else { break };
            let [low, next, ..] = *rows else { break };
            let zero_low = low.wrapping_mul(self.inverse);
            let (_, over) = multiply_add(low, first, zero_low, 0);
            let (next, _) = multiply_add(next, second, zero_low, over);
            let zero_next = next.wrapping_mul(self.inverse);
            let over = add_two_rows(rows, &self.n, zero_low, zero_next);
            // The carry of the rows before belongs to the last limb of these.
            if let Some(last) = rows.last_mut() {
                (*last, carry) = halves(u128::from(*last) + u128::from(carry));
            }
            (*above, carry) = halves(u128::from(*above) + u128::from(over) + u128::from(carry));
        }
        carry
    }
}

/// x² in twice as many limbs: the products of different limbs once, doubled, and the squares.
fn product(x: &[u64], wide: &mut [u64]) {
    wide.fill(0);
    let mut rest = x;
    // Where the square of the first limb of `rest` belongs.
    let mut at = 0;
    // Two rows at a time: limbs a and b against what follows both, and a·b by itself.
    while let [a, b, following @ ..] = rest {
        let Some(from) = wide.get_mut(at + 1..) else { return };
        let [ab, rows @ ..] = from else { return };
        let (low, over) = multiply_add(*ab, *a, *b, 0);
        *ab = low;
        let Some((rows, above)) = rows.split_at_mut_checked(following.len() + 1) else { return };
        let mut carry = add_two_rows(rows, following, *a, *b);
        // `over` belongs to the lowest limb of the rows.
        let mut over = over;
        for limb in rows.iter_mut() {
            if over == 0 {
                break;
            }
            (*limb, over) = halves(u128::from(*limb) + u128::from(over));
        }
        carry += over;
        if let Some(limb) = above.first_mut() {
            *limb = carry;
        }
        rest = following;
        at += 4;
    }
    let (mut doubled, mut carry) = (0, 0);
    for (pair, limb) in wide.as_chunks_mut::<2>().0.iter_mut().zip(x) {
        let [low, high] = *pair;
        let (square_low, square_high) = multiply_add(0, *limb, *limb, 0);
        let twice_low = low << 1 | doubled;
        let twice_high = high << 1 | low >> 63;
        doubled = high >> 63;
        let (low, over) =
            halves(u128::from(twice_low) + u128::from(square_low) + u128::from(carry));
        let sum = u128::from(twice_high) + u128::from(square_high) + u128::from(over);
        let (high, over) = halves(sum);
        carry = over;
        *pair = [low, high];
    }
}

/// w += m·a + m·b·2^64 for w one limb longer than m. Returns the carry, at most 2^64−1: w and both
/// rows together are less than 2^(64·(limbs+2)).
fn add_two_rows(w: &mut [u64], m: &[u64], a: u64, b: u64) -> u64 {
    let (mut over_a, mut over_b, mut before) = (0, 0, 0);
    let Some((body, [last])) = w.split_at_mut_checked(m.len()) else { return 0 };
    let (blocks, tail) = body.as_chunks_mut::<4>();
    let (m_blocks, m_tail) = m.as_chunks::<4>();
    for ([w0, w1, w2, w3], [m0, m1, m2, m3]) in blocks.iter_mut().zip(m_blocks) {
        let mut sum;
        (sum, over_a) = multiply_add(*w0, *m0, a, over_a);
        (*w0, over_b) = multiply_add(sum, before, b, over_b);
        (sum, over_a) = multiply_add(*w1, *m1, a, over_a);
        (*w1, over_b) = multiply_add(sum, *m0, b, over_b);
        (sum, over_a) = multiply_add(*w2, *m2, a, over_a);
        (*w2, over_b) = multiply_add(sum, *m1, b, over_b);
        (sum, over_a) = multiply_add(*w3, *m3, a, over_a);
        (*w3, over_b) = multiply_add(sum, *m2, b, over_b);
        before = *m3;
    }
    for (limb, m) in tail.iter_mut().zip(m_tail) {
        let sum;
        (sum, over_a) = multiply_add(*limb, *m, a, over_a);
        (*limb, over_b) = multiply_add(sum, before, b, over_b);
        before = *m;
    }
    let (sum, over) = halves(u128::from(*last) + u128::from(over_a));
    (*last, over_b) = multiply_add(sum, before, b, over_b);
    over_b + over
}

/// limb + a·b + over, as lower and upper half; it cannot overflow.
#[inline]
fn multiply_add(limb: u64, a: u64, b: u64, over: u64) -> (u64, u64) {
    halves(u128::from(limb) + u128::from(a) * u128::from(b) + u128::from(over))
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is asked for")]
fn halves(wide: u128) -> (u64, u64) {
    (wide as u64, (wide >> 64) as u64)
}

/// −n^−1 mod 2^64 for odd n, by Newton's iteration: each round doubles the bits that are right.
pub(super) fn negative_inverse(n: u64) -> u64 {
    let mut inverse = n;
    for _ in 0..5 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(n.wrapping_mul(inverse)));
    }
    inverse.wrapping_neg()
}

fn less(x: &[u64], y: &[u64]) -> bool {
    x.iter().rev().lt(y.iter().rev())
}

/// x −= y, where what is borrowed at the top was carried out before.
fn subtract(x: &mut [u64], y: &[u64]) {
    let mut borrow = false;
    for (x, y) in x.iter_mut().zip(y) {
        let (difference, first) = x.overflowing_sub(*y);
        let (difference, second) = difference.overflowing_sub(u64::from(borrow));
        *x = difference;
        borrow = first || second;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn passes_by_num_bigint(n: &BigUint) -> bool {
        BigUint::from(2_u8).modpow(&(n - 1_u8), n) == BigUint::from(1_u8)
    }

    #[test]
    fn small_numbers_pass_or_fail_as_they_do_by_the_definition() {
        for n in (3..20_000_u32).step_by(2) {
            let n = BigUint::from(n);
            assert_eq!(passes_fermat(&n), passes_by_num_bigint(&n), "{n}");
        }
        for n in [0_u8, 1, 2, 4] {
            assert!(!passes_fermat(&n.into()), "{n}");
        }
    }

    #[test]
    fn mersenne_primes_pass_and_their_neighbours_fail() {
        for bits in [61_u32, 89, 107, 127, 521, 607, 1279, 2203] {
            let prime = (BigUint::from(1_u8) << bits) - 1_u8;
            assert!(passes_fermat(&prime), "{bits}");
            assert!(!passes_fermat(&(&prime - 2_u8)), "{bits}");
        }
    }

    proptest! {
        /// 2 squared and doubled: any wrong limb or carry shows in the last power.
        #[test]
        fn powers_are_those_of_another_implementation(bytes in prop::collection::vec(any::<u8>(), 1..80)) {
            let n = BigUint::from_bytes_be(&bytes) * 2_u8 + 3_u8;
            let modulus = Modulus::new(&n).unwrap();
            let mut x = modulus.one.clone();
            modulus.double(&mut x);
            let mut expected = BigUint::from(2_u8) % &n;
            let mut wide = vec![0; 2 * x.len()];
            for _ in 0..40 {
                modulus.square(&mut x, &mut wide);
                modulus.double(&mut x);
                expected = &expected * &expected * 2_u8 % &n;
            }
            let number = |limbs: &[u64]| {
                let bytes: Vec<u8> = limbs.iter().flat_map(|limb| limb.to_le_bytes()).collect();
                BigUint::from_bytes_le(&bytes)
            };
            let montgomery = number(&modulus.one) * &expected % &n;
            prop_assert_eq!(number(&x), montgomery);
            prop_assert_eq!(passes_fermat(&n), passes_by_num_bigint(&n));
        }
    }

    #[test]
    fn limbs_of_all_ones_do_not_overflow() {
        for limbs in 1..12_u32 {
            let n = (BigUint::from(1_u8) << (64 * limbs)) - 1_u8;
            assert_eq!(passes_fermat(&n), passes_by_num_bigint(&n), "{limbs}");
            let n = (BigUint::from(1_u8) << (64 * limbs)) - 189_u8;
            assert_eq!(passes_fermat(&n), passes_by_num_bigint(&n), "{limbs}");
        }
    }
}
