// SPDX-License-Identifier: GPL-3.0-or-later
//! A line from the terminal without echo. Echo is off before the prompt is shown, and on again
//! whatever ends the question: a signal that would end or stop the process waits for that.

use std::io;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::{Line, read_line};
use crate::failure::Failure;

/// What a terminal or its end sends.
const SIGNALS: [Signal; 5] =
    [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGTSTP];

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
        let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &self.before);
    }
}

/// Signals that wait until this is dropped.
struct HeldSignals {
    descriptor: SignalFd,
    before: SigSet,
}

impl HeldSignals {
    fn hold() -> Result<Self, Errno> {
        let signals: SigSet = SIGNALS.into_iter().collect();
        let descriptor = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC)?;
        let before = signals.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        Ok(Self { descriptor, before })
    }

    /// Waits for input; `false` where a signal came first. It is left pending.
    fn wait_for_stdin(&self) -> Result<bool, Errno> {
        let stdin = io::stdin();
        let mut sources = [
            PollFd::new(stdin.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.descriptor.as_fd(), PollFlags::POLLIN),
        ];
        poll(&mut sources, PollTimeout::NONE)?;
        let [_, signal] = sources;
        Ok(!signal.any().unwrap_or(false))
    }
}

impl Drop for HeldSignals {
    fn drop(&mut self) {
        let _ = self.before.thread_set_mask();
    }
}

fn input(error: Errno) -> Failure {
    Failure::Input(error.into())
}
