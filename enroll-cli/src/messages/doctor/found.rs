// SPDX-License-Identifier: GPL-3.0-or-later
//! What is there, and the lines and commands that mend it.

use std::fmt;
use std::io;
use std::path::Path;

use super::at;
use crate::pam_stack::{Line, MODULE, StackError};
use crate::table::printable;

/// The places of lines, where there may be several.
fn all(places: &[String]) -> String {
    printable(&places.join(", "))
}

fn line(line: &Line) -> String {
    format!("`{}` ({})", printable(&line.text), printable(&line.place()))
}

pub(crate) fn nowhere() -> String {
    format!("no service has a line with {MODULE}")
}

pub(crate) fn no_code() -> String {
    format!("no line with {MODULE}")
}

pub(crate) fn add_line() -> String {
    "where they should ask: mfa pam enable SERVICE".to_owned()
}

pub(crate) fn enable(service: &str) -> String {
    format!("mfa pam enable {}", printable(service))
}

pub(crate) fn asks(places: &[String]) -> String {
    format!("asks for a code ({})", all(places))
}

pub(crate) fn unreadable(error: &StackError) -> String {
    printable(&error.to_string())
}

pub(crate) fn correct_line(path: &Path, number: usize) -> String {
    format!("correct {} line {number}; pam.d(5) has its form", at(path))
}

pub(crate) fn no_file(path: &Path) -> String {
    format!("make {} readable, or take away the line that includes it", at(path))
}

pub(crate) fn too_deep(path: &Path) -> String {
    format!("take away the line by which {} includes itself", at(path))
}

pub(crate) fn unused(path: &Path) -> String {
    format!("{} has a line with {MODULE}, and by its name is a copy", at(path))
}

pub(crate) fn remove_file(path: &Path) -> String {
    format!("rm {}", at(path))
}

pub(crate) fn skipped(by: &Line) -> String {
    format!("{} ends the stack, or jumps over the line with {MODULE}", line(by))
}

pub(crate) fn no_condition(by: &Line) -> String {
    format!("if nobody is to be left out, take the line away ({})", printable(&by.place()))
}

pub(crate) fn module_first(by: &Line) -> String {
    format!("put the line with {MODULE} before {}", line(by))
}

pub(crate) fn not_held(module: &Line) -> String {
    format!("{} lets the stack go on after a denial", line(module))
}

pub(crate) fn code_alone(module: &Line) -> String {
    format!("{} is all that has to succeed", line(module))
}

pub(crate) fn nothing_alone(module: &Line) -> String {
    format!("{} is all that asks for anything, and need not", line(module))
}

pub(crate) fn twice(places: &[String]) -> String {
    format!("the module is called more than once ({})", all(places))
}

pub(crate) fn nobody_in() -> String {
    "no result of its lines lets anybody in".to_owned()
}

pub(crate) fn nobody_in_mend(path: &Path) -> String {
    format!("look in {} for a line that always denies, or a jump beyond the last", at(path))
}

pub(crate) fn option(of: &Line, option: &str) -> String {
    format!(
        "{} has {:?}, which the module does not take",
        printable(&of.place()),
        printable(option)
    )
}

pub(crate) fn enrol_skipped(by: &Line, group: &str) -> String {
    format!("{} ends the {group} stack, or jumps over the line with {MODULE} enroll", line(by))
}

pub(crate) fn enrol_no_password(of: &Line) -> String {
    format!("{} has enroll, and no password line of {MODULE} has", printable(&of.place()))
}

pub(crate) fn enrol_no_account(of: &Line) -> String {
    format!("{} has enroll, and no account line of {MODULE} has", printable(&of.place()))
}

pub(crate) fn module_missing(of: &Line) -> String {
    format!("{} is not installed", printable(&of.module))
}

pub(crate) fn reinstall() -> String {
    "install the package of mfa again: apt install --reinstall mfa".to_owned()
}

pub(crate) fn observe(of: &Line) -> String {
    format!("{} has observe", printable(&of.place()))
}

pub(crate) fn unavailable(of: &Line) -> String {
    format!("{} has unavailable=ignore", printable(&of.place()))
}

pub(crate) fn nullok(of: &Line) -> String {
    format!("{} has nullok", printable(&of.place()))
}

pub(crate) fn exempt_group(of: &Line, group: &str) -> String {
    format!("{} leaves the group {} out", printable(&of.place()), printable(group))
}

