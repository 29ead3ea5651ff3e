// SPDX-License-Identifier: GPL-3.0-or-later
//! What the services of PAM do with the module.

mod cure;
mod line;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::finding::{Check, Finding, Mend, Severity};
use crate::messages::doctor as messages;
use crate::pam_stack::{
    self, Entry, Flaw, Group, Line, MODULE, Role, Services, StackError, flaws_where, lines,
    module_directories, module_lines, role,
};

/// The services that log somebody in or unlock a screen. Of those that are installed and ask for no code
/// it is said; others are looked at where they ask.
const SERVICES: [&str; 18] = [
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
    "gnome-screensaver",
    "cinnamon-screensaver",
    "cockpit",
    "vlock",
];

/// What package managers and editors leave beside a file.
const LEFT_BEHIND: [&str; 9] =
    ["~", ".bak", ".orig", ".old", ".save", ".rpmsave", ".rpmnew", ".dpkg-old", ".dpkg-dist"];

/// What there is to look at.
pub(super) struct Place<'a> {
    pub(super) root: &'a Path,
    pub(super) socket: &'a Path,
}

/// What was seen.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) findings: Vec<Finding>,
    /// The files of the services that ask for a code, with all that they include.
    pub(super) files: BTreeSet<PathBuf>,
    /// The module's own files that those lines name.
    pub(super) modules: BTreeSet<PathBuf>,
    /// The services that ask for a code.
    pub(super) asking: Vec<String>,
    /// The names of all services.
    pub(super) services: Vec<String>,
    /// What sshd's stack asks for, where it asks for a code.
    pub(super) over_ssh: Option<OverSsh>,
}

/// What sshd must know of its stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct OverSsh {
    /// The stack asks for a code and for nothing else.
    pub(super) code_alone: bool,
    /// Password and code are typed in one field.
    pub(super) one_field: bool,
    /// People enrol inside the login.
    pub(super) enrols: bool,
}

pub(super) fn look(place: &Place<'_>) -> Seen {
    let services = Services::below(place.root);
    let modules = module_directories(place.root);
    let mut seen = Seen { services: services.names(), ..Seen::default() };
    let mut look = Look { place, services: &services, modules: &modules, seen: &mut seen };
    let names = look.seen.services.clone();
    let mut without = Vec::new();
    for name in &names {
        if LEFT_BEHIND.iter().any(|ending| name.ends_with(ending)) || name.contains(".dpkg-") {
            look.left_behind(name);
        } else if !look.service(name) && SERVICES.contains(&name.as_str()) {
            without.push(name.clone());
        }
    }
    if seen.asking.is_empty()
        && !seen.findings.iter().any(|found| found.check == Check::PamUnreadable)
    {
        let cure = cure::nowhere(&without);
        let nowhere = Finding::new(Check::PamNowhere, "PAM", messages::nowhere());
        seen.findings.push(nowhere.mended(cure));
    } else if let Some((first, others)) = without.split_first() {
        let mut finding = Finding::new(Check::PamNoCode, first, messages::no_code());
        finding.subjects.extend(others.iter().cloned());
        seen.findings.push(finding.mended(Mend::Advice(messages::add_line())));
    }
    seen
}

struct Look<'a> {
    place: &'a Place<'a>,
    services: &'a Services,
    modules: &'a [PathBuf],
    seen: &'a mut Seen,
}

