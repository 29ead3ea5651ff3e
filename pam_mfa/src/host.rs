// SPDX-License-Identifier: GPL-3.0-or-later
//! [`Host`] over pam-bindings, and the log. The one module with `unsafe`.

use std::ffi::{CStr, CString, c_char, c_int};
use std::sync::Once;
use std::{panic, ptr};

use mfa_proto::UserName;
use mfa_proto::login::{Origin, ProcessSession};
use nix::unistd::getsid;
use pam::constants::{
    PAM_ERROR_MSG, PAM_PROMPT_ECHO_OFF, PAM_PROMPT_ECHO_ON, PAM_TEXT_INFO, PamResultCode,
};
use pam::conv::Conv;
use pam::items::{AuthTok, Item, RHost, Service, Tty, User as UserItem};
use pam::module::PamHandle;
use zeroize::Zeroizing;

use crate::flow::{ConversationFailed, Host, Kept, NotKept, Place, Tone, User};
use crate::log::{Level, Line};
use crate::membership::{self, GroupError};
use crate::messages::logged;
use crate::options::Echo;
use crate::origin;
use crate::typed::Typed;

/// The longest item that is sent to the daemon, in bytes. A host name has at most 253.
const ITEM_MAX: usize = 256;

/// The longest value of a variable that is read: sshd's has a line for each method, a key in each.
const VARIABLE_MAX: usize = 65_536;

#[link(name = "pam")]
unsafe extern "C" {
    /// See pam_syslog(3): adds module, service and type, and logs to `LOG_AUTHPRIV`.
    fn pam_syslog(pamh: *const PamHandle, priority: c_int, format: *const c_char, ...);
    /// See pam_prompt(3): erases its copy of the text, and an answer that nobody takes.
    fn pam_prompt(
        pamh: *mut PamHandle,
        style: c_int,
        response: *mut *mut c_char,
        format: *const c_char,
        ...
    ) -> c_int;
    /// See pam_getenv(3): the environment of the PAM handle, which is not the program's.
    fn pam_getenv(pamh: *mut PamHandle, name: *const c_char) -> *const c_char;
}

/// The program that called, for the time of the call.
pub(crate) struct PamHost<'a> {
    handle: &'a mut PamHandle,
}

impl<'a> PamHost<'a> {
    pub(crate) fn new(handle: &'a mut PamHandle) -> Self {
        Self { handle }
    }

    fn send(&self, style: c_int, text: &str) -> Result<Option<Typed>, ConversationFailed> {
        let conversation = self.handle.get_item::<Conv<'_>>().ok().flatten();
        let answer = conversation.ok_or(ConversationFailed)?.send(style, text);
        let answer = answer.map_err(|_| ConversationFailed)?;
        Ok(answer.map(|secret| Typed::new(secret.as_bytes())))
    }

    /// A variable of the PAM handle.
    fn variable(&self, name: &str) -> Option<String> {
        let name = CString::new(name).ok()?;
        let handle: *const PamHandle = self.handle;
        // SAFETY: `handle` comes from libpam and is valid for the call, which only reads; the name
        // is NUL-terminated and outlives it.
        let value = unsafe { pam_getenv(handle.cast_mut(), name.as_ptr()) };
        if value.is_null() {
            return None;
        }
        // SAFETY: what libpam returns is NUL-terminated, and stays as it is until the handle's
        // environment is changed, which nobody does before this returns.
        let value = unsafe { CStr::from_ptr(value) };
        let value = value.to_str().ok()?;
        (value.len() <= VARIABLE_MAX).then(|| value.to_owned())
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
                    reason: logged::USER_NOT_UTF8.to_owned(),
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
        let tty = tty.map(|item| text(item.0)).filter(|text| !text.is_empty());
        Origin {
            service: service.map(|item| text(item.0)).unwrap_or_default(),
            rhost: rhost.map(|item| text(item.0)).filter(|text| !text.is_empty()),
            session: tty.as_deref().and_then(session),
            tty,
            ssh_key: self.variable(origin::SSH_AUTH_INFO).as_deref().and_then(origin::ssh_key),
        }
    }

