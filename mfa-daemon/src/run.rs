// SPDX-License-Identifier: GPL-3.0-or-later
//! Start and stop: arguments, configuration, store, socket, signals.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{CommandFactory, Parser, parser::ValueSource};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::{error, info, warn};
use tracing_subscriber::filter::LevelFilter;

use crate::clock_sync::{ClockWatch, clock_state};
use crate::config::{Config, ConfigError, StoreUrl};
use crate::daemon::{CLOCK_FLOOR, Daemon, GroupLoadError, Settings};
use crate::policy::rule::Rule;
use crate::server::Queue;
use crate::socket::{Listening, SocketError};
use crate::store::{self, StoreError};
use crate::{log, server};

/// Keeps second-factor secrets and checks one-time codes for pam_mfa.
#[derive(Parser, Debug)]
#[command(name = "mfa-daemon", version, about)]
struct Arguments {
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    config: PathBuf,
    /// Check the configuration and exit.
    #[arg(long)]
    check: bool,
    /// Log more: what is refused on the socket, too.
    #[arg(long)]
    debug: bool,
}

const DEFAULT_CONFIG: &str = "/etc/mfa/mfa.toml";

/// Exchanges that are computed at once; the other core is for logins.
const EXCHANGE_WORKERS: usize = 1;

/// Why the daemon does not run.
#[derive(Debug)]
enum StartError {
    Config(ConfigError),
    Group(GroupLoadError),
    Store(StoreError),
    Socket(SocketError),
    System(&'static str, std::io::Error),
    HostName,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => write!(f, "{error}"),
            Self::Group(error) => write!(f, "{error}"),
            Self::Store(error) => write!(f, "{error}"),
            Self::Socket(error) => write!(f, "{error}"),
            Self::System(what, error) => write!(f, "{what}: {error}"),
            Self::HostName => write!(f, "this host has no usable name; set issuer in mfa.toml"),
        }
    }
}

impl std::error::Error for StartError {}

/// The whole program.
#[must_use]
pub fn main() -> ExitCode {
    let matches = Arguments::command().get_matches();
    let arguments = match <Arguments as clap::FromArgMatches>::from_arg_matches(&matches) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    let level = if arguments.debug { LevelFilter::DEBUG } else { LevelFilter::INFO };
    let journal = std::env::var_os("JOURNAL_STREAM").is_some();
    log::start(level, journal);
    let named = matches.value_source("config") != Some(ValueSource::DefaultValue);
    let result = start(&arguments.config, named, arguments.check);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn start(path: &Path, named: bool, check: bool) -> Result<(), StartError> {
    let config = Config::load(path, named).map_err(StartError::Config)?;
    let issuer = issuer(&config)?;
    let group = Daemon::load_group(&config.exchange.group).map_err(StartError::Group)?;
    if check {
        tell_unknown_groups(&config.rules);
        info!(config = %path.display(), "the configuration is valid");
        return Ok(());
    }
    keep_memory_private()?;
    abort_on_panic();
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let uptime = || {
        let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME);
        now.ok().and_then(|now| u64::try_from(now.tv_sec()).ok()).unwrap_or(0)
    };
    if clock() < CLOCK_FLOOR {
        error!(
            now = clock(),
            "the clock is in the past: every code will be denied until it is set"
        );
    }
    let StoreUrl::Sqlite(database) = &config.store.url;
    let (store, vault, _lock) =
        store::open(database, config.master_key.file.as_path()).map_err(StartError::Store)?;
    let listening = Listening::new(config.socket.as_path()).map_err(StartError::Socket)?;
    let queue = listening.queue();
    let (listener, _removal) = listening.split();
    let daemon = Arc::new(Daemon {
        settings: RwLock::new(Arc::new(Settings { config, issuer, group })),
        store,
        vault: Arc::new(vault),
        unknown: Arc::default(),
        pending: Arc::default(),
        graces: std::sync::Mutex::default(),
        clock_watch: ClockWatch::new(clock_state),
        clock,
        uptime,
        exchanges: tokio::sync::Semaphore::new(EXCHANGE_WORKERS),
        imports: Arc::new(tokio::sync::Semaphore::new(1)),
    });
    daemon.clock_watch.look(uptime());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| StartError::System("cannot start the event loop", error))?;
    runtime.block_on(serve(listener, queue, daemon))
}

/// A name that is misspelt in a rule fits nobody, and the rule says nothing. No error: the name service
/// may know the group later.
fn tell_unknown_groups(rules: &[Rule]) {
    for rule in rules {
        for group in rule.matches.groups.iter().flatten() {
            match nix::unistd::Group::from_name(group) {
                Ok(Some(_)) => {}
                Ok(None) => {
                    warn!(line = rule.line, group, "a rule names a group that is not known here");
                }
                Err(error) => {
                    warn!(line = rule.line, group, %error, "whether a rule's group is known cannot be told");
                }
            }
        }
    }
}

async fn serve(
    listener: std::os::unix::net::UnixListener,
    queue: Queue,
    daemon: Arc<Daemon>,
) -> Result<(), StartError> {
    let system = |error| StartError::System("cannot listen", error);
    let listener = tokio::net::UnixListener::from_std(listener).map_err(system)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(system)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(system)?;
    let (stop, stopped) = watch::channel(false);
    let serving = tokio::spawn(server::serve(listener, queue, daemon, stopped));
    tell_systemd(sd_notify::NotifyState::Ready);
    info!(version = env!("CARGO_PKG_VERSION"), "ready");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tell_systemd(sd_notify::NotifyState::Stopping);
    info!("stopping");
    let _ = stop.send(true);
    serving.await.map_err(|error| StartError::System("the server failed", error.into()))
}

/// `NOTIFY_SOCKET`, sd_notify(3); without systemd this does nothing.
fn tell_systemd(state: sd_notify::NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        warn!(%error, "cannot notify systemd");
    }
}

fn issuer(config: &Config) -> Result<String, StartError> {
    match &config.issuer {
        Some(issuer) => Ok(issuer.clone()),
        None => nix::unistd::gethostname()
            .ok()
            .and_then(|name| name.into_string().ok())
            .filter(|name| !name.is_empty())
            .ok_or(StartError::HostName),
    }
}

/// No core dump, no ptrace by others of the same uid (`PR_SET_DUMPABLE`, prctl(2)): the memory
/// holds secrets.
fn keep_memory_private() -> Result<(), StartError> {
    nix::sys::prctl::set_dumpable(false)
        .map_err(|error| StartError::System("cannot keep the memory private", error.into()))
}

/// A panic is a defect that leaves a thread or a request in an unknown state: end at once and let
/// systemd start anew. Everything that was told "accepted" is on disk.
fn abort_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        report(info);
        std::process::abort();
    }));
}
