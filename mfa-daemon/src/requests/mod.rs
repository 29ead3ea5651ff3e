// SPDX-License-Identifier: GPL-3.0-or-later
//! One file a request: authorise, call, answer.

mod about;
mod account;
mod administer;
mod audit;
mod backup;
mod begin;
mod bypass;
mod check;
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
mod rekey;
mod reload;
mod reset;
mod restore;
mod revoke;
mod rotate;
mod stats;
mod status;
mod verify;

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use mfa_proto::frame;
use mfa_proto::{ErrorAnswer, ErrorCode, FrameError, Peer, Request, UserName};
use serde::Serialize;
use tracing::{error, warn};
use zeroize::Zeroizing;

use crate::daemon::{Daemon, NotDecided};
use crate::messages::refusals;
use crate::session::Exchange;
use crate::store::{Obstacle, StoreError};

/// What lives as long as a connection.
pub struct Connection {
    /// Who is at the other end.
    pub peer: Peer,
    /// The exchange or session, if any.
    pub exchange: Exchange,
    /// The import that is under way, if any.
    import: import::Importing,
    /// The copy that is being fetched, if any.
    backup: Option<std::fs::File>,
    /// The backup that is being put back, if any.
    restore: Option<restore::Restore>,
}

impl Connection {
    /// A connection on which nothing has been asked yet.
    #[must_use]
    pub fn new(peer: Peer) -> Self {
        let import = import::Importing::None;
        Self { peer, exchange: Exchange::None, import, backup: None, restore: None }
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
    let (name, user) = request.about();
    let id = &Asked { id, name, user: user.cloned(), peer };
    match request {
        Request::Begin(begin) => write(id, begin::begin(daemon, peer, begin).await),
        Request::Verify(verify) => write(id, verify::verify(daemon, peer, verify).await),
        Request::Status { user } => write(id, status::status(daemon, peer, user).await),
        Request::Revoke(revoke) => write(id, revoke::revoke(daemon, peer, revoke).await),
        Request::About {} => write(id, Ok(about::about())),
        Request::Params {} => write(id, Ok(exchange::params(daemon, connection))),
        Request::KexInit(init) => write(id, exchange::init(daemon, connection, init).await),
        Request::KexFinish(finish) => write(id, exchange::finish(connection, &finish)),
        Request::Sealed(sealed) => write(id, exchange::sealed(daemon, connection, sealed).await),
        Request::AdminList(list) => write(id, administer::list(daemon, peer, list).await),
        Request::AdminUnlock { user } => write(id, administer::unlock(daemon, peer, user).await),
        Request::AdminReset { user } => write(id, reset::reset(daemon, peer, user).await),
        Request::AdminAudit(query) => write(id, audit::audit(daemon, peer, query).await),
        Request::AdminStats {} => write(id, stats::stats(daemon, peer).await),
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
        Request::AdminRekey(rekey) => write(id, rekey::rekey(daemon, peer, rekey).await),
        Request::AdminBackup {} => write(id, backup::backup(daemon, connection).await),
        Request::AdminBackupPart(part) => write(id, backup::part(connection, part).await),
        Request::AdminRestoreBegin {} => write(id, restore::begin(daemon, connection).await),
        Request::AdminRestorePart(part) => write(id, restore::part(connection, part).await),
        Request::AdminRestoreCommit {} => write(id, restore::commit(daemon, connection).await),
        Request::AdminCheck {} => write(id, check::check(daemon, peer).await),
        Request::AdminExport(export) => write(id, export::export(daemon, peer, export).await),
    }
}

/// A request while it is carried out.
struct Asked {
    id: u64,
    name: &'static str,
    user: Option<UserName>,
    peer: Peer,
}

/// The frame of an answer or of a refusal.
fn write<T: Serialize>(
    asked: &Asked,
    result: Result<T, ErrorAnswer>,
) -> Result<Zeroizing<Vec<u8>>, FrameError> {
    match result {
        Ok(answer) => frame::encode(asked.id, answer),
        Err(refusal) => {
            if refusal.code == ErrorCode::NotPermitted {
                tell_refused(asked.name, asked.user.as_ref(), asked.peer);
            }
            frame::encode(asked.id, refusal.tagged())
        }
    }
}

/// Tells of what somebody asked who may not. In the log alone: in the trail he could push out what
/// others did.
fn tell_refused(request: &'static str, user: Option<&UserName>, peer: Peer) {
    warn!(
        request,
        user = user.map(tracing::field::display),
        peer_uid = peer.uid,
        peer_pid = peer.pid,
        "refused: not permitted"
    );
}

/// The refusal where the daemon itself fails. The cause is for the log, not for the caller, unless it is one
/// that anybody on this host can see.
fn unavailable(error: &(dyn Error + 'static), doing: &'static str) -> ErrorAnswer {
    error!(%error, doing, "cannot decide");
    let of_store = match error.downcast_ref() {
        Some(NotDecided::Store(error)) => Some(error),
        _ => error.downcast_ref::<StoreError>(),
    };
    let message = match of_store.and_then(StoreError::obstacle) {
        Some(Obstacle::Full) => refusals::DISK_FULL,
        Some(Obstacle::ReadOnly) => refusals::DISK_READ_ONLY,
        None => refusals::UNAVAILABLE,
    };
    ErrorAnswer { code: ErrorCode::Unavailable, message: message.to_owned() }
}

/// The refusal where somebody else has the turn for what concerns all rows.
fn others_turn() -> ErrorAnswer {
    conflict(refusals::OTHERS_TURN.to_owned())
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
