// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa.toml`: whether the daemon would take it, where it keeps its state, and which rules let logins in
//! without a code.

use std::io;
use std::path::PathBuf;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use toml::Spanned;

use super::finding::{Check, Finding, Mend};
use super::host::Host;
use crate::messages::doctor as messages;

const FILE: &str = "/etc/mfa/mfa.toml";
const PROGRAM: &str = "/usr/sbin/mfa-daemon";
const SUBJECT: &str = "mfa.toml";

/// The pseudo-service of `mfa enroll` and its like.
const OWN_SERVICE: &str = "mfa";

/// What was seen.
pub(super) struct Seen {
    pub(super) findings: Vec<Finding>,
    pub(super) file: PathBuf,
    /// The database of the store.
    pub(super) database: PathBuf,
    /// The master key, where it is a file.
    pub(super) key: Option<PathBuf>,
}

/// What matters here. The daemon says what is wrong with the rest.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Written {
    store: Store,
    master_key: Key,
    rule: Vec<Spanned<Rule>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Store {
    url: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Key {
    file: Option<String>,
    credential: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Rule {
    name: Option<String>,
    services: Option<Vec<String>>,
    exempt_until: Option<Spanned<toml::value::Datetime>>,
    observe: Option<Spanned<bool>>,
    unavailable: Option<Spanned<String>>,
}

/// `now` in Unix seconds.
pub(super) fn look(host: &Host<'_>, services: &[String], now: u64) -> Seen {
    let file = host.below(FILE);
    let mut seen = Seen {
        findings: Vec::new(),
        database: host.below("/var/lib/mfa/mfa.db"),
        key: Some(host.below("/var/lib/mfa/master.key")),
        file,
    };
    let text = match std::fs::read_to_string(&seen.file) {
        Ok(text) => text,
        // Every key has a default.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return seen,
        Err(error) => {
            let text = messages::unread(&seen.file, &error);
            seen.findings.push(Finding::new(Check::NotLookedAt, SUBJECT, text));
            return seen;
        }
    };
    validate(host, &mut seen);
    let Ok(written) = toml::from_str::<Written>(&text) else { return seen };
    if let Some(path) = written.store.url.as_deref().and_then(|url| url.strip_prefix("sqlite:")) {
        seen.database = host.below(path);
    }
    if let Some(path) = &written.master_key.file {
        seen.key = Some(host.below(path));
    }
    if written.master_key.credential.is_some() {
        seen.key = None;
    }
    for rule in &written.rule {
        judge(&mut seen, &text, rule, services, now);
    }
    seen
}

/// What the daemon itself says of it.
fn validate(host: &Host<'_>, seen: &mut Seen) {
    let path = seen.file.display().to_string();
    let Ok(ran) = host.run(&[PROGRAM, "--check", "--config", &path]) else { return };
    seen.findings.push(if ran.succeeded {
        Finding::new(Check::ConfigurationValid, SUBJECT, messages::valid(&seen.file))
    } else {
        let text = messages::invalid(&ran.err);
        let mend = Mend::Advice(messages::invalid_mend(&seen.file));
        Finding::new(Check::ConfigurationInvalid, SUBJECT, text).mended(mend)
    });
}

fn judge(seen: &mut Seen, text: &str, rule: &Spanned<Rule>, services: &[String], now: u64) {
    let place = messages::rule(rule.get_ref().name.as_deref(), line_at(text, rule.span().start));
    let remove = |at: usize| Mend::Remove { file: seen.file.clone(), line: line_at(text, at) };
    let of = |check, text: String| Finding::new(check, SUBJECT, text);
    let rule = rule.get_ref();
    let mut found = Vec::new();
    if let Some(observe) = rule.observe.as_ref().filter(|observe| *observe.get_ref()) {
        found.push(
            of(Check::RuleObserve, messages::rule_observes(&place))
                .mended(remove(observe.span().start)),
        );
    }
    if let Some(value) = rule.unavailable.as_ref().filter(|value| value.get_ref() == "ignore") {
        found.push(
            of(Check::RuleUnavailable, messages::rule_unavailable(&place))
                .mended(remove(value.span().start)),
        );
    }
    if let Some(until) = &rule.exempt_until {
        let written = until.get_ref().to_string();
        let (check, text) = match moment(&written) {
            Some(until) if until <= now => {
                (Check::RuleEnded, messages::rule_ended(&place, &written))
            }
            _ => (Check::RuleExempt, messages::rule_exempt(&place, &written)),
        };
        found.push(of(check, text).mended(remove(until.span().start)));
    }
    for name in rule.services.iter().flatten() {
        if name != OWN_SERVICE && !services.contains(name) {
            found.push(
                of(Check::RuleNoService, messages::rule_no_service(&place, name))
                    .mended(Mend::Advice(messages::rule_no_service_mend(name, &seen.file))),
            );
        }
    }
    seen.findings.extend(found);
}

/// Unix seconds of a date, which begins at 00:00 UTC, or of a date and time with its offset.
fn moment(written: &str) -> Option<u64> {
    let moment = match written.parse::<Timestamp>() {
        Ok(moment) => moment,
        Err(_) => TimeZone::UTC.to_timestamp(written.parse::<Date>().ok()?.at(0, 0, 0, 0)).ok()?,
    };
    u64::try_from(moment.as_second()).ok()
}

fn line_at(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}
