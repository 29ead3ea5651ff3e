// SPDX-License-Identifier: GPL-3.0-or-later
//! What is shown of a new token: its secret as a picture and as text, and that it counts.

use std::path::Path;

use mfa_crypto::{Moving, OtpUri, base32};
use mfa_proto::{SecretText, TypedCode, UserName};
use mfa_qr::{Ink, Picture, grouped};
use serde::Serialize;

use super::{Change, NewToken};
use crate::arguments::When;
use crate::commands::recovery_codes;
use crate::failure::Failure;
use crate::messages;

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

impl NewToken<'_> {
    /// The picture last: the window then shows it above the prompt.
    pub(super) fn show(
        &mut self,
        address: &SecretText,
        token: &OtpUri,
        qr: When,
    ) -> Result<(), Failure> {
        let picture = self.picture(address, qr)?;
        self.console.explain(&match &picture {
            Some(_) => messages::scan(&token.account),
            None => messages::type_secret(&token.account, moves(token)),
        })?;
        self.console.result(&grouped(&base32(&token.secret)))?;
        let Some(picture) = picture else { return Ok(()) };
        match self.console.window() {
            Some(window) if !picture.is_seen_whole(window.rows) => {
                self.console.note(&messages::low(picture.rows(), window.rows));
            }
            _ => {}
        }
        let ink = if self.console.has_colours() { Ink::Colours } else { Ink::Plain };
        self.console.part(&picture.draw(ink))
    }

    fn picture(&mut self, address: &SecretText, qr: When) -> Result<Option<Picture>, Failure> {
        if qr == When::Never {
            return Ok(None);
        }
        let picture = Picture::of_otpauth(address.as_str()).map_err(Failure::Qr)?;
        match (qr, self.console.window()) {
            (When::Auto, Some(window)) if !picture.fits(window.columns) => {
                self.console.note(&messages::narrow(picture.columns(), window.columns));
                Ok(None)
            }
            _ => Ok(Some(picture)),
        }
    }

    pub(super) fn pending(&mut self, address: &SecretText, token: &OtpUri) -> Result<(), Failure> {
        self.console.object(&Event::Pending {
            user: &self.user,
            token: &self.name,
            otpauth: address.as_str(),
            secret: &base32(&token.secret),
        })
    }

    /// `recovery_codes` is `None` where they were lost on the way.
    pub(super) fn active(
        &mut self,
        recovery_codes: Option<&[TypedCode]>,
        saved_to: Option<&Path>,
    ) -> Result<(), Failure> {
        let said = self.say_active(recovery_codes, saved_to);
        said.map_err(|failure| Failure::CodesNotShown(Box::new(failure)))
    }

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
        self.console.explain(&match self.change {
            Change::Enrolment => messages::active(&self.name),
            Change::Rotation { .. } => messages::rotated(&self.name),
        })?;
        if let Some(path) = saved_to {
            self.console.explain(&messages::saved(path))?;
        }
        recovery_codes::show(codes, messages::RECOVERY, self.console)
    }
}

fn moves(token: &OtpUri) -> &'static str {
    match token.moving {
        Moving::Totp { .. } => "time-based",
        Moving::Hotp { .. } => "counter-based",
    }
}
