// SPDX-License-Identifier: GPL-3.0-or-later
//! Files as google_authenticator 1.09 writes them.

use proptest::prelude::*;

use super::*;

const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

/// What its command writes with `-t -d -r 3 -R 30 -w 3`, after some logins.
const USED: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ
\" RATE_LIMIT 3 30 1795468420 1795468445
\" WINDOW_SIZE 3
\" LAST0 192.0.2.7 1795468445
\" TIME_SKEW -2
\" DISALLOW_REUSE 59848948 59848947
\" RESETTING_TIME_SKEW 59848940+7 59848941+7
\" TOTP_AUTH
12345678
87654321
";

fn parse(text: &str) -> GoogleFile {
    GoogleFile::parse(text.as_bytes()).unwrap_or_else(|problem| panic!("{problem}"))
}

fn problem(text: &str) -> GoogleProblem {
    match GoogleFile::parse(text.as_bytes()) {
        Err(problem) => problem,
        Ok(_) => panic!("taken: {text}"),
    }
}

#[test]
fn everything_that_a_file_can_carry_is_read() {
    let file = parse(USED);
    assert_eq!(file.secret.expose(), b"12345678901234567890");
    let Moving::Time { step_size, skew, spent, resetting } = &file.moving else { panic!() };
    assert_eq!((*step_size, *skew), (30, -2));
    assert_eq!(spent.as_deref(), Some(&[59_848_948, 59_848_947][..]));
    assert_eq!(*resetting, [(59_848_940, 7), (59_848_941, 7)]);
    assert_eq!(file.window, Some(3));
    let limit = file.rate_limit.as_ref().unwrap();
    assert_eq!((limit.attempts, limit.seconds, limit.times.len()), (3, 30, 2));
    assert_eq!((file.logins[0].place, file.logins[0].host.as_str()), (0, "192.0.2.7"));
    let codes: Vec<_> = file.scratch_codes.iter().map(TypedCode::as_str).collect();
    assert_eq!(codes, ["12345678", "87654321"]);
    assert_eq!(file.unknown, 0);
}

#[test]
fn a_counter_goes_before_the_time_and_line_ends_of_others_are_taken() {
    let counter =
        parse(&format!("{SECRET}\r\n\" HOTP_COUNTER 7\r\n\" TOTP_AUTH\r\n\r\n12345678\r\n"));
    assert!(counter.moving == Moving::Counter(7));
    assert_eq!(counter.scratch_codes.len(), 1);
    let time = parse(&format!("{SECRET}\n\" HOTP_COUNTER 0\n\" STEP_SIZE 60\n\" TOTP_AUTH"));
    assert!(matches!(time.moving, Moving::Time { step_size: 60, skew: 0, spent: None, .. }));
}

