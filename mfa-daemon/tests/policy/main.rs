// SPDX-License-Identifier: GPL-3.0-or-later
//! Decisions about codes, as everybody outside the policy sees them.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "this is test code outside of test functions"
)]

mod account;
mod bypass;
mod histories;
mod household;
mod kinds;
mod model;
mod resynchronisation;
mod scratch;
