// SPDX-License-Identifier: GPL-3.0-or-later
//! Takes what is logged in a program of these tests, and prints it as a line `log: LEVEL TEXT` on
//! standard output: no test needs a running syslog, and every line can be checked.
//!
//! A definition in the program comes before glibc's. The callers are libpam (through glibc's
//! fortified variant) and the module, with formats of nothing but up to four "%s". On Linux's
//! calling conventions, arguments beyond the named ones arrive as named ones would.

use std::ffi::{CStr, c_char, c_int};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

static UNREAD: AtomicBool = AtomicBool::new(false);

/// Prints nothing from now on, where nobody reads what libpam logs.
pub fn leave_unread() {
    UNREAD.store(true, Ordering::Relaxed);
}

/// syslog(3).
///
/// # Safety
/// The format has nothing but up to four "%s", for NUL-terminated strings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syslog(
    priority: c_int,
    format: *const c_char,
    first: *const c_char,
    second: *const c_char,
    third: *const c_char,
    fourth: *const c_char,
) {
    // SAFETY: the same contract.
    unsafe { print(priority, format, [first, second, third, fourth]) };
}

/// What syslog(3) becomes with `_FORTIFY_SOURCE`.
///
/// # Safety
/// As for [`syslog`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __syslog_chk(
    priority: c_int,
    _flag: c_int,
    format: *const c_char,
    first: *const c_char,
    second: *const c_char,
    third: *const c_char,
    fourth: *const c_char,
) {
    // SAFETY: the same contract.
    unsafe { print(priority, format, [first, second, third, fourth]) };
}

unsafe fn print(priority: c_int, format: *const c_char, arguments: [*const c_char; 4]) {
    if UNREAD.load(Ordering::Relaxed) {
        return;
    }
    // SAFETY: a format is NUL-terminated.
    let format = unsafe { CStr::from_ptr(format) }.to_string_lossy();
    let mut arguments = arguments.into_iter();
    let mut parts = format.split("%s");
    let mut line = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        if let Some(argument) = arguments.next() {
            // SAFETY: as many strings were passed as the format has "%s".
            line += &unsafe { CStr::from_ptr(argument) }.to_string_lossy();
        }
        line += part;
    }
    let levels = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];
    let level = usize::try_from(priority & 7).ok().and_then(|n| levels.get(n)).unwrap_or(&"?");
    let facility = if priority & !7 == libc::LOG_AUTHPRIV { "" } else { "not LOG_AUTHPRIV " };
    // A parent that has gone is no reason to fail here.
    drop(writeln!(std::io::stdout().lock(), "log: {facility}{level} {line}"));
}
