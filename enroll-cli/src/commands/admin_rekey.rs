// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa admin rekey`. The daemon does it by itself; this begins it and watches.
//!
//! JSON, at the end: `{"done":…,"total":…,"damaged":…}`.

use std::thread;
use std::time::Duration;

use mfa_proto::rekey::Rekeyed;
use serde::Serialize;

use crate::console::Console;
use crate::daemon::Daemon;
use crate::failure::{Exit, Failure};
use crate::messages;
use crate::progress::Bars;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Serialize)]
struct Done {
    done: u64,
    total: u64,
    damaged: u64,
}

pub(super) fn run(yes: bool, daemon: &Daemon, console: &mut Console) -> Result<Exit, Failure> {
    let mut connection = daemon.connect()?;
    let mut state = connection.rekey(false)?;
    if !state.running {
        if !yes {
            console.confirm(messages::REKEY_ASKS)?;
        }
        connection = daemon.connect()?;
        state = connection.rekey(true)?;
    }
    let bar = Bars { shown: console.shows_progress() }.users("sealing anew", state.total);
    while state.running {
        bar.set_position(state.done);
        thread::sleep(PAUSE);
        state = connection.rekey(false).map_err(|cause| Failure::RekeyGoesOn(Box::new(cause)))?;
    }
    bar.finish_and_clear();
    let Rekeyed { interrupted, done, total, damaged, .. } = state;
    if interrupted {
        return Err(Failure::RekeyInterrupted);
    }
    if console.json() {
        console.object(&Done { done, total, damaged })?;
    } else {
        console.explain(&messages::rekeyed(done))?;
    }
    if damaged == 0 {
        return Ok(Exit::Done);
    }
    console.warn(&messages::rekey_left(damaged));
    Ok(Exit::Refused)
}
