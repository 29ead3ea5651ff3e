// SPDX-License-Identifier: GPL-3.0-or-later
//! A UsersFile as a whole, line by line in steady memory, however long it is.

use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::BuildHasher;
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use mfa_proto::UserName;
use zeroize::Zeroizing;

use super::line::{LineProblem, OathToken, Weakness};
use crate::failure::Failure;

/// The longest line, in bytes.
pub(crate) const LINE_MAX: usize = 4096;

/// So many mistakes are shown; the others are counted.
const SHOWN: usize = 10;

/// Why a file was not imported.
#[derive(Debug)]
pub(crate) enum ImportError {
    /// It cannot be read.
    Io(PathBuf, io::Error),
    /// It has to be read twice, so it must be a file.
    NotAFile(PathBuf),
    /// Lines that are wrong, the first ones of so many. Nothing was changed.
    Lines { file: PathBuf, first: Vec<LineError>, count: u64 },
    /// The user who was asked for is not in it.
    NoSuchUser(PathBuf, UserName),
    /// There is no line in it.
    Empty(PathBuf),
    /// It changed between the two readings.
    Changed { file: PathBuf, added: u64 },
    /// It was broken off on the way.
    Interrupted { sent: u64, of: u64, cause: Box<Failure> },
}

/// A line that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct LineError {
    /// From 1.
    pub(crate) line: u64,
    pub(crate) problem: LineOrRepeat,
}

/// Why a line is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum LineOrRepeat {
    /// By itself.
    Problem(LineProblem),
    /// The user stands in an earlier line already.
    Repeat { user: UserName, first: u64 },
}

/// What the first reading found.
pub(crate) struct Checked {
    /// Lines with a token.
    pub(crate) tokens: u64,
    /// Of these, the ones that are wanted.
    pub(crate) wanted: u64,
    /// How many wanted tokens have which weakness, and the line of the first.
    pub(crate) weak: Vec<(Weakness, u64, u64)>,
    /// Whether others than the owner can read the file.
    pub(crate) exposed: bool,
    stamp: Stamp,
}

/// What changes when a file is written to.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: (u64, u64),
    size: u64,
    written: (i64, i64),
}

/// The lines of a file that hold a token.
pub(crate) struct Lines<'a> {
    reader: BufReader<File>,
    path: &'a Path,
    number: u64,
    read: u64,
    line: Zeroizing<Vec<u8>>,
    zone: &'a TimeZone,
}

/// A line, read.
pub(crate) struct Line {
    pub(crate) number: u64,
    /// Bytes of the file up to its end.
    pub(crate) position: u64,
    pub(crate) token: Result<(OathToken, Vec<Weakness>), LineProblem>,
}

impl<'a> Lines<'a> {
    pub(crate) fn open(path: &'a Path, zone: &'a TimeZone) -> Result<Self, ImportError> {
        let file = File::open(path).map_err(|error| ImportError::Io(path.to_owned(), error))?;
        Ok(Self {
            reader: BufReader::new(file),
            path,
            number: 0,
            read: 0,
            line: Zeroizing::new(Vec::with_capacity(LINE_MAX + 1)),
            zone,
        })
    }

    /// Whether the file is still the one that was checked.
    pub(crate) fn are_those_of(&self, checked: &Checked) -> bool {
        self.stamp().is_ok_and(|stamp| stamp == checked.stamp)
    }

    /// The next line that is neither empty nor a comment.
    pub(crate) fn next(&mut self) -> Result<Option<Line>, ImportError> {
        loop {
            let whole = match self.fill()? {
                Filled::End => return Ok(None),
                Filled::Line => true,
                Filled::TooLong => false,
            };
            self.number += 1;
            let token = if whole {
                match std::str::from_utf8(&self.line) {
                    Err(_) => Err(LineProblem::Encoding),
                    Ok(text) => {
                        let text = text.trim_ascii();
                        if text.is_empty() || text.starts_with('#') {
                            continue;
                        }
                        OathToken::parse(text, self.zone)
                    }
                }
            } else {
                Err(LineProblem::TooLong)
            };
            return Ok(Some(Line { number: self.number, position: self.read, token }));
        }
    }

    /// One line into the buffer, which never grows.
    fn fill(&mut self) -> Result<Filled, ImportError> {
        self.line.clear();
        let (mut any, mut fits) = (false, true);
        loop {
            let chunk = match self.reader.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(ImportError::Io(self.path.to_owned(), error)),
            };
            if chunk.is_empty() {
                return Ok(match (any, fits) {
                    (false, _) => Filled::End,
                    (true, true) => Filled::Line,
                    (true, false) => Filled::TooLong,
                });
            }
            any = true;
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let (piece, used) = match end {
                Some(end) => (chunk.get(..end).unwrap_or_default(), end + 1),
                None => (chunk, chunk.len()),
            };
            fits &= self.line.len() + piece.len() <= LINE_MAX;
            if fits {
                self.line.extend_from_slice(piece);
            }
            self.reader.consume(used);
            self.read += used as u64;
            if end.is_some() {
                return Ok(if fits { Filled::Line } else { Filled::TooLong });
            }
        }
    }

    fn stamp(&self) -> Result<Stamp, ImportError> {
        let found = self
            .reader
            .get_ref()
            .metadata()
            .map_err(|error| ImportError::Io(self.path.to_owned(), error))?;
        if !found.is_file() {
            return Err(ImportError::NotAFile(self.path.to_owned()));
        }
        Ok(Stamp {
            inode: (found.dev(), found.ino()),
            size: found.len(),
            written: (found.mtime(), found.mtime_nsec()),
        })
    }
}

