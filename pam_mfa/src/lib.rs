// SPDX-License-Identifier: GPL-3.0-or-later
//! `pam_mfa.so`: asks for a one-time code and lets `mfa-daemon` check it. Entry points only.
//!
//! All six entry points exist and are caught here: a symbol that is missing, or a panic that
//! leaves it to somebody else what to answer, would let the stack decide what this module must.

#![deny(unsafe_code)]
#![expect(missing_docs, reason = "all that is public are the entry points that a macro writes")]

mod daemon;
mod flow;
#[expect(unsafe_code, reason = "the one module that speaks to libpam and libc")]
mod host;
mod log;
mod messages;
mod options;

use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pam::constants::{PAM_SILENT, PamFlag, PamResultCode};
use pam::module::{PamHandle, PamHooks};

use crate::daemon::Daemon;
use crate::flow::Host;
use crate::host::PamHost;
use crate::log::{Level, Line};
use crate::options::Options;

struct Module;
pam::pam_hooks!(Module);

impl PamHooks for Module {
    fn sm_authenticate(pamh: &mut PamHandle, args: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        guarded(pamh, &args, |host| {
            let options = match Options::parse(args.iter().copied()) {
                Ok(options) => options,
                Err(error) => {
                    host.log(Level::Error, &Line::new(&format!("{error}: login denied")));
                    return PamResultCode::PAM_SERVICE_ERR;
                }
            };
            let daemon = Daemon::new(&options);
            flow::login(host, &daemon, &options, flags & PAM_SILENT != 0)
        })
    }

    /// Success, always, and nothing else happens: there are no credentials to set. It grants
    /// nothing: libpam gives this answer the weight that the same line had in `pam_authenticate`.
    /// `PAM_IGNORE` would end logins where this module stands alone: sshd authenticates in one
    /// process and sets credentials in another, where libpam knows nothing of that weight, and
    /// gives up when that fails. `pam_google_authenticator` and `pam_oath` answer the same.
    fn sm_setcred(pamh: &mut PamHandle, args: Vec<&CStr>, _flags: PamFlag) -> PamResultCode {
        guarded(pamh, &args, |_| PamResultCode::PAM_SUCCESS)
    }

    /// Nothing to say about the account. libpam denies where nobody else has anything to say.
    fn acct_mgmt(pamh: &mut PamHandle, args: Vec<&CStr>, _flags: PamFlag) -> PamResultCode {
        guarded(pamh, &args, |_| PamResultCode::PAM_IGNORE)
    }

    /// No password to change.
    fn sm_chauthtok(pamh: &mut PamHandle, args: Vec<&CStr>, _flags: PamFlag) -> PamResultCode {
        guarded(pamh, &args, |_| PamResultCode::PAM_IGNORE)
    }

    /// Sessions are none of this module's business.
    fn sm_open_session(pamh: &mut PamHandle, args: Vec<&CStr>, _flags: PamFlag) -> PamResultCode {
        guarded(pamh, &args, |_| PamResultCode::PAM_IGNORE)
    }

    /// As above.
    fn sm_close_session(pamh: &mut PamHandle, args: Vec<&CStr>, _flags: PamFlag) -> PamResultCode {
        guarded(pamh, &args, |_| PamResultCode::PAM_IGNORE)
    }
}

/// Runs one entry point; a panic in it denies. (pam-bindings would catch it as well, and answer
/// `PAM_ABORT`.)
fn guarded(
    pamh: &mut PamHandle,
    args: &[&CStr],
    entry: impl FnOnce(&mut PamHost) -> PamResultCode,
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
        let line = "internal error: denied; please report it with the line before this one";
        host.log(Level::Error, &Line::new(line));
        PamResultCode::PAM_SERVICE_ERR
    })
}

#[cfg(not(feature = "panic-test"))]
fn panic_if_asked(_: &[&CStr]) {}

#[cfg(feature = "panic-test")]
#[expect(clippy::panic, reason = "what the feature is for")]
fn panic_if_asked(args: &[&CStr]) {
    if args.contains(&c"panic") {
        panic!("asked to");
    }
}
