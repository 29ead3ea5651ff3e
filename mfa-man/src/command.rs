// SPDX-License-Identifier: GPL-3.0-or-later
//! What clap knows of a program: its commands and options, with the texts that `--help` shows.

use clap::{Arg, Command};

use crate::page::{Block, Definition, Span};

/// What a program takes before and behind each of its commands.
pub(crate) fn options(program: &Command) -> Vec<Block> {
    let program = built(program);
    vec![Block::Definitions(program.get_arguments().filter(is_shown).map(definition).collect())]
}

/// The commands of a program, each with its own options; those of a command behind it.
pub(crate) fn commands(program: &Command) -> Vec<Block> {
    let program = built(program);
    let mut found = Vec::new();
    collect(&program, program.get_name(), &mut found);
    found
}

/// clap gives arguments their last shape, and adds `--help`, when a command is built.
fn built(program: &Command) -> Command {
    let mut program = program.clone();
    program.build();
    program
}

fn collect(parent: &Command, path: &str, found: &mut Vec<Block>) {
    for command in parent.get_subcommands() {
        if command.is_hide_set() || command.get_name() == "help" {
            continue;
        }
        let path = format!("{path} {}", command.get_name());
        found.push(Block::Subsection(path.clone()));
        let about = command.get_long_about().or_else(|| command.get_about());
        let about = about.map(ToString::to_string).unwrap_or_default();
        if !command.has_subcommands() {
            found.push(Block::Paragraph(usage(command, &path)));
        }
        found.push(Block::Paragraph(sentences(&about)));
        let own: Vec<_> = command.get_arguments().filter(is_own).map(definition).collect();
        if !own.is_empty() {
            found.push(Block::Definitions(own));
        }
        collect(command, &path, found);
    }
}

fn is_shown(arg: &&Arg) -> bool {
    !arg.is_hide_set()
}

/// Not one of those that every command takes.
fn is_own(arg: &&Arg) -> bool {
    is_shown(arg) && !arg.is_global_set() && !["help", "version"].contains(&arg.get_id().as_str())
}

/// The command with what it takes, options first.
fn usage(command: &Command, path: &str) -> Vec<Span> {
    let mut spans = vec![Span::Literal(path.to_owned())];
    let (behind, before): (Vec<_>, Vec<_>) =
        command.get_arguments().filter(is_own).partition(|arg| arg.is_positional());
    for arg in before.into_iter().chain(behind) {
        let (open, close) = if arg.is_required_set() { (" ", "") } else { (" [", "]") };
        spans.push(Span::Plain(open.to_owned()));
        spans.extend(term(arg));
        spans.push(Span::Plain(close.to_owned()));
    }
    spans
}

fn definition(arg: &Arg) -> Definition {
    let help = arg.get_long_help().or_else(|| arg.get_help());
    let mut text = help.map(ToString::to_string).unwrap_or_default();
    let values =
        if arg.get_action().takes_values() { arg.get_possible_values() } else { Vec::new() };
    let described = values.iter().any(|value| value.get_help().is_some());
    let mut more = Vec::new();
    if !values.is_empty() && !described {
        let names: Vec<_> = values.iter().map(|value| format!("`{}`", value.get_name())).collect();
        more.push(format!("one of {}", names.join(", ")));
    }
    let defaults: Vec<_> = if arg.get_action().takes_values() {
        arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect()
    } else {
        Vec::new()
    };
    if !defaults.is_empty() {
        more.push(format!("default: `{}`", defaults.join(" ")));
    }
    if let Some(variable) = arg.get_env() {
        more.push(format!("environment variable: `{}`", variable.to_string_lossy()));
    }
    if !more.is_empty() {
        text = format!("{} ({})", text.trim_end_matches('.'), more.join("; "));
    }
    let mut body = vec![Block::Paragraph(sentences(&text))];
    if described {
        let meaning = values.iter().map(|value| Definition {
            term: vec![Span::Literal(value.get_name().to_owned())],
            body: vec![Block::Paragraph(sentences(
                &value.get_help().map(ToString::to_string).unwrap_or_default(),
            ))],
        });
        body.push(Block::Definitions(meaning.collect()));
    }
    Definition { term: term(arg), body }
}

