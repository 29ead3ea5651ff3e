// SPDX-License-Identifier: GPL-3.0-or-later
//! The master keys that are known: the current one, and the one before it while rows are still sealed
//! under that.

use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use getrandom::SysRng;
use mfa_crypto::{MasterKey, SealError, Secret};

/// Bytes of a key's mark that stand before what it sealed.
const MARK: usize = 8;

/// Everything that opens what is stored.
pub struct Keyring(RwLock<Keys>);

struct Keys {
    current: Marked,
    old: Option<Marked>,
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
        Self(RwLock::new(Keys { current: Marked::new(current), old: None }))
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
        let known = std::iter::once(&keys.current).chain(&keys.old);
        let key = known.into_iter().find(|key| key.mark() == mark).ok_or(SealError::Forged)?;
        key.key.open(aad, sealed)
    }

    /// Uses the current key.
    pub fn with_current<R>(&self, work: impl FnOnce(&MasterKey) -> R) -> R {
        work(&self.keys().current.key)
    }

    /// The first success of `work` with the current key and with the old one.
    ///
    /// # Errors
    /// The error with the last key that was tried.
    pub fn with_each<R, E>(&self, work: impl Fn(&MasterKey) -> Result<R, E>) -> Result<R, E> {
        let keys = self.keys();
        work(&keys.current.key).or_else(|error| match &keys.old {
            Some(old) => work(&old.key),
            None => Err(error),
        })
    }

    fn keys(&self) -> RwLockReadGuard<'_, Keys> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}
