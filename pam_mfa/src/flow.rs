// SPDX-License-Identifier: GPL-3.0-or-later
//! The login as a function over what PAM offers ([`Host`]) and what the daemon offers
//! ([`Verifier`]).
//!
//! Exactly one place returns `PAM_SUCCESS` and exactly one `PAM_IGNORE`; every other path denies.
//!
//! Two flags and calls of PAM are left alone on purpose. `PAM_DISALLOW_NULL_AUTHTOK` is about empty
//! passwords, and sshd sets it by default: would it overrule `nullok`, that option would have no
//! effect there; `pam_google_authenticator` and `pam_oath` read it the same way. `pam_fail_delay`
//! is not called: the daemon bounds guessing with a lock that holds across processes, and a delay
//! that the stack asks for elsewhere (`pam_unix`, `pam_faildelay`) covers a wrong code as well.

use mfa_proto::login::{BeginAnswer, Origin, SkipReason, VerifyAnswer};
use mfa_proto::{ClientError, TypedCode, UserName};
use pam::constants::PamResultCode;

use crate::log::{Level, Line};
use crate::messages;
use crate::options::{Echo, Options, WithoutToken, Words};

/// What the login program offers.
pub(crate) trait Host {
    /// Who logs in; the program may ask for it.
    fn user(&mut self) -> Result<User, ConversationFailed>;
    /// Where the login comes from.
    fn origin(&self) -> Origin;
    /// Asks the user.
    fn prompt(&mut self, text: &str, echo: Echo) -> Result<Typed, ConversationFailed>;
    /// Tells the user something. That it cannot be told changes nothing.
    fn say(&mut self, tone: Tone, text: &str);
    /// Writes a line to the log. The line holds no code.
    fn log(&mut self, level: Level, line: &Line);
}

/// What the daemon offers.
pub(crate) trait Verifier {
    /// Is this user to be asked for a code?
    fn begin(&self, user: &UserName, origin: &Origin) -> Result<BeginAnswer, ClientError>;
    /// Does this code open the login?
    fn verify(
        &self,
        user: &UserName,
        code: TypedCode,
        origin: &Origin,
    ) -> Result<VerifyAnswer, ClientError>;
}

/// Who logs in.
#[derive(Debug)]
pub(crate) enum User {
    /// A name that an account can have.
    Named(UserName),
    /// A name that none can have; with what is wrong, for the log.
    Impossible {
        /// As far as it can be shown.
        name: String,
        /// Why.
        reason: String,
    },
}

/// What the user gave for an answer.
#[derive(Debug)]
pub(crate) enum Typed {
    /// No answer, or nothing but white space.
    Nothing,
    /// Something that is no code in any case: too long, or no text.
    NoCode,
    /// Something that may be a code.
    Code(TypedCode),
}

impl Typed {
    /// Sorts the answer of a conversation.
    pub(crate) fn new(answer: Option<&[u8]>) -> Self {
        match answer.map(std::str::from_utf8) {
            None => Self::Nothing,
            Some(Ok(text)) if text.trim().is_empty() => Self::Nothing,
            Some(Ok(text)) => TypedCode::new(text).map_or(Self::NoCode, Self::Code),
            Some(Err(_)) => Self::NoCode,
        }
    }
}

/// The program's conversation function is missing or returned an error.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ConversationFailed;

/// How something is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tone {
    /// `PAM_ERROR_MSG`
    Error,
    /// `PAM_TEXT_INFO`
    Info,
}

/// One call of `pam_sm_authenticate`. `silent` is `PAM_SILENT`: the program wants no texts.
pub(crate) fn login(
    host: &mut impl Host,
    verifier: &impl Verifier,
    options: &Options,
    silent: bool,
) -> PamResultCode {
    let user = match host.user() {
        Ok(user) => user,
        Err(ConversationFailed) => {
            let line = Line::of_login("no user name: login denied", &host.origin(), "");
            host.log(Level::Error, &line);
            return PamResultCode::PAM_CONV_ERR;
        }
    };
    let origin = host.origin();
    match user {
        User::Named(user) => {
            Login { host, verifier, options, silent, name: user.as_str(), origin }.run(&user)
        }
        User::Impossible { name, reason } => {
            Login { host, verifier, options, silent, name: &name, origin }.run_impossible(&reason)
        }
    }
}

struct Login<'a, H, V> {
    host: &'a mut H,
    verifier: &'a V,
    options: &'a Options,
    silent: bool,
    name: &'a str,
    origin: Origin,
}

