// SPDX-License-Identifier: GPL-3.0-or-later
//! Aligned columns.

/// Rows under a heading, as wide as their content. What a terminal would obey is made harmless.
pub(crate) struct Table<const COLUMNS: usize> {
    rows: Vec<[String; COLUMNS]>,
    widths: [usize; COLUMNS],
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    pub(crate) fn new(heading: [&str; COLUMNS]) -> Self {
        let mut table = Self { rows: Vec::new(), widths: [0; COLUMNS] };
        table.push(heading.map(str::to_owned));
        table
    }

    pub(crate) fn push(&mut self, row: [String; COLUMNS]) {
        let row = row.map(|cell| printable(&cell));
        for (width, cell) in self.widths.iter_mut().zip(&row) {
            *width = cell.chars().count().max(*width);
        }
        self.rows.push(row);
    }

    /// What was added since the last time, without a final line end: long tables are written in parts,
    /// of which each is at least as wide as those before.
    pub(crate) fn render(&mut self) -> String {
        let lines: Vec<String> = self
            .rows
            .drain(..)
            .map(|row| {
                let cells = row.iter().zip(self.widths);
                let line: Vec<String> =
                    cells.map(|(cell, width)| format!("{cell:<width$}")).collect();
                line.join("  ").trim_end().to_owned()
            })
            .collect();
        lines.join("\n")
    }
}

/// Text from elsewhere, without what a terminal would obey.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
    }
}
