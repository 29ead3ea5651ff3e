// SPDX-License-Identifier: GPL-3.0-or-later
//! Decisions as pure functions: given a user's record, an input and the time, they return what is
//! decided and change the record to what must be stored. No I/O, no clock, no randomness.

pub mod code;
pub mod lockout;
pub mod login;
pub mod record;
pub mod unknown;
