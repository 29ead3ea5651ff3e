// SPDX-License-Identifier: GPL-3.0-or-later
//! Diffie-Hellman groups: PEM, the DER in it, the numbers in that, and public values.

use std::sync::OnceLock;

use data_encoding::BASE64;
use mfa_crypto::{Group, GroupError};

use crate::scripted_rng::ScriptedRng;

fn ffdhe2048() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| Group::named("ffdhe2048").expect("RFC 7919"))
}

/// The first byte says what the rest is: `P` the DER of PKCS #3, `X` that of X9.42, `Y` a public value of
/// ffdhe2048, else a file. What is taken has 2048 to 8192 bits, is odd, and comes back from its own PEM; a
/// public value that is taken lies in 2..=P-2 and in the subgroup.
pub(crate) fn dh_parameters(input: &[u8]) {
    match input.split_first() {
        Some((b'P', der)) => file(&pem("DH PARAMETERS", der)),
        Some((b'X', der)) => file(&pem("X9.42 DH PARAMETERS", der)),
        Some((b'Y', y)) => public_value(y),
        _ => {
            if let Ok(text) = std::str::from_utf8(input) {
                file(text);
            }
        }
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in BASE64.encode(der).as_bytes().chunks(64) {
        text.push_str(std::str::from_utf8(line).expect("ASCII"));
        text.push('\n');
    }
    text + &format!("-----END {label}-----\n")
}

fn file(text: &str) {
    match Group::from_pem(text, &mut ScriptedRng::new(text.len() as u64)) {
        Ok(group) => {
            assert!((2048..=8192).contains(&group.bits()));
            assert!(group.p().last().is_some_and(|byte| byte % 2 == 1));
            let pem = group.to_pem().expect("PEM");
            // Not with those that take seconds to be tested again.
            if group.name().is_some() {
                let again = Group::from_pem(&pem, &mut ScriptedRng::new(1)).expect("as before");
                assert!(again == group && again.name() == group.name());
            }
            assert!(group.check_public(group.g()).is_err() || group.g().len() == group.p().len());
        }
        Err(error) => {
            // A foreign label is shown, in quotation marks.
            let said = error.to_string();
            assert!(said.len() < 1024 && !said.chars().any(char::is_control), "{said:?}");
            assert!(!matches!(error, GroupError::Randomness(_)));
        }
    }
}

fn public_value(y: &[u8]) {
    let group = ffdhe2048();
    // As long as P, so that every number can be reached.
    let mut wide = vec![0; 256_usize.saturating_sub(y.len())];
    wide.extend(&y[..y.len().min(256)]);
    for y in [y, &wide] {
        if group.check_public(y).is_ok() {
            let p = group.p();
            assert_eq!(y.len(), p.len());
            assert!(y < p && y.iter().any(|byte| *byte != 0));
            let minus: Vec<u8> = negated(y, p);
            assert!(group.check_public(&minus).is_err(), "P is 3 modulo 4: -1 is no square");
        }
    }
}

/// P - y.
fn negated(y: &[u8], p: &[u8]) -> Vec<u8> {
    let mut out = vec![0; p.len()];
    let mut borrow = 0_i16;
    for at in (0..p.len()).rev() {
        let digit = i16::from(p[at]) - i16::from(y[at]) - borrow;
        borrow = i16::from(digit < 0);
        out[at] = u8::try_from(digit + 256 * borrow).expect("a byte");
    }
    out
}
