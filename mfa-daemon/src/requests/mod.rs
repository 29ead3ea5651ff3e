// SPDX-License-Identifier: GPL-3.0-or-later
//! One file a request: authorise, call, answer.

mod account;
mod administer;
mod begin;
mod bypass;
mod current_code;
mod enroll;
mod exchange;
mod explain;
mod export;
mod grace;
mod import;
mod invite;
mod login_enroll;
mod recovery;
mod reload;
mod revoke;
mod rotate;
mod status;
mod verify;

use std::fmt;
use std::sync::Arc;

use mfa_proto::frame;
use mfa_proto::login::Origin;
use mfa_proto::{ErrorAnswer, ErrorCode, FrameError, Peer, Request};
use serde::Serialize;
use tracing::error;
use zeroize::Zeroizing;

use crate::daemon::Daemon;
use crate::session::Exchange;

/// What lives as long as a connection.
pub struct Connection {
    /// Who is at the other end.
    pub peer: Peer,
    /// The exchange or session, if any.
    pub exchange: Exchange,
    /// The import that is under way, if any.
    import: import::Importing,
}

impl Connection {
    /// A connection on which nothing has been asked yet.
    #[must_use]
    pub fn new(peer: Peer) -> Self {
        Self { peer, exchange: Exchange::None, import: import::Importing::None }
    }
}

/// Carries one request out and returns the frame that answers it.
///
/// # Errors
/// [`FrameError`] where the answer does not fit a frame.
pub async fn answer(
    daemon: &Arc<Daemon>,
    connection: &mut Connection,
    id: u64,
    request: Request,
) -> Result<Zeroizing<Vec<u8>>, FrameError> {
    let peer = connection.peer;
    match request {
        Request::Begin(begin) => write(id, begin::begin(daemon, peer, begin).await),
        Request::Verify(verify) => write(id, verify::verify(daemon, peer, verify).await),
        Request::Status { user } => write(id, status::status(daemon, peer, user).await),
        Request::Revoke(revoke) => write(id, revoke::revoke(daemon, peer, revoke).await),
        Request::Params {} => write(id, Ok(exchange::params(daemon, connection))),
        Request::KexInit(init) => write(id, exchange::init(daemon, connection, init).await),
        Request::KexFinish(finish) => write(id, exchange::finish(connection, &finish)),
        Request::Sealed(sealed) => write(id, exchange::sealed(daemon, connection, sealed).await),
        Request::AdminList(list) => write(id, administer::list(daemon, peer, list).await),
        Request::AdminUnlock { user } => write(id, administer::unlock(daemon, peer, user).await),
        Request::LoginProvision(provision) => {
            write(id, login_enroll::provision(daemon, peer, provision).await)
        }
        Request::LoginConfirm(confirm) => {
            write(id, login_enroll::confirm(daemon, peer, confirm).await)
        }
        Request::AdminBypass(bypass) => write(id, bypass::bypass(daemon, peer, bypass).await),
        Request::AdminInvite(invite) => write(id, invite::invite(daemon, peer, invite).await),
        Request::Account(account) => write(id, account::account(daemon, peer, account).await),
        Request::Explain(explain) => write(id, explain::explain(daemon, peer, explain).await),
        Request::EndGrace { user } => write(id, grace::end(daemon, peer, user).await),
        Request::AdminReload {} => write(id, reload::reload(daemon, peer).await),
        Request::AdminImport(import) => write(id, import::import(daemon, connection, import).await),
        Request::AdminImportBegin {} => write(id, import::begin(daemon, connection).await),
        Request::AdminImportCommit {} => write(id, import::commit(connection).await),
        Request::AdminKnown { users } => write(id, import::known(daemon, peer, users).await),
        Request::AdminExport(export) => write(id, export::export(daemon, peer, export).await),
    }
}

/// The frame of an answer or of a refusal.
pub(crate) fn write<T: Serialize>(
    id: u64,
    result: Result<T, ErrorAnswer>,
) -> Result<Zeroizing<Vec<u8>>, FrameError> {
    match result {
        Ok(answer) => frame::encode(id, answer),
        Err(refusal) => frame::encode(id, refusal.tagged()),
    }
}

/// The refusal where the daemon itself fails. The cause is for the log, not for the caller.
fn unavailable(error: &impl fmt::Display, doing: &'static str) -> ErrorAnswer {
    error!(%error, doing, "cannot decide");
    ErrorAnswer {
        code: ErrorCode::Unavailable,
        message: "mfa-daemon cannot do this now; its log says why (journalctl -u mfa)".to_owned(),
    }
}

/// The refusal where the state, or what is asked, does not allow it.
fn conflict(message: String) -> ErrorAnswer {
    ErrorAnswer { code: ErrorCode::Conflict, message }
}

/// At most 128 characters of what a peer sent, with control characters escaped: for the log.
struct Bounded<'a>(&'a str);

impl fmt::Display for Bounded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().take(128).try_for_each(|c| write!(f, "{}", c.escape_debug()))
    }
}

fn rhost(origin: &Origin) -> Option<tracing::field::DisplayValue<Bounded<'_>>> {
    origin.rhost.as_deref().map(|host| tracing::field::display(Bounded(host)))
}

fn tty(origin: &Origin) -> Option<tracing::field::DisplayValue<Bounded<'_>>> {
    origin.tty.as_deref().map(|tty| tracing::field::display(Bounded(tty)))
}
