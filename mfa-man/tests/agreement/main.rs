// SPDX-License-Identifier: GPL-3.0-or-later
//! The pages, the documents, `--help`, the completions, what `mfa doctor` knows and the shipped
//! configuration say the same as what reads the options.

#![expect(clippy::panic, clippy::unwrap_used, reason = "functions of a test")]

mod commands;
mod configuration;
mod documents;
mod module_options;

use std::fs;
use std::path::{Path, PathBuf};

use mfa_man::Page;

/// The project's directory.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn file(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn page(name: &str) -> Page {
    mfa_man::read(&root().join("docs/man"), name).unwrap()
}

/// What stands between two backticks, each time.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_page_has_the_sections_of_its_kind_in_their_order() {
    for name in mfa_man::PAGES {
        let page = page(name);
        assert_eq!(format!("{}.{}", page.name, page.section), name);
        let headings: Vec<_> = page
            .blocks
            .iter()
            .filter_map(|block| match block {
                mfa_man::Block::Section(heading) => Some(heading.as_str()),
                _ => None,
            })
            .collect();
        let order = [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "RETURN VALUES",
            "EXIT STATUS",
            "ENVIRONMENT",
            "FILES",
            "EXAMPLES",
            "SECURITY",
            "SEE ALSO",
        ];
        let needed: &[&str] = match page.section.as_str() {
            "5" => {
                &["NAME", "SYNOPSIS", "DESCRIPTION", "FILES", "EXAMPLES", "SECURITY", "SEE ALSO"]
            }
            _ if page.name == "pam_mfa" => &[
                "NAME",
                "SYNOPSIS",
                "DESCRIPTION",
                "OPTIONS",
                "MODULE TYPES PROVIDED",
                "RETURN VALUES",
                "FILES",
                "EXAMPLES",
                "SECURITY",
                "SEE ALSO",
            ],
            _ => &order[..],
        };
        for heading in
            needed.iter().filter(|&&heading| heading != "RETURN VALUES" || page.name == "pam_mfa")
        {
            assert!(headings.contains(heading), "{name} has no {heading}");
        }
        let places: Vec<_> = headings
            .iter()
            .filter_map(|heading| order.iter().position(|known| known == heading))
            .collect();
        assert!(places.is_sorted(), "{name}: {headings:?}");
    }
}

#[test]
fn every_page_refers_to_the_others() {
    for name in mfa_man::PAGES {
        let mut others = String::new();
        for block in page(name).section("SEE ALSO") {
            if let mfa_man::Block::Paragraph(spans) = block {
                others.push_str(&mfa_man::text(spans));
            }
        }
        for other in mfa_man::PAGES.iter().filter(|&&other| other != name) {
            let (other, section) = other.rsplit_once('.').unwrap();
            assert!(others.contains(&format!("{other}({section})")), "{name}: {other}");
        }
    }
}
