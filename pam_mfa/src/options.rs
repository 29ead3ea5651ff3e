// SPDX-License-Identifier: GPL-3.0-or-later
//! The options of the module's line in `/etc/pam.d`. Whatever is not understood is an error: a
//! login must not run under rules that nobody wrote.
//!
//! Every option is taken on a line of every group, also where it has nothing to say there: the usual
//! way to keep four lines alike is to write the same text on all of them, and an option that would
//! do something else on another group's line does not exist.

use std::ffi::CStr;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::messages;

/// The longest path that fits a `sockaddr_un` with its NUL, see unix(7).
const SOCKET_MAX: usize = 107;

/// The longest that `timeout` may be, in seconds.
const TIMEOUT_MAX: u64 = 60;

/// The most prompts of one conversation.
const RETRY_MAX: u8 = 3;

/// `echo_code` would show the password that `forward_pass` asks for.
const CONTRADICTIONS: [(&str, &str); 2] =
    [("try_first_pass", "use_first_pass"), ("echo_code", "forward_pass")];

/// How the module was asked to behave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Where the daemon listens.
    pub(crate) socket: PathBuf,
    /// What the user is asked; `None` is the default, see [`Options::prompt`].
    pub(crate) prompt: Option<String>,
    /// Is what is typed shown?
    pub(crate) echo: Echo,
    /// What does a user without a token get?
    pub(crate) without_token: WithoutToken,
    /// Is a code looked for at the end of a password that is there already?
    pub(crate) first_pass: FirstPass,
    /// `forward_pass`: password and code are asked for together, and the password is handed on.
    pub(crate) forward_pass: bool,
    /// So many prompts in one conversation.
    pub(crate) retry: u8,
    /// Members of this group are not asked.
    pub(crate) exempt_group: Option<String>,
    /// `enroll`: what is due is done inside the login.
    pub(crate) enroll: bool,
    /// `observe`: check and log, never deny.
    pub(crate) observe: bool,
    /// What does a daemon that cannot be asked mean?
    pub(crate) unavailable: Unavailable,
    /// How long the daemon may keep one login waiting in all, for both of its answers.
    pub(crate) timeout: Duration,
    /// How much is said and logged.
    pub(crate) words: Words,
    /// Are debug lines logged?
    pub(crate) debug: bool,
}

/// Whether typed characters are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Echo {
    /// The default.
    Off,
    /// `echo_code`.
    On,
}

/// What becomes of a user who has no token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum WithoutToken {
    /// Asked and denied like any other.
    Deny,
    /// `nullok`: this module does not count.
    Ignore,
}

/// What becomes of a password that an earlier module left in `PAM_AUTHTOK`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FirstPass {
    /// The default: it is not looked at.
    Leave,
    /// `try_first_pass`: the code at its end is tried, and the user asked where that did not help.
    Try,
    /// `use_first_pass`: the code at its end is all there is, and nobody is asked.
    Use,
}

/// What it means that the daemon cannot be asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unavailable {
    /// The default.
    Deny,
    /// `unavailable=ignore`: this module does not count, and an alert is logged each time.
    Ignore,
}

/// How much is said to the user and logged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Words {
    /// The default.
    Normal,
    /// `quiet`: nothing but the prompt to the user, and only denials to the log.
    Few,
}

/// Why the options cannot be followed.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum OptionsError {
    /// No option of this module.
    Unknown(String),
    /// Not UTF-8; shown as far as it can be.
    NotUtf8(String),
    /// The same option twice.
    Twice(&'static str),
    /// A value where none belongs.
    Unwanted(&'static str),
    /// `socket` is not an absolute path.
    SocketRelative(String),
    /// `socket` is longer than the system can connect to.
    SocketTooLong(usize),
    /// `prompt` is empty.
    PromptEmpty,
    /// `timeout` is not a number of seconds in its range.
    Timeout(String),
    /// `retry` is not a number of prompts in its range.
    Retry(String),
    /// `exempt_group` names no group.
    GroupEmpty,
    /// `unavailable` is neither of its two words.
    Unavailable(String),
    /// Two options of which each forbids what the other wants.
    Contradiction(&'static str, &'static str),
}

impl fmt::Display for OptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(option) => write!(f, "unknown option '{option}'"),
            Self::NotUtf8(option) => write!(f, "the option '{option}' is not UTF-8"),
            Self::Twice(name) => write!(f, "the option {name} is given twice"),
            Self::Unwanted(name) => write!(f, "the option {name} takes no value"),
            Self::SocketRelative(path) => {
                write!(f, "socket={path}: an absolute path is needed")
            }
            Self::SocketTooLong(bytes) => {
                write!(f, "socket: {bytes} bytes, a socket's path has at most {SOCKET_MAX}")
            }
            Self::PromptEmpty => write!(f, "prompt: a text is needed"),
            Self::Timeout(value) => {
                write!(f, "timeout={value}: a number of seconds from 1 to {TIMEOUT_MAX} is needed")
            }
            Self::Retry(value) => {
                write!(f, "retry={value}: a number of prompts from 1 to {RETRY_MAX} is needed")
            }
            Self::GroupEmpty => write!(f, "exempt_group: the name of a group is needed"),
            Self::Unavailable(value) => {
                write!(f, "unavailable={value}: it is 'deny' or 'ignore'")
            }
            Self::Contradiction(one, other) => {
                write!(f, "the options {one} and {other} contradict each other, take one away")
            }
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            socket: PathBuf::from(mfa_proto::DEFAULT_SOCKET),
            prompt: None,
            echo: Echo::Off,
            without_token: WithoutToken::Deny,
            first_pass: FirstPass::Leave,
            forward_pass: false,
            retry: 1,
            exempt_group: None,
            enroll: false,
            observe: false,
            unavailable: Unavailable::Deny,
            timeout: Duration::from_secs(5),
            words: Words::Normal,
            debug: false,
        }
    }
}

