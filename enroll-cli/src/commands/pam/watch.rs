// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa pam revert --wait`, which mfa-pam-revert.service runs: waits for logins and for the end of the time
//! until nothing waits any more. Needs neither the daemon nor a record that can be read to take a change
//! back; killed, it is started again and goes on.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use crate::console::Console;
use crate::daemon::Daemon;
use crate::failure::{Exit, Failure};
use crate::messages;
use crate::pam_change::{Clocks, Place, Record, State, Store, Trail, keep, settle};
use crate::pam_edit::Scope;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// After a change that could not be taken back.
const AFTER_FAILURE: Duration = Duration::from_secs(10);

/// How often the place of another one who waits is tried.
const TRIES: u32 = 50;

/// What systemd takes as the most urgent of its levels that a program may use.
const ALERT: &str = "<1>";

struct Watch<'a> {
    store: Store,
    place: &'a Place,
    trails: BTreeMap<PathBuf, Trail>,
    /// The daemon was missed already.
    is_lost: bool,
    failed: Option<Instant>,
}

pub(super) fn run(place: &Place, console: &mut Console) -> Result<Exit, Failure> {
    let store = Store::open(place)?;
    let watched = store.watch(TRIES)?;
    let mut watch = Watch { store, place, trails: BTreeMap::new(), is_lost: false, failed: None };
    loop {
        let armed = watch.store.services(State::Armed)?;
        if armed.is_empty() {
            // Whoever arms the next holds this lock, and sees that nobody waits any more.
            let _lock = watch.store.lock()?;
            if watch.store.services(State::Armed)?.is_empty() {
                drop(watched);
                console.note(messages::pam::NOTHING_LEFT);
                return Ok(Exit::Done);
            }
        }
        watch.look(&armed, console)?;
        thread::sleep(PAUSE);
    }
}

impl Watch<'_> {
    fn look(&mut self, armed: &[String], console: &mut Console) -> Result<(), Failure> {
        let mut records = Vec::new();
        for service in armed {
            match self.store.record(service, State::Armed) {
                Ok(Some(record)) => records.push(record),
                // Without a time it is up.
                Ok(None) => self.take_back(service, messages::pam::RECORD_BROKEN, console),
                Err(error) if self.store.has(service, State::Armed) => {
                    self.take_back(service, &error.to_string(), console);
                }
                // Kept or taken back by somebody else just now.
                Err(_) => {}
            }
        }
        let confirmed = self.confirmed(&records, console);
        let now = Clocks::now()?;
        for record in &records {
            let service = &record.service;
            let user = confirmed.iter().find(|(confirmed, _)| confirmed == service);
            let is_up = record
                .armed
                .as_ref()
                .is_none_or(|armed| armed.left(now, self.store.is_marked(&armed.id)).is_none());
            match user {
                Some((_, user)) => self.keep(service, user, console),
                None if is_up => {
                    let why = messages::pam::unconfirmed(service);
                    self.take_back(service, &why, console);
                }
                None => {}
            }
        }
        Ok(())
    }

    /// The services that were logged in to, by every daemon's word; without the daemon none.
    fn confirmed(&mut self, records: &[Record], console: &mut Console) -> Vec<(String, String)> {
        let mut by_socket: BTreeMap<PathBuf, Vec<Record>> = BTreeMap::new();
        for record in records {
            by_socket.entry(record.socket.clone()).or_default().push(record.clone());
        }
        let mut confirmed = Vec::new();
        for (socket, records) in by_socket {
            let trail = self.trails.entry(socket.clone()).or_default();
            match trail.confirmed(&records, &Daemon::at(&socket)) {
                Ok(found) => {
                    self.is_lost = false;
                    confirmed.extend(found);
                }
                Err(error) => {
                    // Read anew from the beginning: what was found in the part is not lost.
                    self.trails.remove(&socket);
                    if !self.is_lost {
                        console.warn(&messages::pam::without_daemon(&error.to_string()));
                    }
                    self.is_lost = true;
                }
            }
        }
        confirmed
    }

    fn keep(&mut self, service: &str, user: &str, console: &mut Console) {
        let kept = self.store.lock().and_then(|_lock| {
            // Not where somebody else settled it in between.
            match self.store.has(service, State::Armed) {
                true => keep(&self.store, self.place, service).map(|()| true),
                false => Ok(false),
            }
        });
        match kept {
            Ok(true) => console.note(&messages::pam::confirmed(service, user)),
            Ok(false) => {}
            Err(error) => {
                console.warn(&format!("{service}: {error}"));
                // The login is found again at the next look.
                self.trails.clear();
            }
        }
    }

    fn take_back(&mut self, service: &str, why: &str, console: &mut Console) {
        if self.failed.is_some_and(|failed| failed.elapsed() < AFTER_FAILURE) {
            return;
        }
        let settled =
            self.store.lock().and_then(|_lock| match self.store.has(service, State::Armed) {
                true => {
                    settle(&self.store, self.place, service, State::Armed, Scope::Auth).map(Some)
                }
                false => Ok(None),
            });
        match settled {
            Ok(Some(settled)) => {
                console.warn(&format!("{service}: {why}"));
                console.warn(&messages::pam::settled(service, settled));
            }
            Ok(None) => {}
            Err(error) => {
                self.failed = Some(Instant::now());
                console.note(&format!("{ALERT}{}", messages::pam::not_reverted(service, &error)));
            }
        }
    }
}
