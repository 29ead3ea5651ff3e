// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa admin import`: all of a file or nothing. What is read goes to a sink: to the daemon, where it
//! counts with the last word only, or for a dry run into a list of what would change.
//!
//! JSON: `{"users":…,"added":…,"known":…,"without_token":…,"left_out":…,"dry_run":…,"weak":[{"setting":…,
//! "count":…,"first":…}]}`; with `--dry-run` after one object a user, see [`dry_run`].

mod dry_run;
mod sending;

use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use jiff::tz::TimeZone;
use mfa_proto::UserName;
use serde::Serialize;

use self::dry_run::Comparing;
use self::sending::Sending;
use crate::arguments::{Import, ImportFormat};
use crate::clock;
use crate::console::Console;
use crate::daemon::Daemon;
use crate::failure::{Exit, Failure};
use crate::google_authenticator::{self, Content, GoogleFile};
use crate::import_error::ImportError;
use crate::incoming::{Incoming, Sink};
use crate::messages;
use crate::progress::Bars;
use crate::users_json;
use crate::users_oath::{self, Wanted};
use crate::weakness::{Place, Tally, Weakness};

/// What was found on the way.
#[derive(Default)]
struct Found {
    weak: Tally,
    /// Others than the owner can read the file.
    exposed: bool,
    /// Users without a token, who were passed over.
    without: u64,
    /// Files that were not taken, and why.
    left_out: Vec<(PathBuf, String)>,
}

/// What it came to.
struct Outcome {
    added: u64,
    known: u64,
}

#[derive(Serialize)]
struct Report {
    users: u64,
    added: u64,
    known: u64,
    without_token: u64,
    left_out: usize,
    dry_run: bool,
    weak: Vec<WeakSetting>,
}

#[derive(Serialize)]
struct WeakSetting {
    setting: &'static str,
    count: u64,
    first: String,
}

pub(super) fn run(
    arguments: &Import,
    daemon: &Daemon,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let now = clock::now()?;
    let bars = Bars { shown: console.shows_progress() };
    let (found, outcome) = if arguments.dry_run {
        let mut sink = Comparing::new(daemon, console);
        let found = read(arguments, now, &bars, &mut sink)?;
        (found, sink.finish()?)
    } else {
        let mut sink = Sending::new(daemon);
        let found = read(arguments, now, &bars, &mut sink)?;
        (found, sink.commit()?)
    };
    report(arguments, &found, &outcome, console)?;
    match found.left_out.len() {
        0 => Ok(Exit::Done),
        count => Err(ImportError::LeftOut(count as u64).into()),
    }
}

/// Gives everybody who is in the source and wanted to `sink`.
fn read(arguments: &Import, now: u64, bars: &Bars, sink: &mut dyn Sink) -> Result<Found, Failure> {
    let user = arguments.user.as_ref();
    let path = arguments.file.as_deref().map(standard_input);
    match (arguments.format, path) {
        (ImportFormat::UsersOath, Some(path)) => users_oath(path, user, now, bars, sink),
        (ImportFormat::UsersJson, Some(path)) => {
            let bar = bars.bytes("importing", size(path));
            let found = users_json::feed(path, user, sink, &mut |read| bar.set_position(read))?;
            bar.finish_and_clear();
            Ok(Found {
                weak: found.weak,
                exposed: is_exposed(path),
                without: found.without,
                left_out: Vec::new(),
            })
        }
        (ImportFormat::GoogleAuthenticator, Some(path)) => {
            let user = user.ok_or(ImportError::WhoseFile)?;
            let content = google_authenticator::named(path)
                .map_err(|error| ImportError::Io(path.to_owned(), error))?;
            let mut found = Found::default();
            let incoming = google(user, &content, now, &mut found.weak)
                .map_err(|problem| ImportError::Google(path.to_owned(), problem))?;
            sink.take(incoming)?;
            Ok(found)
        }
        (ImportFormat::GoogleAuthenticator, None) => homes(user, now, sink),
        (_, None) => Err(ImportError::HomesOfOthers.into()),
    }
}

