// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa admin export`: everybody, to standard output. Secrets only for root, which the daemon looks
//! after, and only into a pipe, which is looked at here: a terminal shows them, and a plain file keeps
//! them for whoever comes by. docs/decisions/0006 says why they are given out at all.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;

use jiff::tz::TimeZone;
use mfa_proto::transfer::{AdminExport, ExportedUser, TransferAnswer};
use mfa_proto::{Request, UserName};
use nix::sys::stat::{SFlag, fstat};
use zeroize::Zeroizing;

use crate::arguments::{Export, ImportFormat};
use crate::clock;
use crate::console::Console;
use crate::daemon::{Daemon, PATIENCE};
use crate::export_error::{ExportError, LeftOut};
use crate::failure::{Exit, Failure};
use crate::google_authenticator;
use crate::messages;
use crate::users_json::Document;
use crate::users_oath;

/// Users of a page; the daemon sends fewer where they do not fit a frame.
const PAGE: u16 = 500;

/// So many tokens that are left out are named; the others are counted.
const NAMED: u64 = 10;

pub(super) fn run(
    arguments: &Export,
    daemon: &Daemon,
    console: &mut Console,
) -> Result<Exit, Failure> {
    if arguments.with_secrets {
        be_a_pipe()?;
    } else if arguments.format != ImportFormat::UsersJson {
        return Err(ExportError::NeedsSecrets.into());
    }
    let now = clock::now()?;
    let mut out = Out::new().map_err(Failure::Output)?;
    match arguments.format {
        ImportFormat::UsersJson => users_json(arguments, now, daemon, out)?,
        ImportFormat::UsersOath => users_oath(arguments, daemon, console, &mut out)?,
        ImportFormat::GoogleAuthenticator => {
            google_authenticator(arguments, now, daemon, console, &mut out)?;
        }
    }
    Ok(Exit::Done)
}

fn users_json(arguments: &Export, now: u64, daemon: &Daemon, out: Out) -> Result<(), Failure> {
    let (mut out, mut document) = (Some(out), None);
    pages(arguments, daemon, |issuer, users| {
        if let Some(out) = out.take() {
            document = Some(Document::begin(out, now, issuer).map_err(Failure::Output)?);
        }
        let Some(document) = &mut document else { return Ok(()) };
        users.iter().try_for_each(|user| document.user(user)).map_err(Failure::Output)
    })?;
    match document {
        Some(document) => document.end().map(drop).map_err(Failure::Output),
        None => Err(Failure::OtherAnswer { to: "admin_export" }),
    }
}

fn users_oath(
    arguments: &Export,
    daemon: &Daemon,
    console: &mut Console,
    out: &mut Out,
) -> Result<(), Failure> {
    let zone = TimeZone::system();
    let mut left_out = 0;
    pages(arguments, daemon, |_, users| {
        for user in users {
            for token in &user.tokens {
                match users_oath::line(&user.user, token, &zone) {
                    Ok(line) => out.write_all(line.as_bytes()).map_err(Failure::Output)?,
                    Err(why) => {
                        left_out += 1;
                        if left_out <= NAMED {
                            let (user, token) = (user.user.clone(), token.name.clone());
                            console.warn(&LeftOut { user, token, why }.to_string());
                        }
                    }
                }
            }
        }
        Ok(())
    })?;
    out.flush().map_err(Failure::Output)?;
    if left_out == 0 { Ok(()) } else { Err(ExportError::LeftOut(left_out).into()) }
}

fn google_authenticator(
    arguments: &Export,
    now: u64,
    daemon: &Daemon,
    console: &mut Console,
    out: &mut Out,
) -> Result<(), Failure> {
    let user = arguments.user.as_ref().ok_or(ExportError::WhoseFile)?;
    let mut found = None;
    pages(arguments, daemon, |_, users| {
        found = users.pop();
        Ok(())
    })?;
    let found = found.ok_or_else(|| Failure::NoToken(user.clone()))?;
    let token = match (&arguments.name, &found.tokens[..]) {
        (_, []) => return Err(Failure::NoToken(user.clone())),
        (None, [only]) => only,
        (None, tokens) => {
            let names = tokens.iter().map(|token| token.name.clone()).collect();
            return Err(Failure::SeveralTokens { user: user.clone(), names });
        }
        (Some(name), tokens) => {
            let missing = || Failure::NoSuchToken { user: user.clone(), name: name.clone() };
            tokens.iter().find(|token| token.name == *name).ok_or_else(missing)?
        }
    };
    let file = google_authenticator::export(token, now).map_err(|why| ExportError::Unfit {
        user: user.clone(),
        token: token.name.clone(),
        why,
    })?;
    out.write_all(file.write().as_bytes()).and_then(|()| out.flush()).map_err(Failure::Output)?;
    if found.recovery_codes_left > 0 {
        console.note(messages::RECOVERY_STAYS);
    }
    if token.counter == Some(0) {
        console.note(messages::FIRST_COUNTER_LOST);
    }
    Ok(())
}

/// Gives every page to `each`, with the issuer.
fn pages(
    arguments: &Export,
    daemon: &Daemon,
    mut each: impl FnMut(&str, &mut Vec<ExportedUser>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut connection = daemon.connect()?;
    let mut after: Option<UserName> = None;
    loop {
        let request = Request::AdminExport(AdminExport {
            user: arguments.user.clone(),
            after: after.take(),
            limit: PAGE,
            secrets: arguments.with_secrets,
        });
        let answer = connection.transfer(&request, PATIENCE)?;
        let TransferAnswer::Exported { issuer, mut users, more } = answer else {
            return Err(Failure::OtherAnswer { to: "admin_export" });
        };
        after = users.last().map(|user| user.user.clone());
        each(&issuer, &mut users)?;
        // A page without users would be asked for again and again.
        if !more || after.is_none() {
            return Ok(());
        }
    }
}

/// Whether standard output is a pipe or a socket, by the kernel's word for what it is.
fn be_a_pipe() -> Result<(), Failure> {
    let found = fstat(io::stdout().as_fd()).map_err(|error| Failure::Output(error.into()))?;
    let kind = SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT;
    let found = match kind {
        SFlag::S_IFIFO | SFlag::S_IFSOCK => return Ok(()),
        SFlag::S_IFREG => messages::PLAIN_FILE,
        SFlag::S_IFCHR if nix::unistd::isatty(io::stdout().as_fd()).unwrap_or(false) => {
            messages::TERMINAL
        }
        SFlag::S_IFCHR => messages::DEVICE,
        _ => messages::SOMETHING_ELSE,
    };
    Err(ExportError::NotAPipe(found).into())
}

/// Standard output, in pieces that erase themselves: those of the standard library do not.
struct Out {
    to: File,
    piece: Zeroizing<Vec<u8>>,
}

impl Out {
    const PIECE: usize = 64 * 1024;

    fn new() -> io::Result<Self> {
        let to = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Ok(Self { to, piece: Zeroizing::new(Vec::with_capacity(Self::PIECE)) })
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.piece.len() == Self::PIECE {
            self.flush()?;
        }
        let room = Self::PIECE - self.piece.len();
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.piece.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.write_all(&self.piece)?;
        self.piece.clear();
        Ok(())
    }
}
