// SPDX-License-Identifier: GPL-3.0-or-later
//! A line from the terminal without echo. Echo is off before the prompt is shown, and on again
//! whatever ends the question: a signal that would end or stop the process waits for that.

use std::io;

use nix::errno::Errno;
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::signals::HeldSignals;
use super::{Line, read_line};
use crate::failure::Failure;

/// Asks until a line is there; `None` at the end of the input. `prompt` is shown again where the
/// process was stopped and goes on.
pub(super) fn ask(mut prompt: impl FnMut()) -> Result<Option<Zeroizing<String>>, Failure> {
    loop {
        let held = HeldSignals::hold().map_err(input)?;
        let quiet = QuietTerminal::of_stdin().map_err(input)?;
        prompt();
        let line = read_line(|| held.wait_for_stdin());
        // In this order: a signal that has come takes effect with echo on.
        drop(quiet);
        drop(held);
        match line? {
            Line::Text(text) => return Ok(Some(text)),
            Line::End => return Ok(None),
            Line::Interrupted => {}
        }
    }
}

/// Standard input without echo, except for the line end.
struct QuietTerminal {
    before: Termios,
}

impl QuietTerminal {
    fn of_stdin() -> Result<Self, Errno> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_flags.remove(LocalFlags::ECHO);
        quiet.local_flags.insert(LocalFlags::ECHONL);
        // What was typed before the prompt was typed with echo and meant for something else.
        tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &quiet)?;
        Ok(Self { before })
    }
}

impl Drop for QuietTerminal {
    fn drop(&mut self) {
        // What was typed blind and not sent yet is nobody's to show: a shell would read and echo it
        // (CVE-2025-64170).
        let _ = tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &self.before);
    }
}

fn input(error: Errno) -> Failure {
    Failure::Input(error.into())
}
