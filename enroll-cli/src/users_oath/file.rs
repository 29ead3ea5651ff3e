// SPDX-License-Identifier: GPL-3.0-or-later
//! A UsersFile as a whole, line by line, however long it is: a file twice, first to find every mistake
//! and then in the order of the names; a pipe once, as it comes.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::fs::File;
use std::hash::BuildHasher;
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use jiff::tz::TimeZone;
use mfa_proto::UserName;
use zeroize::Zeroizing;

use super::at::LinesAt;
use super::line::{LineProblem, OathToken, user_of};
use super::order::Order;
use crate::failure::Failure;
use crate::import_error::{ImportError, Mistakes, Problem};
use crate::incoming::{Incoming, Sink};
use crate::weakness::{Place, Tally, Weakness};

/// The longest line, in bytes.
pub(crate) const LINE_MAX: usize = 4096;

/// What is asked of a file.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) file: &'a Path,
    /// This one only.
    pub(crate) user: Option<&'a UserName>,
    /// Of the times in the file.
    pub(crate) zone: &'a TimeZone,
}

/// What was found in it.
pub(crate) struct Checked {
    /// Tokens that are wanted.
    pub(crate) wanted: u64,
    pub(crate) weak: Tally,
    /// Whether others than the owner can read the file.
    pub(crate) exposed: bool,
}

/// A file that was read to its end and has no mistake.
pub(crate) struct CheckedFile<'a> {
    wanted: Wanted<'a>,
    pub(crate) found: Checked,
    order: Order,
    lines: LinesAt,
    stamp: Stamp,
}

/// What changes when a file is written to.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: (u64, u64),
    size: u64,
    written: (i64, i64),
}

impl Wanted<'_> {
    fn io(&self) -> impl Fn(io::Error) -> ImportError {
        let file = self.file.to_owned();
        move |error| ImportError::Io(file.clone(), error)
    }

    /// Whether the file can be read only once, and from its beginning to its end.
    ///
    /// # Errors
    /// [`ImportError::NotAFile`], or it cannot be looked at.
    pub(crate) fn is_a_pipe(&self) -> Result<bool, ImportError> {
        let kind = std::fs::metadata(self.file).map_err(self.io())?.file_type();
        if kind.is_fifo() || kind.is_socket() {
            Ok(true)
        } else if kind.is_file() {
            Ok(false)
        } else {
            Err(ImportError::NotAFile(self.file.to_owned()))
        }
    }

    fn wants(&self, user: &UserName) -> bool {
        self.user.is_none_or(|wanted| wanted == user)
    }

    /// Nobody who is wanted is an error.
    fn is_met(&self, tokens: u64, wanted: u64) -> Result<(), ImportError> {
        match (tokens, wanted, self.user) {
            (0, ..) => Err(ImportError::Empty(self.file.to_owned())),
            (_, 0, Some(user)) => Err(ImportError::NoSuchUser(self.file.to_owned(), user.clone())),
            _ => Ok(()),
        }
    }
}

/// The first reading of a file: every line, before anything is sent. `progress` gets the bytes read.
///
/// A user may stand in one line only. pam_oath would try each; the daemon leaves a user alone who
/// is known, so a second line would be lost without a word. 32 bytes a line are kept, for the order and
/// to find repeats.
pub(crate) fn check(
    wanted: Wanted<'_>,
    mut progress: impl FnMut(u64),
) -> Result<CheckedFile<'_>, ImportError> {
    let file = File::open(wanted.file).map_err(wanted.io())?;
    let stamp = Stamp::of(&file).map_err(wanted.io())?;
    let again = file.try_clone().map_err(wanted.io())?;
    let exposed = file.metadata().is_ok_and(|found| found.mode() & 0o077 != 0);
    let mut lines = Lines::new(file);
    let mut found = Checked { wanted: 0, weak: Tally::default(), exposed };
    let (mut mistakes, mut order) = (Mistakes::default(), Order::default());
    while let Some(line) = lines.next(wanted.zone).map_err(wanted.io())? {
        match line.token {
            Err(problem) => mistakes.note(line.number, Problem::Line(problem)),
            Ok((token, weaknesses)) => {
                order.push(&token.user, line.offset, line.number);
                if wanted.wants(&token.user) {
                    found.note(&weaknesses, line.number);
                }
            }
        }
        progress(lines.read);
    }
    let mut lines = LinesAt::new(again);
    let repeats = order
        .sort(|offset| lines.line(offset).map(|line| Box::from(user_of(line))))
        .map_err(wanted.io())?;
    let room = mistakes.room();
    mistakes.count += repeats.len().saturating_sub(room) as u64;
    for repeat in repeats.iter().take(room) {
        let name = user_of(lines.line(repeat.offset).map_err(wanted.io())?).to_owned();
        if let Ok(user) = UserName::new(name) {
            mistakes.note(repeat.number, Problem::Repeat { user, first: repeat.first });
        }
    }
    mistakes.into_result(wanted.file.to_owned())?;
    wanted.is_met(order.len(), found.wanted)?;
    Ok(CheckedFile { wanted, found, order, lines, stamp })
}

