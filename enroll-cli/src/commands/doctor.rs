// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa doctor`: what lets a login skip the code, or keeps a right code from being accepted, and the
//! line that mends it. `docs/operations/doctor.md` has every identifier.
//!
//! JSON: one object a finding, `{"severity":"critical"|"warning"|"note"|"ok","id":…,"subject":…,
//! "finding":…,"meaning":…,"mend":…}`; no `meaning` where all is well, and no `mend` where there is
//! nothing to mend.

mod configuration;
mod files;
mod finding;
mod host;
mod label;
mod module_file;
mod pam;
mod reach;
mod show;
mod sshd;
mod sudo;
mod users;

use std::path::Path;

pub(crate) use finding::{Check, Mend};

use self::finding::{Finding, Severity, in_order};
use self::host::Host;
use self::reach::Reached;
use crate::arguments::Doctor;
use crate::clock;
use crate::console::Console;
use crate::daemon::Daemon;
use crate::failure::{Exit, Failure};
use crate::messages::doctor as messages;

pub(super) fn run(asked: &Doctor, daemon: &Daemon, console: &mut Console) -> Result<Exit, Failure> {
    let host = Host::here(&host::run);
    let now = clock::now()?;
    let (reached, mut findings) = reach::look(daemon, host.uid(), now);
    let (machine, asking) = look(&host, daemon.socket(), now);
    findings.extend(machine);
    if reached == Reached::Yes {
        findings.extend(users::look(&host, daemon, &asking));
    }
    findings.retain(|finding| !asked.ignore.contains(&finding.check));
    let findings = in_order(findings);
    show(&findings, console)?;
    Ok(exit(reached, &findings, asked.strict))
}

/// Everything that is in the machine's files, and the services that ask for a code.
fn look(host: &Host<'_>, socket: &Path, now: u64) -> (Vec<Finding>, Vec<String>) {
    let mut seen = pam::look(&pam::Place { root: host.root(), socket });
    let mut findings = std::mem::take(&mut seen.findings);
    findings.extend(sshd::look(host, seen.over_ssh));
    let configuration = configuration::look(host, &seen.services, now);
    findings.extend(files::look(host, &seen, &configuration));
    findings.extend(seen.modules.iter().map(|path| module_file::look(path)));
    let labelled = seen.modules.iter().chain([&configuration.file, &configuration.database]);
    findings.extend(label::look(host, labelled.cloned()));
    findings.extend(configuration.findings);
    findings.extend(sudo::look(host, &seen.asking));
    (findings, seen.asking)
}

fn show(findings: &[Finding], console: &mut Console) -> Result<(), Failure> {
    if console.json() {
        return findings.iter().try_for_each(|finding| console.object(&finding.object()));
    }
    let columns = console.window().map(|window| window.columns);
    let of = |severity| findings.iter().filter(|finding| finding.severity() == severity).count();
    for finding in findings {
        let lines = show::lines(finding, columns).join("\n");
        match finding.severity() {
            Severity::Critical | Severity::Warning => console.result(&lines)?,
            Severity::Note | Severity::Ok => console.explain(&lines)?,
        }
    }
    let (critical, warnings, notes) =
        (of(Severity::Critical), of(Severity::Warning), of(Severity::Note));
    console.explain(&messages::summary(critical, warnings, notes))?;
    if critical + warnings + notes > 0 {
        console.explain(messages::EXPLAINED)?;
    }
    Ok(())
}

/// Whatever else is wrong: no daemon, no code.
fn exit(reached: Reached, findings: &[Finding], strict: bool) -> Exit {
    let fails = |finding: &Finding| match finding.severity() {
        Severity::Critical => true,
        Severity::Warning => strict,
        Severity::Note | Severity::Ok => false,
    };
    match reached {
        Reached::No => Exit::Unreachable,
        Reached::Yes if findings.iter().any(fails) => Exit::Refused,
        Reached::Yes => Exit::Done,
    }
}

#[cfg(test)]
#[path = "doctor/tests/mod.rs"]
mod tests;
