// SPDX-License-Identifier: GPL-3.0-or-later
//! The real `mfa` against the real daemon on a private socket.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests, outside the functions that clippy takes for tests"
)]

mod administering;
mod auditing;
mod documented;
mod enrolling;
mod interrupted;
mod interrupted_questions;
mod keeping;
mod looking;
mod machine;
mod on_a_terminal;
mod reloading;
mod renewing;
mod secrets_on_screen;
mod switching;
mod transferring;
