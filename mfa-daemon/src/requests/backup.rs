// SPDX-License-Identifier: GPL-3.0-or-later
//! `admin_backup` and `admin_backup_part`: a copy of the store while people log in.

use std::os::unix::fs::FileExt;
use std::sync::Arc;

use mfa_proto::audit::{Act, ActResult};
use mfa_proto::keep::{AdminBackupPart, KeepAnswer, PART_MAX};
use mfa_proto::{Blob, ErrorAnswer};

use super::{Connection, conflict, others_turn, unavailable};
use crate::audit::Event;
use crate::caller;
use crate::daemon::Daemon;
use crate::messages::refusals;

pub(super) async fn backup(
    daemon: &Arc<Daemon>,
    connection: &mut Connection,
) -> Result<KeepAnswer, ErrorAnswer> {
    if !caller::is_root(connection.peer) {
        return Err(caller::not_permitted());
    }
    connection.backup = None;
    let Some(turn) = daemon.turn_for_all_rows().await else {
        return Err(others_turn());
    };
    let between = daemon.store.is_between_keys().await;
    if between.map_err(|error| unavailable(&error, "admin_backup"))? {
        return Err(conflict(refusals::BACKUP_BETWEEN_KEYS.to_owned()));
    }
    let copier = Arc::clone(daemon);
    let copied = tokio::task::spawn_blocking(move || {
        copier.store.back_up(|| copier.metrics.census.goes_on())
    });
    let (file, bytes) = copied
        .await
        .map_err(|error| unavailable(&error, "admin_backup"))?
        .map_err(|error| unavailable(&error, "admin_backup"))?;
    drop(turn);
    let event = Event::new(Act::Backup, ActResult::Done, connection.peer, (daemon.clock)());
    // Before anything leaves.
    daemon
        .store
        .note(event.figure("bytes", bytes))
        .await
        .map_err(|error| unavailable(&error, "admin_backup"))?;
    connection.backup = Some(file);
    Ok(KeepAnswer::Backup { bytes })
}

pub(super) async fn part(
    connection: &mut Connection,
    AdminBackupPart { offset }: AdminBackupPart,
) -> Result<KeepAnswer, ErrorAnswer> {
    if !caller::is_root(connection.peer) {
        return Err(caller::not_permitted());
    }
    let Some(file) = connection.backup.take() else {
        return Err(conflict(refusals::NO_BACKUP.to_owned()));
    };
    let read = tokio::task::spawn_blocking(move || {
        let mut data = vec![0; PART_MAX];
        let mut filled = 0;
        while let Some(rest) = data.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, offset.saturating_add(filled as u64))? {
                0 => break,
                got => filled += got,
            }
        }
        data.truncate(filled);
        Ok::<_, std::io::Error>((file, data))
    });
    let (file, data) = read
        .await
        .map_err(|error| unavailable(&error, "admin_backup_part"))?
        .map_err(|error| unavailable(&error, "admin_backup_part"))?;
    connection.backup = Some(file);
    Ok(KeepAnswer::Part { data: Blob::new(data) })
}
