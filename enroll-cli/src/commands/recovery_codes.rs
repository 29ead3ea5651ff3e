// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa recovery-codes`: ten new ones, and the old ones are void.
//!
//! JSON: `{"user":…,"recovery_codes":[…]}`. A current code, where the daemon wants one, is read first.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use mfa_proto::exchange::Purpose;
use mfa_proto::{TypedCode, UserName};
use serde::Serialize;

use super::proof;
use crate::arguments::OfUser;
use crate::channel::Channel;
use crate::console::Console;
use crate::daemon::Daemon;
use crate::failure::{Exit, Failure};
use crate::messages;

#[derive(Serialize)]
struct Renewed<'a> {
    user: &'a UserName,
    recovery_codes: &'a [TypedCode],
}

pub(super) fn run(of: &OfUser, daemon: &Daemon, console: &mut Console) -> Result<Exit, Failure> {
    let user = super::user(of)?;
    let notice = || console.note(messages::CHECKING_GROUP);
    let mut channel = Channel::open(daemon, &user, Purpose::RecoveryCodes, notice)?;
    let renewed = proof::with_current_code(console, |code| {
        channel.refresh(daemon)?;
        channel.recovery_codes(code)
    });
    let codes = match renewed {
        Err(failure) if failure.leaves_the_outcome_open() => {
            return Err(Failure::CodesUnknown(Box::new(failure)));
        }
        settled => settled?,
    };
    let shown = if console.json() {
        console.object(&Renewed { user: &user, recovery_codes: &codes })
    } else {
        show(&codes, messages::RECOVERY_RENEWED, console)
    };
    shown.map_err(|failure| Failure::NewCodesNotShown(Box::new(failure)))?;
    Ok(Exit::Done)
}

/// Shows codes under a heading; nothing where there are none.
pub(super) fn show(
    codes: &[TypedCode],
    heading: &str,
    console: &mut Console,
) -> Result<(), Failure> {
    if codes.is_empty() {
        return Ok(());
    }
    if others_read_stdout() {
        console.warn(messages::OTHERS_READ_STDOUT);
    }
    console.explain(heading)?;
    codes.iter().try_for_each(|code| console.result(code.as_str()))
}

/// Whether the output goes to a file that others than its owner can read.
fn others_read_stdout() -> bool {
    let stdout = io::stdout();
    let Ok(descriptor) = stdout.as_fd().try_clone_to_owned() else { return false };
    let found = std::fs::File::from(descriptor).metadata();
    found.is_ok_and(|found| found.is_file() && found.mode() & 0o077 != 0)
}
