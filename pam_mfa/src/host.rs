// SPDX-License-Identifier: GPL-3.0-or-later
//! [`Host`] over pam-bindings, and the log. The one module with `unsafe`.

use std::ffi::{CStr, CString, c_char, c_int};
use std::panic;
use std::sync::Once;

use mfa_proto::UserName;
use mfa_proto::login::Origin;
use pam::constants::{
    PAM_ERROR_MSG, PAM_PROMPT_ECHO_OFF, PAM_PROMPT_ECHO_ON, PAM_TEXT_INFO, PamResultCode,
};
use pam::conv::Conv;
use pam::items::{RHost, Service, Tty, User as UserItem};
use pam::module::PamHandle;

use crate::flow::{ConversationFailed, Host, Tone, Typed, User};
use crate::log::{Level, Line};
use crate::options::Echo;

/// The longest item that is sent to the daemon, in bytes. A host name has at most 253.
const ITEM_MAX: usize = 256;

#[link(name = "pam")]
unsafe extern "C" {
    /// See pam_syslog(3): adds module, service and type, and logs to `LOG_AUTHPRIV`.
    fn pam_syslog(pamh: *const PamHandle, priority: c_int, format: *const c_char, ...);
}

/// The program that called, for the time of the call.
pub(crate) struct PamHost<'a> {
    handle: &'a mut PamHandle,
}

impl<'a> PamHost<'a> {
    pub(crate) fn new(handle: &'a mut PamHandle) -> Self {
        Self { handle }
    }

    fn send(&self, style: c_int, text: &str) -> Result<Typed, ConversationFailed> {
        let conversation = self.handle.get_item::<Conv<'_>>().ok().flatten();
        let answer = conversation.ok_or(ConversationFailed)?.send(style, text);
        let answer = answer.map_err(|_| ConversationFailed)?;
        Ok(Typed::new(answer.as_ref().map(|secret| secret.as_bytes())))
    }
}

impl Host for PamHost<'_> {
    fn user(&mut self) -> Result<User, ConversationFailed> {
        match self.handle.get_user(None) {
            Ok(name) => Ok(match UserName::new(name.clone()) {
                Ok(name) => User::Named(name),
                Err(error) => User::Impossible { name, reason: error.to_string() },
            }),
            // pam-bindings says so of a name that is not UTF-8, and of no name at all.
            Err(PamResultCode::PAM_SYSTEM_ERR) => match self.handle.get_item::<UserItem<'_>>() {
                Ok(Some(name)) => Ok(User::Impossible {
                    name: name.to_string_lossy().into_owned(),
                    reason: "the user name is not UTF-8".to_owned(),
                }),
                _ => Err(ConversationFailed),
            },
            Err(_) => Err(ConversationFailed),
        }
    }

    fn origin(&self) -> Origin {
        let service = self.handle.get_item::<Service<'_>>().ok().flatten();
        let rhost = self.handle.get_item::<RHost<'_>>().ok().flatten();
        let tty = self.handle.get_item::<Tty<'_>>().ok().flatten();
        Origin {
            service: service.map(|item| text(item.0)).unwrap_or_default(),
            rhost: rhost.map(|item| text(item.0)).filter(|text| !text.is_empty()),
            tty: tty.map(|item| text(item.0)).filter(|text| !text.is_empty()),
        }
    }

    fn prompt(&mut self, text: &str, echo: Echo) -> Result<Typed, ConversationFailed> {
        let style = match echo {
            Echo::Off => PAM_PROMPT_ECHO_OFF,
            Echo::On => PAM_PROMPT_ECHO_ON,
        };
        self.send(style, text)
    }

    fn say(&mut self, tone: Tone, text: &str) {
        let style = match tone {
            Tone::Error => PAM_ERROR_MSG,
            Tone::Info => PAM_TEXT_INFO,
        };
        // Some programs answer a text with nothing at all, which reads as an error here.
        drop(self.send(style, text));
    }

    fn log(&mut self, level: Level, line: &Line) {
        let priority = match level {
            Level::Error => libc::LOG_ERR,
            Level::Notice => libc::LOG_NOTICE,
            Level::Info => libc::LOG_INFO,
            Level::Debug => libc::LOG_DEBUG,
        };
        let Ok(line) = CString::new(line.as_str()) else { return };
        let handle: *const PamHandle = self.handle;
        // SAFETY: `handle` comes from libpam and is valid for the call; the format and its one
        // argument are NUL-terminated and outlive it; "%s" takes exactly one `char *`.
        unsafe { pam_syslog(handle, priority, c"%s".as_ptr(), line.as_ptr()) };
    }
}

/// An item as text that surely fits a frame.
fn text(item: &CStr) -> String {
    let mut text = item.to_string_lossy().into_owned();
    let end = (0..=ITEM_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.truncate(end);
    text
}

/// Sends what a panic reports to syslog instead of standard error, which belongs to the program.
///
/// The hook is a variable of this library's own copy of the standard library (a cdylib exports
/// none of it): no Rust code of the program or of another module is affected. It allocates and
/// keeps nothing, so that the library can be unloaded.
pub(crate) fn report_panics_to_syslog() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        panic::set_hook(Box::new(|info| {
            // Only where: the message of a panic could hold anything.
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            let Ok(place) = CString::new(Line::new(&place).as_str()) else { return };
            let priority = libc::LOG_AUTHPRIV | libc::LOG_ERR;
            let format = c"pam_mfa: internal error at %s".as_ptr();
            // SAFETY: format and argument are NUL-terminated and outlive the call; "%s" takes
            // exactly one `char *`.
            unsafe { libc::syslog(priority, format, place.as_ptr()) };
        }));
    });
}