fn term(arg: &Arg) -> Vec<Span> {
    let mut spans = Vec::new();
    let value = match arg.get_value_names() {
        Some(names) => names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" "),
        None => arg.get_id().as_str().to_uppercase(),
    };
    let many = arg.get_num_args().is_some_and(|values| values.max_values() > 1);
    let more = Span::Plain(if many { "..." } else { "" }.to_owned());
    if arg.is_positional() {
        return vec![Span::Stand(value), more];
    }
    if let Some(short) = arg.get_short() {
        spans.push(Span::Literal(format!("-{short}")));
    }
    if let Some(long) = arg.get_long() {
        if !spans.is_empty() {
            spans.push(Span::Plain(", ".to_owned()));
        }
        spans.push(Span::Literal(format!("--{long}")));
    }
    if arg.get_action().takes_values() {
        spans.push(Span::Plain(" ".to_owned()));
        spans.extend([Span::Stand(value), more]);
    }
    spans
}

/// A text of `--help`, which has no full stop at its end: that is for a page.
fn sentences(help: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    let ended = if help.ends_with('.') { help.to_owned() } else { format!("{help}.") };
    for (at, piece) in ended.split('`').enumerate() {
        if !piece.is_empty() {
            let span = if at % 2 == 0 { Span::Plain } else { Span::Literal };
            spans.push(span(piece.to_owned()));
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use clap::ArgAction;

    use super::*;
    use crate::text;

    fn program() -> Command {
        Command::new("p")
            .version("1")
            .arg(Arg::new("socket").long("socket").global(true))
            .subcommand(
                Command::new("admin").about("Administration").subcommand(
                    Command::new("list")
                        .about("List `users`")
                        .arg(
                            Arg::new("state")
                                .long("state")
                                .value_parser(["on", "off"])
                                .help("Of which"),
                        )
                        .arg(
                            Arg::new("all")
                                .short('a')
                                .long("all")
                                .action(ArgAction::SetTrue)
                                .help("Even those."),
                        )
                        .arg(
                            Arg::new("file")
                                .value_name("FILE")
                                .required(true)
                                .num_args(1..)
                                .help("Where"),
                        ),
                ),
            )
    }

    #[test]
    fn a_command_of_a_command_has_its_usage_and_only_its_own_options() {
        let found = commands(&program());
        let [Block::Subsection(admin), _, Block::Subsection(list), usage, about, options] = &*found
        else {
            panic!("{found:?}");
        };
        assert_eq!((admin.as_str(), list.as_str()), ("p admin", "p admin list"));
        let Block::Paragraph(usage) = usage else { panic!("{usage:?}") };
        assert_eq!(text(usage), "p admin list [--state STATE] [-a, --all] FILE...");
        let code = Span::Literal("users".to_owned());
        assert!(matches!(about, Block::Paragraph(spans) if spans.contains(&code)));
        let Block::Definitions(options) = options else { panic!("{options:?}") };
        let said: Vec<_> =
            options.iter().map(|option| (text(&option.term), &option.body)).collect();
        let body = |text: &str| vec![Block::Paragraph(sentences(text))];
        assert_eq!(
            said,
            [
                ("--state STATE".to_owned(), &body("Of which (one of `on`, `off`)")),
                ("-a, --all".to_owned(), &body("Even those.")),
                ("FILE...".to_owned(), &body("Where")),
            ]
        );
    }

    #[test]
    fn what_every_command_takes_is_told_once() {
        let [Block::Definitions(options)] = &*options(&program()) else { panic!() };
        let terms: Vec<_> = options.iter().map(|option| text(&option.term)).collect();
        assert_eq!(terms, ["--socket SOCKET", "-h, --help", "-V, --version"]);
    }
}
