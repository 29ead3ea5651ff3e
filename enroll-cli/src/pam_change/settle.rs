// SPDX-License-Identifier: GPL-3.0-or-later
//! There and back.

use std::path::Path;

use super::file::{Target, file_of};
use super::record::{Record, State, Store};
use super::{PamError, Place};
use crate::pam_edit::{Scope, comment_out, remove};

/// What came of taking a change back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Settled {
    /// The file is as before, byte for byte.
    AsBefore,
    /// Somebody else had changed it: only our line is gone.
    LineRemoved,
    /// There was no room for that: our line is a comment now.
    CommentedOut,
    /// Nothing of ours was in it any more.
    NothingThere,
}

impl Settled {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::AsBefore => "as_before",
            Self::LineRemoved => "line_removed",
            Self::CommentedOut => "commented_out",
            Self::NothingThere => "nothing_there",
        }
    }
}

/// Puts the new file into the place of the old one, which stays beside it while the record is armed. The
/// record has been written.
pub(crate) fn apply(target: &Target, after: &[u8], state: State) -> Result<(), PamError> {
    target.replace(after, state == State::Armed)
}

/// Keeps what is armed.
pub(crate) fn keep(store: &Store, place: &Place, service: &str) -> Result<(), PamError> {
    let record = store.record(service, State::Armed)?;
    // First the record: from here on nothing takes it back.
    store.confirm(service)?;
    if let Some(armed) = record.as_ref().and_then(|record| record.armed.as_ref()) {
        store.unmark(&armed.id);
    }
    target_of(place, service, record.as_ref())?.map_or(Ok(()), |target| target.tidy())
}

/// Takes the change of a service back. A second time does nothing more, whatever stopped the first.
pub(crate) fn settle(
    store: &Store,
    place: &Place,
    service: &str,
    state: State,
    scope: Scope,
) -> Result<Settled, PamError> {
    let record = store.record(service, state)?;
    let settled = match target_of(place, service, record.as_ref())? {
        Some(target) => {
            let settled = take_back(&target, record.as_ref(), scope, place)?;
            target.tidy()?;
            settled
        }
        None => Settled::NothingThere,
    };
    store.remove(service, state)?;
    if let Some(armed) = record.and_then(|record| record.armed) {
        store.unmark(&armed.id);
    }
    Ok(settled)
}

/// The file that was changed; of a record that cannot be understood, the one of its name. `None`: it is
/// gone, and PAM with it.
fn target_of(
    place: &Place,
    service: &str,
    record: Option<&Record>,
) -> Result<Option<Target>, PamError> {
    match record {
        Some(record) if record.file.exists() => Ok(Some(Target { path: record.file.clone() })),
        Some(record) => {
            Target { path: record.file.clone() }.tidy_where_possible();
            Ok(None)
        }
        None => match file_of(place, service) {
            Ok(target) => Ok(Some(target)),
            Err(PamError::NoService { .. }) => Ok(None),
            Err(error) => Err(error),
        },
    }
}

fn take_back(
    target: &Target,
    record: Option<&Record>,
    scope: Scope,
    place: &Place,
) -> Result<Settled, PamError> {
    let current = target.read()?;
    let (before, after) = match record.map(|record| (record.before(), record.after())) {
        Some((Some(before), Some(after))) => (Some(before), Some(after)),
        _ => (None, None),
    };
    if before.as_ref() == Some(&current) {
        return Ok(Settled::AsBefore);
    }
    let (wanted, settled) = match (before, after) {
        (Some(before), Some(after)) if after == current => {
            if target.restore(&before)? {
                return Ok(Settled::AsBefore);
            }
            (before, Settled::AsBefore)
        }
        _ => {
            let turned = record.and_then(Record::turned);
            let without = remove(&current, scope, turned.as_ref(), &place.included());
            if without == current {
                return Ok(Settled::NothingThere);
            }
            (without, Settled::LineRemoved)
        }
    };
    match target.replace(&wanted, false) {
        Ok(()) => Ok(settled),
        Err(error) => {
            // The first reason is the one worth knowing.
            let Some(places) = comment_out(&current, scope, &place.included()) else {
                return Err(error);
            };
            target.overwrite(&places, b'#').map_err(|_| error)?;
            Ok(Settled::CommentedOut)
        }
    }
}

impl Target {
    /// For a file that is gone.
    fn tidy_where_possible(&self) {
        if self.path.parent().is_some_and(Path::is_dir) {
            let _ = self.tidy();
        }
    }
}
