// SPDX-License-Identifier: GPL-3.0-or-later
//! [`Verifier`] over the daemon's socket. Each question has a connection of its own: no descriptor
//! is open while the user types, and a daemon that was restarted meanwhile does not matter.

use std::cell::{Cell, OnceCell};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use mfa_proto::login::{Begin, BeginAnswer, LoginRequest, Origin, Verify, VerifyAnswer};
use mfa_proto::{Client, ClientError, Deadline, TrustedSocket, TypedCode, UserName};

use crate::flow::Verifier;
use crate::options::Options;

/// The daemon that the options name, for one login.
pub(crate) struct Daemon {
    socket: PathBuf,
    /// The same, once it has passed its checks: one look at the path is enough for a login, since
    /// whoever could change the answer before the second question is trusted by it.
    trusted: OnceCell<TrustedSocket>,
    /// What is left of `timeout`. The user's own time does not count.
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
    fn within_what_is_left<A>(
        &self,
        ask: impl FnOnce(&mut Client, Deadline) -> Result<A, ClientError>,
    ) -> Result<A, ClientError> {
        let (asked, left) = (Instant::now(), self.left.get());
        let deadline = Deadline::after(left);
        let answer = self
            .trusted()
            .and_then(|socket| socket.connect(deadline))
            .and_then(|mut client| ask(&mut client, deadline));
        self.left.set(left.saturating_sub(asked.elapsed()));
        answer
    }
}

impl Verifier for Daemon {
    fn begin(&self, user: &UserName, origin: &Origin) -> Result<BeginAnswer, ClientError> {
        let begin = Begin { user: user.clone(), origin: origin.clone() };
        self.within_what_is_left(|client, deadline| {
            client.call(LoginRequest::Begin(begin), deadline)
        })
    }

    fn verify(
        &self,
        user: &UserName,
        code: TypedCode,
        origin: &Origin,
    ) -> Result<VerifyAnswer, ClientError> {
        let verify = Verify { user: user.clone(), code, origin: origin.clone() };
        self.within_what_is_left(|client, deadline| {
            client.call(LoginRequest::Verify(verify), deadline)
        })
    }
}
