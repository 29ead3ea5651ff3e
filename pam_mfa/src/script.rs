// SPDX-License-Identifier: GPL-3.0-or-later
//! A scripted program and a scripted daemon, for tests in memory.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;

use mfa_proto::account::{AccountAnswer, LoginConfirmAnswer, LoginProvisionAnswer, Proof};
use mfa_proto::login::{Accepted, BeginAnswer, Origin, SkipReason, VerifyAnswer};
use mfa_proto::peer::TrustError;
use mfa_proto::{ClientError, ErrorAnswer, ErrorCode, FrameError, TypedCode, UserName};

use crate::flow::{ConversationFailed, Host, Kept, NotKept, Place, Tone, User, Verifier};
use crate::log::{Level, Line};
use crate::membership::GroupError;
use crate::options::{Echo, Options, WithoutToken};
use crate::typed::Typed;

/// What the users of these tests type.
pub(crate) const CODE: &str = "271828";

/// The usual prompt, as it is seen.
pub(crate) const PROMPTED: &str = "Off One-time code: ";

/// What a user sees of a daemon that gives no answer.
pub(crate) const NOT_CHECKED: &str = "Error The code could not be checked.";

/// A program whose user answers as scripted.
pub(crate) struct Script {
    pub(crate) user: Option<User>,
    /// To each prompt; the last one again and again.
    pub(crate) answers: VecDeque<Result<Option<Vec<u8>>, ConversationFailed>>,
    pub(crate) seen: Vec<String>,
    pub(crate) logged: Vec<(Level, String)>,
    /// The group that exists, and whether the user is in it.
    pub(crate) group: Option<(&'static str, bool)>,
    /// `PAM_AUTHTOK`
    pub(crate) auth_token: Option<Vec<u8>>,
    pub(crate) kept: Vec<(UserName, Kept)>,
    /// Does libpam keep things?
    pub(crate) keeps: bool,
}

/// A daemon that answers as scripted, each question once, and remembers what it was asked.
#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) begin: RefCell<VecDeque<Result<BeginAnswer, ClientError>>>,
    pub(crate) verify: RefCell<VecDeque<Result<VerifyAnswer, ClientError>>>,
    pub(crate) account: RefCell<VecDeque<Result<AccountAnswer, ClientError>>>,
    pub(crate) provision: RefCell<VecDeque<Result<LoginProvisionAnswer, ClientError>>>,
    pub(crate) confirm: RefCell<VecDeque<Result<LoginConfirmAnswer, ClientError>>>,
    pub(crate) asked: RefCell<Vec<String>>,
}

impl Script {
    /// The lines of the log.
    pub(crate) fn lines(&self) -> Vec<&str> {
        self.logged.iter().map(|(_, line)| line.as_str()).collect()
    }
}

impl Host for Script {
    fn user(&mut self) -> Result<User, ConversationFailed> {
        match &self.user {
            Some(User::Named(name)) => Ok(User::Named(name.clone())),
            Some(User::Impossible { name, reason }) => {
                Ok(User::Impossible { name: name.clone(), reason: reason.clone() })
            }
            None => Err(ConversationFailed),
        }
    }

    fn origin(&self) -> Origin {
        Origin {
            service: "sshd".into(),
            rhost: Some("192.0.2.7".into()),
            tty: Some("ssh".into()),
            ..Origin::default()
        }
    }

    fn prompt(&mut self, text: &str, echo: Echo) -> Result<Option<Typed>, ConversationFailed> {
        self.seen.push(format!("{echo:?} {text}"));
        let answer = match self.answers.len() {
            0 => panic!("no prompt was expected: {text}"),
            1 => &self.answers[0],
            _ => &self.answers.pop_front().unwrap(),
        };
        match answer {
            Ok(answer) => Ok(answer.as_deref().map(Typed::new)),
            Err(ConversationFailed) => Err(ConversationFailed),
        }
    }

    fn say(&mut self, tone: Tone, text: &str) {
        self.seen.push(format!("{tone:?} {text}"));
    }

    fn log(&mut self, level: Level, line: &Line) {
        self.logged.push((level, line.as_str().to_owned()));
    }

    fn is_member(&self, _: &UserName, group: &str) -> Result<bool, GroupError> {
        match self.group {
            Some((name, member)) if name == group => Ok(member),
            _ => Err(GroupError::NoGroup),
        }
    }

    fn is_about(&self, user: &UserName) -> bool {
        matches!(&self.user, Some(User::Named(name)) if name == user)
    }

    fn auth_token(&self) -> Option<Typed> {
        self.auth_token.as_deref().map(Typed::new)
    }

    fn set_auth_token(&mut self, password: &Typed) -> Result<(), NotKept> {
        self.auth_token = Some(password.as_bytes().to_vec());
        if self.keeps { Ok(()) } else { Err(NotKept) }
    }

    fn keep(&mut self, user: &UserName, what: Kept) -> Result<(), NotKept> {
        if !self.keeps {
            return Err(NotKept);
        }
        self.kept.push((user.clone(), what));
        Ok(())
    }

    fn kept(&self, user: &UserName, place: Place) -> Option<Kept> {
        let mut newest = self.kept.iter().rev();
        newest.find(|(name, what)| name == user && what.place() == place).map(|(_, what)| *what)
    }
}

