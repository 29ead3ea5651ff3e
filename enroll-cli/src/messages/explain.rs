// SPDX-License-Identifier: GPL-3.0-or-later
//! What `mfa explain` says.

use jiff::tz::TimeZone;
use mfa_proto::UserName;
use mfa_proto::explain::{Explanation, Outcome};
use mfa_proto::login::Origin;

use crate::clock;
use crate::duration::words;
use crate::messages;
use crate::table::printable;

/// One fact a line: the decision first, then what makes it, then what else holds.
pub(crate) fn describe(
    user: &UserName,
    origin: &Origin,
    found: &Explanation,
    zone: &TimeZone,
) -> String {
    let moment = |at: u64| clock::local(at, zone);
    let mut lines = vec![decision(user, origin, found), rule(found)];
    if let Outcome::NoToken { enroll_within: Some(seconds) } = found.outcome {
        lines.push(match seconds {
            0 => "The token must be made in that login.".to_owned(),
            seconds => format!("The token must be made within {}.", words(seconds)),
        });
    }
    if let Some(until) = found.exempt_until {
        let ends = if matches!(found.outcome, Outcome::Exempt {}) { "ends" } else { "ended" };
        lines.push(format!("The exemption {ends} at {}.", moment(until)));
    }
    if found.observe {
        lines.push("Observed only: codes are checked and logged, and nobody is denied.".to_owned());
    }
    if found.unavailable_ignored {
        lines.push(
            "Where the daemon cannot decide, the login passes and the log has an alert.".to_owned(),
        );
    }
    lines.push(
        match found.enrollment.as_str() {
            "self" => "First token: users make their own.",
            "invite" => "First token: with an invite code (mfa admin invite USER).",
            "admin" => "First token: an administrator makes it.",
            _ => "First token: by a rule that this version does not know.",
        }
        .to_owned(),
    );
    if let Some(from) = found.enroll_from {
        lines.push(format!("Without a token: must enrol in the login from {}.", moment(from)));
    }
    if let Some(until) = found.enroll_until {
        lines.push(format!("Without a token: denied from {}.", moment(until)));
    }
    if let Some(seconds) = found.grace_seconds {
        let ties: Vec<_> = found.grace_for.iter().map(|tie| messages::tie(*tie)).collect();
        let ties = if ties.is_empty() { "nothing".to_owned() } else { ties.join(" or ") };
        lines.push(format!(
            "Grace: after a success no code for {}, with the same {ties}.",
            words(seconds)
        ));
    }
    lines.join("\n")
}

fn decision(user: &UserName, origin: &Origin, found: &Explanation) -> String {
    let part = |word: &str, value: &Option<String>| {
        value.as_deref().map_or_else(String::new, |value| format!(" {word} {}", printable(value)))
    };
    let over = format!(
        "over {}{}{}",
        printable(&origin.service),
        part("from", &origin.rhost),
        part("on", &origin.tty)
    );
    match found.outcome {
        Outcome::Prompt {} => format!("{user} would be asked for a code {over}."),
        Outcome::Locked { seconds: Some(seconds) } => format!(
            "{user} would be asked for a code {over} and denied: locked for another {}.",
            words(seconds)
        ),
        Outcome::Locked { seconds: None } => format!(
            "{user} would be asked for a code {over} and denied: locked until an administrator \
             unlocks (mfa admin unlock {user})."
        ),
        Outcome::Granted {} => format!("{user} would pass {over} without a code: a grace holds."),
        Outcome::Exempt {} => format!("{user} would pass {over} without a code: exempt."),
        Outcome::NoToken { .. } => {
            format!("{user} has no token: denied {over}, or let in where nullok is set.")
        }
        Outcome::Expired {} if found.enroll_until.is_none() => {
            format!("{user} has no token and one is required: denied {over}, nullok or not.")
        }
        Outcome::Expired {} => {
            format!("{user} has no token and the time to make one is over: denied {over}.")
        }
    }
}

