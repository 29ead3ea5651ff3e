// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa enroll`: a new token. What is printed, `new_token` says.

use mfa_proto::exchange::{MovingFactor, Purpose};
use mfa_proto::{SecretText, TypedCode};

use super::new_token::{self, Change, NewToken};
use super::proof::{self, Proof};
use crate::arguments::Enroll;
use crate::channel::Channel;
use crate::console::Console;
use crate::daemon::Daemon;
use crate::failure::{Exit, Failure};
use crate::messages;

/// As an invite: it is read from the terminal or from standard input.
const READ: &str = "-";

pub(super) fn run(
    arguments: Enroll,
    daemon: &Daemon,
    console: &mut Console,
) -> Result<Exit, Failure> {
    new_token::check(&arguments.display, console)?;
    let user = super::user(&arguments.of)?;
    let invite = match arguments.invite {
        Some(invite) if invite.as_str() == READ => Some(console.ask(messages::ASK_INVITE)?),
        given => given,
    };
    let moving = if arguments.hotp { MovingFactor::Hotp } else { MovingFactor::Totp };
    let notice = || console.note(messages::CHECKING_GROUP);
    let channel = Channel::open(daemon, &user, Purpose::Enroll, notice)?;
    let mut token = NewToken {
        daemon,
        console,
        channel,
        user,
        name: arguments.name,
        change: Change::Enrolment,
    };
    let address = provision(&mut token, moving, invite)?;
    token.hand_over(&address, &arguments.display)?;
    Ok(Exit::Done)
}

/// Gets the secret; asks for what the daemon wants to be shown first.
fn provision(
    token: &mut NewToken,
    moving: MovingFactor,
    invite: Option<TypedCode>,
) -> Result<SecretText, Failure> {
    let invited = invite.is_some();
    let (refused, proof) = match token.channel.provision(&token.name, moving, None, invite) {
        Err(failure) if failure.asks_for_a_code() => (failure, Proof::CurrentCode),
        Err(failure) if failure.asks_for_an_invite() => (failure, Proof::Invite),
        settled => return settled,
    };
    // What was given and is wrong is the daemon's word where nobody can type another one.
    if invited && proof == Proof::Invite && !token.console.can_ask() {
        return Err(refused);
    }
    token.console.note(match proof {
        Proof::CurrentCode => messages::CURRENT_NEEDED,
        Proof::Invite if invited => messages::WRONG_INVITE,
        Proof::Invite => messages::INVITE_NEEDED,
    });
    let NewToken { daemon, console, channel, name, .. } = token;
    proof::until_accepted(console, proof, refused, |typed| {
        channel.refresh(daemon)?;
        match proof {
            Proof::CurrentCode => channel.provision(name, moving, Some(typed), None),
            Proof::Invite => channel.provision(name, moving, None, Some(typed)),
        }
    })
}
