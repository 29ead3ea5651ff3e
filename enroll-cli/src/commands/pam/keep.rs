// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa pam keep`: an administrator's word instead of a login.

use super::Told;
use crate::arguments::Service;
use crate::console::Console;
use crate::failure::{Exit, Failure};
use crate::messages;
use crate::pam_change::{PamError, Place, State, Store, keep};

pub(super) fn run(
    services: &[Service],
    place: &Place,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let store = Store::open(place)?;
    let _lock = store.lock()?;
    let (armed, others) = named_or_armed(services, &store)?;
    for service in armed {
        keep(&store, place, &service)?;
        Told::new(&service, "kept").tell(&messages::pam::kept(&service), console)?;
    }
    // A login may have confirmed it a moment ago.
    let (kept, others): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|service| store.has(service, State::Kept));
    for service in kept {
        Told::new(&service, "kept").tell(&messages::pam::kept(&service), console)?;
    }
    if others.is_empty() { Ok(Exit::Done) } else { Err(PamError::NothingArmed(others).into()) }
}

/// Those that wait, of those named or of all; and those named that do not.
pub(super) fn named_or_armed(
    services: &[Service],
    store: &Store,
) -> Result<(Vec<String>, Vec<String>), PamError> {
    let armed = store.services(State::Armed)?;
    if services.is_empty() {
        return if armed.is_empty() {
            Err(PamError::NothingArmed(Vec::new()))
        } else {
            Ok((armed, Vec::new()))
        };
    }
    let named = services.iter().map(|service| service.as_str().to_owned());
    Ok(named.partition(|service| armed.contains(service)))
}
