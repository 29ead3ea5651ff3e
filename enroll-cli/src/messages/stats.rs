// SPDX-License-Identifier: GPL-3.0-or-later
//! What `mfa admin stats` says.

use mfa_proto::stats::{Decisions, Stats};

use crate::messages;
use crate::table::Table;

pub(crate) fn describe(stats: &Stats) -> String {
    let mut users = Table::new(["USERS", ""]);
    for (what, count) in [
        ("enrolled", stats.enrolled),
        ("with an invite or bypass code only", stats.unenrolled),
        ("locked for a while", stats.locked),
        ("locked until unlocked", stats.locked_hard),
        ("without recovery codes", stats.without_recovery_codes),
        ("with a bypass code", stats.bypassed),
        ("with an invite code", stats.invited),
        ("damaged, denied", stats.damaged),
    ] {
        users.push([what.to_owned(), count.to_string()]);
    }
    let mut tokens = Table::new(["TOKENS", ""]);
    for (what, count) in [
        ("by time (TOTP)", stats.totp_tokens),
        ("by counter (HOTP)", stats.hotp_tokens),
        ("due for a new secret", stats.rotations_due),
    ] {
        tokens.push([what.to_owned(), count.to_string()]);
    }
    let mut logins = Table::new(["LOGINS", "LAST HOUR", "LAST DAY"]);
    type Of = fn(&Decisions) -> u64;
    let results: [(&str, Of); 6] = [
        ("accepted", |of| of.accepted),
        ("denied", |of| of.denied),
        ("not asked, earlier success", |of| of.granted),
        ("not asked, exempt or no token", |of| of.skipped),
        ("passed although denied", |of| of.ignored),
        ("warnings of any kind", |of| of.warnings),
    ];
    for (what, of) in results {
        let at_least = |period: &Decisions| {
            format!("{}{}", if period.incomplete { ">= " } else { "" }, of(period))
        };
        logins.push([what.to_owned(), at_least(&stats.hour), at_least(&stats.day)]);
    }
    let mut text = [users.render(), tokens.render(), logins.render()].join("\n\n");
    if stats.hour.incomplete || stats.day.incomplete {
        text.push_str(&format!("\n{}", messages::TRAIL_IS_SHORT));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stand_under_what_they_count_and_at_least_is_said_where_the_trail_is_short() {
        let hour = || Decisions { accepted: 7, denied: 1, ..Decisions::default() };
        let day = Decisions { accepted: 8000, warnings: 12, incomplete: true, ..hour() };
        let stats =
            Stats { enrolled: 100_000, totp_tokens: 3, hour: hour(), day, ..Stats::default() };
        let text = describe(&stats);
        let has = |line: &str| assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        has("enrolled                            100000");
        has("by time (TOTP)        3");
        has("LOGINS                         LAST HOUR  LAST DAY");
        has("accepted                       7          >= 8000");
        has("warnings of any kind           0          >= 12");
        assert!(text.ends_with(messages::TRAIL_IS_SHORT));
        assert!(!describe(&Stats::default()).contains(">="));
    }
}
