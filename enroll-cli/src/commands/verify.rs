// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa verify`: a code is checked and, where accepted, spent, as in a login.
//!
//! JSON: the daemon's answer, `{"type":"accepted"|"wrong"|"replayed"|"locked"|"unavailable",…}`.

use jiff::tz::TimeZone;
use mfa_proto::Request;
use mfa_proto::login::{Accepted, Origin, Verify, VerifyAnswer};

use crate::arguments;
use crate::console::Console;
use crate::daemon::Daemon;
use crate::failure::{Exit, Failure};
use crate::messages;

/// What stands in the log where a login has its PAM service.
const SERVICE: &str = "mfa";

pub(super) fn run(
    arguments: arguments::Verify,
    daemon: &Daemon,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let user = super::user(&arguments.of)?;
    let code = match arguments.code {
        Some(code) => code,
        None => console.ask_hidden(messages::ASK_CODE)?,
    };
    let origin = Origin { service: SERVICE.to_owned(), ..Origin::default() };
    let request = Request::Verify(Verify { user, code, origin });
    let answer = daemon.connect()?.verify(&request)?;
    if console.json() {
        console.object(&answer)?;
    }
    match answer {
        VerifyAnswer::Accepted(accepted) => {
            for line in notices(&accepted, &TimeZone::system()) {
                console.explain(&line)?;
            }
            Ok(Exit::Done)
        }
        VerifyAnswer::Wrong { clock_offset } => Err(Failure::WrongCode { clock_offset }),
        VerifyAnswer::Replayed {} => Err(Failure::Replayed),
        VerifyAnswer::Locked { seconds } => Err(Failure::Locked(seconds)),
        VerifyAnswer::Unavailable { .. } => Err(Failure::CannotDecide),
        VerifyAnswer::Error(refusal) => Err(Failure::Refused(refusal)),
    }
}

/// What its owner should know after a success.
fn notices(accepted: &Accepted, zone: &TimeZone) -> Vec<String> {
    let mut lines = vec![messages::ACCEPTED.to_owned()];
    if accepted.failures > 0 {
        let last = accepted.last_failure.as_ref();
        lines.push(messages::failures_since(accepted.failures, last, zone));
    }
    lines.extend(accepted.recovery_codes_left.map(messages::recovery_left));
    lines.extend(accepted.clock_offset.map(messages::clock_of_token));
    if accepted.rotation_due {
        lines.push(messages::ROTATION_DUE.to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use mfa_proto::login::LastFailure;

    use super::*;
    use crate::clock::BUILT_AFTER;

    #[test]
    fn only_what_is_worth_knowing_is_said_after_a_success() {
        assert_eq!(notices(&Accepted::default(), &TimeZone::UTC), ["Accepted."]);
        let full = Accepted {
            failures: 3,
            last_failure: Some(LastFailure { at: BUILT_AFTER, from: Some("192.0.2.1\n".into()) }),
            recovery_codes_left: Some(2),
            clock_offset: Some(-60),
            rotation_due: true,
        };
        assert_eq!(
            notices(&full, &TimeZone::UTC),
            [
                "Accepted.",
                "3 wrong codes since the last success, the last from 192.0.2.1\u{fffd} at \
                 2026-11-01 00:00.",
                "Recovery codes left: 2. `mfa recovery-codes` makes new ones.",
                "The authenticator's clock is about 60 s behind; set it right.",
                "The token is due for a new secret: `mfa rotate` makes one.",
            ]
        );
    }
}
