// SPDX-License-Identifier: GPL-3.0-or-later
//! `admin_restore…`: a backup takes the place of what there is, and no code from before that moment
//! opens a login afterwards.

use std::sync::{Arc, PoisonError};

use mfa_proto::ErrorAnswer;
use mfa_proto::audit::{Act, ActResult};
use mfa_proto::keep::{AdminRestorePart, KeepAnswer, PART_MAX};
use tokio::sync::OwnedSemaphorePermit;

use super::{Connection, conflict, others_turn, unavailable};
use crate::audit::Event;
use crate::caller;
use crate::daemon::Daemon;
use crate::messages::refusals;
use crate::store::{Incoming, Moment, StoreError};

/// A backup that is on its way.
pub(super) struct Restore {
    incoming: Incoming,
    /// There is one thing at a time that concerns all rows.
    turn: OwnedSemaphorePermit,
}

pub(super) async fn begin(
    daemon: &Arc<Daemon>,
    connection: &mut Connection,
) -> Result<KeepAnswer, ErrorAnswer> {
    if !caller::is_root(connection.peer) {
        return Err(caller::not_permitted());
    }
    connection.restore = None;
    let Some(turn) = daemon.turn_for_all_rows().await else {
        return Err(others_turn());
    };
    let between = daemon.store.is_between_keys().await;
    if between.map_err(|error| unavailable(&error, "admin_restore"))? {
        return Err(conflict(refusals::RESTORE_BETWEEN_KEYS.to_owned()));
    }
    let incoming = daemon.store.receive().map_err(|error| unavailable(&error, "admin_restore"))?;
    connection.restore = Some(Restore { incoming, turn });
    Ok(KeepAnswer::RestoreBegun {})
}

pub(super) async fn part(
    connection: &mut Connection,
    AdminRestorePart { data }: AdminRestorePart,
) -> Result<KeepAnswer, ErrorAnswer> {
    if !caller::is_root(connection.peer) {
        return Err(caller::not_permitted());
    }
    let mut restore = connection.restore.take().ok_or_else(not_begun)?;
    if data.as_bytes().len() > PART_MAX {
        return Err(conflict(refusals::part_too_long(PART_MAX)));
    }
    let taken = tokio::task::spawn_blocking(move || {
        restore.incoming.take(data.as_bytes()).map(|()| restore)
    });
    let restore = taken
        .await
        .map_err(|error| unavailable(&error, "admin_restore_part"))?
        .map_err(|error| unavailable(&error, "admin_restore_part"))?;
    connection.restore = Some(restore);
    Ok(KeepAnswer::Taken {})
}

pub(super) async fn commit(
    daemon: &Arc<Daemon>,
    connection: &mut Connection,
) -> Result<KeepAnswer, ErrorAnswer> {
    if !caller::is_root(connection.peer) {
        return Err(caller::not_permitted());
    }
    let Restore { incoming, turn } = connection.restore.take().ok_or_else(not_begun)?;
    let refused = |error| match error {
        StoreError::Unfit(unfit) => conflict(unfit.to_string()),
        error => unavailable(&error, "admin_restore_commit"),
    };
    let looker = Arc::clone(daemon);
    let verified = tokio::task::spawn_blocking(move || {
        let metrics = Arc::clone(&looker.metrics);
        looker.store.verify_copy(incoming, move || metrics.census.goes_on())
    });
    let verified = verified
        .await
        .map_err(|error| unavailable(&error, "admin_restore_commit"))?
        .map_err(refused)?;
    let users = verified.users;
    let now = daemon.now().map_err(|error| unavailable(&error, "admin_restore_commit"))?;
    let at = Moment { now, skew: daemon.login_rules().skew };
    let event = Event::new(Act::Restore, ActResult::Done, connection.peer, now)
        .figure("users", users)
        .figure("until", now)
        .warning();
    daemon.store.restore(verified, at, event).await.map_err(refused)?;
    forget(daemon);
    drop(turn);
    Ok(KeepAnswer::Restored { users })
}

/// What is in memory is of the users of before.
fn forget(daemon: &Daemon) {
    daemon.pending.lock().unwrap_or_else(PoisonError::into_inner).forget_all();
    daemon.graces().end_all();
}

fn not_begun() -> ErrorAnswer {
    conflict(refusals::NO_RESTORE.to_owned())
}
