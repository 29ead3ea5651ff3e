// SPDX-License-Identifier: GPL-3.0-or-later
//! What changes in a file, as `diff -u` shows it.

use std::path::Path;

use anstyle::{AnsiColor, Style};
use similar::TextDiff;

use crate::table::printable;

/// Lines around a change.
const CONTEXT: usize = 3;

pub(super) fn unified(file: &Path, before: &[u8], after: &[u8]) -> String {
    let (before, after) = (String::from_utf8_lossy(before), String::from_utf8_lossy(after));
    let name = file.display().to_string();
    let name = name.trim_start_matches('/');
    TextDiff::from_lines(before.as_ref(), after.as_ref())
        .unified_diff()
        .context_radius(CONTEXT)
        .header(&format!("a/{name}"), &format!("b/{name}"))
        .to_string()
}

/// For a terminal: with colours, and nothing else that it would obey.
pub(super) fn coloured(diff: &str) -> String {
    let line = |line: &str| {
        let style = match line.as_bytes() {
            [b'-', b'-', ..] | [b'+', b'+', ..] => Style::new().bold(),
            [b'@', ..] => AnsiColor::Cyan.on_default(),
            [b'-', ..] => AnsiColor::Red.on_default(),
            [b'+', ..] => AnsiColor::Green.on_default(),
            _ => Style::new(),
        };
        let shown: Vec<String> = line.split('\t').map(printable).collect();
        format!("{style}{}{style:#}", shown.join("\t"))
    };
    diff.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_shows_the_line_with_three_around_it_and_obeys_nothing() {
        let before = "1\n2\n3\n4\n\x1b[2J5\n6\n7\n";
        let after = before.replace("4\n", "4\nnew\n");
        let diff = unified(Path::new("/etc/pam.d/x"), before.as_bytes(), after.as_bytes());
        let expected = "--- a/etc/pam.d/x\n+++ b/etc/pam.d/x\n@@ -2,6 +2,7 @@\n 2\n 3\n 4\n+new\n \
                        \x1b[2J5\n 6\n 7\n";
        assert_eq!(diff, expected);
        let shown = anstream::adapter::strip_str(&coloured(&diff)).to_string();
        assert_eq!(shown, expected.trim_end().replace('\x1b', "\u{fffd}"));
        assert!(coloured(&diff).contains("\x1b[32m+new"));
    }
}
