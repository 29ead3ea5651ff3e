// SPDX-License-Identifier: GPL-3.0-or-later
//! A file without the module's lines, everything else as it is.

use super::Turned;
use super::lines::{Line, lines};

/// Which lines go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scope {
    /// Those that ask for a code; there was none before ours.
    Auth,
    /// All that load the module, those of enrolment in the login too.
    All,
}

/// `text` without them, and with the line before them turned back that had to change for them.
pub(crate) fn remove(text: &[u8], scope: Scope, turned: Option<&Turned>) -> Vec<u8> {
    let lines = lines(text);
    let ours = lines.iter().rposition(|line| goes(line, Scope::Auth));
    // Another one of the same wording is somebody else's.
    let turned = turned.zip(ours).and_then(|(turned, ours)| {
        let is_it = |line: &Line| text.get(line.range.clone()) == Some(turned.to.as_bytes());
        Some((lines.get(..ours)?.iter().rposition(is_it)?, turned.from.as_bytes()))
    });
    let mut new = Vec::with_capacity(text.len());
    let mut kept = 0;
    for (number, line) in lines.iter().enumerate() {
        let replacement: &[u8] = match turned {
            _ if goes(line, scope) => b"",
            Some((turned, from)) if turned == number => from,
            _ => continue,
        };
        new.extend_from_slice(text.get(kept..line.range.start).unwrap_or_default());
        new.extend_from_slice(replacement);
        kept = line.range.end;
    }
    new.extend_from_slice(text.get(kept..).unwrap_or_default());
    new
}

/// The bytes of `text` that make comments of those lines, each by one byte: for a disk without room for
/// another file.
pub(crate) fn comment_out(text: &[u8], scope: Scope) -> Vec<usize> {
    let mut places = Vec::new();
    for line in lines(text).iter().filter(|line| goes(line, scope)) {
        let mut at = line.range.start;
        for physical in
            text.get(line.range.clone()).unwrap_or_default().split_inclusive(|byte| *byte == b'\n')
        {
            let content = physical.iter().position(|byte| !byte.is_ascii_whitespace());
            places.extend(content.map(|content| at + content));
            at += physical.len();
        }
    }
    places
}

fn goes(line: &Line, scope: Scope) -> bool {
    line.is_ours() && (scope == Scope::All || line.is_auth())
}
