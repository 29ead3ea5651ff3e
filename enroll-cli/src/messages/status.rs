// SPDX-License-Identifier: GPL-3.0-or-later
//! What `mfa status` and `mfa admin show` say of a user.

use jiff::tz::TimeZone;
use mfa_proto::exchange::MovingFactor;
use mfa_proto::status::{TokenStatus, UserStatus};

use crate::clock;
use crate::duration::words;
use crate::messages;
use crate::table::{Table, printable};

/// What the daemon refuses at the moment, and until when.
pub(crate) fn lock(status: &UserStatus) -> Option<String> {
    if status.locked_hard {
        return Some("until unlocked".to_owned());
    }
    status.locked_seconds.map(|seconds| format!("{seconds} s"))
}

/// One fact a line.
pub(crate) fn describe(status: &UserStatus, zone: &TimeZone, columns: Option<usize>) -> String {
    let mut lines = Vec::new();
    if status.damaged {
        return messages::damaged(status.user.as_str());
    }
    if status.tokens.is_empty() {
        lines.push(format!("{} has no token. `mfa enroll` makes one.", status.user));
    } else {
        lines.push(tokens(&status.tokens, zone, columns));
        lines.extend(status.tokens.iter().flat_map(peculiarities));
        lines.push(format!("Recovery codes left: {}.", status.recovery_codes_left));
    }
    if status.failures > 0 {
        let last = status.last_failure.as_ref();
        lines.push(messages::failures_since(status.failures, last, zone));
    }
    lines.extend(lock(status).map(|lock| format!("Locked: {lock}.")));
    for bypass in &status.bypasses {
        let service = bypass.service.as_deref().map_or_else(
            || "any service".to_owned(),
            |service| format!("{} only", printable(service)),
        );
        let logins = if bypass.uses_left == 1 { "login" } else { "logins" };
        lines.push(format!(
            "Bypass code: {} {logins} until {}, {service}.",
            bypass.uses_left,
            clock::local(bypass.until, zone)
        ));
    }
    if let Some(until) = status.invited_until {
        lines.push(format!("Invited to enrol until {}.", clock::local(until, zone)));
    }
    for grace in &status.graces {
        lines.push(format!(
            "Grace: {} asks for no code for another {} from {} {}.",
            printable(&grace.service),
            words(grace.seconds_left),
            messages::tie(grace.tie),
            printable(&grace.value)
        ));
    }
    if !status.graces.is_empty() {
        lines.push("`mfa status --end-grace` ends it.".to_owned());
    }
    lines.join("\n")
}

fn tokens(tokens: &[TokenStatus], zone: &TimeZone, columns: Option<usize>) -> String {
    let headings = ["TOKEN", "MOVES BY", "ALGORITHM", "DIGITS", "CREATED", "LAST USED"];
    let mut table = Table::new(headings).within(columns);
    for token in tokens {
        table.push([
            token.name.clone(),
            match token.moving {
                MovingFactor::Totp => format!("time, {} s", token.period),
                MovingFactor::Hotp => "counter".to_owned(),
            },
            token.algorithm.clone(),
            token.digits.to_string(),
            clock::local(token.created, zone),
            token.last_used.map_or_else(|| "never".to_owned(), |time| clock::local(time, zone)),
        ]);
    }
    table.render()
}

/// What only some tokens have, and so has no column.
fn peculiarities(token: &TokenStatus) -> Vec<String> {
    let name = printable(&token.name);
    let mut lines = Vec::new();
    if let Some(offset) = token.clock_offset.filter(|offset| *offset != 0) {
        lines.push(format!("{name}: {}", messages::clock_of_token(offset)));
    }
    if token.held {
        lines.push(format!("{name}: {}", messages::HELD));
    }
    if token.rotation_due {
        lines.push(format!("{name}: {}", messages::ROTATION_DUE));
    }
    lines
}

#[cfg(test)]
pub(crate) mod tests {
    use mfa_proto::UserName;
    use mfa_proto::login::LastFailure;
    use mfa_proto::status::{BypassStatus, GraceStatus, GraceTie};

    use super::*;

    pub(crate) fn plain() -> UserStatus {
        UserStatus {
            user: UserName::new("alice").unwrap(),
            tokens: vec![TokenStatus {
                name: "phone".into(),
                moving: MovingFactor::Totp,
                algorithm: "SHA1".into(),
                digits: 6,
                period: 30,
                created: clock::BUILT_AFTER,
                last_used: None,
                clock_offset: None,
                rotation_due: false,
                held: false,
            }],
            damaged: false,
            failures: 0,
            locked_seconds: None,
            locked_hard: false,
            recovery_codes_left: 9,
            last_failure: None,
            bypasses: Vec::new(),
            invited_until: None,
            graces: Vec::new(),
        }
    }

    #[test]
    fn the_status_says_what_there_is_and_nothing_that_is_not() {
        assert_eq!(
            describe(&plain(), &TimeZone::UTC, None),
            "TOKEN  MOVES BY    ALGORITHM  DIGITS  CREATED           LAST USED\n\
             phone  time, 30 s  SHA1       6       2026-11-01 00:00  never\n\
             Recovery codes left: 9."
        );
        let mut none = plain();
        none.tokens.clear();
        none.locked_hard = true;
        assert_eq!(
            describe(&none, &TimeZone::UTC, None),
            "alice has no token. `mfa enroll` makes one.\nLocked: until unlocked."
        );
    }

    #[test]
    fn all_that_holds_for_a_user_has_a_line_without_escape_sequences() {
        let mut status = plain();
        status.tokens[0].clock_offset = Some(-30);
        status.tokens[0].rotation_due = true;
        status.failures = 2;
        status.last_failure =
            Some(LastFailure { at: clock::BUILT_AFTER, from: Some("\x1b[2Jhost".into()) });
        status.locked_seconds = Some(30);
        status.bypasses = vec![
            BypassStatus { until: clock::BUILT_AFTER, uses_left: 1, service: Some("sshd".into()) },
            BypassStatus { until: clock::BUILT_AFTER, uses_left: 2, service: None },
        ];
        status.invited_until = Some(clock::BUILT_AFTER);
        status.graces = vec![GraceStatus {
            service: "sshd".into(),
            tie: GraceTie::SshKey,
            value: "SHA256:abc".into(),
            seconds_left: 90,
        }];
        let text = describe(&status, &TimeZone::UTC, None);
        let (_, facts) = text.split_once("never\n").unwrap();
        assert_eq!(
            facts,
            "phone: The authenticator's clock is about 30 s behind; set it right.\n\
             phone: The token is due for a new secret: `mfa rotate` makes one.\n\
             Recovery codes left: 9.\n\
             2 wrong codes since the last success, the last from \u{fffd}[2Jhost at \
             2026-11-01 00:00.\n\
             Locked: 30 s.\n\
             Bypass code: 1 login until 2026-11-01 00:00, sshd only.\n\
             Bypass code: 2 logins until 2026-11-01 00:00, any service.\n\
             Invited to enrol until 2026-11-01 00:00.\n\
             Grace: sshd asks for no code for another 1 min 30 s from ssh key SHA256:abc.\n\
             `mfa status --end-grace` ends it."
        );
    }
}
