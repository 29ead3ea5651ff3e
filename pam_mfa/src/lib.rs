// SPDX-License-Identifier: GPL-3.0-or-later
//! `pam_mfa.so`: asks for a one-time code and lets `mfa-daemon` check it. Entry points only.
//!
//! All six entry points exist and are caught here: a symbol that is missing, or a panic that
//! leaves it to somebody else what to answer, would let the stack decide what this module must.

#![deny(unsafe_code)]
#![expect(missing_docs, reason = "all that is public are the entry points that a macro writes")]

mod account;
mod answer;
mod daemon;
mod enrolment;
mod flow;
#[cfg(own_unwinder)]
#[expect(unsafe_code, reason = "what the unwinder of libgcc asks for, with the types of C")]
mod frames;
#[expect(unsafe_code, reason = "the one module that speaks to libpam and libc")]
mod host;
mod log;
mod login;
mod membership;
mod messages;
mod options;
mod origin;
#[cfg(test)]
mod script;
mod typed;
mod utc;
mod version;

use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pam::constants::{PAM_CHANGE_EXPIRED_AUTHTOK, PAM_SILENT, PamFlag, PamResultCode};
use pam::module::{PamHandle, PamHooks};

use crate::daemon::Daemon;
use crate::enrolment::Phase;
use crate::flow::Host;
use crate::host::PamHost;
use crate::log::{Level, Line};
use crate::messages::logged;
use crate::options::Options;

struct Module;
pam::pam_hooks!(Module);

/// libpam's own flags for the two passes of `pam_chauthtok`, see pam_sm_chauthtok(3). pam-bindings
/// does not name them.
const PAM_PRELIM_CHECK: PamFlag = 0x4000;
const PAM_UPDATE_AUTHTOK: PamFlag = 0x2000;

impl PamHooks for Module {
    fn sm_authenticate(pamh: &mut PamHandle, args: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        configured(pamh, &args, &|host, options| {
            let daemon = Daemon::new(options);
            login::login(host, &daemon, options, flags & PAM_SILENT != 0)
        })
    }

    /// Success, always, and nothing else happens: there are no credentials to set. It grants
    /// nothing: libpam gives this answer the weight that the same line had in `pam_authenticate`.
    /// `PAM_IGNORE` would end logins where this module stands alone: sshd authenticates in one
    /// process and sets credentials in another, where libpam knows nothing of that weight, and
    /// gives up when that fails. `pam_google_authenticator` and `pam_oath` answer the same. For the
    /// same reason options are not read here: they were, where they matter.
    fn sm_setcred(pamh: &mut PamHandle, args: Vec<&CStr>, _flags: PamFlag) -> PamResultCode {
        guarded(pamh, &args, &|_| PamResultCode::PAM_SUCCESS)
    }

    /// Without `enroll` nothing to say about the account. libpam denies where nobody else has
    /// anything to say.
    fn acct_mgmt(pamh: &mut PamHandle, args: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        configured(pamh, &args, &|host, options| {
            let daemon = Daemon::new(options);
            account::account(host, &daemon, options, flags & PAM_SILENT != 0)
        })
    }

    /// Only what this module's own `account` has asked for: passwd(1) changes no token.
    fn sm_chauthtok(pamh: &mut PamHandle, args: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        configured(pamh, &args, &|host, options| {
            let phase = match flags & (PAM_PRELIM_CHECK | PAM_UPDATE_AUTHTOK) {
                PAM_PRELIM_CHECK => Phase::Preliminary,
                PAM_UPDATE_AUTHTOK => Phase::Update,
                _ => return PamResultCode::PAM_SYSTEM_ERR,
            };
            if flags & PAM_CHANGE_EXPIRED_AUTHTOK == 0 {
                return PamResultCode::PAM_IGNORE;
            }
            let daemon = Daemon::new(options);
            enrolment::enrolment(host, &daemon, options, phase, flags & PAM_SILENT != 0)
        })
    }

    /// Sessions are none of this module's business.
    fn sm_open_session(pamh: &mut PamHandle, args: Vec<&CStr>, _flags: PamFlag) -> PamResultCode {
        configured(pamh, &args, &|_, _| PamResultCode::PAM_IGNORE)
    }

    /// As above.
    fn sm_close_session(pamh: &mut PamHandle, args: Vec<&CStr>, _flags: PamFlag) -> PamResultCode {
        configured(pamh, &args, &|_, _| PamResultCode::PAM_IGNORE)
    }
}

/// Runs one entry point as its line's options say. Options that cannot be followed deny.
fn configured(
    pamh: &mut PamHandle,
    args: &[&CStr],
    entry: &dyn Fn(&mut PamHost, &Options) -> PamResultCode,
) -> PamResultCode {
    guarded(pamh, args, &|host| match Options::parse(args.iter().copied()) {
        Ok(options) => entry(host, &options),
        Err(error) => {
            host.log(Level::Error, &Line::new(&logged::denied(&error)));
            PamResultCode::PAM_SERVICE_ERR
        }
    })
}

/// Runs one entry point; a panic in it denies. (pam-bindings would catch it as well, and answer
/// `PAM_ABORT`.)
fn guarded(
    pamh: &mut PamHandle,
    args: &[&CStr],
    entry: &dyn Fn(&mut PamHost) -> PamResultCode,
) -> PamResultCode {
    host::report_panics_to_syslog();
    let mut host = PamHost::new(pamh);
    let answer = catch_unwind(AssertUnwindSafe(|| {
        panic_if_asked(args);
        entry(&mut host)
    }));
    answer.unwrap_or_else(|payload| {
        // Dropping what was thrown may throw again; it is leaked instead.
        std::mem::forget(payload);
        let line = logged::INTERNAL_ERROR;
        host.log(Level::Error, &Line::new(line));
        PamResultCode::PAM_SERVICE_ERR
    })
}

#[cfg(not(feature = "panic-test"))]
fn panic_if_asked(_: &[&CStr]) {}

#[cfg(feature = "panic-test")]
#[expect(clippy::panic, reason = "what the feature is for")]
fn panic_if_asked(args: &[&CStr]) {
    struct Falls;
    impl Drop for Falls {
        fn drop(&mut self) {
            panic!("asked to");
        }
    }
    if args.contains(&c"panic") {
        panic!("asked to");
    }
    if args.contains(&c"panic_in_destructor") {
        drop(Falls);
    }
    if args.contains(&c"panic_with_one_that_panics") {
        std::panic::panic_any(Falls);
    }
    if args.contains(&c"panic_twice") {
        let _falls = Falls;
        panic!("asked to");
    }
}
