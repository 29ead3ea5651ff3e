// SPDX-License-Identifier: GPL-3.0-or-later
//! Who could log in: the caller, and for administrators everybody of this machine.

use mfa_proto::explain::{Explain, Outcome};
use mfa_proto::login::Origin;
use mfa_proto::status::UserStatus;
use mfa_proto::{ErrorCode, UserName};

use super::finding::{Check, Finding, Mend};
use super::host::Host;
use crate::arguments::OfUser;
use crate::daemon::Daemon;
use crate::failure::Failure;
use crate::messages::doctor as messages;

/// So many of this machine are looked at; `mfa admin list` has all.
const PEOPLE_MAX: usize = 200;

/// `asking` are the services that ask for a code.
pub(super) fn look(host: &Host<'_>, daemon: &Daemon, asking: &[String]) -> Vec<Finding> {
    let Ok(own) = super::super::user(&OfUser { user: None }) else { return Vec::new() };
    let status = match daemon.status(&own) {
        Ok(status) => status,
        Err(Failure::Refused(refusal)) if refusal.code == ErrorCode::Unavailable => {
            let finding =
                Finding::new(Check::DaemonCannotDecide, "daemon", messages::cannot_decide());
            return vec![finding.mended(Mend::Command("journalctl -u mfa".to_owned()))];
        }
        Err(_) => return Vec::new(),
    };
    // Only an administrator is told about others.
    let people: Vec<UserName> = host
        .people()
        .into_iter()
        .take(PEOPLE_MAX)
        .filter_map(|name| UserName::new(name).ok())
        .collect();
    let all: Result<Vec<UserStatus>, Failure> =
        people.iter().map(|name| daemon.status(name)).collect();
    match all {
        Ok(all) if host.is_root() && !all.is_empty() => of_all(daemon, &all, asking),
        _ => of_one(&status),
    }
}

fn of_all(daemon: &Daemon, all: &[UserStatus], asking: &[String]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = all.iter().flat_map(troubles).collect();
    let (with, without): (Vec<_>, Vec<_>) = all
        .iter()
        .map(|status| (&status.user, status.tokens.len()))
        .partition(|(_, tokens)| *tokens > 0);
    if with.is_empty() {
        let finding = Finding::new(Check::UsersNone, "users", messages::nobody_enrolled());
        findings.push(finding.mended(Mend::Command("mfa enroll".to_owned())));
        return findings;
    }
    findings.push(Finding::new(
        Check::UserEnrolled,
        "users",
        messages::enrolled(with.len(), all.len()),
    ));
    let service = asking.iter().find(|name| *name == "sshd").or(asking.first());
    let mut waiting = Vec::new();
    for (name, _) in without {
        if service.is_some_and(|service| is_expired(daemon, name, service)) {
            let finding = Finding::new(Check::UserExpired, name.as_str(), messages::expired());
            findings.push(finding.mended(Mend::Command(messages::invite(name.as_str()))));
        } else {
            waiting.push(name.as_str());
        }
    }
    if !waiting.is_empty() {
        let finding = Finding::new(Check::UserNoToken, "users", messages::without_token(&waiting));
        findings.push(finding.mended(Mend::Advice(messages::enrol_them())));
    }
    findings
}

fn is_expired(daemon: &Daemon, user: &UserName, service: &str) -> bool {
    let origin = Origin { service: service.to_owned(), ..Origin::default() };
    let explained = daemon.explain(Explain { user: user.clone(), origin });
    explained.is_ok_and(|explained| explained.outcome == Outcome::Expired {})
}

fn of_one(status: &UserStatus) -> Vec<Finding> {
    let mut findings = troubles(status);
    let user = status.user.as_str();
    if status.tokens.is_empty() {
        let finding = Finding::new(Check::UserNoToken, user, messages::no_token());
        findings.push(finding.mended(Mend::Command("mfa enroll".to_owned())));
    } else if findings.is_empty() {
        findings.push(Finding::new(
            Check::UserEnrolled,
            user,
            messages::tokens(status.tokens.len()),
        ));
    }
    findings
}

/// What keeps one user out, or soon will.
fn troubles(status: &UserStatus) -> Vec<Finding> {
    let user = status.user.as_str();
    let of = |check, text, command: String| {
        Finding::new(check, user, text).mended(Mend::Command(command))
    };
    let mut found = Vec::new();
    if status.locked_hard || status.locked_seconds.is_some() {
        found.push(of(Check::UserLocked, messages::locked(), messages::unlock(user)));
    }
    if status.tokens.iter().any(|token| token.held) {
        found.push(of(Check::UserHeld, messages::held(), "mfa enroll".to_owned()));
    }
    if status.tokens.iter().any(|token| token.rotation_due) {
        found.push(of(Check::UserRotation, messages::rotation_due(), "mfa rotate".to_owned()));
    }
    found
}
