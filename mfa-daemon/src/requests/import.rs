// SPDX-License-Identifier: GPL-3.0-or-later
//! `admin_import` and `admin_known`: users from another system. A user who is known already is left
//! as he is, so that repeating an import changes nothing.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

use mfa_crypto::{Algorithm, Code, Digits, Period, Secret};
use mfa_proto::transfer::{
    AdminImport, ImportedAccount, ImportedMoving, ImportedToken, TransferAnswer,
};
use mfa_proto::{Blob, ErrorAnswer, ErrorCode, Peer, UserName};
use tracing::warn;

use super::{enroll, unavailable};
use crate::caller;
use crate::daemon::Daemon;
use crate::policy::record::{Factor, Near, Record, Token};
use crate::store::StoreError;
use crate::vault::Vault;

/// Counters, steps and moments beyond this are damage, not use: 2^53, which every JSON reader keeps.
const MARK_MAX: u64 = 1 << 53;

/// The name of a token that came without one.
const NAMELESS: &str = "imported";

pub(super) async fn import(
    daemon: &Daemon,
    peer: Peer,
    import: AdminImport,
) -> Result<TransferAnswer, ErrorAnswer> {
    if !caller::is_root(peer) {
        return Err(caller::not_permitted());
    }
    let users = sealed(daemon, import).await?;
    let asked = users.len();
    let added =
        daemon.store.add(users).await.map_err(|error| unavailable(&error, "admin_import"))?;
    let known = asked - added;
    warn!(added, known, peer_uid = peer.uid, peer_pid = peer.pid, "users imported");
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Ok(TransferAnswer::Imported { added: count(added), known: count(known) })
}

/// Who of these has a token: for a dry run, which sends names only.
pub(super) async fn known(
    daemon: &Arc<Daemon>,
    peer: Peer,
    users: Vec<UserName>,
) -> Result<TransferAnswer, ErrorAnswer> {
    if !caller::is_root(peer) {
        return Err(caller::not_permitted());
    }
    let daemon = Arc::clone(daemon);
    let look = move || {
        let mut known = Vec::new();
        for user in users {
            let record = daemon.store.get(&user)?;
            if record.is_some_and(|record| !record.tokens.is_empty()) {
                known.push(user);
            }
        }
        Ok(known)
    };
    let known: Result<_, StoreError> = tokio::task::spawn_blocking(look)
        .await
        .map_err(|error| unavailable(&error, "admin_known"))?;
    let users = known.map_err(|error| unavailable(&error, "admin_known"))?;
    Ok(TransferAnswer::Known { users })
}

/// The records of a batch, in the order of the names. Sealing takes the processor, so it runs apart.
async fn sealed(
    daemon: &Daemon,
    import: AdminImport,
) -> Result<Vec<(UserName, Record)>, ErrorAnswer> {
    let now = (daemon.clock)();
    let vault = Arc::clone(&daemon.vault);
    tokio::task::spawn_blocking(move || records(&vault, import, now))
        .await
        .map_err(|error| unavailable(&error, "admin_import"))?
}

fn records(
    vault: &Vault,
    import: AdminImport,
    now: u64,
) -> Result<Vec<(UserName, Record)>, ErrorAnswer> {
    let mut records = BTreeMap::<UserName, Record>::new();
    for imported in import.tokens {
        let user = imported.user.clone();
        let token = token(vault, imported, now)?;
        records.entry(user).or_default().tokens.push(token);
    }
    for account in import.accounts {
        let user = account.user.clone();
        let Some(record) = records.get_mut(&user) else {
            return Err(refuse(&user, &"an account without a token in the same batch"));
        };
        take_over(vault, account, record, now)?;
    }
    for (user, record) in &records {
        record.check().map_err(|error| refuse(user, &error))?;
    }
    Ok(records.into_iter().collect())
}

fn refuse(user: &UserName, what: &dyn Display) -> ErrorAnswer {
    ErrorAnswer { code: ErrorCode::Conflict, message: format!("{user}: {what}") }
}

fn token(vault: &Vault, imported: ImportedToken, now: u64) -> Result<Token, ErrorAnswer> {
    let ImportedToken { user, name, secret, algorithm, digits, moving, created, last_used, barred } =
        imported;
    let refuse = |what: &dyn Display| refuse(&user, what);
    let name = name.unwrap_or_else(|| NAMELESS.to_owned());
    enroll::check_name(&name).map_err(|error| refuse(&error))?;
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
    let factor = factor(moving).map_err(|what| refuse(&what))?;
    for mark in [created, last_used].into_iter().flatten().chain(barred.iter().copied()) {
        if mark > MARK_MAX {
            return Err(refuse(&BeyondMark("moment, step or counter", mark)));
        }
    }
    if barred.len() > ImportedToken::BARRED_MAX {
        return Err(refuse(&format_args!(
            "{} barred steps, at most {} are possible",
            barred.len(),
            ImportedToken::BARRED_MAX
        )));
    }
    let mut token = Token {
        name,
        factor,
        algorithm,
        digits,
        sealed: Blob::new([]),
        created: created.unwrap_or(now),
        last_used,
        near: near(barred),
    };
    vault
        .seal(&user, &mut token, &Secret::new(bytes.to_vec()))
        .map_err(|error| unavailable(&error, "admin_import"))?;
    Ok(token)
}

/// A mark beyond [`MARK_MAX`].
struct BeyondMark(&'static str, u64);

impl Display for BeyondMark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} is beyond {MARK_MAX}", self.0, self.1)
    }
}

fn factor(moving: ImportedMoving) -> Result<Factor, Box<dyn Display>> {
    match moving {
        ImportedMoving::Totp { last_step: Some(step), .. } if step > MARK_MAX => {
            Err(Box::new(BeyondMark("step", step)))
        }
        ImportedMoving::Totp { period, last_step, drift } => {
            let period = Period::try_from(period)
                .map_err(|error| -> Box<dyn Display> { Box::new(error) })?;
            Ok(Factor::Totp { period, last_step, drift })
        }
        ImportedMoving::Hotp { counter } if counter > MARK_MAX => {
            Err(Box::new(BeyondMark("counter", counter)))
        }
        ImportedMoving::Hotp { counter } => Ok(Factor::Hotp { counter }),
    }
}

/// What is barred, and not the first of two in a row: that row ended where the user came from.
fn near(mut barred: Vec<u64>) -> Option<Near> {
    let at = barred.pop()?;
    Some(Near { at, seen: None, barred })
}

fn take_over(
    vault: &Vault,
    account: ImportedAccount,
    record: &mut Record,
    now: u64,
) -> Result<(), ErrorAnswer> {
    let ImportedAccount { user, scratch_codes, failures, last_failure } = account;
    for code in &scratch_codes {
        let code = Code::parse(code.as_str()).filter(Code::may_be_scratch);
        let code = code.ok_or_else(|| refuse(&user, &"a scratch code has eight digits"))?;
        record.recovery.push(Blob::new(vault.hash_scratch(&user, &code)));
    }
    if failures > 0 {
        let (at, from) = last_failure.map_or((now, None), |last| (last.at.min(now), last.from));
        record.lockout.count_failure(at, from.as_deref());
        record.lockout.failures = failures;
    }
    Ok(())
}
