// SPDX-License-Identifier: GPL-3.0-or-later
//! The client's side of an exchange, honest or not.

use mfa_crypto::{Binding, ClientExchange, Session};
use mfa_daemon::session::Exchange;
use mfa_proto::exchange::{KexFinish, KexInit, Purpose, Sealed, SealedRequest};
use mfa_proto::{Blob, Request, UserName};
use serde_json::Value;

use super::History;
use crate::house::KEY_MESSAGES;

/// How far the client is.
pub(super) enum Client {
    None,
    /// `kex_reply` has come.
    Offered {
        session: Session,
        confirm: Vec<u8>,
        about: About,
    },
    /// `kex_done` has come.
    Open {
        session: Box<Session>,
        about: About,
        rekey: Option<Rekey>,
    },
}

/// A new exchange inside a session, before its last flight.
pub(super) struct Rekey {
    session: Session,
    confirm: Vec<u8>,
}

#[derive(Clone)]
pub(super) struct About {
    pub(super) id: Blob,
    pub(super) user: UserName,
    pub(super) purpose: Purpose,
}

impl History<'_, '_> {
    pub(super) fn begin_exchange(&mut self) {
        let user = self.user();
        let purpose = [Purpose::Enroll, Purpose::Rotate, Purpose::RecoveryCodes]
            [usize::from(self.input.below(3))];
        let group = self.house.daemon.settings().group.clone();
        let (exchange, hello) = ClientExchange::start(&group, &mut self.rng).expect("randomness");
        let mut fingerprint = group.fingerprint();
        fingerprint[0] ^= u8::from(self.input.seldom());
        let mut public = hello.public.clone();
        let broken = self.input.seldom();
        if broken {
            public[0] = self.input.byte();
            public.truncate(usize::from(self.input.byte()) + 1);
        }
        let request = Request::KexInit(KexInit {
            purpose,
            user: user.clone(),
            group: Blob::new(fingerprint),
            client_public: Blob::new(&public[..]),
            client_nonce: Blob::new(hello.nonce),
        });
        let before = self.watched();
        let first = matches!(self.connection.exchange, Exchange::None | Exchange::Named(_));
        let answer = self.house.ask(&mut self.connection, request);
        self.unchanged(&before);
        if answer["type"] != "kex_reply" {
            assert_eq!(answer["type"], "error", "{answer}");
            self.client = Client::None;
            assert!(matches!(self.connection.exchange, Exchange::None));
            return;
        }
        assert!(first && self.may(&user) && fingerprint == group.fingerprint());
        // An altered value may be one of the group's all the same.
        assert!(!broken || public.len() == group.p().len());
        let about = About { id: blob(&answer["session"]), user, purpose };
        self.client = match self.agree(exchange, &about, about.purpose.as_str(), &answer) {
            Some((session, confirm)) => Client::Offered { session, confirm, about },
            None => {
                assert!(broken);
                Client::None
            }
        };
    }

    /// The client's half; `None` where the daemon saw another public value than was sent.
    fn agree(
        &self,
        exchange: ClientExchange,
        about: &About,
        purpose: &str,
        answer: &Value,
    ) -> Option<(Session, Vec<u8>)> {
        let uid = self.connection.peer.uid;
        let binding = Binding { purpose, user: about.user.as_str(), uid };
        let part = |name: &str| blob(&answer[name]);
        let (public, nonce) = (part("server_public"), part("server_nonce"));
        let confirm = part("server_confirm");
        let (public, nonce, confirm) = (public.as_bytes(), nonce.as_bytes(), confirm.as_bytes());
        let finished = exchange.finish(&binding, public, nonce, confirm, about.id.as_bytes());
        finished.ok().map(|(session, confirm)| (session, confirm.to_vec()))
    }

    pub(super) fn finish_exchange(&mut self) {
        let wrong = self.input.seldom();
        let (id, mut confirm) = match &self.client {
            Client::Offered { confirm, about, .. } => (about.id.clone(), confirm.clone()),
            Client::Open { about, .. } => (about.id.clone(), vec![7; 32]),
            Client::None => (Blob::new([1; 16]), vec![7; 32]),
        };
        if wrong {
            let at = usize::from(self.input.byte()) % confirm.len();
            confirm[at] ^= 1 << self.input.below(8);
        }
        let request =
            Request::KexFinish(KexFinish { session: id, client_confirm: Blob::new(&confirm[..]) });
        let answer = self.house.ask(&mut self.connection, request);
        let right = matches!(self.client, Client::Offered { .. }) && !wrong;
        assert_eq!(answer["type"] == "kex_done", right, "{answer}");
        self.client = match std::mem::replace(&mut self.client, Client::None) {
            Client::Offered { session, about, .. } if right => {
                Client::Open { session: Box::new(session), about, rekey: None }
            }
            _ => Client::None,
        };
        assert_eq!(matches!(self.connection.exchange, Exchange::Open(_)), right);
    }

