// SPDX-License-Identifier: GPL-3.0-or-later
//! What is spent there stays spent here, and back.

use mfa_proto::TypedCode;

use super::*;

const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
/// The moment of the tests, and its step.
const NOW: u64 = 1_795_468_445;
const STEP: u64 = NOW / 30;

fn incoming(options: &str) -> (Incoming, Vec<Weakness>) {
    let text = format!("{SECRET}\n{options}");
    let file = GoogleFile::parse(text.as_bytes()).unwrap_or_else(|problem| panic!("{problem}"));
    file.into_incoming(UserName::new("alice").unwrap(), NOW)
}

fn moving(options: &str) -> ImportedMoving {
    incoming(options).0.tokens[0].moving
}

#[test]
fn the_last_spent_step_the_drift_and_the_counter_are_taken_over() {
    for (options, period, last_step, drift) in [
        ("\" TOTP_AUTH\n", 30, None, 0),
        ("\" TOTP_AUTH\n\" STEP_SIZE 60\n\" DISALLOW_REUSE\n", 60, None, 0),
        ("\" TOTP_AUTH\n\" DISALLOW_REUSE 8 9 7\n\" TIME_SKEW -3\n", 30, Some(9), -3),
        ("\" TOTP_AUTH\n\" DISALLOW_REUSE 9\n\" TIME_SKEW 40\n", 30, Some(9), 10),
        ("\" TOTP_AUTH\n\" DISALLOW_REUSE 9\n\" TIME_SKEW -40\n", 30, Some(9), -10),
    ] {
        let expected = ImportedMoving::Totp { period, last_step, drift };
        assert_eq!(moving(options), expected, "{options}");
    }
    assert_eq!(moving("\" HOTP_COUNTER 9\n"), ImportedMoving::Hotp { counter: 9 });
}

#[test]
fn where_reuse_was_allowed_the_last_attempt_tells_what_may_have_been_used() {
    let last = |options: &str| match moving(options) {
        ImportedMoving::Totp { last_step, .. } => last_step,
        ImportedMoving::Hotp { .. } => None,
    };
    let limit = format!("\" TOTP_AUTH\n\" RATE_LIMIT 3 30 {} {}\n", NOW - 90, NOW - 60);
    assert_eq!(last(&limit), Some((NOW - 60) / 30));
    assert_eq!(last(&format!("{limit}\" TIME_SKEW 2\n")), Some((NOW - 60) / 30 + 2));
    // A time to come is damage.
    assert_eq!(last(&format!("\" TOTP_AUTH\n\" RATE_LIMIT 3 30 {}\n", NOW + 60)), None);
    // What is listed as spent is known better.
    assert_eq!(last(&format!("{limit}\" DISALLOW_REUSE 7\n")), Some(7));
}

#[test]
fn codes_typed_outside_their_time_and_scratch_codes_come_along() {
    let (alice, _) = incoming(
        "\" TOTP_AUTH\n\" DISALLOW_REUSE 100\n\" RESETTING_TIME_SKEW 90+20 91+20 80+1\n\
         \" LAST0 a 5\n\" LAST1 b 7\n12345678\n",
    );
    assert_eq!(alice.tokens[0].barred, [110, 111]);
    assert_eq!(alice.tokens[0].last_used, Some(7));
    let codes = alice.account.unwrap().scratch_codes;
    assert_eq!(codes.iter().map(TypedCode::as_str).collect::<Vec<_>>(), ["12345678"]);
    assert!(incoming("\" TOTP_AUTH\n").0.account.is_none());
}

