// SPDX-License-Identifier: GPL-3.0-or-later
//! `admin_import…` and `admin_known`: users from another system. A user who is known already is left
//! as he is, so that repeating an import changes nothing.
//!
//! An import counts as a whole or not at all: its rows are staged, and one commit makes them count.
//! What the end of a connection leaves of one is cleared away at once, what the end of the daemon
//! leaves, before the next import.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use mfa_crypto::{Algorithm, Code, Digits, Period, Secret};
use mfa_proto::audit::{Act, ActResult};
use mfa_proto::transfer::{
    AdminImport, ImportedAccount, ImportedMoving, ImportedToken, TransferAnswer,
};
use mfa_proto::{Blob, ErrorAnswer, ErrorCode, Peer, UserName};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::error;

use super::{Connection, conflict, enroll, others_turn, unavailable};
use crate::audit::Event;
use crate::caller;
use crate::daemon::Daemon;
use crate::messages::refusals;
use crate::policy::record::{Factor, Near, Record, RecordError, Token};
use crate::store::{SealedRow, Sealer, Staged, StoreError};
use crate::vault::Vault;

/// Counters, steps and moments beyond this are damage, not use: 2^53, which every JSON reader keeps.
const MARK_MAX: u64 = 1 << 53;

/// The name of a token that came without one.
const NAMELESS: &str = "imported";

/// Batches that wait to be sealed, and sealed ones that wait to be written.
const WAITING: usize = 4;

/// Users from whom on no more batches are put into one commit: it keeps logins waiting.
const TOGETHER: usize = 1000;

/// How long an import waits for the end of another one.
const TURN: Duration = Duration::from_secs(5);

/// The import of a connection.
#[derive(Default)]
pub(super) enum Importing {
    #[default]
    None,
    /// It is under way.
    Open(Import),
    /// A batch was refused. Those behind it, which may have been sent already, must not become imports
    /// of their own.
    Failed,
}

/// The users of a batch, in the order of their names.
type Batch = BTreeMap<UserName, Unsealed>;

/// An import that is under way.
pub(super) struct Import {
    daemon: Arc<Daemon>,
    /// There is one import at a time.
    turn: Option<OwnedSemaphorePermit>,
    /// To the one who seals them, and hands them to the one who writes them.
    batches: Option<mpsc::Sender<Batch>>,
    writing: Option<JoinHandle<Result<Counts, StoreError>>>,
}

#[derive(Default)]
struct Counts {
    added: u64,
    known: u64,
}

pub(super) async fn begin(
    daemon: &Arc<Daemon>,
    connection: &mut Connection,
) -> Result<TransferAnswer, ErrorAnswer> {
    if !caller::is_root(connection.peer) {
        return Err(caller::not_permitted());
    }
    if matches!(connection.import, Importing::Open(_)) {
        return Err(conflict(refusals::IMPORT_BEGUN.to_owned()));
    }
    connection.import = Importing::Open(Import::begin(daemon).await?);
    Ok(TransferAnswer::ImportBegun {})
}

/// A batch: of the import that is under way on this connection, or else an import of its own.
pub(super) async fn import(
    daemon: &Arc<Daemon>,
    connection: &mut Connection,
    batch: AdminImport,
) -> Result<TransferAnswer, ErrorAnswer> {
    let peer = connection.peer;
    if !caller::is_root(peer) {
        return Err(caller::not_permitted());
    }
    match std::mem::replace(&mut connection.import, Importing::Failed) {
        Importing::Open(mut import) => {
            import.stage(batch).await?;
            connection.import = Importing::Open(import);
            Ok(TransferAnswer::Staged {})
        }
        Importing::None => {
            connection.import = Importing::None;
            let mut import = Import::begin(daemon).await?;
            import.stage(batch).await?;
            import.complete(peer).await
        }
        Importing::Failed => Err(failed()),
    }
}

pub(super) async fn commit(connection: &mut Connection) -> Result<TransferAnswer, ErrorAnswer> {
    let peer = connection.peer;
    if !caller::is_root(peer) {
        return Err(caller::not_permitted());
    }
    match std::mem::take(&mut connection.import) {
        Importing::Open(import) => import.complete(peer).await,
        Importing::None => Err(conflict(refusals::NO_IMPORT.to_owned())),
        Importing::Failed => Err(failed()),
    }
}

fn failed() -> ErrorAnswer {
    conflict(refusals::IMPORT_FAILED.to_owned())
}

