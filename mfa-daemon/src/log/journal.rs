// SPDX-License-Identifier: GPL-3.0-or-later
//! The journal's own protocol, <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>: a datagram an entry.
//!
//! tracing-journald waits where the journal's queue of some datagrams is full, and with it the daemon's one
//! thread: a journal that hangs would keep everybody out. This waits for nothing.

use std::fmt::{Debug, Write as _};
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::messages::lines_lost;

const SOCKET: &str = "/run/systemd/journal/socket";
const IDENTIFIER: &str = "mfa-daemon";
/// What becomes of values that are longer: far less than a datagram takes.
const VALUE_MAX: usize = 8 << 10;

/// Sends what is told to the journal.
pub(super) struct Journal {
    socket: UnixDatagram,
    path: PathBuf,
    /// Entries that it did not take since the last one that it took.
    lost: AtomicU64,
}

impl Journal {
    /// That of this host.
    ///
    /// # Errors
    /// Where there is none.
    pub(super) fn open() -> io::Result<Self> {
        Self::at(Path::new(SOCKET))
    }

    fn at(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        match socket.send_to(&[], path) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(Self { socket, path: path.to_owned(), lost: AtomicU64::new(0) }),
        }
    }

    fn send(&self, entry: &[u8]) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        let told = lost == 0 || self.takes(&loss(lost));
        let lost = if told { 0 } else { lost } + u64::from(!self.takes(entry));
        self.lost.fetch_add(lost, Ordering::Relaxed);
    }

    fn takes(&self, entry: &[u8]) -> bool {
        self.socket.send_to(entry, &self.path).is_ok()
    }
}

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let mut entry = Entry::of(*metadata.level());
        entry.put("TARGET", metadata.target());
        metadata.file().into_iter().for_each(|file| entry.put("CODE_FILE", file));
        metadata.line().into_iter().for_each(|line| entry.put("CODE_LINE", &line.to_string()));
        event.record(&mut entry);
        self.send(&entry.0);
    }
}

fn loss(lost: u64) -> Vec<u8> {
    let mut entry = Entry::of(Level::WARN);
    entry.put("MESSAGE", &lines_lost(lost));
    entry.0
}

struct Entry(Vec<u8>);

impl Entry {
    fn of(level: Level) -> Self {
        let mut entry = Self(Vec::with_capacity(512));
        // syslog(3); "info" of this program is what an administrator should see.
        let priority = match level {
            Level::ERROR => "3",
            Level::WARN => "4",
            Level::INFO => "5",
            Level::DEBUG => "6",
            Level::TRACE => "7",
        };
        entry.put("PRIORITY", priority);
        entry.put("SYSLOG_IDENTIFIER", IDENTIFIER);
        entry
    }

    /// A field by length, so that no line end in a value begins another one.
    fn put(&mut self, name: &str, value: &str) {
        let mut ends = (0..=value.len().min(VALUE_MAX)).rev();
        let end = ends.find(|end| value.is_char_boundary(*end)).unwrap_or(0);
        let value = value.get(..end).unwrap_or_default();
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(b'\n');
        self.0.extend_from_slice(&(value.len() as u64).to_le_bytes());
        self.0.extend_from_slice(value.as_bytes());
        self.0.push(b'\n');
    }
}

impl Visit for Entry {
    fn record_str(&mut self, field: &Field, value: &str) {
        // The journal takes capital letters, digits and underscores, and keeps a leading one for itself.
        let name = field.name().trim_start_matches('_').to_ascii_uppercase().replace('.', "_");
        self.put(&name, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        let _ = write!(text, "{value:?}");
        self.record_str(field, &text);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tracing::{info, warn};
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// Name and value of each field of an entry.
    fn fields(mut entry: &[u8]) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        while let Some(end) = entry.iter().position(|byte| *byte == b'\n') {
            let (name, rest) = entry.split_at(end);
            let (length, rest) = rest[1..].split_at(8);
            let length = usize::try_from(u64::from_le_bytes(length.try_into().unwrap())).unwrap();
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            fields.push((text(name), text(&rest[..length])));
            entry = &rest[length + 1..];
        }
        fields
    }

    fn next(journal: &UnixDatagram) -> Option<Vec<(String, String)>> {
        let mut entry = [0; 65_536];
        loop {
            match journal.recv(&mut entry).ok()? {
                0 => {}
                length => return Some(fields(&entry[..length])),
            }
        }
    }

    fn value<'e>(entry: &'e [(String, String)], name: &str) -> &'e str {
        &entry.iter().find(|(found, _)| found == name).unwrap().1
    }

    #[test]
    fn an_entry_has_its_fields_whatever_is_in_them() {
        let home = tempfile::tempdir().unwrap();
        let receiver = UnixDatagram::bind(home.path().join("journal")).unwrap();
        receiver.set_nonblocking(true).unwrap();
        let journal = Journal::at(&home.path().join("journal")).unwrap();
        let log = tracing_subscriber::registry().with(journal);
        tracing::subscriber::with_default(log, || {
            warn!(user = "eve\nPRIORITY=0", uid = 7, "two\nlines");
        });
        let entry = next(&receiver).unwrap();
        assert_eq!(value(&entry, "MESSAGE"), "two\nlines");
        assert_eq!(value(&entry, "USER"), "eve\nPRIORITY=0");
        assert_eq!((value(&entry, "UID"), value(&entry, "PRIORITY")), ("7", "4"));
        assert_eq!(value(&entry, "SYSLOG_IDENTIFIER"), "mfa-daemon");
        assert!(value(&entry, "CODE_FILE").ends_with("journal.rs"));
        assert_eq!(entry.iter().filter(|(name, _)| name == "PRIORITY").count(), 1);
    }

    #[test]
    fn a_journal_that_hangs_holds_nobody_up_and_is_told_what_it_has_missed() {
        const LINES: usize = 10_000;
        let home = tempfile::tempdir().unwrap();
        let receiver = UnixDatagram::bind(home.path().join("journal")).unwrap();
        receiver.set_nonblocking(true).unwrap();
        let journal = Journal::at(&home.path().join("journal")).unwrap();
        let log = tracing_subscriber::registry().with(journal);
        let (mut taken, mut missed) = (0, 0);
        tracing::subscriber::with_default(log, || {
            let begun = Instant::now();
            for n in 0..LINES {
                info!(n, "a line");
            }
            assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
            while next(&receiver).is_some() {
                taken += 1;
            }
            info!("the next one");
        });
        let told = next(&receiver).unwrap();
        for word in value(&told, "MESSAGE").split(' ') {
            missed += word.parse::<usize>().unwrap_or(0);
        }
        assert_eq!(value(&next(&receiver).unwrap(), "MESSAGE"), "the next one");
        assert!(taken > 0 && missed > 0, "{taken} {missed}");
        assert_eq!(taken + missed, LINES);
    }
}
