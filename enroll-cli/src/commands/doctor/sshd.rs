// SPDX-License-Identifier: GPL-3.0-or-later
//! What sshd's effective configuration (`sshd -T`) makes of a login that should ask for a code.

mod ask;
mod matching;

use std::collections::HashMap;
use std::path::Path;

use super::finding::{Check, Finding, Mend};
use super::host::Host;
use super::pam::OverSsh;
use crate::messages::doctor as messages;

/// Seconds that somebody needs for a password, the next code and typing it.
const GRACE_MIN: u64 = 60;

/// Seconds for a QR code, a first code and ten recovery codes.
const GRACE_ENROLLING: u64 = 120;

/// Attempts for a key or two that do not fit, and one slip.
const TRIES_MIN: u64 = 3;

const SUBJECT: &str = "sshd";
const DIALOGUE: &str = "keyboard-interactive";
const KEY: &str = "publickey";

/// Looks at every kind of connection that the configuration tells apart. Nothing to say where sshd is
/// not there, or does not use the module.
pub(super) fn look(host: &Host<'_>, over_ssh: Option<OverSsh>) -> Vec<Finding> {
    let Some(over_ssh) = over_ssh else { return Vec::new() };
    let Some(program) = ask::program(host) else { return Vec::new() };
    if !host.is_root() {
        let text = messages::not_root_for("sshd -T");
        let finding = Finding::new(Check::NotLookedAt, SUBJECT, text);
        return vec![finding.mended(Mend::Command("sudo mfa doctor".to_owned()))];
    }
    let matching = matching::read(host);
    let mut findings = Vec::new();
    let mut general: Vec<Check> = Vec::new();
    for spec in matching::specs(host, &matching) {
        let settings = match ask::settings(host, &program, &spec) {
            Ok(settings) => settings,
            // It is there while sshd runs, where that is started for each connection.
            Err(said) if said.contains("privilege separation directory") => {
                let text = messages::sshd_invalid(&said);
                let finding = Finding::new(Check::NotLookedAt, SUBJECT, text);
                return vec![finding.mended(Mend::Command(messages::while_sshd_runs().to_owned()))];
            }
            Err(said) => {
                let text = messages::sshd_invalid(&said);
                let finding = Finding::new(Check::SshdInvalid, SUBJECT, text);
                return vec![finding.mended(Mend::Command("sshd -t".to_owned()))];
            }
        };
        let found = judge(&settings, over_ssh, &host.below("/etc/ssh"), spec.label.as_deref());
        // Of a `Match` block what is not so elsewhere.
        let new = found.into_iter().filter(|finding| !general.contains(&finding.check));
        let new: Vec<Finding> = new.collect();
        general.extend(new.iter().filter(|_| spec.label.is_none()).map(|finding| finding.check));
        findings.extend(new.into_iter().map(|finding| finding.mended(reload(host))));
    }
    for condition in matching.unclear {
        let text = messages::match_unclear(&condition);
        findings.push(Finding::new(Check::NotLookedAt, SUBJECT, text));
    }
    if findings.iter().all(|finding| finding.check == Check::NotLookedAt) {
        findings.push(Finding::new(Check::SshdAsks, SUBJECT, messages::sshd_asks()));
    }
    findings
}

/// The settings of one kind of connection: names in lower case, as `sshd -T` prints them.
pub(super) struct Settings(HashMap<String, String>);

impl Settings {
    pub(super) fn parse(text: &str) -> Self {
        let pairs = text.lines().filter_map(|line| line.split_once(' '));
        Self(
            pairs
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                .collect(),
        )
    }

    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    fn is(&self, name: &str) -> bool {
        self.get(name) == "yes"
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.get(name).parse().ok()
    }

    fn dialogue(&self) -> bool {
        self.is("kbdinteractiveauthentication") || self.is("challengeresponseauthentication")
    }

    fn is_enabled(&self, method: &str) -> bool {
        match method {
            KEY => self.is("pubkeyauthentication"),
            "password" => self.is("passwordauthentication"),
            DIALOGUE => self.dialogue(),
            "hostbased" => self.is("hostbasedauthentication"),
            "gssapi-with-mic" => self.is("gssapiauthentication"),
            _ => false,
        }
    }

    /// The ways in: each the methods that are all needed.
    fn ways(&self) -> Vec<Vec<&str>> {
        let all = [KEY, "password", DIALOGUE, "hostbased", "gssapi-with-mic"];
        let written = self.get("authenticationmethods");
        if written.is_empty() || written == "any" {
            return all
                .into_iter()
                .filter(|method| self.is_enabled(method))
                .map(|one| vec![one])
                .collect();
        }
        // A submethod such as keyboard-interactive:pam stands behind its method.
        let lists = written.split_whitespace().map(|list| {
            list.split(',').map(|method| method.split(':').next().unwrap_or(method)).collect()
        });
        lists.filter(|list: &Vec<&str>| list.iter().all(|method| self.is_enabled(method))).collect()
    }
}

