// SPDX-License-Identifier: GPL-3.0-or-later
//! How many connections at once: a quota for each uid, and a share that only root can use, so that
//! no unprivileged flood keeps a login program out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Connections of one unprivileged uid.
const PER_UID: u32 = 16;
/// Connections of all unprivileged uids together.
const UNPRIVILEGED: u32 = 256;
/// Connections of root: login programs under the heaviest load.
const ROOT: u32 = 512;

/// Counts the connections that are open.
#[derive(Clone, Default)]
pub struct Limits(Arc<Mutex<HashMap<u32, u32>>>);

/// A place that is given back when it is dropped.
pub struct Slot {
    limits: Limits,
    uid: u32,
}

impl Limits {
    /// A place for a connection of `uid`, if there is one.
    #[must_use]
    pub fn admit(&self, uid: u32) -> Option<Slot> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = open.get(&uid).copied().unwrap_or(0);
        let admitted = if uid == 0 {
            own < ROOT
        } else {
            let others: u32 = open.iter().filter(|(uid, _)| **uid != 0).map(|(_, n)| n).sum();
            own < PER_UID && others < UNPRIVILEGED
        };
        admitted.then(|| {
            open.insert(uid, own + 1);
            Slot { limits: self.clone(), uid }
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut open = self.limits.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(n) = open.get_mut(&self.uid) {
            *n -= 1;
            if *n == 0 {
                open.remove(&self.uid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_uid_cannot_take_the_places_of_others_nor_all_uids_those_of_root() {
        let limits = Limits::default();
        let mut slots: Vec<_> = (0..PER_UID).map(|_| limits.admit(1000).unwrap()).collect();
        assert!(limits.admit(1000).is_none());
        slots.push(limits.admit(1001).unwrap());
        let mut uid = 2000;
        while let Some(slot) = limits.admit(uid) {
            slots.push(slot);
            uid += 1;
        }
        assert_eq!(slots.len(), UNPRIVILEGED as usize);
        let root: Vec<_> = (0..ROOT).map(|_| limits.admit(0).unwrap()).collect();
        assert!(limits.admit(0).is_none());
        drop(root);
        drop(slots);
        assert!(limits.admit(1000).is_some());
        assert!(limits.0.lock().unwrap().is_empty());
    }
}
