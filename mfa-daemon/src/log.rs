// SPDX-License-Identifier: GPL-3.0-or-later
//! The structured log: to the journal with fields where systemd connects one, to stderr elsewhere.
//! No event anywhere in this program carries a code, a secret or a key.
//!
//! Nobody waits for it: where the journal hangs or a pipe is full, lines are lost and counted, and people
//! log in. What was decided is in the audit trail.

mod journal;
mod stderr;

use std::io::IsTerminal;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use self::journal::Journal;
use self::stderr::Stderr;

/// Starts the log. `journal`: stderr is the journal's (`JOURNAL_STREAM`, systemd.exec(5)).
pub fn start(level: LevelFilter, journal: bool) {
    let registry = tracing_subscriber::registry().with(level);
    if journal && let Ok(layer) = Journal::open() {
        registry.with(layer).init();
    } else {
        let layer = fmt::layer()
            .with_writer(Stderr::default)
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false);
        registry.with(layer).init();
    }
}
