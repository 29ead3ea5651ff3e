// SPDX-License-Identifier: GPL-3.0-or-later
//! Questions to the daemon, with their deadlines and the answers that belong to them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mfa_proto::about::{About, AboutAnswer};
use mfa_proto::admin::AdminAnswer;
use mfa_proto::audit::{AdminAudit, AuditAnswer};
use mfa_proto::exchange::ExchangeAnswer;
use mfa_proto::explain::{Explain, ExplainAnswer, Explanation};
use mfa_proto::keep::KeepAnswer;
use mfa_proto::login::VerifyAnswer;
use mfa_proto::rekey::{AdminRekey, RekeyAnswer, Rekeyed};
use mfa_proto::stats::{Stats, StatsAnswer};
use mfa_proto::status::{StatusAnswer, UserStatus};
use mfa_proto::transfer::TransferAnswer;
use mfa_proto::{Client, ClientError, Deadline, Request, UserName};
use serde::de::DeserializeOwned;

use crate::failure::Failure;

/// The longest an answer may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Where the daemon is.
#[derive(Clone)]
pub(crate) struct Daemon {
    socket: PathBuf,
}

/// A connection that has been checked.
pub(crate) struct Connection {
    client: Client,
    socket: PathBuf,
}

impl Daemon {
    pub(crate) fn at(socket: &Path) -> Self {
        Self { socket: socket.to_owned() }
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(crate) fn connect(&self) -> Result<Connection, Failure> {
        let client = Client::connect(&self.socket, Deadline::after(PATIENCE))
            .map_err(|error| failed(&self.socket, error))?;
        Ok(Connection { client, socket: self.socket.clone() })
    }

    /// The status of one user, on a connection of its own.
    pub(crate) fn status(&self, user: &UserName) -> Result<UserStatus, Failure> {
        match self.connect()?.status(&Request::Status { user: user.clone() })? {
            StatusAnswer::Status(status) => Ok(status),
            _ => Err(Failure::OtherAnswer { to: "status" }),
        }
    }

    /// What a login would get, on a connection of its own.
    pub(crate) fn explain(&self, question: Explain) -> Result<Explanation, Failure> {
        self.connect()?.explain(&Request::Explain(question))
    }
}

impl Connection {
    /// `explain`.
    fn explain(&mut self, request: &Request) -> Result<Explanation, Failure> {
        match self.ask(request, PATIENCE)? {
            ExplainAnswer::Error(refusal) => Err(Failure::Refused(refusal)),
            ExplainAnswer::Explanation(explanation) => Ok(explanation),
        }
    }

    /// `about`.
    pub(crate) fn about(&mut self) -> Result<About, Failure> {
        match self.ask(&Request::About {}, PATIENCE)? {
            AboutAnswer::Error(refusal) => Err(Failure::Refused(refusal)),
            AboutAnswer::About(about) => Ok(about),
        }
    }

    /// `params`, `kex_init`, `kex_finish`, `sealed`.
    pub(crate) fn exchange(&mut self, request: &Request) -> Result<ExchangeAnswer, Failure> {
        match self.ask(request, PATIENCE)? {
            ExchangeAnswer::Error(refusal) => Err(Failure::Refused(refusal)),
            answer => Ok(answer),
        }
    }

    /// `status`, `revoke`, `end_grace`.
    pub(crate) fn status(&mut self, request: &Request) -> Result<StatusAnswer, Failure> {
        match self.ask(request, PATIENCE)? {
            StatusAnswer::Error(refusal) => Err(Failure::Refused(refusal)),
            answer => Ok(answer),
        }
    }

    /// `verify`.
    pub(crate) fn verify(&mut self, request: &Request) -> Result<VerifyAnswer, Failure> {
        match self.ask(request, PATIENCE)? {
            VerifyAnswer::Error(refusal) => Err(Failure::Refused(refusal)),
            answer => Ok(answer),
        }
    }

    /// `admin_list`, `admin_unlock`, `admin_reset`, `admin_bypass`, `admin_invite`.
    pub(crate) fn admin(
        &mut self,
        request: &Request,
        within: Duration,
    ) -> Result<AdminAnswer, Failure> {
        match self.ask(request, within)? {
            AdminAnswer::Error(refusal) => Err(Failure::Refused(refusal)),
            answer => Ok(answer),
        }
    }

    /// `admin_stats`.
    pub(crate) fn stats(&mut self, within: Duration) -> Result<Stats, Failure> {
        match self.ask(&Request::AdminStats {}, within)? {
            StatsAnswer::Error(refusal) => Err(Failure::Refused(refusal)),
            StatsAnswer::Stats(stats) => Ok(stats),
        }
    }

    /// `admin_audit`.
    pub(crate) fn audit(&mut self, page: AdminAudit) -> Result<AuditAnswer, Failure> {
        match self.ask(&Request::AdminAudit(page), PATIENCE)? {
            AuditAnswer::Error(refusal) => Err(Failure::Refused(refusal)),
            answer @ AuditAnswer::Trail { .. } => Ok(answer),
        }
    }

    /// `admin_backup…`, `admin_restore…`, `admin_check`.
    pub(crate) fn keep(
        &mut self,
        request: &Request,
        within: Duration,
    ) -> Result<KeepAnswer, Failure> {
        match self.ask(request, within)? {
            KeepAnswer::Error(refusal) => Err(Failure::Refused(refusal)),
            answer => Ok(answer),
        }
    }

    /// `admin_rekey`.
    pub(crate) fn rekey(&mut self, begin: bool) -> Result<Rekeyed, Failure> {
        match self.ask(&Request::AdminRekey(AdminRekey { begin }), PATIENCE)? {
            RekeyAnswer::Error(refusal) => Err(Failure::Refused(refusal)),
            RekeyAnswer::Rekey(state) => Ok(state),
        }
    }

    /// `admin_import…`, `admin_known`, `admin_export`.
    pub(crate) fn transfer(
        &mut self,
        request: &Request,
        within: Duration,
    ) -> Result<TransferAnswer, Failure> {
        match self.ask(request, within)? {
            TransferAnswer::Error(refusal) => Err(Failure::Refused(refusal)),
            answer => Ok(answer),
        }
    }

    /// `admin_import`, without waiting for its answer: the number to fetch it by.
    pub(crate) fn ask_ahead(
        &mut self,
        request: &Request,
        within: Duration,
    ) -> Result<u64, Failure> {
        self.client
            .ask(request, Deadline::after(within))
            .map_err(|error| failed(&self.socket, error))
    }

    /// The answer to what was asked ahead.
    pub(crate) fn fetch(
        &mut self,
        number: u64,
        within: Duration,
    ) -> Result<TransferAnswer, Failure> {
        let answer = self.client.answer(number, Deadline::after(within));
        match answer.map_err(|error| failed(&self.socket, error))? {
            TransferAnswer::Error(refusal) => Err(Failure::Refused(refusal)),
            answer => Ok(answer),
        }
    }

    fn ask<A: DeserializeOwned>(
        &mut self,
        request: &Request,
        within: Duration,
    ) -> Result<A, Failure> {
        self.client
            .call(request, Deadline::after(within))
            .map_err(|error| failed(&self.socket, error))
    }
}

/// A refusal is one wherever it comes from.
fn failed(socket: &Path, error: ClientError) -> Failure {
    match error {
        ClientError::Refused(refusal) => Failure::Refused(refusal),
        error => Failure::Daemon { socket: socket.to_owned(), error },
    }
}
