// SPDX-License-Identifier: GPL-3.0-or-later
//! What the daemon says of itself to anybody.

use serde::{Deserialize, Serialize};

use crate::refusal::ErrorAnswer;

/// The answer to `about`.
#[derive(Serialize, Deserialize, Debug)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum AboutAnswer {
    /// What it says.
    About(About),
    /// The request was refused.
    Error(ErrorAnswer),
}

/// What the daemon says of itself.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// The version that runs, which need not be the one that is installed.
    pub version: String,
    /// What the kernel tells the daemon of its clock; absent where it does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockState>,
}

/// Is the clock kept right, adjtimex(2)?
#[derive(Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum ClockState {
    /// Something keeps it right.
    Synchronised,
    /// Nothing does.
    Unsynchronised,
}
