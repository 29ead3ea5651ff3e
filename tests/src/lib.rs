// SPDX-License-Identifier: GPL-3.0-or-later
//! What the whole-system tests stand on: a PAM host, the real daemon, a daemon that lies, accounts.
//!
//! The tests run the release build of the module: a debug build would hide undefined behaviour at
//! the C boundary.

#![deny(unsafe_code)]
// What goes wrong here fails a test, and should say where.
#![expect(clippy::expect_used, clippy::panic, reason = "test code")]

pub mod account;
pub mod artifacts;
pub mod callgrind;
#[expect(unsafe_code, reason = "changes this process in ways that only system calls can")]
pub mod confine;
pub mod costs;
pub mod daemon;
pub mod disk;
pub mod fake_daemon;
pub mod flood;
pub mod host;
#[expect(unsafe_code, reason = "the host's side of libpam")]
pub mod pam_host;
pub mod process_memory;
#[expect(unsafe_code, reason = "asks the kernel for the state of this process, and changes it")]
pub mod process_state;
pub mod question;
pub mod shim;
pub mod stack;
pub mod strace;
#[expect(unsafe_code, reason = "stands in for syslog(3)")]
pub mod syslog;
#[expect(unsafe_code, reason = "opens a terminal and asks for its modes")]
pub mod terminal;
pub mod welch;
