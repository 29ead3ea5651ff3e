// SPDX-License-Identifier: GPL-3.0-or-later
//! The documents: what is shown in them as typed.

use std::fs;
use std::path::Path;

use clap::{Arg, Command};
use pulldown_cmark::{Event, Parser, Tag, TagEnd};

use super::{file, root};

/// All Markdown of the project, by path.
pub(crate) fn all() -> Vec<(String, String)> {
    let mut found =
        vec!["README.md".to_owned(), "SECURITY.md".to_owned(), "CONTRIBUTING.md".to_owned()];
    for directory in ["docs", "docs/operations", "docs/man", "docs/decisions"] {
        for entry in fs::read_dir(root().join(directory)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".md") {
                found.push(format!("{directory}/{name}"));
            }
        }
    }
    found.into_iter().map(|path| (path.clone(), file(&path))).collect()
}

/// All Rust below a directory, by path.
pub(crate) fn sources(directory: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
    }
    found
}

/// Blocks and spans of code, their continued lines made one.
pub(crate) fn code(markdown: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut block: Option<String> = None;
    for event in Parser::new(markdown) {
        match event {
            Event::Start(Tag::CodeBlock(_)) => block = Some(String::new()),
            Event::End(TagEnd::CodeBlock) => {
                found.extend(block.take().map(|text| text.replace("\\\n", " ")));
            }
            Event::Text(text) => {
                if let Some(block) = &mut block {
                    block.push_str(&text);
                }
            }
            Event::Code(text) => found.push(text.to_string()),
            _ => {}
        }
    }
    found
}

/// The command that `words` call, with its path, and what follows its name.
fn called<'a>(program: &Command, words: &'a [&'a str]) -> (String, Command, &'a [&'a str]) {
    let mut at = (program.get_name().to_owned(), program.clone(), words);
    while let [word, rest @ ..] = at.2 {
        let Some(inner) = at.1.find_subcommand(word).cloned() else { break };
        at = (format!("{} {word}", at.0), inner, rest);
    }
    at
}

#[test]
fn every_command_line_that_is_shown_has_commands_and_options_that_there_are() {
    let mut checked = 0;
    for mut program in [enroll_cli::command(), mfa_daemon::command()] {
        program.build();
        let name = program.get_name().to_owned();
        for (path, text) in all() {
            for code in code(&text) {
                for line in code.lines() {
                    for line in line.split([';', '|', '>']) {
                        let line = line.trim().trim_start_matches("sudo ");
                        let words: Vec<_> = line.split_whitespace().collect();
                        let [first, words @ ..] = words.as_slice() else { continue };
                        if *first != name {
                            continue;
                        }
                        // `mfa --socket PATH doctor`
                        let words = match words {
                            ["--socket", _, words @ ..] => words,
                            words => words,
                        };
                        let (command, found, rest) = called(&program, words);
                        if let (true, [word, ..]) = (found.has_subcommands(), rest) {
                            let stands_for_one =
                                word.starts_with(|c: char| !c.is_ascii_lowercase());
                            assert!(stands_for_one, "{path}: {line}: {command} has no {word}");
                        }
                        for word in rest.iter().filter_map(|word| word.strip_prefix("--")) {
                            let option = word.split(['=', ']']).next().unwrap_or_default();
                            let known = option.is_empty()
                                || found
                                    .get_arguments()
                                    .filter_map(Arg::get_long)
                                    .any(|long| long == option);
                            assert!(known, "{path}: {line}: {command} has no --{option}");
                        }
                        checked += 1;
                    }
                }
            }
        }
    }
    assert!(checked > 100, "{checked} command lines");
}
