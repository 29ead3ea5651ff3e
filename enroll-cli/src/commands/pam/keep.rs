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
    for service in named_or_armed(services, &store)? {
        keep(&store, place, &service)?;
        Told::new(&service, "kept").tell(&messages::pam::kept(&service), console)?;
    }
    Ok(Exit::Done)
}

/// Those named, each of which must wait, or all that do.
pub(super) fn named_or_armed(services: &[Service], store: &Store) -> Result<Vec<String>, PamError> {
    let armed = store.services(State::Armed)?;
    let named: Vec<String> = services.iter().map(|service| service.as_str().to_owned()).collect();
    if armed.is_empty() || named.iter().any(|service| !armed.contains(service)) {
        return Err(PamError::NothingArmed);
    }
    Ok(if named.is_empty() { armed } else { named })
}
