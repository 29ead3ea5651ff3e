// SPDX-License-Identifier: GPL-3.0-or-later
//! Every kind of token: algorithms, digits, periods, TOTP and HOTP side by side.

use mfa_crypto::{Algorithm, Code, Digits, Period};
use mfa_daemon::policy::login::{By, Decision, Typed};
use mfa_daemon::policy::record::{Factor, Token};
use mfa_proto::Blob;

use crate::account::{NOW, PATIENT, account, code, login, token, totp, wrong};

fn opens(decision: &Decision, name: &str) -> bool {
    matches!(decision, Decision::Accepted(success) if success.by == By::Token(name.to_owned()))
}

/// RFC 6238, appendix B.
#[test]
fn the_vectors_of_rfc_6238_open_a_login() {
    let seed = b"1234567890".repeat(7);
    for (now, sha1, sha256, sha512) in [
        (59, "94287082", "46119246", "90693936"),
        (1_111_111_109, "07081804", "68084774", "25091201"),
        (1_111_111_111, "14050471", "67062674", "99943326"),
        (1_234_567_890, "89005924", "91819424", "93441116"),
        (2_000_000_000, "69279037", "90698825", "38618901"),
        (20_000_000_000, "65353130", "77737706", "47863826"),
    ] {
        for (algorithm, expected) in
            [(Algorithm::Sha1, sha1), (Algorithm::Sha256, sha256), (Algorithm::Sha512, sha512)]
        {
            let phone = Token {
                algorithm,
                digits: Digits::try_from(8).unwrap(),
                sealed: Blob::new(&seed[..algorithm.secret_len()]),
                ..totp("phone")
            };
            let mut record = account([phone]);
            let other = Typed::Code(Code::parse("00000000").unwrap());
            let refused = login(&mut record, &other, now, &PATIENT);
            assert!(matches!(refused, Decision::Wrong { .. }), "{now} {algorithm}");
            let typed = Typed::Code(Code::parse(expected).unwrap());
            let accepted = login(&mut record, &typed, now, &PATIENT);
            assert!(opens(&accepted, "phone"), "{now} {algorithm}: {accepted:?}");
        }
    }
}

#[test]
fn every_algorithm_length_and_period_has_a_window_of_three_steps_and_each_opens_once() {
    for algorithm in [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512] {
        for digits in 6..=8 {
            for period in [15, 29, 30, 60, 299, 300] {
                let factor = Factor::Totp {
                    period: Period::try_from(period).unwrap(),
                    last_step: None,
                    drift: 0,
                };
                let digits = Digits::try_from(digits).unwrap();
                let phone = Token { algorithm, digits, ..token("phone", factor) };
                let current = NOW / period;
                for offset in -2_i64..=2 {
                    let mut record = account([phone.clone()]);
                    let typed = code(&phone, current.saturating_add_signed(offset));
                    let first = login(&mut record, &typed, NOW, &PATIENT);
                    let what = format!("{algorithm} {digits:?} {period} {offset}");
                    assert_eq!(opens(&first, "phone"), offset.abs() <= 1, "{what}");
                    let again = login(&mut record, &typed, NOW, &PATIENT);
                    assert!(!opens(&again, "phone"), "{what}");
                }
            }
        }
    }
}

#[test]
fn a_code_of_other_length_than_the_tokens_is_wrong() {
    let eight = Token { digits: Digits::try_from(8).unwrap(), ..totp("phone") };
    let six = totp("phone");
    for (has, typed) in [(&eight, &six), (&six, &eight)] {
        let mut record = account([has.clone()]);
        let refused = login(&mut record, &code(typed, NOW / 30), NOW, &PATIENT);
        assert_eq!(refused, Decision::Wrong { clock_offset: None });
        assert!(opens(&login(&mut record, &code(has, NOW / 30), NOW, &PATIENT), "phone"));
    }
}

#[test]
fn of_four_mixed_tokens_each_opens_by_its_own_code_and_leaves_the_others_as_they_were() {
    let period = |seconds| Factor::Totp {
        period: Period::try_from(seconds).unwrap(),
        last_step: None,
        drift: 0,
    };
    let tokens = [
        totp("phone"),
        token("key", Factor::Hotp { counter: 7 }),
        Token { algorithm: Algorithm::Sha512, ..token("watch", period(60)) },
        Token {
            digits: Digits::try_from(8).unwrap(),
            ..token("card", Factor::Hotp { counter: 0 })
        },
    ];
    let at = [NOW / 30, 17, NOW / 60, 3];
    let mut record = account(tokens.clone());
    for (place, (token, at)) in tokens.iter().zip(at).enumerate() {
        let before = record.tokens.clone();
        let typed = code(token, at);
        assert!(opens(&login(&mut record, &typed, NOW, &PATIENT), &token.name), "{}", token.name);
        for (other, (was, is)) in before.iter().zip(&record.tokens).enumerate() {
            assert_eq!(was == is, other != place, "{} after {}", is.name, token.name);
        }
        let again = login(&mut record, &typed, NOW, &PATIENT);
        assert!(matches!(again, Decision::Replayed | Decision::Wrong { .. }), "{again:?}");
    }
    assert_eq!(record.lockout.failures, 1);
    assert!(matches!(login(&mut record, &wrong(NOW), NOW, &PATIENT), Decision::Wrong { .. }));
}