#[test]
fn weak_settings_are_found() {
    use Weakness::{FarClock, LongPeriod, NoRateLimit, ReuseAllowed, UnknownOption, WideWindow};
    let good = "\" TOTP_AUTH\n\" RATE_LIMIT 3 30\n\" DISALLOW_REUSE\n";
    let of = |options: &str| incoming(options).1;
    assert_eq!(of(good), []);
    assert_eq!(of(&format!("{good}\" WINDOW_SIZE 3\n")), []);
    assert_eq!(of(&format!("{good}\" WINDOW_SIZE 17\n")), [WideWindow]);
    assert_eq!(of(&format!("{good}\" STEP_SIZE 60\n")), [LongPeriod]);
    assert_eq!(of(&format!("{good}\" TIME_SKEW 11\n")), [FarClock]);
    assert_eq!(of(&format!("{good}\" COLOUR blue\n")), [UnknownOption]);
    assert_eq!(of("\" TOTP_AUTH\n"), [ReuseAllowed, NoRateLimit]);
    assert_eq!(of("\" HOTP_COUNTER 1\n\" WINDOW_SIZE 10\n"), [NoRateLimit]);
    assert_eq!(of("\" HOTP_COUNTER 1\n\" WINDOW_SIZE 11\n"), [NoRateLimit, WideWindow]);
}

fn exported(last_step: Option<u64>, drift: i8, barred: &[u64]) -> ExportedToken {
    ExportedToken {
        name: "phone".to_owned(),
        factor: MovingFactor::Totp,
        period: Some(30),
        algorithm: "SHA1".to_owned(),
        digits: 6,
        created: 1,
        last_used: None,
        secret: Some(Blob::new(*b"12345678901234567890")),
        last_step,
        drift: Some(drift),
        counter: None,
        barred: barred.to_vec(),
    }
}

/// The steps that google_authenticator would accept now.
fn accepted_there(file: &GoogleFile) -> Vec<u64> {
    let Moving::Time { skew, spent: Some(spent), .. } = &file.moving else { panic!() };
    let centre = STEP.saturating_add_signed(*skew);
    (centre - 1..=centre + 1).filter(|step| !spent.contains(step)).collect()
}

#[test]
fn no_spent_step_is_fresh_after_the_way_back() {
    for (last_step, drift, expected) in [
        (None, 0, vec![STEP - 1, STEP, STEP + 1]),
        (Some(STEP - 50), 0, vec![STEP - 1, STEP, STEP + 1]),
        (Some(STEP - 1), 0, vec![STEP, STEP + 1]),
        (Some(STEP), 0, vec![STEP + 1]),
        (Some(STEP + 1), 0, vec![]),
        // Spent with a wider window here.
        (Some(STEP + 9), 0, vec![]),
        (Some(STEP + 3), 3, vec![STEP + 4]),
        (Some(STEP), -3, vec![]),
    ] {
        let file = export(&exported(last_step, drift, &[]), NOW).unwrap_or_else(|_| panic!());
        assert_eq!(accepted_there(&file), expected, "{last_step:?} {drift}");
        // And here again, it is where it was.
        let text = file.write();
        let again =
            GoogleFile::parse(text.as_bytes()).unwrap_or_else(|problem| panic!("{problem}"));
        let (again, weak) = again.into_incoming(UserName::new("alice").unwrap(), NOW);
        assert_eq!(again.tokens[0].moving, ImportedMoving::Totp { period: 30, last_step, drift });
        assert_eq!(weak, []);
    }
    let barred = export(&exported(Some(STEP - 1), 0, &[STEP + 1]), NOW);
    assert_eq!(accepted_there(&barred.unwrap_or_else(|_| panic!())), [STEP]);
}

#[test]
fn what_google_authenticator_cannot_have_is_told() {
    let good = exported(None, 0, &[]);
    let hotp = ExportedToken {
        factor: MovingFactor::Hotp,
        period: None,
        drift: None,
        counter: Some(7),
        ..good.clone()
    };
    for (token, expected) in [
        (good.clone(), None),
        (hotp, None),
        (ExportedToken { secret: None, ..good.clone() }, Some(Unfit::NoSecret)),
        (
            ExportedToken { algorithm: "SHA256".to_owned(), ..good.clone() },
            Some(Unfit::Algorithm("SHA256".to_owned())),
        ),
        (ExportedToken { digits: 8, ..good.clone() }, Some(Unfit::Digits(8))),
        (ExportedToken { period: Some(61), ..good.clone() }, Some(Unfit::Period(61))),
        (ExportedToken { period: None, ..good }, Some(Unfit::Motionless)),
    ] {
        assert_eq!(export(&token, NOW).err(), expected);
    }
}
