// SPDX-License-Identifier: GPL-3.0-or-later
//! [`Verifier`] over the daemon's socket. Each question has a connection of its own: no descriptor
//! is open while the user types, and a daemon that was restarted meanwhile does not matter.

use std::cell::Cell;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use mfa_proto::login::{Begin, BeginAnswer, LoginRequest, Origin, Verify, VerifyAnswer};
use mfa_proto::{Client, ClientError, Deadline, TypedCode, UserName};

use crate::flow::Verifier;
use crate::options::Options;

/// The daemon that the options name, for one login.
pub(crate) struct Daemon {
    socket: PathBuf,
    /// What is left of `timeout`. The user's own time does not count.
    left: Cell<Duration>,
}

impl Daemon {
    pub(crate) fn new(options: &Options) -> Self {
        Self { socket: options.socket.clone(), left: Cell::new(options.timeout) }
    }

    /// Asks a question on a connection of its own; the time it takes is off the next one's.
    fn within_what_is_left<A>(
        &self,
        ask: impl FnOnce(&mut Client, Deadline) -> Result<A, ClientError>,
    ) -> Result<A, ClientError> {
        let (asked, left) = (Instant::now(), self.left.get());
        let deadline = Deadline::after(left);
        let answer = Client::connect(&self.socket, deadline)
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
