// SPDX-License-Identifier: GPL-3.0-or-later
//! The physical limit of a login, as a daemon: `least-daemon SOCKET LOG`. Says `ready` when it
//! listens, and serves until it is killed.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "test code")]

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::{env, thread};

#[path = "../least.rs"]
#[expect(dead_code, unreachable_pub, reason = "pam-bench uses the rest")]
mod least;

/// One for each login that may be under way.
const THREADS: usize = 64;

fn main() {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let mut next = || arguments.next().expect("usage: least-daemon SOCKET LOG");
    let (socket, log) = (next(), next());
    let listener = Arc::new(least::listen(&socket));
    let log = Arc::new(least::Log::create(&log));
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (listener, log) = (Arc::clone(&listener), Arc::clone(&log));
            thread::spawn(move || least::serve(&listener, &log))
        })
        .collect();
    writeln!(io::stdout().lock(), "ready").unwrap();
    for thread in threads {
        thread.join().unwrap();
    }
}
