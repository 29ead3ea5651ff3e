// SPDX-License-Identifier: GPL-3.0-or-later
//! Decisions as pure functions: given a user's record, an input and the time, they return what is
//! decided and change the record to what must be stored. No I/O, no clock, no randomness.

pub mod code;
pub mod due;
pub mod grace;
pub mod guard;
pub mod lockout;
pub mod login;
pub mod near;
pub mod pad;
pub mod pending;
pub mod record;
pub(crate) mod recovery;
pub mod rule;
pub mod unknown;
