// SPDX-License-Identifier: GPL-3.0-or-later
//! A new secret on its way to an authenticator: shown or written to a file, then confirmed by its
//! first code. The same for a new token (`enroll`) and for a new secret of one (`rotate`).
//!
//! JSON, two objects, one a line: `{"state":"pending","user":…,"token":…,"otpauth":…,"secret":…}`
//! once the secret is there, and `{"state":"active","user":…,"token":…,"recovery_codes":[…],
//! "saved_to":…}` once it counts. Between them the first code is read: typed, or a line of standard
//! input where that is no terminal. With `--save-token` nothing is read and both come at the end;
//! `saved_to` is there only then. What the daemon wants to be shown before is read first.

mod layout;
mod show;

use std::path::Path;

use mfa_crypto::{Code, Moving, OtpUri, hotp, step};
use mfa_proto::{SecretText, TypedCode, UserName};
use mfa_qr::Picture;

use self::layout::Sheet;
use crate::arguments::{Display, When};
use crate::channel::{Channel, Confirmation};
use crate::clock;
use crate::console::Console;
use crate::daemon::Daemon;
use crate::failure::Failure;
use crate::messages;
use crate::token_file::{self, NewTokenFile, Overwrite, TokenFileError};

/// What it is made for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// A token that was not there before.
    Enrolment,
    /// A new secret of the token that was made at this moment.
    Rotation { of: u64 },
}

/// A token that waits for its first code.
pub(super) struct NewToken<'a> {
    pub(super) daemon: &'a Daemon,
    pub(super) console: &'a mut Console,
    pub(super) channel: Channel,
    pub(super) user: UserName,
    pub(super) name: String,
    pub(super) change: Change,
}

/// What became of a first code whose answer was lost.
enum Settled {
    Active,
    /// It did not arrive, or not yet.
    Pending(Failure),
    /// The daemon does not say.
    Unknown(Failure),
}

/// Whatever would refuse the result is found out before anything is made.
pub(super) fn check(display: &Display, console: &Console) -> Result<(), Failure> {
    match &display.save_token {
        Some(path) => Ok(NewTokenFile::check(path, overwrite(display))?),
        None if console.json() || console.is_watched() => Ok(()),
        None => Err(Failure::NoDisplay),
    }
}

fn overwrite(display: &Display) -> Overwrite {
    if display.force { Overwrite::Yes } else { Overwrite::No }
}

