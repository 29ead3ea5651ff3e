// SPDX-License-Identifier: GPL-3.0-or-later
//! What the services of PAM do with the module.

use std::path::{Path, PathBuf};

use super::{Finding, bad, ok, warn};
use crate::pam_stack::{self, Entry, Flaw, Group, Line, MODULE};

/// Where PAM has its services.
const DIRECTORY: &str = "/etc/pam.d";

/// Where PAM has its modules, below the library directories of the distributions.
const LIBRARIES: [&str; 4] = ["/lib", "/lib64", "/usr/lib", "/usr/lib64"];

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

/// What there is to look at.
pub(super) struct Place<'a> {
    pub(super) services: &'a Path,
    pub(super) modules: &'a [PathBuf],
    pub(super) socket: &'a Path,
}

/// All services of this machine.
pub(super) fn of_machine(socket: &Path) -> Vec<Finding> {
    find(&Place { services: Path::new(DIRECTORY), modules: &module_directories(), socket })
}

pub(super) fn find(place: &Place) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut used = false;
    for service in SERVICES {
        if place.services.join(service).exists() {
            used |= look(place, service, &mut findings);
        }
    }
    if !used {
        findings.push(bad(
            "PAM",
            format!(
                "no service in {} uses {MODULE}: no login asks for a code",
                place.services.display()
            ),
            "pam-auth-update --enable mfa".to_owned(),
        ));
    }
    findings
}

/// Whether the service asks for a code at all.
fn look(place: &Place, service: &str, findings: &mut Vec<Finding>) -> bool {
    let read = |group| pam_stack::read(place.services, service, group);
    let stacks = read(Group::Auth)
        .and_then(|auth| Ok((auth, read(Group::Account)?, read(Group::Password)?)));
    let (auth, account, password) = match stacks {
        Ok(stacks) => stacks,
        Err(error) => {
            findings.push(bad(
                service,
                format!("{error}; PAM denies or falls back to `other`"),
                format!("pamtester {service} USER authenticate"),
            ));
            return false;
        }
    };
    let lines = pam_stack::module_lines(&auth);
    let flaws = pam_stack::flaws(&auth);
    if lines.is_empty() {
        findings.push(warn(
            service,
            "no line names pam_mfa.so: it asks for no code".to_owned(),
            format!(
                "pam-auth-update --enable mfa, or after the password in {}: auth required {MODULE}",
                place.services.join(service).display()
            ),
        ));
    } else if flaws.is_empty() {
        let places: Vec<String> = lines.iter().map(|line| line.place()).collect();
        findings.push(ok(service, format!("asks for a code ({})", places.join(", "))));
    }
    findings.extend(flaws.into_iter().map(|flaw| flawed(service, flaw)));
    for line in &lines {
        findings.extend(settings(service, line, place));
    }
    findings.extend(enrolment(service, &account, &password));
    !lines.is_empty()
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

/// An enrolment inside the login takes two lines: `account` says that it is due, `password` does it.
fn enrolment(service: &str, account: &[Entry], password: &[Entry]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (group, stack) in [(Group::Account, account), (Group::Password, password)] {
        for flaw in pam_stack::flaws(stack) {
            match flaw {
                Flaw::Option { .. } => findings.push(flawed(service, flaw)),
                Flaw::Skipped(line) if enrolling(stack).is_some() => findings.push(warn(
                    service,
                    format!(
                        "`{}` ({}) ends the {} stack or jumps over {MODULE}: nobody is made to \
                         enrol in the login",
                        line.text,
                        line.place(),
                        group.as_str()
                    ),
                    format!("put the line with {MODULE} before it"),
                )),
                Flaw::Skipped(_) | Flaw::NotHeld(_) => {}
            }
        }
    }
    match (enrolling(account), enrolling(password)) {
        (Some(line), None) => findings.push(bad(
            service,
            format!(
                "{}: enroll, but no password line of {MODULE} has it: who must enrol is denied",
                line.place()
            ),
            format!("password required {MODULE} enroll, before the other password lines"),
        )),
        (None, Some(line)) => findings.push(warn(
            service,
            format!(
                "{}: enroll, but no account line of {MODULE} has it: nobody is made to enrol in \
                 the login",
                line.place()
            ),
            format!("account required {MODULE} enroll"),
        )),
        _ => {}
    }
    findings
}

/// The first line of the module with `enroll`.
fn enrolling(stack: &[Entry]) -> Option<&Line> {
    pam_stack::module_lines(stack).into_iter().find(|line| line.has("enroll"))
}

/// What a line sets that need not be wrong.
fn settings(service: &str, line: &Line, place: &Place) -> Vec<Finding> {
    let mut findings = Vec::new();
    let path = Path::new(&line.module);
    let installed = if path.is_absolute() {
        path.exists()
    } else {
        place.modules.iter().any(|directory| directory.join(path).exists())
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
    if line.has("observe") {
        findings.push(bad(
            service,
            format!("{}: observe: wrong codes are logged and nobody is denied", line.place()),
            "once the log shows only right codes, remove observe there".to_owned(),
        ));
    }
    if line.has("unavailable=ignore") {
        findings.push(warn(
            service,
            "unavailable=ignore: while the daemon does not answer, everybody is let in without a \
             code"
                .to_owned(),
            format!("remove unavailable=ignore in {}", line.place()),
        ));
    }
    if line.has("nullok") {
        findings.push(warn(
            service,
            "nullok: who has no token is let in without a code".to_owned(),
            format!("once everybody is enrolled, remove nullok in {}", line.place()),
        ));
    }
    let other = line.arguments.iter().find_map(|argument| argument.strip_prefix("socket="));
    if let Some(other) = other.filter(|other| Path::new(other) != place.socket) {
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
