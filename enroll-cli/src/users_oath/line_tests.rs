// SPDX-License-Identifier: GPL-3.0-or-later
//! Lines as pam_oath and mod_authn_otp write them. The HOTP codes are those of RFC 4226 appendix D,
//! the states those that liboath 2.6.7 leaves behind.

use proptest::prelude::*;

use super::*;

/// The secret of RFC 4226, appendix D.
const SECRET: &str = "3132333435363738393031323334353637383930";

/// 2026-11-23T21:14:05Z.
const NOW: u64 = 1_795_468_445;

fn parse(line: &str) -> Result<(ImportedToken, Vec<Weakness>), LineProblem> {
    OathToken::parse(line, &TimeZone::UTC).map(|(token, weak)| (token.into_message(NOW), weak))
}

fn moving(line: &str) -> ImportedMoving {
    parse(&line.replace("SECRET", SECRET)).unwrap().0.moving
}

fn problem(line: &str) -> LineProblem {
    match parse(&line.replace("SECRET", SECRET)) {
        Err(problem) => problem,
        Ok(_) => panic!("taken: {line}"),
    }
}

/// The code of a step, as the file has it.
fn code(step: u64) -> String {
    let secret = Secret::new(b"12345678901234567890".to_vec());
    mfa_crypto::hotp(&secret, Algorithm::Sha1, Digits::default(), step).as_str().to_owned()
}

#[test]
fn every_type_of_liboath_is_read() {
    let totp = |period| ImportedMoving::Totp { period, last_step: None, drift: 0 };
    let hotp = ImportedMoving::Hotp { counter: 0 };
    for (kind, digits, expected) in [
        ("HOTP", 6, hotp),
        ("HOTP/E", 6, hotp),
        ("HOTP/E/6", 6, hotp),
        ("HOTP/E/7", 7, hotp),
        ("HOTP/E/8", 8, hotp),
        ("HOTP/T30", 6, totp(30)),
        ("HOTP/T30/6", 6, totp(30)),
        ("HOTP/T30/8", 8, totp(30)),
        ("HOTP/T60", 6, totp(60)),
        ("HOTP/T60/7", 7, totp(60)),
    ] {
        let (token, _) = parse(&format!("{kind}\talice  - {SECRET}")).unwrap();
        assert_eq!((token.digits, token.moving), (digits, expected), "{kind}");
        assert_eq!(token.user.as_str(), "alice");
        assert_eq!(token.secret.as_bytes(), b"12345678901234567890");
        assert_eq!(token.algorithm, "SHA1");
    }
}

#[test]
fn the_next_counter_is_the_one_after_the_last_code_whoever_wrote_the_file() {
    let counter = |line| match moving(line) {
        ImportedMoving::Hotp { counter } => counter,
        other => panic!("{other:?}"),
    };
    assert_eq!(counter("HOTP a - SECRET"), 0);
    assert_eq!(counter("HOTP a - SECRET 7"), 7);
    // liboath, after its first and third code: the counter of that code.
    assert_eq!(counter("HOTP a - SECRET 0 755224 2026-11-23T21:14:05L"), 1);
    assert_eq!(counter("HOTP a - SECRET 2 359152 2026-11-23T21:14:05L"), 3);
    // mod_authn_otp: the one after it.
    assert_eq!(counter("HOTP a - SECRET 3 359152 2026-11-23T21:14:05L"), 3);
    // A code of another secret: the safer of both.
    assert_eq!(counter("HOTP a - SECRET 3 000000 2026-11-23T21:14:05L"), 4);
    assert_eq!(counter("HOTP a - SECRET 18446744073709551615 000000"), u64::MAX);
}

#[test]
fn the_code_tells_which_step_around_its_time_is_spent() {
    let step = NOW / 30;
    let spent = |last: &str| match moving(&format!("HOTP/T30 a - SECRET 0 {last}")) {
        ImportedMoving::Totp { last_step, .. } => last_step,
        other => panic!("{other:?}"),
    };
    let time = "2026-11-23T21:14:05L";
    for offset in [-20_i64, -1, 0, 1, 2, 20] {
        let used = step.saturating_add_signed(offset);
        assert_eq!(spent(&format!("{} {time}", code(used))), Some(used), "{offset}");
    }
    // A minute ago, by a phone that is a minute fast.
    assert_eq!(spent(&format!("{} 2026-11-23T21:13:05L", code(step))), Some(step));
    // A code of another secret: what follows the time of its use.
    assert_eq!(spent(&format!("000000 {time}")), Some(step + 1));
    assert_eq!(spent(&format!("- {time}")), Some(step + 1));
    // Written hours ahead, in another zone: what is accepted now is spent, no more.
    assert_eq!(spent("000000 2026-11-24T07:14:05L"), Some(step + 3));
    // Long past: every step that it can have been is past.
    let long_ago = spent(&format!("{} 2026-11-22T21:14:05L", code(step - 2880))).unwrap();
    assert!((step - 2880..step - 10).contains(&long_ago));
    // Without a time, the code itself may still be current.
    assert_eq!(spent(&code(step)), Some(step));
    assert_eq!(spent("000000"), None);
    assert_eq!(
        moving("HOTP/T30 a - SECRET -3"),
        ImportedMoving::Totp { period: 30, last_step: None, drift: 0 }
    );
}

