// SPDX-License-Identifier: GPL-3.0-or-later
//! Sealing of what is stored: token secrets under the master key, bound to their row.

use std::sync::Arc;

use getrandom::SysRng;
use mfa_crypto::{Algorithm, Code, RecoveryCode, RecoveryKey, SealError, Secret};
use mfa_proto::{Blob, UserName};

use crate::keyring::Keyring;
use crate::policy::record::{Factor, Token};

/// The only thing that opens a stored secret.
pub struct Vault {
    keys: Arc<Keyring>,
    recovery: RecoveryKey,
}

impl Vault {
    /// Over these master keys, and this key of the recovery codes.
    #[must_use]
    pub fn new(keys: Arc<Keyring>, recovery: RecoveryKey) -> Self {
        Self { keys, recovery }
    }

    /// Seals `secret` into `token`, bound to the user and to everything about the token that must
    /// not change without it.
    ///
    /// # Errors
    /// [`SealError`] where the system gives no randomness.
    pub fn seal(
        &self,
        user: &UserName,
        token: &mut Token,
        secret: &Secret,
    ) -> Result<(), SealError> {
        let bound = binding(user, token);
        let sealed = self.keys.with_current(|key| key.seal(&bound, secret, &mut SysRng))?;
        token.sealed = Blob::new(sealed);
        Ok(())
    }

    /// Opens a token's secret.
    ///
    /// # Errors
    /// [`SealError`] where the row was damaged, swapped or sealed under another key.
    pub fn open(&self, user: &UserName, token: &Token) -> Result<Secret, SealError> {
        let bound = binding(user, token);
        self.keys.with_each(|key| key.open(&bound, token.sealed.as_bytes()))
    }

    /// Seals a token's secret under the current key where it is not; says whether that was needed.
    ///
    /// # Errors
    /// [`SealError`] where the secret opens with no key, or the system gives no randomness.
    pub fn renew(&self, user: &UserName, token: &mut Token) -> Result<bool, SealError> {
        renew(&self.keys, user, token)
    }

    /// What is stored of a scratch code, a recovery code of eight digits that another system made.
    #[must_use]
    pub fn hash_scratch(&self, user: &UserName, code: &Code) -> [u8; 32] {
        code.keyed_hash(&self.recovery, user.as_str())
    }

    /// What is stored of a recovery code.
    #[must_use]
    pub fn hash(&self, user: &UserName, code: &RecoveryCode) -> [u8; 32] {
        code.keyed_hash(&self.recovery, user.as_str())
    }
}

/// Whether a token's secret opens.
pub(crate) fn opens(keys: &Keyring, user: &UserName, token: &Token) -> bool {
    let bound = binding(user, token);
    keys.with_each(|key| key.open(&bound, token.sealed.as_bytes())).is_ok()
}

/// As [`Vault::renew`].
///
/// # Errors
/// [`SealError`].
pub(crate) fn renew(keys: &Keyring, user: &UserName, token: &mut Token) -> Result<bool, SealError> {
    let bound = binding(user, token);
    if keys.with_current(|key| key.open(&bound, token.sealed.as_bytes())).is_ok() {
        return Ok(false);
    }
    let secret = keys.with_each(|key| key.open(&bound, token.sealed.as_bytes()))?;
    let sealed = keys.with_current(|key| key.seal(&bound, &secret, &mut SysRng))?;
    token.sealed = Blob::new(sealed);
    Ok(true)
}

/// The associated data: each field with its length before it, so that no two rows share one.
/// `created` tells the versions of one token apart.
fn binding(user: &UserName, token: &Token) -> Vec<u8> {
    let (kind, period) = match token.factor {
        Factor::Totp { period, .. } => (b'T', period.get()),
        Factor::Hotp { .. } => (b'H', 0),
    };
    let algorithm = match token.algorithm {
        Algorithm::Sha1 => 1,
        Algorithm::Sha256 => 2,
        Algorithm::Sha512 => 3,
    };
    let mut bound = Vec::with_capacity(128);
    for field in [
        b"mfa/1 token".as_slice(),
        user.as_str().as_bytes(),
        token.name.as_bytes(),
        &[kind, algorithm, token.digits.get()],
        &period.to_be_bytes(),
        &token.created.to_be_bytes(),
    ] {
        let len = u32::try_from(field.len()).unwrap_or(u32::MAX);
        bound.extend_from_slice(&len.to_be_bytes());
        bound.extend_from_slice(field);
    }
    bound
}

#[cfg(test)]
mod tests {
    use mfa_crypto::{Digits, MasterKey, Period};

    use super::*;

    fn vault() -> Vault {
        let key = MasterKey::generate(&mut SysRng).unwrap();
        let recovery = RecoveryKey::of(&key);
        Vault::new(Arc::new(Keyring::new(key)), recovery)
    }

    #[test]
    fn a_sealed_secret_opens_in_its_own_row_only() {
        let vault = vault();
        let alice = UserName::new("alice").unwrap();
        let mut token = Token {
            name: "phone".into(),
            factor: Factor::Totp { period: Period::default(), last_step: None, drift: 0 },
            algorithm: Algorithm::Sha1,
            digits: Digits::default(),
            sealed: Blob::new([]),
            created: 7,
            last_used: None,
            near: None,
        };
        vault.seal(&alice, &mut token, &Secret::new(vec![9; 20])).unwrap();
        assert_eq!(vault.open(&alice, &token).unwrap().expose(), [9; 20]);

        let mut used = token.clone();
        used.factor = Factor::Totp { period: Period::default(), last_step: Some(5), drift: 1 };
        used.last_used = Some(150);
        assert!(vault.open(&alice, &used).is_ok());

        assert!(vault.open(&UserName::new("bob").unwrap(), &token).is_err());
        for change in [
            (|t: &mut Token| t.name = "other".into()) as fn(&mut Token),
            |t| t.created = 8,
            |t| t.algorithm = Algorithm::Sha256,
            |t| t.digits = Digits::try_from(8).unwrap(),
            |t| t.factor = Factor::Hotp { counter: 0 },
        ] {
            let mut other = token.clone();
            change(&mut other);
            assert!(vault.open(&alice, &other).is_err());
        }
        assert!(super::tests::vault().open(&alice, &token).is_err());
    }
}
