// SPDX-License-Identifier: GPL-3.0-or-later
//! What is kept: sealed secrets and recovery codes, against vectors and against every slip.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "functions that tests share")]

mod scripted_rng;

use data_encoding::HEXLOWER;
use getrandom::SysRng;
use mfa_crypto::{
    Code, MasterKey, RecoveryCode, RecoveryCodeError, RecoveryKey, SealError, Secret,
};
use proptest::prelude::*;
use scripted_rng::ScriptedRng;
use serde_json::Value;
use zeroize::Zeroizing;

const ALPHABET: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

fn vectors(kind: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("vectors/exchange.json")).unwrap();
    let cases = file[kind].as_array().unwrap().clone();
    assert!(!cases.is_empty());
    cases
}

fn hex(case: &Value, name: &str) -> Vec<u8> {
    HEXLOWER.decode(case[name].as_str().unwrap().as_bytes()).unwrap()
}

fn master_key(case: &Value) -> MasterKey {
    MasterKey::from_bytes(Zeroizing::new(hex(case, "master_key").try_into().unwrap()))
}

fn secret() -> Secret {
    Secret::new(b"12345678901234567890".to_vec())
}

/// A flag chooses it, and rustc takes one that nobody knows in silence.
#[test]
fn these_tests_have_the_poly1305_of_the_programs() {
    let program = std::fs::read("/proc/self/exe").unwrap();
    // Put together here, or the names would be found because they are looked for.
    let named = |backend: &str| {
        let path = ["poly1305", "backend", backend].map(|part| format!("{}{part}", part.len()));
        let symbol = path.concat().into_bytes();
        program.windows(symbol.len()).any(|bytes| bytes == symbol)
    };
    assert!(named("soft"));
    assert!(!named("avx2"));
}

#[test]
fn sealed_secrets_are_those_of_the_vectors() {
    for case in vectors("sealing") {
        let (key, aad) = (master_key(&case), hex(&case, "aad"));
        assert_eq!(key.id().as_slice(), hex(&case, "id"));
        let mut rng = ScriptedRng::new(&[&hex(&case, "nonce")]);
        let plaintext = Secret::new(hex(&case, "plaintext"));
        let sealed = key.seal(&aad, &plaintext, &mut rng).unwrap();
        assert!(rng.is_used_up());
        assert_eq!(sealed, hex(&case, "sealed"));
        assert_eq!(key.open(&aad, &sealed).ok().unwrap().expose(), plaintext.expose());
    }
}

#[test]
fn a_sealed_secret_opens_only_for_what_it_was_sealed_for() {
    let key = MasterKey::generate(&mut SysRng).unwrap();
    let sealed = key.seal(b"alice", &secret(), &mut SysRng).unwrap();
    assert_eq!(key.open(b"alice", &sealed).ok().unwrap().expose(), secret().expose());
    for aad in [b"bob".as_slice(), b"", b"alice ", b"alic"] {
        assert_eq!(key.open(aad, &sealed).err(), Some(SealError::Forged));
    }
    let other = MasterKey::generate(&mut SysRng).unwrap();
    assert_eq!(other.open(b"alice", &sealed).err(), Some(SealError::Forged));
    assert_ne!(other.id(), key.id());
    let same = MasterKey::from_bytes(Zeroizing::new(*key.expose()));
    assert_eq!(same.id(), key.id());
    assert!(same.open(b"alice", &sealed).is_ok());
}

#[test]
fn no_changed_bit_and_no_shortened_record_opens() {
    let key = MasterKey::generate(&mut SysRng).unwrap();
    let sealed = key.seal(b"alice", &secret(), &mut SysRng).unwrap();
    assert_eq!(sealed.len(), 1 + 24 + 20 + 16);
    assert!(key.open(b"alice", &sealed).is_ok());
    for bit in 0..8 * sealed.len() {
        let mut changed = sealed.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let error = match bit / 8 {
            0 => SealError::Version(changed[0]),
            _ => SealError::Forged,
        };
        assert_eq!(key.open(b"alice", &changed).err(), Some(error));
    }
    for got in 0..sealed.len() {
        let error = if got < 41 { SealError::TooShort { got } } else { SealError::Forged };
        assert_eq!(key.open(b"alice", &sealed[..got]).err(), Some(error));
    }
    assert_eq!(key.open(b"alice", &[sealed, vec![0]].concat()).err(), Some(SealError::Forged));
}

