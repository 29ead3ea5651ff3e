// SPDX-License-Identifier: GPL-3.0-or-later
//! A blocking client. One deadline on the monotonic clock covers connecting (also to a full listen
//! queue), sending and receiving; no signal is raised, no descriptor inherited.

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, sockopt};
use nix::sys::time::TimeVal;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::frame::{self, FrameError, HEADER_LEN};
use crate::peer::{self, Peer, TrustError};
use crate::refusal::{ErrorAnswer, ErrorCode};

/// A question that was sent is answered within this time, or the daemon is too slow, however late
/// the question was. Whoever can stop this process (a set-user-ID program: its user, from the
/// terminal) can let any deadline pass, and must not make a daemon that answers look silent by it.
const ANSWER_MIN: Duration = Duration::from_millis(250);

/// A moment on the monotonic clock by which everything must be done.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

/// Why the daemon's answer is not to be had. None of these ever means "accepted".
#[derive(Debug)]
pub enum ClientError {
    /// Nothing listens there, or it may not be reached.
    Unreachable(io::Error),
    /// What listens there must not be told a code.
    Untrusted(TrustError),
    /// The deadline passed.
    TimedOut,
    /// The daemon closed the connection without an answer.
    Closed,
    /// The daemon refused the connection or could not read the question, and closed.
    Refused(ErrorAnswer),
    /// The connection failed.
    Broken(io::Error),
    /// The answer is not one.
    Answer(FrameError),
    /// The answer belongs to another question.
    WrongId,
    /// The question does not fit a frame.
    Question(FrameError),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(error) => write!(f, "cannot connect: {error}"),
            Self::Untrusted(error) => write!(f, "not to be trusted: {error}"),
            Self::TimedOut => write!(f, "no answer in time"),
            Self::Closed => write!(f, "the daemon closed the connection without an answer"),
            Self::Refused(refusal) => write!(f, "the daemon refused: {refusal}"),
            Self::Broken(error) => write!(f, "the connection failed: {error}"),
            Self::Answer(error) => write!(f, "the daemon's answer is no answer: {error}"),
            Self::WrongId => write!(f, "the daemon's answer belongs to another question"),
            Self::Question(error) => write!(f, "the question cannot be sent: {error}"),
        }
    }
}

impl std::error::Error for ClientError {}

impl Deadline {
    /// So much time from now.
    #[must_use]
    pub fn after(duration: Duration) -> Self {
        Self(Instant::now() + duration)
    }

    /// The same moment, but so much time from now at least.
    fn at_least(self, duration: Duration) -> Self {
        Self(self.0.max(Instant::now() + duration))
    }

    /// As [`Self::left`]; where none is left, the first attempt is made all the same. A call that
    /// need not wait succeeds then, and one that must is over at once.
    fn left_for(self, attempt: u32) -> Result<TimeVal, ClientError> {
        self.left().or_else(|error| if attempt == 0 { Ok(TimeVal::new(0, 1)) } else { Err(error) })
    }

    /// The time left as the kernel wants it, never zero, which would mean "for ever".
    fn left(self) -> Result<TimeVal, ClientError> {
        let left = self.0.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ClientError::TimedOut);
        }
        let left = left.max(Duration::from_micros(1));
        let seconds = i64::try_from(left.as_secs()).unwrap_or(i64::MAX);
        Ok(TimeVal::new(seconds, i64::from(left.subsec_micros())))
    }
}

/// A path that nobody but root, the caller and the owner of the socket's directory can change. Who
/// serves it is looked at anew with every connection.
#[derive(Debug)]
pub struct TrustedSocket {
    path: PathBuf,
    owner: u32,
}

/// A connection to a daemon that has passed [`peer::trusted_owner`].
#[derive(Debug)]
pub struct Client {
    socket: OwnedFd,
    next_id: u64,
}

