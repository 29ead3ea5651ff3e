// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa verify`: a code is checked and, where accepted, spent, as in a login.
//!
//! JSON: the daemon's answer, `{"type":"accepted"|"wrong"|"replayed"|"locked"|"unavailable",…}`.

use mfa_proto::Request;
use mfa_proto::login::{Origin, Verify, VerifyAnswer};

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
        VerifyAnswer::Accepted { failures, recovery_codes_left } => {
            console.explain(messages::ACCEPTED)?;
            if failures > 0 {
                console.explain(&messages::failures_since(failures))?;
            }
            if let Some(left) = recovery_codes_left {
                console.explain(&messages::recovery_left(left))?;
            }
            Ok(Exit::Done)
        }
        VerifyAnswer::Wrong {} => Err(Failure::WrongCode),
        VerifyAnswer::Replayed {} => Err(Failure::Replayed),
        VerifyAnswer::Locked { seconds } => Err(Failure::Locked(seconds)),
        VerifyAnswer::Unavailable {} => Err(Failure::CannotDecide),
        VerifyAnswer::Error(refusal) => Err(Failure::Refused(refusal)),
    }
}
