// SPDX-License-Identifier: GPL-3.0-or-later
//! Looking at everything that is stored, at start and when asked to, while people log in.

use std::sync::Arc;

use mfa_proto::Peer;
use mfa_proto::audit::{Act, ActResult};
use mfa_proto::keep::Checked;
use tracing::{error, info, warn};

use crate::audit::Event;
use crate::daemon::Daemon;
use crate::store::StoreError;

impl Daemon {
    /// Looks at every page, every record and every secret. Damage is told in the log, too.
    ///
    /// # Errors
    /// [`StoreError`], [`StoreError::Closed`] where the daemon stops meanwhile.
    pub async fn look_at_all(self: &Arc<Self>) -> Result<Checked, StoreError> {
        let daemon = Arc::clone(self);
        let looked = tokio::task::spawn_blocking(move || {
            let metrics = Arc::clone(&daemon.metrics);
            daemon.store.check(move || metrics.census.goes_on())
        });
        let checked = looked.await.map_err(|_| StoreError::Closed)??;
        tell(&checked);
        Ok(checked)
    }

    /// The same at start. Only damage is worth an entry of the trail.
    pub async fn look_at_start(self: Arc<Self>, peer: Peer) {
        match self.look_at_all().await {
            Ok(checked) if checked.is_sound() => info!(users = checked.users, "the store is sound"),
            Ok(checked) => {
                let event = Event::new(Act::Check, ActResult::Done, peer, (self.clock)())
                    .figure("users", checked.users)
                    .figure("damaged", checked.damaged)
                    .figure("faults", checked.faults.len())
                    .warning();
                let _ = self.store.note(event).await;
            }
            Err(StoreError::Closed) => {}
            Err(error) => error!(%error, "the store cannot be checked"),
        }
    }
}

fn tell(checked: &Checked) {
    for name in &checked.names {
        warn!(name, "damaged: every login of this user is denied; all others are served");
    }
    for fault in &checked.faults {
        warn!(fault, "the database is damaged");
    }
    if checked.incomplete {
        warn!(
            after = checked.unread_after,
            before = checked.unread_before,
            "users between these names cannot be read: every login of theirs is denied"
        );
    }
    if !checked.is_sound() {
        error!(
            users = checked.users,
            damaged = checked.damaged,
            "the store is damaged; `mfa admin restore` puts a backup back"
        );
    }
}
