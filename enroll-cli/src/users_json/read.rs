// SPDX-License-Identifier: GPL-3.0-or-later
//! The document, read user by user in steady memory.

use std::cell::Cell;
use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::fmt;
use std::fs::File;
use std::hash::BuildHasher;
use std::io::{self, BufReader};
use std::path::Path;
use std::rc::Rc;

use mfa_proto::UserName;
use mfa_proto::transfer::ExportedUser;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;

use super::{VERSION, entry};
use crate::failure::Failure;
use crate::import_error::{ImportError, Mistakes, Problem};
use crate::incoming::Sink;
use crate::messages::formats;
use crate::weakness::{Place, Tally};

/// What was found in a document.
pub(crate) struct Read {
    /// Users who are wanted.
    pub(crate) wanted: u64,
    /// Users without a token, who were passed over.
    pub(crate) without: u64,
    pub(crate) weak: Tally,
}

/// Reads a document, from a file or a pipe, and gives its users to `sink`; `wanted`: this one only.
/// `progress` gets the bytes read. Once there is a mistake nothing more is sent, and the rest is read
/// for others.
///
/// # Errors
/// [`ImportError`] and those of `sink`.
pub(crate) fn feed(
    path: &Path,
    wanted: Option<&UserName>,
    sink: &mut dyn Sink,
    progress: &mut dyn FnMut(u64),
) -> Result<Read, Failure> {
    let io = |error| ImportError::Io(path.to_owned(), error);
    let file = File::open(path).map_err(io)?;
    let place = Rc::new(At::default());
    let counted = Counted { from: BufReader::new(file), at: Rc::clone(&place) };
    let mut reading = Reading {
        wanted,
        sink,
        progress,
        at: place,
        found: Read { wanted: 0, without: 0, weak: Tally::default() },
        mistakes: Mistakes::default(),
        hasher: RandomState::new(),
        seen: HashMap::new(),
        failure: None,
    };
    let mut json = serde_json::Deserializer::from_reader(counted);
    let read = Head(&mut reading).deserialize(&mut json).and_then(|()| json.end());
    if let Some(failure) = reading.failure {
        return Err(failure);
    }
    if let Err(error) = read {
        return Err(not_one(path, &error).into());
    }
    reading.mistakes.into_result(path.to_owned())?;
    match (reading.seen.is_empty(), reading.found.wanted, wanted) {
        (false, 0, Some(user)) => {
            Err(ImportError::NoSuchUser(path.to_owned(), user.clone()).into())
        }
        (_, 0, _) => Err(ImportError::Empty(path.to_owned()).into()),
        _ => Ok(reading.found),
    }
}

/// Where the reading is.
#[derive(Default)]
struct At {
    bytes: Cell<u64>,
    lines: Cell<u64>,
}

/// Counts what is read through it. serde_json reads byte by byte, so a user that it has just read ends
/// in the line that is counted.
struct Counted<R> {
    from: R,
    at: Rc<At>,
}

impl<R: io::Read> io::Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(into)?;
        let new = into.get(..read).unwrap_or_default();
        let ends = new.iter().filter(|byte| **byte == b'\n').count();
        self.at.bytes.set(self.at.bytes.get() + read as u64);
        self.at.lines.set(self.at.lines.get() + ends as u64);
        Ok(read)
    }
}

struct Reading<'a> {
    wanted: Option<&'a UserName>,
    sink: &'a mut dyn Sink,
    progress: &'a mut dyn FnMut(u64),
    at: Rc<At>,
    found: Read,
    mistakes: Mistakes,
    hasher: RandomState,
    /// Hashes of names, and their lines.
    seen: HashMap<u64, u64>,
    /// Why `sink` took no more.
    failure: Option<Failure>,
}

impl Reading<'_> {
    fn user(&mut self, user: ExportedUser) -> Result<(), Failure> {
        (self.progress)(self.at.bytes.get());
        let line = self.at.lines.get() + 1;
        match self.seen.entry(self.hasher.hash_one(&user.user)) {
            Entry::Occupied(first) => {
                let repeat = Problem::Repeat { user: user.user, first: *first.get() };
                self.mistakes.note(line, repeat);
                return Ok(());
            }
            Entry::Vacant(place) => place.insert(line),
        };
        let is_wanted = self.wanted.is_none_or(|wanted| *wanted == user.user);
        match entry::incoming(user) {
            Err(problem) => self.mistakes.note(line, Problem::Entry(problem)),
            Ok(None) => self.found.without += u64::from(is_wanted),
            Ok(Some(_)) if !is_wanted => {}
            Ok(Some((incoming, weaknesses))) => {
                self.found.wanted += 1;
                for weakness in weaknesses {
                    self.found.weak.note(weakness, || Place::User(incoming.user.clone()));
                }
                if self.mistakes.count == 0 {
                    self.sink.take(incoming)?;
                }
            }
        }
        Ok(())
    }
}

/// The object around the users.
struct Head<'r, 'a>(&'r mut Reading<'a>);

impl<'de> DeserializeSeed<'de> for Head<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Head<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(formats::USERS_JSON)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (mut version, mut exported, mut issuer, mut users) = (false, false, false, false);
        while let Some(key) = map.next_key::<String>()? {
            let seen = match key.as_str() {
                "mfa_users" => &mut version,
                "exported" => &mut exported,
                "issuer" => &mut issuer,
                "users" if version => &mut users,
                "users" => return Err(A::Error::custom(formats::VERSION_FIRST)),
                _ => return Err(A::Error::custom("unknown field")),
            };
            if std::mem::replace(seen, true) {
                return Err(A::Error::custom(formats::FIELD_ONCE));
            }
            match key.as_str() {
                "mfa_users" if map.next_value::<u64>()? == VERSION => {}
                "mfa_users" => return Err(A::Error::custom(formats::VERSION)),
                "users" => map.next_value_seed(Users(self.0))?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        if users { Ok(()) } else { Err(A::Error::custom(formats::NO_USERS)) }
    }
}

/// The array of them.
struct Users<'r, 'a>(&'r mut Reading<'a>);

impl<'de> DeserializeSeed<'de> for Users<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Users<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(formats::USERS)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut users: A) -> Result<(), A::Error> {
        while let Some(user) = users.next_element::<ExportedUser>()? {
            if let Err(failure) = self.0.user(user) {
                self.0.failure = Some(failure);
                return Err(A::Error::custom("not taken"));
            }
        }
        Ok(())
    }
}

/// The error of a document that is none. serde_json's own words quote what they found, and that may be
/// a secret; so only those are used that quote nothing.
fn not_one(path: &Path, error: &serde_json::Error) -> ImportError {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    let problem = match error.classify() {
        Category::Io => {
            return ImportError::Io(
                path.to_owned(),
                io::Error::from(error.io_error_kind().unwrap_or(io::ErrorKind::Other)),
            );
        }
        Category::Syntax => formats::not_json(text),
        Category::Eof => formats::NOT_ENDED.to_owned(),
        Category::Data => match text.rsplit_once(", expected ") {
            _ if text.starts_with("unknown field") => formats::UNKNOWN_FIELD.to_owned(),
            Some((_, expected)) => formats::something_else(expected),
            None if text.starts_with("missing field") || text.starts_with("expected") => {
                text.to_owned()
            }
            None => formats::IMPOSSIBLE_VALUE.to_owned(),
        },
    };
    ImportError::NotUsersJson {
        file: path.to_owned(),
        line: error.line(),
        column: error.column(),
        problem,
    }
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
