// SPDX-License-Identifier: GPL-3.0-or-later
//! One-time codes, Diffie-Hellman groups, key exchange, sessions and sealing.
//!
//! Nothing here does I/O, reads a clock or keeps a global: the time is a number, randomness is a
//! [`rand_core::TryCryptoRng`], and where it fails the operation fails with [`RngError`].
//! `docs/protocol.md` describes every byte that is computed here.

#![forbid(unsafe_code)]

pub mod digest;
pub mod exchange;
pub mod group;
pub mod otp;
pub mod recovery;
pub mod sealing;
pub mod secret;
pub mod session;
pub mod uri;

mod fields;
mod kdf;
mod random;

pub use digest::sha256;
pub use exchange::{
    Binding, ClientExchange, ClientHello, Confirm, ExchangeError, ServerExchange, ServerReply,
};
pub use group::{GenerateError, Group, GroupError, Progress, PublicValueError};
pub use otp::{Algorithm, Code, Codes, Digits, Period, hotp, step};
pub use random::RngError;
pub use recovery::{RecoveryCode, RecoveryCodeError, RecoveryKey};
pub use sealing::{MasterKey, SealError};
pub use secret::Secret;
pub use session::{SealedMessage, Session, SessionError};
pub use uri::{Base32Error, Moving, OtpUri, UriError, base32, base32_decode};
