// SPDX-License-Identifier: GPL-3.0-or-later
//! What was changed, written down before it is.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::BASE64;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::file::{remove_if_there, sync_directory};
use super::{PamError, Place};
use crate::pam_edit::Turned;

const VERSION: u8 = 1;

/// How often, and how long in between, a lock is tried.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(100);

/// One changed service.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    version: u8,
    pub(crate) service: String,
    /// Its file, with links followed.
    pub(crate) file: PathBuf,
    /// Ours.
    pub(crate) line: String,
    /// Somebody else's line that had to change: as it was and as it is.
    pub(crate) turned: Option<(String, String)>,
    /// The whole file as it was and as it is. Any bytes, so in base64.
    before: String,
    after: String,
    /// The daemon that knows of logins.
    pub(crate) socket: PathBuf,
    /// Until when a login is waited for. Of no meaning in a record that is kept.
    pub(crate) armed: Option<Armed>,
}

/// Since when and how long a login is waited for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Armed {
    /// The name of the mark that a reboot removes.
    pub(crate) id: String,
    /// The newest entry of the audit trail then.
    pub(crate) since: u64,
    /// The clocks then (`clocks.rs`).
    pub(crate) boot: u64,
    pub(crate) day: u64,
    pub(crate) seconds: u64,
}

/// What a record is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    Armed,
    Kept,
}

impl State {
    fn ending(self) -> &'static str {
        match self {
            Self::Armed => "armed",
            Self::Kept => "kept",
        }
    }
}

impl Record {
    pub(crate) fn new(
        service: &str,
        file: &Path,
        (before, after): (&[u8], &[u8]),
        (line, turned): (String, Option<Turned>),
        socket: &Path,
    ) -> Self {
        Self {
            version: VERSION,
            service: service.to_owned(),
            file: file.to_owned(),
            line,
            turned: turned.map(|turned| (turned.from, turned.to)),
            before: BASE64.encode(before),
            after: BASE64.encode(after),
            socket: socket.to_owned(),
            armed: None,
        }
    }

    #[cfg(test)]
    pub(crate) fn of_test(service: &str, armed: Option<Armed>) -> Self {
        let file = Path::new("/x");
        Self::new(service, file, (b"", b""), (String::new(), None), file).waiting(armed)
    }

    pub(crate) fn waiting(self, armed: Option<Armed>) -> Self {
        Self { armed, ..self }
    }

    pub(crate) fn before(&self) -> Option<Vec<u8>> {
        BASE64.decode(self.before.as_bytes()).ok()
    }

    pub(crate) fn after(&self) -> Option<Vec<u8>> {
        BASE64.decode(self.after.as_bytes()).ok()
    }

    pub(crate) fn turned(&self) -> Option<Turned> {
        let (from, to) = self.turned.clone()?;
        Some(Turned { from, to })
    }
}

/// The records. Whoever changes them or a service holds the lock.
#[derive(Debug)]
pub(crate) struct Store {
    state: PathBuf,
    run: PathBuf,
}

/// Held as long as it lives.
#[derive(Debug)]
pub(crate) struct Lock {
    _held: Flock<File>,
}

impl Store {
    /// Makes the directories where they are missing.
    pub(crate) fn open(place: &Place) -> Result<Self, PamError> {
        for directory in [&place.state, &place.run] {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
            made.map_err(|error| PamError::io(directory, error))?;
        }
        Ok(Self { state: place.state.clone(), run: place.run.clone() })
    }

    /// Waits ten seconds for whoever has it.
    pub(crate) fn lock(&self) -> Result<Lock, PamError> {
        let held = lock(&self.state, File::open(&self.state), TRIES)?;
        // What somebody left who was killed before it became a record.
        for entry in fs::read_dir(&self.state).into_iter().flatten().flatten() {
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(held)
    }

    /// The lock of the one who waits for the end of the time.
    pub(crate) fn watch(&self, tries: u32) -> Result<Lock, PamError> {
        let path = self.run.join("watch");
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        lock(&path, file, tries)
    }

    /// Whether somebody waits for the end of the time.
    pub(crate) fn is_watched(&self) -> bool {
        matches!(self.watch(1), Err(PamError::Busy))
    }

    /// The services with a record of this state, by name.
    pub(crate) fn services(&self, state: State) -> Result<Vec<String>, PamError> {
        let io = |error| PamError::io(&self.state, error);
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.state).map_err(io)? {
            let name = entry.map_err(io)?.file_name();
            let service = name.to_str().and_then(|name| name.strip_suffix(state.ending()));
            let service = service.and_then(|name| name.strip_suffix('.'));
            found.extend(service.filter(|name| !name.starts_with('.')).map(str::to_owned));
        }
        found.sort_unstable();
        Ok(found)
    }

    /// The record of a service. `Ok(None)` where it is there and cannot be understood.
    pub(crate) fn record(&self, service: &str, state: State) -> Result<Option<Record>, PamError> {
        let path = self.path(service, state);
        let bytes = fs::read(&path).map_err(|error| PamError::io(&path, error))?;
        let record: Option<Record> = serde_json::from_slice(&bytes).ok();
        Ok(record.filter(|record| record.version == VERSION && record.service == service))
    }

    pub(crate) fn has(&self, service: &str, state: State) -> bool {
        self.path(service, state).exists()
    }

    /// Durable when it returns.
    pub(crate) fn write(&self, record: &Record, state: State) -> Result<(), PamError> {
        let path = self.path(&record.service, state);
        let new = self.state.join(format!(".{}.new", record.service));
        let written = || -> std::io::Result<()> {
            match fs::remove_file(&new) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
            file.write_all(&serde_json::to_vec(record)?)?;
            file.sync_all()?;
            fs::rename(&new, &path)
        };
        if let Err(error) = written() {
            let _ = fs::remove_file(&new);
            return Err(PamError::io(&path, error));
        }
        sync_directory(&self.state)
    }

    /// What was armed is kept.
    pub(crate) fn confirm(&self, service: &str) -> Result<(), PamError> {
        let path = self.path(service, State::Armed);
        fs::rename(&path, self.path(service, State::Kept))
            .map_err(|error| PamError::io(&path, error))?;
        sync_directory(&self.state)
    }

    pub(crate) fn remove(&self, service: &str, state: State) -> Result<(), PamError> {
        remove_if_there(&self.path(service, state))?;
        sync_directory(&self.state)
    }

    /// A mark that a reboot removes.
    pub(crate) fn mark(&self, id: &str) -> Result<(), PamError> {
        let path = self.run.join(id);
        File::create(&path).map(drop).map_err(|error| PamError::io(&path, error))
    }

    pub(crate) fn is_marked(&self, id: &str) -> bool {
        self.run.join(id).exists()
    }

    pub(crate) fn unmark(&self, id: &str) {
        // One that stays does no harm: its name is never used again.
        let _ = fs::remove_file(self.run.join(id));
    }

    fn path(&self, service: &str, state: State) -> PathBuf {
        self.state.join(format!("{service}.{}", state.ending()))
    }
}

fn lock(path: &Path, file: std::io::Result<File>, tries: u32) -> Result<Lock, PamError> {
    let mut file = file.map_err(|error| PamError::io(path, error))?;
    for _ in 0..tries {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(held) => return Ok(Lock { _held: held }),
            Err((back, Errno::EWOULDBLOCK | Errno::EINTR)) => file = back,
            Err((_, error)) => return Err(PamError::io(path, error.into())),
        }
        std::thread::sleep(PAUSE);
    }
    Err(PamError::Busy)
}
