// SPDX-License-Identifier: GPL-3.0-or-later
//! Users on their way to the daemon, some frames ahead of its answers. Nothing of it counts before the
//! commit; whatever ends this process or the connection before that leaves the store as it was.

use std::collections::VecDeque;
use std::time::Duration;

use mfa_proto::transfer::{AdminImport, TransferAnswer};
use mfa_proto::{FRAME_MAX, Request};
use serde::Serialize;

use super::Outcome;
use crate::daemon::{Connection, Daemon};
use crate::failure::Failure;
use crate::import_error::ImportError;
use crate::incoming::{Incoming, Sink};

/// Room in a frame for what surrounds the users.
const ENVELOPE: usize = 256;

/// A batch is one durable write, on a disk that may be slow; and before the first one the daemon may
/// have to clear away what an interrupted import has left.
const PATIENCE: Duration = Duration::from_secs(60);

/// Frames that are on their way at a time: the daemon is never idle, and nothing piles up.
const AHEAD: usize = 3;

/// An import, from its first user on.
pub(super) struct Sending<'a> {
    daemon: &'a Daemon,
    /// There is none before the first user: a source may take its time to say anything.
    connection: Option<Connection>,
    batch: AdminImport,
    bytes: usize,
    /// Numbers of the questions that are on their way, and their users.
    on_the_way: VecDeque<(u64, u64)>,
    /// Users in `batch`.
    waiting: u64,
    /// Users that the daemon has taken.
    sent: u64,
}

impl<'a> Sending<'a> {
    pub(super) fn new(daemon: &'a Daemon) -> Self {
        Self {
            daemon,
            connection: None,
            batch: AdminImport { tokens: Vec::new(), accounts: Vec::new() },
            bytes: 0,
            on_the_way: VecDeque::new(),
            waiting: 0,
            sent: 0,
        }
    }

    /// Makes all of it count.
    pub(super) fn commit(mut self) -> Result<Outcome, Failure> {
        self.send()?;
        while !self.on_the_way.is_empty() {
            self.fetch()?;
        }
        let Some(connection) = &mut self.connection else {
            return Ok(Outcome { added: 0, known: 0 });
        };
        match connection.transfer(&Request::AdminImportCommit {}, PATIENCE) {
            Ok(TransferAnswer::Imported { added, known }) => {
                Ok(Outcome { added: added.into(), known: known.into() })
            }
            Ok(_) => Err(Failure::OtherAnswer { to: "admin_import_commit" }),
            Err(cause) if cause.leaves_the_outcome_open() => {
                Err(ImportError::Unknown(Box::new(cause)).into())
            }
            Err(cause) => Err(self.interrupted(cause)),
        }
    }

    fn connection(&mut self) -> Result<&mut Connection, Failure> {
        if self.connection.is_none() {
            let mut connection = self.daemon.connect()?;
            match connection.transfer(&Request::AdminImportBegin {}, PATIENCE)? {
                TransferAnswer::ImportBegun {} => self.connection = Some(connection),
                _ => return Err(Failure::OtherAnswer { to: "admin_import_begin" }),
            }
        }
        self.connection.as_mut().ok_or(Failure::OtherAnswer { to: "admin_import_begin" })
    }

    fn send(&mut self) -> Result<(), Failure> {
        if self.waiting == 0 {
            return Ok(());
        }
        while self.on_the_way.len() >= AHEAD {
            self.fetch()?;
        }
        let empty = AdminImport { tokens: Vec::new(), accounts: Vec::new() };
        let request = Request::AdminImport(std::mem::replace(&mut self.batch, empty));
        let users = std::mem::take(&mut self.waiting);
        self.bytes = 0;
        let asked = self.connection()?.ask_ahead(&request, PATIENCE);
        let number = asked.map_err(|cause| self.interrupted(cause))?;
        self.on_the_way.push_back((number, users));
        Ok(())
    }

    /// Waits for the oldest answer.
    fn fetch(&mut self) -> Result<(), Failure> {
        let Some((number, users)) = self.on_the_way.pop_front() else { return Ok(()) };
        match self.connection()?.fetch(number, PATIENCE) {
            Ok(TransferAnswer::Staged {}) => {
                self.sent += users;
                Ok(())
            }
            Ok(_) => Err(Failure::OtherAnswer { to: "admin_import" }),
            Err(cause) => Err(self.interrupted(cause)),
        }
    }

    /// Before the first batch nothing has ended: the refusal stands for itself.
    fn interrupted(&self, cause: Failure) -> Failure {
        if self.sent == 0 {
            return cause;
        }
        ImportError::Interrupted { sent: self.sent, cause: Box::new(cause) }.into()
    }
}

impl Sink for Sending<'_> {
    fn take(&mut self, user: Incoming) -> Result<(), Failure> {
        self.connection()?;
        let mut bytes = 0;
        for token in &user.tokens {
            bytes += written_length(token)? + 1;
        }
        if let Some(account) = &user.account {
            bytes += written_length(account)? + 1;
        }
        if self.bytes + bytes > FRAME_MAX - ENVELOPE {
            self.send()?;
        }
        self.bytes += bytes;
        self.batch.tokens.extend(user.tokens);
        self.batch.accounts.extend(user.account);
        self.waiting += 1;
        Ok(())
    }
}

/// Bytes in JSON, counted without writing a secret anywhere.
fn written_length(part: &impl Serialize) -> Result<usize, Failure> {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, part).map_err(Failure::Sealed)?;
    Ok(count.0)
}
