// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa pam status`: which services ask for a code, and why.

use super::Told;
use crate::arguments::Service;
use crate::console::Console;
use crate::failure::{Exit, Failure};
use crate::messages;
use crate::pam_change::{Clocks, PamError, Place, State, Store, asking, file_of};
use crate::table::Table;

pub(super) fn run(place: &Place, console: &mut Console) -> Result<Exit, Failure> {
    let store = Store::open(place)?;
    let mut found = Vec::new();
    for service in services(place, &store)? {
        found.extend(look(&service, &store, place)?);
    }
    if console.json() {
        for told in &found {
            console.object(told)?;
        }
        return Ok(Exit::Done);
    }
    if found.is_empty() {
        console.explain(messages::pam::NO_SERVICE_ASKS)?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(["SERVICE", "STATE", "FILE"]);
    for told in found {
        let state = messages::pam::state(told.state, told.seconds_left);
        let file = told.file.map_or_else(String::new, |file| file.display().to_string());
        table.push([told.service, state, file]);
    }
    console.result(&table.render())?;
    Ok(Exit::Done)
}

/// All files of services, and those with a record only.
fn services(place: &Place, store: &Store) -> Result<Vec<String>, PamError> {
    let entries =
        std::fs::read_dir(&place.services).map_err(|error| PamError::io(&place.services, error))?;
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.parse::<Service>().is_ok())
        .collect();
    names.extend(store.services(State::Armed)?);
    names.extend(store.services(State::Kept)?);
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

fn look(service: &str, store: &Store, place: &Place) -> Result<Option<Told>, PamError> {
    // A service that PAM cannot read asks for nothing; `mfa doctor` names it.
    let asks = asking(&place.services, service).unwrap_or_default().into_iter().next();
    let file = asks.map(|(file, _)| file);
    if store.has(service, State::Armed) {
        let record = store.record(service, State::Armed).ok().flatten();
        let armed = record.and_then(|record| record.armed);
        let now = Clocks::now()?;
        let left = armed.and_then(|armed| armed.left(now, store.is_marked(&armed.id)));
        return Ok(Some(Told { file, seconds_left: left, ..Told::new(service, "armed") }));
    }
    let is_kept = store.has(service, State::Kept);
    let own = file_of(place, service).map(|target| target.path).ok();
    Ok(match (&file, is_kept) {
        (None, false) => None,
        (None, true) => Some(Told { file: own, ..Told::new(service, "missing") }),
        (Some(_), true) => Some(Told { file, ..Told::new(service, "kept") }),
        (Some(asked), false) => {
            let asked = std::fs::canonicalize(asked).ok();
            let state = if asked.is_some() && asked == own { "by_hand" } else { "included" };
            Some(Told { file, ..Told::new(service, state) })
        }
    })
}
