// SPDX-License-Identifier: GPL-3.0-or-later
//! The pages as the two programs show them that people have: neither complains, and what is typed is
//! shown as it is typed.

#![expect(clippy::panic, clippy::unwrap_used, reason = "functions of a test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const MANDOC: &[&str] = &["mandoc", "-T", "lint"];
const GROFF: &[&str] = &["groff", "-ww", "-man", "-z", "-K", "utf8", "-T", "utf8"];
const SHOWN: &[&str] = &["groff", "-man", "-K", "utf8", "-T", "utf8", "-P", "-cbou", "-rLL=78n"];

/// What a program has to say of a page.
fn says(program: &[&str], page: &Path) -> String {
    let (name, arguments) = program.split_first().unwrap();
    let output = Command::new(name).args(arguments).arg(page).output();
    let output =
        output.unwrap_or_else(|error| panic!("{name}: {error}; tests/prepare installs it"));
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}

fn written(name: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/man");
    mfa_man::write_all(&sources, &target).unwrap();
    target
}

#[test]
fn neither_mandoc_nor_groff_complains() {
    let pages = written("complaints");
    for name in mfa_man::PAGES {
        let page = pages.join(name);
        assert_eq!(says(MANDOC, &page), "", "mandoc, {name}");
        assert_eq!(says(GROFF, &page), "", "groff, {name}");
    }
    // They would.
    let bad = pages.join("bad.1");
    fs::write(&bad, ".TH BAD 1 2026-12-01\n.SH NAME\nbad \\- \\*[nothing]\n.RE\n").unwrap();
    assert_ne!(says(MANDOC, &bad), "");
    assert_ne!(says(GROFF, &bad), "");
}

#[test]
fn a_page_fits_eighty_columns_and_shows_what_is_typed_as_it_is_typed() {
    let pages = written("shown");
    let mut all = String::new();
    for name in mfa_man::PAGES {
        let shown = says(SHOWN, &pages.join(name));
        for line in shown.lines() {
            assert!(line.chars().count() <= 80, "{name}: {line}");
            for sign in ["`", "\\f", "**", "<!--"] {
                assert!(!line.contains(sign), "{name}: {line}");
            }
        }
        all.push_str(&shown);
    }
    for typed in [
        "mfa enroll --save-token ~/.config/mfa/token",
        "[--color WHEN]",
        "auth required pam_mfa.so nullok",
        "password [success=done ignore=ignore default=die] pam_mfa.so enroll",
        "url = \"sqlite:$HOME/trial/mfa.db\"",
        "cat >~/trial/mfa.toml <<END",
    ] {
        assert!(all.contains(typed), "{typed}");
    }
}
