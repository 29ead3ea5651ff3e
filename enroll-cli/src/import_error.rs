// SPDX-License-Identifier: GPL-3.0-or-later
//! Why an import did not happen. In every case but one the store is as it was; the sentences say so.

use std::fmt;
use std::io;
use std::path::PathBuf;

use mfa_proto::UserName;

use crate::failure::Failure;
use crate::google_authenticator::{GoogleProblem, HomeError};
use crate::table::printable;
use crate::users_json::EntryProblem;
use crate::users_oath::LineProblem;

/// So many mistakes are shown; the others are counted.
const SHOWN: usize = 10;

/// Why an import did not happen.
#[derive(Debug)]
pub(crate) enum ImportError {
    /// It cannot be read.
    Io(PathBuf, io::Error),
    /// Neither a file nor a pipe.
    NotAFile(PathBuf),
    /// Lines that are wrong.
    Mistakes(PathBuf, Mistakes),
    /// The user who was asked for is not in it.
    NoSuchUser(PathBuf, UserName),
    /// There is nobody in it.
    Empty(PathBuf),
    /// It was written to while it was read.
    Changed(PathBuf),
    /// It is no users.json.
    NotUsersJson { file: PathBuf, line: usize, column: usize, problem: String },
    /// A file of google_authenticator is wrong.
    Google(PathBuf, GoogleProblem),
    /// A file of google_authenticator does not say whose it is.
    WhoseFile,
    /// Homes have files of google_authenticator only.
    HomesOfOthers,
    /// The homes cannot be looked through.
    Homes(HomeError),
    /// Nobody has a file in his home.
    NoHomes,
    /// Nobody has a good one.
    NoGoodHome(Vec<(PathBuf, String)>),
    /// Files in homes that were left out, while others were taken.
    LeftOut(u64),
    /// It was broken off on the way.
    Interrupted { sent: u64, cause: Box<Failure> },
    /// The last answer, to the commit, was lost.
    Unknown(Box<Failure>),
}

/// Mistakes of a file: the first ones, and how many there are.
#[derive(Default, Debug)]
pub(crate) struct Mistakes {
    pub(crate) first: Vec<Mistake>,
    pub(crate) count: u64,
}

/// A line that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Mistake {
    /// From 1.
    pub(crate) line: u64,
    pub(crate) problem: Problem,
}

/// Why a line is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Problem {
    /// By itself, in users.oath.
    Line(LineProblem),
    /// By itself, in users.json.
    Entry(EntryProblem),
    /// The user stands in an earlier line already.
    Repeat { user: UserName, first: u64 },
}

impl Mistakes {
    pub(crate) fn note(&mut self, line: u64, problem: Problem) {
        self.count += 1;
        if self.first.len() < SHOWN {
            self.first.push(Mistake { line, problem });
        }
    }

    /// Room for so many more to be shown.
    pub(crate) fn room(&self) -> usize {
        SHOWN.saturating_sub(self.first.len())
    }

    /// Nothing, or the error of this file.
    pub(crate) fn into_result(mut self, file: PathBuf) -> Result<(), ImportError> {
        if self.count == 0 {
            return Ok(());
        }
        self.first.sort_by_key(|mistake| mistake.line);
        Err(ImportError::Mistakes(file, self))
    }
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            Self::NotAFile(path) => {
                write!(f, "{} is neither a regular file nor a pipe", path.display())
            }
            Self::Mistakes(file, Mistakes { first, count }) => {
                let lines = if *count == 1 { "line" } else { "lines" };
                write!(f, "{} has {count} wrong {lines}; nothing was imported", file.display())?;
                for mistake in first {
                    write!(f, "\n  {mistake}")?;
                }
                match count.saturating_sub(first.len() as u64) {
                    0 => Ok(()),
                    more => write!(f, "\n  and {more} more"),
                }
            }
            Self::NoSuchUser(path, user) => {
                write!(f, "{} has no line for {user}; nothing was imported", path.display())
            }
            Self::Empty(path) => write!(f, "{} has nobody with a token", path.display()),
            Self::Changed(file) => write!(
                f,
                "{} changed while it was read; nothing was imported. Import it again",
                file.display()
            ),
            Self::NotUsersJson { file, line, column, problem } => write!(
                f,
                "{}, line {line}, column {column}: {}; nothing was imported",
                file.display(),
                printable(problem)
            ),
            Self::Google(path, problem) => {
                write!(f, "{}, {problem}; nothing was imported", path.display())
            }
            Self::WhoseFile => f.write_str(
                "a file of google_authenticator does not say whose it is; name the user with \
                 --user, or read the files of all homes with --homes",
            ),
            Self::HomesOfOthers => f.write_str(
                "homes have files of google_authenticator only; leave out --homes and name a file",
            ),
            Self::Homes(error) => write!(f, "{error}"),
            Self::NoHomes => f.write_str("no home has a .google_authenticator"),
            Self::NoGoodHome(left_out) => {
                f.write_str(
                    "no file of google_authenticator could be taken; nothing was imported",
                )?;
                left_out.iter().try_for_each(|(path, problem)| {
                    write!(
                        f,
                        "\n  {}, {}",
                        printable(&path.display().to_string()),
                        printable(problem)
                    )
                })
            }
            Self::LeftOut(count) => {
                let files = if *count == 1 { "file was" } else { "files were" };
                write!(f, "{count} {files} left out, see above; repeat the import once mended")
            }
            Self::Interrupted { sent, cause } => {
                write!(f, "the import ended after {sent} users, and nothing of it counts: {cause}")
            }
            Self::Unknown(cause) => write!(
                f,
                "it is not known whether the import counts: {cause}. Run it again, who is known \
                 already is left as he is"
            ),
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        match &self.problem {
            Problem::Line(problem) => write!(f, "{problem}"),
            Problem::Entry(problem) => write!(f, "{problem}"),
            Problem::Repeat { user, first } => write!(
                f,
                "{user} stands in line {first} already; a user stands in one line, so remove the \
                 other"
            ),
        }
    }
}
