// SPDX-License-Identifier: GPL-3.0-or-later
//! The lines of a PAM service, as Linux-PAM reads them (pam.d(5)), and what they do to the line with
//! pam_mfa.so.

mod control;
mod dispatch;
mod flaw;
mod modules;
mod options;
mod read;
mod role;
mod text;

pub(crate) use control::{Action, Code};
pub(crate) use flaw::{Flaw, flaws, flaws_where};
pub(crate) use modules::module_directories;
pub(crate) use read::{Entry, Group, Line, Services, StackError, read, read_from};
pub(crate) use role::{Role, role};

/// The module's file.
pub(crate) const MODULE: &str = "pam_mfa.so";

/// The lines with pam_mfa.so, in their order; those of substacks too.
pub(crate) fn module_lines(stack: &[Entry]) -> Vec<&Line> {
    lines(stack).into_iter().filter(|line| line.is(MODULE)).collect()
}

/// All lines, in their order; those of substacks too.
pub(crate) fn lines(stack: &[Entry]) -> Vec<&Line> {
    let mut found = Vec::new();
    for entry in stack {
        match entry {
            Entry::Line(line) => found.push(line),
            Entry::Substack(inner) => found.extend(lines(inner)),
        }
    }
    found
}

#[cfg(test)]
#[path = "pam_stack/tests.rs"]
mod tests;
