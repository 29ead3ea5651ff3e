// SPDX-License-Identifier: GPL-3.0-or-later
//! The client's side of a sealed session, flight by flight: group, exchange, sealed questions, and
//! new keys in place of old ones.
//!
//! Each state is a type that the next flight consumes, so none can be left out or repeated.

use std::time::{Duration, Instant};

use getrandom::SysRng;
use mfa_crypto::{Binding, ClientExchange, Confirm, Group, Session};
use mfa_proto::exchange::{
    ExchangeAnswer, KexFinish, KexInit, MovingFactor, Purpose, REKEY, Sealed, SealedAnswer,
    SealedRequest,
};
use mfa_proto::{Blob, ErrorCode, Request, SecretText, TypedCode, UserName};
use zeroize::Zeroizing;

use crate::daemon::{Connection, Daemon};
use crate::failure::Failure;
use crate::groups;

/// The daemon closes a connection after 60 idle seconds; well before that a new one is made.
const IDLE: Duration = Duration::from_secs(45);

/// The fewest messages that a key may be set to live for (`rekey_messages`). How many it is, no
/// message tells.
const KEY_MESSAGES: u64 = 4;

/// For whom, and what for.
#[derive(Clone)]
struct Subject {
    user: UserName,
    purpose: Purpose,
}

/// The daemon has offered a group, and the group is sound.
struct Offered {
    connection: Connection,
    group: Group,
}

/// The daemon has proved that it holds the same keys.
struct Agreed {
    connection: Connection,
    group: Group,
    session: Session,
    id: Blob,
    confirm: Confirm,
    lifetime: Duration,
}

/// Both have. Sealed questions may be asked.
pub(crate) struct Channel {
    subject: Subject,
    connection: Connection,
    group: Group,
    session: Session,
    id: Blob,
    /// When the key has lived for half of its time: a question must not arrive when it has just
    /// ended.
    rekey_at: Instant,
    /// When the daemon may be about to close the connection.
    idle_at: Instant,
}

/// The answer to the first code.
pub(crate) enum Confirmation {
    /// The token is active. New recovery codes come where there were none.
    Confirmed(Vec<TypedCode>),
    /// So many tries are left.
    Wrong(u8),
}

/// `params`. `checked` is a group that was offered before; `notice` is called where the check of
/// another one will take seconds.
fn offer(
    daemon: &Daemon,
    checked: Option<&Group>,
    notice: impl FnOnce(),
) -> Result<Offered, Failure> {
    let mut connection = daemon.connect()?;
    match connection.exchange(&Request::Params {})? {
        ExchangeAnswer::Params(params) => {
            let group = groups::check(&params, checked, notice)?;
            Ok(Offered { connection, group })
        }
        _ => Err(Failure::OtherAnswer { to: "params" }),
    }
}

impl Offered {
    /// `kex_init` and the daemon's half.
    fn agree(mut self, subject: &Subject) -> Result<Agreed, Failure> {
        let (exchange, hello) = ClientExchange::start(&self.group, &mut SysRng)?;
        let init = Request::KexInit(KexInit {
            purpose: subject.purpose,
            user: subject.user.clone(),
            group: Blob::new(self.group.fingerprint()),
            client_public: Blob::new(hello.public),
            client_nonce: Blob::new(hello.nonce),
        });
        let ExchangeAnswer::KexReply(reply) = self.connection.exchange(&init)? else {
            return Err(Failure::OtherAnswer { to: "kex_init" });
        };
        let binding = binding(&subject.user, subject.purpose.as_str());
        let (session, confirm) = exchange.finish(
            &binding,
            reply.server_public.as_bytes(),
            reply.server_nonce.as_bytes(),
            reply.server_confirm.as_bytes(),
            reply.session.as_bytes(),
        )?;
        Ok(Agreed {
            connection: self.connection,
            group: self.group,
            session,
            id: reply.session,
            confirm,
            lifetime: Duration::from_secs(reply.expires_in),
        })
    }
}

impl Agreed {
    /// `kex_finish`.
    fn finish(mut self, subject: Subject) -> Result<Channel, Failure> {
        let finish = Request::KexFinish(KexFinish {
            session: self.id.clone(),
            client_confirm: Blob::new(self.confirm),
        });
        match self.connection.exchange(&finish)? {
            ExchangeAnswer::KexDone {} => Ok(Channel {
                subject,
                connection: self.connection,
                group: self.group,
                session: self.session,
                id: self.id,
                rekey_at: Instant::now() + self.lifetime / 2,
                idle_at: Instant::now() + IDLE,
            }),
            _ => Err(Failure::OtherAnswer { to: "kex_finish" }),
        }
    }
}

/// The caller is who the kernel says he is, in a rekey as in the first exchange.
fn binding<'a>(user: &'a UserName, purpose: &'a str) -> Binding<'a> {
    Binding { purpose, user: user.as_str(), uid: nix::unistd::geteuid().as_raw() }
}

impl Channel {
    /// All flights up to a session. `notice` is called where the group's check will take seconds.
    pub(crate) fn open(
        daemon: &Daemon,
        user: &UserName,
        purpose: Purpose,
        notice: impl FnOnce(),
    ) -> Result<Self, Failure> {
        let subject = Subject { user: user.clone(), purpose };
        offer(daemon, None, notice)?.agree(&subject)?.finish(subject)
    }

