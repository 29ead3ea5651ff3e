// SPDX-License-Identifier: GPL-3.0-or-later
//! `params`, `kex_init`, `kex_finish`, `sealed`: the exchange, its session, and the new exchange inside
//! a session that replaces its keys.

use std::sync::Arc;

use getrandom::SysRng;
use getrandom::rand_core::TryRng;
use mfa_crypto::{Binding, ServerExchange, ServerReply, Session};
use mfa_proto::exchange::{
    ExchangeAnswer, KexFinish, KexInit, KexReply, Params, REKEY, Sealed, SealedAnswer,
    SealedRequest,
};
use mfa_proto::{Blob, ErrorAnswer, ErrorCode, Peer};
use tracing::{debug, warn};
use zeroize::Zeroizing;

use super::{Connection, enroll, unavailable};
use crate::daemon::Daemon;
use crate::exchanges::NotComputed;
use crate::messages::refusals;
use crate::session::{Exchange, KeyLifetime, NewKeys, Open, Rekey, SESSION_ID_BYTES, Subject};

pub(super) fn params(daemon: &Daemon, connection: &mut Connection) -> ExchangeAnswer {
    let group = daemon.settings().group.clone();
    let params = Params {
        group: group.name().map(str::to_owned),
        p: Blob::new(group.p()),
        g: Blob::new(group.g()),
    };
    if matches!(connection.exchange, Exchange::None | Exchange::Named(_)) {
        connection.exchange = Exchange::Named(group);
    }
    ExchangeAnswer::Params(params)
}

pub(super) async fn init(
    daemon: &Daemon,
    connection: &mut Connection,
    init: KexInit,
) -> Result<ExchangeAnswer, ErrorAnswer> {
    let peer = connection.peer;
    let group = match std::mem::take(&mut connection.exchange) {
        Exchange::None => daemon.settings().group.clone(),
        Exchange::Named(group) => group,
        Exchange::Offered(..) | Exchange::Open(_) => {
            return Err(failed(refusals::EXCHANGE_BEGUN));
        }
    };
    // Whoever may not go on costs no exponentiation.
    enroll::may_open(daemon, peer, &init.user, init.purpose).await?;
    if init.group.as_bytes() != group.fingerprint() {
        return Err(failed(refusals::ANOTHER_GROUP));
    }
    let mut id = [0; SESSION_ID_BYTES];
    SysRng.try_fill_bytes(&mut id).map_err(|error| unavailable(&error, "kex_init"))?;
    let since = (daemon.uptime)();
    let subject = Subject { id, purpose: init.purpose, user: init.user, group, since };
    let word = subject.purpose.as_str();
    let (exchange, reply) =
        respond(daemon, peer, word, &subject, init.client_public, init.client_nonce).await?;
    connection.exchange = Exchange::Offered(subject, exchange);
    Ok(ExchangeAnswer::KexReply(KexReply {
        session: Blob::new(id),
        server_public: Blob::new(reply.public),
        server_nonce: Blob::new(reply.nonce),
        server_confirm: Blob::new(reply.confirm),
        expires_in: daemon.settings().config.exchange.rekey_seconds.get(),
    }))
}

pub(super) fn finish(
    connection: &mut Connection,
    finish: &KexFinish,
) -> Result<ExchangeAnswer, ErrorAnswer> {
    let Exchange::Offered(subject, exchange) = std::mem::take(&mut connection.exchange) else {
        return Err(failed(refusals::NO_EXCHANGE));
    };
    if finish.session.as_bytes() != subject.id {
        return Err(failed(refusals::ANOTHERS_SESSION));
    }
    let session = exchange.finish(finish.client_confirm.as_bytes()).map_err(|error| {
        warn!(user = %subject.user, peer_uid = connection.peer.uid, %error, "key exchange refused");
        failed(&error.to_string())
    })?;
    debug!(user = %subject.user, purpose = subject.purpose.as_str(),
        peer_uid = connection.peer.uid, peer_pid = connection.peer.pid, "session opened");
    connection.exchange = Exchange::Open(Box::new(Open { subject, session, rekey: None }));
    Ok(ExchangeAnswer::KexDone {})
}

