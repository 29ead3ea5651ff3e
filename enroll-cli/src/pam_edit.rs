// SPDX-License-Identifier: GPL-3.0-or-later
//! What a service's file becomes with the module's line, and without it: functions of its text.

mod add;
mod lines;
mod remove;

pub(crate) use add::{Edit, NoPlace, add};
pub(crate) use remove::{Scope, comment_out, feeds_another, remove};

use crate::pam_stack::MODULE;

/// A line of somebody else's that had to change, as it was and as it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Turned {
    pub(crate) from: String,
    pub(crate) to: String,
}

/// The line that asks for a code.
pub(crate) fn line(options: &[String]) -> String {
    let mut line = format!("auth required {MODULE}");
    for option in options {
        line.push(' ');
        line.push_str(option);
    }
    line
}

#[cfg(test)]
#[path = "pam_edit/tests.rs"]
mod tests;