impl Import {
    async fn begin(daemon: &Arc<Daemon>) -> Result<Self, ErrorAnswer> {
        let turn = match timeout(TURN, Arc::clone(&daemon.imports).acquire_owned()).await {
            Ok(Ok(turn)) => turn,
            Ok(Err(_)) | Err(_) => {
                return Err(others_turn());
            }
        };
        let mut import =
            Self { daemon: Arc::clone(daemon), turn: Some(turn), batches: None, writing: None };
        // What a daemon that was killed has left.
        let begun = match daemon.store.clear_staged().await {
            Ok(()) => daemon.store.begin_import().await,
            Err(error) => Err(error),
        };
        let sealer = begun.map_err(|error| unavailable(&error, "admin_import"))?;
        let (batches, unsealed) = mpsc::channel(WAITING);
        let (rows, sealed) = mpsc::channel(WAITING);
        let vault = Arc::clone(&daemon.vault);
        let sealing = tokio::task::spawn_blocking(move || seal(&vault, &sealer, unsealed, &rows));
        import.batches = Some(batches);
        import.writing = Some(tokio::spawn(write(Arc::clone(daemon), sealed, sealing)));
        Ok(import)
    }

    /// Takes a batch that does not count yet.
    async fn stage(&mut self, batch: AdminImport) -> Result<(), ErrorAnswer> {
        let users = unsealed(batch, (self.daemon.clock)())?;
        let taken = match &self.batches {
            Some(batches) => batches.send(users).await.is_ok(),
            None => false,
        };
        // Whoever writes has ended before his time, with an error.
        if !taken {
            return self.written().await.map(drop);
        }
        // Several batches may have arrived at once: logins have their turn between them.
        tokio::task::yield_now().await;
        Ok(())
    }

    /// Everything is written; what came of it.
    async fn written(&mut self) -> Result<Counts, ErrorAnswer> {
        drop(self.batches.take());
        // It stays here while it is waited for: where nobody waits to its end, the next import's turn does.
        let ended = match &mut self.writing {
            Some(writing) => writing.await.unwrap_or(Err(StoreError::Closed)),
            None => Err(StoreError::Closed),
        };
        self.writing = None;
        ended.map_err(|error| match error {
            StoreError::Repeated(user) => refuse(&user, &refusals::IMPORTED_TWICE),
            error => unavailable(&error, "admin_import"),
        })
    }

    async fn complete(mut self, peer: Peer) -> Result<TransferAnswer, ErrorAnswer> {
        let Counts { added, known } = self.written().await?;
        let event = Event::new(Act::Import, ActResult::Done, peer, (self.daemon.clock)())
            .figure("added", added)
            .figure("known", known)
            .warning();
        self.daemon
            .store
            .complete_import(event)
            .await
            .map_err(|error| unavailable(&error, "admin_import_commit"))?;
        let count = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        Ok(TransferAnswer::Imported { added: count(added), known: count(known) })
    }
}

/// Seals batches, on a thread of its own, while others are read and written, which takes about as long. After one
/// that fails nobody takes any.
fn seal(
    vault: &Vault,
    sealer: &Sealer,
    mut unsealed: mpsc::Receiver<Batch>,
    rows: &mpsc::Sender<Result<Vec<SealedRow>, StoreError>>,
) {
    while let Some(users) = unsealed.blocking_recv() {
        let sealed = users.into_iter().map(|(user, unsealed)| unsealed.seal(user, vault, sealer));
        if rows.blocking_send(sealed.collect()).is_err() {
            return;
        }
    }
}

/// Writes what is sealed, until the end of `sealing`. Batches that wait share a commit.
async fn write(
    daemon: Arc<Daemon>,
    mut sealed: mpsc::Receiver<Result<Vec<SealedRow>, StoreError>>,
    sealing: JoinHandle<()>,
) -> Result<Counts, StoreError> {
    let mut counts = Counts::default();
    while let Some(rows) = sealed.recv().await {
        let mut rows = rows?;
        while rows.len() < TOGETHER
            && let Ok(more) = sealed.try_recv()
        {
            rows.extend(more?);
        }
        let staged = daemon.store.stage(rows).await?;
        let known = staged.iter().filter(|staged| **staged == Staged::Known).count();
        counts.known += known as u64;
        counts.added += (staged.len() - known) as u64;
    }
    // Had it broken down, rows would be missing, and what is there must not be taken for the whole.
    sealing.await.map_err(|_| StoreError::Closed)?;
    Ok(counts)
}