pub(super) async fn sealed(
    daemon: &Arc<Daemon>,
    connection: &mut Connection,
    sealed: Sealed,
) -> Result<ExchangeAnswer, ErrorAnswer> {
    // Taken out: whatever fails below leaves no session behind.
    let Exchange::Open(mut open) = std::mem::take(&mut connection.exchange) else {
        return Err(failed(refusals::NO_SESSION));
    };
    if sealed.session.as_bytes() != open.subject.id {
        return Err(failed(refusals::ANOTHERS_SESSION));
    }
    let config = &daemon.settings().config.exchange;
    let lifetime =
        KeyLifetime { seconds: config.rekey_seconds.get(), messages: config.rekey_messages.get() };
    let current = open.is_current((daemon.uptime)(), lifetime);
    let request = unseal(&mut open.session, &sealed)?;
    let (answer, new_keys) = match (request, open.rekey.take()) {
        (SealedRequest::RekeyInit { client_public, client_nonce }, None) => {
            let flights = (client_public, client_nonce);
            (rekey_init(daemon, connection.peer, &mut open, flights).await?, None)
        }
        (SealedRequest::RekeyFinish { client_confirm }, Some(rekey)) => {
            let new_keys = rekey_finish(connection.peer, &open, rekey, &client_confirm)?;
            (SealedAnswer::Rekeyed {}, Some(new_keys))
        }
        // Nothing may come between the two flights, and none twice: so a key that has reached its end
        // carries these two messages at most.
        (_, Some(_)) | (SealedRequest::RekeyFinish { .. }, None) => {
            return Err(failed(refusals::REKEY_OUT_OF_ORDER));
        }
        (_, None) if !current => {
            return Err(failed(refusals::KEY_AT_ITS_END));
        }
        (request, None) => {
            let answer = enroll::inside(daemon, connection.peer, &open.subject, request).await;
            (answer, None)
        }
    };
    let answer = seal(&mut open, &answer)?;
    if let Some(new_keys) = new_keys {
        open.replace(new_keys).map_err(|error| failed(&error.to_string()))?;
    }
    connection.exchange = Exchange::Open(open);
    Ok(ExchangeAnswer::Sealed(answer))
}

async fn rekey_init(
    daemon: &Daemon,
    peer: Peer,
    open: &mut Open,
    (client_public, client_nonce): (Blob, Blob),
) -> Result<SealedAnswer, ErrorAnswer> {
    let since = (daemon.uptime)();
    let (exchange, reply) =
        respond(daemon, peer, REKEY, &open.subject, client_public, client_nonce).await?;
    open.rekey = Some(Rekey { exchange, since });
    Ok(SealedAnswer::RekeyReply {
        server_public: Blob::new(reply.public),
        server_nonce: Blob::new(reply.nonce),
        server_confirm: Blob::new(reply.confirm),
        expires_in: daemon.settings().config.exchange.rekey_seconds.get(),
    })
}

fn rekey_finish(
    peer: Peer,
    open: &Open,
    rekey: Rekey,
    client_confirm: &Blob,
) -> Result<NewKeys, ErrorAnswer> {
    let user = &open.subject.user;
    let new_keys = rekey.finish(client_confirm.as_bytes()).map_err(|error| {
        warn!(%user, peer_uid = peer.uid, peer_pid = peer.pid, %error, "rekey refused");
        failed(&error.to_string())
    })?;
    debug!(%user, peer_uid = peer.uid, peer_pid = peer.pid, epoch = open.session.epoch() + 1,
        "session rekeyed");
    Ok(new_keys)
}

/// The daemon's half of an exchange: some milliseconds of arithmetic, away from the event loop.
async fn respond(
    daemon: &Daemon,
    peer: Peer,
    purpose: &'static str,
    subject: &Subject,
    client_public: Blob,
    client_nonce: Blob,
) -> Result<(Box<ServerExchange>, ServerReply), ErrorAnswer> {
    let (group, user, id) = (subject.group.clone(), subject.user.clone(), subject.id);
    let computed = daemon.exchanges.compute(peer, (daemon.uptime)(), move || {
        let binding = Binding { purpose, user: user.as_str(), uid: peer.uid };
        let (public, nonce) = (client_public.as_bytes(), client_nonce.as_bytes());
        ServerExchange::respond(&group, &binding, public, nonce, &id, &mut SysRng)
    });
    let computed = computed.await.map_err(|error| match error {
        NotComputed::TooMany => busy(refusals::TOO_MANY_EXCHANGES),
        NotComputed::Stopping => unavailable(&error, "exchange"),
    })?;
    let (exchange, reply) = computed.map_err(|error| {
        warn!(user = %subject.user, purpose, peer_uid = peer.uid, peer_pid = peer.pid, %error,
            "key exchange refused");
        failed(&error.to_string())
    })?;
    Ok((Box::new(exchange), reply))
}

fn unseal(session: &mut Session, sealed: &Sealed) -> Result<SealedRequest, ErrorAnswer> {
    let plain = session
        .open(sealed.seq, sealed.ciphertext.as_bytes())
        .map_err(|error| failed(&error.to_string()))?;
    serde_json::from_slice(&plain).map_err(|error| {
        // Not the error's own text: it quotes what was sealed, and this answer is not.
        failed(&refusals::sealed_place(error.line(), error.column()))
    })
}

fn seal(open: &mut Open, answer: &SealedAnswer) -> Result<Sealed, ErrorAnswer> {
    // At full size from the start: a buffer that grows leaves copies behind.
    let mut plain = Zeroizing::new(Vec::with_capacity(8 * 1024));
    serde_json::to_writer(&mut *plain, answer).map_err(|error| unavailable(&error, "sealed"))?;
    let message = open.session.seal(&plain).map_err(|error| failed(&error.to_string()))?;
    Ok(Sealed {
        session: Blob::new(open.subject.id),
        seq: message.seq,
        ciphertext: Blob::new(message.ciphertext),
    })
}

fn busy(what: &str) -> ErrorAnswer {
    ErrorAnswer { code: ErrorCode::Busy, message: what.to_owned() }
}

fn failed(what: &str) -> ErrorAnswer {
    ErrorAnswer { code: ErrorCode::Exchange, message: refusals::exchange_failed(what) }
}
