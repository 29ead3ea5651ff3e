// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa rotate`: a new secret of a token; the old one works until the new one is confirmed. What is
//! printed, `new_token` says.

use mfa_proto::exchange::Purpose;

use super::new_token::{self, Change, NewToken};
use super::proof;
use crate::arguments::Rotate;
use crate::channel::Channel;
use crate::console::Console;
use crate::daemon::Daemon;
use crate::failure::{Exit, Failure};
use crate::messages;

pub(super) fn run(
    arguments: &Rotate,
    daemon: &Daemon,
    console: &mut Console,
) -> Result<Exit, Failure> {
    new_token::check(&arguments.display, console)?;
    let user = super::user(&arguments.of)?;
    let old = super::token(daemon, &user, arguments.name.as_deref())?;
    let notice = || console.note(messages::CHECKING_GROUP);
    let mut channel = Channel::open(daemon, &user, Purpose::Rotate, notice)?;
    let address = proof::with_current_code(console, |code| {
        channel.refresh(daemon)?;
        channel.rotate(&old.name, code)
    })?;
    let change = Change::Rotation { of: old.created };
    let token = NewToken { daemon, console, channel, user, name: old.name, change };
    token.hand_over(&address, &arguments.display)?;
    Ok(Exit::Done)
}
