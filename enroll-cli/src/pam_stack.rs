// SPDX-License-Identifier: GPL-3.0-or-later
//! The lines of a PAM service, as Linux-PAM reads them (pam.d(5)), and what they do to the line with
//! pam_mfa.so.

mod control;
mod read;

pub(crate) use control::Action;
pub(crate) use read::{Entry, Group, Line, read};

/// The module's file.
pub(crate) const MODULE: &str = "pam_mfa.so";

/// The options that the module knows (`pam_mfa/src/options.rs`).
const OPTIONS: [&str; 15] = [
    "socket",
    "prompt",
    "echo_code",
    "nullok",
    "try_first_pass",
    "use_first_pass",
    "forward_pass",
    "retry",
    "timeout",
    "exempt_group",
    "enroll",
    "observe",
    "unavailable",
    "debug",
    "quiet",
];

/// How a login can do without a right code, or cannot be done at all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Flaw {
    /// A success of an earlier line ends the stack or jumps over the module.
    Skipped(Line),
    /// A wrong code is not held against the login.
    NotHeld(Line),
    /// An option that the module does not know: it denies every login.
    Option { line: Line, option: String },
}

/// The lines with pam_mfa.so, in their order; those of substacks too.
pub(crate) fn module_lines(stack: &[Entry]) -> Vec<&Line> {
    let mut found = Vec::new();
    for entry in stack {
        match entry {
            Entry::Line(line) if line.is(MODULE) => found.push(line),
            Entry::Line(_) => {}
            Entry::Substack(inner) => found.extend(module_lines(inner)),
        }
    }
    found
}

/// What is wrong with how `stack` uses the module. Nothing, where it does not use it.
pub(crate) fn flaws(stack: &[Entry]) -> Vec<Flaw> {
    let mut found = Vec::new();
    let Some(place) = stack.iter().position(holds_module) else { return found };
    for (before, entry) in stack.iter().take(place).enumerate() {
        let Entry::Line(line) = entry else { continue };
        if is_harmless(line) {
            continue;
        }
        let skips = match line.control.success {
            Action::Done => true,
            Action::Jump(lines) => before + lines >= place,
            _ => false,
        };
        if skips {
            found.push(Flaw::Skipped(line.clone()));
        }
    }
    match stack.get(place) {
        Some(Entry::Substack(inner)) => found.extend(flaws(inner)),
        Some(Entry::Line(line)) => {
            if !matches!(line.control.failure, Action::Bad | Action::Die) {
                found.push(Flaw::NotHeld(line.clone()));
            }
            for argument in &line.arguments {
                let name = argument.split('=').next().unwrap_or_default();
                if !OPTIONS.contains(&name) {
                    found.push(Flaw::Option { line: line.clone(), option: argument.clone() });
                }
            }
        }
        None => {}
    }
    found
}

fn holds_module(entry: &Entry) -> bool {
    match entry {
        Entry::Line(line) => line.is(MODULE),
        Entry::Substack(inner) => inner.iter().any(holds_module),
    }
}

/// Root who becomes somebody else proves nothing anew, with or without a code.
fn is_harmless(line: &Line) -> bool {
    line.is("pam_rootok.so")
}

#[cfg(test)]
#[path = "pam_stack/tests.rs"]
mod tests;
