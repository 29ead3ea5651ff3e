// SPDX-License-Identifier: GPL-3.0-or-later
//! The standard error, as long as it takes something: a reader that hangs must not hold up a login.

use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::messages::lines_lost;

/// What a pipe takes whole when it is ready (`PIPE_BUF`, pipe(7)).
const WHOLE: usize = 4096;

/// Lines that were not taken since the last one that was.
static LOST: AtomicU64 = AtomicU64::new(0);

/// A writer of whole lines. It is not made non-blocking: that would be so for whoever shares it.
#[derive(Default)]
pub(super) struct Stderr;

impl Write for Stderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut stderr = io::stderr().lock();
        if !takes(stderr.as_fd()) {
            LOST.fetch_add(1, Ordering::Relaxed);
            return Ok(line.len());
        }
        let lost = LOST.swap(0, Ordering::Relaxed);
        if lost > 0 {
            writeln!(stderr, "{}", lines_lost(lost))?;
            if !takes(stderr.as_fd()) {
                LOST.fetch_add(1, Ordering::Relaxed);
                return Ok(line.len());
            }
        }
        // The rest of a longer one would be waited for.
        let (first, rest) = line.split_at(line.len().min(WHOLE));
        stderr.write_all(first)?;
        if !rest.is_empty() && takes(stderr.as_fd()) {
            stderr.write_all(rest.get(..WHOLE).unwrap_or(rest))?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn takes(stderr: BorrowedFd<'_>) -> bool {
    let mut asked = [PollFd::new(stderr, PollFlags::POLLOUT)];
    poll(&mut asked, PollTimeout::ZERO).is_ok_and(|ready| ready == 1)
}
