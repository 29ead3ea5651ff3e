// SPDX-License-Identifier: GPL-3.0-or-later
//! Every sentence that a user reads; what the log says is in `logged`. Before a success none depends on whether the account or a
//! token exists.

// With its path, since the fuzz targets take this file into another crate.
#[path = "messages/logged.rs"]
pub(crate) mod logged;

use mfa_proto::login::{Accepted, LastFailure};

use crate::utc::Utc;

/// The prompt, unless the option `prompt` names another.
pub(crate) const PROMPT: &str = "One-time code: ";

/// The same with `forward_pass`.
pub(crate) const PASSWORD_AND_CODE: &str = "Password and one-time code: ";

/// Wrong, replayed, impossible, or no token: not told apart.
pub(crate) const WRONG: &str = "Wrong code.";

/// The daemon is down, slow, not to be trusted, or cannot record.
pub(crate) const NOT_CHECKED: &str = "The code could not be checked.";

/// `account`: what the next thing is that happens in this login.
pub(crate) const ENROLLMENT_DUE: &str =
    "You must set up a one-time code now, this login asks you to.";

/// `account`: the same for a token that is too old.
pub(crate) const ROTATION_DUE: &str =
    "The key of your one-time code is too old, this login gives you a new one.";

/// Asked before a first token where an administrator has to allow it.
pub(crate) const INVITE: &str = "Invite code: ";

/// Asked before a rotation in a login that no code has opened.
pub(crate) const CURRENT_CODE: &str = "Your current one-time code: ";

/// Above the QR code.
pub(crate) const SCAN: &str =
    "Scan this with the authenticator on your phone, or type the key below into it.";

/// Asks for the proof that the authenticator has it.
pub(crate) const FIRST_CODE: &str = "The code that it shows now: ";

/// The daemon does not make a token now, or does not want to.
pub(crate) const NOT_SET_UP: &str =
    "The one-time code could not be set up, nothing has changed. Ask your administrator.";

/// So many wrong first codes that the new key was thrown away.
pub(crate) const NO_MORE_TRIES: &str =
    "None of these codes was right: the new key is gone, nothing has changed. Log in again.";

/// Above the recovery codes.
pub(crate) const RECOVERY_CODES: &str =
    "Your one-time code is set up. If you lose your phone, each of these codes logs you in once:";

/// Below them. ssh shows texts with the next prompt only.
pub(crate) const WRITTEN_DOWN: &str = "Press Enter when you have written them down: ";

/// After a rotation.
pub(crate) const ROTATED: &str =
    "The new key is in use. Remove the old entry from your authenticator.";

/// The longest name of a host that is shown, in bytes.
const HOST_MAX: usize = 64;

/// Nothing is evaluated for `seconds`, or until an administrator unlocks.
pub(crate) fn locked(seconds: Option<u64>) -> String {
    match seconds {
        Some(seconds) => format!("Too many wrong codes. Try again in {seconds} s."),
        None => "Too many wrong codes. Ask your administrator to unlock you.".to_owned(),
    }
}

/// A wrong code; with seconds where it fits a time that is off by so many.
pub(crate) fn wrong(clock_offset: Option<i64>) -> String {
    clock_offset.map_or_else(
        || WRONG.to_owned(),
        |offset| {
            format!(
                "{WRONG} The clock of your authenticator seems to be about {}; correct it, or \
                 enter the next code as well.",
                off_by(offset)
            )
        },
    )
}

/// The notice that counts down to an enrolment.
pub(crate) fn enroll_within(seconds: u64) -> String {
    let within = match (seconds / 86_400, seconds.div_ceil(3600)) {
        _ if seconds == 0 => "now".to_owned(),
        (0, 1) => "within an hour".to_owned(),
        (0, hours) => format!("within {hours} hours"),
        (1, _) => "within a day".to_owned(),
        (days, _) => format!("within {days} days"),
    };
    format!("You must set up a one-time code {within}.")
}

/// Digits and step of the codes, for an authenticator that asks.
pub(crate) fn parameters(digits: u8, period: u64) -> String {
    match period {
        0 => format!("({digits} digits, by a counter)"),
        _ => format!("({digits} digits, a new code every {period} s)"),
    }
}

/// What a user should know who has just been let in; `None` where there is nothing to tell.
pub(crate) fn accepted(accepted: &Accepted) -> Option<String> {
    let mut text = String::new();
    let mut tell = |sentence: &str| {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(sentence);
    };
    if accepted.failures > 0 {
        let codes = if accepted.failures == 1 { "code" } else { "codes" };
        let last = accepted.last_failure.as_ref().map(last_failure).unwrap_or_default();
        tell(&format!("{} wrong {codes} since your last login{last}.", accepted.failures));
    }
    match accepted.recovery_codes_left {
        None => {}
        // New ones come with a first token only.
        Some(0) => tell(
            "That was your last recovery code. If you have lost your token, ask your \
             administrator for a new one.",
        ),
        Some(1) => tell("1 recovery code left."),
        Some(n) => tell(&format!("{n} recovery codes left.")),
    }
    if let Some(offset) = accepted.clock_offset {
        tell(&format!("The clock of your authenticator is about {}.", off_by(offset)));
    }
    if accepted.rotation_due {
        tell("The key of your one-time code is due for renewal.");
    }
    (!text.is_empty()).then_some(text)
}

