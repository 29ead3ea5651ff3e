// SPDX-License-Identifier: GPL-3.0-or-later
//! Manual pages, and completions. What people have to say stands in `docs/man/*.md`; what clap knows, the commands and
//! options with the very texts of `--help`, is put in where a page says so.
//!
//! Run while a package is made and by the tests, and part of none of the programs. Not by clap_mangen:
//! that makes a page of each command where a reader wants one with all of them, leaves the values out of
//! the synopsis, and `mandoc -T lint` complains of what it writes.

#![forbid(unsafe_code)]

mod command;
// The file itself: with the daemon's crate would come its database and its runtime, for three options.
#[path = "../../mfa-daemon/src/arguments.rs"]
mod daemon_arguments;
mod markdown;
mod page;
mod write;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap_complete::Shell;
pub use page::{Block, Definition, Page, PageError, Span, text};
pub use write::write;

/// The pages, by the names that they have in `docs/man` and, without `.md`, where they are installed.
pub const PAGES: [&str; 4] = ["mfa.1", "mfa-daemon.8", "mfa.toml.5", "pam_mfa.8"];

/// The shells, and what their completions are called where they are installed.
const COMPLETIONS: [(Shell, &str); 3] =
    [(Shell::Bash, "mfa.bash"), (Shell::Zsh, "_mfa"), (Shell::Fish, "mfa.fish")];

/// Why there is no page.
#[derive(Debug)]
pub enum Error {
    /// A file cannot be read or written.
    Io(PathBuf, io::Error),
    /// A page's text is not what this program understands.
    Page(PathBuf, PageError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Page(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for Error {}

/// Reads one of [`PAGES`] from the directory of their sources.
///
/// # Errors
/// [`Error`].
pub fn read(sources: &Path, name: &str) -> Result<Page, Error> {
    let path = sources.join(format!("{name}.md"));
    let text = fs::read_to_string(&path).map_err(|error| Error::Io(path.clone(), error))?;
    markdown::read(&text, &inserted).map_err(|error| Error::Page(path, error))
}

/// Writes all pages into a directory, which is made where there is none.
///
/// # Errors
/// [`Error`].
pub fn write_all(sources: &Path, target: &Path) -> Result<(), Error> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| Error::Io(path, error)
    };
    fs::create_dir_all(target).map_err(failed(target))?;
    for name in PAGES {
        let page = read(sources, name)?;
        let path = target.join(name);
        fs::write(&path, write(&page)).map_err(failed(&path))?;
    }
    Ok(())
}

/// Writes the completions of `mfa` into a directory, each under the name that its shell looks for.
///
/// # Errors
/// [`Error`].
pub fn write_completions(target: &Path) -> Result<(), Error> {
    for (shell, name) in COMPLETIONS {
        let path = target.join(name);
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut enroll_cli::command(), "mfa", &mut script);
        fs::create_dir_all(target)
            .and_then(|()| fs::write(&path, script))
            .map_err(|error| Error::Io(path, error))?;
    }
    Ok(())
}

/// What a page asks for with `<!-- NAME -->`.
fn inserted(name: &str) -> Option<Vec<Block>> {
    match name {
        "options of mfa" => Some(command::options(&enroll_cli::command())),
        "commands of mfa" => Some(command::commands(&enroll_cli::command())),
        "options of mfa-daemon" => Some(command::options(&daemon_arguments::command())),
        _ => None,
    }
}
