// SPDX-License-Identifier: GPL-3.0-or-later
//! Aligned columns.

/// Rows under a heading, as wide as their content. What a terminal would obey is made harmless.
pub(crate) struct Table<const COLUMNS: usize> {
    rows: Vec<[String; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    pub(crate) fn new(heading: [&str; COLUMNS]) -> Self {
        Self { rows: vec![heading.map(str::to_owned)] }
    }

    pub(crate) fn push(&mut self, row: [String; COLUMNS]) {
        self.rows.push(row.map(|cell| printable(&cell)));
    }

    /// The table without a final line end.
    pub(crate) fn render(&self) -> String {
        self.render_from(0)
    }

    /// The rows alone, as they follow those of a table with the same heading.
    pub(crate) fn render_further(&self) -> String {
        self.render_from(1)
    }

    fn render_from(&self, first: usize) -> String {
        let mut widths = [0; COLUMNS];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        let lines: Vec<String> = self
            .rows
            .iter()
            .skip(first)
            .map(|row| {
                let cells = row.iter().zip(widths);
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
        assert_eq!(table.render_further(), "ü        1\nlongest");
    }

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        let mut table = Table::new(["NAME"]);
        table.push(["\x1b[2Jx\n".into()]);
        assert_eq!(table.render(), "NAME\n\u{fffd}[2Jx\u{fffd}");
    }
}
