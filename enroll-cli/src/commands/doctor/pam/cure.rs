// SPDX-License-Identifier: GPL-3.0-or-later
//! Which line mends a stack.

use std::path::PathBuf;

use super::super::finding::Mend;
use super::line;
use crate::messages::doctor as messages;
use crate::pam_stack::{
    Action, Code, Entry, Group, Line, MODULE, Role, Services, lines, module_lines, role,
};

/// The module before the line that leads past it: in the file where the ways to both part.
pub(super) fn module_first(stack: &[Entry], culprit: &Line) -> Vec<Mend> {
    let advice = || vec![Mend::Advice(messages::module_first(culprit))];
    let Some(module) = module_lines(stack).first().copied() else { return advice() };
    let (to_culprit, to_module) = (way(culprit), way(module));
    let parted = to_culprit.iter().zip(&to_module).position(|(one, other)| one != other);
    let Some((before, own)) = parted.and_then(|at| Some((to_culprit.get(at)?, to_module.get(at)?)))
    else {
        return advice();
    };
    // What ends a substack ends only that.
    if before.text.split(' ').nth(1).is_some_and(|control| control.eq_ignore_ascii_case("include"))
    {
        let text = before.text.replacen("include", "substack", 1);
        return vec![Mend::Replace { file: before.file.clone(), line: before.number, text }];
    }
    // Others may include the module's file, and what it takes from a password needs that before it.
    let needs_password = module.has("use_first_pass") || module.has("try_first_pass");
    if own.number != module.number || own.file != module.file || needs_password {
        return advice();
    }
    // A jump counts the lines behind it, so nothing comes between it and its goal.
    let jump = lines(stack)
        .into_iter()
        .find(|line| line.file == before.file && line.number < before.number && jumps(line));
    let number = jump.map_or(before.number, |line| line.number);
    vec![
        Mend::Remove { file: module.file.clone(), line: module.number },
        Mend::Before { file: before.file.clone(), line: number, text: module.text.clone() },
    ]
}

/// The places that lead to a line, the line itself last.
fn way(line: &Line) -> Vec<Place> {
    let mut places: Vec<Place> = line
        .via
        .iter()
        .map(|via| Place { file: via.file.clone(), number: via.number, text: via.text.clone() })
        .collect();
    places.push(Place { file: line.file.clone(), number: line.number, text: line.text.clone() });
    places
}

#[derive(PartialEq, Eq)]
struct Place {
    file: PathBuf,
    number: usize,
    text: String,
}

fn jumps(line: &Line) -> bool {
    [Code::SUCCESS, Code::AUTH_ERR, Code::IGNORE, Code::USER_UNKNOWN]
        .into_iter()
        .any(|code| matches!(line.control.after(code), Action::Jump(_)))
}

/// A password that counts: the one that is asked for already, or one before the module.
pub(super) fn password(services: &Services, stack: &[Entry], module: &Line) -> Mend {
    if module.control.after(Code::AUTH_ERR) == Action::Ignore
        || module.control.after(Code::SUCCESS) == Action::Done
    {
        return line::required(module);
    }
    let proof = lines(stack).into_iter().find(|line| role(line) == Role::Proof);
    if let Some(proof) = proof {
        let text = format!("auth required {}", line::called(proof));
        return Mend::Replace { file: proof.file.clone(), line: proof.number, text };
    }
    let text = if services.path("common-auth").exists() {
        "@include common-auth"
    } else if services.path("system-auth").exists() {
        "auth substack system-auth"
    } else {
        "auth required pam_unix.so"
    };
    Mend::Before { file: module.file.clone(), line: module.number, text: text.to_owned() }
}

/// The first line of the module on a machine: by the command that sees first whether those who log in have
/// a token, and for one service, so that another is left to come back by.
pub(super) fn nowhere(without: &[String]) -> Mend {
    let named = |name: &str| without.iter().find(|service| *service == name);
    match named("sshd").or_else(|| named("sudo")).or(without.first()) {
        Some(service) => Mend::Command(messages::enable(service)),
        None => Mend::Advice(messages::add_line()),
    }
}

/// The line of a group that enrolment in the login is missing.
pub(super) fn enrolling_line(services: &Services, service: &str, group: Group) -> Mend {
    let file = services.path(service);
    let text = match group {
        // Before the other password lines, or those would ask for a new password first; the line of
        // `account` comes last, so that an expired password is dealt with by itself.
        Group::Password => {
            format!("password [success=done ignore=ignore default=die] {MODULE} enroll")
        }
        Group::Auth | Group::Account => format!("{} required {MODULE} enroll", group.as_str()),
    };
    if group != Group::Password {
        return Mend::Add { file, text };
    }
    let first = crate::pam_stack::read_from(services, service, group).ok().and_then(|stack| {
        let line = lines(&stack).first().map(|line| way(line))?;
        line.into_iter().next().map(|place| (place.file, place.number))
    });
    match first {
        Some((at, line)) if at == file => Mend::Before { file, line, text },
        _ => Mend::Add { file, text },
    }
}
