// SPDX-License-Identifier: GPL-3.0-or-later
//! Who is at the other end: the kernel's word, never the peer's own.

use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

/// Credentials of a peer when it connected (a client) or began to listen (a daemon).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer {
    /// Effective user id.
    pub uid: u32,
    /// Effective group id.
    pub gid: u32,
    /// Process id; for the log only, since it may be another process by now.
    pub pid: i32,
}

impl Peer {
    /// Asks the kernel (`SO_PEERCRED`, see unix(7)).
    ///
    /// # Errors
    /// Where `socket` is no connected Unix socket.
    pub fn of(socket: &impl AsFd) -> io::Result<Self> {
        let credentials = getsockopt(socket, PeerCredentials)?;
        Ok(Self { uid: credentials.uid(), gid: credentials.gid(), pid: credentials.pid() })
    }
}

/// Why what listens behind a path must not be told a code.
#[derive(Debug)]
pub enum TrustError {
    /// A part of the path cannot be looked at.
    Unreadable(PathBuf, io::Error),
    /// The path is relative or has no directory.
    NotAbsolute(PathBuf),
    /// The last part is not a socket (a symbolic link is none).
    NotASocket(PathBuf),
    /// The socket's directory is a symbolic link or no directory.
    NotADirectory(PathBuf),
    /// Others than the owner may write into the directory.
    Writable(PathBuf),
    /// A directory above belongs to somebody who could put another one in its place.
    ForeignOwner(PathBuf, u32),
    /// The peer is neither root nor the owner of the socket's directory.
    Impostor {
        /// Who listens.
        peer: u32,
        /// Who should.
        owner: u32,
    },
}

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(path, error) => write!(f, "{}: {error}", path.display()),
            Self::NotAbsolute(path) => {
                write!(f, "{}: the socket's path must be absolute", path.display())
            }
            Self::NotASocket(path) => write!(f, "{} is not a socket", path.display()),
            Self::NotADirectory(path) => write!(f, "{} is not a directory", path.display()),
            Self::Writable(path) => write!(
                f,
                "{} can be written to by others than its owner, so anybody could listen there",
                path.display()
            ),
            Self::ForeignOwner(path, uid) => write!(
                f,
                "{} belongs to uid {uid}, who could put another socket in place",
                path.display()
            ),
            Self::Impostor { peer, owner } => write!(
                f,
                "the socket is served by uid {peer}, neither root nor its directory's owner (uid {owner})"
            ),
        }
    }
}

impl std::error::Error for TrustError {}

/// The uid that may serve `socket` beside root: the owner of its directory.
///
/// The directory must be writable by its owner alone; the ones above must belong to root or to
/// `caller` and be writable by them alone, or sticky with the next part belonging to one of them.
///
/// # Errors
/// [`TrustError`] names the part of the path that is not as it must be.
pub fn trusted_owner(socket: &Path, caller: u32) -> Result<u32, TrustError> {
    let directory = match socket.parent() {
        Some(directory) if socket.is_absolute() => directory,
        _ => return Err(TrustError::NotAbsolute(socket.to_owned())),
    };
    if !look(socket)?.file_type().is_socket() {
        return Err(TrustError::NotASocket(socket.to_owned()));
    }
    let found = look(directory)?;
    if !found.is_dir() {
        return Err(TrustError::NotADirectory(directory.to_owned()));
    }
    if writable_by_others(&found) {
        return Err(TrustError::Writable(directory.to_owned()));
    }
    let real = fs::canonicalize(directory)
        .map_err(|error| TrustError::Unreadable(directory.to_owned(), error))?;
    let mut below_owner = found.uid();
    for above in real.ancestors().skip(1) {
        let met = look(above)?;
        let sticky = met.permissions().mode() & 0o1000 != 0;
        if writable_by_others(&met) && !(sticky && is_trusted(below_owner, caller)) {
            return Err(TrustError::Writable(above.to_owned()));
        }
        if !is_trusted(met.uid(), caller) {
            return Err(TrustError::ForeignOwner(above.to_owned(), met.uid()));
        }
        below_owner = met.uid();
    }
    Ok(found.uid())
}

/// Checks who answers on a connected socket against [`trusted_owner`]'s result.
///
/// # Errors
/// [`TrustError::Impostor`].
pub fn check_daemon(peer: Peer, owner: u32) -> Result<(), TrustError> {
    if peer.uid == 0 || peer.uid == owner {
        Ok(())
    } else {
        Err(TrustError::Impostor { peer: peer.uid, owner })
    }
}

fn look(path: &Path) -> Result<Metadata, TrustError> {
    fs::symlink_metadata(path).map_err(|error| TrustError::Unreadable(path.to_owned(), error))
}

fn is_trusted(uid: u32, caller: u32) -> bool {
    uid == 0 || uid == caller
}

fn writable_by_others(found: &Metadata) -> bool {
    found.permissions().mode() & 0o022 != 0
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn me() -> u32 {
        nix::unistd::geteuid().as_raw()
    }

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_socket_in_a_private_directory_is_trusted_and_links_and_open_directories_are_not() {
        let home = tempfile::tempdir().unwrap();
        let run = home.path().join("run");
        fs::create_dir(&run).unwrap();
        chmod(&run, 0o755);
        let socket = run.join("s");
        let _listener = UnixListener::bind(&socket).unwrap();
        assert_eq!(trusted_owner(&socket, me()).unwrap(), me());

        symlink(&socket, run.join("link")).unwrap();
        let link = trusted_owner(&run.join("link"), me());
        assert!(matches!(link, Err(TrustError::NotASocket(_))), "{link:?}");

        symlink(&run, home.path().join("other")).unwrap();
        let through_link = trusted_owner(&home.path().join("other/s"), me());
        assert!(matches!(through_link, Err(TrustError::NotADirectory(_))), "{through_link:?}");

        for mode in [0o775, 0o757, 0o1777] {
            chmod(&run, mode);
            let open = trusted_owner(&socket, me());
            assert!(matches!(open, Err(TrustError::Writable(_))), "{mode:o} {open:?}");
        }
        chmod(&run, 0o755);

        chmod(home.path(), 0o777);
        let replaceable = trusted_owner(&socket, me());
        assert!(matches!(replaceable, Err(TrustError::Writable(_))), "{replaceable:?}");
        chmod(home.path(), 0o755);
        assert!(trusted_owner(&socket, me()).is_ok());
        assert!(matches!(trusted_owner(Path::new("run/s"), me()), Err(TrustError::NotAbsolute(_))));
    }

    #[test]
    fn only_root_and_the_owner_of_the_directory_pass_as_the_daemon() {
        let peer = |uid| Peer { uid, gid: uid, pid: 1 };
        assert!(check_daemon(peer(0), 990).is_ok());
        assert!(check_daemon(peer(990), 990).is_ok());
        assert!(matches!(
            check_daemon(peer(1000), 990),
            Err(TrustError::Impostor { peer: 1000, owner: 990 })
        ));
    }
}