fn rule(found: &Explanation) -> String {
    match &found.rule {
        Some(rule) => match &rule.name {
            Some(name) => {
                format!("Rule '{}' (mfa.toml, line {}) decides.", printable(name), rule.line)
            }
            None => format!("The rule in line {} of mfa.toml decides.", rule.line),
        },
        None => "No rule matches: the defaults decide.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use mfa_proto::explain::RuleRef;
    use mfa_proto::status::GraceTie;

    use super::*;

    fn shown(found: &Explanation) -> String {
        let origin = Origin {
            service: "sshd".into(),
            rhost: Some("192.0.2.1\x1b".into()),
            ..Origin::default()
        };
        describe(&UserName::new("alice").unwrap(), &origin, found, &TimeZone::UTC)
    }

    fn bare(outcome: Outcome) -> Explanation {
        Explanation {
            outcome,
            rule: None,
            observe: false,
            unavailable_ignored: false,
            enrollment: "self".into(),
            enroll_from: None,
            enroll_until: None,
            exempt_until: None,
            grace_seconds: None,
            grace_for: Vec::new(),
        }
    }

    #[test]
    fn every_fact_has_a_line_and_what_does_not_hold_has_none() {
        let text = shown(&bare(Outcome::Prompt {}));
        assert_eq!(
            text,
            "alice would be asked for a code over sshd from 192.0.2.1\u{fffd}.\n\
             No rule matches: the defaults decide.\n\
             First token: users make their own."
        );
        let full = Explanation {
            rule: Some(RuleRef { line: 14, name: Some("contractors".into()) }),
            observe: true,
            unavailable_ignored: true,
            enrollment: "invite".into(),
            enroll_from: Some(clock::BUILT_AFTER),
            enroll_until: Some(clock::BUILT_AFTER + 86_400),
            exempt_until: Some(clock::BUILT_AFTER + 2 * 86_400),
            grace_seconds: Some(3600),
            grace_for: vec![GraceTie::SshKey, GraceTie::Tty],
            ..bare(Outcome::Exempt {})
        };
        assert_eq!(
            shown(&full),
            "alice would pass over sshd from 192.0.2.1\u{fffd} without a code: exempt.\n\
             Rule 'contractors' (mfa.toml, line 14) decides.\n\
             The exemption ends at 2026-11-03 00:00.\n\
             Observed only: codes are checked and logged, and nobody is denied.\n\
             Where the daemon cannot decide, the login passes and the log has an alert.\n\
             First token: with an invite code (mfa admin invite USER).\n\
             Without a token: must enrol in the login from 2026-11-01 00:00.\n\
             Without a token: denied from 2026-11-02 00:00.\n\
             Grace: after a success no code for 1 h, with the same ssh key or terminal."
        );
    }

    #[test]
    fn every_outcome_says_whether_the_login_passes() {
        for (outcome, said) in [
            (Outcome::Locked { seconds: Some(90) }, "denied: locked for another 1 min 30 s"),
            (Outcome::Locked { seconds: None }, "mfa admin unlock alice"),
            (Outcome::Granted {}, "would pass"),
            (Outcome::NoToken { enroll_within: None }, "denied over sshd from 192.0.2.1"),
            (Outcome::NoToken { enroll_within: None }, "or let in where nullok is set"),
            (Outcome::NoToken { enroll_within: Some(0) }, "must be made in that login"),
            (Outcome::NoToken { enroll_within: Some(86_400) }, "must be made within 1 day."),
            (Outcome::Expired {}, "one is required: denied over sshd"),
        ] {
            let text = shown(&bare(outcome));
            assert!(text.contains(said), "{text}");
        }
    }

    #[test]
    fn a_date_that_is_over_is_told_apart_from_one_that_is_not() {
        let until = Some(clock::BUILT_AFTER);
        let over = Explanation { enroll_until: until, ..bare(Outcome::Expired {}) };
        assert!(shown(&over).contains("the time to make one is over"), "{}", shown(&over));
        for (outcome, said) in [
            (Outcome::Exempt {}, "The exemption ends at 2026-11-01"),
            (Outcome::Prompt {}, "The exemption ended at 2026-11-01"),
        ] {
            let text = shown(&Explanation { exempt_until: until, ..bare(outcome) });
            assert!(text.contains(said), "{text}");
        }
    }
}
