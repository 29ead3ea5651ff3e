// SPDX-License-Identifier: GPL-3.0-or-later
//! [`Verifier`] over the daemon's socket. Each question has a connection of its own: no descriptor
//! is open while the user types, and a daemon that was restarted meanwhile does not matter.

use std::cell::{Cell, OnceCell};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use mfa_proto::account::{
    Account, AccountAnswer, LoginConfirm, LoginConfirmAnswer, LoginProvision, LoginProvisionAnswer,
    Proof,
};
use mfa_proto::login::{Begin, BeginAnswer, LoginRequest, Origin, Verify, VerifyAnswer};
use mfa_proto::{ClientError, Deadline, TrustedSocket, TypedCode, UserName};

use crate::answer::{Answer, AnswerTo};
use crate::flow::Verifier;
use crate::options::Options;

/// The daemon that the options name, for one login.
pub(crate) struct Daemon {
    socket: PathBuf,
    /// The same, once it has passed its checks: one look at the path is enough for a login, since
    /// whoever could change the answer before the second question is trusted by it.
    trusted: OnceCell<TrustedSocket>,
    /// What is left of `timeout` for all questions of a call. The user's own time does not count.
    left: Cell<Duration>,
}

impl Daemon {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            socket: options.socket.clone(),
            trusted: OnceCell::new(),
            left: Cell::new(options.timeout),
        }
    }

    fn trusted(&self) -> Result<&TrustedSocket, ClientError> {
        if let Some(socket) = self.trusted.get() {
            return Ok(socket);
        }
        let checked = TrustedSocket::check(&self.socket)?;
        Ok(self.trusted.get_or_init(|| checked))
    }

    /// Asks a question on a connection of its own; the time it takes is off the next one's.
    fn ask<A: AnswerTo>(&self, question: LoginRequest) -> Result<A, ClientError> {
        self.exchange(question)?.read().map_err(ClientError::Answer)
    }

    /// The part that is the same for every answer, and so once in the module.
    fn exchange(&self, question: LoginRequest) -> Result<Answer, ClientError> {
        let (asked, left) = (Instant::now(), self.left.get());
        let deadline = Deadline::after(left);
        let answer = self
            .trusted()
            .and_then(|socket| socket.connect(deadline))
            .and_then(|mut client| client.call(question, deadline));
        self.left.set(left.saturating_sub(asked.elapsed()));
        answer
    }
}

impl Verifier for Daemon {
    fn begin(&self, user: &UserName, origin: &Origin) -> Result<BeginAnswer, ClientError> {
        let begin = Begin { user: user.clone(), origin: origin.clone() };
        self.ask(LoginRequest::Begin(begin))
    }

    fn verify(
        &self,
        user: &UserName,
        code: TypedCode,
        origin: &Origin,
    ) -> Result<VerifyAnswer, ClientError> {
        let verify = Verify { user: user.clone(), code, origin: origin.clone() };
        self.ask(LoginRequest::Verify(verify))
    }

    fn account(&self, user: &UserName, origin: &Origin) -> Result<AccountAnswer, ClientError> {
        let account = Account { user: user.clone(), origin: origin.clone() };
        self.ask(LoginRequest::Account(account))
    }

    fn provision(
        &self,
        user: &UserName,
        origin: &Origin,
        proof: Proof,
    ) -> Result<LoginProvisionAnswer, ClientError> {
        let provision = LoginProvision { user: user.clone(), origin: origin.clone(), proof };
        self.ask(LoginRequest::LoginProvision(provision))
    }

    fn confirm(
        &self,
        user: &UserName,
        origin: &Origin,
        token: &str,
        code: TypedCode,
    ) -> Result<LoginConfirmAnswer, ClientError> {
        let confirm = LoginConfirm {
            user: user.clone(),
            origin: origin.clone(),
            token: token.to_owned(),
            code,
        };
        self.ask(LoginRequest::LoginConfirm(confirm))
    }
}
