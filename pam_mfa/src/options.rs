// SPDX-License-Identifier: GPL-3.0-or-later
//! The options of the module's line in `/etc/pam.d`. Whatever is not understood is an error: a
//! login must not run under rules that nobody wrote.

use std::ffi::CStr;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::messages;

/// The longest path that fits a `sockaddr_un` with its NUL, see unix(7).
const SOCKET_MAX: usize = 107;

/// The longest that `timeout` may be, in seconds.
const TIMEOUT_MAX: u64 = 60;

/// How the module was asked to behave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Where the daemon listens.
    pub(crate) socket: PathBuf,
    /// What the user is asked.
    pub(crate) prompt: String,
    /// Is what is typed shown?
    pub(crate) echo: Echo,
    /// What does a user without a token get?
    pub(crate) without_token: WithoutToken,
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
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            socket: PathBuf::from(mfa_proto::DEFAULT_SOCKET),
            prompt: messages::PROMPT.to_owned(),
            echo: Echo::Off,
            without_token: WithoutToken::Deny,
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
        Ok(options)
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
                self.prompt = prompt(text)?;
                return Ok("prompt");
            }
            ("timeout", Some(seconds)) => {
                self.timeout = timeout(seconds)?;
                return Ok("timeout");
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&CStr]) -> Result<Options, OptionsError> {
        Options::parse(args.iter().copied())
    }

    #[test]
    fn no_options_are_the_documented_defaults() {
        let options = parse(&[]).unwrap();
        assert_eq!(options.socket, PathBuf::from("/run/mfa/mfa.sock"));
        assert_eq!(options.prompt, "One-time code: ");
        assert_eq!(options.echo, Echo::Off);
        assert_eq!(options.without_token, WithoutToken::Deny);
        assert_eq!(options.timeout, Duration::from_secs(5));
        assert_eq!(options.words, Words::Normal);
        assert!(!options.debug);
    }

    #[test]
    fn every_option_is_taken() {
        let all = [
            c"socket=/run/x/y=z.sock",
            c"prompt=Your_code: ",
            c"echo_code",
            c"nullok",
            c"timeout=60",
            c"quiet",
            c"debug",
        ];
        assert_eq!(
            parse(&all).unwrap(),
            Options {
                socket: PathBuf::from("/run/x/y=z.sock"),
                prompt: "Your code: ".to_owned(),
                echo: Echo::On,
                without_token: WithoutToken::Ignore,
                timeout: Duration::from_secs(60),
                words: Words::Few,
                debug: true,
            }
        );
        for option in all {
            assert!(parse(&[option]).is_ok(), "{option:?}");
            assert!(matches!(parse(&[option, option]), Err(OptionsError::Twice(_))), "{option:?}");
        }
    }

    #[test]
    fn what_is_not_understood_is_an_error_that_names_it() {
        assert!(parse(&[c"nullok"]).is_ok());
        for (bad, named) in [
            (c"nullokk", "nullokk"),
            (c"Nullok", "Nullok"),
            (c"", "''"),
            (c"retry=3", "retry=3"),
            (c"try_first_pass", "try_first_pass"),
            (c"unavailable=ignore", "unavailable=ignore"),
            (c"observe", "observe"),
            (c"panic", "panic"),
            (c"nullok=no", "nullok takes no value"),
            (c"quiet=", "quiet takes no value"),
            (c"socket", "socket"),
            (c"socket=", "absolute"),
            (c"socket=run/mfa.sock", "absolute"),
            (c"socket=@mfa", "absolute"),
            (c"prompt", "prompt"),
            (c"prompt=", "prompt"),
            (c"timeout", "timeout"),
            (c"timeout=", "timeout"),
            (c"timeout=0", "1 to 60"),
            (c"timeout=61", "1 to 60"),
            (c"timeout=-1", "1 to 60"),
            (c"timeout=+5", "1 to 60"),
            (c"timeout=5s", "1 to 60"),
            (c"timeout= 5", "1 to 60"),
            (c"timeout=99999999999999999999999", "1 to 60"),
            (c"prompt=\xff", "prompt=\u{fffd}"),
        ] {
            let error = parse(&[c"debug", bad]).unwrap_err().to_string();
            assert!(error.contains(named), "{bad:?}: {error}");
        }
    }

    #[test]
    fn a_socket_path_is_taken_up_to_the_length_that_connects() {
        let path = |len: usize| format!("socket=/{}", "s".repeat(len - 1));
        let parse_text = |text: String| parse(&[&std::ffi::CString::new(text).unwrap()]);
        assert!(parse_text(path(107)).is_ok());
        assert_eq!(parse_text(path(108)), Err(OptionsError::SocketTooLong(108)));
    }
}
