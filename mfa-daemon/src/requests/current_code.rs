// SPDX-License-Identifier: GPL-3.0-or-later
//! The current code that some requests take before they do anything.

use mfa_proto::login::Origin;
use mfa_proto::{ErrorAnswer, ErrorCode, Peer, TypedCode, UserName};

use super::{begin, unavailable};
use crate::daemon::{Asked, Count, Daemon};
use crate::messages::refusals;
use crate::policy::login::Decision;

/// Wants a current code of `user`; it is spent by this, and logged as one that opens a login is: a
/// recovery or bypass code may give a new token here. The count of wrong codes stays, so that the owner
/// reads of it at the next login.
///
/// # Errors
/// The refusal, the same for a wrong or spent code and while locked.
pub(super) async fn require(
    daemon: &Daemon,
    user: &UserName,
    typed: Option<TypedCode>,
    origin: &Origin,
    peer: Peer,
) -> Result<(), ErrorAnswer> {
    let Some(typed) = typed else {
        return Err(needed(refusals::CODE_NEEDED));
    };
    let asked = Asked { peer, count: Count::Kept, observe: false };
    let checked = daemon.check_code(user, typed, origin, asked).await.map_err(|error| {
        begin::undecided(daemon, None, &begin::attempted(daemon, user, origin, peer));
        unavailable(&error, "current code")
    })?;
    match checked.decision {
        Decision::Accepted(_) => Ok(()),
        _ => Err(needed(refusals::CODE_NOT_ACCEPTED)),
    }
}

fn needed(message: &str) -> ErrorAnswer {
    ErrorAnswer { code: ErrorCode::CodeNeeded, message: message.to_owned() }
}
