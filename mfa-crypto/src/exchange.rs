// SPDX-License-Identifier: GPL-3.0-or-later
//! The Diffie-Hellman exchange: two flights that end in a session, or in an error on both sides.
//!
//! A side's exponent lives from its first flight to its last and is erased there. What both agree
//! on goes into the transcript, so a changed purpose, user, uid, group, public value or nonce shows
//! in the confirms, and no key of one exchange is of use in another.

use crate::{
    fields,
    group::{Exponent, Group, PublicValueError},
    kdf::{self, Key},
    random::{self, RngError},
    session::{Role, Session},
};
use core::fmt;
use rand_core::TryCryptoRng;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 32;

/// The proof that the other side holds the same keys over the same transcript.
pub type Confirm = [u8; 32];

/// What an exchange is for. Both sides take it from what they know, never from the other's words:
/// the daemon takes the uid from the kernel.
#[derive(Clone, Copy, Debug)]
pub struct Binding<'a> {
    /// What the session will be used for, such as `enroll`.
    pub purpose: &'a str,
    /// The user whose token it concerns.
    pub user: &'a str,
    /// The uid of the process that asks.
    pub uid: u32,
}

/// The client's first flight.
#[derive(Clone, Debug)]
pub struct ClientHello {
    /// G^x, |P| bytes.
    pub public: Vec<u8>,
    /// Fresh.
    pub nonce: [u8; NONCE_BYTES],
}

/// The server's flight.
#[derive(Clone, Debug)]
pub struct ServerReply {
    /// G^y, |P| bytes.
    pub public: Vec<u8>,
    /// Fresh.
    pub nonce: [u8; NONCE_BYTES],
    /// Proves the server's keys.
    pub confirm: Confirm,
}

/// Why an exchange ended without a session. Nothing of it can be used again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ExchangeError {
    /// The other side's public value is refused.
    PublicValue(PublicValueError),
    /// The other side's nonce has not 32 bytes.
    Nonce {
        /// Its bytes.
        got: usize,
    },
    /// The other side's confirm is wrong.
    Confirm,
    /// The own public value fails its check, so the randomness or the arithmetic is broken.
    OwnPublicValue(PublicValueError),
    /// No randomness.
    Randomness(RngError),
}

