// SPDX-License-Identifier: GPL-3.0-or-later
//! The structured log: to the journal with fields where systemd connects one, to stderr elsewhere.
//! No event anywhere in this program carries a code, a secret or a key.

use std::io::IsTerminal;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts the log. `journal`: stderr is the journal's (`JOURNAL_STREAM`, systemd.exec(5)).
pub fn start(level: LevelFilter, journal: bool) {
    let registry = tracing_subscriber::registry().with(level);
    if journal && let Ok(layer) = tracing_journald::layer() {
        let layer = layer.with_syslog_identifier("mfa-daemon".to_owned()).with_field_prefix(None);
        registry.with(layer).init();
    } else {
        let layer = fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false);
        registry.with(layer).init();
    }
}
