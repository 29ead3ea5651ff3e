// SPDX-License-Identifier: GPL-3.0-or-later
//! A new master key while people log in: what goes on in the background, from its beginning or from
//! where an earlier daemon was interrupted.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use mfa_proto::Peer;
use mfa_proto::audit::{Act, ActResult};
use mfa_proto::rekey::Rekeyed;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tracing::{error, info};

use crate::audit::Event;
use crate::daemon::Daemon;
use crate::master_key::KeySource;
use crate::store::{Begun, StoreError};

/// How long one waits for the end of an import or of something else that concerns all rows.
const TURN: Duration = Duration::from_secs(5);

/// The longest that anybody may take to open a row that was read before it was sealed anew.
const OPENED_WITHIN: Duration = Duration::from_secs(5);

/// Why there is no new master key.
#[derive(Debug)]
pub enum RekeyError {
    /// Only an administrator makes a credential.
    Credential,
    /// Something else that concerns all rows is under way.
    Busy,
    /// The store's word.
    Store(StoreError),
}

impl fmt::Display for RekeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credential => f.write_str(
                "the master key is a credential, which the daemon cannot replace: pass the new one as \
                 master_key.credential and this one as master_key.old_credential, and restart; \
                 operations/master-key.md shows how",
            ),
            Self::Busy => f.write_str(
                "an import, a backup or a restore is under way; try again when it has ended",
            ),
            Self::Store(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for RekeyError {}

impl Daemon {
    /// How far the last one has come.
    pub fn rekeyed(&self) -> Rekeyed {
        self.rekey.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins with a new key, or goes on with the one that was begun; nothing where it is under way.
    ///
    /// # Errors
    /// [`RekeyError`].
    pub async fn begin_rekey(self: &Arc<Self>, peer: Peer) -> Result<(), RekeyError> {
        self.rekey_once(peer, true).await
    }

    /// Goes on with what an earlier daemon, or a new credential, has begun.
    pub async fn resume_rekey(self: &Arc<Self>, peer: Peer) {
        if let Err(error) = self.rekey_once(peer, false).await {
            error!(%error, "a new master key may have to wait; `mfa admin rekey` goes on with it");
        }
    }

    /// `fresh`: a new one may begin.
    async fn rekey_once(self: &Arc<Self>, peer: Peer, fresh: bool) -> Result<(), RekeyError> {
        if self.note_progress(|progress| std::mem::replace(&mut progress.running, true)) {
            return Ok(());
        }
        let begun = self.rekey_from_the_beginning(peer, fresh).await;
        if !matches!(begun, Ok(true)) {
            self.note_progress(|progress| progress.running = false);
        }
        begun.map(drop)
    }

    /// Whether there was anything to do, which goes on in the background then.
    async fn rekey_from_the_beginning(
        self: &Arc<Self>,
        peer: Peer,
        fresh: bool,
    ) -> Result<bool, RekeyError> {
        let file = self.key_file();
        let between = self.store.is_between_keys().await.map_err(RekeyError::Store)?;
        if !between && !fresh {
            return Ok(false);
        }
        let turn = self.turn_for_all_rows().await.ok_or(RekeyError::Busy)?;
        if between {
            // It may have been begun without an answer.
            if let Some(file) = file.as_deref() {
                let event = Event::new(Act::Rekey, ActResult::Done, peer, (self.clock)());
                self.store.begin_rekey(file, event).await.map_err(RekeyError::Store)?;
            }
            info!("going on to seal everything under the new master key");
        } else {
            let file = file.as_deref().ok_or(RekeyError::Credential)?;
            self.store.clear_staged().await.map_err(RekeyError::Store)?;
            // No third key is kept: what waits under the one before must not be lost with it.
            self.renew_pending();
            let event = Event::new(Act::Rekey, ActResult::Done, peer, (self.clock)())
                .because("begun")
                .warning();
            let begun = self.store.begin_rekey(file, event).await.map_err(RekeyError::Store)?;
            if begun == Begun::Ended {
                info!("the new master key's file is in its place now");
                self.note_progress(|progress| progress.interrupted = false);
                return Ok(false);
            }
        }
        self.renew_all(file, peer, turn).await?;
        Ok(true)
    }

    /// Nobody else reads or changes all rows meanwhile; `None` where somebody does.
    pub async fn turn_for_all_rows(&self) -> Option<OwnedSemaphorePermit> {
        timeout(TURN, Arc::clone(&self.imports).acquire_owned()).await.ok()?.ok()
    }

    fn key_file(&self) -> Option<PathBuf> {
        match self.settings().config.master_key.source(None) {
            KeySource::File(path) => Some(path),
            KeySource::Credential { .. } => None,
        }
    }

    async fn renew_all(
        self: &Arc<Self>,
        file: Option<PathBuf>,
        peer: Peer,
        turn: OwnedSemaphorePermit,
    ) -> Result<(), RekeyError> {
        let daemon = Arc::clone(self);
        let counted = tokio::task::spawn_blocking(move || daemon.store.rows());
        let counted = counted.await.unwrap_or(Err(StoreError::Closed));
        let total = counted.map_err(RekeyError::Store)?;
        self.note_progress(|progress| {
            *progress = Rekeyed { running: true, total, ..Rekeyed::default() }
        });
        let daemon = Arc::clone(self);
        tokio::spawn(async move {
            let old = daemon.store.old_key_id();
            if let Err(error) = daemon.renew_rows(file, peer).await {
                error!(%error, "the new master key has not come to its end; `mfa admin rekey` goes on with it");
                daemon.note_progress(|progress| {
                    (progress.running, progress.interrupted) = (false, true);
                });
                return;
            }
            daemon.note_progress(|progress| progress.running = false);
            drop(turn);
            if let Some(old) = old {
                tokio::time::sleep(OPENED_WITHIN).await;
                daemon.renew_pending();
                daemon.store.forget_old_key(&old);
            }
        });
        Ok(())
    }

    async fn renew_rows(&self, file: Option<PathBuf>, peer: Peer) -> Result<(), StoreError> {
        let mut after = Some(String::new());
        while let Some(name) = after {
            let begun = Instant::now();
            let renewed = match self.store.renew_some(name.clone()).await {
                // Logins had the store for themselves for so long.
                Err(StoreError::Stale) => {
                    after = Some(name);
                    continue;
                }
                renewed => renewed?,
            };
            self.note_progress(|progress| {
                progress.done += renewed.rows;
                progress.damaged += renewed.damaged;
            });
            after = renewed.last;
            // As long as it has taken: logins have half of the time for themselves.
            tokio::time::sleep(begun.elapsed()).await;
        }
        let done = self.rekeyed();
        let event = Event::new(Act::Rekey, ActResult::Done, peer, (self.clock)())
            .because("completed")
            .figure("users", done.done)
            .figure("damaged", done.damaged)
            .warning();
        self.store.complete_rekey(file.as_deref(), event).await
    }

    /// Tokens that wait for their first code are sealed as well.
    fn renew_pending(&self) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        for (user, token) in pending.each_mut() {
            if let Err(error) = self.vault.renew(user, token) {
                error!(%user, token = token.name, %error, "a pending secret does not open");
            }
        }
    }

    fn note_progress<R>(&self, change: impl FnOnce(&mut Rekeyed) -> R) -> R {
        change(&mut self.rekey.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
