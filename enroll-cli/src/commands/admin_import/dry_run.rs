// SPDX-License-Identifier: GPL-3.0-or-later
//! What an import would change. The daemon is asked which names it knows, and told nothing else.
//!
//! JSON, one object a user: `{"user":…,"change":"add","tokens":[{"name":…,"factor":…,"algorithm":…,
//! "digits":…,"period":…}],"scratch_codes":…}`, or `{"user":…,"change":"none"}` for one who is known.

use std::collections::HashSet;

use mfa_proto::transfer::{ImportedMoving, TransferAnswer};
use mfa_proto::{Request, UserName};
use serde::Serialize;

use super::Outcome;
use crate::console::Console;
use crate::daemon::{Connection, Daemon, PATIENCE};
use crate::failure::Failure;
use crate::incoming::{Incoming, Sink};
use crate::messages::dry_run::{line, scratch_codes};

/// Users of a question: with the longest names they fit a frame, escaped ones too.
const PAGE: usize = 100;

/// Users who wait to be compared.
pub(super) struct Comparing<'a> {
    daemon: &'a Daemon,
    connection: Option<Connection>,
    console: &'a mut Console,
    waiting: Vec<Incoming>,
    outcome: Outcome,
}

#[derive(Serialize)]
struct Change<'a> {
    user: &'a UserName,
    change: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tokens: Vec<Token<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scratch_codes: Option<usize>,
}

#[derive(Serialize)]
struct Token<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    factor: &'static str,
    algorithm: &'a str,
    digits: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    period: Option<u64>,
}

impl<'a> Comparing<'a> {
    pub(super) fn new(daemon: &'a Daemon, console: &'a mut Console) -> Self {
        let outcome = Outcome { added: 0, known: 0 };
        Self { daemon, connection: None, console, waiting: Vec::new(), outcome }
    }

    /// How many would be added, and how many are known.
    pub(super) fn finish(mut self) -> Result<Outcome, Failure> {
        self.compare()?;
        Ok(self.outcome)
    }

    fn compare(&mut self) -> Result<(), Failure> {
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.is_empty() {
            return Ok(());
        }
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(self.daemon.connect()?),
        };
        let users = waiting.iter().map(|incoming| incoming.user.clone()).collect();
        let answer = connection.transfer(&Request::AdminKnown { users }, PATIENCE)?;
        let TransferAnswer::Known { users } = answer else {
            return Err(Failure::OtherAnswer { to: "admin_known" });
        };
        let known: HashSet<UserName> = users.into_iter().collect();
        let mut text = String::new();
        for incoming in &waiting {
            let is_known = known.contains(&incoming.user);
            if is_known {
                self.outcome.known += 1;
            } else {
                self.outcome.added += 1;
            }
            if self.console.json() {
                let change = change(incoming, is_known);
                text.push_str(&serde_json::to_string(&change).map_err(Failure::Sealed)?);
            } else {
                text.push_str(&line(incoming, is_known));
            }
            text.push('\n');
        }
        self.console.part(&text)
    }
}

impl Sink for Comparing<'_> {
    fn take(&mut self, user: Incoming) -> Result<(), Failure> {
        self.waiting.push(user);
        if self.waiting.len() < PAGE { Ok(()) } else { self.compare() }
    }
}

fn change(incoming: &Incoming, is_known: bool) -> Change<'_> {
    let user = &incoming.user;
    if is_known {
        return Change { user, change: "none", tokens: Vec::new(), scratch_codes: None };
    }
    let tokens = incoming.tokens.iter().map(|token| {
        let (factor, period) = match token.moving {
            ImportedMoving::Totp { period, .. } => ("totp", Some(period)),
            ImportedMoving::Hotp { .. } => ("hotp", None),
        };
        Token {
            name: token.name.as_deref(),
            factor,
            algorithm: &token.algorithm,
            digits: token.digits,
            period,
        }
    });
    let tokens = tokens.collect();
    Change { user, change: "add", tokens, scratch_codes: scratch_codes(incoming) }
}