#[test]
fn nothing_is_sealed_without_randomness_and_no_nonce_comes_twice() {
    let key = MasterKey::generate(&mut SysRng).unwrap();
    let mut short = ScriptedRng::new(&[&[1; 23]]);
    let refused = key.seal(b"", &secret(), &mut short);
    assert!(matches!(refused, Err(SealError::Randomness(_))));
    assert!(MasterKey::generate(&mut ScriptedRng::new(&[&[1; 31]])).is_err());
    assert!(Secret::random(20, &mut ScriptedRng::new(&[&[1; 19]])).is_err());
    assert_eq!(Secret::random(20, &mut SysRng).unwrap().expose().len(), 20);
    let mut seen = std::collections::HashSet::new();
    for _ in 0..1000 {
        let sealed = key.seal(b"", &secret(), &mut SysRng).unwrap();
        assert!(seen.insert(sealed[1..25].to_vec()));
    }
}

#[test]
fn recovery_codes_are_those_of_the_vectors() {
    for case in vectors("recovery") {
        let mut rng = ScriptedRng::new(&[&hex(&case, "drawn")]);
        let code = RecoveryCode::generate(&mut rng).unwrap();
        assert!(rng.is_used_up());
        assert_eq!(code.display().as_str(), case["code"].as_str().unwrap());
        let hash =
            code.keyed_hash(&RecoveryKey::of(&master_key(&case)), case["user"].as_str().unwrap());
        assert_eq!(hash.as_slice(), hex(&case, "keyed_hash"));
    }
}

#[test]
fn a_recovery_code_is_read_however_it_is_typed() {
    let key = RecoveryKey::of(&MasterKey::generate(&mut SysRng).unwrap());
    let code =
        RecoveryCode::generate(&mut ScriptedRng::new(&[&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]])).unwrap();
    let shown = code.display();
    assert!(shown.starts_with("0123-4567-89"));
    let hash = code.keyed_hash(&key, "alice");
    for typed in [
        shown.to_lowercase(),
        shown.replace('-', ""),
        shown.replace('-', " "),
        format!("  {} ", shown.as_str()),
        shown.replacen('0', "o", 1).replacen('1', "l", 1),
        shown.replacen('0', "O", 1).replacen('1', "I", 1),
    ] {
        assert_eq!(
            RecoveryCode::parse(&typed)
                .unwrap_or_else(|e| panic!("{typed}: {e}"))
                .keyed_hash(&key, "alice"),
            hash
        );
    }
    assert_ne!(code.keyed_hash(&key, "bob"), hash);
    let other = RecoveryKey::of(&MasterKey::generate(&mut SysRng).unwrap());
    assert_ne!(code.keyed_hash(&other, "alice"), hash);
    let same = RecoveryKey::from_bytes(Zeroizing::new(*key.expose()));
    assert_eq!(code.keyed_hash(&same, "alice"), hash);
    let shape = Some(RecoveryCodeError::Shape);
    for typed in [
        "",
        "-",
        "0123-4567-89",
        "0123-4567-8900",
        "0123-4567-8U0",
        "0123_4567_890",
        "0123-4567-89\n",
        "０123-4567-890",
        "123456",
        "12345678",
    ] {
        assert_eq!(RecoveryCode::parse(typed).err(), shape, "{typed:?}");
    }
}

#[test]
fn drawing_a_recovery_code_fails_with_the_randomness() {
    assert!(RecoveryCode::generate(&mut ScriptedRng::new(&[&[1; 10]])).is_ok());
    assert!(RecoveryCode::generate(&mut ScriptedRng::new(&[&[1; 9]])).is_err());
}

/// A code without its separators.
fn drawn() -> impl Strategy<Value = Vec<u8>> {
    any::<[u8; 10]>().prop_map(|bytes| {
        let code = RecoveryCode::generate(&mut ScriptedRng::new(&[&bytes])).unwrap();
        code.display().bytes().filter(|byte| *byte != b'-').collect()
    })
}

fn parse(bytes: &[u8]) -> Result<RecoveryCode, RecoveryCodeError> {
    RecoveryCode::parse(std::str::from_utf8(bytes).unwrap())
}

proptest! {
    #[test]
    fn every_single_substitution_is_noticed(code in drawn()) {
        prop_assert!(parse(&code).is_ok());
        for place in 0..code.len() {
            for other in ALPHABET.iter().filter(|other| **other != code[place]) {
                let mut slip = code.clone();
                slip[place] = *other;
                prop_assert_eq!(parse(&slip).err(), Some(RecoveryCodeError::Check));
            }
        }
    }

    #[test]
    fn every_exchange_of_two_characters_is_noticed(code in drawn()) {
        for first in 0..code.len() {
            for second in first + 1..code.len() {
                let mut slip = code.clone();
                slip.swap(first, second);
                let expected = (code[first] != code[second]).then_some(RecoveryCodeError::Check);
                prop_assert_eq!(parse(&slip).err(), expected);
            }
        }
    }

    #[test]
    fn no_text_is_both_a_recovery_code_and_a_one_time_code(text in "[0-9 -]{6,14}") {
        prop_assert!(Code::parse(&text).is_none() || RecoveryCode::parse(&text).is_err());
    }
}