    /// Makes it ready for a further question after somebody was asked something: people take their
    /// time. New keys where the old ones may be about to end, a new connection where that may.
    pub(crate) fn refresh(&mut self, daemon: &Daemon) -> Result<(), Failure> {
        let now = Instant::now();
        if now >= self.idle_at {
            return self.reopen(daemon);
        }
        if now < self.rekey_at && self.session.messages() < KEY_MESSAGES {
            return Ok(());
        }
        match self.rekey() {
            // The connection went meanwhile, or the session did.
            Err(Failure::Daemon { .. }) => self.reopen(daemon),
            Err(Failure::Refused(refusal)) if refusal.code == ErrorCode::Exchange => {
                self.reopen(daemon)
            }
            settled => settled,
        }
    }

    /// A new connection and a new exchange in place of one that broke.
    pub(crate) fn reopen(&mut self, daemon: &Daemon) -> Result<(), Failure> {
        let subject = self.subject.clone();
        *self = offer(daemon, Some(&self.group), || ())?.agree(&subject)?.finish(subject)?;
        Ok(())
    }

    /// A new exchange inside the session. Its last answer is the last message under the old keys,
    /// which are erased then.
    fn rekey(&mut self) -> Result<(), Failure> {
        let (exchange, hello) = ClientExchange::start(&self.group, &mut SysRng)?;
        let init = SealedRequest::RekeyInit {
            client_public: Blob::new(hello.public),
            client_nonce: Blob::new(hello.nonce),
        };
        let SealedAnswer::RekeyReply { server_public, server_nonce, server_confirm, expires_in } =
            self.ask(&init)?
        else {
            return Err(Failure::OtherAnswer { to: "rekey_init" });
        };
        let (session, confirm) = exchange.finish(
            &binding(&self.subject.user, REKEY),
            server_public.as_bytes(),
            server_nonce.as_bytes(),
            server_confirm.as_bytes(),
            self.id.as_bytes(),
        )?;
        match self.ask(&SealedRequest::RekeyFinish { client_confirm: Blob::new(confirm) })? {
            SealedAnswer::Rekeyed {} => self.session.replace(session)?,
            _ => return Err(Failure::OtherAnswer { to: "rekey_finish" }),
        }
        self.rekey_at = Instant::now() + Duration::from_secs(expires_in) / 2;
        Ok(())
    }

    /// Asks for the secret of a new token. The token is pending until it is confirmed.
    pub(crate) fn provision(
        &mut self,
        name: &str,
        moving: MovingFactor,
        code: Option<TypedCode>,
        invite: Option<TypedCode>,
    ) -> Result<SecretText, Failure> {
        let request = SealedRequest::Provision { name: name.to_owned(), moving, code, invite };
        match self.ask(&request)? {
            SealedAnswer::Provisioned { uri, .. } => Ok(uri),
            _ => Err(Failure::OtherAnswer { to: "provision" }),
        }
    }

    /// Asks for a new secret of a token. The old one counts until the new one is confirmed.
    pub(crate) fn rotate(
        &mut self,
        name: &str,
        code: Option<TypedCode>,
    ) -> Result<SecretText, Failure> {
        match self.ask(&SealedRequest::Rotate { name: Some(name.to_owned()), code })? {
            SealedAnswer::Provisioned { uri, .. } => Ok(uri),
            _ => Err(Failure::OtherAnswer { to: "rotate" }),
        }
    }

    /// Asks for new recovery codes in place of the old ones.
    pub(crate) fn recovery_codes(
        &mut self,
        code: Option<TypedCode>,
    ) -> Result<Vec<TypedCode>, Failure> {
        match self.ask(&SealedRequest::RecoveryCodes { code })? {
            SealedAnswer::RecoveryCodes { codes } => Ok(codes),
            _ => Err(Failure::OtherAnswer { to: "recovery_codes" }),
        }
    }

    /// Shows the first code of a pending token.
    pub(crate) fn confirm(&mut self, name: &str, code: TypedCode) -> Result<Confirmation, Failure> {
        match self.ask(&SealedRequest::Confirm { name: name.to_owned(), code }) {
            Ok(SealedAnswer::Confirmed { recovery_codes }) => {
                Ok(Confirmation::Confirmed(recovery_codes))
            }
            Ok(SealedAnswer::WrongCode { tries_left }) => Ok(Confirmation::Wrong(tries_left)),
            Ok(_) => Err(Failure::OtherAnswer { to: "confirm" }),
            Err(Failure::Refused(refusal)) if refusal.code == ErrorCode::NotPending => {
                Err(Failure::NotPending(refusal))
            }
            Err(failure) => Err(failure),
        }
    }

    fn ask(&mut self, request: &SealedRequest) -> Result<SealedAnswer, Failure> {
        // At full size from the start: a buffer that grows leaves copies behind.
        let mut plain = Zeroizing::new(Vec::with_capacity(1024));
        serde_json::to_writer(&mut *plain, request).map_err(Failure::Sealed)?;
        let message = self.session.seal(&plain)?;
        let sealed = Request::Sealed(Sealed {
            session: self.id.clone(),
            seq: message.seq,
            ciphertext: Blob::new(message.ciphertext),
        });
        let ExchangeAnswer::Sealed(answer) = self.connection.exchange(&sealed)? else {
            return Err(Failure::OtherAnswer { to: "sealed" });
        };
        self.idle_at = Instant::now() + IDLE;
        let plain = self.session.open(answer.seq, answer.ciphertext.as_bytes())?;
        match serde_json::from_slice(&plain).map_err(Failure::Sealed)? {
            SealedAnswer::Refused(refusal) => Err(Failure::Refused(refusal)),
            answer => Ok(answer),
        }
    }
}