fn last_failure(failure: &LastFailure) -> String {
    let at = Utc(failure.at);
    match &failure.from {
        Some(from) => format!(", last from {} at {at}", host(from)),
        None => format!(", last at {at}"),
    }
}

/// A name that whoever typed the wrong code may have chosen: it stays a name, and can be neither a
/// sentence nor a command of the terminal.
fn host(name: &str) -> String {
    let shown = |c: char| if c.is_ascii_alphanumeric() || ".:-_%@".contains(c) { c } else { '?' };
    name.chars().take(HOST_MAX).map(shown).collect()
}

fn off_by(offset: i64) -> String {
    let seconds = offset.unsigned_abs();
    format!("{seconds} s {}", if offset < 0 { "behind" } else { "ahead" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(failures: u32, recovery_codes_left: Option<u8>) -> Accepted {
        Accepted { failures, recovery_codes_left, ..Accepted::default() }
    }

    #[test]
    fn a_login_without_anything_to_tell_says_nothing() {
        assert_eq!(accepted(&Accepted::default()), None);
    }

    #[test]
    fn a_user_is_sent_to_no_command() {
        let constants = [
            PROMPT,
            PASSWORD_AND_CODE,
            WRONG,
            NOT_CHECKED,
            ENROLLMENT_DUE,
            ROTATION_DUE,
            INVITE,
            CURRENT_CODE,
            SCAN,
            FIRST_CODE,
            NOT_SET_UP,
            NO_MORE_TRIES,
            RECOVERY_CODES,
            WRITTEN_DOWN,
            ROTATED,
        ];
        let mut sentences: Vec<String> = constants.map(str::to_owned).into();
        sentences.extend([None, Some(30)].map(locked));
        sentences.extend([None, Some(-95)].map(wrong));
        sentences.extend([0, 1, 3601, 86_400, 1_000_000].map(enroll_within));
        sentences.extend(
            [None, Some(0), Some(1), Some(2)].map(|left| accepted(&after(1, left)).unwrap()),
        );
        for text in &sentences {
            assert!(!text.contains("mfa") && !text.contains('`'), "{text}");
            assert!(text.ends_with(['.', ' ', ':']), "{text}");
        }
    }

    #[test]
    fn numbers_agree_with_their_nouns() {
        assert_eq!(accepted(&after(1, None)).unwrap(), "1 wrong code since your last login.");
        assert_eq!(
            accepted(&after(7, Some(3))).unwrap(),
            "7 wrong codes since your last login. 3 recovery codes left."
        );
        assert_eq!(accepted(&after(0, Some(1))).unwrap(), "1 recovery code left.");
        let last = accepted(&after(0, Some(0))).unwrap();
        assert!(last.starts_with("That was your last recovery code. If "));
    }

    #[test]
    fn everything_there_is_to_tell_is_told_in_one_text() {
        let all = Accepted {
            failures: 3,
            last_failure: Some(LastFailure { at: 1_796_261_339, from: Some("192.0.2.7".into()) }),
            recovery_codes_left: Some(2),
            clock_offset: Some(-60),
            rotation_due: true,
        };
        assert_eq!(
            accepted(&all).unwrap(),
            "3 wrong codes since your last login, last from 192.0.2.7 at 2026-12-03 01:28 UTC. \
             2 recovery codes left. The clock of your authenticator is about 60 s behind. \
             The key of your one-time code is due for renewal."
        );
        let nowhere = Accepted {
            failures: 1,
            last_failure: Some(LastFailure { at: 0, from: None }),
            ..Accepted::default()
        };
        assert_eq!(
            accepted(&nowhere).unwrap(),
            "1 wrong code since your last login, last at 1970-01-01 00:00 UTC."
        );
    }

    #[test]
    fn a_strangers_host_name_stays_a_name() {
        for (name, shown) in [
            ("host-1.example.org", "host-1.example.org"),
            ("fe80::1%eth0", "fe80::1%eth0"),
            ("a\u{1b}[2J\nb", "a??2J?b"),
            ("x at noon. Call 555", "x?at?noon.?Call?555"),
            ("hóst\u{202e}", "h?st?"),
        ] {
            assert_eq!(host(name), shown);
        }
        assert_eq!(host(&"h".repeat(1000)).len(), HOST_MAX);
        assert_eq!(host(&"ü".repeat(1000)), "?".repeat(HOST_MAX));
    }

    #[test]
    fn a_wrong_code_of_a_nearby_time_says_which_way_the_clock_is_off() {
        assert_eq!(wrong(None), "Wrong code.");
        assert_eq!(
            wrong(Some(95)),
            "Wrong code. The clock of your authenticator seems to be about 95 s ahead; correct it, \
             or enter the next code as well."
        );
        assert!(wrong(Some(-95)).contains("about 95 s behind;"));
        assert!(wrong(Some(i64::MIN)).contains(" s behind;"));
    }

    #[test]
    fn the_deadline_is_told_in_whole_units_and_never_later_than_it_is() {
        for (seconds, within) in [
            (0, "now"),
            (1, "within an hour"),
            (3600, "within an hour"),
            (3601, "within 2 hours"),
            (86_399, "within 24 hours"),
            (86_400, "within a day"),
            (2 * 86_400 - 1, "within a day"),
            (12 * 86_400 + 5, "within 12 days"),
        ] {
            assert_eq!(
                enroll_within(seconds),
                format!("You must set up a one-time code {within}.")
            );
        }
    }
}