impl fmt::Display for ExchangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the key exchange was given up: ")?;
        match self {
            Self::PublicValue(error) => error.fmt(f),
            Self::Nonce { got } => {
                write!(f, "the other side's nonce has {got} bytes instead of {NONCE_BYTES}")
            }
            Self::Confirm => f.write_str(
                "the two sides do not agree on what was said; start again, and if it persists \
                 something between them changes it",
            ),
            Self::OwnPublicValue(error) => write!(
                f,
                "the own public value is impossible ({error}); this machine's randomness or \
                 arithmetic is not to be trusted"
            ),
            Self::Randomness(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ExchangeError {}

impl From<RngError> for ExchangeError {
    fn from(error: RngError) -> Self {
        Self::Randomness(error)
    }
}

impl From<PublicValueError> for ExchangeError {
    fn from(error: PublicValueError) -> Self {
        Self::PublicValue(error)
    }
}

/// The client between its two flights.
pub struct ClientExchange {
    half: Half,
}

impl ClientExchange {
    /// Draws exponent and nonce. The caller has to know that it wants this group.
    ///
    /// # Errors
    /// When the source of randomness fails or gives what cannot be.
    pub fn start<R: TryCryptoRng + ?Sized>(
        group: &Group,
        rng: &mut R,
    ) -> Result<(Self, ClientHello), ExchangeError> {
        let half = Half::draw(group, rng, Group::public_value)?;
        let hello = ClientHello { public: half.public.clone(), nonce: half.nonce };
        Ok((Self { half }, hello))
    }

    /// Checks the server's flight and makes the session of this id, and the confirm to send.
    ///
    /// # Errors
    /// When the server's public value or nonce is refused or its confirm is wrong.
    pub fn finish(
        self,
        binding: &Binding<'_>,
        server_public: &[u8],
        server_nonce: &[u8],
        server_confirm: &[u8],
        session: &[u8],
    ) -> Result<(Session, Confirm), ExchangeError> {
        let z = self.half.agree(server_public, server_nonce)?;
        let transcript = Transcript {
            binding,
            group: &self.half.group,
            client_public: &self.half.public,
            server_public,
            client_nonce: &self.half.nonce,
            server_nonce,
        };
        let keys = Schedule::derive(&transcript.hash(), &z);
        if !bool::from(keys.server_confirm.ct_eq(server_confirm)) {
            return Err(ExchangeError::Confirm);
        }
        let session = Session::new(Role::Client, session, keys.to_server, keys.to_client);
        Ok((session, *keys.client_confirm))
    }
}

/// The server between its flight and the client's confirm.
pub struct ServerExchange {
    session: Session,
    client_confirm: Key,
}

impl ServerExchange {
    /// Checks the client's flight and answers it with fresh values.
    ///
    /// # Errors
    /// When the client's public value or nonce is refused, or the source of randomness fails.
    pub fn respond<R: TryCryptoRng + ?Sized>(
        group: &Group,
        binding: &Binding<'_>,
        client_public: &[u8],
        client_nonce: &[u8],
        session: &[u8],
        rng: &mut R,
    ) -> Result<(Self, ServerReply), ExchangeError> {
        // Before drawing anything: refusing must cost less than asking.
        check_flight(group, client_public, client_nonce)?;
        let half = Half::draw(group, rng, Group::one_of_many_public_values)?;
        let z = half.agree_checked(client_public)?;
        let transcript = Transcript {
            binding,
            group,
            client_public,
            server_public: &half.public,
            client_nonce,
            server_nonce: &half.nonce,
        };
        let keys = Schedule::derive(&transcript.hash(), &z);
        let exchange = Self {
            session: Session::new(Role::Server, session, keys.to_client, keys.to_server),
            client_confirm: keys.client_confirm,
        };
        let reply =
            ServerReply { public: half.public, nonce: half.nonce, confirm: *keys.server_confirm };
        Ok((exchange, reply))
    }

    /// The session, once the client has proved that it holds the same keys.
    ///
    /// # Errors
    /// When the confirm is wrong; the exchange is gone then.
    pub fn finish(self, client_confirm: &[u8]) -> Result<Session, ExchangeError> {
        if bool::from(self.client_confirm.ct_eq(client_confirm)) {
            Ok(self.session)
        } else {
            Err(ExchangeError::Confirm)
        }
    }
}

/// What either side draws.
struct Half {
    group: Group,
    exponent: Exponent,
    public: Vec<u8>,
    nonce: [u8; NONCE_BYTES],
}

impl Half {
    /// `public_value`: how the own one is computed.
    fn draw<R: TryCryptoRng + ?Sized>(
        group: &Group,
        rng: &mut R,
        public_value: impl Fn(&Group, &Exponent) -> Zeroizing<Vec<u8>>,
    ) -> Result<Self, ExchangeError> {
        let exponent = group.exponent(rng)?;
        let mut nonce = [0; NONCE_BYTES];
        random::fill(rng, &mut nonce)?;
        let public = public_value(group, &exponent).to_vec();
        // Catches an exponent of zeros and a fault in the power before anybody sees the value.
        group.check_public(&public).map_err(ExchangeError::OwnPublicValue)?;
        Ok(Self { group: group.clone(), exponent, public, nonce })
    }

    fn agree(&self, public: &[u8], nonce: &[u8]) -> Result<Z, ExchangeError> {
        check_flight(&self.group, public, nonce)?;
        self.agree_checked(public)
    }

    fn agree_checked(&self, public: &[u8]) -> Result<Z, ExchangeError> {
        self.group.shared_secret(public, &self.exponent).ok_or(ExchangeError::PublicValue(
            PublicValueError::Length { expected: self.group.bytes(), got: public.len() },
        ))
    }
}

/// The shared secret, |P| bytes.
type Z = Zeroizing<Vec<u8>>;

fn check_flight(group: &Group, public: &[u8], nonce: &[u8]) -> Result<(), ExchangeError> {
    if nonce.len() != NONCE_BYTES {
        return Err(ExchangeError::Nonce { got: nonce.len() });
    }
    Ok(group.check_public(public)?)
}

struct Transcript<'a> {
    binding: &'a Binding<'a>,
    group: &'a Group,
    client_public: &'a [u8],
    server_public: &'a [u8],
    client_nonce: &'a [u8],
    server_nonce: &'a [u8],
}

impl Transcript<'_> {
    fn hash(&self) -> [u8; 32] {
        let joined = fields::join(&[
            b"mfa/1",
            self.binding.purpose.as_bytes(),
            self.binding.user.as_bytes(),
            &self.binding.uid.to_be_bytes(),
            &self.group.fingerprint(),
            self.client_public,
            self.server_public,
            self.client_nonce,
            self.server_nonce,
        ]);
        Sha256::digest(joined.as_slice()).into()
    }
}

/// The keys of an exchange.
struct Schedule {
    to_server: Key,
    to_client: Key,
    client_confirm: Key,
    server_confirm: Key,
}

impl Schedule {
    fn derive(transcript: &[u8; 32], z: &Z) -> Self {
        let prk = kdf::extract(transcript, z);
        let confirm = |label: &[u8]| kdf::hmac(&kdf::expand(&prk, label), transcript);
        Self {
            to_server: kdf::expand(&prk, b"mfa/1 c2s key"),
            to_client: kdf::expand(&prk, b"mfa/1 s2c key"),
            client_confirm: confirm(b"mfa/1 client confirm"),
            server_confirm: confirm(b"mfa/1 server confirm"),
        }
    }
}
