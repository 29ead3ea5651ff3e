// SPDX-License-Identifier: GPL-3.0-or-later
//! Reads the lines of one group of a service with everything that it includes.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::control::Control;

/// Files within files; Linux-PAM stops at the same depth.
const DEPTH_MAX: usize = 16;

/// What a line is for (pam.d(5)); `session` does not matter here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Group {
    Auth,
    Account,
    Password,
}

impl Group {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Account => "account",
            Self::Password => "password",
        }
    }
}

/// A line that names a module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Line {
    pub(crate) file: PathBuf,
    /// From 1; that of its first line, where it is continued.
    pub(crate) number: usize,
    pub(crate) control: Control,
    pub(crate) module: String,
    pub(crate) arguments: Vec<String>,
    /// As it stands there, its spaces made one.
    pub(crate) text: String,
}

/// A part of a stack.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Entry {
    Line(Line),
    /// What ends or jumps inside ends or jumps only there.
    Substack(Vec<Entry>),
}

/// Why a stack cannot be read. PAM then denies.
#[derive(Debug)]
pub(crate) enum StackError {
    Io(PathBuf, io::Error),
    /// A line that is none: file, number.
    Line(PathBuf, usize),
    /// Files include each other.
    Depth(PathBuf),
}

impl fmt::Display for StackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Line(path, number) => {
                write!(f, "{} line {number} is not a PAM line", path.display())
            }
            Self::Depth(path) => write!(f, "{}: includes nest too deeply", path.display()),
        }
    }
}

impl Line {
    /// Whether it loads the module of this file name.
    pub(crate) fn is(&self, module: &str) -> bool {
        Path::new(&self.module).file_name().is_some_and(|name| name == module)
    }

    /// Whether this option without a value is among its arguments.
    pub(crate) fn has(&self, option: &str) -> bool {
        self.arguments.iter().any(|argument| argument == option)
    }

    /// Where it stands.
    pub(crate) fn place(&self) -> String {
        format!("{} line {}", self.file.display(), self.number)
    }
}

/// The stack of one group of the file `service` in `directory`.
pub(crate) fn read(
    directory: &Path,
    service: &str,
    group: Group,
) -> Result<Vec<Entry>, StackError> {
    let mut entries = Vec::new();
    read_into(directory, service, group, 0, &mut entries)?;
    Ok(entries)
}

fn read_into(
    directory: &Path,
    name: &str,
    group: Group,
    depth: usize,
    entries: &mut Vec<Entry>,
) -> Result<(), StackError> {
    // `join` leaves an absolute name as it is, as PAM does.
    let path = directory.join(name);
    if depth > DEPTH_MAX {
        return Err(StackError::Depth(path));
    }
    let bytes = fs::read(&path).map_err(|error| StackError::Io(path.clone(), error))?;
    let text = String::from_utf8_lossy(&bytes);
    for (number, line) in logical_lines(&text) {
        let bad = || StackError::Line(path.clone(), number);
        let mut words = words(&line);
        let Some(kind) = words.next() else { continue };
        if kind == "@include" {
            let file = words.next().ok_or_else(bad)?;
            read_into(directory, &file, group, depth + 1, entries)?;
            continue;
        }
        // A leading - silences a missing module.
        if !kind.trim_start_matches('-').eq_ignore_ascii_case(group.as_str()) {
            continue;
        }
        let control = words.next().ok_or_else(bad)?;
        let module = words.next().ok_or_else(bad)?;
        match control.to_ascii_lowercase().as_str() {
            "include" => read_into(directory, &module, group, depth + 1, entries)?,
            "substack" => {
                let mut inner = Vec::new();
                read_into(directory, &module, group, depth + 1, &mut inner)?;
                entries.push(Entry::Substack(inner));
            }
            _ => entries.push(Entry::Line(Line {
                file: path.clone(),
                number,
                control: Control::parse(&control).ok_or_else(bad)?,
                module,
                arguments: words.collect(),
                text: line.split_whitespace().collect::<Vec<_>>().join(" "),
            })),
        }
    }
    Ok(())
}

/// Lines without comments, those that end in a backslash joined with the next.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut continues = false;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default();
        let (line, goes_on) = match line.trim_end().strip_suffix('\\') {
            Some(line) => (line, true),
            None => (line, false),
        };
        match lines.last_mut() {
            Some((_, before)) if continues => {
                before.push(' ');
                before.push_str(line);
            }
            _ => lines.push((number, line.to_owned())),
        }
        continues = goes_on;
    }
    lines
}

/// Words; what stands in square brackets is one, without them.
fn words(line: &str) -> impl Iterator<Item = String> + '_ {
    let mut rest = line;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        if rest.is_empty() {
            return None;
        }
        let (word, after) = match rest.strip_prefix('[') {
            Some(inside) => inside.split_once(']').unwrap_or((inside, "")),
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        rest = after;
        Some(word.to_owned())
    })
}
