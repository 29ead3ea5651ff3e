// SPDX-License-Identifier: GPL-3.0-or-later
//! The control column: what a success and what a wrong code do to the stack.

/// What PAM does after a line (pam.d(5)).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    Ok,
    Done,
    Bad,
    Die,
    Ignore,
    Reset,
    /// So many lines are left out.
    Jump(usize),
}

/// The two results that matter here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Control {
    /// After `PAM_SUCCESS`.
    pub(crate) success: Action,
    /// After `PAM_AUTH_ERR`.
    pub(crate) failure: Action,
}

impl Control {
    /// One of the four words, or the inside of `[value=action …]`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (success, failure) = match text.to_ascii_lowercase().as_str() {
            "required" => (Action::Ok, Action::Bad),
            "requisite" => (Action::Ok, Action::Die),
            "sufficient" => (Action::Done, Action::Ignore),
            "optional" => (Action::Ok, Action::Ignore),
            other => return Self::table(other),
        };
        Some(Self { success, failure })
    }

    /// What no pair names and no `default` covers is held against the login.
    fn table(text: &str) -> Option<Self> {
        let (mut success, mut failure, mut rest) = (None, None, None);
        for pair in text.split_ascii_whitespace() {
            let (value, action) = pair.split_once('=')?;
            let action = Some(action_of(action)?);
            match value {
                "success" => success = action,
                "auth_err" => failure = action,
                "default" => rest = action,
                _ => {}
            }
        }
        Some(Self {
            success: success.or(rest).unwrap_or(Action::Bad),
            failure: failure.or(rest).unwrap_or(Action::Bad),
        })
    }
}

fn action_of(text: &str) -> Option<Action> {
    Some(match text {
        "ok" => Action::Ok,
        "done" => Action::Done,
        "bad" => Action::Bad,
        "die" => Action::Die,
        "ignore" => Action::Ignore,
        "reset" => Action::Reset,
        number => Action::Jump(number.parse().ok()?),
    })
}
