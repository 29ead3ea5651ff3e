// SPDX-License-Identifier: GPL-3.0-or-later
//! What is shown of a new token: its secret as a picture and as text, and that it counts.

use std::path::Path;

use mfa_crypto::{OtpUri, base32};
use mfa_proto::{SecretText, TypedCode, UserName};
use serde::Serialize;

use super::layout::Sheet;
use super::{Change, NewToken};
use crate::commands::recovery_codes;
use crate::console::Window;
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
    /// Where the page that is erased afterwards cannot be had: a terminal that only knows lines.
    pub(super) fn print(&mut self, sheet: &Sheet<'_>) -> Result<(), Failure> {
        let columns = self.console.columns().unwrap_or(usize::MAX);
        let endless = Window { columns, rows: usize::MAX };
        sheet.lines(endless, None).iter().try_for_each(|line| self.console.drawing(line))
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
