// SPDX-License-Identifier: GPL-3.0-or-later
//! Where in the file something stands, for whoever has to mend it.

use toml::de::DeTable;

/// Characters of a line that are quoted.
const QUOTED_MAX: usize = 80;

/// The line that the byte at `offset` is in, counted from 1.
pub(super) fn line_at(text: &str, offset: usize) -> u32 {
    let before = text.get(..offset).unwrap_or(text);
    u32::try_from(before.matches('\n').count() + 1).unwrap_or(u32::MAX)
}

/// The line of a key, which is at the top where `table` is empty.
pub(super) fn line_of(text: &str, table: &str, key: &str) -> Option<u32> {
    let top = DeTable::parse(text).ok()?;
    let top = top.get_ref();
    let within = if table.is_empty() { top } else { top.get(table)?.get_ref().as_table()? };
    within.get(key).map(|value| line_at(text, value.span().start))
}

/// What stands in that line, shortened.
pub(super) fn quote(text: &str, line: u32) -> String {
    let line = usize::try_from(line).unwrap_or(usize::MAX).saturating_sub(1);
    let written = text.lines().nth(line).unwrap_or_default().trim();
    let mut quoted: String = written.chars().take(QUOTED_MAX).collect();
    if quoted.len() < written.len() {
        quoted.push('…');
    }
    quoted
}
