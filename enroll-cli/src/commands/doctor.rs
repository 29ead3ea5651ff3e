// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa doctor`: what lets a login skip the code, or keeps a right code from being accepted, and the
//! line that mends it.
//!
//! JSON: `{"severity":"ok"|"warn"|"bad","subject":…,"finding":…,"mend":…}`, one object a finding;
//! no `mend` where there is nothing to mend.

mod pam;

use std::path::Path;

use mfa_proto::Request;
use mfa_proto::exchange::ExchangeAnswer;
use mfa_proto::peer::{self, TrustError};
use serde::Serialize;

use crate::arguments::OfUser;
use crate::clock;
use crate::console::Console;
use crate::daemon::Daemon;
use crate::failure::{Exit, Failure};
use crate::messages;
use crate::table::printable;

/// systemd-timesyncd makes it once the clock has been set from the network.
const SYNCHRONISED: &str = "/run/systemd/timesync/synchronized";

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Severity {
    Ok,
    Warn,
    Bad,
}

#[derive(Debug, Serialize)]
struct Finding {
    severity: Severity,
    subject: String,
    finding: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
}

pub(super) fn run(daemon: &Daemon, console: &mut Console) -> Result<Exit, Failure> {
    let mut findings = vec![socket(daemon.socket(), nix::unistd::geteuid().as_raw())];
    let reached = self::daemon(daemon, &mut findings);
    if reached {
        findings.extend(own_status(daemon));
    }
    findings.push(clock(clock::now()?, Path::new(SYNCHRONISED).exists()));
    findings.extend(pam::of_machine(daemon.socket()));
    for finding in &findings {
        show(finding, console)?;
    }
    Ok(match (reached, findings.iter().any(|finding| finding.severity == Severity::Bad)) {
        (false, _) => Exit::Unreachable,
        (true, true) => Exit::Refused,
        (true, false) => Exit::Done,
    })
}

fn show(finding: &Finding, console: &mut Console) -> Result<(), Failure> {
    if console.json() {
        return console.object(finding);
    }
    let (word, colour) = match finding.severity {
        Severity::Ok => ("ok", anstyle::AnsiColor::Green),
        Severity::Warn => ("warn", anstyle::AnsiColor::Yellow),
        Severity::Bad => ("bad", anstyle::AnsiColor::Red),
    };
    let style = colour.on_default().bold();
    let line = format!(
        "{style}{word:4}{style:#}  {}: {}",
        printable(&finding.subject),
        printable(&finding.finding)
    );
    match finding.severity {
        Severity::Ok => console.explain(&line)?,
        Severity::Warn | Severity::Bad => console.result(&line)?,
    }
    match &finding.mend {
        Some(mend) => console.result(&format!("      {}", printable(mend))),
        None => Ok(()),
    }
}

fn socket(path: &Path, caller: u32) -> Finding {
    let subject = "socket";
    let error = match peer::trusted_owner(path, caller) {
        Ok(uid) => {
            let finding = format!("only root and uid {uid} can listen at {}", path.display());
            return ok(subject, finding);
        }
        Err(error) => error,
    };
    let mend = match &error {
        TrustError::Unreadable(_, io) if io.kind() == std::io::ErrorKind::NotFound => {
            "systemctl enable --now mfa.socket".to_owned()
        }
        TrustError::Writable(directory) => format!("chmod go-w {}", directory.display()),
        TrustError::ForeignOwner(directory, _) => format!("chown root {}", directory.display()),
        _ => "set `socket` in /etc/mfa/mfa.toml to a path in a directory of its own, such as \
              /run/mfa/mfa.sock"
            .to_owned(),
    };
    bad(subject, format!("{error}; logins with a code are denied"), mend)
}

/// Whether it answers.
fn daemon(daemon: &Daemon, findings: &mut Vec<Finding>) -> bool {
    let subject = "daemon";
    let asked =
        daemon.connect().and_then(|mut connection| connection.exchange(&Request::Params {}));
    let (finding, reached) = match asked {
        Ok(ExchangeAnswer::Params(params)) => {
            let group = params.group.as_deref().unwrap_or("a group of its own");
            (ok(subject, format!("answers, offers {group}")), true)
        }
        Ok(_) => {
            let finding = Failure::OtherAnswer { to: "params" }.to_string();
            (bad(subject, finding, "install mfa and mfa-daemon from one package".to_owned()), false)
        }
        Err(failure) => {
            let mend = "systemctl status mfa.socket mfa; journalctl -u mfa".to_owned();
            (bad(subject, format!("{failure}; logins with a code are denied"), mend), false)
        }
    };
    findings.push(finding);
    reached
}

/// What the caller's own next login needs.
fn own_status(daemon: &Daemon) -> Option<Finding> {
    let user = super::user(&OfUser { user: None }).ok()?;
    let status = daemon.status(&user).ok()?;
    let subject = format!("user {user}");
    if status.locked_hard || status.locked_seconds.is_some() {
        let finding = "too many wrong codes: no code is checked".to_owned();
        return Some(bad(&subject, finding, format!("mfa admin unlock {user}")));
    }
    if status.tokens.iter().any(|token| token.rotation_due) {
        return Some(warn(&subject, messages::ROTATION_DUE.to_owned(), "mfa rotate".to_owned()));
    }
    Some(match status.tokens.len() {
        0 => warn(
            &subject,
            "has no token: denied where the module is used, let in without a code where \
             its line says nullok"
                .to_owned(),
            "mfa enroll".to_owned(),
        ),
        1 => ok(&subject, "has 1 token".to_owned()),
        tokens => ok(&subject, format!("has {tokens} tokens")),
    })
}

fn clock(now: u64, synchronised: bool) -> Finding {
    let subject = "clock";
    if now < clock::BUILT_AFTER {
        let finding =
            format!("shows a time before this program was made (@{now}): codes are denied");
        return bad(subject, finding, "timedatectl set-ntp true".to_owned());
    }
    if synchronised {
        return ok(subject, "has been set from the network".to_owned());
    }
    warn(
        subject,
        "is not known to be set from the network; a minute off, and right codes are wrong"
            .to_owned(),
        "timedatectl set-ntp true (nothing to do where chrony or ntpd keeps it)".to_owned(),
    )
}

fn ok(subject: &str, finding: String) -> Finding {
    Finding { severity: Severity::Ok, subject: subject.to_owned(), finding, mend: None }
}

fn warn(subject: &str, finding: String, mend: String) -> Finding {
    Finding { severity: Severity::Warn, subject: subject.to_owned(), finding, mend: Some(mend) }
}

fn bad(subject: &str, finding: String, mend: String) -> Finding {
    Finding { severity: Severity::Bad, subject: subject.to_owned(), finding, mend: Some(mend) }
}

#[cfg(test)]
#[path = "doctor/tests.rs"]
mod tests;
