// SPDX-License-Identifier: GPL-3.0-or-later
//! A whole login in the module, between a program and a daemon that both say anything.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ffi::CString;

use mfa_proto::account::{AccountAnswer, LoginConfirmAnswer, LoginProvisionAnswer, Proof};
use mfa_proto::login::{BeginAnswer, Origin, VerifyAnswer};
use mfa_proto::{ClientError, TypedCode, UserName, frame};
use pam::constants::PamResultCode;
use serde_json::Value;

use crate::answer::{Answer, AnswerTo};
use crate::flow::{ConversationFailed, Host, Kept, NotKept, Place, Tone, User, Verifier};
use crate::json;
use crate::log::{Level, Line};
use crate::login;
use crate::membership::GroupError;
use crate::options::{Echo, Options, Unavailable, WithoutToken};
use crate::typed::Typed;

/// A program: its user's answers, one for each prompt.
struct Program {
    user: String,
    auth_token: Option<Vec<u8>>,
    typed: VecDeque<Vec<u8>>,
    prompts: u32,
    /// The program has made the login somebody else's.
    other: bool,
    logged: Vec<String>,
    said: Vec<String>,
}

/// A daemon: what it answers to each question, in turn.
struct Says {
    answers: RefCell<VecDeque<Vec<u8>>>,
    asked: RefCell<Vec<(Question, Option<Value>)>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Question {
    Begin,
    Verify,
}

/// Lines: the options; the user; `PAM_AUTHTOK`, or nothing; then what is typed (`<`) and what the daemon
/// answers (`>`), each in its turn.
///
/// Nobody is let in without the daemon's own "accepted" or "granted", whatever else is said; nothing is
/// passed over but where an option or the daemon says so; nobody is let in whom the program puts in the place of
/// the one who was asked; no more is asked than `retry` allows; what is
/// typed is in no line of the log and in nothing that is said.
pub(crate) fn module(input: &[u8]) {
    let mut lines = input.split(|byte| *byte == b'\n');
    let options = lines.next().unwrap_or_default().split(|byte| *byte == b' ');
    let options = options.filter(|word| !word.is_empty()).map(CString::new);
    let Ok(arguments) = options.collect::<Result<Vec<_>, _>>() else { return };
    let arguments = arguments.iter().map(CString::as_c_str);
    let Ok(options) = Options::parse(arguments) else { return };
    let user = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let token = lines.next().unwrap_or_default();
    let mut program = Program {
        user,
        auth_token: (!token.is_empty()).then(|| token.to_vec()),
        typed: VecDeque::new(),
        prompts: 0,
        other: false,
        logged: Vec::new(),
        said: Vec::new(),
    };
    let mut answers = VecDeque::new();
    for line in lines {
        match line.split_first() {
            Some((b'<', typed)) => program.typed.push_back(typed.to_vec()),
            Some((b'>', answer)) => answers.push_back(answer.to_vec()),
            _ => {}
        }
    }
    let typed: Vec<_> = program.typed.iter().cloned().collect();
    let daemon = Says { answers: RefCell::new(answers), asked: RefCell::default() };
    let result = login::login(&mut program, &daemon, &options, false);
    check(result, &options, &program, &daemon.asked.borrow());
    keeps_quiet(&typed, input, &program);
}

fn check(
    result: PamResultCode,
    options: &Options,
    program: &Program,
    asked: &[(Question, Option<Value>)],
) {
    let last = asked.last().and_then(|(question, answer)| Some((*question, answer.as_ref()?)));
    let is = |wanted, kind: &str| {
        last.is_some_and(|(question, answer)| question == wanted && answer["type"] == kind)
    };
    let observed = options.observe
        || asked.iter().flat_map(|(_, answer)| answer).any(|answer| answer["observe"] == true);
    let exempt = options.exempt_group.as_deref() == Some("staff");
    match result {
        PamResultCode::PAM_SUCCESS => {
            assert!(!observed && !exempt && !program.other);
            assert!(is(Question::Begin, "granted") || is(Question::Verify, "accepted"));
        }
        PamResultCode::PAM_IGNORE => {
            let skipped = is(Question::Begin, "skip")
                && last.is_some_and(|(_, answer)| {
                    answer["reason"] == "exempt" || options.without_token == WithoutToken::Ignore
                });
            let undecided = last.is_some_and(|(_, answer)| {
                answer["type"] == "unavailable"
                    && (answer["ignore"] == true || options.unavailable == Unavailable::Ignore)
            });
            assert!(observed || exempt || skipped || undecided);
        }
        PamResultCode::PAM_AUTH_ERR
        | PamResultCode::PAM_AUTHINFO_UNAVAIL
        | PamResultCode::PAM_CONV_ERR
        | PamResultCode::PAM_MAXTRIES => {
            assert!(!is(Question::Verify, "accepted") && !is(Question::Begin, "granted"));
        }
        other => panic!("{other:?}"),
    }
    assert!(program.prompts <= u32::from(options.retry));
    assert!(asked.iter().filter(|(question, _)| *question == Question::Begin).count() <= 1);
    assert!(asked.len() <= usize::from(options.retry) + 2);
    assert!(
        program.logged.iter().all(|line| line.len() <= 512 && !line.chars().any(char::is_control))
    );
}

/// What was typed, where it is long enough to be a code and stands nowhere else in the input.
fn keeps_quiet(typed: &[Vec<u8>], input: &[u8], program: &Program) {
    for typed in typed.iter().filter_map(|typed| std::str::from_utf8(typed).ok()) {
        let whole = String::from_utf8_lossy(input);
        if typed.len() < 6
            || whole.matches(typed).count() != 1
            || !typed.bytes().all(|byte| byte.is_ascii_digit())
        {
            continue;
        }
        let mut texts = program.logged.iter().chain(&program.said);
        assert!(texts.all(|text| !text.contains(typed)));
    }
}

impl Host for Program {
    fn user(&mut self) -> Result<User, ConversationFailed> {
        Ok(match UserName::new(self.user.clone()) {
            Ok(name) => User::Named(name),
            Err(error) => {
                let name = self.user.clone();
                User::Impossible { name, reason: error.to_string() }
            }
        })
    }

