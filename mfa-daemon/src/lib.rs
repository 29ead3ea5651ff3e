// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa-daemon`: the only holder of secrets and of all state.

#![deny(unsafe_code)]

mod arguments;
pub mod audit;
pub mod caller;
pub mod check;
#[expect(unsafe_code, reason = "libc has no safe form of adjtimex")]
pub mod clock_sync;
pub mod config;
pub mod daemon;
pub mod exchanges;
pub mod guests;
mod incoming;
pub mod keyring;
pub mod limits;
pub mod log;
pub mod master_key;
mod messages;
pub mod metrics;
pub mod policy;
pub mod progress;
pub mod rekey;
pub mod reload;
pub mod requests;
pub mod run;
pub mod sandbox;
pub mod server;
pub mod session;
pub mod socket;
pub mod store;
pub mod systemd;
pub mod turns;
pub mod vault;

/// The command line itself, for its manual page.
#[must_use]
pub fn command() -> clap::Command {
    arguments::command()
}
