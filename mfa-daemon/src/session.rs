// SPDX-License-Identifier: GPL-3.0-or-later
//! The state of a connection's key exchange. It begins and ends with the connection.

use mfa_crypto::{ExchangeError, Group, ServerExchange, Session};
use mfa_proto::UserName;
use mfa_proto::exchange::Purpose;

/// Bytes of a session's name.
pub const SESSION_ID_BYTES: usize = 16;

/// How far the exchange is. Whatever is out of order ends it.
#[derive(Default)]
pub enum Exchange {
    /// Nothing was said yet, or it failed.
    #[default]
    None,
    /// `params` was answered with this group. It stays good here when a reload offers others another.
    Named(Group),
    /// `kex_reply` was sent, `kex_finish` is awaited.
    Offered(Subject, Box<ServerExchange>),
    /// Both sides have confirmed.
    Open(Box<Open>),
}

/// What an exchange was bound to.
#[derive(Clone)]
pub struct Subject {
    /// The session's name.
    pub id: [u8; SESSION_ID_BYTES],
    /// What for.
    pub purpose: Purpose,
    /// For whom.
    pub user: UserName,
    /// In which group, also of what replaces its keys.
    pub group: Group,
    /// When the exchange that made the current keys began, in seconds of a clock that is never set.
    pub since: u64,
}

/// A session in which messages are sealed.
pub struct Open {
    /// What it is bound to.
    pub subject: Subject,
    /// Its keys.
    pub session: Session,
    /// A new exchange inside it whose last flight is awaited.
    pub rekey: Option<Rekey>,
}

/// A new exchange inside a session.
pub struct Rekey {
    /// The daemon's half.
    pub exchange: Box<ServerExchange>,
    /// When it began, as in [`Subject::since`].
    pub since: u64,
}

/// How long the keys of one exchange may be used.
#[derive(Clone, Copy)]
pub struct KeyLifetime {
    /// Seconds.
    pub seconds: u64,
    /// Messages, both directions together.
    pub messages: u64,
}

/// The keys that a rekey has made, not yet in use: its last answer is still sealed under the old ones.
pub struct NewKeys {
    session: Session,
    since: u64,
}

impl Open {
    /// Whether the keys may still be used for more than being replaced.
    #[must_use]
    pub fn is_current(&self, now: u64, lifetime: KeyLifetime) -> bool {
        now.saturating_sub(self.subject.since) < lifetime.seconds
            && self.session.messages() < lifetime.messages
    }

    /// Takes the new keys and erases the old ones; time and messages count from zero again.
    ///
    /// # Errors
    /// [`mfa_crypto::SessionError`], after which the session is dead.
    pub fn replace(&mut self, new: NewKeys) -> Result<(), mfa_crypto::SessionError> {
        self.session.replace(new.session)?;
        self.subject.since = new.since;
        Ok(())
    }
}

impl Rekey {
    /// The new keys, once the client has proved that it holds them.
    ///
    /// # Errors
    /// [`ExchangeError::Confirm`].
    pub fn finish(self, client_confirm: &[u8]) -> Result<NewKeys, ExchangeError> {
        let session = self.exchange.finish(client_confirm)?;
        Ok(NewKeys { session, since: self.since })
    }
}
