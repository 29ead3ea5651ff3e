// SPDX-License-Identifier: GPL-3.0-or-later
//! `params`, `kex_init`, `kex_finish`, `sealed`: the exchange and what is said inside its session.

use std::sync::Arc;
use std::time::{Duration, Instant};

use getrandom::SysRng;
use getrandom::rand_core::TryRng;
use mfa_crypto::{Binding, ServerExchange, Session};
use mfa_proto::exchange::{
    ExchangeAnswer, KexFinish, KexInit, KexReply, Params, Sealed, SealedAnswer, SealedRequest,
};
use mfa_proto::{Blob, ErrorAnswer, ErrorCode};
use tracing::{info, warn};
use zeroize::Zeroizing;

use super::{Connection, enroll, unavailable};
use crate::daemon::Daemon;
use crate::session::{Exchange, SESSION_ID_BYTES, Subject};

pub(super) fn params(daemon: &Daemon) -> ExchangeAnswer {
    ExchangeAnswer::Params(Params {
        group: daemon.group.name().map(str::to_owned),
        p: Blob::new(daemon.group.p()),
        g: Blob::new(daemon.group.g()),
    })
}

pub(super) async fn init(
    daemon: &Arc<Daemon>,
    connection: &mut Connection,
    init: KexInit,
) -> Result<ExchangeAnswer, ErrorAnswer> {
    let peer = connection.peer;
    if !matches!(std::mem::take(&mut connection.exchange), Exchange::None) {
        return Err(failed("an exchange was begun on this connection already"));
    }
    // Whoever may not enrol costs no exponentiation.
    enroll::may_enroll(daemon, peer, &init.user).await?;
    if init.group.as_bytes() != daemon.group.fingerprint() {
        return Err(failed("the group is not the one that is offered; ask for params again"));
    }
    let mut id = [0; SESSION_ID_BYTES];
    SysRng.try_fill_bytes(&mut id).map_err(|error| unavailable(&error, "kex_init"))?;
    let subject =
        Subject { id, purpose: init.purpose, user: init.user.clone(), since: Instant::now() };
    let _worker =
        daemon.exchanges.acquire().await.map_err(|error| unavailable(&error, "kex_init"))?;
    let group = daemon.group.clone();
    let computed = tokio::task::spawn_blocking(move || {
        let binding =
            Binding { purpose: init.purpose.as_str(), user: init.user.as_str(), uid: peer.uid };
        let (public, nonce) = (init.client_public.as_bytes(), init.client_nonce.as_bytes());
        ServerExchange::respond(&group, &binding, public, nonce, &id, &mut SysRng)
    })
    .await
    .map_err(|error| unavailable(&error, "kex_init"))?;
    let (exchange, reply) = computed.map_err(|error| {
        warn!(user = %subject.user, peer_uid = peer.uid, peer_pid = peer.pid, %error, "key exchange refused");
        failed(&error.to_string())
    })?;
    connection.exchange = Exchange::Offered(subject, Box::new(exchange));
    Ok(ExchangeAnswer::KexReply(KexReply {
        session: Blob::new(id),
        server_public: Blob::new(reply.public),
        server_nonce: Blob::new(reply.nonce),
        server_confirm: Blob::new(reply.confirm),
        expires_in: daemon.config.exchange.rekey_seconds.get(),
    }))
}

pub(super) fn finish(
    connection: &mut Connection,
    finish: &KexFinish,
) -> Result<ExchangeAnswer, ErrorAnswer> {
    let Exchange::Offered(subject, exchange) = std::mem::take(&mut connection.exchange) else {
        return Err(failed("there is no exchange to finish on this connection"));
    };
    if finish.session.as_bytes() != subject.id {
        return Err(failed("that session is not of this connection"));
    }
    let session = exchange.finish(finish.client_confirm.as_bytes()).map_err(|error| {
        warn!(user = %subject.user, peer_uid = connection.peer.uid, %error, "key exchange refused");
        failed(&error.to_string())
    })?;
    info!(user = %subject.user, purpose = subject.purpose.as_str(),
        peer_uid = connection.peer.uid, peer_pid = connection.peer.pid, "session opened");
    connection.exchange = Exchange::Open(subject, Box::new(session));
    Ok(ExchangeAnswer::KexDone {})
}

pub(super) async fn sealed(
    daemon: &Arc<Daemon>,
    connection: &mut Connection,
    sealed: Sealed,
) -> Result<ExchangeAnswer, ErrorAnswer> {
    // Taken out: whatever fails below leaves no session behind.
    let Exchange::Open(subject, mut session) = std::mem::take(&mut connection.exchange) else {
        return Err(failed("there is no session on this connection"));
    };
    if sealed.session.as_bytes() != subject.id {
        return Err(failed("that session is not of this connection"));
    }
    let exchange = &daemon.config.exchange;
    let lifetime = Duration::from_secs(exchange.rekey_seconds.get());
    if !subject.is_current(Instant::now(), lifetime)
        || session.messages() >= exchange.rekey_messages.get()
    {
        return Err(failed("the session's key has reached its end; make a new exchange"));
    }
    let request = open(&mut session, &sealed)?;
    let answer = enroll::inside(daemon, connection, &subject, request).await;
    let answer = seal(&mut session, &subject, &answer)?;
    connection.exchange = Exchange::Open(subject, session);
    Ok(ExchangeAnswer::Sealed(answer))
}

fn open(session: &mut Session, sealed: &Sealed) -> Result<SealedRequest, ErrorAnswer> {
    let plain = session
        .open(sealed.seq, sealed.ciphertext.as_bytes())
        .map_err(|error| failed(&error.to_string()))?;
    serde_json::from_slice(&plain).map_err(|error| failed(&format!("inside the session: {error}")))
}

fn seal(
    session: &mut Session,
    subject: &Subject,
    answer: &SealedAnswer,
) -> Result<Sealed, ErrorAnswer> {
    let plain = serde_json::to_vec(answer)
        .map(Zeroizing::new)
        .map_err(|error| unavailable(&error, "sealed"))?;
    let message = session.seal(&plain).map_err(|error| failed(&error.to_string()))?;
    Ok(Sealed {
        session: Blob::new(subject.id),
        seq: message.seq,
        ciphertext: Blob::new(message.ciphertext),
    })
}

fn failed(what: &str) -> ErrorAnswer {
    ErrorAnswer { code: ErrorCode::Exchange, message: format!("the key exchange failed: {what}") }
}
