// SPDX-License-Identifier: GPL-3.0-or-later
//! `admin_invite`, and the invite code that a first enrolment shows where `enrollment` is `invite`.

use std::ops::RangeInclusive;
use std::sync::{Arc, PoisonError};

use mfa_proto::admin::{AdminAnswer, AdminInvite};
use mfa_proto::audit::{Act, ActResult};
use mfa_proto::{Blob, ErrorAnswer, ErrorCode, Peer, TypedCode, UserName};

use super::{conflict, recovery, unavailable};
use crate::audit::Event;
use crate::caller;
use crate::daemon::Daemon;
use crate::messages::refusals;
use crate::policy::lockout::Lock;
use crate::policy::login::{self, Typed};
use crate::policy::record::{Invite, Record};
use crate::policy::recovery::same_hash;
use crate::store::{Change, Step};

/// How long a code of an administrator's may be good.
pub(super) const SECONDS: RangeInclusive<u64> = 60..=30 * 86_400;

pub(super) async fn invite(
    daemon: &Daemon,
    peer: Peer,
    AdminInvite { user, seconds }: AdminInvite,
) -> Result<AdminAnswer, ErrorAnswer> {
    if !caller::is_admin(peer, &daemon.settings().config.admin_group).await {
        return Err(caller::not_permitted());
    }
    check_seconds(seconds)?;
    let now = daemon.now().map_err(|error| unavailable(&error, "admin_invite"))?;
    let until = now.saturating_add(seconds);
    let (code, hash) =
        recovery::one(daemon, &user).map_err(|error| unavailable(&error, "admin_invite"))?;
    let event = Event::new(Act::Invite, ActResult::Done, peer, now).of(&user);
    let event = event.figure("seconds", seconds);
    let invited = daemon
        .store
        .act(user.clone(), move |record| {
            let mut record = record.unwrap_or_default();
            if !record.tokens.is_empty() {
                return Step { change: Change::Keep, event: None, answer: false };
            }
            record.invite = Some(Invite { hash, until });
            Step { change: Change::Put(record), event: Some(event), answer: true }
        })
        .await
        .map_err(|error| unavailable(&error, "admin_invite"))?;
    if !invited {
        return Err(conflict(refusals::has_a_token(&user)));
    }
    Ok(AdminAnswer::Issued { code, until })
}

/// Refuses a time that no code of an administrator's may be good for.
pub(super) fn check_seconds(seconds: u64) -> Result<(), ErrorAnswer> {
    if SECONDS.contains(&seconds) {
        return Ok(());
    }
    Err(conflict(refusals::validity(&SECONDS, seconds)))
}

/// What an invite code turned out to be.
enum Checked {
    Good(Blob),
    Wrong,
    NotACode,
    Locked,
    HasToken,
}

/// Checks the invite code of a first enrolment and returns its hash. It is used up only when the
/// token is confirmed. A wrong one counts like any wrong code of the account.
pub(super) async fn check(
    daemon: &Daemon,
    user: &UserName,
    typed: Option<TypedCode>,
    peer: Peer,
) -> Result<Blob, ErrorAnswer> {
    let Some(typed) = typed else {
        return Err(needed(refusals::INVITE_NEEDED));
    };
    let now = daemon.now().map_err(|error| unavailable(&error, "invite"))?;
    let rules = daemon.login_rules().lockout;
    let (vault, unknown) = (Arc::clone(&daemon.vault), Arc::clone(&daemon.unknown));
    let name = user.clone();
    let refused = Event::new(Act::Enroll, ActResult::Denied, peer, now).of(user);
    let checked = daemon
        .store
        .act(user.clone(), move |record| {
            let step = |change, checked: Checked| {
                let event = checked.reason().map(|reason| match checked {
                    Checked::Locked => refused.because(reason).warning(),
                    _ => refused.because(reason),
                });
                Step { change, event, answer: checked }
            };
            let typed = login::read(
                typed.as_str(),
                |code| vault.hash(&name, code),
                |code| vault.hash_scratch(&name, code),
            );
            let Some(mut record) = record else {
                let mut unknown = unknown.lock().unwrap_or_else(PoisonError::into_inner);
                let checked = match unknown.decide(&name, &typed, now, &rules) {
                    login::Decision::Locked(_) => Checked::Locked,
                    login::Decision::NotACode => Checked::NotACode,
                    _ => Checked::Wrong,
                };
                return step(Change::Keep, checked);
            };
            if !record.tokens.is_empty() {
                return step(Change::Keep, Checked::HasToken);
            }
            let before = record.clone();
            let lock = record.lockout.lock_at(now, &rules);
            let checked = if lock == Lock::Open {
                compare(&mut record, &typed, now)
            } else {
                Checked::Locked
            };
            let change = if record == before { Change::Keep } else { Change::Put(record) };
            step(change, checked)
        })
        .await
        .map_err(|error| unavailable(&error, "invite"))?;
    match checked {
        Checked::Good(hash) => Ok(hash),
        Checked::HasToken => Err(conflict(refusals::ENROLLED_MEANWHILE.to_owned())),
        Checked::Wrong | Checked::NotACode | Checked::Locked => {
            Err(needed(refusals::INVITE_NOT_ACCEPTED))
        }
    }
}

impl Checked {
    /// Why it was refused, if it was for the code's sake.
    fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Good(_) | Self::HasToken => None,
            Self::Wrong => Some("wrong_invite"),
            Self::NotACode => Some("not_a_code"),
            Self::Locked => Some("locked"),
        }
    }
}

fn compare(record: &mut Record, typed: &Typed, now: u64) -> Checked {
    let shown = match typed {
        Typed::Recovery(hash) => Some(hash),
        // A code of digits is no invite, but it is a guess, and it must not tell that by being free.
        Typed::Code(_) | Typed::CodeOrScratch(..) => None,
        Typed::Neither => return Checked::NotACode,
    };
    let invite = record.invite.as_ref().filter(|invite| now < invite.until);
    match (shown, invite) {
        (Some(shown), Some(invite)) if same_hash(shown, &invite.hash) => {
            Checked::Good(invite.hash.clone())
        }
        _ => {
            record.lockout.count_failure(now, Some("mfa"));
            Checked::Wrong
        }
    }
}

/// The refusal of whoever shows no invite code, or not the right one.
pub(super) fn needed(message: &str) -> ErrorAnswer {
    ErrorAnswer { code: ErrorCode::InviteNeeded, message: message.to_owned() }
}
