// SPDX-License-Identifier: GPL-3.0-or-later
//! `admin_import`: users from another system. A batch is added as a whole or not at all; a user who
//! is known already is left as he is, so that repeating an import changes nothing.

use std::fmt::Display;
use std::sync::Arc;

use mfa_crypto::{Algorithm, Digits, Period, Secret};
use mfa_proto::admin::{AdminAnswer, AdminImport, ImportedMoving, ImportedToken};
use mfa_proto::{Blob, ErrorAnswer, ErrorCode, Peer, UserName};
use tracing::warn;

use super::unavailable;
use crate::caller;
use crate::daemon::Daemon;
use crate::policy::record::{Factor, Record, Token};
use crate::vault::Vault;

/// Counters and steps beyond this are damage, not use: 2^53, which every JSON reader keeps.
const MARK_MAX: u64 = 1 << 53;

pub(super) async fn import(
    daemon: &Daemon,
    peer: Peer,
    import: AdminImport,
) -> Result<AdminAnswer, ErrorAnswer> {
    if !caller::is_root(peer) {
        return Err(caller::not_permitted());
    }
    let now = (daemon.clock)();
    let vault = Arc::clone(&daemon.vault);
    let tokens = import.tokens.len();
    let users = tokio::task::spawn_blocking(move || -> Result<Vec<_>, ErrorAnswer> {
        import.tokens.into_iter().map(|token| record(&vault, token, now)).collect()
    })
    .await
    .map_err(|error| unavailable(&error, "admin_import"))??;
    let added =
        daemon.store.add(users).await.map_err(|error| unavailable(&error, "admin_import"))?;
    warn!(
        added,
        known = tokens - added,
        peer_uid = peer.uid,
        peer_pid = peer.pid,
        "users imported"
    );
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Ok(AdminAnswer::Imported { added: count(added), known: count(tokens - added) })
}

fn record(
    vault: &Vault,
    imported: ImportedToken,
    now: u64,
) -> Result<(UserName, Record), ErrorAnswer> {
    let ImportedToken { user, secret, algorithm, digits, moving } = imported;
    let refuse = |what: &dyn Display| ErrorAnswer {
        code: ErrorCode::Conflict,
        message: format!("{user}: {what}"),
    };
    let algorithm: Algorithm = algorithm.parse().map_err(|error| refuse(&error))?;
    let digits = Digits::try_from(digits).map_err(|error| refuse(&error))?;
    let bytes = secret.as_bytes();
    let possible = ImportedToken::SECRET_BYTES;
    if !possible.contains(&bytes.len()) {
        return Err(refuse(&format_args!(
            "a secret of {} bytes, {} to {} are possible",
            bytes.len(),
            possible.start(),
            possible.end()
        )));
    }
    let factor = match moving {
        ImportedMoving::Totp { last_step: Some(step), .. } if step > MARK_MAX => {
            return Err(refuse(&format_args!("step {step} is beyond {MARK_MAX}")));
        }
        ImportedMoving::Totp { period, last_step } => Factor::Totp {
            period: Period::try_from(period).map_err(|error| refuse(&error))?,
            last_step,
            drift: 0,
        },
        ImportedMoving::Hotp { counter } if counter <= MARK_MAX => Factor::Hotp { counter },
        ImportedMoving::Hotp { counter } => {
            return Err(refuse(&format_args!("counter {counter} is beyond {MARK_MAX}")));
        }
    };
    let mut token = Token {
        name: "imported".to_owned(),
        factor,
        algorithm,
        digits,
        sealed: Blob::new([]),
        created: now,
        last_used: None,
        near: None,
    };
    vault
        .seal(&user, &mut token, &Secret::new(bytes.to_vec()))
        .map_err(|error| unavailable(&error, "admin_import"))?;
    Ok((user, Record { tokens: vec![token], ..Record::default() }))
}
