// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa doctor`: what lets a login skip the code, or keeps a right code from being accepted, and the
//! line that mends it.
//!
//! JSON: `{"severity":"ok"|"warn"|"bad","subject":…,"finding":…,"mend":…}`, one object a finding;
//! no `mend` where there is nothing to mend.

use std::path::{Path, PathBuf};

use mfa_proto::Request;
use mfa_proto::exchange::ExchangeAnswer;
use mfa_proto::peer::{self, TrustError};
use serde::Serialize;

use crate::arguments::OfUser;
use crate::clock;
use crate::console::Console;
use crate::daemon::Daemon;
use crate::failure::{Exit, Failure};
use crate::pam_stack::{self, Flaw, MODULE};
use crate::table::printable;

/// Where PAM has its services.
const PAM_DIRECTORY: &str = "/etc/pam.d";

/// Where PAM has its modules, below the library directories of the distributions.
const LIBRARIES: [&str; 4] = ["/lib", "/lib64", "/usr/lib", "/usr/lib64"];

/// systemd-timesyncd makes it once the clock has been set from the network.
const SYNCHRONISED: &str = "/run/systemd/timesync/synchronized";

/// The services that log somebody in or unlock a screen. Only those that are installed are looked at.
const SERVICES: [&str; 16] = [
    "sshd",
    "login",
    "sudo",
    "sudo-i",
    "su",
    "su-l",
    "polkit-1",
    "gdm-password",
    "lightdm",
    "sddm",
    "kde",
    "i3lock",
    "swaylock",
    "xscreensaver",
    "cockpit",
    "vlock",
];

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
    findings.extend(pam(Path::new(PAM_DIRECTORY), &module_directories(), daemon.socket()));
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
    let active = status.tokens.iter().filter(|token| token.active).count();
    Some(match active {
        0 => warn(
            &subject,
            "has no active token: denied where the module is used, let in without a code where \
             its line says nullok"
                .to_owned(),
            "mfa enroll".to_owned(),
        ),
        active => ok(&subject, format!("has {active} active of {} tokens", status.tokens.len())),
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

fn pam(directory: &Path, modules: &[PathBuf], socket: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut used = false;
    for service in SERVICES {
        if !directory.join(service).exists() {
            continue;
        }
        let stack = match pam_stack::read(directory, service) {
            Ok(stack) => stack,
            Err(error) => {
                let finding = format!("{error}; PAM denies or falls back to `other`");
                findings.push(bad(
                    service,
                    finding,
                    format!("pamtester {service} USER authenticate"),
                ));
                continue;
            }
        };
        let lines = pam_stack::module_lines(&stack);
        if lines.is_empty() {
            findings.push(warn(
                service,
                "no line names pam_mfa.so: it asks for no code".to_owned(),
                format!(
                    "pam-auth-update --enable mfa, or after the password in {}: auth required {MODULE}",
                    directory.join(service).display()
                ),
            ));
            continue;
        }
        used = true;
        let flaws = pam_stack::flaws(&stack);
        if flaws.is_empty() {
            let places: Vec<String> = lines.iter().map(|line| line.place()).collect();
            findings.push(ok(service, format!("asks for a code ({})", places.join(", "))));
        }
        findings.extend(flaws.into_iter().map(|flaw| flawed(service, flaw)));
        for line in lines {
            findings.extend(settings(service, line, modules, socket));
        }
    }
    if !used {
        findings.push(bad(
            "PAM",
            format!(
                "no service in {} uses {MODULE}: no login asks for a code",
                directory.display()
            ),
            "pam-auth-update --enable mfa".to_owned(),
        ));
    }
    findings
}

fn flawed(service: &str, flaw: Flaw) -> Finding {
    match flaw {
        Flaw::Skipped(line) => bad(
            service,
            format!(
                "`{}` ({}) ends the stack or jumps over {MODULE}: its success needs no code",
                line.text,
                line.place()
            ),
            "put the line with pam_mfa.so before it, or make it `requisite`".to_owned(),
        ),
        Flaw::NotHeld(line) => bad(
            service,
            format!("`{}` ({}): a wrong code does not deny the login", line.text, line.place()),
            format!("auth required {MODULE}{}", options(&line.arguments)),
        ),
        Flaw::Option { line, option } => bad(
            service,
            format!(
                "{}: the module knows no option {option:?} and denies every login",
                line.place()
            ),
            format!("remove {option:?} there"),
        ),
    }
}

/// What a line sets that need not be wrong.
fn settings(
    service: &str,
    line: &pam_stack::Line,
    modules: &[PathBuf],
    socket: &Path,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let path = Path::new(&line.module);
    let installed = if path.is_absolute() {
        path.exists()
    } else {
        modules.iter().any(|directory| directory.join(path).exists())
    };
    if !installed {
        findings.push(bad(
            service,
            format!(
                "{} names {}, which is not installed: every login is denied",
                line.place(),
                line.module
            ),
            "install the package of mfa, or remove the line".to_owned(),
        ));
    }
    if line.arguments.iter().any(|argument| argument == "nullok") {
        findings.push(warn(
            service,
            "nullok: who has no token is let in without a code".to_owned(),
            format!("once everybody is enrolled, remove nullok in {}", line.place()),
        ));
    }
    let other = line.arguments.iter().find_map(|argument| argument.strip_prefix("socket="));
    if let Some(other) = other.filter(|other| Path::new(other) != socket) {
        findings.push(warn(
            service,
            format!("{} asks another daemon than was looked at here", line.place()),
            format!("mfa --socket {other} doctor"),
        ));
    }
    findings
}

fn options(arguments: &[String]) -> String {
    arguments.iter().map(|argument| format!(" {argument}")).collect()
}

/// `security` of every library directory and of every architecture below it.
fn module_directories() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for library in LIBRARIES {
        found.push(Path::new(library).join("security"));
        let below = std::fs::read_dir(library).into_iter().flatten().flatten();
        found.extend(below.map(|entry| entry.path().join("security")));
    }
    found.retain(|directory| directory.is_dir());
    found
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
