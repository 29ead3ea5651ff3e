// SPDX-License-Identifier: GPL-3.0-or-later
//! What a call of the module stands between, as two traits: what PAM offers ([`Host`]) and what the
//! daemon offers ([`Verifier`]). And what all calls have in common ([`Call`]): who it is about, what
//! is said and logged, and what it means that the daemon gives no answer.

use std::io::{self, ErrorKind};

use mfa_proto::account::{AccountAnswer, LoginConfirmAnswer, LoginProvisionAnswer, Proof};
use mfa_proto::login::{BeginAnswer, Origin, VerifyAnswer};
use mfa_proto::{ClientError, ErrorAnswer, TypedCode, UserName};
use pam::constants::PamResultCode;

use crate::answer::AnswerTo;
use crate::log::{Level, Line};
use crate::membership::GroupError;
use crate::messages::{self, logged};
use crate::options::{Echo, Options, Unavailable, Words};
use crate::typed::Typed;

/// What the login program offers.
pub(crate) trait Host {
    /// Who logs in; the program may ask for it.
    fn user(&mut self) -> Result<User, ConversationFailed>;
    /// Where the login comes from.
    fn origin(&self) -> Origin;
    /// Asks the user; `None` is a conversation that succeeds without an answer.
    fn prompt(&mut self, text: &str, echo: Echo) -> Result<Option<Typed>, ConversationFailed>;
    /// Tells the user something. That it cannot be told changes nothing.
    fn say(&mut self, tone: Tone, text: &str);
    /// Writes a line to the log. The line holds no code.
    fn log(&mut self, level: Level, line: &Line);
    /// Is the user in the group?
    fn is_member(&self, user: &UserName, group: &str) -> Result<bool, GroupError>;
    /// `PAM_AUTHTOK`: the password that an earlier module asked for.
    fn auth_token(&self) -> Option<Typed>;
    /// Is the transaction still about this user? The program can change that whenever it is asked something.
    fn is_about(&self, user: &UserName) -> bool;
    /// Sets it, for the modules behind this one.
    fn set_auth_token(&mut self, password: &Typed) -> Result<(), NotKept>;
    /// Keeps something about this user until `pam_end`, for a later call of this module.
    fn keep(&mut self, user: &UserName, what: Kept) -> Result<(), NotKept>;
    /// What was kept there last.
    fn kept(&self, user: &UserName, place: Place) -> Option<Kept>;
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
    /// Is an enrolment or a rotation due?
    fn account(&self, user: &UserName, origin: &Origin) -> Result<AccountAnswer, ClientError>;
    /// Make what is due.
    fn provision(
        &self,
        user: &UserName,
        origin: &Origin,
        proof: Proof,
    ) -> Result<LoginProvisionAnswer, ClientError>;
    /// Its first code.
    fn confirm(
        &self,
        user: &UserName,
        origin: &Origin,
        token: &str,
        code: TypedCode,
    ) -> Result<LoginConfirmAnswer, ClientError>;
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

/// The program's conversation function is missing or returned an error.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ConversationFailed;

/// libpam does not take what it was given.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotKept;

/// How something is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tone {
    /// `PAM_ERROR_MSG`
    Error,
    /// `PAM_TEXT_INFO`
    Info,
}

/// What one call leaves for another on the same PAM handle. Nothing secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kept {
    /// The daemon accepted a code of this user; nothing less.
    CodeAccepted,
    /// `account` asked for an enrolment or a rotation.
    AskedFor,
    /// `account` asked for nothing.
    NotAskedFor,
    /// The dialogue of an enrolment began, and has not ended well so far.
    EnrolmentBegun,
    /// It ended well.
    EnrolmentDone,
    /// There was nothing to be done.
    NothingDone,
}

/// Where something is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// By `pam_sm_authenticate`.
    Login,
    /// By `pam_sm_acct_mgmt`.
    Account,
    /// By the first phase of `pam_sm_chauthtok`.
    Enrolment,
}

impl Kept {
    /// Where it belongs.
    pub(crate) fn place(self) -> Place {
        match self {
            Self::CodeAccepted => Place::Login,
            Self::AskedFor | Self::NotAskedFor => Place::Account,
            Self::EnrolmentBegun | Self::EnrolmentDone | Self::NothingDone => Place::Enrolment,
        }
    }
}

/// One call of an entry point.
pub(crate) struct Call<'a, H, V> {
    pub(crate) host: &'a mut H,
    pub(crate) verifier: &'a V,
    pub(crate) options: &'a Options,
    /// `PAM_SILENT`: the program wants no texts.
    pub(crate) silent: bool,
    pub(crate) user: User,
    pub(crate) origin: Origin,
}

/// Why the daemon gave no decision.
#[derive(Debug)]
pub(crate) struct NoDecision {
    /// For the log.
    pub(crate) why: String,
    excuse: Excuse,
}