impl TrustedSocket {
    /// Checks the path ([`peer::trusted_owner`]).
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] or [`ClientError::Untrusted`].
    pub fn check(path: &Path) -> Result<Self, ClientError> {
        let caller = nix::unistd::geteuid().as_raw();
        match peer::trusted_owner(path, caller) {
            Ok(owner) => Ok(Self { path: path.to_owned(), owner }),
            Err(TrustError::Unreadable(_, error)) => Err(ClientError::Unreachable(error)),
            Err(error) => Err(ClientError::Untrusted(error)),
        }
    }

    /// Connects, and checks who serves the socket before anything is sent.
    ///
    /// # Errors
    /// [`ClientError`] other than those about an answer.
    pub fn connect(&self, deadline: Deadline) -> Result<Client, ClientError> {
        let address = UnixAddr::new(&self.path).map_err(unreachable)?;
        let socket =
            socket::socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)
                .map_err(unreachable)?;
        for attempt in 0.. {
            // unix(7): a connect to a full queue blocks; SO_SNDTIMEO bounds it (EAGAIN).
            socket::setsockopt(&socket, sockopt::SendTimeout, &deadline.left_for(attempt)?)
                .map_err(unreachable)?;
            match socket::connect(socket.as_raw_fd(), &address) {
                Ok(()) => break,
                Err(Errno::EINTR | Errno::EAGAIN) => {}
                Err(error) => return Err(unreachable(error)),
            }
        }
        let peer = Peer::of(&socket).map_err(ClientError::Broken)?;
        peer::check_daemon(peer, self.owner).map_err(ClientError::Untrusted)?;
        Ok(Client { socket, next_id: first_id() })
    }
}

impl Client {
    /// Connects to the daemon at `path` and checks who serves it, before anything is sent.
    ///
    /// # Errors
    /// [`ClientError`] other than those about an answer.
    pub fn connect(path: &Path, deadline: Deadline) -> Result<Self, ClientError> {
        TrustedSocket::check(path)?.connect(deadline)
    }

    /// Asks one question and waits for its answer.
    ///
    /// # Errors
    /// [`ClientError`]; the connection is then of no further use.
    pub fn call<Q: Serialize, A: DeserializeOwned>(
        &mut self,
        question: Q,
        deadline: Deadline,
    ) -> Result<A, ClientError> {
        let id = self.ask(question, deadline)?;
        self.answer(id, deadline)
    }

    /// Sends a question whose answer is fetched later, by its number and after those of earlier
    /// questions. Few may be under way: whoever sends and never fetches waits for room at last.
    ///
    /// # Errors
    /// [`ClientError`]; the connection is then of no further use.
    pub fn ask<Q: Serialize>(
        &mut self,
        question: Q,
        deadline: Deadline,
    ) -> Result<u64, ClientError> {
        let id = self.next_id;
        self.next_id = id.wrapping_add(1);
        let bytes = frame::encode(id, question).map_err(ClientError::Question)?;
        match self.send(&bytes, deadline) {
            Ok(()) => Ok(id),
            Err(error) => Err(self.last_word(error, deadline)),
        }
    }

    /// Waits for the answer to the question of this number.
    ///
    /// # Errors
    /// [`ClientError`]; the connection is then of no further use.
    pub fn answer<A: DeserializeOwned>(
        &mut self,
        id: u64,
        deadline: Deadline,
    ) -> Result<A, ClientError> {
        let payload = self.receive(deadline.at_least(ANSWER_MIN))?;
        match frame::decode::<A>(&payload) {
            Ok(answer) if answer.id == id => Ok(answer.body),
            other => Err(match (refusal(&payload), other) {
                (Some(refusal), _) => ClientError::Refused(refusal),
                (None, Ok(_)) => ClientError::WrongId,
                (None, Err(error)) => ClientError::Answer(error),
            }),
        }
    }

    /// What became of a question that could not be sent: whoever closes at once, for too many
    /// connections say, may have said why before. Nothing else can answer half a question.
    fn last_word(&self, error: ClientError, deadline: Deadline) -> ClientError {
        match error {
            ClientError::Closed => match self.receive(deadline).map(|payload| refusal(&payload)) {
                Ok(Some(refusal)) => ClientError::Refused(refusal),
                _ => ClientError::Closed,
            },
            error => error,
        }
    }

