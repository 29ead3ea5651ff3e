// SPDX-License-Identifier: GPL-3.0-or-later
//! The search for a new group: a random safe prime P = 2Q+1 with P = 23 mod 24, and G = 2, which then
//! generates the subgroup of order Q.
//!
//! Both Q and P are sieved together before the first exponentiation. After a sieve up to B a number
//! is prime with a chance of e^γ·ln B / ln Q (Mertens' third theorem), so some (ln Q / (e^γ·ln B))²
//! numbers are left to be tested for each that is found.

use super::{
    Group,
    checks::{GroupError, MAX_BITS, MIN_BITS},
    fermat::passes_fermat,
    prime::{draw_bases, passes_miller_rabin_with, passes_pocklington},
    sieve::sieve,
};
use crate::random::{self, RngError};
use core::{
    fmt,
    num::NonZeroUsize,
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};
use num_bigint::BigUint;
use rand_core::TryCryptoRng;
use std::thread;
use zeroize::Zeroizing;

/// Rounds of Miller–Rabin for Q in the end: a composite passes with a chance of at most 2^-128, even
/// though nobody chose it.
const ROUNDS: u32 = 64;

/// How far a search is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Numbers tested by an exponentiation.
    pub tested: u64,
    /// How many it takes on average. Whatever was tested before, as many again are expected: a search
    /// has no memory.
    pub expected: u64,
}

/// Why no group was generated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GenerateError {
    /// Not a size of P that a daemon or client accepts.
    Bits(usize),
    /// No randomness.
    Randomness(RngError),
    /// What was found fails the checks of every group: the arithmetic of this machine is broken.
    Refused(GroupError),
}

impl fmt::Display for GenerateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bits(bits) => {
                write!(f, "{bits} bits are not possible; choose {MIN_BITS} to {MAX_BITS}")
            }
            Self::Randomness(error) => error.fmt(f),
            Self::Refused(error) => write!(
                f,
                "the group that was found fails its check ({error}); this machine's arithmetic is not \
                 to be trusted"
            ),
        }
    }
}

impl core::error::Error for GenerateError {}

impl From<RngError> for GenerateError {
    fn from(error: RngError) -> Self {
        Self::Randomness(error)
    }
}

impl Group {
    /// Finds a new group of `bits`, 2048 to 8192, on so many threads. `watch` hears of every number
    /// that was tested, on the thread that tested it.
    ///
    /// # Errors
    /// [`GenerateError`].
    pub fn generate<R: TryCryptoRng + ?Sized>(
        bits: usize,
        workers: NonZeroUsize,
        rng: &mut R,
        watch: &(dyn Fn(Progress) + Sync),
    ) -> Result<Self, GenerateError> {
        if !(MIN_BITS..=MAX_BITS).contains(&bits) {
            return Err(GenerateError::Bits(bits));
        }
        let p = safe_prime(bits, workers, rng, watch)?;
        super::checks::generator(&p.to_bytes_be(), &[2]).map_err(GenerateError::Refused)?;
        Self::assemble(None, &p.to_bytes_be(), &[2]).ok_or(GenerateError::Refused(GroupError::Even))
    }
}

fn safe_prime<R: TryCryptoRng + ?Sized>(
    bits: usize,
    workers: NonZeroUsize,
    rng: &mut R,
    watch: &(dyn Fn(Progress) + Sync),
) -> Result<BigUint, RngError> {
    let window = Window::of(bits);
    let tested = AtomicU64::new(0);
    loop {
        let start = starting_point(bits, rng)?;
        let left = window.survivors(&start, workers);
        let report = |tested: &AtomicU64| {
            let tested = tested.fetch_add(1, Ordering::Relaxed) + 1;
            watch(Progress { tested, expected: window.expected });
        };
        let Some(q) = first_found(&start, &left, workers, &|| report(&tested)) else { continue };
        let bases = draw_bases(&q, ROUNDS, rng)?;
        let p = &q * 2_u8 + 1_u8;
        if is_prime(&q, &bases, workers) && passes_pocklington(&p) {
            return Ok(p);
        }
    }
}

/// How much is searched from one starting point, and how deep it is sieved.
#[derive(Clone, Copy)]
struct Window {
    /// Numbers Q₀ + 12i.
    length: u32,
    /// The sieve's primes are below this.
    bound: u32,
    expected: u64,
}

