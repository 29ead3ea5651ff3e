// SPDX-License-Identifier: GPL-3.0-or-later
//! Groups: those of RFC 7919 from their formula and from OpenSSL, files, and what is refused.

#![expect(clippy::unwrap_used, reason = "functions that tests share")]

use std::time::Duration;

use getrandom::SysRng;
use mfa_crypto::{Binding, ExchangeError, Group, GroupError, PublicValueError, ServerExchange};
use nix::time::{ClockId, clock_gettime};
use num_bigint::BigUint;
use proptest::prelude::*;

/// X of RFC 7919, appendix A.
const NAMED: [(&str, u32, u64, &str); 5] = [
    ("ffdhe2048", 2048, 560_316, include_str!("fixtures/openssl-ffdhe2048.pem")),
    ("ffdhe3072", 3072, 2_625_351, include_str!("fixtures/openssl-ffdhe3072.pem")),
    ("ffdhe4096", 4096, 5_736_041, include_str!("fixtures/openssl-ffdhe4096.pem")),
    ("ffdhe6144", 6144, 15_705_020, include_str!("fixtures/openssl-ffdhe6144.pem")),
    ("ffdhe8192", 8192, 10_965_728, include_str!("fixtures/openssl-ffdhe8192.pem")),
];

/// r, a prime with 2r−1 prime too: a quarter of all bases take r(2r−1) for a prime, the most that
/// Miller–Rabin lets through.
const WORST: &str = concat!(
    "c8a98264aa78d4389ab050bf9c90a0b82681cf773f44a5a91a707690ad13e88c",
    "dd84a7df36489c3e5bae77b9673413f14319abc711c6f70877401609137de693",
    "414b65b8523f09472f7a402377da4fad769e75b86e59dd7235ee619cf2eb48de",
    "340d0d53538a860f331d5c9259f96aefa09e84f95c8da3b3ca01b08826581143",
);

fn named(name: &str) -> Group {
    Group::named(name).unwrap()
}

fn number(bytes: &[u8]) -> BigUint {
    BigUint::from_bytes_be(bytes)
}

fn refused(p: &BigUint, g: &BigUint) -> Option<GroupError> {
    Group::from_numbers(&p.to_bytes_be(), &g.to_bytes_be(), &mut SysRng).err()
}

/// floor(2^bits · e) from the series of e.
fn e(bits: u32) -> BigUint {
    let guard = 64;
    let (mut sum, mut n) = (BigUint::ZERO, 0_u32);
    let mut term = BigUint::from(1_u8) << (bits + guard);
    while term != BigUint::ZERO {
        sum += &term;
        n += 1;
        term /= n;
    }
    sum >> guard
}

#[test]
fn named_groups_are_those_of_the_formula_in_rfc_7919() {
    let two_to = |exponent: u32| BigUint::from(1_u8) << exponent;
    for (name, bits, x, _) in NAMED {
        let group = named(name);
        let p = two_to(bits) - two_to(bits - 64) + ((e(bits - 130) + x) << 64_u32) - 1_u8;
        assert_eq!(number(group.p()), p, "{name}");
        assert_eq!(group.g(), [2]);
        assert_eq!((group.name(), group.bits()), (Some(name), bits as usize));
        assert_eq!(group.bytes(), bits as usize / 8);
    }
    assert_eq!(Group::names().collect::<Vec<_>>(), NAMED.map(|(name, ..)| name));
    for name in ["", "ffdhe1024", "FFDHE2048", "modp2048"] {
        assert!(Group::named(name).is_none(), "{name}");
    }
}

#[test]
fn named_groups_are_those_that_openssl_writes_and_are_written_like_them() {
    for (name, _, _, pem) in NAMED {
        let group = Group::from_pem(pem, &mut SysRng).unwrap();
        assert_eq!(group, named(name));
        assert_eq!(group.name(), Some(name));
        assert_eq!(group.fingerprint(), named(name).fingerprint());
        assert_eq!(group.to_pem().unwrap(), pem);
    }
}

#[test]
fn a_group_that_openssl_generated_passes_the_checks() {
    let pem = include_str!("fixtures/openssl-dhparam2048.pem");
    let group = Group::from_pem(pem, &mut SysRng).unwrap();
    assert_eq!((group.name(), group.bits()), (None, 2048));
    assert_eq!(group.to_pem().unwrap(), pem);
}

