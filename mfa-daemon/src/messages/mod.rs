// SPDX-License-Identifier: GPL-3.0-or-later
//! The sentences that the daemon says to people: refusals, which travel to whoever asked, and what is
//! wrong with a configuration. None has a code, a secret or a path of the daemon's state.
//!
//! Beside these, errors say themselves: in the `Display` of their type. What is logged stands where it is
//! logged. `tests/sentences.rs` finds a sentence that stands elsewhere; docs/decisions/0014-sentences.md
//! says why.

pub(crate) mod configuration;
pub(crate) mod refusals;
pub(crate) mod start;

/// What the log says when it is taken again.
pub(crate) fn lines_lost(count: u64) -> String {
    format!("{count} lines of this log were lost: for a while nothing took them")
}
