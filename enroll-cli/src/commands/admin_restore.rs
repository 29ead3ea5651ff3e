// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa admin restore`: a backup takes the place of what the daemon has. JSON: `{"users":…}`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use mfa_proto::keep::{AdminRestorePart, KeepAnswer, PART_MAX};
use mfa_proto::{Blob, Request};
use serde::Serialize;

use crate::console::Console;
use crate::daemon::{Daemon, PATIENCE};
use crate::failure::{Exit, Failure};
use crate::messages;
use crate::progress::Bars;

/// Every record of the backup is opened before it counts.
const LOOKED_WITHIN: Duration = Duration::from_secs(1800);

#[derive(Serialize)]
struct Restored {
    users: u64,
}

pub(super) fn run(
    path: &Path,
    yes: bool,
    daemon: &Daemon,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let failed = |error| Failure::BackupFile(path.to_owned(), error);
    let mut source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(path).map_err(failed)?)
    };
    if !yes {
        console.confirm(messages::RESTORE_ASKS)?;
    }
    let mut connection = daemon.connect()?;
    let KeepAnswer::RestoreBegun {} = connection.keep(&Request::AdminRestoreBegin {}, PATIENCE)?
    else {
        return Err(Failure::OtherAnswer { to: "admin_restore_begin" });
    };
    let size = std::fs::metadata(path).map_or(0, |found| found.len());
    let bar = Bars { shown: console.shows_progress() }.bytes("restoring", size);
    loop {
        let mut data = Vec::with_capacity(PART_MAX);
        source.by_ref().take(PART_MAX as u64).read_to_end(&mut data).map_err(failed)?;
        if data.is_empty() {
            break;
        }
        bar.inc(data.len() as u64);
        let part = Request::AdminRestorePart(AdminRestorePart { data: Blob::new(data) });
        let KeepAnswer::Taken {} = connection.keep(&part, PATIENCE)? else {
            return Err(Failure::OtherAnswer { to: "admin_restore_part" });
        };
    }
    let answer = connection.keep(&Request::AdminRestoreCommit {}, LOOKED_WITHIN);
    bar.finish_and_clear();
    let KeepAnswer::Restored { users } = answer? else {
        return Err(Failure::OtherAnswer { to: "admin_restore_commit" });
    };
    if console.json() {
        console.object(&Restored { users })?;
    } else {
        console.explain(&messages::restored(users))?;
    }
    Ok(Exit::Done)
}
