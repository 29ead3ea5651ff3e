// SPDX-License-Identifier: GPL-3.0-or-later
//! `status`: what is known of a user, without any secret.

use mfa_proto::exchange::MovingFactor;
use mfa_proto::status::{BypassStatus, StatusAnswer, TokenStatus, UserStatus};
use mfa_proto::{ErrorAnswer, Peer, UserName};

use super::unavailable;
use crate::caller::{self, Standing};
use crate::daemon::Daemon;
use crate::policy::lockout::Lock;
use crate::policy::record::{Factor, Record, Token};
use crate::policy::{due, guard};
use crate::store::StoreError;

pub(super) async fn status(
    daemon: &Daemon,
    peer: Peer,
    user: UserName,
) -> Result<StatusAnswer, ErrorAnswer> {
    let standing = caller::standing(peer, &user, &daemon.settings().config.admin_group).await;
    if standing == Standing::Stranger {
        return Err(caller::not_permitted());
    }
    match (standing, daemon.store.get(&user)) {
        (_, Ok(record)) => {
            Ok(StatusAnswer::Status(describe(daemon, user, &record.unwrap_or_default())))
        }
        (Standing::Root | Standing::Admin, Err(StoreError::Damaged { .. })) => {
            Ok(StatusAnswer::Status(damaged(user)))
        }
        (_, Err(error)) => Err(unavailable(&error, "status")),
    }
}

/// What is shown of a record that cannot be read.
pub(super) fn damaged(user: UserName) -> UserStatus {
    UserStatus {
        user,
        tokens: Vec::new(),
        failures: 0,
        locked_seconds: None,
        locked_hard: false,
        recovery_codes_left: 0,
        last_failure: None,
        bypasses: Vec::new(),
        invited_until: None,
        graces: Vec::new(),
        damaged: true,
    }
}

/// A record as it is shown.
pub(super) fn describe(daemon: &Daemon, user: UserName, record: &Record) -> UserStatus {
    let now = (daemon.clock)();
    let lock = record.lockout.clone().lock_at(now, &daemon.login_rules().lockout);
    let max_age_days = daemon.settings().config.token.max_age_days.get();
    let live = record.bypasses.iter().filter(|bypass| now < bypass.until && bypass.uses_left > 0);
    UserStatus {
        graces: daemon.graces().of(&user, (daemon.uptime)()),
        user,
        tokens: record
            .tokens
            .iter()
            .map(|token| token_status(record, token, max_age_days, now))
            .collect(),
        failures: record.lockout.failures,
        locked_seconds: match lock {
            Lock::Wait(seconds) => Some(seconds),
            Lock::Open | Lock::Hard => None,
        },
        locked_hard: lock == Lock::Hard,
        recovery_codes_left: u8::try_from(record.recovery.len()).unwrap_or(u8::MAX),
        last_failure: record.lockout.last(),
        bypasses: live
            .map(|bypass| BypassStatus {
                until: bypass.until,
                uses_left: bypass.uses_left,
                service: bypass.service.clone(),
            })
            .collect(),
        invited_until: record.invite.as_ref().map(|i| i.until).filter(|until| now < *until),
        damaged: false,
    }
}

fn token_status(record: &Record, token: &Token, max_age_days: u64, now: u64) -> TokenStatus {
    let (moving, period) = match token.factor {
        Factor::Totp { period, .. } => (MovingFactor::Totp, period.get()),
        Factor::Hotp { .. } => (MovingFactor::Hotp, 0),
    };
    let clock_offset = match token.factor {
        Factor::Totp { period, drift, .. } if drift != 0 => {
            i64::try_from(period.get()).ok().map(|period| period * i64::from(drift))
        }
        Factor::Totp { .. } | Factor::Hotp { .. } => None,
    };
    TokenStatus {
        name: token.name.clone(),
        moving,
        algorithm: token.algorithm.to_string(),
        digits: token.digits.get(),
        period,
        created: token.created,
        last_used: token.last_used,
        clock_offset,
        rotation_due: due::is_old(token, max_age_days, now),
        held: guard::holds(record, token),
    }
}