#[test]
fn a_secret_is_read_as_people_type_it() {
    for text in [
        "gezd gnbv gy3t qojq gezd gnbv gy3t qojq",
        "GEZD-GNBV-GY3T-Q0JQ-GEZD-GNBV-GY3T-QOJQ",
        "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\r",
    ] {
        assert_eq!(
            parse(&format!("{text}\n\" TOTP_AUTH\n")).secret.expose(),
            b"12345678901234567890"
        );
    }
    // 26 characters are 16 bytes and two bits over.
    assert_eq!(parse("GEZDGNBVGY3TQOJQGEZDGNBVGY\n\" TOTP_AUTH\n").secret.expose().len(), 16);
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_what_was_expected() {
    let good = format!("{SECRET}\n\" TOTP_AUTH\n12345678\n");
    parse(&good);
    for (text, line, expected) in [
        (String::new(), 1, "secret in base32"),
        ("GEZD!\n".to_owned(), 1, "secret in base32"),
        ("GEZDGNBV\n\" TOTP_AUTH\n".to_owned(), 1, "10 to 128 bytes, found 5"),
        (format!("{SECRET}\n"), 0, "TOTP_AUTH or HOTP_COUNTER"),
        (format!("{SECRET}\n\" HOTP_COUNTER 0\n"), 0, "TOTP_AUTH or HOTP_COUNTER"),
        (format!("{SECRET}\n\" HOTP_COUNTER -1\n"), 2, "a counter"),
        (format!("{good}\" STEP_SIZE 61\n"), 4, "1 to 60 seconds"),
        (format!("{good}\" STEP_SIZE 10\n"), 4, "15 to 60 s, found 10 s"),
        (format!("{good}\" WINDOW_SIZE 0\n"), 4, "1 to 100 steps"),
        (format!("{good}\" WINDOW_SIZE\n"), 4, "1 to 100 steps"),
        (format!("{good}\" TIME_SKEW x\n"), 4, "number of steps"),
        (format!("{good}\" DISALLOW_REUSE 1 x\n"), 4, "steps that are spent"),
        (format!("{good}\" RATE_LIMIT 3\n"), 4, "1 to 3600 seconds"),
        (format!("{good}\" RATE_LIMIT 3 30 x\n"), 4, "1 to 3600 seconds"),
        (format!("{good}\" RESETTING_TIME_SKEW 7\n"), 4, "STEP+7"),
        (format!("{good}\" LAST3 host\n"), 4, "time of a login"),
        (format!("{good}\" TOTP_AUTH\n"), 4, "in line 2 already"),
        (format!("{good}\" LAST1 h 1\n\" LAST1 h 2\n"), 5, "in line 4 already"),
        (format!("{good}1234567\n"), 4, "eight digits"),
        (format!("{good}02345678\n"), 4, "eight digits"),
        (format!("{good}12345678 used\n"), 4, "eight digits"),
        (format!("{good}{}", "12345678\n".repeat(10)), 0, "at most 10 scratch codes"),
        (format!("{good}\0"), 0, "expected text"),
        (format!("{good}{}", "\n".repeat(70_000)), 0, "65536 bytes"),
    ] {
        let problem = problem(&text);
        let said = problem.to_string();
        assert!(said.contains(expected), "{text:?}: {said}");
        assert_eq!(problem.line, line, "{text:?}: {said}");
        for secret in [SECRET, "12345678", "1234567", "02345678", "GEZD!"] {
            assert!(!said.contains(secret), "{said}");
        }
    }
}

#[test]
fn options_that_are_not_known_are_counted_and_left() {
    let file =
        parse(&format!("{SECRET}\n\" TOTP_AUTH\n\" COLOUR blue\n\"comment\n\" LAST10 h 1\n"));
    assert_eq!(file.unknown, 3);
}

#[test]
fn what_is_written_is_what_was_read() {
    assert_eq!(*parse(USED).write(), USED);
    for text in [
        format!("{SECRET}\n\" HOTP_COUNTER 7\n"),
        format!("{SECRET}\n\" STEP_SIZE 45\n\" DISALLOW_REUSE\n\" TOTP_AUTH\n"),
        format!("{SECRET}\n\" TOTP_AUTH\n12345678\n"),
    ] {
        assert_eq!(*parse(&text).write(), text);
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = GoogleFile::parse(&bytes);
    }

    #[test]
    fn what_is_accepted_of_anything_like_a_file_is_written_back(
        lines in prop::collection::vec(
            "(\" (TOTP_AUTH|HOTP_COUNTER|STEP_SIZE|TIME_SKEW|DISALLOW_REUSE|WINDOW_SIZE|RATE_LIMIT|RESETTING_TIME_SKEW|LAST[0-9])( [-+]?[0-9]{1,9}){0,4}|[1-9][0-9]{7}|\\PC{0,20})",
            0..8,
        ),
    ) {
        let text = format!("{SECRET}\n\" TOTP_AUTH\n{}\n", lines.join("\n"));
        for text in [text.as_str(), lines.join("\n").as_str()] {
            if let Ok(file) = GoogleFile::parse(text.as_bytes()) {
                let written = file.write();
                let again = GoogleFile::parse(written.as_bytes());
                prop_assert!(again.is_ok(), "{}", *written);
                prop_assert!(again.is_ok_and(|again| again.write() == written));
            }
        }
    }
}
