// SPDX-License-Identifier: GPL-3.0-or-later
//! Accepting connections and serving each: limits, deadlines, frames, a clean stop.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use mfa_proto::frame;
use mfa_proto::{ErrorAnswer, ErrorCode, Peer, Request};
use tokio::io::AsyncWriteExt;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, error, warn};
use zeroize::Zeroizing;

use crate::caller;
use crate::daemon::Daemon;
use crate::guests::Guests;
use crate::incoming::Incoming;
use crate::limits::{Limits, Slot};
use crate::messages::refusals;
use crate::requests::{self, Connection};
use crate::systemd::Watched;

/// How long a connection may stay without a request.
const IDLE: Duration = Duration::from_secs(60);
/// How long a frame may take to arrive or to be taken.
const FRAME: Duration = Duration::from_secs(5);
/// How long a connection may still begin a request when the daemon stops,
const LAST: Duration = Duration::from_millis(100);
/// and one that has made none yet: that of a login, which sends its question at once, but may have to wait
/// for a processor.
const FIRST: Duration = Duration::from_secs(1);
/// How long the queue of a socket that goes away must be empty before it goes: who waits for a place in a full one
/// comes into it meanwhile.
const ENTERING: Duration = Duration::from_millis(10);
/// How long it is emptied for, at most.
const EMPTYING: Duration = Duration::from_secs(1);
/// How long a stop waits for what was accepted.
const DRAIN: Duration = Duration::from_secs(10);
/// Characters of a refusal that quotes what the peer has sent.
const MESSAGE_MAX: usize = 300;
/// The pause after an `accept` that failed for want of descriptors or memory.
const BACK_OFF: Duration = Duration::from_millis(100);

/// Connections that may be turned away or handed on before logins have their turn again.
const IN_A_ROW: u32 = 4;

/// What becomes of the listen queue when the daemon stops.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Queue {
    /// The socket is the daemon's own and goes with it.
    Ends,
    /// systemd keeps it for the next daemon.
    Stays,
}

/// Serves until `stop` becomes true; then finishes what was accepted.
pub async fn serve(
    listener: UnixListener,
    queue: Queue,
    daemon: Arc<Daemon>,
    mut stop: watch::Receiver<bool>,
    mut watched: Watched,
    guests: Guests,
) {
    let limits = Limits::default();
    let mut connections = JoinSet::new();
    let mut others = 0_u32;
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stop.changed() => break,
            // Here, not in a task of its own: a loop that no longer comes by does not call itself alive.
            () = watched.asked() => {
                watched.here();
                continue;
            }
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                if !admit(stream, &limits, &mut connections, &guests, &daemon, &stop) {
                    // A long row of them must not stand before a login's question.
                    others = others.wrapping_add(1);
                    if others.is_multiple_of(IN_A_ROW) {
                        tokio::task::yield_now().await;
                    }
                }
            }
            Err(error) => {
                error!(%error, "cannot accept a connection; waiting before the next try");
                sleep(BACK_OFF).await;
            }
        }
    }
    drop(watched);
    // What stands in the queue of a socket that goes away was promised a daemon, too.
    if queue == Queue::Ends {
        let emptied = timeout(EMPTYING, async {
            while let Ok(Ok((stream, _))) = timeout(ENTERING, listener.accept()).await {
                admit(stream, &limits, &mut connections, &guests, &daemon, &stop);
            }
        });
        if emptied.await.is_err() {
            warn!("stopped with connections waiting");
        }
    }
    drop(listener);
    let drained = timeout(DRAIN, async {
        let own = async { while connections.join_next().await.is_some() {} };
        tokio::join!(own, guests.end());
    });
    if drained.await.is_err() {
        warn!(left = connections.len(), "stopped with requests unfinished");
    }
}

/// Serves a connection, if its peer has a place left. Whether it has a login's place.
fn admit(
    stream: UnixStream,
    limits: &Limits,
    connections: &mut JoinSet<()>,
    guests: &Guests,
    daemon: &Arc<Daemon>,
    stop: &watch::Receiver<bool>,
) -> bool {
    let peer = match Peer::of(&stream) {
        Ok(peer) => peer,
        Err(error) => {
            warn!(%error, "a connection without credentials");
            return false;
        }
    };
    let Some(slot) = limits.admit(peer.uid) else {
        turn_away(&stream, peer);
        return false;
    };
    let (daemon, stop) = (Arc::clone(daemon), stop.clone());
    if caller::is_root(peer) {
        connections.spawn(converse(stream, peer, daemon, stop, slot));
        return true;
    }
    guests.receive(stream, move |stream| converse(stream, peer, daemon, stop, slot));
    false
}

/// Tells a peer with too many connections so, if that is possible without waiting.
fn turn_away(stream: &UnixStream, peer: Peer) {
    debug!(peer_uid = peer.uid, "too many connections of one user");
    let busy =
        ErrorAnswer { code: ErrorCode::Busy, message: refusals::TOO_MANY_CONNECTIONS.to_owned() };
    if let Ok(bytes) = frame::encode(0, busy.tagged()) {
        let _ = stream.try_write(&bytes);
    }
}

/// One connection, from its first request to its end.
async fn converse(
    mut stream: UnixStream,
    peer: Peer,
    daemon: Arc<Daemon>,
    mut stop: watch::Receiver<bool>,
    _slot: Slot,
) {
    let mut connection = Connection::new(peer);
    let mut last = FIRST;
    let mut incoming = Incoming::default();
    // One for all requests: putting it off costs nothing, a new one each time a call that wakes the runtime.
    let mut patience = pin!(sleep(IDLE));
    loop {
        if *stop.borrow_and_update() {
            patience.as_mut().reset(Instant::now() + last);
        }
        let begun = tokio::select! {
            biased;
            begun = incoming.begins(&mut stream) => begun,
            () = &mut patience => return,
            Ok(()) = stop.changed() => continue,
        };
        let Ok(true) = begun else { return };
        let Ok(Ok(payload)) = timeout(FRAME, incoming.payload(&mut stream)).await else { return };
        let Some((answer, keep)) = respond(&daemon, &mut connection, payload).await else { return };
        match timeout(FRAME, stream.write_all(&answer)).await {
            Ok(Ok(())) if keep => last = LAST,
            _ => return,
        }
        patience.as_mut().reset(Instant::now() + IDLE);
    }
}

/// The answer to a frame, and whether the connection goes on after it.
async fn respond(
    daemon: &Arc<Daemon>,
    connection: &mut Connection,
    payload: Result<Zeroizing<Vec<u8>>, frame::FrameError>,
) -> Option<(Zeroizing<Vec<u8>>, bool)> {
    let request = payload.and_then(|payload| frame::decode::<Request>(&payload));
    let answered = match request {
        Ok(request) => {
            let answer = requests::answer(daemon, connection, request.id, request.body).await;
            answer.map(|bytes| (bytes, true))
        }
        Err(error) => {
            // Not the error's own text: it quotes the frame, and a code may be in it.
            debug!(peer_uid = connection.peer.uid, place = error.place(), "malformed frame");
            let message = error.to_string().chars().take(MESSAGE_MAX).collect();
            let refusal = ErrorAnswer { code: ErrorCode::Malformed, message };
            frame::encode(0, refusal.tagged()).map(|bytes| (bytes, false))
        }
    };
    answered.inspect_err(|error| error!(%error, "an answer does not fit a frame")).ok()
}
