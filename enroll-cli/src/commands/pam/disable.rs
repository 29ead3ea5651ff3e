// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa pam disable`: what `mfa pam enable` wrote goes; of a service that is named, every line of the
//! module, whoever wrote it.

use super::{Told, diff};
use crate::arguments::{Disable, Service};
use crate::console::Console;
use crate::failure::{Exit, Failure};
use crate::messages;
use crate::pam_change::{PamError, Place, Settled, State, Store, Target, asking, file_of, settle};
use crate::pam_edit::{Scope, feeds_another, remove};

/// A service that will ask no more.
struct Change {
    service: String,
    target: Option<Target>,
    before: Vec<u8>,
    after: Vec<u8>,
}

pub(super) fn run(
    disable: &Disable,
    place: &Place,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let store = Store::open(place)?;
    let changes = planned(disable, &store, place)?;
    for change in &changes {
        if let Some(target) = &change.target {
            let diff = diff::unified(&target.path, &change.before, &change.after);
            console.show_before_asking(&diff::coloured(&diff), !disable.yes)?;
        }
    }
    if changes.is_empty() {
        console.explain(messages::pam::NOTHING_TO_DISABLE)?;
    } else if !disable.yes {
        console.confirm(messages::pam::DISABLE_ASKS)?;
    }
    let _lock = store.lock()?;
    let mut failed = Vec::new();
    for change in &changes {
        // The others all the same.
        if let Err(error) = take_out(change, &store, place, console) {
            console.warn(&error.to_string());
            failed.push(change.service.clone());
        }
    }
    let others = others(place);
    if disable.services.is_empty() && !others.is_empty() {
        console.warn(&messages::pam::disable_others(&others));
    }
    if failed.is_empty() { Ok(Exit::Done) } else { Err(PamError::NotReverted(failed).into()) }
}

fn planned(disable: &Disable, store: &Store, place: &Place) -> Result<Vec<Change>, Failure> {
    let mut names: Vec<String> =
        disable.services.iter().map(|service| service.as_str().to_owned()).collect();
    let is_named = !names.is_empty();
    if !is_named {
        names = store.services(State::Armed)?;
        names.extend(store.services(State::Kept)?);
    }
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(|service| change(service, is_named, store, place)).collect()
}

fn change(
    service: String,
    is_named: bool,
    store: &Store,
    place: &Place,
) -> Result<Change, Failure> {
    let state = state_of(store, &service);
    let record = match state {
        Some(state) => store.record(&service, state)?,
        None => None,
    };
    let target = match (&record, file_of(place, &service)) {
        (Some(record), _) if record.file.exists() => Some(Target { path: record.file.clone() }),
        (_, Ok(target)) => Some(target),
        (_, Err(PamError::NoService { .. })) if state.is_some() => None,
        (_, Err(error)) => return Err(error.into()),
    };
    let before = target.as_ref().map(Target::read).transpose()?.unwrap_or_default();
    let recorded = record.as_ref().and_then(|record| Some((record.before()?, record.after()?)));
    let after = match recorded {
        Some((as_it_was, ours)) if ours == before => as_it_was,
        _ => {
            let turned = record.as_ref().and_then(|record| record.turned());
            remove(&before, Scope::All, turned.as_ref(), &place.included())
        }
    };
    if is_named && state.is_none() && before == after {
        let asked_in = asking(&place.services, &service)?.into_iter().next().map(|(_, at)| at);
        return Err(PamError::NotInItsFile { service, asked_in }.into());
    }
    if let Some(target) = target.as_ref().filter(|_| after != before && feeds_another(&before)) {
        return Err(PamError::FeedsAnother(target.path.clone()).into());
    }
    Ok(Change { service, target, before, after })
}

/// Of `mfa pam enable`; without one the line was written by hand.
fn state_of(store: &Store, service: &str) -> Option<State> {
    [State::Armed, State::Kept].into_iter().find(|state| store.has(service, *state))
}

fn take_out(
    change: &Change,
    store: &Store,
    place: &Place,
    console: &mut Console,
) -> Result<(), Failure> {
    let Change { service, target, before, after } = change;
    // A login may have confirmed it since it was shown.
    let state = state_of(store, service);
    let settled = match (state, target) {
        (Some(state), _) => settle(store, place, service, state, Scope::All)?,
        (None, Some(target)) if target.read()? == *before => {
            target.replace(after, false)?;
            Settled::LineRemoved
        }
        (None, Some(target)) => return Err(PamError::ChangedMeanwhile(target.path.clone()).into()),
        (None, None) => Settled::NothingThere,
    };
    let told = Told {
        file: target.as_ref().map(|target| target.path.clone()),
        diff: Some(diff::unified(&place.services.join(service), before, after))
            .filter(|diff| !diff.is_empty()),
        result: Some(settled.as_str()),
        ..Told::new(service, "disabled")
    };
    told.tell(&messages::pam::disabled(service, settled, state.is_some()), console)?;
    if let Ok(Some((_, at))) = asking(&place.services, service).map(|all| all.into_iter().next()) {
        console.warn(&messages::pam::still_asking(service, &at));
    }
    Ok(())
}

/// Services in whose own file somebody else wrote a line.
fn others(place: &Place) -> Vec<String> {
    let entries = std::fs::read_dir(&place.services).into_iter().flatten().flatten();
    let mut found: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.parse::<Service>().is_ok() && !name.starts_with("common-"))
        .filter(|name| {
            let text = file_of(place, name).and_then(|target| target.read());
            text.is_ok_and(|text| remove(&text, Scope::All, None, &place.included()) != text)
        })
        .collect();
    found.sort_unstable();
    found
}
