// SPDX-License-Identifier: GPL-3.0-or-later
//! `status`: what is known of a user, without any secret.

use mfa_proto::exchange::MovingFactor;
use mfa_proto::status::{StatusAnswer, TokenStatus, UserStatus};
use mfa_proto::{ErrorAnswer, Peer, UserName};

use super::unavailable;
use crate::caller::{self, Standing};
use crate::daemon::Daemon;
use crate::policy::lockout::{Lock, LockoutRules};
use crate::policy::record::{Factor, Record, Token};

pub(super) async fn status(
    daemon: &Daemon,
    peer: Peer,
    user: UserName,
) -> Result<StatusAnswer, ErrorAnswer> {
    match caller::standing(peer, &user, &daemon.config.admin_group).await {
        Standing::Root | Standing::Admin | Standing::Own => {}
        Standing::Stranger => return Err(caller::not_permitted()),
    }
    let record =
        daemon.store.get(&user).map_err(|error| unavailable(&error, "status"))?.unwrap_or_default();
    let rules = daemon.login_rules().lockout;
    Ok(StatusAnswer::Status(describe(user, &record, (daemon.clock)(), &rules)))
}

/// A record as it is shown.
pub(super) fn describe(
    user: UserName,
    record: &Record,
    now: u64,
    rules: &LockoutRules,
) -> UserStatus {
    let lock = record.lockout.clone().lock_at(now, rules);
    UserStatus {
        user,
        tokens: record.tokens.iter().map(describe_token).collect(),
        failures: record.lockout.failures,
        locked_seconds: match lock {
            Lock::Wait(seconds) => Some(seconds),
            Lock::Open | Lock::Hard => None,
        },
        locked_hard: lock == Lock::Hard,
        recovery_codes_left: u8::try_from(record.recovery.len()).unwrap_or(u8::MAX),
    }
}

fn describe_token(token: &Token) -> TokenStatus {
    let (moving, period) = match token.factor {
        Factor::Totp { period, .. } => (MovingFactor::Totp, period.get()),
        Factor::Hotp { .. } => (MovingFactor::Hotp, 0),
    };
    TokenStatus {
        name: token.name.clone(),
        moving,
        active: token.is_active(),
        algorithm: token.algorithm.to_string(),
        digits: token.digits.get(),
        period,
        created: token.created,
        last_used: token.last_used,
    }
}
