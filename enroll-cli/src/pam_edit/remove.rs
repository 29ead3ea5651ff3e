// SPDX-License-Identifier: GPL-3.0-or-later
//! A file without the module's lines, everything else as it is.

use super::Turned;
use super::add::{Included, Reach, brought};
use super::lines::{Line, lines};

/// Which lines go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scope {
    /// Those that ask for a code; there was none before ours.
    Auth,
    /// All that load the module, those of enrolment in the login too.
    All,
}

/// In the place of a line that a jump counts: whatever it answers counts for nothing.
const PLACEHOLDER: &[u8] = b"auth [default=ignore] pam_permit.so\n";

/// What hands the password on, and what takes it.
const HAND_ON: [&str; 3] = ["forward_pass", "try_first_pass", "use_first_pass"];
const TAKES: &str = "use_first_pass";

/// `text` without them, and with the line before them turned back that had to change for them.
pub(crate) fn remove(
    text: &[u8],
    scope: Scope,
    turned: Option<&Turned>,
    included: &Included<'_>,
) -> Vec<u8> {
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
            _ if goes(line, scope) && is_counted(&lines, number, included) => PLACEHOLDER,
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

/// Whether a line behind the module's takes the password that the module asked for: without that line
/// nobody would be asked for one.
pub(crate) fn feeds_another(text: &[u8]) -> bool {
    let lines = lines(text);
    let hands_on = |line: &Line| line.is_ours() && HAND_ON.iter().any(|word| line.has(word));
    lines.iter().position(hands_on).is_some_and(|ours| {
        lines.iter().skip(ours + 1).any(|line| line.is_auth() && !line.is_ours() && line.has(TAKES))
    })
}

/// Whether a jump from before passes over this line. Where a file that is included cannot be read, each
/// jump may.
fn is_counted(lines: &[Line], number: usize, included: &Included<'_>) -> bool {
    let Some(line) = lines.get(number).filter(|line| line.is_auth()) else { return false };
    let Ok(brought) = brought(lines, included, 0) else {
        return lines.iter().take(number).any(|line| line.is_auth() && line.longest_jump() > 0);
    };
    let mut reach = Reach::default();
    let before = brought.iter().take_while(|brings| brings.line.range != line.range);
    before.for_each(|brings| reach.goes_past(brings));
    reach.is_further()
}

/// The bytes of `text` that make comments of those lines, each by one byte: for a disk without room for
/// another file. `None` where a jump counts one of them.
pub(crate) fn comment_out(
    text: &[u8],
    scope: Scope,
    included: &Included<'_>,
) -> Option<Vec<usize>> {
    let mut places = Vec::new();
    let lines = lines(text);
    for (number, line) in lines.iter().enumerate().filter(|(_, line)| goes(line, scope)) {
        if is_counted(&lines, number, included) {
            return None;
        }
        let mut at = line.range.start;
        for physical in
            text.get(line.range.clone()).unwrap_or_default().split_inclusive(|byte| *byte == b'\n')
        {
            let content = physical.iter().position(|byte| !byte.is_ascii_whitespace());
            places.extend(content.map(|content| at + content));
            at += physical.len();
        }
    }
    Some(places)
}

fn goes(line: &Line, scope: Scope) -> bool {
    line.is_ours() && (scope == Scope::All || line.is_auth())
}
