// SPDX-License-Identifier: GPL-3.0-or-later
//! `admin_export`: who has what, page by page; with the secrets only for root, and never unnoticed.
//!
//! The one message that carries secrets of active tokens: see docs/decisions/0006.

use std::sync::Arc;

use mfa_proto::audit::{Act, ActResult};
use mfa_proto::exchange::MovingFactor;
use mfa_proto::status::UserStatus;
use mfa_proto::transfer::{AdminExport, ExportedToken, ExportedUser, TransferAnswer};
use mfa_proto::{Blob, ErrorAnswer, FRAME_MAX, Peer, UserName};
use tracing::error;

use super::status::describe;
use super::unavailable;
use crate::audit::Event;
use crate::caller;
use crate::daemon::Daemon;
use crate::policy::record::{Factor, Record, Token};
use crate::store::StoreError;

/// The most users of a page, whatever is asked for.
const PAGE_MAX: u16 = 500;

/// Room in a frame for what surrounds the users.
const ENVELOPE: usize = 1024;

pub(super) async fn export(
    daemon: &Arc<Daemon>,
    peer: Peer,
    AdminExport { user, after, limit, secrets }: AdminExport,
) -> Result<TransferAnswer, ErrorAnswer> {
    if !caller::is_root(peer) {
        return Err(caller::not_permitted());
    }
    // Once an export, not once a page; and before anything leaves, so that none goes unnoticed.
    if after.is_none() {
        let event = Event::new(Act::Export, ActResult::Done, peer, (daemon.clock)());
        let event = user.iter().fold(event, |event, user| event.of(user));
        let event = if secrets { event.because("with_secrets").warning() } else { event };
        daemon.store.note(event).await.map_err(|error| unavailable(&error, "admin_export"))?;
    }
    let daemon = Arc::clone(daemon);
    // Opening secrets takes the processor, so it runs apart.
    tokio::task::spawn_blocking(move || match &user {
        Some(user) => one(&daemon, user, secrets),
        None => page(&daemon, after.as_ref(), limit, secrets),
    })
    .await
    .map_err(|error| unavailable(&error, "admin_export"))?
}

fn one(daemon: &Daemon, user: &UserName, secrets: bool) -> Result<TransferAnswer, ErrorAnswer> {
    let record = match daemon.store.get(user) {
        Ok(None) => None,
        Ok(Some(record)) => Some(Some(record)),
        Err(StoreError::Damaged { .. }) => Some(None),
        Err(error) => return Err(unavailable(&error, "admin_export")),
    };
    let exported = record.map(|record| exported(daemon, user.clone(), record, secrets));
    let issuer = daemon.settings().issuer.clone();
    Ok(TransferAnswer::Exported { issuer, users: exported.into_iter().collect(), more: false })
}

fn page(
    daemon: &Daemon,
    after: Option<&UserName>,
    limit: u16,
    secrets: bool,
) -> Result<TransferAnswer, ErrorAnswer> {
    let limit = limit.clamp(1, PAGE_MAX);
    let rows =
        daemon.store.list(after, limit).map_err(|error| unavailable(&error, "admin_export"))?;
    let mut more = rows.len() == usize::from(limit);
    let mut users = Vec::with_capacity(rows.len());
    let mut size = ENVELOPE;
    for (name, record) in rows {
        let Ok(user) = UserName::new(name.as_str()) else {
            error!(name, "the store has a row that is no user name");
            continue;
        };
        let user = exported(daemon, user, record.ok(), secrets);
        size += written_length(&user);
        if size > FRAME_MAX {
            more = true;
            break;
        }
        users.push(user);
    }
    Ok(TransferAnswer::Exported { issuer: daemon.settings().issuer.clone(), users, more })
}

fn exported(
    daemon: &Daemon,
    user: UserName,
    record: Option<Record>,
    secrets: bool,
) -> ExportedUser {
    let mut damaged = record.is_none();
    let record = record.unwrap_or_default();
    let tokens = record
        .tokens
        .iter()
        .map(|token| {
            let mut shown = described(token);
            if secrets {
                match daemon.vault.open(&user, token) {
                    Ok(secret) => with_secret(&mut shown, token, Blob::new(secret.expose())),
                    Err(error) => {
                        error!(%user, token = token.name, %error, "exported without its secret");
                        damaged = true;
                    }
                }
            }
            shown
        })
        .collect();
    let UserStatus {
        user,
        failures,
        locked_seconds,
        locked_hard,
        recovery_codes_left,
        last_failure,
        bypasses,
        invited_until,
        ..
    } = describe(daemon, user, &record);
    ExportedUser {
        user,
        tokens,
        failures,
        last_failure,
        locked_seconds,
        locked_hard,
        recovery_codes_left,
        bypasses,
        invited_until,
        damaged,
    }
}

fn described(token: &Token) -> ExportedToken {
    let (factor, period) = match token.factor {
        Factor::Totp { period, .. } => (MovingFactor::Totp, Some(period.get())),
        Factor::Hotp { .. } => (MovingFactor::Hotp, None),
    };
    ExportedToken {
        name: token.name.clone(),
        factor,
        period,
        algorithm: token.algorithm.to_string(),
        digits: token.digits.get(),
        created: token.created,
        last_used: token.last_used,
        secret: None,
        last_step: None,
        drift: None,
        counter: None,
        barred: Vec::new(),
    }
}

fn with_secret(shown: &mut ExportedToken, token: &Token, secret: Blob) {
    shown.secret = Some(secret);
    match token.factor {
        Factor::Totp { last_step, drift, .. } => {
            shown.last_step = last_step;
            shown.drift = Some(drift);
        }
        Factor::Hotp { counter } => shown.counter = Some(counter),
    }
    if let Some(near) = &token.near {
        shown.barred.extend(&near.barred);
        shown.barred.push(near.at);
    }
}

/// Bytes of a user in JSON with the comma behind, counted without writing the secrets anywhere.
fn written_length(user: &ExportedUser) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(1);
    match serde_json::to_writer(&mut count, user) {
        Ok(()) => count.0,
        Err(_) => FRAME_MAX,
    }
}
