// SPDX-License-Identifier: GPL-3.0-or-later
//! The client's side of an enrolment, flight by flight: group, exchange, sealed questions.
//!
//! Each state is a type that the next flight consumes, so none can be left out or repeated.

use std::time::{Duration, Instant};

use getrandom::SysRng;
use mfa_crypto::{Binding, ClientExchange, Confirm, Group, Session};
use mfa_proto::exchange::{
    ExchangeAnswer, KexFinish, KexInit, MovingFactor, Purpose, Sealed, SealedAnswer, SealedRequest,
    SecretUri,
};
use mfa_proto::{Blob, Request, TypedCode, UserName};
use zeroize::Zeroizing;

use crate::daemon::{Connection, Daemon};
use crate::failure::Failure;
use crate::groups;

/// A connection is closed by the daemon after 60 idle seconds; well before that a new one is made.
const FRESH: Duration = Duration::from_secs(30);

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
    connection: Connection,
    group: Group,
    session: Session,
    id: Blob,
    fresh_until: Instant,
}

/// The answer to the first code.
pub(crate) enum Confirmation {
    /// The token is active.
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
    fn agree(mut self, user: &UserName) -> Result<Agreed, Failure> {
        let (exchange, hello) = ClientExchange::start(&self.group, &mut SysRng)?;
        let init = Request::KexInit(KexInit {
            purpose: Purpose::Enroll,
            user: user.clone(),
            group: Blob::new(self.group.fingerprint()),
            client_public: Blob::new(hello.public),
            client_nonce: Blob::new(hello.nonce),
        });
        let ExchangeAnswer::KexReply(reply) = self.connection.exchange(&init)? else {
            return Err(Failure::OtherAnswer { to: "kex_init" });
        };
        let binding = Binding {
            purpose: Purpose::Enroll.as_str(),
            user: user.as_str(),
            uid: nix::unistd::geteuid().as_raw(),
        };
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
    fn finish(mut self) -> Result<Channel, Failure> {
        let finish = Request::KexFinish(KexFinish {
            session: self.id.clone(),
            client_confirm: Blob::new(self.confirm),
        });
        match self.connection.exchange(&finish)? {
            ExchangeAnswer::KexDone {} => Ok(Channel {
                connection: self.connection,
                group: self.group,
                session: self.session,
                id: self.id,
                // Half its life: a question must not arrive when the key has just expired.
                fresh_until: Instant::now() + FRESH.min(self.lifetime / 2),
            }),
            _ => Err(Failure::OtherAnswer { to: "kex_finish" }),
        }
    }
}

impl Channel {
    /// All flights up to a session. `notice` is called where the group's check will take seconds.
    pub(crate) fn open(
        daemon: &Daemon,
        user: &UserName,
        notice: impl FnOnce(),
    ) -> Result<Self, Failure> {
        offer(daemon, None, notice)?.agree(user)?.finish()
    }

    /// This channel, or a new one where this one may be about to end: people take their time.
    pub(crate) fn refreshed(self, daemon: &Daemon, user: &UserName) -> Result<Self, Failure> {
        if Instant::now() < self.fresh_until { Ok(self) } else { self.reopened(daemon, user) }
    }

    /// A new channel in place of one that broke.
    pub(crate) fn reopened(self, daemon: &Daemon, user: &UserName) -> Result<Self, Failure> {
        offer(daemon, Some(&self.group), || ())?.agree(user)?.finish()
    }

    /// Asks for a secret. The token is pending until it is confirmed.
    pub(crate) fn provision(
        &mut self,
        name: &str,
        moving: MovingFactor,
        code: Option<TypedCode>,
    ) -> Result<SecretUri, Failure> {
        let request = SealedRequest::Provision { name: name.to_owned(), moving, code };
        match self.ask(&request)? {
            SealedAnswer::Provisioned { uri } => Ok(uri),
            _ => Err(Failure::OtherAnswer { to: "provision" }),
        }
    }

    /// Shows the first code.
    pub(crate) fn confirm(&mut self, name: &str, code: TypedCode) -> Result<Confirmation, Failure> {
        match self.ask(&SealedRequest::Confirm { name: name.to_owned(), code })? {
            SealedAnswer::Confirmed { recovery_codes } => {
                Ok(Confirmation::Confirmed(recovery_codes))
            }
            SealedAnswer::WrongCode { tries_left } => Ok(Confirmation::Wrong(tries_left)),
            _ => Err(Failure::OtherAnswer { to: "confirm" }),
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
        let plain = self.session.open(answer.seq, answer.ciphertext.as_bytes())?;
        match serde_json::from_slice(&plain).map_err(Failure::Sealed)? {
            SealedAnswer::Refused(refusal) => Err(Failure::Refused(refusal)),
            answer => Ok(answer),
        }
    }
}
