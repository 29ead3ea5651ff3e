// SPDX-License-Identifier: GPL-3.0-or-later
//! `otpauth` addresses and base32, there and back, and what is refused.

#![expect(clippy::unwrap_used, clippy::panic, reason = "functions that tests share")]

use mfa_crypto::{
    Algorithm, Base32Error, Moving, OtpUri, Period, Secret, UriError, base32, base32_decode,
};
use proptest::prelude::*;

const ALICE: &str = "otpauth://totp/host.example:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
                     &issuer=host.example&algorithm=SHA1&digits=6&period=30";

fn fields(uri: &OtpUri) -> (&str, &str, &[u8], Algorithm, u8, Moving) {
    (&uri.issuer, &uri.account, uri.secret.expose(), uri.algorithm, uri.digits.get(), uri.moving)
}

fn refused(text: &str) -> UriError {
    OtpUri::parse(text).err().unwrap_or_else(|| panic!("accepted: {text}"))
}

#[test]
fn an_address_is_written_as_authenticators_expect_it() {
    let uri = OtpUri::parse(ALICE).unwrap();
    let period = Period::default();
    assert_eq!(
        fields(&uri),
        (
            "host.example",
            "alice",
            b"12345678901234567890".as_slice(),
            Algorithm::Sha1,
            6,
            Moving::Totp { period }
        )
    );
    assert_eq!(uri.render().as_str(), ALICE);
}

#[test]
fn a_counter_based_token_has_a_counter_and_no_period() {
    let text = "otpauth://hotp/h:a?secret=MFRGG&issuer=h&algorithm=SHA512&digits=8&counter=7";
    let uri = OtpUri::parse(text).unwrap();
    assert_eq!(uri.moving, Moving::Hotp { counter: 7 });
    assert_eq!(uri.render().as_str(), text);
}

#[test]
fn parameters_that_are_absent_have_the_values_of_the_rfcs() {
    let uri = OtpUri::parse("otpauth://totp/alice?secret=mfrgg").unwrap();
    let period = Period::default();
    let moving = Moving::Totp { period };
    assert_eq!(fields(&uri), ("", "alice", b"abc".as_slice(), Algorithm::Sha1, 6, moving));
}

#[test]
fn labels_are_understood_as_other_programs_write_them() {
    for (label, issuer, account) in [
        ("a", "", "a"),
        ("i:a", "i", "a"),
        ("i%3Aa", "i", "a"),
        ("i%3aa", "i", "a"),
        ("a@h.example", "", "a@h.example"),
        ("i%20j:a%20b", "i j", "a b"),
        (":a%3Ab", "", "a:b"),
        ("Z%C3%BCrich:zo%C3%AB", "Zürich", "zoë"),
    ] {
        let uri = OtpUri::parse(&format!("otpauth://totp/{label}?secret=MFRGG")).unwrap();
        assert_eq!((uri.issuer.as_str(), uri.account.as_str()), (issuer, account), "{label}");
    }
    let uri = OtpUri::parse("otpauth://totp/a?secret=MFRGG&issuer=i").unwrap();
    assert_eq!(uri.issuer, "i");
}

#[test]
fn every_malformed_address_is_refused_by_the_name_of_its_part() {
    assert!(OtpUri::parse(ALICE).is_ok());
    for (change, error) in [
        ("", UriError::Scheme),
        ("otpauth:totp/a?secret=MFRGG", UriError::Scheme),
        ("OTPAUTH://totp/a?secret=MFRGG", UriError::Scheme),
        ("otpauth://totp", UriError::Kind),
        ("otpauth://TOTP/a?secret=MFRGG", UriError::Kind),
        ("otpauth://totp/?secret=MFRGG", UriError::Account),
        ("otpauth://totp/i:?secret=MFRGG", UriError::Account),
        ("otpauth://totp/a%2?secret=MFRGG", UriError::Encoding("the account")),
        ("otpauth://totp/a%zz?secret=MFRGG", UriError::Encoding("the account")),
        ("otpauth://totp/a%+1?secret=MFRGG", UriError::Encoding("the account")),
        ("otpauth://totp/a%FF?secret=MFRGG", UriError::Encoding("the account")),
        ("otpauth://totp/a b?secret=MFRGG", UriError::Encoding("the account")),
        ("otpauth://totp/é:a?secret=MFRGG", UriError::Encoding("the issuer")),
        ("otpauth://totp/a%0A?secret=MFRGG", UriError::Control("the account")),
        ("otpauth://totp/a%1B%5B2J?secret=MFRGG", UriError::Control("the account")),
        ("otpauth://totp/a", UriError::Missing("secret")),
        ("otpauth://totp/a?", UriError::Missing("secret")),
        ("otpauth://totp/a?secret", UriError::Parameter),
        ("otpauth://totp/a?secret=MFRGG&", UriError::Parameter),
        ("otpauth://totp/a?secret=", UriError::Secret(Base32Error::Empty)),
        ("otpauth://totp/a?secret=MFR1G", UriError::Secret(Base32Error::Character(4))),
        ("otpauth://totp/a?secret=MFRG", UriError::Secret(Base32Error::Length(4))),
        ("otpauth://totp/a?secret=MFRGG#x", UriError::Encoding("secret")),
        ("otpauth://totp/a?secret=MFRGG&secret=MFRGG", UriError::Duplicate("secret")),
        ("otpauth://totp/a?secret=MFRGG&digits=6&digits=6", UriError::Duplicate("digits")),
        ("otpauth://totp/a?secret=MFRGG&image=x", UriError::Unknown("image".to_owned())),
        ("otpauth://totp/a?secret=MFRGG&Digits=6", UriError::Unknown("Digits".to_owned())),
        ("otpauth://totp/i:a?secret=MFRGG&issuer=j", UriError::IssuerConflict),
        ("otpauth://totp/a?secret=MFRGG&algorithm=MD5", UriError::Value("algorithm")),
        ("otpauth://totp/a?secret=MFRGG&digits=5", UriError::Value("digits")),
        ("otpauth://totp/a?secret=MFRGG&digits=262", UriError::Value("digits")),
        ("otpauth://totp/a?secret=MFRGG&digits=+6", UriError::Value("digits")),
        ("otpauth://totp/a?secret=MFRGG&period=0", UriError::Value("period")),
        ("otpauth://totp/a?secret=MFRGG&period=65566", UriError::Value("period")),
        ("otpauth://totp/a?secret=MFRGG&counter=1", UriError::Misplaced("counter")),
        ("otpauth://hotp/a?secret=MFRGG&counter=1&period=30", UriError::Misplaced("period")),
        ("otpauth://hotp/a?secret=MFRGG", UriError::Missing("counter")),
        ("otpauth://hotp/a?secret=MFRGG&counter=-1", UriError::Value("counter")),
        ("otpauth://hotp/a?secret=MFRGG&counter=18446744073709551616", UriError::Value("counter")),
    ] {
        assert_eq!(refused(change), error, "{change}");
    }
}

