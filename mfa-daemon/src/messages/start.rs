// SPDX-License-Identifier: GPL-3.0-or-later
//! Why the daemon does not start: what follows is the system's own word.

pub(crate) const NO_EVENT_LOOP: &str = "cannot start the event loop";
pub(crate) const NO_THREAD: &str = "cannot start a thread";
pub(crate) const NO_WATCHDOG: &str = "cannot start the watchdog";
pub(crate) const NO_SIGNALS: &str = "cannot catch signals";
pub(crate) const NOT_LISTENING: &str = "cannot listen";
pub(crate) const SERVER_FAILED: &str = "the server failed";
pub(crate) const MEMORY_OPEN: &str = "cannot keep the memory private";

pub(crate) const NOT_LOOPBACK: &str = "it is not a loopback address";
pub(crate) const TWO_SOCKETS: &str =
    "there are two of a kind; one ListenStream= is served for requests and one for metrics";
pub(crate) const OPEN_DIRECTORY: &str = "its directory can be written to by others than its owner, so clients would refuse it; chmod go-w the \
     directory";
pub(crate) const NOT_A_SOCKET: &str = "there is something else than a socket; remove it";
