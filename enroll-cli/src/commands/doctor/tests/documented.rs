// SPDX-License-Identifier: GPL-3.0-or-later
//! docs/operations/doctor.md has every identifier with its severity and meaning, and no other.

use super::super::finding::{Check, Severity};
use crate::messages::doctor as messages;

#[test]
fn the_table_of_identifiers_is_that_of_the_source() {
    let text = include_str!("../../../../../docs/operations/doctor.md");
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    let documented: Vec<(String, &str, &str)> =
        rows.iter().map(|row| (row[0].trim_matches('`').to_owned(), row[1], row[2])).collect();
    let source: Vec<(String, &str, &str)> = Check::ALL
        .iter()
        .filter(|check| check.severity() != Severity::Ok)
        .map(|check| (check.id().to_owned(), check.severity().as_str(), messages::meaning(*check)))
        .collect();
    assert_eq!(documented, source);
    assert!(rows.iter().all(|row| row.len() == 4 && !row[3].is_empty()), "what mends each");
    let good: Vec<&str> = Check::ALL
        .iter()
        .filter(|check| check.severity() == Severity::Ok)
        .map(|check| check.id())
        .collect();
    for id in good {
        assert!(text.contains(&format!("`{id}`")), "{id}");
    }
}

#[test]
fn identifiers_are_found_by_their_name_and_none_stands_twice() {
    for check in Check::ALL {
        assert_eq!(Check::named(check.id()), Some(*check));
    }
    assert_eq!(Check::named("pam.nothing"), None);
}
