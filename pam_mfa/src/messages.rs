// SPDX-License-Identifier: GPL-3.0-or-later
//! Every sentence that a user reads. None depends on whether the account or a token exists.

/// The prompt, unless the option `prompt` names another.
pub(crate) const PROMPT: &str = "One-time code: ";

/// Wrong, replayed, impossible, or no token: not told apart.
pub(crate) const WRONG: &str = "Wrong code.";

/// The daemon is down, slow, not to be trusted, or cannot record.
pub(crate) const NOT_CHECKED: &str = "The code could not be checked.";

/// Nothing is evaluated for `seconds`, or until an administrator unlocks.
pub(crate) fn locked(seconds: Option<u64>) -> String {
    match seconds {
        Some(seconds) => format!("Too many wrong codes. Try again in {seconds} s."),
        None => "Too many wrong codes. Ask your administrator to unlock you.".to_owned(),
    }
}

/// What a user should know who has just been let in; `None` where there is nothing to tell.
pub(crate) fn accepted(failures: u32, recovery_codes_left: Option<u8>) -> Option<String> {
    let failures = match failures {
        0 => None,
        1 => Some("1 wrong code since your last login.".to_owned()),
        n => Some(format!("{n} wrong codes since your last login.")),
    };
    let left = recovery_codes_left.map(|left| match left {
        // New ones come with a first token only.
        0 => "That was your last recovery code. If you have lost your token, ask your \
              administrator for a new one."
            .to_owned(),
        1 => "1 recovery code left.".to_owned(),
        n => format!("{n} recovery codes left."),
    });
    match (failures, left) {
        (Some(failures), Some(left)) => Some(format!("{failures} {left}")),
        (failures, left) => failures.or(left),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_without_failures_and_recovery_codes_says_nothing() {
        assert_eq!(accepted(0, None), None);
    }

    #[test]
    fn a_user_is_sent_to_no_command() {
        let sentences = [PROMPT.to_owned(), WRONG.to_owned(), NOT_CHECKED.to_owned()];
        let locks = [None, Some(30)].map(locked);
        let left = [None, Some(0), Some(1), Some(2)].map(|left| accepted(1, left).unwrap());
        for text in sentences.iter().chain(&locks).chain(&left) {
            assert!(!text.contains("mfa") && !text.contains('`'), "{text}");
        }
    }

    #[test]
    fn numbers_agree_with_their_nouns() {
        assert_eq!(accepted(1, None).unwrap(), "1 wrong code since your last login.");
        assert_eq!(
            accepted(7, Some(3)).unwrap(),
            "7 wrong codes since your last login. 3 recovery codes left."
        );
        assert_eq!(accepted(0, Some(1)).unwrap(), "1 recovery code left.");
        assert!(accepted(0, Some(0)).unwrap().starts_with("That was your last recovery code. If "));
    }
}