/// Of an import that was not completed nothing stays; of one that was, there is nothing to clear. Only
/// then the next one has its turn.
impl Drop for Import {
    fn drop(&mut self) {
        drop(self.batches.take());
        let (daemon, turn, writing) =
            (Arc::clone(&self.daemon), self.turn.take(), self.writing.take());
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            if let Some(writing) = writing {
                let _ = writing.await;
            }
            if let Err(error) = daemon.store.clear_staged().await {
                error!(%error, "what an import has left is cleared away before the next one");
            }
            drop(turn);
        });
    }
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

/// A user of a batch that was found to be in order, but for what takes long.
#[derive(Default)]
struct Unsealed {
    /// Its tokens have no secrets yet, and it has no recovery codes.
    record: Record,
    /// Of each of the tokens.
    secrets: Vec<Secret>,
    /// What its recovery codes are made of.
    scratch_codes: Vec<Code>,
}

impl Unsealed {
    fn seal(
        mut self,
        user: UserName,
        vault: &Vault,
        sealer: &Sealer,
    ) -> Result<SealedRow, StoreError> {
        for (token, secret) in self.record.tokens.iter_mut().zip(&self.secrets) {
            vault.seal(&user, token, secret).map_err(StoreError::Seal)?;
        }
        let hashed = self.scratch_codes.iter().map(|code| vault.hash_scratch(&user, code));
        self.record.recovery.extend(hashed.map(Blob::new));
        sealer.seal(user, self.record)
    }

    fn check(&self) -> Result<(), RecordError> {
        if self.scratch_codes.len() > Record::RECOVERY_CODES {
            return Err(RecordError::TooManyRecoveryCodes(self.scratch_codes.len()));
        }
        self.record.check()
    }
}

/// Reads a batch.
fn unsealed(import: AdminImport, now: u64) -> Result<Batch, ErrorAnswer> {
    let mut users = Batch::new();
    for imported in import.tokens {
        let user = imported.user.clone();
        let (token, secret) = token(imported, now)?;
        let unsealed = users.entry(user).or_default();
        unsealed.record.tokens.push(token);
        unsealed.secrets.push(secret);
    }
    for account in import.accounts {
        let user = account.user.clone();
        let Some(unsealed) = users.get_mut(&user) else {
            return Err(refuse(&user, &refusals::ACCOUNT_WITHOUT_TOKEN));
        };
        take_over(account, unsealed, now)?;
    }
    for (user, unsealed) in &users {
        unsealed.check().map_err(|error| refuse(user, &error))?;
    }
    Ok(users)
}

fn refuse(user: &UserName, what: &dyn Display) -> ErrorAnswer {
    ErrorAnswer { code: ErrorCode::Conflict, message: format!("{user}: {what}") }
}

/// A token without its secret, and that.
fn token(imported: ImportedToken, now: u64) -> Result<(Token, Secret), ErrorAnswer> {
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
        return Err(refuse(&refusals::secret_bytes(&possible, bytes.len())));
    }
    let factor = factor(moving).map_err(|what| refuse(&what))?;
    for mark in [created, last_used].into_iter().flatten().chain(barred.iter().copied()) {
        if mark > MARK_MAX {
            return Err(refuse(&BeyondMark(refusals::A_MARK, mark)));
        }
    }
    if barred.len() > ImportedToken::BARRED_MAX {
        return Err(refuse(&refusals::barred_steps(ImportedToken::BARRED_MAX, barred.len())));
    }
    let secret = Secret::new(bytes.to_vec());
    let token = Token {
        name,
        factor,
        algorithm,
        digits,
        sealed: Blob::new([]),
        created: created.unwrap_or(now),
        last_used,
        near: near(barred),
    };
    Ok((token, secret))
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
    account: ImportedAccount,
    unsealed: &mut Unsealed,
    now: u64,
) -> Result<(), ErrorAnswer> {
    let ImportedAccount { user, scratch_codes, failures, last_failure } = account;
    for code in &scratch_codes {
        let code = Code::parse(code.as_str()).filter(Code::may_be_scratch);
        let code = code.ok_or_else(|| refuse(&user, &refusals::NOT_A_SCRATCH_CODE))?;
        unsealed.scratch_codes.push(code);
    }
    if failures > 0 {
        let (at, from) = last_failure.map_or((now, None), |last| (last.at.min(now), last.from));
        unsealed.record.lockout.count_failure(at, from.as_deref());
        unsealed.record.lockout.failures = failures;
    }
    Ok(())
}
