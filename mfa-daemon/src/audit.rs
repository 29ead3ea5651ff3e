// SPDX-License-Identifier: GPL-3.0-or-later
//! Audit events on the daemon's side: made where something is decided, stored in the same transaction
//! as what they tell of, and put into the log once that is durable.

mod login;
mod quota;

use mfa_proto::audit::{Act, ActResult, AuditEvent};
use mfa_proto::login::Origin;
use mfa_proto::{Peer, UserName};
use tracing::{info, warn};

pub use self::login::Attempted;
pub use self::quota::{Quota, Share};

/// Characters of a name that a peer sent: enough for every real one, and an entry stays small.
const NAME_MAX: usize = 64;

/// An event that has no number yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event(AuditEvent);

impl Event {
    /// That `peer` asked for `act` at `time`, in Unix seconds, and what came of it.
    #[must_use]
    pub fn new(act: Act, result: ActResult, peer: Peer, time: u64) -> Self {
        Self(AuditEvent {
            seq: 0,
            time,
            act,
            result,
            reason: None,
            warning: false,
            user: None,
            token: None,
            service: None,
            rhost: None,
            tty: None,
            figures: std::collections::BTreeMap::new(),
            peer_uid: peer.uid,
            peer_pid: peer.pid,
        })
    }

    /// Whose.
    #[must_use]
    pub fn of(mut self, user: &UserName) -> Self {
        self.0.user = Some(user.clone());
        self
    }

    /// Where a login comes from.
    #[must_use]
    pub fn from(mut self, origin: &Origin) -> Self {
        self.0.service = Some(bounded(&origin.service)).filter(|service| !service.is_empty());
        self.0.rhost = origin.rhost.as_deref().map(bounded);
        self.0.tty = origin.tty.as_deref().map(bounded);
        self
    }

    /// The service it is for, where that is no login's.
    #[must_use]
    pub fn service(mut self, service: Option<&str>) -> Self {
        self.0.service = service.map(bounded);
        self
    }

    /// The token's name.
    #[must_use]
    pub fn token(mut self, token: &str) -> Self {
        self.0.token = Some(bounded(token));
        self
    }

    /// Why.
    #[must_use]
    pub fn because(mut self, reason: &'static str) -> Self {
        self.0.reason = Some(reason.to_owned());
        self
    }

    /// An administrator should look at it.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.0.warning = true;
        self
    }

    /// A number that belongs to it.
    #[must_use]
    pub fn figure(mut self, name: &'static str, value: impl TryInto<i64>) -> Self {
        self.0.figures.insert(name.to_owned(), value.try_into().unwrap_or(i64::MAX));
        self
    }

    /// The entry, once its number is known.
    #[must_use]
    pub fn numbered(mut self, seq: u64) -> AuditEvent {
        self.0.seq = seq;
        self.0
    }

    /// What it tells.
    #[must_use]
    pub fn get(&self) -> &AuditEvent {
        &self.0
    }
}

/// Puts an entry into the log. The only place that does: what is in the trail is in the journal, in
/// the same words. Number 0: it could not be stored.
pub fn make_known(event: &AuditEvent) {
    let figures = event.figures.iter().map(|(name, value)| format!("{name}={value}"));
    let figures = figures.collect::<Vec<_>>().join(" ");
    macro_rules! tell {
        ($level:ident) => {
            $level!(
                act = event.act.as_str(),
                result = event.result.as_str(),
                reason = event.reason.as_deref(),
                user = event.user.as_ref().map(tracing::field::display),
                token = event.token.as_deref(),
                service = event.service.as_deref(),
                rhost = event.rhost.as_deref(),
                tty = event.tty.as_deref(),
                peer_uid = event.peer_uid,
                peer_pid = event.peer_pid,
                seq = event.seq,
                figures = Some(figures.as_str()).filter(|figures| !figures.is_empty()),
                "{}",
                sentence(event)
            )
        };
    }
    if event.warning {
        tell!(warn);
    } else {
        tell!(info);
    }
}

/// What `journalctl` shows of it; the rest are fields.
fn sentence(event: &AuditEvent) -> String {
    let mut text = format!("{} {}", event.act.as_str(), event.result.as_str());
    let reason = event.reason.as_deref().map(|reason| format!(" ({reason})"));
    let user = event.user.as_ref().map(|user| format!(" for {user}"));
    let token = event.token.as_deref().map(|token| format!(" with {token}"));
    let service = event.service.as_deref().map(|service| format!(" over {service}"));
    let rhost = event.rhost.as_deref().map(|rhost| format!(" from {rhost}"));
    text.extend([reason, user, token, service, rhost].into_iter().flatten());
    text
}

/// Control characters escaped, and no longer than a name is.
fn bounded(text: &str) -> String {
    text.chars().take(NAME_MAX).flat_map(char::escape_debug).take(2 * NAME_MAX).collect()
}
