// SPDX-License-Identifier: GPL-3.0-or-later
//! A line of the module, written otherwise.

use super::super::finding::Mend;
use crate::pam_stack::Line;

/// The same line as `required`.
pub(super) fn required(line: &Line) -> Mend {
    replaced(line, format!("auth required {}", called(line)))
}

/// The line without one of its options.
pub(super) fn without(line: &Line, option: &str) -> Mend {
    let (bare, bracketed) = (format!(" {option}"), format!(" [{option}]"));
    // Only as a whole: `quiet` is no part of another option.
    let ends = |at: usize, len: usize| {
        line.text.get(at + len..).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    // The last of two alike is the one that is too much.
    let places = [&bracketed, &bare].into_iter().find_map(|written| {
        let found = line.text.rmatch_indices(written.as_str()).map(|(at, _)| at);
        found.into_iter().find(|at| ends(*at, written.len())).map(|at| (at, written.len()))
    });
    let mut text = line.text.clone();
    if let Some((at, len)) = places {
        text.replace_range(at..at + len, "");
    }
    replaced(line, text)
}

/// The module and its arguments, as they stand in the line.
pub(super) fn called(line: &Line) -> String {
    let at = line.text.find(&line.module).unwrap_or_default();
    line.text.get(at..).unwrap_or(&line.module).to_owned()
}

fn replaced(line: &Line, text: String) -> Mend {
    Mend::Replace { file: line.file.clone(), line: line.number, text }
}
