// SPDX-License-Identifier: GPL-3.0-or-later
//! Whole files: mistakes, repeats, and what is not a file.

use std::io::Write;

use super::*;
use crate::import_error::Mistake;

const SECRET: &str = "3132333435363738393031323334353637383930";

fn file(text: impl AsRef<[u8]>) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_ref()).unwrap();
    file
}

/// Takes everybody.
#[derive(Default)]
struct Names(Vec<String>);

impl Sink for Names {
    fn take(&mut self, user: Incoming) -> Result<(), Failure> {
        self.0.push(user.user.as_str().to_owned());
        Ok(())
    }
}

fn wanted<'a>(file: &'a Path, user: Option<&'a UserName>) -> Wanted<'a> {
    static UTC: TimeZone = TimeZone::UTC;
    Wanted { file, user, zone: &UTC }
}

/// How many are wanted, by both ways of reading, which agree.
fn check_text(text: impl AsRef<[u8]>) -> Result<u64, ImportError> {
    let file = file(text);
    let mut names = Names::default();
    let by_pipe = feed_pipe(wanted(file.path(), None), 0, &mut names, |_| ());
    match check(wanted(file.path(), None), |_| ()) {
        Ok(checked) => {
            assert_eq!(
                by_pipe.unwrap_or_else(|failure| panic!("{failure}")).wanted,
                names.0.len() as u64
            );
            Ok(checked.found.wanted)
        }
        Err(error) => {
            let Err(failure) = by_pipe else { panic!("a pipe is taken: {error}") };
            assert_eq!(failure.to_string(), error.to_string());
            Err(error)
        }
    }
}

fn mistakes(text: impl AsRef<[u8]>) -> (Vec<Mistake>, u64) {
    match check_text(text) {
        Err(ImportError::Mistakes(_, Mistakes { first, count })) => (first, count),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("taken"),
    }
}

#[test]
fn comments_empty_lines_and_a_missing_last_line_end_are_no_mistakes() {
    let checked =
        check_text(format!("# HOTP x\n\n  \t\r\n HOTP alice - {SECRET}\r\nHOTP bob - {SECRET}"));
    assert_eq!(checked.unwrap_or_else(|error| panic!("{error}")), 2);
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
        matches!(&first[0].problem, Problem::Repeat { user, first: 1 } if user.as_str() == "alice")
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
    assert_eq!(first[0].problem, Problem::Line(LineProblem::TooLong));
    let (first, _) = mistakes(b"HOTP \xff - 00\n");
    assert_eq!(first[0].problem, Problem::Line(LineProblem::Encoding));
    let padded = format!("HOTP bob - {SECRET}{}\n", " ".repeat(LINE_MAX - 51));
    assert_eq!(check_text(padded).unwrap_or_else(|error| panic!("{error}")), 1);
}

#[test]
fn one_user_is_picked_and_must_be_there() {
    let text = format!("HOTP alice - 00112233445566778899\nHOTP bob - {SECRET}\n");
    let file = file(&text);
    let pick = |name: &str| {
        let user = UserName::new(name).unwrap();
        let checked = check(wanted(file.path(), Some(&user)), |_| ())?;
        let mut names = Names::default();
        let found = checked.feed(0, &mut names).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(names.0, [name]);
        Ok((found.wanted, found.weak.iter().map(|(weakness, ..)| *weakness).collect::<Vec<_>>()))
    };
    assert!(matches!(pick("bob"), Ok((1, weak)) if weak.is_empty()));
    assert!(matches!(pick("alice"), Ok((1, weak)) if weak == [Weakness::ShortSecret]));
    assert!(matches!(pick("carol"), Err(ImportError::NoSuchUser(..))));
}

#[test]
fn what_is_no_file_or_has_nothing_in_it_is_refused() {
    let is_a_pipe = |path: &str| wanted(Path::new(path), None).is_a_pipe();
    assert!(matches!(is_a_pipe("/nonexistent"), Err(ImportError::Io(..))));
    assert!(matches!(is_a_pipe("/dev/null"), Err(ImportError::NotAFile(_))));
    assert!(matches!(is_a_pipe("/"), Err(ImportError::NotAFile(_))));
    assert!(matches!(is_a_pipe(file("").path().to_str().unwrap()), Ok(false)));
    assert!(matches!(check_text("# nothing\n"), Err(ImportError::Empty(_))));
}

#[test]
fn a_file_comes_in_the_order_of_its_names_and_a_pipe_as_it_is() {
    let names =
        ["zoe", "bob", "Ann", "user-with-a-long-name-2", "user-with-a-long-name-1", "alice"];
    let text: String =
        names.iter().map(|name| format!("  HOTP {name} - {SECRET}\r\n# x\n\n")).collect();
    let file = file(text);
    let mut sorted = Names::default();
    let checked =
        check(wanted(file.path(), None), |_| ()).unwrap_or_else(|error| panic!("{error}"));
    checked.feed(0, &mut sorted).unwrap_or_else(|failure| panic!("{failure}"));
    let mut expected = names;
    expected.sort_unstable();
    assert_eq!(sorted.0, expected);
    let mut as_it_is = Names::default();
    let found = feed_pipe(wanted(file.path(), None), 0, &mut as_it_is, |_| ());
    assert_eq!((as_it_is.0, found.is_ok()), (names.map(str::to_owned).to_vec(), true));
}

#[test]
fn after_a_mistake_a_pipe_is_read_and_not_sent() {
    let text = format!("HOTP a - {SECRET}\nnonsense\nHOTP b - {SECRET}\nHOTP a - {SECRET}\n");
    let file = file(text);
    let mut names = Names::default();
    let Err(failure) = feed_pipe(wanted(file.path(), None), 0, &mut names, |_| ()) else {
        panic!()
    };
    assert_eq!(names.0, ["a"]);
    assert!(failure.to_string().contains("2 wrong lines"), "{failure}");
}

#[test]
fn a_file_that_changes_between_the_two_readings_is_noticed() {
    let mut file = file(format!("HOTP alice - {SECRET}\n"));
    let path = file.path().to_owned();
    let checked = || check(wanted(&path, None), |_| ()).unwrap_or_else(|error| panic!("{error}"));
    assert!(checked().feed(0, &mut Names::default()).is_ok());
    let before = checked();
    file.write_all(b"# more\n").unwrap();
    let Err(failure) = before.feed(0, &mut Names::default()) else { panic!("not noticed") };
    assert!(failure.to_string().contains("changed while it was read"), "{failure}");
}