fn users_oath(
    file: &Path,
    user: Option<&UserName>,
    now: u64,
    bars: &Bars,
    sink: &mut dyn Sink,
) -> Result<Found, Failure> {
    let zone = TimeZone::system();
    let wanted = Wanted { file, user, zone: &zone };
    let found = if wanted.is_a_pipe()? {
        let bar = bars.bytes("importing", size(file));
        let found = users_oath::feed_pipe(wanted, now, sink, |read| bar.set_position(read))?;
        bar.finish_and_clear();
        found
    } else {
        let bar = bars.bytes("checking ", size(file));
        let checked = users_oath::check(wanted, |read| bar.set_position(read))?;
        bar.finish_and_clear();
        let bar = bars.users("importing", checked.found.wanted);
        let found = checked.feed(now, &mut Watched { sink, bar: &bar })?;
        bar.finish_and_clear();
        found
    };
    Ok(Found { weak: found.weak, exposed: found.exposed, ..Found::default() })
}

/// The files of all homes, each whole or not at all: one that is wrong keeps nobody else out.
fn homes(user: Option<&UserName>, now: u64, sink: &mut dyn Sink) -> Result<Found, Failure> {
    let mut found = Found::default();
    let (mut files, mut taken) = (0, 0);
    for home in google_authenticator::find().map_err(ImportError::Homes)? {
        if user.is_some_and(|wanted| *wanted != home.user) {
            continue;
        }
        files += 1;
        let read = match home.content {
            Ok(content) => google(&home.user, &content, now, &mut found.weak)
                .map_err(|problem| problem.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match read {
            Ok(incoming) => {
                sink.take(incoming)?;
                taken += 1;
            }
            Err(problem) => found.left_out.push((home.path, problem)),
        }
    }
    match (files, taken) {
        (0, _) => Err(ImportError::NoHomes.into()),
        (_, 0) => Err(ImportError::NoGoodHome(found.left_out).into()),
        _ => Ok(found),
    }
}

fn google(
    user: &UserName,
    content: &Content,
    now: u64,
    weak: &mut Tally,
) -> Result<Incoming, google_authenticator::GoogleProblem> {
    let file = GoogleFile::parse(&content.bytes)?;
    let (incoming, weaknesses) = file.into_incoming(user.clone(), now);
    let exposed = content.exposed.then_some(Weakness::Exposed);
    for weakness in weaknesses.into_iter().chain(exposed) {
        weak.note(weakness, || Place::User(user.clone()));
    }
    Ok(incoming)
}

fn report(
    arguments: &Import,
    found: &Found,
    outcome: &Outcome,
    console: &mut Console,
) -> Result<(), Failure> {
    if let (true, Some(path)) = (found.exposed, &arguments.file) {
        console.warn(&messages::exposed(path));
    }
    for (path, problem) in &found.left_out {
        console.warn(&messages::left_out(path, problem));
    }
    let Outcome { added, known } = *outcome;
    if console.json() {
        let weak = found.weak.iter().map(|(weakness, count, first)| WeakSetting {
            setting: weakness.as_str(),
            count: *count,
            first: first.to_string(),
        });
        return console.object(&Report {
            users: added + known,
            added,
            known,
            without_token: found.without,
            left_out: found.left_out.len(),
            dry_run: arguments.dry_run,
            weak: weak.collect(),
        });
    }
    for (weakness, count, first) in found.weak.iter() {
        console.result(&messages::weakness(*weakness, *count, first))?;
    }
    if found.without > 0 {
        console.result(&messages::without_token(found.without))?;
    }
    console.result(&if arguments.dry_run {
        messages::would_import(added, known)
    } else {
        messages::imported(added, known)
    })
}

/// `-` is standard input, as everywhere.
fn standard_input(path: &Path) -> &Path {
    if path == Path::new("-") { Path::new("/dev/stdin") } else { path }
}

/// 0 for a pipe, which does not say how much there is to come.
fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |found| found.len())
}

fn is_exposed(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.mode() & 0o077 != 0)
}

/// Shows how many have gone through.
struct Watched<'a> {
    sink: &'a mut dyn Sink,
    bar: &'a ProgressBar,
}

impl Sink for Watched<'_> {
    fn take(&mut self, user: Incoming) -> Result<(), Failure> {
        self.sink.take(user)?;
        self.bar.inc(1);
        Ok(())
    }
}
