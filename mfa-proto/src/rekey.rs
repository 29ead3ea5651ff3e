// SPDX-License-Identifier: GPL-3.0-or-later
//! `admin_rekey`: a new master key, and how far it has come.

use serde::{Deserialize, Serialize};

use crate::login::is_false;
use crate::refusal::ErrorAnswer;

/// Put a new master key into the place of the old one, or say how far that has come.
#[derive(Serialize, Deserialize, Debug, Clone, Copy)]
#[serde(deny_unknown_fields)]
pub struct AdminRekey {
    /// Begin, or go on with one that was interrupted. Without it nothing is begun.
    #[serde(default, skip_serializing_if = "is_false")]
    pub begin: bool,
}

/// How far it has come.
#[derive(Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Rekeyed {
    /// It is under way.
    pub running: bool,
    /// It has ended before its time; the log says why. Both keys are known until it was begun again and
    /// has ended.
    #[serde(default, skip_serializing_if = "is_false")]
    pub interrupted: bool,
    /// Users whose records are sealed under the new key.
    pub done: u64,
    /// Users in all, as they were counted when it began.
    pub total: u64,
    /// Of those done, the ones whose record opens with no key: they stay denied.
    pub damaged: u64,
}

/// The answer to `admin_rekey`.
#[derive(Serialize, Deserialize, Debug)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum RekeyAnswer {
    /// How far.
    Rekey(Rekeyed),
    /// The request was refused.
    Error(ErrorAnswer),
}