pub(crate) fn other_socket(of: &Line, socket: &Path) -> String {
    format!("{} asks the daemon at {}", printable(&of.place()), at(socket))
}

pub(crate) fn ask_other(socket: &Path) -> String {
    format!("mfa --socket {} doctor", at(socket))
}

pub(crate) fn not_loadable() -> String {
    "no shared object for this machine".to_owned()
}

pub(crate) fn other_version(what: &str, version: Option<&str>, own: &str) -> String {
    match version {
        Some(version) => format!("{what} is {}, mfa is {own}", printable(version)),
        None => format!("{what} does not tell its version, so it is older than mfa {own}"),
    }
}

pub(crate) fn same_version(own: &str) -> String {
    format!("version {own}, that of mfa")
}

pub(crate) fn sshd_subject(block: Option<&str>) -> String {
    match block {
        Some(block) => format!("sshd, {}", printable(block)),
        None => "sshd".to_owned(),
    }
}

pub(crate) fn sshd_invalid(said: &str) -> String {
    format!("sshd -T: {}", printable(said))
}

pub(crate) fn sshd_is(setting: &str, value: &str) -> String {
    format!("{setting} {value}")
}

pub(crate) fn sshd_asks() -> String {
    "every way in that its configuration has asks for a code".to_owned()
}

pub(crate) fn methods(written: &str) -> String {
    let written = if written.is_empty() { "any" } else { written };
    format!("AuthenticationMethods {}", printable(written))
}

pub(crate) fn sshd_code_alone(written: &str) -> String {
    format!("{}, and PAM's sshd asks for nothing but the code", methods(written))
}

pub(crate) fn in_block(block: &str, line: &str) -> String {
    format!("in the block `{}` of sshd_config: {line}", printable(block))
}

pub(crate) fn short_grace(seconds: u64, least: u64) -> String {
    format!("LoginGraceTime {seconds}: less than the {least} s that people need")
}

pub(crate) fn few_tries(tries: u64) -> String {
    format!("MaxAuthTries {tries}")
}

pub(crate) fn root_denied(value: &str) -> String {
    format!("PermitRootLogin {value}, and AuthenticationMethods wants more than a key")
}

pub(crate) fn reload(unit: &str) -> String {
    format!("systemctl reload {unit}")
}

pub(crate) fn while_sshd_runs() -> &'static str {
    "mkdir -p -m 755 /run/sshd && mfa doctor"
}

pub(crate) fn match_unclear(condition: &str) -> String {
    format!("no connection could be thought of for `Match {}`", printable(condition))
}

pub(crate) fn not_root_for(what: &str) -> String {
    format!("{}: only root may look there", printable(what))
}

pub(crate) fn unread(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", at(path))
}

pub(crate) fn sudo_line(path: &Path, number: usize, text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("`{}` ({} line {number})", printable(&text), at(path))
}

pub(crate) fn sudo_without(word: &str) -> String {
    format!("to have sudo ask, take {word} away (visudo)")
}

pub(crate) fn sudo_timestamp() -> String {
    "to be asked each time: Defaults timestamp_timeout=0 (visudo)".to_owned()
}

pub(crate) fn valid(path: &Path) -> String {
    format!("{} is valid", at(path))
}

/// What the daemon says, without the beginning of a line of its log.
pub(crate) fn invalid(said: &str) -> String {
    let mut lines = said.lines().filter(|line| !line.trim().is_empty());
    let last = lines.next_back().unwrap_or_default();
    printable(last.split_once("ERROR ").map_or(last, |(_, text)| text).trim())
}

pub(crate) fn invalid_mend(path: &Path) -> String {
    format!("correct {}, then: mfa-daemon --check && mfa admin reload", at(path))
}

pub(crate) fn rule(name: Option<&str>, line: usize) -> String {
    match name {
        Some(name) => format!("the rule {:?} (line {line})", printable(name)),
        None => format!("the rule in line {line}"),
    }
}

pub(crate) fn rule_observes(rule: &str) -> String {
    format!("{rule} has observe = true")
}

pub(crate) fn rule_unavailable(rule: &str) -> String {
    format!("{rule} has unavailable = \"ignore\"")
}

pub(crate) fn rule_exempt(rule: &str, until: &str) -> String {
    format!("{rule} exempts until {until}")
}

pub(crate) fn rule_ended(rule: &str, until: &str) -> String {
    format!("{rule} exempted until {until}, which is over")
}