#[test]
fn files_with_text_before_or_of_the_x942_form_are_read() {
    for pem in [
        include_str!("fixtures/openssl-text-ffdhe2048.pem").to_owned(),
        include_str!("fixtures/openssl-x942-ffdhe2048.pem").to_owned(),
        include_str!("fixtures/openssl-ffdhe2048.pem").replace('\n', "\r\n"),
    ] {
        let group = Group::from_pem(&pem, &mut SysRng).unwrap();
        assert_eq!(group.name(), Some("ffdhe2048"));
    }
}

#[test]
fn files_of_something_else_are_refused() {
    let good = include_str!("fixtures/openssl-ffdhe2048.pem");
    assert!(Group::from_pem(good, &mut SysRng).is_ok());
    let refused = |text: &str| Group::from_pem(text, &mut SysRng).err().unwrap();
    let key = include_str!("fixtures/openssl-rsa-public-key.pem");
    assert_eq!(refused(key), GroupError::Label("PUBLIC KEY".to_owned()));
    assert_eq!(
        refused(include_str!("fixtures/openssl-x942-not-safe.pem")),
        GroupError::SubgroupOrder
    );
    assert_eq!(
        refused(include_str!("fixtures/openssl-dhparam1024.pem")),
        GroupError::TooSmall { bits: 1024 }
    );
    assert_eq!(refused(&" ".repeat(32_769)), GroupError::FileTooLong { bytes: 32_769 });
    for text in ["", "hello", &good[..good.len() / 2], &good.replace('A', "*")] {
        assert!(matches!(refused(text), GroupError::Pem(_)), "{text}");
    }
    // An empty sequence, a negative P, a P behind a needless zero, bytes behind the sequence.
    for der in ["MAA=", "MAYCAf8CAQI=", "MAcCAgADAgEC", "MAYCAQMCAQIA"] {
        let text = format!("-----BEGIN DH PARAMETERS-----\n{der}\n-----END DH PARAMETERS-----\n");
        assert!(matches!(refused(&text), GroupError::Der(_)), "{der}: {:?}", refused(&text));
    }
}

/// The time that this thread has computed for, whoever else did on the same processor.
fn computed_for() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

#[test]
fn a_modulus_of_the_wrong_size_or_form_is_refused_before_any_arithmetic() {
    let (two, p) = (BigUint::from(2_u8), number(named("ffdhe2048").p()));
    assert_eq!(refused(&p, &two), None);
    for (bits, n) in [(1, 0_u8), (1, 1), (2, 2), (2, 3), (3, 7)] {
        // Zero is one byte here; its bits are none.
        let bits = if n == 0 { 0 } else { bits };
        assert_eq!(refused(&n.into(), &two), Some(GroupError::TooSmall { bits }));
    }
    assert_eq!(Group::from_numbers(&[], &[2], &mut SysRng).err(), refused(&0_u8.into(), &two));
    assert_eq!(refused(&(&p >> 1_u8), &two), Some(GroupError::TooSmall { bits: 2047 }));
    assert_eq!(refused(&(&p - 1_u8), &two), Some(GroupError::Even));
    let (group, random) = (named("ffdhe2048"), [7; 32]);
    for bits in [8193_usize, 65_536] {
        let n = (BigUint::from(1_u8) << (bits - 1)) + 1_u8;
        // One power of such a number takes longer than this.
        let before = computed_for();
        assert_eq!(refused(&n, &two), Some(GroupError::TooLarge { bits }));
        let refused = ServerExchange::respond(
            &group,
            &Binding { purpose: "enroll", user: "alice", uid: 1000 },
            &n.to_bytes_be(),
            &random,
            b"session",
            &mut SysRng,
        );
        assert!(matches!(refused, Err(ExchangeError::PublicValue(_))), "{bits} bits");
        let took = computed_for() - before;
        // It takes far less than 10 ms; a machine that is shared may count what others took.
        assert!(took < Duration::from_millis(50), "{bits} bits: {took:?} of computing");
    }
    let coded = [&[0], named("ffdhe2048").p()].concat();
    assert_eq!(
        Group::from_numbers(&coded, &[2], &mut SysRng).err(),
        Some(GroupError::LeadingZero("P"))
    );
}

#[test]
fn a_composite_modulus_is_refused() {
    let two = BigUint::from(2_u8);
    let p = number(named("ffdhe2048").p());
    assert_eq!(refused(&p, &two), None);
    let composite = |n: &BigUint| {
        let error = refused(n, &two);
        assert!(
            matches!(error, Some(GroupError::CompositeModulus | GroupError::NotSafePrime)),
            "{error:?}"
        );
    };
    // Two neighbours of P, one of them divisible by 3, and the square of a prime.
    let r = BigUint::parse_bytes(WORST.as_bytes(), 16).unwrap();
    assert_eq!((&p + 4_u8) % 3_u8, BigUint::ZERO);
    for n in [&p + 2_u8, &p + 4_u8, &r * &r] {
        composite(&n);
    }
    // Built to pass as many rounds as any composite number can.
    let worst = &r * (&r * 2_u8 - 1_u8);
    for _ in 0..5 {
        composite(&worst);
    }
}

