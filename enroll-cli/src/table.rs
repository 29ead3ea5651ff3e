// SPDX-License-Identifier: GPL-3.0-or-later
//! Aligned columns.

use textwrap::core::display_width;
use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

/// Between two columns, and before what continues a row.
const GAP: usize = 2;
const INDENT: usize = 4;

/// A cell is not broken to fewer columns than this: a moment stays whole.
const LEAST_BROKEN: usize = 20;

/// Rows under a heading, as wide as their content. What a terminal would obey is made harmless.
///
/// Where a window is narrower, long cells are broken and the columns that find no room stand, aligned
/// among themselves, in further lines of their row. Nothing is cut: a name that is shown in part is a
/// wrong name.
pub(crate) struct Table<const COLUMNS: usize> {
    rows: Vec<[String; COLUMNS]>,
    widths: [usize; COLUMNS],
    window: usize,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    pub(crate) fn new(heading: [&str; COLUMNS]) -> Self {
        let mut table = Self { rows: Vec::new(), widths: [0; COLUMNS], window: usize::MAX };
        table.push(heading.map(str::to_owned));
        table
    }

    /// For a window of so many columns; pipes and files have none.
    pub(crate) fn within(self, columns: Option<usize>) -> Self {
        Self { window: columns.unwrap_or(usize::MAX), ..self }
    }

    pub(crate) fn push(&mut self, row: [String; COLUMNS]) {
        let row = row.map(|cell| printable(&cell));
        for (width, cell) in self.widths.iter_mut().zip(&row) {
            *width = display_width(cell).max(*width);
        }
        self.rows.push(row);
    }

    /// What was added since the last time, without a final line end: long tables are written in parts,
    /// of which each is at least as wide as those before.
    pub(crate) fn render(&mut self) -> String {
        let widths = self.fitting_widths();
        let lines = self.lines(&widths);
        let rows = std::mem::take(&mut self.rows);
        rows.iter().map(|row| render_row(row, &widths, &lines)).collect::<Vec<_>>().join("\n")
    }

    fn fitting_widths(&self) -> [usize; COLUMNS] {
        let total = self.widths.iter().sum::<usize>() + GAP * COLUMNS.saturating_sub(1);
        if total <= self.window {
            return self.widths;
        }
        let widest = (self.window / 2).max(LEAST_BROKEN);
        self.widths.map(|width| width.min(widest))
    }

    /// Which line of its row each column stands in.
    fn lines(&self, widths: &[usize; COLUMNS]) -> [usize; COLUMNS] {
        let (mut line, mut used) = (0, 0);
        widths.map(|width| {
            let needed = if used == 0 { width } else { used + GAP + width };
            if used > 0 && needed > self.window {
                line += 1;
                used = INDENT + width;
            } else {
                used = needed;
            }
            line
        })
    }
}

fn render_row(cells: &[String], widths: &[usize], lines: &[usize]) -> String {
    let mut text = Vec::new();
    for line in 0..=lines.last().copied().unwrap_or(0) {
        let here: Vec<(Vec<String>, usize)> = cells
            .iter()
            .zip(widths)
            .zip(lines)
            .filter(|(_, of)| **of == line)
            .map(|((cell, width), _)| (broken(cell, *width), *width))
            .collect();
        let height = here.iter().map(|(parts, _)| parts.len()).max().unwrap_or(0);
        let indent = if line == 0 { 0 } else { INDENT };
        for part in 0..height {
            let parts = here.iter().map(|(parts, width)| {
                let text = parts.get(part).map_or("", String::as_str);
                format!("{text}{:1$}", "", width.saturating_sub(display_width(text)))
            });
            let joined = parts.collect::<Vec<_>>().join(&" ".repeat(GAP));
            text.push(format!("{:indent$}{joined}", "").trim_end().to_owned());
        }
    }
    text.join("\n")
}

/// The lines of a cell of so many columns, broken at spaces where it has some.
fn broken(cell: &str, width: usize) -> Vec<String> {
    if display_width(cell) <= width {
        return vec![cell.to_owned()];
    }
    let options = Options::new(width)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit);
    textwrap::wrap(cell, options).into_iter().map(std::borrow::Cow::into_owned).collect()
}

/// Text from elsewhere, without what a terminal would obey: control characters, and those that make
/// what follows run the other way (UAX #9), so that a name reads as another one.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if is_obeyed(c) { '\u{fffd}' } else { c }).collect()
}

fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(window: Option<usize>, name: &str) -> String {
        let mut table = Table::new(["USER", "TOKENS", "LOCKED", "LAST USED"]).within(window);
        table.push([name.into(), "1".into(), "no".into(), "2026-11-01 00:00".into()]);
        table.push(["bob".into(), "0".into(), "30 s".into(), "never".into()]);
        table.render()
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_lines_end_without_spaces() {
        let mut table = Table::new(["USER", "N"]);
        table.push(["ü".into(), "1".into()]);
        table.push(["longest".into(), String::new()]);
        assert_eq!(table.render(), "USER     N\nü        1\nlongest");
        table.push(["next".into(), "2".into()]);
        assert_eq!(table.render(), "next     2");
    }

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        let mut table = Table::new(["NAME"]);
        table.push(["\x1b[2Jx\n".into()]);
        assert_eq!(table.render(), "NAME\n\u{fffd}[2Jx\u{fffd}");
        assert_eq!(printable("a\u{202e}b\u{2066}c\u{9b}d"), "a\u{fffd}b\u{fffd}c\u{fffd}d");
    }

    #[test]
    fn characters_of_two_columns_are_aligned() {
        let mut table = Table::new(["USER", "N"]);
        for name in ["山田太郎", "e\u{301}", "ab"] {
            table.push([name.into(), "1".into()]);
        }
        assert_eq!(table.render(), "USER      N\n山田太郎  1\ne\u{301}         1\nab        1");
    }

    #[test]
    fn in_a_narrow_window_the_columns_without_room_stand_aligned_in_a_further_line() {
        assert_eq!(
            users(Some(38), "alice"),
            "USER   TOKENS  LOCKED\n    LAST USED\nalice  1       no\n    2026-11-01 00:00\n\
             bob    0       30 s\n    never"
        );
        assert_eq!(users(Some(39), "alice"), users(None, "alice"));
    }

    #[test]
    fn a_long_name_is_broken_and_stands_there_whole() {
        let name = "山".repeat(15) + &"x".repeat(70);
        for window in [40, 60, 80, 132] {
            let text = users(Some(window), &name);
            assert!(text.lines().all(|line| display_width(line) <= window), "{window}\n{text}");
            let shown: String = text.lines().map(|line| line.split("  ").next().unwrap()).collect();
            assert!(shown.contains(&name), "{window}\n{text}");
        }
        // A pipe gets it in one line.
        assert!(users(None, &name).lines().nth(1).unwrap().starts_with(&name));
    }
}
