// SPDX-License-Identifier: GPL-3.0-or-later
//! [`Verifier`] over the daemon's socket. Each question has a connection of its own: no descriptor
//! is open while the user types, and a daemon that was restarted meanwhile does not matter.

use std::path::PathBuf;
use std::time::Duration;

use mfa_proto::login::{Begin, BeginAnswer, LoginRequest, Origin, Verify, VerifyAnswer};
use mfa_proto::{Client, ClientError, Deadline, TypedCode, UserName};

use crate::flow::Verifier;
use crate::options::Options;

/// The daemon that the options name.
pub(crate) struct Daemon {
    socket: PathBuf,
    timeout: Duration,
}

impl Daemon {
    pub(crate) fn new(options: &Options) -> Self {
        Self { socket: options.socket.clone(), timeout: options.timeout }
    }

    /// A connection and the moment by which its question must be answered.
    fn connect(&self) -> Result<(Client, Deadline), ClientError> {
        let deadline = Deadline::after(self.timeout);
        Ok((Client::connect(&self.socket, deadline)?, deadline))
    }
}

impl Verifier for Daemon {
    fn begin(&self, user: &UserName, origin: &Origin) -> Result<BeginAnswer, ClientError> {
        let (mut client, deadline) = self.connect()?;
        let begin = Begin { user: user.clone(), origin: origin.clone() };
        client.call(LoginRequest::Begin(begin), deadline)
    }

    fn verify(
        &self,
        user: &UserName,
        code: TypedCode,
        origin: &Origin,
    ) -> Result<VerifyAnswer, ClientError> {
        let (mut client, deadline) = self.connect()?;
        let verify = Verify { user: user.clone(), code, origin: origin.clone() };
        client.call(LoginRequest::Verify(verify), deadline)
    }
}