impl Window {
    /// Safe primes among the Q₀ + 12i are some (ln Q)²/16 apart; a window of bits²/8 holds four. The
    /// depth is where a further factor of two costs as much as the exponentiations it saves; it grows
    /// with their price.
    fn of(bits: usize) -> Self {
        let bits_32 = u32::try_from(bits).unwrap_or(u32::MAX);
        let depth = match bits {
            0..=1024 => 20,
            1025..=2048 => 27,
            2049..=3072 => 29,
            _ => 30,
        };
        let ln_q = f64::from(bits_32) * core::f64::consts::LN_2;
        // e^γ = 1.781
        let once = ln_q / (1.781 * f64::from(depth) * core::f64::consts::LN_2);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a positive number below 2^20"
        )]
        let expected = (once * once) as u64;
        Self { length: (bits_32 * bits_32 / 8).max(4096), bound: 1 << depth, expected }
    }

    /// The i of the Q₀ + 12i that the sieve leaves. Each worker sieves with a part of the primes.
    fn survivors(&self, start: &BigUint, workers: NonZeroUsize) -> Vec<u32> {
        let part = self.bound / u32::try_from(workers.get()).unwrap_or(1).max(1) + 1;
        let bounds = |worker: u32| {
            let from = part.saturating_mul(worker).max(5);
            (from, part.saturating_mul(worker + 1).min(self.bound).max(from))
        };
        let mut out: Vec<u64> = Vec::new();
        thread::scope(|scope| {
            let threads: Vec<_> = (0..u32::try_from(workers.get()).unwrap_or(1))
                .map(bounds)
                .map(|(from, to)| scope.spawn(move || sieve(start, self.length, from, to)))
                .collect();
            for part in threads.into_iter().filter_map(|thread| thread.join().ok()) {
                out.resize(part.len(), 0);
                out.iter_mut().zip(part).for_each(|(word, more)| *word |= more);
            }
        });
        (0..self.length)
            .filter(|i| {
                let word = usize::try_from(i / 64).ok().and_then(|at| out.get(at));
                word.is_some_and(|word| word >> (i % 64) & 1 == 0)
            })
            .collect()
    }
}

/// A random Q₀ = 11 mod 12 of one bit less than P, the two highest set: so P has its full length
/// throughout the window.
fn starting_point<R: TryCryptoRng + ?Sized>(bits: usize, rng: &mut R) -> Result<BigUint, RngError> {
    let mut bytes = Zeroizing::new(vec![0; bits.div_ceil(8)]);
    random::fill(rng, &mut bytes)?;
    let low = BigUint::from_bytes_be(&bytes) % (BigUint::from(1_u8) << (bits - 3));
    let start = low + (BigUint::from(3_u8) << (bits - 3));
    Ok(&start - &start % 12_u8 + 11_u8)
}

/// The first Q found of which Q and 2Q+1 pass Fermat's test.
fn first_found(
    start: &BigUint,
    left: &[u32],
    workers: NonZeroUsize,
    tested: &(dyn Fn() + Sync),
) -> Option<BigUint> {
    let (next, found) = (AtomicUsize::new(0), AtomicBool::new(false));
    let search = || {
        while !found.load(Ordering::Relaxed) {
            let i = left.get(next.fetch_add(1, Ordering::Relaxed))?;
            let q = start + 12_u64 * u64::from(*i);
            tested();
            if passes_fermat(&q) && passes_fermat(&(&q * 2_u8 + 1_u8)) {
                found.store(true, Ordering::Relaxed);
                return Some(q);
            }
        }
        None
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..workers.get()).map(|_| scope.spawn(search)).collect();
        // All are joined; two may have found one each.
        let results: Vec<_> =
            threads.into_iter().map(|thread| thread.join().ok().flatten()).collect();
        results.into_iter().flatten().next()
    })
}

fn is_prime(q: &BigUint, bases: &[BigUint], workers: NonZeroUsize) -> bool {
    let part = bases.len().div_ceil(workers.get()).max(1);
    thread::scope(|scope| {
        let threads: Vec<_> = bases
            .chunks(part)
            .map(|bases| scope.spawn(move || passes_miller_rabin_with(q, bases)))
            .collect();
        threads.into_iter().all(|thread| thread.join().unwrap_or(false))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::checks;
    use getrandom::SysRng;

    const TWO: NonZeroUsize = NonZeroUsize::new(2).unwrap();

    #[test]
    fn what_is_found_is_a_safe_prime_of_the_size_asked_for_and_two_generates_its_subgroup() {
        for bits in [256_usize, 257, 320, 511] {
            for workers in [NonZeroUsize::MIN, TWO] {
                let p = safe_prime(bits, workers, &mut SysRng, &|_| ()).unwrap();
                let bytes = p.to_bytes_be();
                assert_eq!(checks::bits(&bytes), bits);
                assert_eq!(&p % 24_u8, BigUint::from(23_u8));
                checks::safe_prime(&bytes, &mut SysRng).unwrap();
                checks::generator(&bytes, &[2]).unwrap();
                let q = (&p - 1_u8) / 2_u8;
                assert_eq!(BigUint::from(2_u8).modpow(&q, &p), BigUint::from(1_u8));
            }
        }
    }

    #[test]
    fn two_searches_find_two_groups() {
        let find = || safe_prime(256, TWO, &mut SysRng, &|_| ()).unwrap();
        assert_ne!(find(), find());
    }

    #[test]
    fn every_test_is_reported() {
        let heard = AtomicU64::new(0);
        let count = |progress: Progress| {
            assert!(progress.expected > 0 && progress.tested > 0);
            heard.fetch_add(1, Ordering::Relaxed);
        };
        safe_prime(384, TWO, &mut SysRng, &count).unwrap();
        assert!(heard.load(Ordering::Relaxed) > 0);
    }

    #[test]
    fn sizes_that_nobody_accepts_are_refused() {
        for bits in [0, 512, 2047, 8193] {
            let refused = Group::generate(bits, TWO, &mut SysRng, &|_| ());
            assert_eq!(refused.unwrap_err(), GenerateError::Bits(bits));
        }
    }
}
