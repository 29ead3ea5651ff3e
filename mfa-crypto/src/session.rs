// SPDX-License-Identifier: GPL-3.0-or-later
//! A session after its exchange: sealed messages whose keys are used once and then erased.

use crate::{
    fields,
    kdf::{self, Key},
};
use chacha20poly1305::{
    ChaCha20Poly1305,
    aead::{Aead, KeyInit, Payload},
};
use core::fmt;
use zeroize::Zeroizing;

/// A message as it travels.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SealedMessage {
    /// Its number in its direction and epoch, from 0.
    pub seq: u64,
    /// The encrypted message and 16 bytes of tag.
    pub ciphertext: Vec<u8>,
}

/// Why a message was not sealed or opened. The session is dead from then on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SessionError {
    /// It ended with an earlier error.
    Dead,
    /// A message is missing, or came twice.
    Sequence {
        /// The number that had to come.
        expected: u64,
        /// The number that came.
        got: u64,
    },
    /// The tag is wrong: the message was changed, or sealed under another key.
    Forged,
    /// There is no further sequence number or epoch, or the message is longer than the cipher takes.
    Exhausted,
    /// The new session of a rekey is not of the same side and id.
    Mismatch,
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the session has ended: ")?;
        match self {
            Self::Dead => f.write_str("an earlier message was refused"),
            Self::Sequence { expected, got } => {
                write!(f, "message {got} came where {expected} had to")
            }
            Self::Forged => f.write_str("a message does not carry the right tag"),
            Self::Exhausted => f.write_str("its numbers are used up"),
            Self::Mismatch => f.write_str("its new keys are those of another session"),
        }?;
        f.write_str("; start a new exchange")
    }
}

impl core::error::Error for SessionError {}

/// One side of a session. It has no `Debug`, and its keys erase themselves.
pub struct Session {
    role: Role,
    id: Vec<u8>,
    epoch: u32,
    /// `None` once the session is dead.
    chains: Option<Chains>,
}

#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Role {
    Client,
    Server,
}

struct Chains {
    send: Chain,
    receive: Chain,
}

/// The key of the next message in one direction.
struct Chain {
    key: Key,
    seq: u64,
}

impl Session {
    pub(crate) fn new(role: Role, id: &[u8], send: Key, receive: Key) -> Self {
        let chain = |key| Chain { key, seq: 0 };
        Self {
            role,
            id: id.to_vec(),
            epoch: 0,
            chains: Some(Chains { send: chain(send), receive: chain(receive) }),
        }
    }

    /// Seals the next message to the other side and erases the key it was sealed with.
    ///
    /// # Errors
    /// [`SessionError`], after which the session is dead.
    pub fn seal(&mut self, plaintext: &[u8]) -> Result<SealedMessage, SessionError> {
        let associated = self.associated(self.role);
        self.or_die(|chains| {
            let chain = &mut chains.send;
            let payload = Payload { msg: plaintext, aad: &associated };
            let ciphertext = ChaCha20Poly1305::new((&*chain.key).into())
                .encrypt(&nonce(chain.seq).into(), payload)
                .map_err(|_| SessionError::Exhausted)?;
            let seq = chain.advance()?;
            Ok(SealedMessage { seq, ciphertext })
        })
    }

    /// Opens the next message of the other side and erases the key it was opened with.
    ///
    /// # Errors
    /// [`SessionError`] for a gap, a repeat or a wrong tag, after which the session is dead.
    pub fn open(
        &mut self,
        seq: u64,
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SessionError> {
        let associated = self.associated(self.role.other());
        self.or_die(|chains| {
            let chain = &mut chains.receive;
            if seq != chain.seq {
                return Err(SessionError::Sequence { expected: chain.seq, got: seq });
            }
            let payload = Payload { msg: ciphertext, aad: &associated };
            let plaintext = ChaCha20Poly1305::new((&*chain.key).into())
                .decrypt(&nonce(seq).into(), payload)
                .map(Zeroizing::new)
                .map_err(|_| SessionError::Forged)?;
            chain.advance()?;
            Ok(plaintext)
        })
    }

    /// How often the keys were replaced by a new exchange.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Messages sealed and opened in this epoch. 0 once the session is dead.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.chains.as_ref().map_or(0, |chains| chains.send.seq.saturating_add(chains.receive.seq))
    }

    /// Whether the session can still seal and open.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.chains.is_some()
    }

    /// Rekeys: takes the keys of `new`, made by an exchange with this session's id, erases the old
    /// ones, begins the next epoch and counts messages from 0 again.
    ///
    /// # Errors
    /// When either session is dead or `new` belongs to another id or side; this one is dead then.
    pub fn replace(&mut self, new: Self) -> Result<(), SessionError> {
        let matching = new.role == self.role && new.id == self.id;
        let next = self.epoch.checked_add(1);
        self.or_die(|chains| {
            if !matching {
                return Err(SessionError::Mismatch);
            }
            next.ok_or(SessionError::Exhausted)?;
            *chains = new.chains.ok_or(SessionError::Dead)?;
            Ok(())
        })?;
        self.epoch = next.unwrap_or(self.epoch);
        Ok(())
    }

    /// Any error drops the keys.
    fn or_die<T>(
        &mut self,
        work: impl FnOnce(&mut Chains) -> Result<T, SessionError>,
    ) -> Result<T, SessionError> {
        let result = work(self.chains.as_mut().ok_or(SessionError::Dead)?);
        if result.is_err() {
            self.chains = None;
        }
        result
    }

    /// What a tag covers besides the message: session, direction and epoch.
    fn associated(&self, sender: Role) -> Zeroizing<Vec<u8>> {
        fields::join(&[&self.id, sender.direction(), &self.epoch.to_be_bytes()])
    }
}

impl Role {
    fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// The direction of what this side sends.
    fn direction(self) -> &'static [u8] {
        match self {
            Self::Client => b"c2s",
            Self::Server => b"s2c",
        }
    }
}

impl Chain {
    /// Replaces the key, so that one taken later opens nothing sent before. Gives the old number.
    fn advance(&mut self) -> Result<u64, SessionError> {
        let used = self.seq;
        self.seq = used.checked_add(1).ok_or(SessionError::Exhausted)?;
        self.key = kdf::expand(&self.key, b"next");
        Ok(used)
    }
}

/// The 12 bytes of RFC 8439, 2.8: four zeros, then the number, big-endian.
fn nonce(seq: u64) -> [u8; 12] {
    (u128::from(seq) << 32).to_be_bytes().first_chunk().copied().unwrap_or_default()
}
