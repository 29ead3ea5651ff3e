// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa admin check`. JSON: `{"users":…,"damaged":…,"names":[…],"faults":[…],"incomplete":true,
//! "unread_after":…,"unread_before":…}`.

use std::time::Duration;

use mfa_proto::Request;
use mfa_proto::keep::{Checked, KeepAnswer};

use crate::console::Console;
use crate::daemon::Daemon;
use crate::failure::{Exit, Failure};
use crate::messages;
use crate::table::printable;

/// A million users take a minute, since logins go first.
const LOOKED_WITHIN: Duration = Duration::from_secs(1800);

pub(super) fn run(daemon: &Daemon, console: &mut Console) -> Result<Exit, Failure> {
    let answer = daemon.connect()?.keep(&Request::AdminCheck {}, LOOKED_WITHIN)?;
    let KeepAnswer::Checked(checked) = answer else {
        return Err(Failure::OtherAnswer { to: "admin_check" });
    };
    if console.json() {
        console.object(&checked)?;
    } else {
        console.result(&describe(&checked))?;
    }
    Ok(if checked.is_sound() { Exit::Done } else { Exit::Refused })
}

fn describe(checked: &Checked) -> String {
    if checked.is_sound() {
        return messages::sound(checked.users);
    }
    let mut lines = vec![messages::unsound(checked.users, checked.damaged)];
    lines.extend(checked.names.iter().map(|name| format!("  {}", printable(name))));
    if checked.damaged > checked.names.len() as u64 {
        lines.push(messages::MORE_DAMAGED.to_owned());
    }
    if checked.incomplete {
        let (after, before) = (&checked.unread_after, &checked.unread_before);
        lines.push(messages::unread(after.as_deref(), before.as_deref()));
    }
    lines.extend(checked.faults.iter().map(|fault| messages::fault(fault)));
    lines.push(messages::DAMAGE_MENDED.to_owned());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_damaged_is_named_and_the_next_step_is_told() {
        let sound = Checked { users: 3, ..Checked::default() };
        assert_eq!(describe(&sound), "Every record and every secret opens (3 in all).");
        let damaged = Checked {
            users: 1000,
            damaged: 2,
            names: vec!["alice".into(), "b\x1bb".into()],
            faults: vec!["Page 7: btreeInitPage() returns error code 11".into()],
            incomplete: true,
            unread_after: Some("kim".into()),
            unread_before: None,
        };
        let text = describe(&damaged);
        for line in [
            "2 of 1000 users are damaged; their logins are denied, all others are served:",
            "  alice",
            "  b\u{fffd}b",
            "Users after kim cannot be read and are denied.",
            "The file: Page 7: btreeInitPage() returns error code 11",
        ] {
            assert!(text.lines().any(|found| found == line), "no {line:?} in\n{text}");
        }
        assert!(text.contains("mfa admin restore"));
    }
}