    fn send(&self, mut bytes: &[u8], deadline: Deadline) -> Result<(), ClientError> {
        // A question has room in the socket's buffer, so that no time need be set for it.
        let mut waits = false;
        while !bytes.is_empty() {
            let flags = if waits {
                socket::setsockopt(&self.socket, sockopt::SendTimeout, &deadline.left()?)
                    .map_err(broken)?;
                MsgFlags::MSG_NOSIGNAL
            } else {
                MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT
            };
            match socket::send(self.socket.as_raw_fd(), bytes, flags) {
                Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
                Err(Errno::EINTR | Errno::EAGAIN) => waits = true,
                Err(Errno::EPIPE | Errno::ECONNRESET) => return Err(ClientError::Closed),
                Err(error) => return Err(broken(error)),
            }
        }
        Ok(())
    }

    /// One payload. What follows it unasked is left: as an answer to the next question it has the
    /// wrong number.
    fn receive(&self, deadline: Deadline) -> Result<Zeroizing<Vec<u8>>, ClientError> {
        let mut header = [0; HEADER_LEN];
        self.fill(&mut header, deadline, true)?;
        let len = frame::payload_len(header).map_err(ClientError::Answer)?;
        let mut payload = Zeroizing::new(vec![0; len]);
        // It has come with its header, nearly always.
        self.fill(&mut payload, deadline, false)?;
        Ok(payload)
    }

    /// `waits`: for the first bytes as well; else only where they are not there yet.
    fn fill(
        &self,
        mut into: &mut [u8],
        deadline: Deadline,
        mut waits: bool,
    ) -> Result<(), ClientError> {
        while !into.is_empty() {
            // What has arrived is taken also when it is late: it may be this process that was.
            let late = deadline.left();
            let flags = match &late {
                Ok(left) if waits => {
                    socket::setsockopt(&self.socket, sockopt::ReceiveTimeout, left)
                        .map_err(broken)?;
                    MsgFlags::empty()
                }
                _ => MsgFlags::MSG_DONTWAIT,
            };
            match socket::recv(self.socket.as_raw_fd(), into, flags) {
                Ok(0) => return Err(ClientError::Closed),
                Ok(received) => into = into.get_mut(received..).unwrap_or_default(),
                Err(Errno::EINTR | Errno::EAGAIN) if !waits => waits = true,
                Err(Errno::EINTR | Errno::EAGAIN) => {
                    late?;
                }
                Err(Errno::ECONNRESET) => return Err(ClientError::Closed),
                Err(error) => return Err(broken(error)),
            }
        }
        Ok(())
    }
}

/// A refusal that belongs to no question, which is what the number 0 says. Nothing but a refusal is
/// ever taken without the number of its question.
fn refusal(payload: &[u8]) -> Option<ErrorAnswer> {
    // A struct: for a tagged enum serde makes 10 KiB more code, and this is in every login program.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Unasked {
        #[serde(rename = "type")]
        _type: Type,
        code: ErrorCode,
        message: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Type {
        Error,
    }
    let frame = frame::decode::<Unasked>(payload).ok()?;
    let Unasked { code, message, _type: Type::Error } = frame.body;
    (frame.id == 0).then_some(ErrorAnswer { code, message })
}

/// The first number of a connection: not the same on every one, so that an answer to another
/// connection's question is not taken for this one's. Never 0, which belongs to no question, and
/// below 2^53, which every JSON reader keeps.
fn first_id() -> u64 {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).map_or(1, |time| {
        let nanos = time.tv_sec().wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec());
        (nanos.cast_unsigned() & ((1 << 52) - 1)).max(1)
    })
}

fn unreachable(error: Errno) -> ClientError {
    ClientError::Unreachable(error.into())
}

