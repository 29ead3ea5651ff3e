// SPDX-License-Identifier: GPL-3.0-or-later
//! Documents, whole and broken.

use std::io::Write;

use mfa_proto::Blob;
use mfa_proto::exchange::MovingFactor;
use mfa_proto::transfer::{ExportedToken, ImportedMoving};
use proptest::prelude::*;

use super::*;
use crate::incoming::{Incoming, Taken};
use crate::users_json::Document;

fn read(text: &str) -> Result<(Read, Vec<Incoming>), String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let mut taken = Taken::default();
    feed(file.path(), None, &mut taken, &mut |_| ())
        .map(|found| (found, taken.0))
        .map_err(|failure| failure.to_string())
}

fn token(name: &str) -> ExportedToken {
    ExportedToken {
        name: name.to_owned(),
        factor: MovingFactor::Totp,
        period: Some(30),
        algorithm: "SHA1".to_owned(),
        digits: 6,
        created: 7,
        last_used: Some(9),
        secret: Some(Blob::new(*b"12345678901234567890")),
        last_step: Some(5),
        drift: Some(-1),
        counter: None,
        barred: vec![8],
    }
}

fn user(name: &str, tokens: Vec<ExportedToken>) -> ExportedUser {
    ExportedUser {
        user: UserName::new(name).unwrap(),
        tokens,
        failures: 0,
        last_failure: None,
        locked_seconds: None,
        locked_hard: false,
        recovery_codes_left: 3,
        bypasses: Vec::new(),
        invited_until: None,
        damaged: false,
    }
}

fn document(users: &[ExportedUser]) -> String {
    let mut text = Vec::new();
    let mut document = Document::begin(&mut text, 1_795_468_445, "host \"x\"").unwrap();
    users.iter().for_each(|user| document.user(user).unwrap());
    assert_eq!(document.end().unwrap(), users.len() as u64);
    String::from_utf8(text).unwrap()
}

#[test]
fn what_is_written_is_read_one_user_a_line() {
    let counter = ExportedToken {
        factor: MovingFactor::Hotp,
        period: None,
        last_step: None,
        drift: None,
        counter: Some(7),
        barred: Vec::new(),
        ..token("key")
    };
    let alice = ExportedUser { failures: 2, ..user("alice", vec![token("phone"), counter]) };
    let text = document(&[alice, user("bob", vec![token("phone")]), user("invited", vec![])]);
    assert_eq!(text.lines().count(), 5);
    assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    let (found, taken) = read(&text).unwrap();
    assert_eq!((found.wanted, found.without, taken.len()), (2, 1, 2));
    let [phone, key] = &taken[0].tokens[..] else { panic!() };
    assert_eq!((phone.name.as_deref(), key.name.as_deref()), (Some("phone"), Some("key")));
    let moving = ImportedMoving::Totp { period: 30, last_step: Some(5), drift: -1 };
    assert_eq!((phone.moving, &phone.barred[..]), (moving, &[8][..]));
    assert_eq!((phone.created, phone.last_used), (Some(7), Some(9)));
    assert_eq!(key.moving, ImportedMoving::Hotp { counter: 7 });
    assert_eq!(taken[0].account.as_ref().unwrap().failures, 2);
    assert!(taken[1].account.is_none());
    // Nobody at all is a document, but no import.
    assert!(read(&document(&[])).is_err_and(|said| said.contains("nobody with a token")));
}

