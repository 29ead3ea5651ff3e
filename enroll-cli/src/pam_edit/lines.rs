// SPDX-License-Identifier: GPL-3.0-or-later
//! The lines of a file with their places in it.

use std::ops::Range;

use crate::pam_stack::MODULE;

/// A line, with those that it is continued on.
#[derive(Debug)]
pub(super) struct Line {
    /// Its bytes, with the line end.
    pub(super) range: Range<usize>,
    words: Vec<String>,
}

impl Line {
    /// What it is for; a leading - silences a missing module.
    fn group(&self) -> Option<&str> {
        self.words.first().map(|word| word.trim_start_matches('-'))
    }

    pub(super) fn is_auth(&self) -> bool {
        self.group().is_some_and(|group| group.eq_ignore_ascii_case("auth"))
    }

    pub(super) fn control(&self) -> &str {
        self.words.get(1).map_or("", String::as_str)
    }

    /// The most entries that any result of it leaves out.
    pub(super) fn longest_jump(&self) -> usize {
        let numbers =
            self.control().split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty());
        numbers.map(|number| number.parse().unwrap_or(usize::MAX / 2)).max().unwrap_or(0)
    }

    /// Whether it has this argument.
    pub(super) fn has(&self, argument: &str) -> bool {
        self.words.iter().skip(3).any(|word| word == argument)
    }

    /// The file that takes its place: for `include` and `@include`.
    pub(super) fn includes(&self) -> Option<&str> {
        match (self.words.first()?.as_str(), self.words.get(1), self.words.get(2)) {
            ("@include", Some(file), _) => Some(file),
            (_, Some(control), Some(file))
                if self.is_auth() && control.eq_ignore_ascii_case("include") =>
            {
                Some(file)
            }
            _ => None,
        }
    }

    pub(super) fn substack(&self) -> Option<&str> {
        let file = self.words.get(2)?;
        self.control().eq_ignore_ascii_case("substack").then_some(file)
    }

    /// Whether it loads the module of this file name.
    pub(super) fn loads(&self, module: &str) -> bool {
        self.words.get(2).is_some_and(|path| path.rsplit('/').next() == Some(module))
    }

    pub(super) fn is_ours(&self) -> bool {
        self.loads(MODULE)
    }
}

/// The lines that are more than a comment.
pub(super) fn lines(text: &[u8]) -> Vec<Line> {
    let mut found = Vec::new();
    let (mut start, mut end, mut joined) = (0, 0, String::new());
    for physical in text.split_inclusive(|byte| *byte == b'\n') {
        end += physical.len();
        let shown = String::from_utf8_lossy(physical);
        let (content, is_commented) = match shown.split_once('#') {
            Some((content, _)) => (content.trim_end(), true),
            None => (shown.trim_end(), false),
        };
        // As libpam does: what is empty but for a comment ends no line that goes on.
        if content.is_empty() && !joined.is_empty() {
            continue;
        }
        if let Some(content) = content.strip_suffix('\\').filter(|_| !is_commented) {
            joined.push_str(content);
            joined.push(' ');
            continue;
        }
        joined.push_str(content);
        push(&mut found, start..end, &joined);
        joined.clear();
        start = end;
    }
    push(&mut found, start..end, &joined);
    found
}

fn push(found: &mut Vec<Line>, range: Range<usize>, content: &str) {
    let words = words(content);
    if !words.is_empty() {
        found.push(Line { range, words });
    }
}

/// Words; what stands in square brackets is one, without them.
fn words(line: &str) -> Vec<String> {
    let (mut found, mut rest) = (Vec::new(), line.trim_start());
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('[') {
            Some(inside) => inside.split_once(']').unwrap_or((inside, "")),
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        found.push(word.to_owned());
        rest = after.trim_start();
    }
    found
}