impl Look<'_> {
    fn tell(&mut self, finding: Finding) {
        self.seen.findings.push(finding);
    }

    /// Whether the service asks for a code, or would if it could be read.
    fn service(&mut self, service: &str) -> bool {
        let read = |group| pam_stack::read_from(self.services, service, group);
        let stacks = read(Group::Auth)
            .and_then(|auth| Ok((auth, read(Group::Account)?, read(Group::Password)?)));
        let (auth, account, password) = match stacks {
            Ok(stacks) => stacks,
            Err(error) => {
                // A file that is only included by others need not be a service of its own.
                if SERVICES.contains(&service) || self.names_module(service) {
                    self.unreadable(service, &error);
                    return true;
                }
                return false;
            }
        };
        let module_lines = module_lines(&auth);
        // A file that others include, such as common-auth, is no service; and of those that log nobody in
        // only what they do themselves matters.
        let own = module_lines.iter().any(|line| line.via.is_empty());
        let is_service = SERVICES.contains(&service) || (own && !is_part(service));
        if !module_lines.is_empty() && is_service {
            let before = self.seen.findings.len();
            self.auth(service, &auth);
            self.seen.files.extend(self.services.files_of(service));
            for line in &module_lines {
                self.settings(service, line);
            }
            self.seen.asking.push(service.to_owned());
            let found = self.seen.findings.get(before..).unwrap_or_default();
            if found.iter().all(|finding| finding.severity() >= Severity::Note) {
                let places: Vec<String> = module_lines.iter().map(|line| line.place()).collect();
                self.tell(Finding::new(Check::PamAsks, service, messages::asks(&places)));
            }
        }
        if is_service {
            self.enrolment(service, &account, &password);
        }
        if service == "sshd" && !module_lines.is_empty() {
            let takes_password = ["forward_pass", "use_first_pass", "try_first_pass"];
            self.seen.over_ssh = Some(OverSsh {
                code_alone: self.flaws(&auth).iter().any(is_alone),
                one_field: module_lines
                    .iter()
                    .any(|line| takes_password.iter().any(|option| line.has(option))),
                enrols: enrolling(&account).is_some(),
            });
        }
        !module_lines.is_empty()
    }

    fn names_module(&self, service: &str) -> bool {
        std::fs::read(self.services.path(service))
            .is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(MODULE))
    }

    fn unreadable(&mut self, service: &str, error: &StackError) {
        let cure = match error {
            StackError::Line(path, number) => messages::correct_line(path, *number),
            StackError::Io(path, _) => messages::no_file(path),
            StackError::Depth(path) => messages::too_deep(path),
        };
        let finding = Finding::new(Check::PamUnreadable, service, messages::unreadable(error));
        self.tell(finding.mended(Mend::Advice(cure)));
    }

    fn left_behind(&mut self, name: &str) {
        if self.names_module(name) {
            let path = self.services.path(name);
            let finding = Finding::new(Check::PamUnusedFile, name, messages::unused(&path));
            self.tell(finding.mended(Mend::Command(messages::remove_file(&path))));
        }
    }

    fn flaws(&self, stack: &[Entry]) -> Vec<Flaw> {
        flaws_where(stack, |line| line.is(MODULE) || self.file_of(line).is_some())
    }

    fn auth(&mut self, service: &str, auth: &[Entry]) {
        let flaws = self.flaws(auth);
        // What asks before sshd's stack does is up to sshd.
        let over_ssh = service.starts_with("sshd");
        for flaw in &flaws {
            if over_ssh && is_alone(flaw) {
                continue;
            }
            // Nothing at all is the worse of the two.
            let worse = flaws.iter().any(|other| {
                matches!((flaw, other), (Flaw::CodeAlone(a), Flaw::NothingAlone(b)) if a == b)
            });
            if !worse {
                let finding = self.flawed(service, auth, flaw);
                self.tell(finding);
            }
        }
    }

    fn flawed(&self, service: &str, auth: &[Entry], flaw: &Flaw) -> Finding {
        let of = |check, text| Finding::new(check, service, text);
        match flaw {
            Flaw::Skipped(by) if role(by) == Role::Condition => {
                of(Check::PamCondition, messages::skipped(by))
                    .mended(Mend::Advice(messages::no_condition(by)))
            }
            Flaw::Open(by) => of(Check::PamOpen, messages::skipped(by))
                .mended(Mend::Remove { file: by.file.clone(), line: by.number }),
            Flaw::Skipped(by) => of(Check::PamSkipped, messages::skipped(by))
                .mended_by_all(cure::module_first(auth, by)),
            Flaw::NotHeld(line) => {
                of(Check::PamNotHeld, messages::not_held(line)).mended(line::required(line))
            }
            Flaw::CodeAlone(line) => of(Check::PamCodeAlone, messages::code_alone(line))
                .mended(cure::password(self.services, auth, line)),
            Flaw::NothingAlone(line) => of(Check::PamNothingAlone, messages::nothing_alone(line))
                .mended(cure::password(self.services, auth, line)),
            Flaw::Twice(line) => {
                let all = module_lines(auth);
                let own = all.iter().find(|line| line.via.is_empty()).copied().unwrap_or(line);
                let places: Vec<String> = all.iter().map(|line| line.place()).collect();
                of(Check::PamTwice, messages::twice(&places))
                    .mended(Mend::Remove { file: own.file.clone(), line: own.number })
            }
            Flaw::NobodyIn => of(Check::PamNobodyIn, messages::nobody_in())
                .mended(Mend::Advice(messages::nobody_in_mend(&self.services.path(service)))),
            Flaw::Option { line, option } => of(Check::PamOption, messages::option(line, option))
                .mended(line::without(line, option)),
        }
    }

    /// An enrolment inside the login takes two lines: `account` says that it is due, `password` does it.
    fn enrolment(&mut self, service: &str, account: &[Entry], password: &[Entry]) {
        for (group, stack) in [(Group::Account, account), (Group::Password, password)] {
            for flaw in self.flaws(stack) {
                let finding = match &flaw {
                    Flaw::Option { line, option } => {
                        Finding::new(Check::PamOption, service, messages::option(line, option))
                            .mended(line::without(line, option))
                    }
                    Flaw::Skipped(by) | Flaw::Open(by) if enrolling(stack).is_some() => {
                        let text = messages::enrol_skipped(by, group.as_str());
                        Finding::new(Check::PamEnrollSkipped, service, text)
                            .mended_by_all(cure::module_first(stack, by))
                    }
                    _ => continue,
                };
                self.tell(finding);
            }
        }
        match (enrolling(account), enrolling(password)) {
            (Some(line), None) => {
                let text = messages::enrol_no_password(line);
                let mend = cure::enrolling_line(self.services, service, Group::Password);
                self.tell(Finding::new(Check::PamEnrollNoPassword, service, text).mended(mend));
            }
            (None, Some(line)) => {
                let text = messages::enrol_no_account(line);
                let mend = cure::enrolling_line(self.services, service, Group::Account);
                self.tell(Finding::new(Check::PamEnrollNoAccount, service, text).mended(mend));
            }
            _ => {}
        }
    }

    /// What a line sets that need not be wrong.
    fn settings(&mut self, service: &str, line: &Line) {
        match self.file_of(line) {
            Some(path) => {
                self.seen.modules.insert(path);
            }
            None => {
                let text = messages::module_missing(line);
                let finding = Finding::new(Check::ModuleMissing, service, text);
                self.tell(finding.mended(Mend::Advice(messages::reinstall())));
            }
        }
        for (option, check, text) in [
            ("observe", Check::PamObserve, messages::observe as fn(&Line) -> String),
            ("unavailable=ignore", Check::PamUnavailable, messages::unavailable),
            ("nullok", Check::PamNullok, messages::nullok),
        ] {
            if line.has(option) {
                let finding = Finding::new(check, service, text(line));
                self.tell(finding.mended(line::without(line, option)));
            }
        }
        for argument in &line.arguments {
            if let Some(group) = argument.strip_prefix("exempt_group=") {
                let text = messages::exempt_group(line, group);
                let finding = Finding::new(Check::PamExemptGroup, service, text);
                self.tell(finding.mended(line::without(line, argument)));
            }
            let other = argument.strip_prefix("socket=").map(Path::new);
            if let Some(other) = other.filter(|other| *other != self.place.socket) {
                let text = messages::other_socket(line, other);
                let finding = Finding::new(Check::PamOtherSocket, service, text);
                self.tell(finding.mended(Mend::Command(messages::ask_other(other))));
            }
        }
    }

    /// The module's file, where it is installed.
    fn file_of(&self, line: &Line) -> Option<PathBuf> {
        let path = Path::new(&line.module);
        if path.is_absolute() {
            let found = self.place.root.join(path.strip_prefix("/").unwrap_or(path));
            // The tests name a module in their own tree.
            return [found, path.to_owned()].into_iter().find(|path| path.exists());
        }
        self.modules.iter().map(|directory| directory.join(path)).find(|path| path.exists())
    }
}

/// Whether nothing but the module asks.
fn is_alone(flaw: &Flaw) -> bool {
    matches!(flaw, Flaw::CodeAlone(_) | Flaw::NothingAlone(_))
}

/// Whether a file is there for others to include, by the names that distributions give.
fn is_part(name: &str) -> bool {
    name.starts_with("common-")
        || [
            "other",
            "system-auth",
            "password-auth",
            "fingerprint-auth",
            "smartcard-auth",
            "postlogin",
            "system-login",
            "system-local-login",
            "system-remote-login",
        ]
        .contains(&name)
        || name.ends_with("-ac")
}

/// The first line of the module with `enroll`.
fn enrolling(stack: &[Entry]) -> Option<&Line> {
    lines(stack).into_iter().find(|line| line.is(MODULE) && line.has("enroll"))
}
