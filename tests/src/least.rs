// SPDX-License-Identifier: GPL-3.0-or-later
//! The least that a login costs where another process must remember that the code is spent: two
//! questions, and before the second answer one page that is durable.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Condvar, Mutex};

/// What is asked, as each byte of a question: is a code needed?
pub const BEGIN: u8 = 0;
/// Is this one right, and is it spent from now on?
pub const VERIFY: u8 = 1;

/// Bytes of a question or an answer, about those of `verify`.
pub const MESSAGE: usize = 128;

const PAGE: usize = 4096;
/// The file is written in place, round and round, as a write-ahead log that has grown is.
const PAGES: u64 = 64;

/// A log of pages. Those who wait while one is made durable share the next time.
pub struct Log {
    file: File,
    state: Mutex<State>,
    durable: Condvar,
}

#[derive(Default)]
struct State {
    written: u64,
    durable: u64,
    syncing: bool,
}

impl Log {
    /// A log in a new file of its full length.
    ///
    /// # Panics
    /// Where it cannot be written.
    pub fn create(path: &Path) -> Self {
        let file = File::create(path).unwrap();
        let log = Self { file, state: Mutex::default(), durable: Condvar::new() };
        (0..PAGES).for_each(|page| log.write(page));
        log.file.sync_all().unwrap();
        log
    }

    fn write(&self, page: u64) {
        self.file.write_all_at(&[0x5a; PAGE], page % PAGES * PAGE as u64).unwrap();
    }

    /// Writes a page and returns when it is durable.
    ///
    /// # Panics
    /// Where it cannot be written.
    pub fn append(&self) {
        let mut state = self.state.lock().unwrap();
        self.write(state.written);
        state.written += 1;
        let mine = state.written;
        while state.durable < mine {
            if state.syncing {
                state = self.durable.wait(state).unwrap();
                continue;
            }
            state.syncing = true;
            let until = state.written;
            drop(state);
            self.file.sync_data().unwrap();
            state = self.state.lock().unwrap();
            state.syncing = false;
            state.durable = until;
            self.durable.notify_all();
        }
    }
}

/// Serves one connection after the other, for ever.
///
/// # Panics
/// Where a connection breaks.
pub fn serve(listener: &UnixListener, log: &Log) {
    for stream in listener.incoming() {
        answer(stream.unwrap(), log);
    }
}

fn answer(mut stream: UnixStream, log: &Log) {
    let mut question = [0; MESSAGE];
    stream.read_exact(&mut question).unwrap();
    if question[0] == VERIFY {
        log.append();
    }
    stream.write_all(&question).unwrap();
}

/// Listens at a path that nothing listens at any more.
///
/// # Panics
/// Where that is not possible.
pub fn listen(socket: &Path) -> UnixListener {
    drop(fs::remove_file(socket));
    UnixListener::bind(socket).unwrap()
}