#[test]
fn users_that_cannot_be_are_told_with_their_lines_and_nothing_of_a_secret() {
    let good = token("phone");
    for (bad, expected) in [
        (vec![ExportedToken { secret: None, ..good.clone() }], "--with-secrets"),
        (vec![good.clone(), good.clone()], "found two"),
        (["1", "2", "3", "4", "5"].map(token).to_vec(), "at most 4 tokens, found 5"),
        (vec![ExportedToken { digits: 9, ..good.clone() }], "6 to 8 digits, found 9"),
        (vec![ExportedToken { period: None, ..good.clone() }], "found none"),
        (vec![ExportedToken { period: Some(9), ..good.clone() }], "found 9 s"),
        (vec![ExportedToken { algorithm: "MD5".into(), ..good.clone() }], "SHA1, SHA256"),
        (vec![ExportedToken { drift: Some(11), ..good.clone() }], "found 11"),
        (vec![ExportedToken { factor: MovingFactor::Hotp, ..good.clone() }], "next counter"),
        (vec![ExportedToken { secret: Some(Blob::new(*b"x")), ..good.clone() }], "found 1"),
        (vec![ExportedToken { barred: vec![1; 33], ..good.clone() }], "found 33"),
        (vec![token("")], "1 to 64 bytes"),
    ] {
        let said = read(&document(&[user("alice", vec![good.clone()]), user("bob", bad)]));
        let Err(said) = said else { panic!("taken: {expected}") };
        assert!(said.contains("1 wrong line; nothing was imported\n  line 3: "), "{said}");
        assert!(said.contains(expected), "{said}");
        assert!(!said.contains("MTIzNDU2"), "{said}");
    }
    let twice = document(&[user("alice", vec![good.clone()]), user("alice", vec![good.clone()])]);
    assert!(read(&twice).is_err_and(|said| said.contains("alice stands in line 2 already")));
    let damaged = ExportedUser { damaged: true, ..user("bob", vec![good]) };
    assert!(read(&document(&[damaged])).is_err_and(|said| said.contains("damaged")));
}

#[test]
fn a_document_that_is_none_is_told_with_line_and_column_and_quotes_no_secret() {
    let good = document(&[user("alice", vec![token("phone")])]);
    read(&good).unwrap();
    for (text, expected) in [
        (String::new(), "found its end"),
        (good[..good.len() - 4].to_owned(), "found its end"),
        (format!("{good}x"), "trailing characters"),
        (good.replace("\"mfa_users\":1", "\"mfa_users\":2"), "mfa_users to be 1"),
        (good.replace("\"mfa_users\":1,", ""), "mfa_users before users"),
        (good.replace("\"issuer\"", "\"exported\""), "every field once"),
        (good.replace("\"issuer\"", "\"x\""), "a field that is not known"),
        (good.replace("\"digits\":6", "\"digits\":\"MTIzNDU2\""), "found something else"),
        (good.replace("\"digits\"", "\"MTIzNDU2\""), "a field that is not known"),
        (good.replace("\"digits\":6,", ""), "missing field `digits`"),
        (good.replace("MTIzNDU2", "!!"), "a value that cannot be one"),
        (good.replace("\"alice\"", "\"a/b\""), "a value that cannot be one"),
        (good.replace("\"users\":[", "\"users\":{"), "expected"),
        ("[]".to_owned(), "an object with mfa_users"),
    ] {
        let Err(said) = read(&text) else { panic!("taken: {expected}") };
        assert!(said.contains(expected), "{expected}: {said}");
        assert!(said.contains(", line ") && said.ends_with("nothing was imported"), "{said}");
        assert!(!said.contains("MTIzNDU2"), "{said}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,100}", cut in 0_usize..500, byte in any::<char>()) {
        let _ = read(&text);
        let good = document(&[user("alice", vec![token("phone")])]);
        let cut = cut.min(good.len());
        let _ = read(&good[..cut]);
        let _ = read(&format!("{}{byte}{}", &good[..cut], &good[cut..]));
    }

    #[test]
    fn what_is_accepted_is_what_was_written(
        names in prop::collection::btree_set("[a-zü \"\\\\]{1,20}", 1..8),
        secret in prop::collection::vec(any::<u8>(), 10..129),
        last_step in prop::option::of(any::<u32>()),
        drift in -10_i8..=10,
    ) {
        let users: Vec<_> = names
            .iter()
            .map(|name| {
                let token = ExportedToken {
                    secret: Some(Blob::new(secret.clone())),
                    last_step: last_step.map(u64::from),
                    drift: Some(drift),
                    ..token(name)
                };
                user(name, vec![token])
            })
            .collect();
        let (_, taken) = read(&document(&users)).map_err(TestCaseError::fail)?;
        prop_assert_eq!(taken.len(), users.len());
        for (taken, user) in taken.iter().zip(&users) {
            prop_assert_eq!(&taken.user, &user.user);
            prop_assert_eq!(taken.tokens[0].name.as_ref(), Some(&user.tokens[0].name));
            prop_assert_eq!(taken.tokens[0].secret.as_bytes(), &secret[..]);
            let last_step = last_step.map(u64::from);
            let moving = ImportedMoving::Totp { period: 30, last_step, drift };
            prop_assert_eq!(taken.tokens[0].moving, moving);
        }
    }
}
