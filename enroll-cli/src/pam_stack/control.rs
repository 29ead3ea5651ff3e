// SPDX-License-Identifier: GPL-3.0-or-later
//! The control column: what each result of a module does to the stack.

/// The results of a module, by number, as the tables of pam.d(5) name them.
const NAMES: [&str; 32] = [
    "success",
    "open_err",
    "symbol_err",
    "service_err",
    "system_err",
    "buf_err",
    "perm_denied",
    "auth_err",
    "cred_insufficient",
    "authinfo_unavail",
    "user_unknown",
    "maxtries",
    "new_authtok_reqd",
    "acct_expired",
    "session_err",
    "cred_unavail",
    "cred_expired",
    "cred_err",
    "no_module_data",
    "conv_err",
    "authtok_err",
    "authtok_recover_err",
    "authtok_lock_busy",
    "authtok_disable_aging",
    "try_again",
    "ignore",
    "abort",
    "authtok_expired",
    "module_unknown",
    "bad_item",
    "conv_again",
    "incomplete",
];

/// What a module returns.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Code(usize);

impl Code {
    pub(crate) const SUCCESS: Self = Self(0);
    pub(crate) const SERVICE_ERR: Self = Self(3);
    pub(crate) const PERM_DENIED: Self = Self(6);
    pub(crate) const AUTH_ERR: Self = Self(7);
    pub(crate) const AUTHINFO_UNAVAIL: Self = Self(9);
    pub(crate) const USER_UNKNOWN: Self = Self(10);
    pub(crate) const MAXTRIES: Self = Self(11);
    pub(crate) const NEW_AUTHTOK_REQD: Self = Self(12);
    pub(crate) const CONV_ERR: Self = Self(19);
    pub(crate) const IGNORE: Self = Self(25);
    pub(crate) const ABORT: Self = Self(26);
    pub(crate) const MODULE_UNKNOWN: Self = Self(28);

    #[cfg(test)]
    pub(crate) fn named(name: &str) -> Option<Self> {
        NAMES.iter().position(|known| *known == name).map(Self)
    }

    #[cfg(test)]
    pub(crate) fn number(self) -> usize {
        self.0
    }
}

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

/// The action for each result.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Control(Box<[Action; NAMES.len()]>);

impl Control {
    /// One of the four words, or the inside of `[value=action …]`. libpam denies where it can make
    /// nothing of it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (success, ignore, rest) = match text.to_ascii_lowercase().as_str() {
            "required" => (Action::Ok, Action::Ignore, Action::Bad),
            "requisite" => (Action::Ok, Action::Ignore, Action::Die),
            "sufficient" => (Action::Done, Action::Ignore, Action::Ignore),
            "optional" => (Action::Ok, Action::Ignore, Action::Ignore),
            _ => return Self::table(text),
        };
        let mut actions = [rest; NAMES.len()];
        for (code, action) in
            [(Code::SUCCESS, success), (Code::NEW_AUTHTOK_REQD, success), (Code::IGNORE, ignore)]
        {
            if let Some(slot) = actions.get_mut(code.0) {
                *slot = action;
            }
        }
        Some(Self(Box::new(actions)))
    }

    /// What follows this result.
    pub(crate) fn after(&self, code: Code) -> Action {
        self.0.get(code.0).copied().unwrap_or(Action::Bad)
    }

    /// What no pair names and no `default` covers is held against the login. Unlike the four words, the
    /// pairs are told apart by case; spaces around `=` and none between pairs are taken.
    fn table(text: &str) -> Option<Self> {
        let mut actions = [None; NAMES.len()];
        let mut text = text.trim_start();
        while !text.is_empty() {
            let (named, rest) = match text.strip_prefix("default") {
                Some(rest) => (None, rest),
                None => {
                    let at = NAMES.iter().position(|name| text.starts_with(name))?;
                    (Some(at), text.strip_prefix(NAMES.get(at)?)?)
                }
            };
            let (action, rest) = action_of(rest.trim_start().strip_prefix('=')?.trim_start())?;
            match named {
                Some(at) => *actions.get_mut(at)? = Some(action),
                None => actions.iter_mut().for_each(|slot| *slot = slot.or(Some(action))),
            }
            text = rest.trim_start();
        }
        Some(Self(Box::new(actions.map(|action| action.unwrap_or(Action::Bad)))))
    }
}

/// The action at the beginning of `text`, and what follows it.
fn action_of(text: &str) -> Option<(Action, &str)> {
    let words = [
        ("ignore", Action::Ignore),
        ("ok", Action::Ok),
        ("done", Action::Done),
        ("bad", Action::Bad),
        ("die", Action::Die),
        ("reset", Action::Reset),
    ];
    for (word, action) in words {
        if let Some(rest) = text.strip_prefix(word) {
            return Some((action, rest));
        }
    }
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at_checked(end)?;
    match number.parse() {
        Ok(0) | Err(_) => None,
        Ok(lines) => Some((Action::Jump(lines), rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_as_libpam_does() {
        let control = Control::parse("success=1 default=ignore").unwrap();
        assert_eq!(control.after(Code::SUCCESS), Action::Jump(1));
        assert_eq!(control.after(Code::AUTH_ERR), Action::Ignore);
        // `default` fills what is not named yet, wherever it stands; what is missing is bad.
        let control = Control::parse(" default = die  success=ok").unwrap();
        assert_eq!(control.after(Code::SUCCESS), Action::Ok);
        assert_eq!(control.after(Code::IGNORE), Action::Die);
        let control = Control::parse("success=okauth_err=2default=reset").unwrap();
        assert_eq!(control.after(Code::AUTH_ERR), Action::Jump(2));
        assert_eq!(Control::parse("success=ok").unwrap().after(Code::IGNORE), Action::Bad);
        for bad in ["success=0", "success", "succes=ok", "SUCCESS=ok", "success=fine", "requird"] {
            assert_eq!(Control::parse(bad), None, "{bad}");
        }
        assert_eq!(Control::parse("Required").unwrap().after(Code::IGNORE), Action::Ignore);
    }
}