#[test]
fn no_error_repeats_the_secret() {
    for text in ["otpauth://totp/a?secret=MFRGG1", "otpauth://totp/a?secret=MFRGG&secret=MFRGG"] {
        let error = refused(text);
        assert!(!format!("{error} {error:?}").contains("MFRGG"));
    }
}

#[test]
fn base32_gives_the_answers_of_rfc_4648_section_10() {
    for (plain, encoded) in [
        ("f", "MY"),
        ("fo", "MZXQ"),
        ("foo", "MZXW6"),
        ("foob", "MZXW6YQ"),
        ("fooba", "MZXW6YTB"),
        ("foobar", "MZXW6YTBOI"),
    ] {
        let secret = Secret::new(plain.into());
        assert_eq!(base32(&secret).as_str(), encoded);
        let padded = format!("{encoded:=<width$}", width = encoded.len().div_ceil(8) * 8);
        let spaced: String = encoded.chars().flat_map(|c| [c.to_ascii_lowercase(), ' ']).collect();
        for text in [encoded, &padded, &spaced] {
            assert_eq!(base32_decode(text).ok().unwrap().expose(), plain.as_bytes(), "{text}");
        }
    }
    for (text, error) in [
        ("", Base32Error::Empty),
        (" == ", Base32Error::Empty),
        ("MZXW8", Base32Error::Character(5)),
        ("M=ZXW6", Base32Error::Character(2)),
        ("MZXW6\n", Base32Error::Character(6)),
        ("MZXW6=======", Base32Error::Character(6)),
        ("MZX", Base32Error::Length(3)),
        ("MZ", Base32Error::Length(2)),
        ("ＭＹ", Base32Error::Character(1)),
    ] {
        assert_eq!(base32_decode(text).err(), Some(error), "{text:?}");
    }
}

fn name() -> impl Strategy<Value = String> {
    "[^\\p{Cc}]{1,40}"
}

fn moving() -> impl Strategy<Value = Moving> {
    prop_oneof![
        (15..=300_u64).prop_map(|n| Moving::Totp { period: n.try_into().unwrap() }),
        any::<u64>().prop_map(|counter| Moving::Hotp { counter }),
    ]
}

proptest! {
    #[test]
    fn what_is_rendered_is_read_back(
        issuer in prop_oneof![Just(String::new()), name()],
        account in name(),
        secret in prop::collection::vec(any::<u8>(), 1..80),
        algorithm in prop::sample::select(vec![Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512]),
        digits in 6..=8_u8,
        moving in moving(),
    ) {
        let digits = digits.try_into().unwrap();
        let secret = Secret::new(secret);
        let uri = OtpUri { issuer, account, secret, algorithm, digits, moving };
        let text = uri.render();
        prop_assert!(text.is_ascii() && !text.contains(' '));
        let read = OtpUri::parse(&text).unwrap();
        prop_assert_eq!(fields(&read), fields(&uri));
    }

    #[test]
    fn no_text_makes_the_parser_fail_otherwise_than_with_an_error(
        text in "(otpauth://)?(totp/|hotp/)?[a-z%:?&=0-9]{0,40}|\\PC*",
    ) {
        if let Ok(uri) = OtpUri::parse(&text) {
            let again = OtpUri::parse(&uri.render()).unwrap();
            prop_assert_eq!(fields(&again), fields(&uri));
        }
    }

    #[test]
    fn any_bytes_survive_base32(bytes in prop::collection::vec(any::<u8>(), 1..100)) {
        let text = base32(&Secret::new(bytes.clone()));
        let lower = text.to_ascii_lowercase();
        let read = base32_decode(&lower).ok().unwrap();
        prop_assert_eq!(read.expose(), bytes);
    }
}
