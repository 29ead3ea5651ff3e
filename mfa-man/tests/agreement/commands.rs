// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa` and `mfa-daemon`: `--help`, pages, completions, README.

use std::fs;
use std::path::Path;

use clap::{Arg, Command};
use mfa_man::{Block, text};

use super::{file, page, quoted};

/// Every command with its path, such as `mfa admin list`.
fn all(command: &Command, path: &str) -> Vec<(String, Command)> {
    let mut found = vec![(path.to_owned(), command.clone())];
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
        found.extend(all(inner, &format!("{path} {}", inner.get_name())));
    }
    found
}

fn programs() -> [Command; 2] {
    [enroll_cli::command(), mfa_daemon::command()]
}

fn built(mut command: Command) -> Command {
    command.build();
    command
}

fn own_options(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| !arg.is_hide_set() && !arg.is_global_set())
}

#[test]
fn every_command_and_every_option_has_its_help() {
    for program in programs() {
        let name = program.get_name().to_owned();
        for (path, command) in all(&built(program), &name) {
            assert!(
                command.get_about().is_some_and(|about| !about.to_string().is_empty()),
                "{path}"
            );
            for arg in command.get_arguments() {
                let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(!help.is_empty(), "{path}: {} has no help", arg.get_id());
            }
        }
    }
}

#[test]
fn every_command_stands_in_the_page_with_all_of_its_options() {
    let page = page("mfa.1");
    let mut below = String::new();
    let mut said = std::collections::BTreeMap::<String, Vec<String>>::new();
    for block in page.section("COMMANDS") {
        match block {
            Block::Subsection(name) => below.clone_from(name),
            Block::Definitions(definitions) => said
                .entry(below.clone())
                .or_default()
                .extend(definitions.iter().map(|definition| text(&definition.term))),
            _ => {}
        }
        said.entry(below.clone()).or_default();
    }
    let mut commands = 0;
    for (path, command) in all(&built(enroll_cli::command()), "mfa").iter().skip(1) {
        let said = said.get(path).unwrap_or_else(|| panic!("mfa(1) does not have {path}"));
        commands += 1;
        for arg in own_options(command) {
            let named = match arg.get_long() {
                Some("help" | "version") => continue,
                Some(long) => {
                    said.iter().any(|term| term.split(' ').any(|word| word == format!("--{long}")))
                }
                None => !said.is_empty(),
            };
            assert!(named, "mfa(1), {path}: {} in {said:?}", arg.get_id());
        }
    }
    assert!(commands > 25, "{commands} commands");
}

#[test]
fn every_option_of_a_program_stands_in_its_page_and_synopsis() {
    for (program, name) in programs().into_iter().zip(["mfa.1", "mfa-daemon.8"]) {
        let page = page(name);
        let terms: Vec<_> =
            page.definitions().iter().map(|definition| text(&definition.term)).collect();
        let synopsis: String = page
            .section("SYNOPSIS")
            .iter()
            .map(|block| match block {
                Block::Paragraph(spans) => text(spans),
                other => panic!("{other:?}"),
            })
            .collect();
        for long in program.get_arguments().filter_map(Arg::get_long) {
            let option = format!("--{long}");
            assert!(terms.iter().any(|term| term.contains(&option)), "{name}: {option}");
            assert!(synopsis.contains(&option), "the synopsis of {name}: {option}");
        }
    }
}

#[test]
fn completions_know_every_command_and_every_option() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("completions");
    mfa_man::write_completions(&target).unwrap();
    for shell in ["mfa.bash", "_mfa", "mfa.fish"] {
        let script = fs::read_to_string(target.join(shell)).unwrap();
        for (path, command) in all(&built(enroll_cli::command()), "mfa") {
            assert!(script.contains(command.get_name()), "{shell}: {path}");
            for long in command.get_arguments().filter_map(Arg::get_long) {
                // fish has an option's name as the argument of `-l`.
                let known =
                    script.contains(&format!("--{long}")) || script.contains(&format!("-l {long}"));
                assert!(known, "{shell}: {path} --{long}");
            }
        }
    }
}

#[test]
fn the_readme_has_every_command() {
    let readme = file("README.md");
    let (_, table) = readme.split_once("\n## Use\n").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let said = quoted(table);
    for (path, command) in all(&built(enroll_cli::command()), "mfa").iter().skip(1) {
        let name = command.get_name();
        let named = said.iter().any(|code| code.split(' ').any(|word| word == name));
        assert!(named || command.has_subcommands(), "README.md, Use: {path}");
    }
}
