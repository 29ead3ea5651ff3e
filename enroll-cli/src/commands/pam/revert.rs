// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa pam revert`: takes back now what waits for a login.

use super::{Told, keep::named_or_armed};
use crate::arguments::Service;
use crate::console::Console;
use crate::failure::{Exit, Failure};
use crate::messages;
use crate::pam_change::{PamError, Place, State, Store, settle};
use crate::pam_edit::Scope;

pub(super) fn run(
    services: &[Service],
    place: &Place,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let store = Store::open(place)?;
    let _lock = store.lock()?;
    let mut failed = Vec::new();
    let (armed, others) = named_or_armed(services, &store)?;
    for service in armed {
        match settle(&store, place, &service, State::Armed, Scope::Auth) {
            Ok(settled) => {
                let told =
                    Told { result: Some(settled.as_str()), ..Told::new(&service, "reverted") };
                told.tell(&messages::pam::settled(&service, settled), console)?;
            }
            // The others all the same.
            Err(error) => {
                console.warn(&error.to_string());
                failed.push(service);
            }
        }
    }
    match (failed.is_empty(), others.is_empty()) {
        (false, _) => Err(PamError::NotReverted(failed).into()),
        (true, false) => Err(PamError::NothingArmed(others).into()),
        (true, true) => Ok(Exit::Done),
    }
}