impl NewToken<'_> {
    /// Hands the secret over and makes it count.
    pub(super) fn hand_over(
        mut self,
        address: &SecretText,
        display: &Display,
    ) -> Result<(), Failure> {
        let token = OtpUri::parse(address.as_str()).map_err(Failure::Provisioned)?;
        match &display.save_token {
            Some(path) => self.confirm_by_file(address, &token, path, overwrite(display)),
            None => self.confirm_by_person(address, &token, display.qr),
        }
    }

    /// The file is on the disk before the daemon counts the token, and vanishes where it does not.
    /// Another one of that name is replaced only once the token counts.
    fn confirm_by_file(
        &mut self,
        address: &SecretText,
        token: &OtpUri,
        path: &Path,
        overwrite: Overwrite,
    ) -> Result<(), Failure> {
        let code = first_code(token, clock::now()?);
        let code = TypedCode::new(code.as_str()).ok_or(Failure::CodeTooLong)?;
        let stored = token_file::advanced(token)
            .ok_or_else(|| TokenFileError::Exhausted(path.to_owned()))?;
        let file = NewTokenFile::write(path, &stored, overwrite)?;
        self.channel.refresh(self.daemon)?;
        let recovery_codes = match self.channel.confirm(&self.name, code) {
            Ok(Confirmation::Confirmed(recovery_codes)) => Some(recovery_codes),
            Ok(Confirmation::Wrong(_)) => return Err(Failure::OwnCodeRefused),
            Err(failure) => match self.settle(failure)? {
                Settled::Active => None,
                // It may become active yet, and this is the only copy of its secret.
                Settled::Pending(cause) if cause.leaves_it_at_work() => {
                    return Err(Failure::unknown(cause, Some(file.leave())));
                }
                Settled::Pending(failure) => return Err(failure),
                Settled::Unknown(cause) => {
                    return Err(Failure::unknown(cause, Some(file.leave())));
                }
            },
        };
        let kept = file.keep();
        let saved_to = match &kept {
            Err(TokenFileError::NotReplaced { at, .. }) => at,
            _ => path,
        };
        if self.console.json() {
            self.pending(address, token)
                .map_err(|failure| Failure::CodesNotShown(Box::new(failure)))?;
        }
        // The recovery codes come but once, whatever became of the file.
        self.active(recovery_codes.as_deref(), Some(saved_to))?;
        Ok(kept?)
    }

    /// Shows the secret and asks for its first code until it is right or the daemon gives up. On a
    /// terminal the secret is gone from it when that is done.
    fn confirm_by_person(
        &mut self,
        address: &SecretText,
        token: &OtpUri,
        qr: When,
    ) -> Result<(), Failure> {
        let picture = match qr {
            When::Never => None,
            _ => Some(Picture::of_otpauth(address.as_str()).map_err(Failure::Qr)?),
        };
        let (ink, quiet) = (self.console.ink(), self.console.quiet());
        let picture = picture.as_ref();
        let sheet = Sheet { token, picture, qr, ink, quiet };
        let mut page = self.console.private_page();
        if self.console.json() {
            self.pending(address, token)?;
        } else if page.is_none() {
            self.print(&sheet)?;
        }
        let mut note: Option<String> = None;
        loop {
            let code = match &mut page {
                Some(page) => self.console.ask_below(page, messages::ASK_FIRST, |window| {
                    sheet.lines(window, note.as_deref())
                })?,
                None => {
                    note.take().into_iter().for_each(|note| self.console.note(&note));
                    self.console.ask(messages::ASK_FIRST)?
                }
            };
            self.channel.refresh(self.daemon)?;
            match self.channel.confirm(&self.name, code) {
                Ok(Confirmation::Confirmed(recovery_codes)) => {
                    drop(page);
                    return self.active(Some(&recovery_codes), None);
                }
                Ok(Confirmation::Wrong(0)) => return Err(Failure::NotConfirmed),
                Ok(Confirmation::Wrong(tries_left)) => {
                    note = Some(messages::wrong_first(tries_left));
                }
                Err(failure) => match self.settle(failure)? {
                    Settled::Active => {
                        drop(page);
                        return self.active(None, None);
                    }
                    Settled::Unknown(cause) => return Err(Failure::unknown(cause, None)),
                    Settled::Pending(failure) => {
                        note = Some(messages::first_code_lost(&failure));
                        self.channel.reopen(self.daemon)?;
                    }
                },
            }
        }
    }

    /// The answer to the first code did not arrive, or is no answer: what does the daemon hold? It
    /// shows no pending token; whether one is left, the next code tells.
    fn settle(&self, failure: Failure) -> Result<Settled, Failure> {
        if !failure.leaves_the_outcome_open() {
            return Err(failure);
        }
        let Ok(status) = self.daemon.status(&self.user) else {
            return Ok(Settled::Unknown(failure));
        };
        let token = status.tokens.iter().find(|token| token.name == self.name);
        Ok(match (token, self.change) {
            (Some(_), Change::Enrolment) => Settled::Active,
            (Some(token), Change::Rotation { of }) if token.created != of => Settled::Active,
            _ => Settled::Pending(failure),
        })
    }
}

/// The code that the daemon expects first.
fn first_code(token: &OtpUri, now: u64) -> Code {
    let counter = match token.moving {
        Moving::Totp { period } => step(now, period),
        Moving::Hotp { counter } => counter,
    };
    hotp(&token.secret, token.algorithm, token.digits, counter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_code_is_that_of_the_time_or_of_the_counter() {
        let uri = |tail: &str| {
            let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
            OtpUri::parse(&format!(
                "otpauth://{}secret={secret}{tail}",
                if tail.is_empty() { "totp/a?" } else { "hotp/a?" }
            ))
            .unwrap()
        };
        // RFC 6238, appendix B, and RFC 4226, appendix D.
        assert_eq!(first_code(&uri(""), 59).as_str(), "287082");
        assert_eq!(first_code(&uri("&counter=3"), 59).as_str(), "969429");
    }
}
