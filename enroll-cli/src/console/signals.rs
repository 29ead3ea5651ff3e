// SPDX-License-Identifier: GPL-3.0-or-later
//! Signals that would end or stop the process, held back until the terminal is as it was.

use std::io;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// What a terminal or its end sends.
const SIGNALS: [Signal; 5] =
    [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGTSTP];

/// Signals that wait until this is dropped.
pub(super) struct HeldSignals {
    descriptor: SignalFd,
    before: SigSet,
}

impl HeldSignals {
    pub(super) fn hold() -> Result<Self, Errno> {
        let signals: SigSet = SIGNALS.into_iter().collect();
        let descriptor = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC)?;
        let before = signals.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        Ok(Self { descriptor, before })
    }

    /// Waits for input; `false` where a signal came first. It is left pending.
    pub(super) fn wait_for_stdin(&self) -> Result<bool, Errno> {
        let stdin = io::stdin();
        let mut sources = [
            PollFd::new(stdin.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.descriptor.as_fd(), PollFlags::POLLIN),
        ];
        poll(&mut sources, PollTimeout::NONE)?;
        let [_, signal] = sources;
        Ok(!signal.any().unwrap_or(false))
    }

    /// Takes the signal that came; whoever asks for it raises it again.
    pub(super) fn take(&self) -> Result<Signal, Errno> {
        let came = self.descriptor.read_signal()?.ok_or(Errno::EAGAIN)?;
        Signal::try_from(i32::try_from(came.ssi_signo).map_err(|_| Errno::EINVAL)?)
    }
}

impl Drop for HeldSignals {
    fn drop(&mut self) {
        let _ = self.before.thread_set_mask();
    }
}
