// SPDX-License-Identifier: GPL-3.0-or-later
//! Start and stop: arguments, configuration, store, socket, signals.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::parser::ValueSource;
use mfa_proto::Peer;
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing::{error, info, warn};
use tracing_subscriber::filter::LevelFilter;

use crate::arguments::Arguments;
use crate::clock_sync::{ClockWatch, clock_state};
use crate::config::{Source, StoreUrl};
use crate::daemon::{CLOCK_FLOOR, Clocks, Daemon, Settings};
use crate::exchanges::Exchanges;
use crate::guests::Guests;
use crate::master_key::KeySource;
use crate::messages::start as messages;
use crate::policy::rule::Rule;
use crate::reload::SettingsError;
use crate::sandbox::{self, Places, SandboxError};
use crate::server::Queue;
use crate::socket::{self, Listening, Passed, SocketError};
use crate::store::{self, Moment, StoreError};
use crate::systemd::{self, Watched};
use crate::{log, metrics, server, turns};

/// Why the daemon does not run.
#[derive(Debug)]
enum StartError {
    Settings(SettingsError),
    Store(StoreError),
    Socket(SocketError),
    Sandbox(SandboxError),
    System(&'static str, std::io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(error) => write!(f, "{error}"),
            Self::Store(error) => write!(f, "{error}"),
            Self::Socket(error) => write!(f, "{error}"),
            Self::Sandbox(error) => write!(f, "{error}"),
            Self::System(what, error) => write!(f, "{what}: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// The whole program.
#[must_use]
pub fn main() -> ExitCode {
    let matches = crate::command().get_matches();
    let arguments = match <Arguments as clap::FromArgMatches>::from_arg_matches(&matches) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    let level = if arguments.debug { LevelFilter::DEBUG } else { LevelFilter::INFO };
    let journal = std::env::var_os("JOURNAL_STREAM").is_some();
    log::start(level, journal);
    let named = matches.value_source("config") != Some(ValueSource::DefaultValue);
    let source = Source { path: arguments.config, required: named };
    let result = start(&source, arguments.check);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn start(source: &Source, check: bool) -> Result<(), StartError> {
    let settings = Settings::load(source).map_err(StartError::Settings)?;
    let config = &settings.config;
    if check {
        tell_unknown_groups(&config.rules);
        info!(config = %source.path.display(), "the configuration is valid");
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
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| StartError::System(messages::NO_EVENT_LOOP, error))?;
    let runtime = Arc::new(runtime);
    // Before there is anything that must be put in order at the end.
    let signals = {
        let _inside = runtime.enter();
        Signals::catch().map_err(|error| StartError::System(messages::NO_SIGNALS, error))?
    };
    let metrics = Arc::<metrics::Metrics>::default();
    let StoreUrl::Sqlite(database) = &config.store.url;
    let at = Moment { now: clock(), skew: config.token.skew_steps.get() };
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let key = config.master_key.source(credentials.as_deref());
    let passed = Passed::take().map_err(StartError::Socket)?;
    shut_in(source, &settings, &key, &passed)?;
    let (_lock, store, mut commits, vault) =
        store::open_in_turns(database, &key, at, &metrics).map_err(StartError::Store)?;
    let mut listening =
        Listening::new(passed, config.socket.as_path()).map_err(StartError::Socket)?;
    let queue = listening.queue();
    let for_metrics = metrics_listener(listening.take_metrics(), config.metrics.listen.get());
    let (listener, _removal) = listening.split();
    let exchanges =
        Exchanges::start().map_err(|error| StartError::System(messages::NO_THREAD, error))?;
    let guests = Guests::start().map_err(|error| StartError::System(messages::NO_THREAD, error))?;
    let clocks = Clocks { clock, uptime, watch: ClockWatch::new(clock_state) };
    let daemon = Arc::new(Daemon::new(settings, (store, vault), clocks, metrics, exchanges));
    daemon.clock_watch.look(uptime());
    let serving = serve(listener, queue, for_metrics, daemon, guests, signals);
    turns::run(&runtime, &mut commits, serving)
        .map_err(|error| StartError::System(messages::SERVER_FAILED, error))?
}

/// Leaves the daemon its own files and no program to run. Comes before any thread is started: it
/// holds for this one and those that it starts.
fn shut_in(
    source: &Source,
    settings: &Settings,
    key: &KeySource,
    passed: &Passed,
) -> Result<(), StartError> {
    let StoreUrl::Sqlite(database) = &settings.config.store.url;
    let mut written = store::make_directories(database, key).map_err(StartError::Store)?;
    if let Some(directory) = passed.missing(settings.config.socket.as_path()) {
        socket::make_directory(directory).map_err(StartError::Socket)?;
        written.push(directory.to_owned());
    }
    // Whole directories: a file that an editor puts into another's place is read by a reload.
    let group = Some(settings.config.exchange.group.as_str()).filter(|name| name.starts_with('/'));
    let files = [Some(source.path.as_path()), group.map(Path::new)].into_iter().flatten();
    // Where a link leads counts as well.
    let directories = files
        .flat_map(|file| [std::path::absolute(file).ok(), std::fs::canonicalize(file).ok()])
        .flatten()
        .filter_map(|file| Some(file.parent()?.to_owned()).filter(|directory| directory.exists()));
    let places = Places { written, read: directories.collect() };
    let confined = sandbox::confine(&places).map_err(StartError::Sandbox)?;
    if !confined.files {
        warn!("this kernel has no Landlock; what the daemon can write to is up to its user alone");
    }
    Ok(())
}

/// Those that mean something here.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    /// Caught so that it ends nobody: a write beyond `RLIMIT_FSIZE` is then an error like that of a full disk.
    _too_large: Signal,
}

impl Signals {
    fn catch() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            _too_large: signal(SignalKind::from_raw(libc::SIGXFSZ))?,
        })
    }
}