#[test]
fn a_prime_that_is_not_safe_is_refused() {
    let two = BigUint::from(2_u8);
    // A prime whose (P−1)/2 is r times a number without small factors: only Miller–Rabin tells.
    let r = BigUint::parse_bytes(WORST.as_bytes(), 16).unwrap();
    let p = &two * r * ((BigUint::from(1_u8) << 1023_u32) + 20835_u32) + 1_u8;
    assert_eq!(p.bits(), 2048);
    for base in [3_u8, 5, 7] {
        let power = BigUint::from(base).modpow(&(&p - 1_u8), &p);
        assert_eq!(power, 1_u8.into(), "control: P is a prime to base {base}");
    }
    assert_eq!(refused(&p, &two), Some(GroupError::NotSafePrime));
    // The prime of OpenSSL's X9.42 parameters with a subgroup of 224 bits, given without its order.
    let not_safe = include_str!("fixtures/openssl-x942-not-safe.pem");
    let (_, der) = pem_rfc7468::decode_vec(not_safe.as_bytes()).unwrap();
    let p = number(&der[9..9 + 256]);
    assert_eq!(p.bits(), 2048);
    assert_eq!(refused(&p, &two), Some(GroupError::NotSafePrime));
    let small = BigUint::from(3_u8).modpow(&(&p - 1_u8), &p);
    assert_eq!(small, 1_u8.into(), "control: it is a prime to base 3");
}

#[test]
fn a_generator_outside_the_subgroup_is_refused() {
    let p = number(named("ffdhe2048").p());
    let check = |g: BigUint| refused(&p, &g);
    assert_eq!(check(2_u8.into()), None);
    assert_eq!(check(4_u8.into()), None);
    for g in [0_u8.into(), 1_u8.into(), &p - 1_u8, p.clone(), &p + 1_u8, &p * 2_u8] {
        assert_eq!(check(g.clone()), Some(GroupError::GeneratorRange), "{g}");
    }
    assert_eq!(check(&p - 2_u8), Some(GroupError::GeneratorOrder));
    let p = p.to_bytes_be();
    assert_eq!(
        Group::from_numbers(&p, &[0, 2], &mut SysRng).err(),
        Some(GroupError::LeadingZero("G"))
    );
    assert_eq!(Group::from_numbers(&p, &[], &mut SysRng).err(), Some(GroupError::GeneratorRange));
    // Only P and 2 together have the name.
    assert_eq!(Group::from_numbers(&p, &[4], &mut SysRng).unwrap().name(), None);
}

#[test]
fn fingerprints_tell_groups_apart() {
    let p = named("ffdhe2048");
    let other = Group::from_numbers(p.p(), &[4], &mut SysRng).unwrap();
    assert_ne!(p.fingerprint(), other.fingerprint());
    assert_ne!(p.fingerprint(), named("ffdhe3072").fingerprint());
    assert_eq!(p.fingerprint(), named("ffdhe2048").fingerprint());
}

#[test]
fn the_smallest_and_the_largest_public_value_of_the_subgroup_are_accepted() {
    let group = named("ffdhe2048");
    let mut y = vec![0; 256];
    y[255] = 2;
    assert_eq!(group.check_public(&y), Ok(()));
    y[255] = 4;
    assert_eq!(group.check_public(&y), Ok(()));
    // −3 is a square exactly if 3 is not, since −1 is not: RFC 7919 primes are 7 mod 8.
    let p = number(group.p());
    let range: Vec<_> = (2..20_u8).map(|n| group.check_public(&(&p - n).to_bytes_be())).collect();
    assert!(range.contains(&Ok(())) && range.contains(&Err(PublicValueError::Subgroup)));
    assert!(!range.contains(&Err(PublicValueError::Range)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn a_public_value_is_accepted_exactly_if_its_power_of_the_order_is_one(
        bytes in prop::collection::vec(any::<u8>(), 256),
    ) {
        let group = named("ffdhe2048");
        let p = number(group.p());
        let y = number(&bytes) % &p;
        let euler = y.modpow(&(&p >> 1_u8), &p) == BigUint::from(1_u8);
        let mut sized = y.to_bytes_be();
        sized.splice(0..0, vec![0; 256 - sized.len()]);
        prop_assert_eq!(group.check_public(&sized).is_ok(), euler);
    }
}
