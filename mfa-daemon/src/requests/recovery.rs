// SPDX-License-Identifier: GPL-3.0-or-later
//! `recovery_codes`, inside a session: a new set in place of the old one.

use std::fmt;

use getrandom::SysRng;
use mfa_crypto::{RecoveryCode, RngError};
use mfa_proto::audit::{Act, ActResult};
use mfa_proto::exchange::SealedAnswer;
use mfa_proto::{Blob, ErrorAnswer, Peer, TypedCode, UserName};

use super::{conflict, current_code, unavailable};
use crate::audit::Event;
use crate::caller::{self, Standing};
use crate::daemon::{Daemon, command};
use crate::messages::refusals;
use crate::policy::record::Record;
use crate::store::{Change, Step};

pub(super) async fn recovery_codes(
    daemon: &Daemon,
    peer: Peer,
    user: &UserName,
    code: Option<TypedCode>,
) -> Result<SealedAnswer, ErrorAnswer> {
    match caller::standing(peer, user, &daemon.settings().config.admin_group).await {
        Standing::Root | Standing::Admin => {}
        Standing::Own => current_code::require(daemon, user, code, &command(), peer).await?,
        Standing::Stranger => return Err(caller::not_permitted()),
    }
    let fresh = fresh(daemon, user).map_err(|error| unavailable(&error, "recovery_codes"))?;
    let hashes = fresh.hashes;
    let event = Event::new(Act::RecoveryCodes, ActResult::Done, peer, (daemon.clock)()).of(user);
    let replaced = daemon
        .store
        .act(user.clone(), move |record| match record {
            Some(mut record) if !record.tokens.is_empty() => {
                let event = event.figure("void", record.recovery.len());
                record.recovery = hashes;
                Step { change: Change::Put(record), event: Some(event), answer: true }
            }
            _ => Step { change: Change::Keep, event: None, answer: false },
        })
        .await
        .map_err(|error| unavailable(&error, "recovery_codes"))?;
    if !replaced {
        return Err(conflict(refusals::nothing_to_stand_in_for(user)));
    }
    daemon.end_grace(user);
    Ok(SealedAnswer::RecoveryCodes { codes: fresh.codes })
}

/// A new set: what the user is shown, once, and what is stored.
pub(super) struct Fresh {
    pub(super) codes: Vec<TypedCode>,
    pub(super) hashes: Vec<Blob>,
}

/// Why there is no new code.
#[derive(Debug)]
pub(super) enum NoCode {
    /// The system gives no randomness.
    Randomness(RngError),
    /// The text is longer than a typed code may be: a defect.
    TooLong,
}

impl fmt::Display for NoCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Randomness(error) => write!(f, "{error}"),
            Self::TooLong => f.write_str("a new code is longer than what may be typed"),
        }
    }
}

impl std::error::Error for NoCode {}

/// Makes a set of recovery codes.
pub(super) fn fresh(daemon: &Daemon, user: &UserName) -> Result<Fresh, NoCode> {
    let mut set = Fresh { codes: Vec::new(), hashes: Vec::new() };
    for _ in 0..Record::RECOVERY_CODES {
        let (code, hash) = one(daemon, user)?;
        set.codes.push(code);
        set.hashes.push(hash);
    }
    Ok(set)
}

/// Makes one code of that form, and its hash.
pub(super) fn one(daemon: &Daemon, user: &UserName) -> Result<(TypedCode, Blob), NoCode> {
    let code = RecoveryCode::generate(&mut SysRng).map_err(NoCode::Randomness)?;
    let shown = TypedCode::new(&code.display()).ok_or(NoCode::TooLong)?;
    Ok((shown, Blob::new(daemon.vault.hash(user, &code))))
}