/// Where metrics are served, if anywhere: on systemd's socket, or on the configured address. Logins do not
/// wait for an address to become free, so it is no error that ends the daemon.
fn metrics_listener(
    passed: Option<std::net::TcpListener>,
    configured: Option<SocketAddr>,
) -> Option<std::net::TcpListener> {
    let listener = match (passed, configured) {
        (Some(passed), _) => Ok(passed),
        (None, Some(address)) => std::net::TcpListener::bind(address),
        (None, None) => return None,
    };
    let listening = listener.and_then(|listener| {
        listener.set_nonblocking(true)?;
        if !metrics::serve::is_loopback(&listener.local_addr()?) {
            return Err(std::io::Error::other(messages::NOT_LOOPBACK));
        }
        Ok(listener)
    });
    listening
        .inspect_err(|error| {
            error!(%error, "no metrics: cannot listen for them (below systemd, enable mfa-metrics.socket)");
        })
        .ok()
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
    for_metrics: Option<std::net::TcpListener>,
    daemon: Arc<Daemon>,
    guests: Guests,
    mut signals: Signals,
) -> Result<(), StartError> {
    let system = |error| StartError::System(messages::NOT_LISTENING, error);
    let listener = tokio::net::UnixListener::from_std(listener).map_err(system)?;
    let (stop, stopped) = watch::channel(false);
    let reloading = tokio::spawn(reload_on(signals.hangup, Arc::clone(&daemon)));
    let exposing = for_metrics
        .map(tokio::net::TcpListener::from_std)
        .transpose()
        .map_err(system)?
        .map(|listener| tokio::spawn(metrics::serve::serve(listener, Arc::clone(&daemon))));
    let census = Arc::clone(&daemon);
    let renewing = Arc::clone(&daemon);
    tokio::spawn(Arc::clone(&daemon).look_at_start(oneself()));
    tokio::spawn(async move { renewing.resume_rekey(oneself()).await });
    let watched = Watched::by_systemd(daemon.store.progress())
        .map_err(|error| StartError::System(messages::NO_WATCHDOG, error))?;
    let serving = tokio::spawn(server::serve(listener, queue, daemon, stopped, watched, guests));
    systemd::tell(&[NotifyState::Ready]);
    info!(version = env!("CARGO_PKG_VERSION"), "ready");
    tokio::select! {
        _ = signals.terminate.recv() => {}
        _ = signals.interrupt.recv() => {}
    }
    // No "ready" may follow.
    reloading.abort();
    if let Some(exposing) = exposing {
        exposing.abort();
    }
    census.metrics.census.stop();
    systemd::tell(&[NotifyState::Stopping]);
    info!("stopping");
    let _ = stop.send(true);
    serving.await.map_err(|error| StartError::System(messages::SERVER_FAILED, error.into()))
}

/// SIGHUP: a new configuration, or the old one and the reason in the log. systemd waits from "reloading",
/// with its moment, to "ready", sd_notify(3); the daemon serves all the while.
async fn reload_on(mut hangup: Signal, daemon: Arc<Daemon>) {
    while hangup.recv().await.is_some() {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => systemd::tell(&[NotifyState::Reloading, now]),
            Err(error) => warn!(%error, "cannot tell systemd when the reload began"),
        }
        // The log and the trail say what came of it. Who sent a signal is not known.
        let _ = daemon.reload(oneself()).await;
        systemd::tell(&[NotifyState::Ready]);
    }
}

fn oneself() -> Peer {
    let (uid, gid) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    Peer { uid, gid, pid: nix::unistd::getpid().as_raw() }
}

/// No core dump, no ptrace by others of the same uid (`PR_SET_DUMPABLE`, prctl(2)): the memory
/// holds secrets.
fn keep_memory_private() -> Result<(), StartError> {
    nix::sys::prctl::set_dumpable(false)
        .map_err(|error| StartError::System(messages::MEMORY_OPEN, error.into()))
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