fn broken(error: Errno) -> ClientError {
    ClientError::Broken(error.into())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::thread;

    use super::*;
    use crate::login::{BeginAnswer, LoginRequest, Origin};
    use crate::{ErrorCode, UserName, login::Begin};

    struct Place {
        _home: tempfile::TempDir,
        socket: PathBuf,
    }

    fn place() -> Place {
        let home = tempfile::tempdir().unwrap();
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        let socket = home.path().join("s");
        Place { _home: home, socket }
    }

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(5))
    }

    fn ask(socket: &Path, deadline: Deadline) -> Result<BeginAnswer, ClientError> {
        call(&mut Client::connect(socket, deadline)?, deadline)
    }

    fn call(client: &mut Client, deadline: Deadline) -> Result<BeginAnswer, ClientError> {
        let begin = LoginRequest::Begin(Begin {
            user: UserName::new("alice").unwrap(),
            origin: Origin::default(),
        });
        client.call(begin, deadline)
    }

    /// Reads one question and answers with what `answer` makes of its id.
    fn serve_once(listener: &UnixListener, answer: impl FnOnce(u64) -> Vec<u8>) {
        let (mut stream, _) = listener.accept().unwrap();
        let mut header = [0; HEADER_LEN];
        stream.read_exact(&mut header).unwrap();
        let mut payload = vec![0; frame::payload_len(header).unwrap()];
        stream.read_exact(&mut payload).unwrap();
        let id = frame::decode::<crate::Request>(&payload).unwrap().id;
        stream.write_all(&answer(id)).unwrap();
    }

    fn prompt(id: u64) -> Vec<u8> {
        frame::encode(id, BeginAnswer::Granted {}).unwrap().to_vec()
    }

    #[test]
    fn only_a_whole_answer_with_the_questions_number_is_taken() {
        let place = place();
        let listener = UnixListener::bind(&place.socket).unwrap();
        let whole = prompt(1).len();
        thread::scope(|scope| {
            scope.spawn(|| {
                serve_once(&listener, prompt);
                serve_once(&listener, |id| prompt(id + 1));
                for cut in 0..whole {
                    serve_once(&listener, |id| prompt(id)[..cut].to_vec());
                }
                serve_once(&listener, |_| u32::MAX.to_be_bytes().to_vec());
            });
            assert_eq!(ask(&place.socket, soon()).unwrap(), BeginAnswer::Granted {});
            assert!(matches!(ask(&place.socket, soon()), Err(ClientError::WrongId)));
            for cut in 0..whole {
                let answer = ask(&place.socket, soon());
                assert!(matches!(answer, Err(ClientError::Closed)), "{cut}: {answer:?}");
            }
            assert!(matches!(ask(&place.socket, soon()), Err(ClientError::Answer(_))));
        });
    }

    fn busy(id: u64) -> Vec<u8> {
        let refusal = ErrorAnswer { code: ErrorCode::Busy, message: "later".into() };
        frame::encode(id, refusal.tagged()).unwrap().to_vec()
    }

    #[test]
    fn a_refusal_before_the_question_was_sent_is_read() {
        let place = place();
        let listener = UnixListener::bind(&place.socket).unwrap();
        // The other end has spoken and is gone before the question is sent: EPIPE, every time.
        let ask_after = |said: &[u8]| {
            let mut client = Client::connect(&place.socket, soon()).unwrap();
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(said).unwrap();
            drop(stream);
            call(&mut client, soon())
        };
        let said = ask_after(&busy(0));
        assert!(
            matches!(&said, Err(ClientError::Refused(refusal)) if refusal.code == ErrorCode::Busy),
            "{said:?}"
        );
        assert!(said.unwrap_err().to_string().contains("later"));
        // An answer to a question that was not sent is none.
        for other in [&prompt(0)[..], &prompt(1), &busy(1), &busy(0)[..20], &[]] {
            let said = ask_after(other);
            assert!(matches!(said, Err(ClientError::Closed)), "{said:?}");
        }
        // The other end is gone with something unread: ECONNRESET.
        let mut client = Client::connect(&place.socket, soon()).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        socket::send(client.socket.as_raw_fd(), b"x", MsgFlags::MSG_NOSIGNAL).unwrap();
        stream.write_all(&busy(0)).unwrap();
        drop(stream);
        let said = call(&mut client, soon());
        assert!(matches!(said, Err(ClientError::Refused(_))), "{said:?}");
    }

    #[test]
    fn only_a_refusal_may_come_without_the_questions_number() {
        let place = place();
        let listener = UnixListener::bind(&place.socket).unwrap();
        // All are asked before any is judged, or a failure would leave the thread waiting.
        let [unasked, own, prompted, other] = thread::scope(|scope| {
            scope.spawn(|| {
                serve_once(&listener, |_| busy(0));
                serve_once(&listener, busy);
                serve_once(&listener, |_| prompt(0));
                serve_once(&listener, |id| busy(id + 1));
            });
            [(); 4].map(|()| ask(&place.socket, soon()))
        });
        assert!(matches!(unasked, Err(ClientError::Refused(_))), "{unasked:?}");
        assert!(matches!(own, Ok(BeginAnswer::Error(_))), "{own:?}");
        assert!(matches!(prompted, Err(ClientError::WrongId)), "{prompted:?}");
        assert!(matches!(other, Err(ClientError::WrongId)), "{other:?}");
    }

    #[test]
    fn a_full_listen_queue_and_a_silent_daemon_end_at_the_deadline() {
        let place = place();
        let listener = UnixListener::bind(&place.socket).unwrap();
        let short = Duration::from_millis(200);
        let started = Instant::now();
        let silent = ask(&place.socket, Deadline::after(short));
        assert!(matches!(silent, Err(ClientError::TimedOut)), "{silent:?}");

        let mut waiting = Vec::new();
        loop {
            match Client::connect(&place.socket, Deadline::after(Duration::from_millis(20))) {
                Ok(client) => waiting.push(client),
                Err(ClientError::TimedOut) => break,
                Err(error) => panic!("{error}"),
            }
        }
        let full = ask(&place.socket, Deadline::after(short));
        assert!(matches!(full, Err(ClientError::TimedOut)), "{full:?}");
        assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());

        drop(waiting);
        thread::scope(|scope| {
            scope.spawn(|| {
                // The abandoned connections come first; they read as closed.
                loop {
                    let (mut stream, _) = listener.accept().unwrap();
                    let mut header = [0; HEADER_LEN];
                    if stream.read_exact(&mut header).is_err() {
                        continue;
                    }
                    let mut payload = vec![0; frame::payload_len(header).unwrap()];
                    if stream.read_exact(&mut payload).is_err() {
                        continue;
                    }
                    let id = frame::decode::<crate::Request>(&payload).unwrap().id;
                    if stream.write_all(&prompt(id)).is_ok() {
                        break;
                    }
                }
            });
            assert_eq!(ask(&place.socket, soon()).unwrap(), BeginAnswer::Granted {});
        });
    }

    #[test]
    fn nothing_listening_is_told_apart_from_somebody_untrusted() {
        let place = place();
        assert!(matches!(ask(&place.socket, soon()), Err(ClientError::Unreachable(_))));
        drop(UnixListener::bind(&place.socket).unwrap());
        assert!(matches!(ask(&place.socket, soon()), Err(ClientError::Unreachable(_))));
        std::fs::remove_file(&place.socket).unwrap();
        std::fs::write(&place.socket, "").unwrap();
        assert!(matches!(ask(&place.socket, soon()), Err(ClientError::Untrusted(_))));
        let long = place.socket.with_file_name("s".repeat(120));
        assert!(matches!(ask(&long, soon()), Err(ClientError::Unreachable(_))));
    }

    #[test]
    fn the_socket_is_not_inherited_by_children() {
        let place = place();
        let _listener = UnixListener::bind(&place.socket).unwrap();
        let client = Client::connect(&place.socket, soon()).unwrap();
        let flags = nix::fcntl::fcntl(&client.socket, nix::fcntl::FcntlArg::F_GETFD).unwrap();
        assert_eq!(flags & libc_cloexec(), libc_cloexec());
        let plain = UnixStream::connect(&place.socket).unwrap();
        assert_eq!(Peer::of(&plain).unwrap().uid, nix::unistd::geteuid().as_raw());
    }

    fn libc_cloexec() -> i32 {
        nix::fcntl::FdFlag::FD_CLOEXEC.bits()
    }
}
