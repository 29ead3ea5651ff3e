// SPDX-License-Identifier: GPL-3.0-or-later
//! The listening sockets: those that systemd passes, or the daemon's own.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use listenfd::ListenFd;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::socket::{Backlog, listen};
use nix::sys::stat::{Mode, umask};

use crate::messages::start as messages;
use crate::server::Queue;
use crate::store::beside;

/// A socket to accept on.
pub struct Listening {
    /// Non-blocking, as tokio wants it.
    pub listener: UnixListener,
    /// The daemon's own socket, removed when it stops; `None` where systemd keeps it.
    own: Option<Own>,
    /// One for metrics, where systemd passes it.
    metrics: Option<TcpListener>,
}

/// What systemd passes.
#[derive(Default)]
pub struct Passed {
    requests: Option<UnixListener>,
    metrics: Option<TcpListener>,
}

struct Own {
    path: PathBuf,
    _lock: Flock<File>,
}

/// Why there is no socket.
#[derive(Debug)]
pub enum SocketError {
    /// What systemd passed is neither a Unix stream socket nor one for metrics, or there are two of a
    /// kind.
    Passed(io::Error),
    /// The path cannot be used.
    Path(PathBuf, io::Error),
    /// Another daemon listens there.
    InUse(PathBuf),
}

impl fmt::Display for SocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed(error) => write!(f, "the socket passed by systemd: {error}"),
            Self::Path(path, error) => write!(f, "socket {}: {error}", path.display()),
            Self::InUse(path) => {
                write!(f, "another mfa-daemon listens on {}; stop it first", path.display())
            }
        }
    }
}

impl std::error::Error for SocketError {}

impl Listening {
    /// Takes systemd's socket or makes one at `path`.
    ///
    /// # Errors
    /// [`SocketError`].
    pub fn new(passed: Passed, path: &Path) -> Result<Self, SocketError> {
        let Passed { requests, metrics } = passed;
        let (listener, own) = match requests {
            Some(listener) => (listener, None),
            None => {
                let (listener, own) = bind(path)?;
                (listener, Some(own))
            }
        };
        listener
            .set_nonblocking(true)
            .map_err(|error| SocketError::Path(path.to_owned(), error))?;
        Ok(Self { listener, own, metrics })
    }

    /// What becomes of waiting connections when the daemon stops.
    #[must_use]
    pub fn queue(&self) -> Queue {
        if self.own.is_some() { Queue::Ends } else { Queue::Stays }
    }

    /// Takes out the socket for metrics that systemd passed.
    #[must_use]
    pub fn take_metrics(&mut self) -> Option<TcpListener> {
        self.metrics.take()
    }

    /// Takes the listener out; what is left removes the path when dropped.
    #[must_use]
    pub fn split(self) -> (UnixListener, impl Drop) {
        (self.listener, Removal(self.own))
    }
}

impl Passed {
    /// Takes over what `LISTEN_FDS` says, sd_listen_fds(3).
    ///
    /// # Errors
    /// [`SocketError::Passed`].
    pub fn take() -> Result<Self, SocketError> {
        Self::from(ListenFd::from_env()).map_err(SocketError::Passed)
    }

    /// Told apart by their families: the order of several units is not fixed.
    fn from(mut sockets: ListenFd) -> io::Result<Self> {
        let mut passed = Self::default();
        for index in 0..sockets.len() {
            let doubled = match sockets.take_unix_listener(index) {
                Ok(socket) => std::mem::replace(&mut passed.requests, socket).is_some(),
                Err(neither) => {
                    let socket = sockets.take_tcp_listener(index).map_err(|_| neither)?;
                    std::mem::replace(&mut passed.metrics, socket).is_some()
                }
            };
            if doubled {
                return Err(io::Error::other(messages::TWO_SOCKETS));
            }
        }
        Ok(passed)
    }

    /// The directory that a socket has to be made in; none where systemd passed one.
    #[must_use]
    pub fn missing<'a>(&self, path: &'a Path) -> Option<&'a Path> {
        if self.requests.is_some() { None } else { path.parent() }
    }
}

/// Makes the directory of a socket where it is not there.
///
/// # Errors
/// [`SocketError`].
pub fn make_directory(directory: &Path) -> Result<(), SocketError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(directory)
        .map_err(|error| SocketError::Path(directory.to_owned(), error))
}

struct Removal(Option<Own>);

impl Drop for Removal {
    fn drop(&mut self) {
        if let Some(own) = &self.0 {
            let _ = fs::remove_file(&own.path);
        }
    }
}

/// Connections that wait to be accepted, as in mfa.socket. Whoever comes after a crowd waits behind it, so they are
/// few; one more is not refused, its connect(2) waits.
const QUEUE: i32 = 128;

/// Binds under a lock, so that of two daemons the second fails instead of taking the path away.
fn bind(path: &Path) -> Result<(UnixListener, Own), SocketError> {
    let failed = |error| SocketError::Path(path.to_owned(), error);
    if let Some(directory) = path.parent() {
        make_directory(directory)?;
        let found = fs::symlink_metadata(directory).map_err(failed)?;
        if found.permissions().mode() & 0o022 != 0 {
            return Err(failed(io::Error::other(messages::OPEN_DIRECTORY)));
        }
    }
    let lock_path = beside(path, ".lock");
    let file =
        OpenOptions::new().append(true).create(true).mode(0o600).open(lock_path).map_err(failed)?;
    let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock)
        .map_err(|_| SocketError::InUse(path.to_owned()))?;
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => fs::remove_file(path).map_err(failed)?,
        Ok(_) => {
            return Err(failed(io::Error::other(messages::NOT_A_SOCKET)));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    // Everybody may connect; who may ask what is decided by the peer's credentials.
    let before = umask(Mode::from_bits_truncate(0o111));
    let bound = UnixListener::bind(path);
    umask(before);
    let bound = bound.map_err(failed)?;
    // std listens with the longest queue that the kernel gives.
    Backlog::new(QUEUE)
        .and_then(|queue| listen(&bound, queue))
        .map_err(|error| failed(error.into()))?;
    Ok((bound, Own { path: path.to_owned(), _lock: lock }))
}
