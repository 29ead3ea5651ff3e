// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa enroll`.
//!
//! JSON, two objects, one a line: `{"user":…,"token":…,"state":"pending","otpauth":…,"secret":…}`
//! once the secret is there, and `{"user":…,"token":…,"state":"active","recovery_codes":[…],
//! "saved_to":…}` once it counts. Between them the first code is read: typed, or a line of standard
//! input where that is no terminal. With `--save-token` nothing is read and both come at the end;
//! `saved_to` is there only then. A current code, where the daemon wants one, is read first.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use mfa_crypto::{Code, Moving, OtpUri, base32, hotp, step};
use mfa_proto::exchange::{MovingFactor, SecretUri};
use mfa_proto::{TypedCode, UserName};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::arguments::{Enroll, When};
use crate::clock;
use crate::console::Console;
use crate::daemon::Daemon;
use crate::enrolment::{Channel, Confirmation};
use crate::failure::{Exit, Failure};
use crate::messages;
use crate::qr::{Ink, Picture};
use crate::token_file::{self, NewTokenFile, Overwrite, TokenFileError};

/// An enrolment under way.
struct Enrolling<'a> {
    daemon: &'a Daemon,
    console: &'a mut Console,
    user: UserName,
    name: String,
    qr: When,
}

/// What became of a first code whose answer was lost.
enum Settled {
    Active,
    /// It did not arrive, or not yet.
    Pending(Failure),
    /// The daemon does not say.
    Unknown(Failure),
}

#[derive(Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
enum Event<'a> {
    Pending {
        user: &'a UserName,
        token: &'a str,
        otpauth: &'a str,
        secret: &'a str,
    },
    Active {
        user: &'a UserName,
        token: &'a str,
        recovery_codes: &'a [TypedCode],
        #[serde(skip_serializing_if = "Option::is_none")]
        saved_to: Option<&'a Path>,
    },
}

pub(super) fn run(
    arguments: Enroll,
    daemon: &Daemon,
    console: &mut Console,
) -> Result<Exit, Failure> {
    // Whatever would refuse the result is found out before anything is made.
    let overwrite = if arguments.force { Overwrite::Yes } else { Overwrite::No };
    match &arguments.save_token {
        Some(path) => NewTokenFile::check(path, overwrite)?,
        None if console.json() || console.is_watched() => {}
        None => return Err(Failure::NoDisplay),
    }
    let user = super::user(&arguments.of)?;
    let moving = if arguments.hotp { MovingFactor::Hotp } else { MovingFactor::Totp };
    let notice = || console.note(messages::CHECKING_GROUP);
    let channel = Channel::open(daemon, &user, notice)?;
    let mut enrolling = Enrolling { daemon, console, user, name: arguments.name, qr: arguments.qr };
    let (channel, address) = enrolling.provision(channel, moving)?;
    let token = OtpUri::parse(address.as_str()).map_err(Failure::Provisioned)?;
    match arguments.save_token {
        Some(path) => enrolling.confirm_by_file(channel, &address, &token, &path, overwrite)?,
        None => enrolling.confirm_by_person(channel, &address, &token)?,
    }
    Ok(Exit::Done)
}

