// SPDX-License-Identifier: GPL-3.0-or-later
//! The UsersFile of pam_oath (liboath) and mod_authn_otp: one token a line.
//!
//! ```text
//! TYPE USER PIN SECRET [COUNTER [LASTCODE [LASTTIME]]]
//! HOTP/T30  alice  -  3132333435363738393031323334353637383930
//! HOTP      bob    -  00112233445566778899aabbccddeeff  7  162583  2026-11-23T21:14:05L
//! ```

mod at;
mod file;
mod last_use;
mod line;
mod order;
mod write;

pub(crate) use file::{Wanted, check, feed_pipe};
pub(crate) use line::LineProblem;
pub(crate) use write::{Unfit, line};
