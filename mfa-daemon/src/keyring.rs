// SPDX-License-Identifier: GPL-3.0-or-later
//! The master keys that are known: the current one, and the one before it while rows are still sealed
//! under that.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use getrandom::SysRng;
use mfa_crypto::{MasterKey, SealError, Secret};

/// Bytes of a key's mark that stand before what it sealed.
const MARK: usize = 8;

/// Everything that opens what is stored.
pub struct Keyring(RwLock<Keys>);

struct Keys {
    current: Marked,
    /// The one that was current before, or will be next.
    other: Option<Marked>,
}

struct Marked {
    id: [u8; 16],
    key: MasterKey,
}

impl Marked {
    fn new(key: MasterKey) -> Self {
        Self { id: key.id(), key }
    }

    fn mark(&self) -> &[u8] {
        self.id.get(..MARK).unwrap_or_default()
    }
}

impl Keyring {
    /// With one key.
    #[must_use]
    pub fn new(current: MasterKey) -> Self {
        Self(RwLock::new(Keys { current: Marked::new(current), other: None }))
    }

    /// While one takes the place of another: `current` seals, and `old` opens what it sealed.
    #[must_use]
    pub fn between(current: MasterKey, old: MasterKey) -> Self {
        let (current, other) = (Marked::new(current), Some(Marked::new(old)));
        Self(RwLock::new(Keys { current, other }))
    }

    /// Opens with this key as well from here on, in place of another one that does not seal.
    pub fn know(&self, next: MasterKey) {
        self.change().other = Some(Marked::new(next));
    }

    /// Seals with the other key from here on, if that is the one with this mark.
    pub fn turn_to(&self, id: &[u8; 16]) {
        let keys = &mut *self.change();
        if let Some(other) = &mut keys.other
            && other.id == *id
        {
            std::mem::swap(&mut keys.current, other);
        }
    }

    /// Forgets the key with this mark, unless it seals.
    pub fn forget(&self, id: &[u8; 16]) {
        let keys = &mut *self.change();
        keys.other = keys.other.take().filter(|other| other.id != *id);
    }

    /// The mark of the key that opens and does not seal, if there is one.
    #[must_use]
    pub fn other_id(&self) -> Option<[u8; 16]> {
        self.keys().other.as_ref().map(|other| other.id)
    }

    /// Whether this was sealed with the current key.
    #[must_use]
    pub fn is_current(&self, sealed: &[u8]) -> bool {
        sealed.starts_with(self.keys().current.mark())
    }

    /// The mark of the key that seals, see [`MasterKey::id`].
    #[must_use]
    pub fn id(&self) -> [u8; 16] {
        self.keys().current.id
    }

    /// Seals under the current key, with the key's mark before it.
    ///
    /// # Errors
    /// [`SealError`] where the system gives no randomness.
    pub fn seal(&self, aad: &[u8], plain: &Secret) -> Result<Vec<u8>, SealError> {
        let keys = self.keys();
        let sealed = keys.current.key.seal(aad, plain, &mut SysRng)?;
        Ok([keys.current.mark(), &sealed].concat())
    }

    /// Opens what [`Keyring::seal`] sealed, with the one key whose mark it has.
    ///
    /// # Errors
    /// [`SealError`], [`SealError::Forged`] also where no known key has that mark.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Secret, SealError> {
        let (mark, sealed) =
            sealed.split_at_checked(MARK).ok_or(SealError::TooShort { got: sealed.len() })?;
        let keys = self.keys();
        let known = std::iter::once(&keys.current).chain(&keys.other);
        let key = known.into_iter().find(|key| key.mark() == mark).ok_or(SealError::Forged)?;
        key.key.open(aad, sealed)
    }

    /// Uses the current key.
    pub fn with_current<R>(&self, work: impl FnOnce(&MasterKey) -> R) -> R {
        work(&self.keys().current.key)
    }

    /// The first success of `work` with the current key and with the other one.
    ///
    /// # Errors
    /// The error with the last key that was tried.
    pub fn with_each<R, E>(&self, work: impl Fn(&MasterKey) -> Result<R, E>) -> Result<R, E> {
        let keys = self.keys();
        work(&keys.current.key).or_else(|error| match &keys.other {
            Some(other) => work(&other.key),
            None => Err(error),
        })
    }

    fn change(&self) -> RwLockWriteGuard<'_, Keys> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn keys(&self) -> RwLockReadGuard<'_, Keys> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}
