// SPDX-License-Identifier: GPL-3.0-or-later
//! Whole files: mistakes, repeats, and what is not a file.

use std::io::Write;

use super::*;

const SECRET: &str = "3132333435363738393031323334353637383930";

fn file(text: impl AsRef<[u8]>) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_ref()).unwrap();
    file
}

fn check_text(text: impl AsRef<[u8]>) -> Result<Checked, ImportError> {
    check(file(text).path(), None, &TimeZone::UTC, |_| ())
}

fn mistakes(text: impl AsRef<[u8]>) -> (Vec<LineError>, u64) {
    match check_text(text) {
        Err(ImportError::Lines { first, count, .. }) => (first, count),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("taken"),
    }
}

#[test]
fn comments_empty_lines_and_a_missing_last_line_end_are_no_mistakes() {
    let checked =
        check_text(format!("# HOTP x\n\n  \t\r\n HOTP alice - {SECRET}\r\nHOTP bob - {SECRET}"));
    assert_eq!(checked.unwrap().tokens, 2);
}

#[test]
fn mistakes_come_with_their_lines_the_first_ten_and_the_number_of_all() {
    let mut text = format!("HOTP alice - {SECRET}\n# comment\nHOTP bob\n");
    let (first, count) = mistakes(&text);
    assert_eq!((first[0].line, count), (3, 1));
    for _ in 0..20 {
        text.push_str("nonsense\n");
    }
    let (first, count) = mistakes(&text);
    assert_eq!((first.len(), count), (10, 21));
    assert_eq!(first[9].line, 12);
}

#[test]
fn a_user_who_stands_there_twice_is_named_with_both_lines() {
    let text = format!("HOTP alice - {SECRET}\nHOTP bob - {SECRET}\nHOTP alice - {SECRET} 1\n");
    let (first, count) = mistakes(&text);
    assert_eq!(count, 1);
    assert_eq!(first[0].line, 3);
    assert!(
        matches!(&first[0].problem, LineOrRepeat::Repeat { user, first: 1 } if user.as_str() == "alice")
    );

    let many: String = (0..60).map(|n| format!("HOTP u{} - {SECRET}\n", n % 30)).collect();
    let (first, count) = mistakes(&many);
    assert_eq!((first.len(), count), (10, 30));
}

#[test]
fn lines_without_end_and_other_bytes_are_told_and_not_kept() {
    let long = format!("HOTP alice - {SECRET} {}\nHOTP bob - {SECRET}\n", "x".repeat(1_000_000));
    let (first, count) = mistakes(&long);
    assert_eq!((first[0].line, count), (1, 1));
    assert_eq!(first[0].problem, LineOrRepeat::Problem(LineProblem::TooLong));
    let (first, _) = mistakes(b"HOTP \xff - 00\n");
    assert_eq!(first[0].problem, LineOrRepeat::Problem(LineProblem::Encoding));
    let padded = format!("HOTP bob - {SECRET}{}\n", " ".repeat(LINE_MAX - 51));
    assert_eq!(check_text(padded).unwrap().tokens, 1);
}

#[test]
fn one_user_is_picked_and_must_be_there() {
    let text = format!("HOTP alice - 00112233445566778899\nHOTP bob - {SECRET}\n");
    let file = file(&text);
    let pick = |name: &str| {
        check(file.path(), Some(&UserName::new(name).unwrap()), &TimeZone::UTC, |_| ())
    };
    let bob = pick("bob").unwrap();
    assert_eq!((bob.tokens, bob.wanted, bob.weak.len()), (2, 1, 0));
    assert_eq!(pick("alice").unwrap().weak, [(Weakness::ShortSecret, 1, 1)]);
    assert!(matches!(pick("carol"), Err(ImportError::NoSuchUser(..))));
}

#[test]
fn what_is_no_file_or_has_nothing_in_it_is_refused() {
    let path = |path: &str| check(Path::new(path), None, &TimeZone::UTC, |_| ());
    assert!(matches!(path("/nonexistent"), Err(ImportError::Io(..))));
    assert!(matches!(path("/dev/null"), Err(ImportError::NotAFile(_))));
    assert!(matches!(path("/"), Err(ImportError::NotAFile(_))));
    assert!(matches!(check_text("# nothing\n"), Err(ImportError::Empty(_))));
}

#[test]
fn a_file_that_changes_between_the_two_readings_is_noticed() {
    let mut file = file(format!("HOTP alice - {SECRET}\n"));
    let zone = TimeZone::UTC;
    let checked = check(file.path(), None, &zone, |_| ()).unwrap();
    assert!(Lines::open(file.path(), &zone).unwrap().are_those_of(&checked));
    file.write_all(b"# more\n").unwrap();
    assert!(!Lines::open(file.path(), &zone).unwrap().are_those_of(&checked));
}
