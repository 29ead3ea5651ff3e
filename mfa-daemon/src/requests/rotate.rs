// SPDX-License-Identifier: GPL-3.0-or-later
//! `rotate`, inside a session: a new secret for a token. Make before break: the old one counts until
//! the first code of the new one was seen.

use mfa_crypto::OtpUri;
use mfa_proto::exchange::{MovingFactor, SealedAnswer};
use mfa_proto::{ErrorAnswer, Peer, SecretText, TypedCode, UserName};
use tracing::debug;

use super::enroll::{self, Draft};
use super::{Bounded, conflict, current_code, unavailable};
use crate::caller::{self, Standing};
use crate::daemon::{Daemon, command};
use crate::messages::refusals;
use crate::policy::pending::Kind;
use crate::policy::record::{Factor, Record, Token};

pub(super) async fn rotate(
    daemon: &Daemon,
    peer: Peer,
    user: &UserName,
    name: Option<String>,
    code: Option<TypedCode>,
) -> Result<SealedAnswer, ErrorAnswer> {
    let standing = caller::standing(peer, user, &daemon.settings().config.admin_group).await;
    if standing == Standing::Stranger {
        return Err(caller::not_permitted());
    }
    let record = daemon.store.get(user).map_err(|error| unavailable(&error, "rotate"))?;
    let record = record.unwrap_or_default();
    // Before a code is spent for nothing.
    let old = choose(&record, user, name.as_deref())?;
    if standing == Standing::Own {
        current_code::require(daemon, user, code, &command(), peer).await?;
    }
    let uri = replace(daemon, user, old)?;
    debug!(%user, token = old.name, "token to be rotated");
    Ok(SealedAnswer::Provisioned {
        name: old.name.clone(),
        uri: SecretText::new(uri.render().as_str()),
    })
}

/// Makes the new secret of a token: of the same moving factor, and otherwise as the configuration
/// says now.
pub(super) fn replace(
    daemon: &Daemon,
    user: &UserName,
    old: &Token,
) -> Result<OtpUri, ErrorAnswer> {
    let moving = match old.factor {
        Factor::Totp { .. } => MovingFactor::Totp,
        Factor::Hotp { .. } => MovingFactor::Hotp,
    };
    let kind = Kind::Rotation { of: old.created };
    enroll::issue(daemon, user, Draft { name: old.name.clone(), moving, kind })
}

fn choose<'a>(
    record: &'a Record,
    user: &UserName,
    name: Option<&str>,
) -> Result<&'a Token, ErrorAnswer> {
    match (name, record.tokens.as_slice()) {
        (_, []) => Err(conflict(refusals::no_token(user))),
        (Some(name), _) => record.token(name).ok_or_else(|| {
            conflict(refusals::no_such_token(user, format_args!("\"{}\"", Bounded(name))))
        }),
        (None, [only]) => Ok(only),
        (None, several) => {
            let names: Vec<_> = several.iter().map(|token| format!("{:?}", token.name)).collect();
            Err(conflict(refusals::which_token(&names.join(", "))))
        }
    }
}