impl Options {
    /// Reads the options as libpam hands them over: one each, brackets removed.
    ///
    /// # Errors
    /// The first option that cannot be followed.
    pub(crate) fn parse<'a>(
        args: impl IntoIterator<Item = &'a CStr>,
    ) -> Result<Self, OptionsError> {
        let mut options = Self::default();
        let mut seen = Vec::new();
        for arg in args {
            let name = match arg.to_str() {
                Ok(arg) => options.take(arg)?,
                Err(_) => return Err(OptionsError::NotUtf8(arg.to_string_lossy().into_owned())),
            };
            if seen.contains(&name) {
                return Err(OptionsError::Twice(name));
            }
            seen.push(name);
        }
        for (one, other) in CONTRADICTIONS {
            if seen.contains(&one) && seen.contains(&other) {
                return Err(OptionsError::Contradiction(one, other));
            }
        }
        Ok(options)
    }

    /// What the user is asked.
    pub(crate) fn prompt(&self) -> &str {
        match &self.prompt {
            Some(prompt) => prompt,
            None if self.forward_pass => messages::PASSWORD_AND_CODE,
            None => messages::PROMPT,
        }
    }

    /// Takes one option and returns its name.
    fn take(&mut self, arg: &str) -> Result<&'static str, OptionsError> {
        let (name, value) = match arg.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (arg, None),
        };
        let name = match (name, value) {
            ("socket", Some(path)) => {
                self.socket = socket(path)?;
                return Ok("socket");
            }
            ("prompt", Some(text)) => {
                self.prompt = Some(prompt(text)?);
                return Ok("prompt");
            }
            ("timeout", Some(seconds)) => {
                self.timeout = timeout(seconds)?;
                return Ok("timeout");
            }
            ("retry", Some(prompts)) => {
                self.retry = retry(prompts)?;
                return Ok("retry");
            }
            ("exempt_group", Some(group)) => {
                self.exempt_group = Some(exempt_group(group)?);
                return Ok("exempt_group");
            }
            ("unavailable", Some(value)) => {
                self.unavailable = unavailable(value)?;
                return Ok("unavailable");
            }
            ("try_first_pass", _) => {
                self.first_pass = FirstPass::Try;
                "try_first_pass"
            }
            ("use_first_pass", _) => {
                self.first_pass = FirstPass::Use;
                "use_first_pass"
            }
            ("forward_pass", _) => {
                self.forward_pass = true;
                "forward_pass"
            }
            ("enroll", _) => {
                self.enroll = true;
                "enroll"
            }
            ("observe", _) => {
                self.observe = true;
                "observe"
            }
            ("echo_code", _) => {
                self.echo = Echo::On;
                "echo_code"
            }
            ("nullok", _) => {
                self.without_token = WithoutToken::Ignore;
                "nullok"
            }
            ("quiet", _) => {
                self.words = Words::Few;
                "quiet"
            }
            ("debug", _) => {
                self.debug = true;
                "debug"
            }
            _ => return Err(OptionsError::Unknown(arg.to_owned())),
        };
        if value.is_some() { Err(OptionsError::Unwanted(name)) } else { Ok(name) }
    }
}

fn socket(path: &str) -> Result<PathBuf, OptionsError> {
    if !path.starts_with('/') {
        return Err(OptionsError::SocketRelative(path.to_owned()));
    }
    if path.len() > SOCKET_MAX {
        return Err(OptionsError::SocketTooLong(path.len()));
    }
    Ok(PathBuf::from(path))
}

/// `_` stands for a space, as in pam_google_authenticator's option of the same meaning.
fn prompt(text: &str) -> Result<String, OptionsError> {
    if text.is_empty() { Err(OptionsError::PromptEmpty) } else { Ok(text.replace('_', " ")) }
}

fn timeout(seconds: &str) -> Result<Duration, OptionsError> {
    // `parse` alone would take "+5".
    let digits = seconds.bytes().all(|byte| byte.is_ascii_digit());
    match seconds.parse::<u64>() {
        Ok(number) if digits && (1..=TIMEOUT_MAX).contains(&number) => {
            Ok(Duration::from_secs(number))
        }
        _ => Err(OptionsError::Timeout(seconds.to_owned())),
    }
}

fn retry(prompts: &str) -> Result<u8, OptionsError> {
    let digits = prompts.bytes().all(|byte| byte.is_ascii_digit());
    match prompts.parse::<u8>() {
        Ok(number) if digits && (1..=RETRY_MAX).contains(&number) => Ok(number),
        _ => Err(OptionsError::Retry(prompts.to_owned())),
    }
}

fn exempt_group(group: &str) -> Result<String, OptionsError> {
    if group.is_empty() { Err(OptionsError::GroupEmpty) } else { Ok(group.to_owned()) }
}

fn unavailable(value: &str) -> Result<Unavailable, OptionsError> {
    match value {
        "deny" => Ok(Unavailable::Deny),
        "ignore" => Ok(Unavailable::Ignore),
        _ => Err(OptionsError::Unavailable(value.to_owned())),
    }
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
