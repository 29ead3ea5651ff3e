// SPDX-License-Identifier: GPL-3.0-or-later
//! What is taken through the flat type is what the types of the wire take.

use mfa_proto::Frame;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::*;

/// An answer without its number and version.
fn texts<T: Serialize>(answers: &[T]) -> Vec<String> {
    answers.iter().map(|answer| serde_json::to_string(answer).unwrap()).collect()
}

/// As the wire's own type reads it, written again; `None` where it is refused.
fn by_wire<A: DeserializeOwned + Serialize>(text: &str) -> Option<String> {
    let answer: A = serde_json::from_str(text).ok()?;
    serde_json::to_string(&answer).ok()
}

fn by_module<A: AnswerTo + Serialize>(text: &str) -> Option<String> {
    let framed = format!(r#"{{"v":1,"id":7,{}"#, &text[1..]).replace(",}", "}");
    let frame: Frame<Answer> = mfa_proto::frame::decode(framed.as_bytes()).ok()?;
    serde_json::to_string(&frame.body.read::<A>().ok()?).ok()
}

fn refusal() -> ErrorAnswer {
    ErrorAnswer { code: ErrorCode::Busy, message: "later".into() }
}

fn begins() -> Vec<String> {
    let skip = |reason, enroll_within, observe| BeginAnswer::Skip {
        reason,
        digits: 7,
        enroll_within,
        observe,
    };
    texts(&[
        BeginAnswer::Prompt { digits: 6, observe: false },
        BeginAnswer::Prompt { digits: 8, observe: true },
        BeginAnswer::Granted {},
        skip(SkipReason::NoToken, None, false),
        skip(SkipReason::NoToken, Some(0), true),
        skip(SkipReason::Exempt, None, false),
        BeginAnswer::Unavailable { ignore: false },
        BeginAnswer::Unavailable { ignore: true },
        BeginAnswer::Error(refusal()),
    ])
}

fn verifies() -> Vec<String> {
    texts(&[
        VerifyAnswer::Accepted(Accepted::default()),
        VerifyAnswer::Accepted(Accepted {
            failures: 3,
            last_failure: Some(LastFailure { at: 7, from: Some("192.0.2.1".into()) }),
            recovery_codes_left: Some(2),
            clock_offset: Some(-60),
            rotation_due: true,
        }),
        VerifyAnswer::Wrong { clock_offset: None },
        VerifyAnswer::Wrong { clock_offset: Some(95) },
        VerifyAnswer::Replayed {},
        VerifyAnswer::Locked { seconds: None },
        VerifyAnswer::Locked { seconds: Some(30) },
        VerifyAnswer::Unavailable { ignore: true },
        VerifyAnswer::Error(refusal()),
    ])
}

fn accounts() -> Vec<String> {
    texts(&[
        AccountAnswer::NothingDue {},
        AccountAnswer::EnrollmentDue { invite: false },
        AccountAnswer::EnrollmentDue { invite: true },
        AccountAnswer::RotationDue { token: "default".into() },
        AccountAnswer::Unavailable { ignore: false },
        AccountAnswer::Error(refusal()),
    ])
}

fn provisions() -> Vec<String> {
    texts(&[
        LoginProvisionAnswer::LoginProvisioned {
            token: "default".into(),
            secret: SecretText::new("GEZD GNBV"),
            qr: vec![SecretText::new("\u{2588}"), SecretText::new("\u{2580}")],
            digits: 6,
            period: 30,
        },
        LoginProvisionAnswer::Error(refusal()),
    ])
}

fn confirms() -> Vec<String> {
    let codes = vec![TypedCode::new("ABCD-EFGH-JKM").unwrap()];
    texts(&[
        LoginConfirmAnswer::LoginConfirmed { recovery_codes: codes },
        LoginConfirmAnswer::LoginConfirmed { recovery_codes: Vec::new() },
        LoginConfirmAnswer::WrongCode { tries_left: 0 },
        LoginConfirmAnswer::Error(refusal()),
    ])
}

/// Each answer to the question `A`, each to another, and each without one of its fields, with one
/// twice, with another's field and with one that nobody has.
fn same_as_the_wire<A: AnswerTo + Serialize + DeserializeOwned>(own: &[String]) {
    let all = [begins(), verifies(), accounts(), provisions(), confirms()].concat();
    let (mut taken, mut refused) = (0, 0);
    let mut check = |text: &str| {
        let wire = by_wire::<A>(text);
        assert_eq!(by_module::<A>(text), wire, "{text}");
        if wire.is_some() { taken += 1 } else { refused += 1 }
    };
    for text in &all {
        check(text);
        let fields: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(text).unwrap();
        for (name, value) in &fields {
            let mut without = fields.clone();
            without.remove(name);
            check(&serde_json::to_string(&without).unwrap());
            check(&format!(r#"{{"{name}":{value},{}"#, &text[1..]));
            let mut odd = fields.clone();
            odd.insert(name.clone(), serde_json::json!({"x": 1}));
            check(&serde_json::to_string(&odd).unwrap());
            if let Some(text) = value.as_str() {
                // How serde writes a variant that holds something.
                let mut odd = fields.clone();
                odd.insert(name.clone(), serde_json::json!({ text: null }));
                check(&serde_json::to_string(&odd).unwrap());
            }
        }
        for (name, value) in [
            ("x", serde_json::json!(1)),
            ("digits", serde_json::json!(6)),
            ("failures", serde_json::json!(0)),
            ("ignore", serde_json::json!(true)),
            ("observe", serde_json::json!(true)),
            ("token", serde_json::json!("t")),
            ("clock_offset", serde_json::json!(1)),
            ("rotation_due", serde_json::json!(true)),
        ] {
            let mut more = fields.clone();
            more.insert(name.to_owned(), value);
            check(&serde_json::to_string(&more).unwrap());
        }
    }
    assert!(taken >= own.len() && refused > 100, "{taken} taken, {refused} refused");
    for text in own {
        assert_eq!(by_module::<A>(text).as_ref(), Some(text));
        let name = serde_json::from_str::<A>(text).unwrap().name();
        assert!(text.contains(&format!(r#""type":"{name}""#)), "{text}: {name}");
    }
}

#[test]
fn every_answer_is_read_as_the_wire_reads_it_and_every_other_one_refused_alike() {
    same_as_the_wire::<BeginAnswer>(&begins());
    same_as_the_wire::<VerifyAnswer>(&verifies());
    same_as_the_wire::<AccountAnswer>(&accounts());
    same_as_the_wire::<LoginProvisionAnswer>(&provisions());
    same_as_the_wire::<LoginConfirmAnswer>(&confirms());
}

#[test]
fn a_field_that_is_null_is_refused_whose_ever_it_is() {
    let accepted = |field: &str| {
        by_module::<VerifyAnswer>(&format!(r#"{{"type":"accepted","failures":0{field}}}"#))
    };
    assert!(accepted("").is_some() && accepted(r#","clock_offset":1"#).is_some());
    for field in ["clock_offset", "rotation_due", "message", "code", "seconds", "secret"] {
        assert_eq!(accepted(&format!(r#","{field}":null"#)), None, "{field}");
    }
}

#[test]
fn only_accepted_is_an_acceptance() {
    for text in [begins(), accounts(), provisions(), confirms()].concat() {
        let taken = by_module::<VerifyAnswer>(&text).unwrap_or_default();
        assert!(!taken.contains("accepted"), "{text}");
    }
    let accepted = by_module::<VerifyAnswer>(r#"{"type":"accepted","failures":0}"#);
    assert!(accepted.unwrap().contains("accepted"));
}