impl Enrolling<'_> {
    /// Gets the secret; asks for a current code where the daemon wants one.
    fn provision(
        &mut self,
        mut channel: Channel,
        moving: MovingFactor,
    ) -> Result<(Channel, SecretUri), Failure> {
        let mut refused = match channel.provision(&self.name, moving, None) {
            Err(failure) if failure.asks_for_a_code() => failure,
            settled => return Ok((channel, settled?)),
        };
        self.console.note(messages::CURRENT_NEEDED);
        for _ in 0..super::TRIES {
            let code = self.console.ask_hidden(messages::ASK_CURRENT)?;
            channel = channel.refreshed(self.daemon, &self.user)?;
            match channel.provision(&self.name, moving, Some(code)) {
                Err(failure) if failure.asks_for_a_code() && self.console.can_ask() => {
                    self.console.note(messages::WRONG_CURRENT);
                    refused = failure;
                }
                settled => return Ok((channel, settled?)),
            }
        }
        Err(refused)
    }

    /// The file is on the disk before the daemon counts the token, and vanishes where it does not.
    /// Another one of that name is replaced only once the token counts.
    fn confirm_by_file(
        &mut self,
        mut channel: Channel,
        address: &SecretUri,
        token: &OtpUri,
        path: &Path,
        overwrite: Overwrite,
    ) -> Result<(), Failure> {
        let code = first_code(token, clock::now()?);
        let code = TypedCode::new(code.as_str()).ok_or(Failure::CodeTooLong)?;
        let stored = token_file::advanced(token)
            .ok_or_else(|| TokenFileError::Exhausted(path.to_owned()))?;
        let file = NewTokenFile::write(path, &stored, overwrite)?;
        let recovery_codes = match channel.confirm(&self.name, code) {
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

    /// Shows the secret and asks for its first code until it is right or the daemon gives up.
    fn confirm_by_person(
        &mut self,
        mut channel: Channel,
        address: &SecretUri,
        token: &OtpUri,
    ) -> Result<(), Failure> {
        if self.console.json() {
            self.pending(address, token)?;
        } else {
            self.show(address, token)?;
        }
        loop {
            let code = self.console.ask(messages::ASK_FIRST)?;
            channel = channel.refreshed(self.daemon, &self.user)?;
            match channel.confirm(&self.name, code) {
                Ok(Confirmation::Confirmed(recovery_codes)) => {
                    return self.active(Some(&recovery_codes), None);
                }
                Ok(Confirmation::Wrong(0)) => return Err(Failure::NotConfirmed),
                Ok(Confirmation::Wrong(tries_left)) => {
                    self.console.note(&messages::wrong_first(tries_left));
                }
                Err(failure) => match self.settle(failure)? {
                    Settled::Active => return self.active(None, None),
                    Settled::Unknown(cause) => return Err(Failure::unknown(cause, None)),
                    // The daemon was restarted, say: the secret that was shown is still good.
                    Settled::Pending(failure) => {
                        self.console.note(&messages::first_code_lost(&failure));
                        channel = channel.reopened(self.daemon, &self.user)?;
                    }
                },
            }
        }
    }

    /// The answer to the first code did not arrive, or is no answer: what does the daemon hold?
    fn settle(&self, failure: Failure) -> Result<Settled, Failure> {
        if !failure.leaves_the_outcome_open() {
            return Err(failure);
        }
        let Ok(status) = self.daemon.status(&self.user) else {
            return Ok(Settled::Unknown(failure));
        };
        match status.tokens.iter().find(|token| token.name == self.name) {
            Some(token) if token.active => Ok(Settled::Active),
            Some(_) => Ok(Settled::Pending(failure)),
            None => Err(failure),
        }
    }

    /// The picture last: the window then shows it above the prompt.
    fn show(&mut self, address: &SecretUri, token: &OtpUri) -> Result<(), Failure> {
        let picture = self.picture(address)?;
        self.console.explain(&match &picture {
            Some(_) => messages::scan(&token.account),
            None => messages::type_secret(&token.account, moves(token)),
        })?;
        self.console.result(&grouped(&base32(&token.secret)))?;
        let Some(picture) = picture else { return Ok(()) };
        match self.console.window() {
            Some(window) if !picture.is_seen_whole(window) => {
                self.console.note(&messages::low(picture.rows(), window.rows));
            }
            _ => {}
        }
        let ink = if self.console.has_colours() { Ink::Colours } else { Ink::Plain };
        self.console.part(&picture.draw(ink))
    }

    fn picture(&mut self, address: &SecretUri) -> Result<Option<Picture>, Failure> {
        if self.qr == When::Never {
            return Ok(None);
        }
        let picture = Picture::encode(without_defaults(address.as_str())).map_err(Failure::Qr)?;
        match (self.qr, self.console.window()) {
            (When::Auto, Some(window)) if !picture.fits(window) => {
                self.console.note(&messages::narrow(picture.columns(), window.columns));
                Ok(None)
            }
            _ => Ok(Some(picture)),
        }
    }

    fn pending(&mut self, address: &SecretUri, token: &OtpUri) -> Result<(), Failure> {
        self.console.object(&Event::Pending {
            user: &self.user,
            token: &self.name,
            otpauth: address.as_str(),
            secret: &base32(&token.secret),
        })
    }

    fn active(
        &mut self,
        recovery_codes: Option<&[TypedCode]>,
        saved_to: Option<&Path>,
    ) -> Result<(), Failure> {
        let said = self.say_active(recovery_codes, saved_to);
        said.map_err(|failure| Failure::CodesNotShown(Box::new(failure)))
    }

    /// `recovery_codes` is `None` where they were lost on the way.
    fn say_active(
        &mut self,
        recovery_codes: Option<&[TypedCode]>,
        saved_to: Option<&Path>,
    ) -> Result<(), Failure> {
        if recovery_codes.is_none() {
            self.console.warn(messages::CODES_LOST);
        }
        let codes = recovery_codes.unwrap_or_default();
        if self.console.json() {
            return self.console.object(&Event::Active {
                user: &self.user,
                token: &self.name,
                recovery_codes: codes,
                saved_to,
            });
        }
        if !codes.is_empty() && others_read_stdout() {
            self.console.warn(messages::OTHERS_READ_STDOUT);
        }
        self.console.explain(&messages::active(&self.name))?;
        if let Some(path) = saved_to {
            self.console.explain(&messages::saved(path))?;
        }
        if !codes.is_empty() {
            self.console.explain(messages::RECOVERY)?;
        }
        codes.iter().try_for_each(|code| self.console.result(code.as_str()))
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

/// The address without what every authenticator assumes where it is left out: a picture two sizes
/// smaller, which an ordinary window shows whole.
fn without_defaults(address: &str) -> &str {
    address.strip_suffix("&algorithm=SHA1&digits=6&period=30").unwrap_or(address)
}

fn moves(token: &OtpUri) -> &'static str {
    match token.moving {
        Moving::Totp { .. } => "time-based",
        Moving::Hotp { .. } => "counter-based",
    }
}

/// In groups of four, as people read and type it; authenticators leave the spaces out.
fn grouped(secret: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(secret.len() * 2));
    for (place, letter) in secret.chars().enumerate() {
        if place > 0 && place % 4 == 0 {
            text.push(' ');
        }
        text.push(letter);
    }
    text
}

/// Whether the output goes to a file that others than its owner can read.
fn others_read_stdout() -> bool {
    use std::os::fd::AsFd;
    let stdout = io::stdout();
    let Ok(descriptor) = stdout.as_fd().try_clone_to_owned() else { return false };
    let found = std::fs::File::from(descriptor).metadata();
    found.is_ok_and(|found| found.is_file() && found.mode() & 0o077 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_shown_in_groups_of_four() {
        assert_eq!(grouped("ABCDEFGHIJ").as_str(), "ABCD EFGH IJ");
        assert_eq!(grouped("").as_str(), "");
    }

    #[test]
    fn only_defaults_are_left_out_of_the_picture() {
        for (tail, shorter) in [("", true), ("&digits=8", false), ("&algorithm=SHA256", false)] {
            let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
            let whole =
                OtpUri::parse(&format!("otpauth://totp/h:a?secret={secret}&issuer=h{tail}"))
                    .unwrap();
            let address = whole.render();
            let short = without_defaults(&address);
            assert_eq!(short.len() < address.len(), shorter, "{tail}");
            assert!(OtpUri::parse(short).unwrap().render() == address, "{tail}");
        }
    }

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