/// What one kind of connection comes to. `block` is its `Match` line.
pub(super) fn judge(
    settings: &Settings,
    over_ssh: OverSsh,
    directory: &Path,
    block: Option<&str>,
) -> Vec<Finding> {
    let subject = messages::sshd_subject(block);
    let set = |line: &str| match block {
        None => first_of_all(directory, line),
        Some(block) => Mend::Advice(messages::in_block(block, line)),
    };
    let tell =
        |check, text: String, line: &str| Finding::new(check, &subject, text).mended(set(line));
    if !settings.is("usepam") {
        return vec![tell(Check::SshdNoPam, messages::sshd_is("UsePAM", "no"), "UsePAM yes")];
    }
    let ways = settings.ways();
    let mut found = Vec::new();
    let dialogue = ways.iter().any(|way| way.contains(&DIALOGUE));
    let password = ways.iter().any(|way| way.contains(&"password"));
    if !dialogue && !over_ssh.one_field {
        let (text, line) = if settings.dialogue() {
            (messages::methods(settings.get("authenticationmethods")), methods(over_ssh))
        } else {
            (
                messages::sshd_is("KbdInteractiveAuthentication", "no"),
                "KbdInteractiveAuthentication yes",
            )
        };
        found.push(tell(Check::SshdNoDialogue, text, line));
    } else if password && !over_ssh.one_field {
        let text = messages::sshd_is("PasswordAuthentication", "yes");
        found.push(tell(Check::SshdPasswordMethod, text, "PasswordAuthentication no"));
    }
    for (method, check) in [
        (KEY, Check::SshdKeyAlone),
        ("hostbased", Check::SshdHostbasedAlone),
        ("gssapi-with-mic", Check::SshdGssapiAlone),
    ] {
        let asks = |way: &Vec<&str>| way.contains(&DIALOGUE) || way.contains(&"password");
        if ways.iter().any(|way| way.contains(&method) && !asks(way)) {
            let text = messages::methods(settings.get("authenticationmethods"));
            found.push(tell(check, text, methods(over_ssh)));
        }
    }
    if over_ssh.code_alone && ways.iter().any(|way| way == &[DIALOGUE]) {
        let text = messages::sshd_code_alone(settings.get("authenticationmethods"));
        found.push(tell(Check::SshdCodeAlone, text, methods(over_ssh)));
    }
    if settings.is("permitemptypasswords") {
        let text = messages::sshd_is("PermitEmptyPasswords", "yes");
        found.push(tell(Check::SshdEmptyPasswords, text, "PermitEmptyPasswords no"));
    }
    // What only holds for all connections is told once.
    let least = if over_ssh.enrols { GRACE_ENROLLING } else { GRACE_MIN };
    let grace = settings.number("logingracetime").filter(|grace| (1..least).contains(grace));
    if let Some(grace) = grace.filter(|_| block.is_none()) {
        let text = messages::short_grace(grace, least);
        found.push(tell(Check::SshdShortGrace, text, &format!("LoginGraceTime {}", 2 * least)));
    }
    if let Some(tries) = settings.number("maxauthtries").filter(|tries| *tries < TRIES_MIN) {
        found.push(tell(Check::SshdFewTries, messages::few_tries(tries), "MaxAuthTries 6"));
    }
    let root = settings.get("permitrootlogin");
    let only_with_dialogue =
        ways.iter().all(|way| way.contains(&DIALOGUE) || way.contains(&"password"));
    if ["without-password", "prohibit-password"].contains(&root) && only_with_dialogue && dialogue {
        let text = messages::root_denied(root);
        found.push(tell(Check::SshdRootDenied, text, "PermitRootLogin yes"));
    }
    found
}

/// The line that asks for a code on every way. With a stack that asks for the code alone, a key comes first.
fn methods(over_ssh: OverSsh) -> &'static str {
    if over_ssh.code_alone {
        "AuthenticationMethods publickey,keyboard-interactive"
    } else {
        "AuthenticationMethods publickey,keyboard-interactive keyboard-interactive"
    }
}

/// The line before all others: in sshd_config the first value counts.
fn first_of_all(directory: &Path, line: &str) -> Mend {
    let (file, text) = (directory.join("sshd_config"), line.to_owned());
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    let mut settings =
        written.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    // Debian and Fedora begin with it.
    let includes = settings.next().is_some_and(|line| {
        line.to_ascii_lowercase().starts_with("include ") && line.contains("/sshd_config.d/*.conf")
    });
    if includes {
        Mend::Add { file: directory.join("sshd_config.d/00-mfa.conf"), text }
    } else {
        Mend::Before { file, line: 1, text }
    }
}

/// What makes a running sshd read it.
fn reload(host: &Host<'_>) -> Mend {
    let is_debian = ["/usr/lib/systemd/system/ssh.service", "/lib/systemd/system/ssh.service"]
        .iter()
        .any(|unit| host.below(unit).exists());
    let unit = if is_debian { "ssh.service" } else { "sshd.service" };
    Mend::Command(messages::reload(unit))
}

#[cfg(test)]
#[path = "sshd/tests.rs"]
mod tests;
