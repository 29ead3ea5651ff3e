// SPDX-License-Identifier: GPL-3.0-or-later
//! The document, written user by user.

use std::io::{self, Write};

use mfa_proto::transfer::ExportedUser;
use serde::Serialize;
use zeroize::Zeroizing;

use super::VERSION;

/// A document that is being written.
pub(crate) struct Document<W> {
    to: W,
    users: u64,
}

#[derive(Serialize)]
struct Head<'a> {
    mfa_users: u64,
    exported: u64,
    issuer: &'a str,
}

impl<W: Write> Document<W> {
    /// Writes what comes before the users. `exported` in Unix seconds.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn begin(mut to: W, exported: u64, issuer: &str) -> io::Result<Self> {
        let head = serde_json::to_string(&Head { mfa_users: VERSION, exported, issuer })?;
        let open = head.strip_suffix('}').unwrap_or(&head);
        write!(to, "{open},\"users\":[")?;
        Ok(Self { to, users: 0 })
    }

    /// Writes one user.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn user(&mut self, user: &ExportedUser) -> io::Result<()> {
        let mut line = Zeroizing::new(Vec::with_capacity(4096));
        line.extend_from_slice(if self.users == 0 { b"\n" } else { b",\n" });
        serde_json::to_writer(&mut *line, user)?;
        self.users += 1;
        self.to.write_all(&line)
    }

    /// Writes the end. A document without it is none, so that a broken one is not taken for a whole one.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn end(mut self) -> io::Result<u64> {
        self.to.write_all(b"\n]}\n")?;
        self.to.flush()?;
        Ok(self.users)
    }
}