enum Filled {
    End,
    Line,
    TooLong,
}

/// The first reading: every line, before anything is sent. `progress` gets the bytes read.
///
/// A user may stand in one line only. pam_oath would try each; the daemon leaves a user alone who
/// is known, so a second line would be lost without a word. To find repeats, eight bytes a user
/// are kept, and only where there are any the file is read once more for their line numbers.
pub(crate) fn check(
    path: &Path,
    wanted: Option<&UserName>,
    zone: &TimeZone,
    mut progress: impl FnMut(u64),
) -> Result<Checked, ImportError> {
    let mut lines = Lines::open(path, zone)?;
    let stamp = lines.stamp()?;
    let exposed = lines.reader.get_ref().metadata().is_ok_and(|found| found.mode() & 0o077 != 0);
    let mut checked = Checked { tokens: 0, wanted: 0, weak: Vec::new(), exposed, stamp };
    let mut mistakes = Mistakes::default();
    let hasher = RandomState::new();
    let mut users = Vec::new();
    while let Some(line) = lines.next()? {
        match line.token {
            Err(problem) => mistakes.note(line.number, LineOrRepeat::Problem(problem)),
            Ok((token, weaknesses)) => {
                users.push(hasher.hash_one(&token.user));
                checked.tokens += 1;
                if wanted.is_none_or(|wanted| *wanted == token.user) {
                    checked.wanted += 1;
                    weaknesses.iter().for_each(|found| checked.note(*found, line.number));
                }
            }
        }
        progress(line.position);
    }
    let repeated = repeated(users);
    if !repeated.is_empty() {
        let hash = |user: &UserName| hasher.hash_one(user);
        find_repeats(path, zone, hash, &repeated, &mut mistakes)?;
    }
    if mistakes.count > 0 {
        let Mistakes { mut first, count } = mistakes;
        first.sort_by_key(|error| error.line);
        return Err(ImportError::Lines { file: path.to_owned(), first, count });
    }
    match (checked.tokens, checked.wanted, wanted) {
        (0, ..) => Err(ImportError::Empty(path.to_owned())),
        (_, 0, Some(user)) => Err(ImportError::NoSuchUser(path.to_owned(), user.clone())),
        _ => Ok(checked),
    }
}

impl Checked {
    fn note(&mut self, weakness: Weakness, line: u64) {
        match self.weak.iter_mut().find(|(known, ..)| *known == weakness) {
            Some((_, count, _)) => *count += 1,
            None => self.weak.push((weakness, 1, line)),
        }
    }
}

#[derive(Default)]
struct Mistakes {
    first: Vec<LineError>,
    count: u64,
}

impl Mistakes {
    fn note(&mut self, line: u64, problem: LineOrRepeat) {
        self.count += 1;
        if self.first.len() < SHOWN {
            self.first.push(LineError { line, problem });
        }
    }
}

/// The hashes that stand there more than once, each as often as it is one too many, sorted.
fn repeated(mut users: Vec<u64>) -> Vec<u64> {
    users.sort_unstable();
    let pairs = users.iter().zip(users.iter().skip(1));
    pairs.filter(|(one, next)| one == next).map(|(one, _)| *one).collect()
}

/// Names the lines, by comparing names: equal hashes of different users are no repeat.
fn find_repeats(
    path: &Path,
    zone: &TimeZone,
    hash: impl Fn(&UserName) -> u64,
    repeated: &[u64],
    mistakes: &mut Mistakes,
) -> Result<(), ImportError> {
    let before = mistakes.count;
    let mut seen: Vec<(UserName, u64)> = Vec::new();
    let mut full = false;
    let mut lines = Lines::open(path, zone)?;
    while let Some(line) = lines.next()? {
        let Ok((token, _)) = line.token else { continue };
        if repeated.binary_search(&hash(&token.user)).is_err() {
            continue;
        }
        match seen.iter().find(|(user, _)| *user == token.user) {
            Some((_, first)) => {
                let repeat = LineOrRepeat::Repeat { user: token.user, first: *first };
                mistakes.note(line.number, repeat);
            }
            None if seen.len() < SHOWN => seen.push((token.user, line.number)),
            None => full = true,
        }
    }
    if full {
        // Enough to show; all are counted by their hashes.
        mistakes.count = before + repeated.len() as u64;
    }
    Ok(())
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
