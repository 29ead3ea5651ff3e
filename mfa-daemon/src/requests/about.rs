// SPDX-License-Identifier: GPL-3.0-or-later
//! `about`: which version runs, and is its clock kept right? Anybody may know.

use mfa_proto::about::{About, AboutAnswer, ClockState as Told};

use crate::clock_sync::{ClockState, clock_state};

pub(super) fn about() -> AboutAnswer {
    let clock = match clock_state() {
        ClockState::Synchronised => Some(Told::Synchronised),
        ClockState::Unsynchronised => Some(Told::Unsynchronised),
        ClockState::Unknown(_) => None,
    };
    AboutAnswer::About(About { version: env!("CARGO_PKG_VERSION").to_owned(), clock })
}
