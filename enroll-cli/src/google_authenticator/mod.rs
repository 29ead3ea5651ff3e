// SPDX-License-Identifier: GPL-3.0-or-later
//! The file of google_authenticator, one user each: `~/.google_authenticator`.
//!
//! ```text
//! GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ
//! " RATE_LIMIT 3 30 1795468445
//! " WINDOW_SIZE 3
//! " DISALLOW_REUSE 59848948
//! " TOTP_AUTH
//! 12345678
//! ```

mod file;
mod homes;
mod option;
mod taken;

#[cfg(feature = "fuzzing")]
pub(crate) use file::Moving;
pub(crate) use file::{GoogleFile, GoogleProblem};
pub(crate) use homes::{Content, HomeError, find, named};
pub(crate) use taken::{Unfit, export};
