// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa status`.
//!
//! JSON: `{"user":…,"tokens":[{"name":…,"moving":"totp"|"hotp","active":…,"algorithm":…,
//! "digits":…,"period":…,"created":…,"last_used":…}],"failures":…,"locked_seconds":…,
//! "locked_hard":…,"recovery_codes_left":…}`, times in Unix seconds, absent where there is none.

use jiff::tz::TimeZone;
use mfa_proto::exchange::MovingFactor;
use mfa_proto::status::UserStatus;

use crate::arguments::OfUser;
use crate::clock;
use crate::console::Console;
use crate::daemon::Daemon;
use crate::failure::{Exit, Failure};
use crate::messages;
use crate::table::Table;

pub(super) fn run(of: &OfUser, daemon: &Daemon, console: &mut Console) -> Result<Exit, Failure> {
    let status = daemon.status(&super::user(of)?)?;
    if console.json() {
        console.object(&status)?;
    } else {
        console.result(&describe(&status, &TimeZone::system()))?;
    }
    Ok(Exit::Done)
}

/// What the daemon refuses at the moment, and until when.
pub(super) fn lock(status: &UserStatus) -> Option<String> {
    if status.locked_hard {
        return Some("until unlocked".to_owned());
    }
    status.locked_seconds.map(|seconds| format!("{seconds} s"))
}

fn describe(status: &UserStatus, zone: &TimeZone) -> String {
    let mut lines = Vec::new();
    if status.tokens.is_empty() {
        lines.push(format!("{} has no token. `mfa enroll` makes one.", status.user));
    } else {
        let mut table = Table::new([
            "TOKEN",
            "MOVES BY",
            "STATE",
            "ALGORITHM",
            "DIGITS",
            "CREATED",
            "LAST USED",
        ]);
        for token in &status.tokens {
            table.push([
                token.name.clone(),
                match token.moving {
                    MovingFactor::Totp => format!("time, {} s", token.period),
                    MovingFactor::Hotp => "counter".to_owned(),
                },
                if token.active { "active" } else { "pending" }.to_owned(),
                token.algorithm.clone(),
                token.digits.to_string(),
                clock::local(token.created, zone),
                token.last_used.map_or_else(|| "never".to_owned(), |time| clock::local(time, zone)),
            ]);
        }
        lines.push(table.render());
    }
    lines.push(format!("Recovery codes left: {}.", status.recovery_codes_left));
    match status.failures {
        0 => {}
        failures => lines.push(messages::failures_since(failures)),
    }
    if let Some(lock) = lock(status) {
        lines.push(format!("Locked: {lock}."));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use mfa_proto::UserName;
    use mfa_proto::status::TokenStatus;

    use super::*;

    #[test]
    fn the_status_says_what_there_is_and_what_is_wrong() {
        let mut status = UserStatus {
            user: UserName::new("alice").unwrap(),
            tokens: vec![TokenStatus {
                name: "phone".into(),
                moving: MovingFactor::Totp,
                active: true,
                algorithm: "SHA1".into(),
                digits: 6,
                period: 30,
                created: clock::BUILT_AFTER,
                last_used: None,
            }],
            failures: 2,
            locked_seconds: Some(30),
            locked_hard: false,
            recovery_codes_left: 9,
        };
        let text = describe(&status, &TimeZone::UTC);
        assert_eq!(
            text,
            "TOKEN  MOVES BY    STATE   ALGORITHM  DIGITS  CREATED           LAST USED\n\
             phone  time, 30 s  active  SHA1       6       2026-11-01 00:00  never\n\
             Recovery codes left: 9.\n2 wrong codes since the last success.\nLocked: 30 s."
        );
        status.tokens.clear();
        status.locked_hard = true;
        let text = describe(&status, &TimeZone::UTC);
        assert!(text.starts_with("alice has no token."), "{text}");
        assert!(text.ends_with("Locked: until unlocked."), "{text}");
    }
}
