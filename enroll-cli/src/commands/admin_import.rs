// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa admin import`: reads the file twice, first to find every mistake, then to send it.
//!
//! JSON: `{"lines":…,"added":…,"known":…,"dry_run":…,"weak":[{"setting":…,"count":…,
//! "first_line":…}]}`; `lines` are those with a wanted token.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use jiff::tz::TimeZone;
use mfa_proto::transfer::{AdminImport, ImportedToken, TransferAnswer};
use mfa_proto::{FRAME_MAX, Request};
use serde::Serialize;

use crate::arguments::{Import, ImportFormat};
use crate::clock;
use crate::console::Console;
use crate::daemon::{Connection, Daemon};
use crate::failure::{Exit, Failure};
use crate::messages;
use crate::users_oath::{self, Checked, ImportError, Lines, Weakness};

/// Room in a frame for what surrounds the tokens.
const ENVELOPE: usize = 256;

/// A batch is one durable write, on a disk that may be slow.
const BATCH_PATIENCE: Duration = Duration::from_secs(60);

#[derive(Serialize)]
struct Report {
    lines: u64,
    added: u64,
    known: u64,
    dry_run: bool,
    weak: Vec<WeakSetting>,
}

#[derive(Serialize)]
struct WeakSetting {
    setting: &'static str,
    count: u64,
    first_line: u64,
}

pub(super) fn run(
    arguments: &Import,
    daemon: &Daemon,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let ImportFormat::UsersOath = arguments.format;
    let zone = TimeZone::system();
    let checked = check(arguments, &zone, console)?;
    if checked.exposed {
        console.warn(&messages::exposed(&arguments.file));
    }
    let (added, known) =
        if arguments.dry_run { (0, 0) } else { send(arguments, &checked, &zone, daemon, console)? };
    if console.json() {
        console.object(&report(&checked, added, known, arguments.dry_run))?;
    } else {
        for (found, count, first) in &checked.weak {
            console.result(&messages::weakness(*found, *count, *first))?;
        }
        console.result(&if arguments.dry_run {
            messages::would_import(checked.wanted)
        } else {
            messages::imported(checked.wanted, added, known)
        })?;
    }
    Ok(Exit::Done)
}

fn check(arguments: &Import, zone: &TimeZone, console: &Console) -> Result<Checked, ImportError> {
    let size = std::fs::metadata(&arguments.file).map_or(0, |found| found.len());
    let bar = progress(console, size, "checking  {bar:40} {percent:>3} %  {eta}");
    let checked = users_oath::check(&arguments.file, arguments.user.as_ref(), zone, |position| {
        bar.set_position(position);
    });
    bar.finish_and_clear();
    checked
}

fn send(
    arguments: &Import,
    checked: &Checked,
    zone: &TimeZone,
    daemon: &Daemon,
    console: &Console,
) -> Result<(u64, u64), Failure> {
    let now = clock::now()?;
    let mut lines = Lines::open(&arguments.file, zone)?;
    let bar = progress(console, checked.wanted, "importing {bar:40} {pos}/{len}  {per_sec}  {eta}");
    let mut batches = Batches::new(daemon.connect()?, checked.wanted);
    let changed = |added| ImportError::Changed { file: arguments.file.clone(), added };
    while let Some(line) = lines.next()? {
        // What was right a moment ago is wrong: somebody writes to the file.
        let (token, _) = line.token.map_err(|_| changed(batches.added))?;
        if arguments.user.as_ref().is_none_or(|wanted| *wanted == token.user) {
            batches.push(token.into_message(now))?;
            bar.set_position(batches.sent);
        }
    }
    if !lines.are_those_of(checked) {
        return Err(changed(batches.added).into());
    }
    batches.send()?;
    bar.finish_and_clear();
    Ok((batches.added, batches.known))
}

/// Tokens that wait until a frame is full.
struct Batches {
    connection: Connection,
    tokens: Vec<ImportedToken>,
    bytes: usize,
    sent: u64,
    added: u64,
    known: u64,
    of: u64,
}

impl Batches {
    fn new(connection: Connection, of: u64) -> Self {
        Self { connection, tokens: Vec::new(), bytes: 0, sent: 0, added: 0, known: 0, of }
    }

    fn push(&mut self, token: ImportedToken) -> Result<(), Failure> {
        let bytes = written_length(&token)? + 1;
        if self.bytes + bytes > FRAME_MAX - ENVELOPE {
            self.send()?;
        }
        self.bytes += bytes;
        self.tokens.push(token);
        Ok(())
    }

    fn send(&mut self) -> Result<(), Failure> {
        if self.tokens.is_empty() {
            return Ok(());
        }
        let tokens = std::mem::take(&mut self.tokens);
        let count = tokens.len() as u64;
        self.bytes = 0;
        let request = Request::AdminImport(AdminImport { tokens, accounts: Vec::new() });
        let answer = match self.connection.transfer(&request, BATCH_PATIENCE) {
            Ok(TransferAnswer::Imported { added, known }) => (added, known),
            Ok(_) => return Err(Failure::OtherAnswer { to: "admin_import" }),
            // Before the first batch nothing has ended: the refusal stands for itself.
            Err(cause) if self.sent == 0 => return Err(cause),
            Err(cause) => {
                let cause = Box::new(cause);
                return Err(ImportError::Interrupted { sent: self.sent, of: self.of, cause }.into());
            }
        };
        self.sent += count;
        self.added += u64::from(answer.0);
        self.known += u64::from(answer.1);
        Ok(())
    }
}

/// Bytes of a token in JSON, counted without writing the secret anywhere.
fn written_length(token: &ImportedToken) -> Result<usize, Failure> {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, token).map_err(Failure::Sealed)?;
    Ok(count.0)
}

/// On stderr, and only where that is a terminal.
fn progress(console: &Console, length: u64, template: &str) -> ProgressBar {
    if !console.shows_progress() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(length);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

fn report(checked: &Checked, added: u64, known: u64, dry_run: bool) -> Report {
    let weak = checked.weak.iter().map(|(found, count, first_line)| WeakSetting {
        setting: match found {
            Weakness::ShortSecret => "short_secret",
            Weakness::ConstantSecret => "constant_secret",
            Weakness::LongPeriod => "long_period",
            Weakness::LastUseWithoutTime => "last_use_without_time",
        },
        count: *count,
        first_line: *first_line,
    });
    Report { lines: checked.wanted, added, known, dry_run, weak: weak.collect() }
}
