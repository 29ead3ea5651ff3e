// SPDX-License-Identifier: GPL-3.0-or-later
//! `[[rule]]` as it is written, and what keeps a rule from meaning nothing or two things.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use mfa_proto::UserName;
use mfa_proto::status::GraceTie;
use serde::{Deserialize, Deserializer, de};

use super::{Within, place};
use crate::messages::configuration as messages;
use crate::policy::rule::{Enrollment, GraceTerms, HostPattern, Matchers, Rule, Terms};

/// A rule with its place in the file.
pub(super) type Placed = toml::Spanned<Written>;

/// A rule as it is written.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    name: Option<String>,
    users: Option<Vec<UserName>>,
    groups: Option<Vec<String>>,
    services: Option<Vec<String>>,
    hosts: Option<Vec<HostPattern>>,
    #[serde(default)]
    required: bool,
    exempt_until: Option<Moment>,
    grace_seconds: Option<Within<1, 2_592_000>>,
    grace_for: Option<Vec<GraceTie>>,
    enroll_from: Option<Moment>,
    enroll_until: Option<Moment>,
    enrollment: Option<Enrollment>,
    #[serde(default)]
    observe: bool,
    unavailable: Option<Unavailable>,
}

/// What it means that the daemon cannot decide.
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Unavailable {
    Deny,
    Ignore,
}

/// A date, which begins at 00:00 UTC, or a date and time with its offset. Unix seconds.
#[derive(Debug, Clone, Copy)]
struct Moment(u64);

/// A rule that is not to be followed, and its line.
#[derive(Debug, PartialEq, Eq)]
pub struct RuleError {
    /// Where it begins.
    pub line: u32,
    /// What is wrong with it.
    pub what: &'static str,
}

/// The rules of a file whose text is `text`.
pub(super) fn rules(placed: Vec<Placed>, text: &str) -> Result<Vec<Rule>, RuleError> {
    let rules: Vec<Rule> =
        placed.into_iter().map(|placed| rule(placed, text)).collect::<Result<_, _>>()?;
    let for_all = rules.iter().position(|rule| rule.matches == Matchers::default());
    match for_all.and_then(|at| rules.get(at + 1)) {
        Some(Rule { line, .. }) => Err(RuleError { line: *line, what: messages::NEVER_MET }),
        None => Ok(rules),
    }
}

fn rule(placed: Placed, text: &str) -> Result<Rule, RuleError> {
    let line = place::line_at(text, placed.span().start);
    let written = placed.into_inner();
    let refuse = |what| Err(RuleError { line, what });
    let empty = |list: &Option<Vec<String>>| list.as_ref().is_some_and(Vec::is_empty);
    if empty(&written.groups)
        || empty(&written.services)
        || written.users.as_ref().is_some_and(Vec::is_empty)
        || written.hosts.as_ref().is_some_and(Vec::is_empty)
    {
        return refuse(messages::FITS_NOBODY);
    }
    if written.required && (written.exempt_until.is_some() || written.enroll_until.is_some()) {
        return refuse(messages::REQUIRED_AND_DATE);
    }
    if written.exempt_until.is_some() && written.enroll_until.is_some() {
        return refuse(messages::EXEMPT_AND_DEADLINE);
    }
    let (from, until) = (written.enroll_from, written.enroll_until);
    if let (Some(Moment(from)), Some(Moment(until))) = (from, until)
        && until < from
    {
        return refuse(messages::ENDS_BEFORE_IT_BEGINS);
    }
    let grace = match (written.grace_seconds, written.grace_for) {
        (Some(seconds), Some(ties)) if !ties.is_empty() => {
            Some(GraceTerms { seconds: seconds.get(), ties })
        }
        (None, None) => None,
        _ => return refuse(messages::HALF_A_GRACE),
    };
    Ok(Rule {
        line,
        name: written.name,
        matches: Matchers {
            users: written.users,
            groups: written.groups,
            services: written.services,
            hosts: written.hosts,
        },
        terms: Terms {
            required: written.required,
            exempt_until: written.exempt_until.map(|Moment(at)| at),
            grace,
            enroll_from: from.map(|Moment(at)| at),
            enroll_until: until.map(|Moment(at)| at),
            enrollment: written.enrollment,
            observe: written.observe,
            ignore_unavailable: written.unavailable == Some(Unavailable::Ignore),
        },
    })
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = toml::value::Datetime::deserialize(deserializer)?.to_string();
        let moment = match written.parse::<Date>() {
            Ok(date) if !written.contains([':', 'T', 't', ' ']) => {
                TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0))
            }
            _ => written.parse::<Timestamp>(),
        };
        moment
            .ok()
            .and_then(|moment| u64::try_from(moment.as_second()).ok())
            .map(Self)
            .ok_or_else(|| de::Error::custom(messages::not_a_moment(&written)))
    }
}

impl<'de> Deserialize<'de> for HostPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error| de::Error::custom(format_args!("{text:?} {error}")))
    }
}
