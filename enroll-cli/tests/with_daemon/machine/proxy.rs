// SPDX-License-Identifier: GPL-3.0-or-later
//! Stands between command and daemon, and drops the connection after a given number of frames.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// What becomes of connections after the one that was dropped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Afterwards {
    Served,
    Refused,
}

/// A listener that serves connections in a thread of its own.
pub(crate) struct Proxy {
    path: PathBuf,
    _thread: JoinHandle<()>,
}

impl Proxy {
    /// Passes `frames` frames of the first connection on, in either direction, and then closes it.
    pub(crate) fn cutting(
        path: PathBuf,
        daemon: &Path,
        frames: usize,
        afterwards: Afterwards,
    ) -> Self {
        Self::cutting_later(path, daemon, 0, frames, afterwards)
    }

    /// The same after so many connections that are served to their end.
    pub(crate) fn cutting_later(
        path: PathBuf,
        daemon: &Path,
        before: usize,
        frames: usize,
        afterwards: Afterwards,
    ) -> Self {
        let listener = UnixListener::bind(&path).unwrap();
        let daemon = daemon.to_owned();
        let own = path.clone();
        let thread = std::thread::spawn(move || {
            for _ in 0..before {
                let (client, _) = listener.accept().unwrap();
                pass(client, UnixStream::connect(&daemon).unwrap(), usize::MAX);
            }
            let (client, _) = listener.accept().unwrap();
            if afterwards == Afterwards::Refused {
                std::fs::remove_file(&own).unwrap();
            }
            pass(client, UnixStream::connect(&daemon).unwrap(), frames);
            if afterwards == Afterwards::Served {
                for client in listener.incoming().flatten() {
                    pass(client, UnixStream::connect(&daemon).unwrap(), usize::MAX);
                }
            }
        });
        Self { path, _thread: thread }
    }

    /// Passes `frames` frames of the first connection on, says so once another question is there,
    /// and holds that back until it is told to pass it on. Later connections are served meanwhile.
    pub(crate) fn holding(
        path: PathBuf,
        daemon: &Path,
        frames: usize,
    ) -> (Self, Receiver<()>, Sender<()>) {
        let listener = UnixListener::bind(&path).unwrap();
        let daemon = daemon.to_owned();
        let ((held, is_held), (pass_on, may_pass)) = (channel(), channel());
        let thread = std::thread::spawn(move || {
            let (client, _) = listener.accept().unwrap();
            let upstream = UnixStream::connect(&daemon).unwrap();
            std::thread::spawn(move || {
                for client in listener.incoming().flatten() {
                    pass(client, UnixStream::connect(&daemon).unwrap(), usize::MAX);
                }
            });
            let mut ends = (client, upstream);
            for number in 0..frames {
                let passed = match number % 2 {
                    0 => frame(&mut ends.0, &mut ends.1),
                    _ => frame(&mut ends.1, &mut ends.0),
                };
                passed.unwrap();
            }
            let (mut client, mut upstream) = ends;
            let mut question = vec![0; 4096];
            let length = client.read(&mut question).unwrap();
            question.truncate(length);
            held.send(()).unwrap();
            if may_pass.recv().is_ok() {
                upstream.write_all(&question).unwrap();
                std::io::copy(&mut client, &mut upstream).unwrap();
                // Until the daemon has answered.
                let _ = upstream.read(&mut [0]);
                held.send(()).unwrap();
            }
        });
        (Self { path, _thread: thread }, is_held, pass_on)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Questions and answers take turns, so one thread is enough.
fn pass(mut client: UnixStream, mut daemon: UnixStream, frames: usize) {
    for number in 0..frames {
        let passed = match number % 2 {
            0 => frame(&mut client, &mut daemon),
            _ => frame(&mut daemon, &mut client),
        };
        if passed.is_err() {
            return;
        }
    }
    if frames % 2 == 1 {
        // The daemon has the question: let it finish before the connection goes.
        let _ = daemon.read(&mut [0]);
    }
    let _ = client.shutdown(Shutdown::Both);
}

fn frame(from: &mut UnixStream, to: &mut UnixStream) -> std::io::Result<()> {
    let mut header = [0; 4];
    from.read_exact(&mut header)?;
    let mut payload = vec![0; u32::from_be_bytes(header) as usize];
    from.read_exact(&mut payload)?;
    to.write_all(&header)?;
    to.write_all(&payload)
}