/// Whether a login may pass without a decision.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Excuse {
    /// Never: the daemon refused, or it is not the daemon.
    Nothing,
    /// Where the option `unavailable=ignore` says so.
    TheOption,
    /// A rule of the daemon's says so, whatever the option.
    ARule,
}

impl NoDecision {
    /// The daemon could not be asked.
    pub(crate) fn of(error: &ClientError, options: &Options) -> Self {
        let socket = &*options.socket;
        let (excuse, why) = match error {
            ClientError::Unreachable(error) => (
                if is_absence(error) { Excuse::TheOption } else { Excuse::Nothing },
                logged::unreachable(socket, error),
            ),
            ClientError::TimedOut => {
                (Excuse::TheOption, logged::timed_out(socket, options.timeout.as_secs()))
            }
            ClientError::Refused(refusal) => return Self::refused(refusal),
            ClientError::Untrusted(error) => (Excuse::Nothing, logged::untrusted(socket, error)),
            error => (Excuse::Nothing, logged::failed(socket, &unquoted(error))),
        };
        Self { why, excuse }
    }

    /// The daemon said so itself; `ignore` is a rule of its.
    pub(crate) fn said(ignore: bool) -> Self {
        let why = logged::UNDECIDED.to_owned();
        Self { why, excuse: if ignore { Excuse::ARule } else { Excuse::TheOption } }
    }

    /// The daemon does not want to.
    pub(crate) fn refused(refusal: &ErrorAnswer) -> Self {
        let why = logged::refused(&refusal.message);
        Self { why, excuse: Excuse::Nothing }
    }

    /// Does the login pass all the same?
    pub(crate) fn is_ignored(&self, options: &Options) -> bool {
        match self.excuse {
            Excuse::Nothing => false,
            Excuse::TheOption => options.unavailable == Unavailable::Ignore,
            Excuse::ARule => true,
        }
    }
}

/// Is there no daemon? That no descriptor or memory is to be had says nothing about one: whoever
/// starts a set-user-ID program sets its limits, and would choose with them not to be asked.
fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused)
}

/// The error for the log. What is wrong with an answer would be told by quoting it, and there may be
/// a key in it.
fn unquoted(error: &ClientError) -> String {
    match error {
        ClientError::Answer(error) => logged::not_an_answer(&error.place()),
        error => error.to_string(),
    }
}

impl<'a, H: Host, V: Verifier> Call<'a, H, V> {
    /// Finds out whom it is about.
    pub(crate) fn new(
        host: &'a mut H,
        verifier: &'a V,
        options: &'a Options,
        silent: bool,
    ) -> Result<Self, ConversationFailed> {
        match host.user() {
            Ok(user) => {
                let origin = host.origin();
                Ok(Self { host, verifier, options, silent, user, origin })
            }
            Err(ConversationFailed) => {
                let line = Line::of_login(logged::NO_USER, &host.origin(), "");
                host.log(Level::Error, &line);
                Err(ConversationFailed)
            }
        }
    }

    /// Is this user in the `exempt_group`? A group that cannot be looked up exempts nobody.
    pub(crate) fn is_exempt(&mut self) -> bool {
        let (Some(group), User::Named(user)) = (&self.options.exempt_group, &self.user) else {
            return false;
        };
        match self.host.is_member(user, group) {
            Ok(exempt) => exempt,
            Err(error) => {
                self.log(Level::Error, &logged::nobody_exempt(group, &error));
                false
            }
        }
    }

    /// The end of a call of `account` or `password` for which the daemon has no decision.
    pub(crate) fn end_without_decision(&mut self, trouble: &NoDecision) -> PamResultCode {
        if trouble.is_ignored(self.options) {
            self.log(Level::Alert, &logged::not_checked(&trouble.why));
            return PamResultCode::PAM_IGNORE;
        }
        self.log(Level::Error, &logged::denied(&trouble.why));
        self.say(Tone::Error, messages::NOT_CHECKED);
        PamResultCode::PAM_AUTHINFO_UNAVAIL
    }

    pub(crate) fn say(&mut self, tone: Tone, text: &str) {
        if !self.silent && self.options.words == Words::Normal {
            self.host.say(tone, text);
        }
    }

    pub(crate) fn log(&mut self, level: Level, what: &str) {
        let name = match &self.user {
            User::Named(name) => name.as_str(),
            User::Impossible { name, .. } => name,
        };
        let line = Line::of_login(what, &self.origin, name);
        self.host.log(level, &line);
    }

    /// What is logged of a call that denied nothing.
    pub(crate) fn info(&mut self, what: &str) {
        if self.options.words == Words::Normal {
            self.log(Level::Info, what);
        }
    }

    /// What the daemon answered, with the option `debug`.
    pub(crate) fn debug<A: AnswerTo>(&mut self, question: &str, answer: &Result<A, ClientError>) {
        if self.options.debug {
            let answer = match answer {
                Ok(answer) => answer.name().to_owned(),
                Err(error) => unquoted(error),
            };
            self.log(Level::Debug, &format!("{question}: {answer}"));
        }
    }
}