    fn is_about(&self, _: &UserName) -> bool {
        !self.other
    }

    fn origin(&self) -> Origin {
        Origin { service: "sshd".to_owned(), rhost: Some(self.user.clone()), ..Origin::default() }
    }

    fn prompt(&mut self, text: &str, _: Echo) -> Result<Option<Typed>, ConversationFailed> {
        self.prompts += 1;
        self.said.push(text.to_owned());
        match self.typed.pop_front() {
            Some(typed) if typed == b"(fail)" => Err(ConversationFailed),
            Some(typed) if typed.starts_with(b"(other)") => {
                self.other = true;
                Ok(Some(Typed::new(&typed[b"(other)".len()..])))
            }
            typed => Ok(typed.map(|typed| Typed::new(&typed))),
        }
    }

    fn say(&mut self, _: Tone, text: &str) {
        self.said.push(text.to_owned());
    }

    fn log(&mut self, _: Level, line: &Line) {
        self.logged.push(line.as_str().to_owned());
    }

    fn is_member(&self, _: &UserName, group: &str) -> Result<bool, GroupError> {
        Ok(group == "staff")
    }

    fn auth_token(&self) -> Option<Typed> {
        self.auth_token.as_deref().map(Typed::new)
    }

    fn set_auth_token(&mut self, password: &Typed) -> Result<(), NotKept> {
        self.auth_token = Some(password.as_bytes().to_vec());
        Ok(())
    }

    fn keep(&mut self, _: &UserName, _: Kept) -> Result<(), NotKept> {
        Ok(())
    }

    fn kept(&self, _: &UserName, _: Place) -> Option<Kept> {
        None
    }
}

impl Says {
    /// Reads the next answer as the module does.
    fn say<A: AnswerTo>(&self, question: Question) -> Result<A, ClientError> {
        let Some(said) = self.answers.borrow_mut().pop_front() else {
            self.asked.borrow_mut().push((question, None));
            return Err(ClientError::Closed);
        };
        let read = frame::decode::<Answer>(&said).and_then(|frame| frame.body.read::<A>());
        let value = read.is_ok().then(|| json::read(&said).expect("JSON with each key once"));
        self.asked.borrow_mut().push((question, value));
        read.map_err(ClientError::Answer)
    }
}

impl Verifier for Says {
    fn begin(&self, _: &UserName, _: &Origin) -> Result<BeginAnswer, ClientError> {
        self.say(Question::Begin)
    }

    fn verify(&self, _: &UserName, _: TypedCode, _: &Origin) -> Result<VerifyAnswer, ClientError> {
        self.say(Question::Verify)
    }

    fn account(&self, _: &UserName, _: &Origin) -> Result<AccountAnswer, ClientError> {
        Err(ClientError::Closed)
    }

    fn provision(
        &self,
        _: &UserName,
        _: &Origin,
        _: Proof,
    ) -> Result<LoginProvisionAnswer, ClientError> {
        Err(ClientError::Closed)
    }

    fn confirm(
        &self,
        _: &UserName,
        _: &Origin,
        _: &str,
        _: TypedCode,
    ) -> Result<LoginConfirmAnswer, ClientError> {
        Err(ClientError::Closed)
    }
}
