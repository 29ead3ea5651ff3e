// SPDX-License-Identifier: GPL-3.0-or-later
//! Powers of one base, as the generator is, at a third of the price: Lim and Lee's comb (CRYPTO '94; HAC
//! 14.117). The exponent's bits are laid out in rows; one multiplication takes a column of them, from a table
//! of the products of the base's powers at the rows' places.
//!
//! In constant time, as `parameters` has it: the bound of the exponent, which is public, sets how many columns
//! there are, each costs a square, a look at every entry of the table and a product, and what holds partial
//! powers is erased. The multiplier erases its own.

use super::parameters::Exponent;
use crypto_bigint::{
    MontyForm, MontyMultiplier, Word,
    ctutils::{CtAssign, CtEq},
    modular::{BoxedMontyForm, BoxedMontyParams},
};
use zeroize::Zeroize;

/// More rows save products, and cost memory and looks at the table: 2^rows entries.
const ROWS: u32 = 5;

/// It multiplies without a conditional step, in memory of its own.
type Multiplier<'a> = <BoxedMontyForm as MontyForm>::Multiplier<'a>;

/// The table of one base.
pub(super) struct Comb {
    /// Of the number whose bits are the rows that take part: the product of the base's powers at them.
    entries: Vec<BoxedMontyForm>,
    /// Bits in a row.
    columns: u32,
}

impl Comb {
    /// For exponents of at most `bits` bits. The base is public.
    pub(super) fn new(base: &BoxedMontyForm, bits: u32) -> Self {
        let columns = bits.div_ceil(ROWS).max(1);
        let params = base.params();
        let mut multiplier = Multiplier::from(params);
        let mut entries = vec![BoxedMontyForm::one(params)];
        let mut power = base.clone();
        for row in 0..ROWS {
            if row > 0 {
                (0..columns).for_each(|_| multiplier.square_assign(&mut power));
            }
            let without = entries.clone();
            entries.extend(without.into_iter().map(|mut entry| {
                multiplier.mul_assign(&mut entry, &power);
                entry
            }));
        }
        Self { entries, columns }
    }

    /// The base to this exponent; to be erased.
    pub(super) fn power(&self, params: &BoxedMontyParams, x: &Exponent) -> BoxedMontyForm {
        let mut multiplier = Multiplier::from(params);
        let mut power = BoxedMontyForm::one(params);
        let mut factor = BoxedMontyForm::one(params);
        for column in (0..self.columns).rev() {
            multiplier.square_assign(&mut power);
            let rows =
                (0..ROWS).fold(0, |rows, row| rows | x.bit(row * self.columns + column) << row);
            for (number, entry) in (0..).zip(&self.entries) {
                let number: Word = number;
                // Not the forms themselves, each of which would bring a copy of the group along.
                factor.as_montgomery_mut().ct_assign(entry.as_montgomery(), number.ct_eq(&rows));
            }
            multiplier.mul_assign(&mut power, &factor);
        }
        factor.zeroize();
        power
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Group, parameters::Exponent};
    use getrandom::SysRng;

    #[test]
    fn the_table_gives_the_powers_that_are_computed_without_it() {
        for name in ["ffdhe2048", "ffdhe3072", "ffdhe4096"] {
            let group = Group::named(name).unwrap();
            let bits = group.0.exponent_bits;
            let bytes = usize::try_from(bits.div_ceil(8)).unwrap();
            let mut ones = vec![0xff; bytes];
            ones[0] >>= 8 * bits.div_ceil(8) - bits;
            let mut exponents =
                vec![Exponent::of_bytes(bits, &vec![0; bytes]), Exponent::of_bytes(bits, &ones)];
            // Single bits, all over the rows and columns.
            for place in (0..bits).step_by(13).chain([bits - 1]) {
                let mut one = vec![0; bytes];
                let at = usize::try_from(place / 8).unwrap();
                one[bytes - 1 - at] = 1 << (place % 8);
                exponents.push(Exponent::of_bytes(bits, &one));
            }
            exponents.extend((0..5).map(|_| Exponent::random(bits, &mut SysRng).unwrap()));
            for x in &exponents {
                assert_eq!(group.one_of_many_public_values(x), group.public_value(x), "{name}");
            }
        }
    }
}