impl<H: Host, V: Verifier> Login<'_, H, V> {
    fn run(mut self, user: &UserName) -> PamResultCode {
        let begun = self.verifier.begin(user, &self.origin);
        self.debug(|| format!("begin: {begun:?}"));
        match begun {
            Ok(BeginAnswer::Prompt {}) => {}
            Ok(BeginAnswer::Skip { reason: SkipReason::NoToken }) => {
                if self.options.without_token == WithoutToken::Ignore {
                    return self.ignore("no token, and nullok");
                }
                // Asked and verified like any other: that there is no token must not show.
            }
            Ok(BeginAnswer::Unavailable {}) => return self.unavailable(&undecided()),
            Ok(BeginAnswer::Error(refusal)) => return self.unavailable(&refused(&refusal.message)),
            Err(error) => return self.unavailable(&self.no_answer(&error)),
        }
        let code = match self.ask() {
            Ok(code) => code,
            Err(answer) => return answer,
        };
        let verified = self.verifier.verify(user, code, &self.origin);
        self.debug(|| format!("verify: {verified:?}"));
        match verified {
            Ok(VerifyAnswer::Accepted { failures, recovery_codes_left }) => {
                self.accept(failures, recovery_codes_left)
            }
            Ok(VerifyAnswer::Wrong {}) => self.wrong("wrong code"),
            Ok(VerifyAnswer::Replayed {}) => self.wrong("code used before"),
            Ok(VerifyAnswer::Locked { seconds }) => self.locked(seconds),
            Ok(VerifyAnswer::Unavailable {}) => self.unavailable(&undecided()),
            Ok(VerifyAnswer::Error(refusal)) => self.unavailable(&refused(&refusal.message)),
            Err(error) => self.unavailable(&self.no_answer(&error)),
        }
    }

    /// A name that no account can have: asked like any other, so that nothing shows, and denied
    /// here, since the daemon takes no such name.
    fn run_impossible(mut self, reason: &str) -> PamResultCode {
        match self.ask() {
            Ok(_) => self.wrong(reason),
            Err(answer) => answer,
        }
    }

    /// What was typed, or the answer to PAM where it is nothing to be sent.
    fn ask(&mut self) -> Result<TypedCode, PamResultCode> {
        match self.host.prompt(&self.options.prompt, self.options.echo) {
            Ok(Typed::Code(code)) => Ok(code),
            Ok(Typed::NoCode) => Err(self.wrong("the answer is no code")),
            Ok(Typed::Nothing) => {
                self.log(Level::Notice, "no code given: login denied");
                Err(PamResultCode::PAM_AUTH_ERR)
            }
            Err(ConversationFailed) => {
                self.log(Level::Notice, "the prompt was not answered: login denied");
                Err(PamResultCode::PAM_CONV_ERR)
            }
        }
    }

    fn accept(&mut self, failures: u32, recovery_codes_left: Option<u8>) -> PamResultCode {
        if self.options.words == Words::Normal {
            self.log(Level::Info, "login accepted");
        }
        if let Some(text) = messages::accepted(failures, recovery_codes_left) {
            self.say(Tone::Info, &text);
        }
        PamResultCode::PAM_SUCCESS
    }

    fn ignore(&mut self, reason: &str) -> PamResultCode {
        if self.options.words == Words::Normal {
            self.log(Level::Info, &format!("{reason}: not asked for a code"));
        }
        PamResultCode::PAM_IGNORE
    }

    fn wrong(&mut self, reason: &str) -> PamResultCode {
        self.log(Level::Notice, &format!("{reason}: login denied"));
        self.say(Tone::Error, messages::WRONG);
        PamResultCode::PAM_AUTH_ERR
    }

    fn locked(&mut self, seconds: Option<u64>) -> PamResultCode {
        let line = match seconds {
            Some(seconds) => format!("locked for {seconds} s more: login denied"),
            None => "locked until `mfa admin unlock`: login denied".to_owned(),
        };
        self.log(Level::Notice, &line);
        self.say(Tone::Error, &messages::locked(seconds));
        PamResultCode::PAM_MAXTRIES
    }

    fn unavailable(&mut self, reason: &str) -> PamResultCode {
        self.log(Level::Error, &format!("{reason}: login denied"));
        self.say(Tone::Error, messages::NOT_CHECKED);
        PamResultCode::PAM_AUTHINFO_UNAVAIL
    }

    fn no_answer(&self, error: &ClientError) -> String {
        let socket = self.options.socket.display();
        match error {
            ClientError::Unreachable(error) => format!(
                "cannot reach {socket} ({error}), is mfa-daemon running? (systemctl status mfa.socket)"
            ),
            ClientError::Refused(refusal) => refused(&refusal.message),
            ClientError::TimedOut => format!(
                "{socket} kept this login waiting for {} s in all (journalctl -u mfa.service)",
                self.options.timeout.as_secs()
            ),
            ClientError::Untrusted(error) => format!("no code is sent to {socket}: {error}"),
            error => format!("{socket}: {error}"),
        }
    }

    fn say(&mut self, tone: Tone, text: &str) {
        if !self.silent && self.options.words == Words::Normal {
            self.host.say(tone, text);
        }
    }

    fn log(&mut self, level: Level, what: &str) {
        let line = Line::of_login(what, &self.origin, self.name);
        self.host.log(level, &line);
    }

    fn debug(&mut self, what: impl FnOnce() -> String) {
        if self.options.debug {
            self.log(Level::Debug, &what());
        }
    }
}

fn undecided() -> String {
    "mfa-daemon could not decide (journalctl -u mfa.service)".to_owned()
}

fn refused(why: &str) -> String {
    format!("mfa-daemon refused: {why}")
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
