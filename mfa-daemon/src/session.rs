// SPDX-License-Identifier: GPL-3.0-or-later
//! The state of a connection's key exchange. It begins and ends with the connection.

use std::time::{Duration, Instant};

use mfa_crypto::{ServerExchange, Session};
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
    /// `kex_reply` was sent, `kex_finish` is awaited.
    Offered(Subject, Box<ServerExchange>),
    /// Both sides have confirmed.
    Open(Subject, Box<Session>),
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
    /// When the exchange began, on the monotonic clock.
    pub since: Instant,
}

impl Subject {
    /// Whether the session's key may still be used.
    #[must_use]
    pub fn is_current(&self, now: Instant, lifetime: Duration) -> bool {
        now.saturating_duration_since(self.since) < lifetime
    }
}