#[test]
fn local_times_are_those_of_the_zone_and_the_later_of_two() {
    let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
    let spent = |time: &str| {
        let line = format!("HOTP/T30 a - {SECRET} 0 000000 {time}");
        let (token, _) = OathToken::parse(&line, &zone).unwrap();
        // Asked at that moment, so that nothing is long past.
        let moment =
            |utc: &str| u64::try_from(utc.parse::<jiff::Timestamp>().unwrap().as_second()).unwrap();
        match token.into_message(moment("2026-10-25T01:30:00Z")).moving {
            ImportedMoving::Totp { last_step, .. } => {
                (last_step, moment("2026-10-25T01:30:00Z") / 30)
            }
            other => panic!("{other:?}"),
        }
    };
    // 02:30 comes twice on that day, at 00:30 and at 01:30 UTC.
    let (step, later) = spent("2026-10-25T02:30:00L");
    assert_eq!(step, Some(later + 1));
}

#[test]
fn a_line_that_is_wrong_is_told_with_what_was_expected() {
    parse(&format!("HOTP alice - {SECRET} 0 755224 2026-11-23T21:14:05L")).unwrap();
    for (line, expected) in [
        ("TOTP a - SECRET", "expected HOTP"),
        ("HOTP/X a - SECRET", "expected HOTP"),
        ("HOTP/T a - SECRET", "expected HOTP"),
        ("HOTP/T5 a - SECRET", "expected HOTP"),
        ("HOTP/T+30 a - SECRET", "expected HOTP"),
        ("HOTP/T30/9 a - SECRET", "expected HOTP"),
        ("HOTP/E/6/6 a - SECRET", "expected HOTP"),
        ("MOTP a - SECRET", "Mobile-OTP"),
        ("HOTP", "expected the user"),
        ("HOTP a", "expected the PIN"),
        ("HOTP a -", "expected the secret"),
        ("HOTP ../a - SECRET", "expected a user"),
        ("HOTP a 1234 SECRET", "PIN cannot be carried over"),
        ("HOTP a - 123", "hex"),
        ("HOTP a - xyz0", "hex"),
        ("HOTP a - 00", "10 to 128 bytes, found 1"),
        ("HOTP a - SECRET -1", "counter"),
        ("HOTP a - SECRET 1x", "counter"),
        ("HOTP a - SECRET 99999999999999999999", "counter"),
        ("HOTP a - SECRET 0 12345", "last code"),
        ("HOTP a - SECRET 0 1234567", "last code"),
        ("HOTP a - SECRET 0 755224 yesterday", "time of the last use"),
        ("HOTP a - SECRET 0 755224 2026-11-23T21:14:05", "time of the last use"),
        ("HOTP a - SECRET 0 755224 2026-11-23T21:14:05L x", "seven columns"),
    ] {
        let text = problem(line).to_string();
        assert!(text.contains(expected), "{line}: {text}");
        assert!(!text.contains(SECRET), "{text}");
    }
}

#[test]
fn what_may_be_a_secret_is_never_quoted() {
    assert!(problem("TOTP/T30 a - SECRET").to_string().ends_with("found TOTP/T30"));
    let base32 = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    for secret in [SECRET, base32, "DEADBEEF", "12345678", "1234", "päss", "hunter/2"] {
        // The secret in every column, also as what is left of a line that was broken.
        for line in [
            secret.to_owned(),
            format!("{secret} alice - {SECRET}"),
            format!("{secret}/E/7 alice - {SECRET}"),
            format!("HOTP/{secret} alice - {SECRET}"),
            format!("HOTP/T{secret} alice - {SECRET}"),
            format!("HOTP /{secret} - {SECRET}"),
            format!("HOTP {secret} {SECRET}"),
            format!("HOTP alice {secret} {SECRET}"),
            format!("HOTP alice - x{secret}"),
            format!("HOTP alice - {SECRET} x{secret}"),
            format!("HOTP alice - {SECRET} 0 x{secret}"),
            format!("HOTP alice - {SECRET} 0 755224 {secret}"),
            format!("HOTP alice - {SECRET} 0 755224 2026-11-23T21:14:05L {secret}"),
        ] {
            let Err(problem) = parse(&line) else { panic!("taken: {line}") };
            for said in [problem.to_string(), format!("{problem:?}")] {
                assert!(!said.contains(secret), "{line}: {said}");
            }
        }
    }
}

#[test]
fn weak_settings_are_found() {
    use Weakness::{ConstantSecret, LastUseWithoutTime, LongPeriod, ShortSecret};
    let of = |line: &str| parse(&line.replace("SECRET", SECRET)).unwrap().1;
    assert_eq!(of("HOTP/T30 a - SECRET"), []);
    assert_eq!(of("HOTP/T60 a - SECRET"), [LongPeriod]);
    assert_eq!(of("HOTP a - 00112233445566778899"), [ShortSecret]);
    assert_eq!(of("HOTP a - 00000000000000000000000000000000"), [ConstantSecret]);
    assert_eq!(of("HOTP/T30 a - SECRET 0 123456"), [LastUseWithoutTime]);
}

proptest! {
    #[test]
    fn no_line_makes_the_reader_panic(line in "(HOTP|HOTP/T30|)[ \\PC]{0,80}") {
        let _ = parse(&line);
    }

    #[test]
    fn a_written_line_reads_back(user in "[a-z][a-z0-9._-]{0,30}", secret in proptest::collection::vec(any::<u8>(), 10..65), counter in any::<u64>()) {
        let hex = data_encoding::HEXUPPER.encode(&secret);
        let (token, _) = parse(&format!("HOTP/E {user} - {hex} {counter}")).unwrap();
        prop_assert_eq!(token.user.as_str(), user);
        prop_assert_eq!(token.secret.as_bytes(), secret);
        prop_assert_eq!(token.moving, ImportedMoving::Hotp { counter });
    }
}