pub(crate) fn rule_no_service(rule: &str, service: &str) -> String {
    format!("{rule} is for {:?}, a service that PAM does not have", printable(service))
}

pub(crate) fn rule_no_service_mend(service: &str, path: &Path) -> String {
    format!(
        "correct {:?} in {}; services are the file names in /etc/pam.d",
        printable(service),
        at(path)
    )
}

pub(crate) fn socket_safe(path: &Path, owner: u32) -> String {
    match owner {
        0 => format!("only root can listen at {}", at(path)),
        _ => format!("only root and uid {owner} can listen at {}", at(path)),
    }
}

pub(crate) fn socket_mend() -> String {
    "set `socket` in /etc/mfa/mfa.toml to a path in a directory of its own, such as \
     /run/mfa/mfa.sock"
        .to_owned()
}

pub(crate) fn answers(version: &str) -> String {
    format!("answers, version {version}")
}

pub(crate) fn cannot_decide() -> String {
    "answers that it cannot read or write its state; its log says why".to_owned()
}

pub(crate) fn clock_early(now: u64) -> String {
    format!("shows a time before this program was made (@{now})")
}

pub(crate) fn clock_synchronised() -> String {
    "synchronised".to_owned()
}

pub(crate) fn clock_unsynchronised() -> String {
    "nothing keeps it synchronised, by what the kernel says".to_owned()
}

pub(crate) fn clock_unknown() -> String {
    "whether it is synchronised the daemon would tell".to_owned()
}

pub(crate) fn files_safe() -> String {
    "only root writes what decides logins, and only the daemon reads its state".to_owned()
}

pub(crate) fn writable(mode: u32) -> String {
    format!("mode {:04o}: others than its owner can write it", mode & 0o7777)
}

pub(crate) fn readable(mode: u32) -> String {
    format!("mode {:04o}: others than the daemon can use it", mode & 0o7777)
}

pub(crate) fn owned(by: u32, owner: u32) -> String {
    format!("belongs to uid {by}, not to uid {owner}")
}

pub(crate) fn chmod(change: &str, path: &Path) -> String {
    format!("chmod {change} {}", at(path))
}

pub(crate) fn chown(owner: impl fmt::Display, path: &Path) -> String {
    format!("chown {owner} {}", at(path))
}

pub(crate) fn chown_to_daemon(account: &str, path: &Path) -> String {
    format!("chown {account}: {}", at(path))
}

pub(crate) fn key_missing(database: &Path) -> String {
    format!("missing, while {} is there", at(database))
}

pub(crate) fn store_missing(key: &Path) -> String {
    format!("missing, while the master key {} is there", at(key))
}

pub(crate) fn restore() -> String {
    "put it back from its copy; see /usr/share/doc/mfa/operations/backup.md".to_owned()
}

pub(crate) fn label(label: &str) -> String {
    format!("is labelled {}, as a file that was moved here", printable(label))
}

pub(crate) fn restorecon(path: &Path) -> String {
    format!("restorecon -v {}", at(path))
}

pub(crate) fn nobody_enrolled() -> String {
    "nobody of this machine has a token".to_owned()
}

pub(crate) fn enrolled(with: usize, all: usize) -> String {
    format!("{with} of {all} have a token")
}

pub(crate) fn expired() -> String {
    "has no token, and the day to enrol by is over".to_owned()
}

pub(crate) fn invite(user: &str) -> String {
    format!("mfa enroll --user {}", printable(user))
}

pub(crate) fn without_token(users: &[&str]) -> String {
    let shown: Vec<&str> = users.iter().take(10).copied().collect();
    let more = match users.len().saturating_sub(shown.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("without a token: {}{more}", printable(&shown.join(", ")))
}

pub(crate) fn enrol_them() -> String {
    "have them run `mfa enroll`; docs/operations/policy.md sets them a day".to_owned()
}

pub(crate) fn no_token() -> String {
    "has no token".to_owned()
}

pub(crate) fn tokens(tokens: usize) -> String {
    match tokens {
        1 => "has 1 token".to_owned(),
        tokens => format!("has {tokens} tokens"),
    }
}

pub(crate) fn locked() -> String {
    "too many wrong codes".to_owned()
}

pub(crate) fn unlock(user: &str) -> String {
    format!("mfa admin unlock {}", printable(user))
}

pub(crate) fn held() -> String {
    "has a token by counter from before the store was put back".to_owned()
}

pub(crate) fn rotation_due() -> String {
    "has a token older than token.max_age_days".to_owned()
}