    /// Something inside the session; perhaps altered on its way, or sent twice, or without a session.
    pub(super) fn say_sealed(&mut self) {
        let altered = self.input.seldom();
        let again = self.input.seldom();
        if again && let Some(last) = self.last_sealed.take() {
            let before = self.watched();
            let answer = self.house.ask(&mut self.connection, Request::Sealed(last));
            self.unchanged(&before);
            self.is_over(&answer);
            return;
        }
        let Client::Open { about, rekey, .. } = &mut self.client else {
            let garbage =
                Sealed { session: Blob::new([0; 16]), seq: 0, ciphertext: Blob::new([0; 40]) };
            let answer = self.house.ask(&mut self.connection, Request::Sealed(garbage));
            self.is_over(&answer);
            return;
        };
        let about = about.clone();
        let pending_rekey = rekey.take();
        let mut offered = None;
        let inner = match (self.input.below(8), &pending_rekey) {
            (0, _) => {
                let group = self.house.daemon.settings().group.clone();
                let (exchange, hello) =
                    ClientExchange::start(&group, &mut self.rng).expect("randomness");
                offered = Some(exchange);
                SealedRequest::RekeyInit {
                    client_public: Blob::new(hello.public),
                    client_nonce: Blob::new(hello.nonce),
                }
            }
            (1, rekey) | (2, rekey @ Some(_)) => SealedRequest::RekeyFinish {
                client_confirm: Blob::new(
                    rekey.as_ref().map_or(&[3; 32][..], |rekey| &rekey.confirm),
                ),
            },
            _ => self.inner(&about),
        };
        let text = serde_json::to_vec(&inner).expect("JSON");
        let Client::Open { session, .. } = &mut self.client else { panic!("open a moment ago") };
        let Ok(message) = session.seal(&text) else { panic!("a session that is open") };
        let mut ciphertext = message.ciphertext.to_vec();
        let mut seq = message.seq;
        if altered {
            match self.input.below(3) {
                0 => seq = seq.wrapping_add(u64::from(self.input.byte()) + 1),
                _ => {
                    let at = usize::from(self.input.byte()) % ciphertext.len();
                    ciphertext[at] ^= 1 << self.input.below(8);
                }
            }
        }
        let sealed =
            Sealed { session: about.id.clone(), seq, ciphertext: Blob::new(&ciphertext[..]) };
        self.last_sealed =
            Some(Sealed { session: about.id.clone(), seq, ciphertext: Blob::new(&ciphertext[..]) });
        let Exchange::Open(open) = &self.connection.exchange else { panic!("both were open") };
        let (said, waits) = (open.session.messages(), open.rekey.is_some());
        let before = self.watched();
        let answer = self.house.ask(&mut self.connection, Request::Sealed(sealed));
        if answer["type"] != "sealed" {
            self.unchanged(&before);
            self.is_over(&answer);
            return;
        }
        assert!(!altered);
        let is_finish = matches!(inner, SealedRequest::RekeyFinish { .. });
        let is_init = matches!(inner, SealedRequest::RekeyInit { .. });
        assert_eq!(waits, is_finish, "nothing comes between the flights");
        assert!(said < KEY_MESSAGES || is_finish || is_init, "{said} messages");
        let Client::Open { session, .. } = &mut self.client else { panic!("open a moment ago") };
        let seq = answer["seq"].as_u64().expect("a number");
        let plain =
            session.open(seq, blob(&answer["ciphertext"]).as_bytes()).expect("sealed for us");
        let inside = crate::json::read(&plain).expect("JSON with each key once");
        let rekey = offered.and_then(|exchange| {
            assert_eq!(inside["type"], "rekey_reply");
            let (session, confirm) = self.agree(exchange, &about, "rekey", &inside)?;
            Some(Rekey { session, confirm })
        });
        let Client::Open { session, rekey: kept, .. } = &mut self.client else { panic!("open") };
        *kept = rekey;
        if is_finish {
            assert_eq!(inside["type"], "rekeyed");
            let new = pending_rekey.expect("the daemon took its confirm").session;
            session.replace(new).expect("a live session");
        }
        self.judge(&about, &inner, &inside, &before);
    }

    /// The session, if there was one, has ended, and the answer says so.
    fn is_over(&mut self, answer: &Value) {
        assert_eq!(answer["type"], "error");
        let busy = answer["code"] == "busy" && self.connection.peer.uid != 0;
        assert!(busy || answer["code"] == "exchange", "{answer}");
        assert!(matches!(self.connection.exchange, Exchange::None));
        self.client = Client::None;
        self.met.over += 1;
    }
}

pub(super) fn blob(value: &Value) -> Blob {
    serde_json::from_value(value.clone()).expect("base64")
}
