// SPDX-License-Identifier: GPL-3.0-or-later
//! An attacker on the socket: `flood KIND SOCKET UID SIZE`. Raises its limit of descriptors, becomes UID, and
//! goes on until its standard input ends or it was counted out; then prints how often it has done it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "test code")]

use std::collections::VecDeque;
use std::io::{IoSlice, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use std::{env, io};

use mfa_crypto::Group;
use mfa_proto::exchange::{KexInit, Purpose};
use mfa_proto::frame;
use mfa_proto::{Blob, Request, UserName};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use nix::unistd::{Gid, Uid, setgid, setgroups, setuid};

/// Descriptors that a flooding process may have.
const DESCRIPTORS: u64 = 12_000;
/// That of a frame of 16 KiB.
const HEAD: [u8; frame::HEADER_LEN] = [0, 0, 0x40, 0];
/// Descriptors in one message, `SCM_MAX_FD`.
const PASSED: usize = 253;
/// Frames without content in one write.
const EMPTY: usize = 100;
/// Questions in one write of a peer that reads no answer.
const QUESTIONS: usize = 40;
/// What slow peers wait for between their rounds. Those that never pause are another flood.
const PAUSE: Duration = Duration::from_millis(200);
/// The longest frame.
const LARGE: usize = 65_536;

fn main() {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [kind, socket, uid, size] = arguments.as_slice() else {
        panic!("usage: flood KIND SOCKET UID SIZE");
    };
    let (uid, size): (u32, usize) = (uid.parse().unwrap(), size.parse().unwrap());
    setrlimit(Resource::RLIMIT_NOFILE, DESCRIPTORS, DESCRIPTORS).unwrap();
    setgroups(&[]).unwrap();
    setgid(Gid::from_raw(uid)).unwrap();
    setuid(Uid::from_raw(uid)).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let ends = Arc::clone(&stop);
    thread::spawn(move || {
        let _ = io::stdin().read(&mut [0]);
        ends.store(true, Ordering::Relaxed);
    });
    let flood = Flood { socket, size, stop };
    let count = match kind.as_str() {
        "connections" => flood.connections(),
        "reconnections" => flood.reconnections(),
        "half-closed" => flood.half_closed(),
        "slow-writers" => flood.slow_writers(),
        "slow-readers" => flood.slow_readers(),
        "empty-frames" => flood.empty_frames(),
        "large-frames" => flood.large_frames(),
        "exchanges" => flood.exchanges(|_| true),
        "computed-exchanges" => flood.exchanges(computed),
        "descriptors" => flood.descriptors(),
        other => panic!("no such flood: {other}"),
    };
    writeln!(io::stdout().lock(), "{count}").unwrap();
}

/// Whether an exchange was computed, and not turned away by the quota.
fn computed(answer: &[u8]) -> bool {
    answer.windows(11).any(|word| word == br#""kex_reply""#)
}

/// Waits where there are as many connections as are held.
fn unhurried(stream: UnixStream, full: bool) -> UnixStream {
    if full {
        thread::sleep(Duration::from_millis(5));
    }
    stream
}

struct Flood<'a> {
    socket: &'a str,
    size: usize,
    stop: Arc<AtomicBool>,
}

impl Flood<'_> {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn connect(&self) -> Option<UnixStream> {
        UnixStream::connect(self.socket).ok()
    }

    /// Opens `size` of them as quickly as it can and holds them, served or not; then takes another one for the
    /// oldest every 5 ms.
    fn connections(&self) -> u64 {
        self.held(unhurried)
    }

    /// The same without a pause: as many as the daemon can turn away.
    fn reconnections(&self) -> u64 {
        self.held(|stream, _| stream)
    }

    /// As [`Self::connections`], each with its writing half closed.
    fn half_closed(&self) -> u64 {
        self.held(|stream, full| {
            let _ = stream.shutdown(Shutdown::Write);
            unhurried(stream, full)
        })
    }

    /// Holds the last `size` connections; `made` is told of each, and whether there are as many already.
    fn held(&self, made: impl Fn(UnixStream, bool) -> UnixStream) -> u64 {
        let (mut held, mut count) = (VecDeque::new(), 0);
        while self.goes_on() {
            let Some(stream) = self.connect() else { continue };
            held.push_back(made(stream, held.len() >= self.size));
            count += 1;
            if held.len() > self.size {
                held.pop_front();
            }
        }
        count
    }

    /// Holds `size` connections and sends on each the head of a frame, and a byte of it now and then. Counts what
    /// the socket took.
    fn slow_writers(&self) -> u64 {
        let mut held: Vec<_> = (0..self.size).map(|_| None).collect();
        let mut count = 0;
        while self.goes_on() {
            for place in &mut held {
                if !self.goes_on() {
                    break;
                }
                let bytes: &[u8] = if place.is_some() {
                    b"{"
                } else {
                    *place = self.connect();
                    &HEAD
                };
                let Some(stream) = place else { continue };
                if stream.write(bytes).is_ok() {
                    count += 1;
                } else {
                    *place = None;
                }
            }
            thread::sleep(PAUSE);
        }
        count
    }

    /// Asks on `size` connections until the answers have no room, and reads none of them.
    fn slow_readers(&self) -> u64 {
        let question = frame::encode(1, Request::Params {}).unwrap().repeat(QUESTIONS);
        let ask = |stream: &mut UnixStream| {
            stream.set_nonblocking(true)?;
            stream.write(&question)
        };
        let mut held: Vec<_> = (0..self.size).map(|_| self.connect()).collect();
        let mut count = 0;
        while self.goes_on() {
            for place in &mut held {
                if !self.goes_on() {
                    break;
                }
                match place.as_mut().map(ask) {
                    Some(Ok(_)) => count += 1,
                    Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
                    _ => *place = self.connect(),
                }
            }
            thread::sleep(PAUSE);
        }
        count
    }

    /// Until `size` frames of no length are sent.
    fn empty_frames(&self) -> u64 {
        let mut count = 0;
        while self.goes_on() && count < self.size {
            let Some(mut stream) = self.connect() else { continue };
            if stream.write_all(&[0; EMPTY * frame::HEADER_LEN]).is_ok() {
                count += EMPTY;
            }
            // Until it is closed, as the first of them makes the daemon do.
            let _ = io::copy(&mut stream, &mut io::sink());
        }
        count as u64
    }

    /// Frames of the greatest length that are valid and refused, on `size` connections.
    fn large_frames(&self) -> u64 {
        let mut users: Vec<UserName> = Vec::new();
        let question =
            |users: &[UserName]| frame::encode(1, Request::AdminKnown { users: users.to_vec() });
        while users.len() * 250 < LARGE - 1000 {
            users.push(UserName::new("x".repeat(240)).unwrap());
        }
        let question = question(&users).unwrap();
        self.asking(&question, |_| true)
    }

    /// Valid halves of exchanges, for whoever has this uid, on `size` connections.
    fn exchanges(&self, counts: impl Fn(&[u8]) -> bool) -> u64 {
        let group = Group::named("ffdhe2048").unwrap();
        // 4 is a square, so it is in the subgroup. To compute one costs more than to ask.
        let mut public = vec![0; group.p().len()];
        *public.last_mut().unwrap() = 4;
        let user = nix::unistd::User::from_uid(Uid::current()).unwrap();
        let init = KexInit {
            purpose: Purpose::Enroll,
            user: UserName::new(user.map_or_else(|| "nobody-at-all".to_owned(), |user| user.name))
                .unwrap(),
            group: Blob::new(group.fingerprint()),
            client_public: Blob::new(public),
            client_nonce: Blob::new([7; 32]),
        };
        let question = frame::encode(1, Request::KexInit(init)).unwrap();
        self.asking(&question, counts)
    }

    /// Asks on `size` connections at once, reads the answers, and connects anew where that is needed.
    fn asking(&self, question: &[u8], counts: impl Fn(&[u8]) -> bool) -> u64 {
        let ask = |stream: &mut UnixStream| -> io::Result<()> { stream.write_all(question) };
        let hear = |stream: &mut UnixStream| -> io::Result<bool> {
            let mut header = [0; frame::HEADER_LEN];
            stream.read_exact(&mut header)?;
            let mut answer = vec![0; frame::payload_len(header).map_err(io::Error::other)?];
            stream.read_exact(&mut answer)?;
            Ok(counts(&answer))
        };
        let mut held: Vec<Option<UnixStream>> = (0..self.size).map(|_| None).collect();
        let mut count = 0;
        while self.goes_on() {
            for place in &mut held {
                // An exchange is one a connection.
                *place = self.connect();
                if place.as_mut().is_some_and(|stream| ask(stream).is_err()) {
                    *place = None;
                }
            }
            for place in held.iter_mut().flatten() {
                if hear(place).is_ok_and(|counts| counts) {
                    count += 1;
                }
            }
        }
        count
    }

    /// A question with as many descriptors as a message takes, again and again.
    fn descriptors(&self) -> u64 {
        let question = frame::encode(1, Request::Params {}).unwrap();
        let own = io::stdin().as_raw_fd();
        let passed: Vec<RawFd> = vec![own; PASSED];
        let mut held: Vec<_> = (0..self.size).map(|_| self.connect()).collect();
        let mut count = 0;
        while self.goes_on() {
            for place in &mut held {
                let Some(stream) = place.as_mut() else {
                    *place = self.connect();
                    continue;
                };
                let sent = sendmsg::<()>(
                    stream.as_raw_fd(),
                    &[IoSlice::new(&question)],
                    &[ControlMessage::ScmRights(&passed)],
                    MsgFlags::MSG_NOSIGNAL,
                    None,
                );
                let mut header = [0; frame::HEADER_LEN];
                let heard = sent.is_ok()
                    && stream.read_exact(&mut header).is_ok()
                    && frame::payload_len(header)
                        .is_ok_and(|len| stream.read_exact(&mut vec![0; len]).is_ok());
                if heard {
                    count += u64::try_from(PASSED).unwrap();
                } else {
                    *place = self.connect();
                }
            }
        }
        count
    }
}