    fn prompt(&mut self, text: &str, echo: Echo) -> Result<Option<Typed>, ConversationFailed> {
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
        // The text may be a key. It is not sent as prompts are, since pam-bindings does not erase
        // its copy.
        let mut copy = Zeroizing::new(Vec::with_capacity(text.len() + 1));
        copy.extend_from_slice(text.as_bytes());
        copy.push(0);
        let Ok(text) = CStr::from_bytes_with_nul(&copy) else { return };
        let handle: *mut PamHandle = self.handle;
        // SAFETY: `handle` comes from libpam and is valid for the call; format and argument are
        // NUL-terminated and outlive it, "%s" takes exactly one `char *`, and no answer is wanted.
        unsafe { pam_prompt(handle, style, ptr::null_mut(), c"%s".as_ptr(), text.as_ptr()) };
    }

    fn log(&mut self, level: Level, line: &Line) {
        let priority = match level {
            Level::Alert => libc::LOG_ALERT,
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

    fn is_member(&self, user: &UserName, group: &str) -> Result<bool, GroupError> {
        membership::is_member(user, group)
    }

    fn is_about(&self, user: &UserName) -> bool {
        let named = self.handle.get_item::<UserItem<'_>>().ok().flatten();
        named.is_some_and(|name| name.to_bytes() == user.as_str().as_bytes())
    }

    fn auth_token(&self) -> Option<Typed> {
        let token = self.handle.get_item::<AuthTok<'_>>().ok().flatten()?;
        Some(Typed::new(token.as_bytes()))
    }

    fn set_auth_token(&mut self, password: &Typed) -> Result<(), NotKept> {
        let mut text = Zeroizing::new(Vec::with_capacity(password.as_bytes().len() + 1));
        text.extend_from_slice(password.as_bytes());
        text.push(0);
        let text = CStr::from_bytes_with_nul(&text).map_err(|_| NotKept)?;
        // SAFETY: `text` is NUL-terminated and outlives the item, of which libpam takes a copy.
        let item = unsafe { AuthTok::from_raw(text.as_ptr()) };
        self.handle.set_item_str(item).map_err(|_| NotKept)
    }

    fn keep(&mut self, user: &UserName, what: Kept) -> Result<(), NotKept> {
        let key = data_name(user, what.place());
        self.handle.set_data(&key, Box::new(number(what))).map_err(|_| NotKept)
    }

    fn kept(&self, user: &UserName, place: Place) -> Option<Kept> {
        // SAFETY: data of this name is set above and nowhere else, always as a `u8`.
        let kept = unsafe { self.handle.get_data::<u8>(&data_name(user, place)) };
        let kept = *kept.ok()?;
        ALL_KEPT.into_iter().find(|what| what.place() == place && number(*what) == kept)
    }
}

const ALL_KEPT: [Kept; 6] = [
    Kept::CodeAccepted,
    Kept::EnrolmentBegun,
    Kept::EnrolmentDone,
    Kept::NothingDone,
    Kept::AskedFor,
    Kept::NotAskedFor,
];

/// One byte: what libpam keeps is freed by `pam_end`, before it unloads this library.
fn number(kept: Kept) -> u8 {
    match kept {
        Kept::CodeAccepted => 1,
        Kept::EnrolmentBegun => 2,
        Kept::EnrolmentDone => 3,
        Kept::NothingDone => 4,
        Kept::AskedFor => 5,
        Kept::NotAskedFor => 6,
    }
}

/// The name of pam_set_data(3). With the user in it: a stack may change `PAM_USER` between calls,
/// and what one user has shown is nothing that another has.
fn data_name(user: &UserName, place: Place) -> String {
    let place = match place {
        Place::Login => "login",
        Place::Account => "account",
        Place::Enrolment => "enrolment",
    };
    format!("pam_mfa {place} {}", user.as_str())
}

/// The session that the calling program runs in, where it has a terminal.
fn session(tty: &str) -> Option<ProcessSession> {
    if !origin::is_terminal(tty) {
        return None;
    }
    let id = u32::try_from(getsid(None).ok()?.as_raw()).ok()?;
    let stat = std::fs::read(origin::stat_path(id)).ok()?;
    origin::session(id, &String::from_utf8_lossy(&stat))
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