impl Verifier for Fake {
    fn begin(&self, user: &UserName, origin: &Origin) -> Result<BeginAnswer, ClientError> {
        self.asked.borrow_mut().push(format!("begin {user} {}", origin.service));
        self.begin.borrow_mut().pop_front().expect("begin was not expected")
    }

    fn verify(
        &self,
        user: &UserName,
        code: TypedCode,
        origin: &Origin,
    ) -> Result<VerifyAnswer, ClientError> {
        let line = format!("verify {user} {} {}", code.as_str(), origin.service);
        self.asked.borrow_mut().push(line);
        self.verify.borrow_mut().pop_front().expect("verify was not expected")
    }

    fn account(&self, user: &UserName, origin: &Origin) -> Result<AccountAnswer, ClientError> {
        self.asked.borrow_mut().push(format!("account {user} {}", origin.service));
        self.account.borrow_mut().pop_front().expect("account was not expected")
    }

    fn provision(
        &self,
        user: &UserName,
        _: &Origin,
        proof: Proof,
    ) -> Result<LoginProvisionAnswer, ClientError> {
        let proof = match proof {
            Proof::Nothing {} => "nothing".to_owned(),
            Proof::Invite { code } => format!("invite {}", code.as_str()),
            Proof::ThisLogin {} => "this_login".to_owned(),
            Proof::Code { code } => format!("code {}", code.as_str()),
        };
        self.asked.borrow_mut().push(format!("provision {user} {proof}"));
        self.provision.borrow_mut().pop_front().expect("provision was not expected")
    }

    fn confirm(
        &self,
        user: &UserName,
        _: &Origin,
        token: &str,
        code: TypedCode,
    ) -> Result<LoginConfirmAnswer, ClientError> {
        self.asked.borrow_mut().push(format!("confirm {user} {token} {}", code.as_str()));
        self.confirm.borrow_mut().pop_front().expect("confirm was not expected")
    }
}

/// The user of these tests.
pub(crate) fn alice() -> UserName {
    UserName::new("alice").unwrap()
}

/// A program whose user gives these answers.
pub(crate) fn script(answers: &[&str]) -> Script {
    Script {
        user: Some(User::Named(alice())),
        answers: answers.iter().map(|answer| Ok(Some(answer.as_bytes().to_vec()))).collect(),
        seen: Vec::new(),
        logged: Vec::new(),
        group: None,
        auth_token: None,
        kept: Vec::new(),
        keeps: true,
    }
}

/// A daemon that answers these to `begin` and `verify`.
pub(crate) fn fake(
    begin: impl IntoIterator<Item = Result<BeginAnswer, ClientError>>,
    verify: impl IntoIterator<Item = Result<VerifyAnswer, ClientError>>,
) -> Fake {
    Fake {
        begin: RefCell::new(begin.into_iter().collect()),
        verify: RefCell::new(verify.into_iter().collect()),
        ..Fake::default()
    }
}

/// `prompt` with the usual digits.
pub(crate) fn prompt() -> Option<Result<BeginAnswer, ClientError>> {
    Some(Ok(BeginAnswer::Prompt { digits: 6, observe: false }))
}

/// `skip`, without a deadline.
pub(crate) fn skip(reason: SkipReason) -> Option<Result<BeginAnswer, ClientError>> {
    Some(Ok(BeginAnswer::Skip { reason, digits: 6, enroll_within: None, observe: false }))
}

/// `accepted` with nothing to tell.
pub(crate) fn accepted() -> Option<Result<VerifyAnswer, ClientError>> {
    Some(Ok(VerifyAnswer::Accepted(Accepted::default())))
}

/// `wrong`, without a hint.
pub(crate) fn wrong() -> Option<Result<VerifyAnswer, ClientError>> {
    Some(Ok(VerifyAnswer::Wrong { clock_offset: None }))
}

/// A refusal with a message that must be escaped.
pub(crate) fn refusal() -> ErrorAnswer {
    ErrorAnswer { code: ErrorCode::NotPermitted, message: "not\nyours".into() }
}

/// One of each kind: first those that `unavailable=ignore` is about, then the others.
pub(crate) fn client_errors() -> (Vec<ClientError>, Vec<ClientError>) {
    let excused = vec![
        ClientError::Unreachable(io::ErrorKind::ConnectionRefused.into()),
        ClientError::TimedOut,
    ];
    let others = vec![
        // No descriptors left, and not allowed: not the daemon's fault.
        ClientError::Unreachable(io::Error::from_raw_os_error(libc::EMFILE)),
        ClientError::Unreachable(io::ErrorKind::PermissionDenied.into()),
        ClientError::Untrusted(TrustError::Writable(PathBuf::from("/run"))),
        ClientError::Closed,
        ClientError::Refused(refusal()),
        ClientError::Broken(io::ErrorKind::BrokenPipe.into()),
        ClientError::Answer(FrameError::Empty),
        ClientError::WrongId,
        ClientError::Question(FrameError::TooLong(70_000)),
    ];
    (excused, others)
}

/// All of them.
pub(crate) fn all_client_errors() -> impl Iterator<Item = ClientError> {
    let (excused, others) = client_errors();
    excused.into_iter().chain(others)
}

/// Something to tell after a success.
pub(crate) fn told(failures: u32, left: u8) -> Accepted {
    Accepted { failures, recovery_codes_left: Some(left), ..Accepted::default() }
}

/// The option `nullok` and no other.
pub(crate) fn nullok() -> Options {
    Options { without_token: WithoutToken::Ignore, ..Options::default() }
}
