// SPDX-License-Identifier: GPL-3.0-or-later
//! The daemon inside a fuzzer: its real store on a file system in memory, its real socket, its clocks set
//! by the input.

use std::cell::Cell;
use std::path::Path;
use std::sync::{Arc, PoisonError};

use mfa_crypto::Group;
use mfa_daemon::clock_sync::{ClockState, ClockWatch};
use mfa_daemon::config::{Config, Source, StoreUrl};
use mfa_daemon::daemon::{Clocks, Daemon, Settings};
use mfa_daemon::exchanges::Exchanges;
use mfa_daemon::guests::Guests;
use mfa_daemon::policy::grace::Graces;
use mfa_daemon::policy::pending::PendingTokens;
use mfa_daemon::policy::record::Record;
use mfa_daemon::policy::unknown::Unknown;
use mfa_daemon::requests::{self, Connection};
use mfa_daemon::server::{self, Queue};
use mfa_daemon::store::{self, Change, Moment, Step, StoreLock};
use mfa_daemon::systemd::Watched;
use mfa_proto::frame::HEADER_LEN;
use mfa_proto::{Request, UserName};
use serde_json::Value;
use tokio::net::UnixListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::json;

/// When every run begins.
pub(crate) const BEGIN: u64 = 1_800_000_000;

/// Messages that a key lives here.
pub(crate) const KEY_MESSAGES: u64 = 8;

// The daemon runs on the fuzzer's own thread.
thread_local! {
    static NOW: Cell<u64> = const { Cell::new(BEGIN) };
    static UPTIME: Cell<u64> = const { Cell::new(1_000) };
}

/// Both clocks go on.
pub(crate) fn pass(seconds: u64) {
    NOW.set(NOW.get() + seconds);
    UPTIME.set(UPTIME.get() + seconds);
}

pub(crate) fn now() -> u64 {
    NOW.get()
}

pub(crate) struct House {
    pub(crate) runtime: Runtime,
    pub(crate) daemon: Arc<Daemon>,
    _stop: watch::Sender<bool>,
    _lock: StoreLock,
    _home: tempfile::TempDir,
}

impl House {
    pub(crate) fn new() -> Self {
        start_clocks();
        let memory = Path::new("/dev/shm");
        let home =
            tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir()).expect("a directory");
        let at = home.path().display();
        let file = home.path().join("mfa.toml");
        let configuration = format!(
            "socket = \"{at}/mfa.sock\"\nissuer = \"house\"\nadmin_group = \"no-such-group\"\n\
             [store]\nurl = \"sqlite:{at}/mfa.db\"\n\
             [master_key]\nfile = \"{at}/master.key\"\n\
             [exchange]\ngroup = \"ffdhe2048\"\nrekey_messages = {KEY_MESSAGES}\n"
        );
        std::fs::write(&file, configuration).expect("written");
        let config = Config::load(&Source { path: file, required: true }).expect("a configuration");
        let metrics = Arc::default();
        let StoreUrl::Sqlite(database) = &config.store.url;
        let at = Moment { now: now(), skew: config.token.skew_steps.get() };
        let (store, vault, lock) =
            store::open(database, &config.master_key.source(None), at, &metrics).expect("a store");
        let listen_at = config.socket.as_path().to_owned();
        let group = Group::named("ffdhe2048").expect("RFC 7919");
        let settings = Settings { config, issuer: "house".to_owned(), group };
        let watch = ClockWatch::new(|| ClockState::Synchronised);
        let clocks = Clocks { clock: || NOW.get(), uptime: || UPTIME.get(), watch };
        let exchanges = Exchanges::start().expect("a thread");
        let daemon = Arc::new(Daemon::new(settings, (store, vault), clocks, metrics, exchanges));
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (stop, stopped) = watch::channel(false);
        {
            let _inside = runtime.enter();
            let listener = UnixListener::bind(listen_at).expect("a socket");
            let daemon = Arc::clone(&daemon);
            let guests = Guests::start().expect("a thread");
            let serving =
                server::serve(listener, Queue::Ends, daemon, stopped, Watched::by_nobody(), guests);
            runtime.spawn(serving);
        }
        Self { runtime, daemon, _stop: stop, _lock: lock, _home: home }
    }

    /// As it was before the first run, for these users.
    pub(crate) fn forget(&self, users: &[UserName]) {
        start_clocks();
        let daemon = &self.daemon;
        *daemon.unknown.lock().unwrap_or_else(PoisonError::into_inner) = Unknown::default();
        *daemon.pending.lock().unwrap_or_else(PoisonError::into_inner) = PendingTokens::default();
        *daemon.graces() = Graces::default();
        for user in users {
            if self.record(user).is_some() {
                let remove = |_| Step { change: Change::Remove, event: None, answer: () };
                self.runtime.block_on(daemon.store.act(user.clone(), remove)).expect("removed");
            }
        }
    }

    pub(crate) fn record(&self, user: &UserName) -> Option<Record> {
        self.daemon.store.get(user).expect("a readable record")
    }

    /// The answer to a request, as a value.
    pub(crate) fn ask(&self, connection: &mut Connection, request: Request) -> Value {
        let answer = requests::answer(&self.daemon, connection, 7, request);
        let bytes = self.runtime.block_on(answer).expect("an answer that fits a frame");
        let answer = json::read(&bytes[HEADER_LEN..]).expect("JSON with each key once");
        assert_eq!((&answer["v"], &answer["id"]), (&1.into(), &7.into()));
        answer
    }
}

/// The clock that is never set goes on from run to run: what a uid has used is free again after a while.
fn start_clocks() {
    NOW.set(BEGIN);
    UPTIME.set(UPTIME.get() + 1_000);
}
