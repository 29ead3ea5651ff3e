// SPDX-License-Identifier: GPL-3.0-or-later
//! What a log line may contain: bounded, escaped, and never a code.
//!
//! Names come from outside. A line is therefore one line, and the user's name stands last in it, so
//! that a name like `x rhost=192.0.2.1` cannot pass for the field before it.

use mfa_proto::login::Origin;

/// The longest line, in bytes; what is longer is cut.
const LINE_MAX: usize = 512;

/// The longest field within a line, in bytes: three of them leave room for the reason.
const FIELD_MAX: usize = 128;

/// How much a line matters, in syslog's terms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Level {
    /// The login passed although nothing was checked.
    Alert,
    /// The login was denied because something is broken or misconfigured.
    Error,
    /// The login was denied.
    Notice,
    /// The login was accepted or ignored.
    Info,
    /// Only with the option `debug`.
    Debug,
}

/// A line as it may be logged.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Line(String);

impl Line {
    /// `what`, where it is not about anybody's login.
    pub(crate) fn new(what: &str) -> Self {
        Self(escaped(what, LINE_MAX))
    }

    /// `what`, and whose login it is about.
    pub(crate) fn of_login(what: &str, origin: &Origin, user: &str) -> Self {
        let field = |value: Option<&str>| escaped(value.unwrap_or_default(), FIELD_MAX);
        let rhost = field(origin.rhost.as_deref());
        let tty = field(origin.tty.as_deref());
        let whose = format!("; rhost={rhost} tty={tty} user={}", escaped(user, FIELD_MAX));
        Self(escaped(what, LINE_MAX - whose.len()) + &whose)
    }

    /// The text, without NUL or any other control character.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// `text` on one line of at most `max` bytes: what is not printable, and the backslash that shows
/// it, is written as an escape.
fn escaped(text: &str, max: usize) -> String {
    let mut line = String::with_capacity(text.len().min(max));
    for c in text.chars() {
        let before = line.len();
        match c {
            ' '..='[' | ']'..='~' => line.push(c),
            _ => line.extend(c.escape_debug()),
        }
        if line.len() > max {
            line.truncate(before);
            break;
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line_whatever_the_names_are() {
        assert_eq!(escaped("a\nb\r\u{1b}[31m\\\u{85}\u{202e}ü%n", 99), {
            r"a\nb\r\u{1b}[31m\\\u{85}\u{202e}ü%n"
        });
    }

    #[test]
    fn a_long_text_is_cut_before_the_escape_that_does_not_fit() {
        assert_eq!(escaped("aaaa", 3), "aaa");
        assert_eq!(escaped("aa\u{1b}", 7), "aa");
        assert_eq!(escaped("aa\u{1b}", 8), "aa\\u{1b}");
        assert_eq!(escaped(&"ü".repeat(300), LINE_MAX).len(), LINE_MAX);
    }

    #[test]
    fn the_user_stands_last() {
        let origin = Origin {
            service: "sshd".into(),
            rhost: Some("::1".into()),
            tty: Some("ssh".into()),
            ..Origin::default()
        };
        assert_eq!(
            Line::of_login("wrong code: login denied", &origin, "x rhost=192.0.2.1").as_str(),
            "wrong code: login denied; rhost=::1 tty=ssh user=x rhost=192.0.2.1"
        );
    }

    #[test]
    fn the_longest_fields_leave_room_for_the_reason() {
        let long = "\u{1b}".repeat(300);
        let origin = Origin {
            service: long.clone(),
            rhost: Some(long.clone()),
            tty: Some(long.clone()),
            ..Origin::default()
        };
        let line = Line::of_login(&format!("wrong code: login denied{long}"), &origin, &long);
        assert!(line.as_str().len() <= LINE_MAX);
        assert!(line.as_str().starts_with("wrong code: login denied"));
        assert!(line.as_str().contains(" user="));
        assert!(!line.as_str().contains(char::is_control));
    }
}