impl CheckedFile<'_> {
    /// The second reading, in the order of the names. `now` in Unix seconds.
    ///
    /// # Errors
    /// Those of `sink`, and where the file is no longer the one that was checked.
    pub(crate) fn feed(mut self, now: u64, sink: &mut dyn Sink) -> Result<Checked, Failure> {
        let changed = || ImportError::Changed(self.wanted.file.to_owned());
        for offset in self.order.offsets() {
            let line = self.lines.line(offset).map_err(self.wanted.io())?;
            if self.wanted.user.is_some_and(|wanted| wanted.as_str() != user_of(line)) {
                continue;
            }
            // What was right a moment ago is wrong: somebody writes to the file.
            let (token, _) = token(line, self.wanted.zone).map_err(|_| changed())?;
            sink.take(incoming(token, now))?;
        }
        let stamp = Stamp::of(self.lines.file()).map_err(self.wanted.io())?;
        if stamp != self.stamp {
            return Err(changed().into());
        }
        Ok(self.found)
    }
}

/// The one reading of a pipe, as it comes. Once there is a mistake nothing more is sent, and the rest is
/// read for others.
///
/// Who repeats is found by a hash of his name. Two of a million users are taken for one, and the file
/// refused, with a chance of one in 37 million; nobody is ever lost.
pub(crate) fn feed_pipe(
    wanted: Wanted<'_>,
    now: u64,
    sink: &mut dyn Sink,
    mut progress: impl FnMut(u64),
) -> Result<Checked, Failure> {
    let mut lines = Lines::new(File::open(wanted.file).map_err(wanted.io())?);
    let mut found = Checked { wanted: 0, weak: Tally::default(), exposed: false };
    let (hasher, mut seen) = (RandomState::new(), HashMap::<u64, u64>::new());
    let (mut mistakes, mut tokens) = (Mistakes::default(), 0);
    while let Some(line) = lines.next(wanted.zone).map_err(wanted.io())? {
        progress(lines.read);
        let (token, weaknesses) = match line.token {
            Ok(read) => read,
            Err(problem) => {
                mistakes.note(line.number, Problem::Line(problem));
                continue;
            }
        };
        tokens += 1;
        match seen.entry(hasher.hash_one(&token.user)) {
            Entry::Occupied(first) => {
                let repeat = Problem::Repeat { user: token.user, first: *first.get() };
                mistakes.note(line.number, repeat);
                continue;
            }
            Entry::Vacant(place) => place.insert(line.number),
        };
        if wanted.wants(&token.user) {
            found.note(&weaknesses, line.number);
            if mistakes.count == 0 {
                sink.take(incoming(token, now))?;
            }
        }
    }
    mistakes.into_result(wanted.file.to_owned())?;
    wanted.is_met(tokens, found.wanted)?;
    Ok(found)
}

impl Checked {
    fn note(&mut self, weaknesses: &[Weakness], line: u64) {
        self.wanted += 1;
        for found in weaknesses {
            self.weak.note(*found, || Place::Line(line));
        }
    }
}

fn incoming(token: OathToken, now: u64) -> Incoming {
    let user = token.user.clone();
    Incoming { user, tokens: vec![token.into_message(now)], account: None }
}

impl Stamp {
    fn of(file: &File) -> io::Result<Self> {
        let found = file.metadata()?;
        Ok(Self {
            inode: (found.dev(), found.ino()),
            size: found.len(),
            written: (found.mtime(), found.mtime_nsec()),
        })
    }
}

/// The lines that hold a token.
struct Lines {
    reader: BufReader<File>,
    number: u64,
    /// Bytes read.
    read: u64,
    line: Zeroizing<Vec<u8>>,
}

/// A line, read.
struct Line {
    number: u64,
    /// Where it begins.
    offset: u64,
    token: Result<(OathToken, Vec<Weakness>), LineProblem>,
}

impl Lines {
    fn new(file: File) -> Self {
        let line = Zeroizing::new(Vec::with_capacity(LINE_MAX + 1));
        Self { reader: BufReader::with_capacity(64 * 1024, file), number: 0, read: 0, line }
    }

    /// The next line that is neither empty nor a comment.
    fn next(&mut self, zone: &TimeZone) -> io::Result<Option<Line>> {
        loop {
            let offset = self.read;
            let whole = match self.fill()? {
                Filled::End => return Ok(None),
                Filled::Line => true,
                Filled::TooLong => false,
            };
            self.number += 1;
            let token = if whole {
                if is_without_token(&self.line) {
                    continue;
                }
                token(&self.line, zone)
            } else {
                Err(LineProblem::TooLong)
            };
            return Ok(Some(Line { number: self.number, offset, token }));
        }
    }

    /// One line into the buffer, which never grows.
    fn fill(&mut self) -> io::Result<Filled> {
        self.line.clear();
        let (mut any, mut fits) = (false, true);
        loop {
            let chunk = match self.reader.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
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
}

enum Filled {
    End,
    Line,
    TooLong,
}

fn is_without_token(line: &[u8]) -> bool {
    matches!(line.trim_ascii_start(), [] | [b'#', ..])
}

fn token(line: &[u8], zone: &TimeZone) -> Result<(OathToken, Vec<Weakness>), LineProblem> {
    let text = std::str::from_utf8(line).map_err(|_| LineProblem::Encoding)?;
    OathToken::parse(text.trim_ascii(), zone)
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
