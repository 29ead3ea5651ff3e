// SPDX-License-Identifier: GPL-3.0-or-later
//! The socket, the daemon behind it, and what the daemon says of itself and of the clock.

use std::io::ErrorKind;
use std::path::Path;

use mfa_proto::about::{About, ClockState};
use mfa_proto::peer::{self, TrustError};
use mfa_proto::{ClientError, ErrorCode};

use super::finding::{Check, Finding, Mend};
use super::module_file::VERSION;
use crate::clock;
use crate::daemon::Daemon;
use crate::failure::Failure;
use crate::messages::doctor as messages;

const SOCKET: &str = "socket";
const DAEMON: &str = "daemon";
const CLOCK: &str = "clock";

/// Could the daemon be asked?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reached {
    Yes,
    No,
}

/// Socket and daemon.
pub(super) fn look(daemon: &Daemon, uid: u32, now: u64) -> (Reached, Vec<Finding>) {
    let mut findings = vec![socket(daemon.socket(), uid)];
    let about = daemon.connect().and_then(|mut connection| connection.about());
    let (reached, state) = match about {
        Ok(about) => {
            findings.push(version(&about));
            (Reached::Yes, about.clock)
        }
        // An older daemon does not know the question.
        Err(Failure::Refused(refusal)) if refusal.code == ErrorCode::Malformed => {
            let text = messages::other_version("mfa-daemon", None, VERSION);
            let mend = Mend::Command("systemctl restart mfa.service".to_owned());
            findings.push(Finding::new(Check::VersionDaemon, DAEMON, text).mended(mend));
            (Reached::Yes, None)
        }
        Err(failure) => {
            // What is wrong with the socket has been told.
            if findings.iter().all(|finding| finding.check == Check::SocketSafe) {
                findings.push(unreached(&failure));
            }
            (Reached::No, None)
        }
    };
    findings.push(clock(now, state));
    (reached, findings)
}

pub(super) fn socket(path: &Path, caller: u32) -> Finding {
    let error = match peer::trusted_owner(path, caller) {
        Ok(uid) => {
            return Finding::new(Check::SocketSafe, SOCKET, messages::socket_safe(path, uid));
        }
        Err(error) => error,
    };
    let (check, mend) = match &error {
        TrustError::Unreadable(_, io) if io.kind() == ErrorKind::NotFound => {
            (Check::SocketMissing, Mend::Command("systemctl enable --now mfa.socket".to_owned()))
        }
        TrustError::Writable(directory) => {
            (Check::SocketWritable, Mend::Command(messages::chmod("go-w", directory)))
        }
        TrustError::ForeignOwner(directory, _) => {
            (Check::SocketOwner, Mend::Command(messages::chown(0, directory)))
        }
        _ => (Check::SocketOther, Mend::Advice(messages::socket_mend())),
    };
    Finding::new(check, SOCKET, error.to_string()).mended(mend)
}

fn version(about: &About) -> Finding {
    if about.version == VERSION {
        return Finding::new(Check::DaemonAnswers, DAEMON, messages::answers(VERSION));
    }
    let text = messages::other_version("mfa-daemon", Some(&about.version), VERSION);
    let mend = Mend::Command("systemctl restart mfa.service".to_owned());
    Finding::new(Check::VersionDaemon, DAEMON, text).mended(mend)
}

fn unreached(failure: &Failure) -> Finding {
    let check = match failure {
        Failure::Daemon { error: ClientError::Untrusted(_), .. } => Check::DaemonUntrusted,
        _ => Check::DaemonUnreachable,
    };
    let mend = Mend::Command("systemctl status mfa.socket mfa; journalctl -u mfa".to_owned());
    Finding::new(check, DAEMON, failure.to_string()).mended(mend)
}

pub(super) fn clock(now: u64, state: Option<ClockState>) -> Finding {
    let mend = || Mend::Command("timedatectl set-ntp true".to_owned());
    if now < clock::BUILT_AFTER {
        return Finding::new(Check::ClockEarly, CLOCK, messages::clock_early(now)).mended(mend());
    }
    match state {
        Some(ClockState::Synchronised) => {
            Finding::new(Check::ClockSynchronised, CLOCK, messages::clock_synchronised())
        }
        Some(ClockState::Unsynchronised) => {
            let text = messages::clock_unsynchronised();
            Finding::new(Check::ClockUnsynchronised, CLOCK, text).mended(mend())
        }
        None => Finding::new(Check::NotLookedAt, CLOCK, messages::clock_unknown()),
    }
}
