// SPDX-License-Identifier: GPL-3.0-or-later
//! The options of `pam_mfa.so`, in whatever names them.

use std::collections::BTreeSet;

use mfa_man::{Block, text};

use super::{documents, file, page, quoted, root};

type Names = BTreeSet<String>;

/// What the module takes: the arms of its parser.
fn taken() -> Names {
    let source = file("pam_mfa/src/options.rs");
    let (_, take) = source.split_once("fn take(").unwrap();
    let (take, _) = take.split_once("\n}\n").unwrap();
    take.lines()
        .filter_map(|line| line.trim().strip_prefix("(\""))
        .filter_map(|rest| rest.split_once("\", ").map(|(name, _)| name.to_owned()))
        .collect()
}

fn name(option: &str) -> String {
    option.split('=').next().unwrap_or_default().to_owned()
}

#[test]
fn the_page_has_them_all() {
    let mut said = Names::new();
    for block in page("pam_mfa.8").section("OPTIONS") {
        if let Block::Definitions(definitions) = block {
            said.extend(definitions.iter().map(|definition| name(&text(&definition.term))));
        }
    }
    assert!(said.contains("nullok") && said.len() > 10, "{said:?}");
    assert_eq!(said, taken());
}

#[test]
fn the_readme_has_them_all() {
    let readme = file("README.md");
    let (_, table) = readme.split_once("| option | meaning |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let columns = table.lines().filter_map(|row| row.split(" | ").next());
    let said: Names = columns.flat_map(quoted).map(|option| name(&option)).collect();
    assert_eq!(said, taken());
}

#[test]
fn the_changelog_has_them_all() {
    let log = file("CHANGELOG.md").replace('\n', " ");
    for option in taken() {
        let named = log.split([' ', ',']).any(|word| word == option);
        assert!(named, "CHANGELOG.md: {option}");
    }
}

/// Wherever in the command the list stands.
#[test]
fn doctor_knows_them_all() {
    let (_, list) = documents::sources(&root().join("enroll-cli/src"))
        .into_iter()
        .find_map(|(path, source)| {
            let (_, list) = source.split_once("\nconst OPTIONS: ")?;
            Some((path, list.split_once("];").unwrap().0.to_owned()))
        })
        .expect("a `const OPTIONS` in the sources of mfa");
    let said: Names = list.split('"').skip(1).step_by(2).map(str::to_owned).collect();
    assert_eq!(said, taken());
}

/// A line of PAM, in a document, a page or the package.
#[test]
fn every_line_that_is_shown_would_be_followed() {
    let taken = taken();
    let mut lines = 0;
    let mut look = |place: &str, line: &str| {
        let Some((before, options)) = line.split_once("pam_mfa.so") else { return };
        let group = before.trim_start_matches('-').split([' ', '\t']).next().unwrap_or_default();
        if !["auth", "account", "password", "session", "required"].contains(&group) {
            return;
        }
        lines += 1;
        for option in options.split(" #").next().unwrap_or_default().split_whitespace() {
            assert!(taken.contains(&name(option.trim_start_matches('['))), "{place}: {line}");
        }
    };
    for (path, text) in documents::all() {
        for code in documents::code(&text) {
            code.lines().for_each(|line| look(&path, line.trim()));
        }
    }
    let profile = "packaging/pam/mfa";
    file(profile).lines().for_each(|line| look(profile, line.trim()));
    assert!(lines > 10, "{lines} lines");
}

/// What the module answers libpam, in its sources and in the page.
#[test]
fn the_page_has_every_value_that_the_module_returns() {
    let mut returned = Names::new();
    for (path, source) in documents::sources(&root().join("pam_mfa/src")) {
        if path.ends_with("tests.rs") || path.ends_with("script.rs") {
            continue;
        }
        for rest in source.split("PamResultCode::").skip(1) {
            let end =
                rest.find(|c: char| c != '_' && !c.is_ascii_uppercase()).unwrap_or(rest.len());
            returned.extend(rest.get(..end).filter(|name| !name.is_empty()).map(str::to_owned));
        }
    }
    let mut said = Names::new();
    for block in page("pam_mfa.8").section("RETURN VALUES") {
        if let Block::Definitions(definitions) = block {
            let terms = definitions.iter().map(|definition| text(&definition.term));
            said.extend(
                terms.flat_map(|term| term.split(", ").map(str::to_owned).collect::<Vec<_>>()),
            );
        }
    }
    assert!(returned.contains("PAM_MAXTRIES"), "{returned:?}");
    assert_eq!(said, returned);
}
