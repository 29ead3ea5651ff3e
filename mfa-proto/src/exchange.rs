// SPDX-License-Identifier: GPL-3.0-or-later
//! The key exchange and the sealed session that follows it.

use serde::{Deserialize, Serialize};

use crate::blob::Blob;
use crate::field::{SecretText, TypedCode, UserName};
use crate::refusal::ErrorAnswer;

/// The answer to `params`: the group that this daemon offers.
#[derive(Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The name of RFC 7919, where the group has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The prime P, big-endian.
    pub p: Blob,
    /// The generator G, big-endian without leading zeros.
    pub g: Blob,
}

/// What an exchange is for; part of the transcript, so that a session serves nothing else.
#[derive(Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A new token.
    Enroll,
    /// A new secret in place of a token's old one.
    Rotate,
    /// A new set of recovery codes.
    RecoveryCodes,
}

/// The purpose of an exchange that is made inside a session ([`SealedRequest::RekeyInit`]).
pub const REKEY: &str = "rekey";

impl Purpose {
    /// The word that enters the transcript.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enroll => "enroll",
            Self::Rotate => "rotate",
            Self::RecoveryCodes => "recovery_codes",
        }
    }
}

/// The client's half of the exchange.
#[derive(Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct KexInit {
    /// What for.
    pub purpose: Purpose,
    /// For whom.
    pub user: UserName,
    /// Fingerprint of the group (SHA-256, 32 bytes) that the client has checked.
    pub group: Blob,
    /// g^x mod P, as long as P.
    pub client_public: Blob,
    /// 32 random bytes.
    pub client_nonce: Blob,
}

/// The daemon's half.
#[derive(Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct KexReply {
    /// The session's name, 16 bytes. It lives no longer than its connection.
    pub session: Blob,
    /// g^y mod P, as long as P.
    pub server_public: Blob,
    /// 32 random bytes.
    pub server_nonce: Blob,
    /// HMAC over the transcript, 32 bytes.
    pub server_confirm: Blob,
    /// Seconds until the session key must be replaced.
    pub expires_in: u64,
}

/// The client's confirmation.
#[derive(Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct KexFinish {
    /// The session's name.
    pub session: Blob,
    /// HMAC over the transcript, 32 bytes.
    pub client_confirm: Blob,
}

/// A message inside the session, either way.
#[derive(Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// The session's name.
    pub session: Blob,
    /// Counts from 0 in each direction.
    pub seq: u64,
    /// ChaCha20-Poly1305 of a [`SealedRequest`] or [`SealedAnswer`].
    pub ciphertext: Blob,
}

/// The answers to `params`, `kex_init`, `kex_finish` and `sealed`.
#[derive(Serialize, Deserialize, Debug)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ExchangeAnswer {
    /// To `params`.
    Params(Params),
    /// To `kex_init`.
    KexReply(KexReply),
    /// To `kex_finish`.
    KexDone {},
    /// To `sealed`.
    Sealed(Sealed),
    /// The request was refused.
    Error(ErrorAnswer),
}

/// What a client says inside a session.
#[derive(Serialize, Deserialize, Debug)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum SealedRequest {
    /// Make a secret; the token is pending until it is confirmed.
    Provision {
        /// The token's name.
        name: String,
        /// Moving factor.
        moving: MovingFactor,
        /// A current code, where the caller must show one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<TypedCode>,
        /// An invite code, where `enrollment` is `invite`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        invite: Option<TypedCode>,
    },
    /// Make a new secret for an active token; the old one counts until the new one is confirmed.
    Rotate {
        /// The token's name; may be left out where there is one only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// A current code, where the caller must show one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<TypedCode>,
    },
    /// A new set of recovery codes; the old ones are void.
    RecoveryCodes {
        /// A current code, where the caller must show one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<TypedCode>,
    },
    /// First flight of a new exchange inside the session.
    RekeyInit {
        /// g^x mod P, as long as P.
        client_public: Blob,
        /// 32 random bytes.
        client_nonce: Blob,
    },
    /// Last flight of it; its answer is the last message under the old keys.
    RekeyFinish {
        /// HMAC over the transcript, 32 bytes.
        client_confirm: Blob,
    },
    /// The first code of a pending token of this user. Also in another session than the one that
    /// provisioned it: people take longer over a QR code than a session key may live.
    Confirm {
        /// The token's name.
        name: String,
        /// What was typed.
        code: TypedCode,
    },
}

/// What moves from code to code.
#[derive(Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum MovingFactor {
    /// Time: RFC 6238.
    Totp,
    /// A counter: RFC 4226.
    Hotp,
}

/// What the daemon answers inside a session.
#[derive(Serialize, Deserialize, Debug)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum SealedAnswer {
    /// To `provision` and `rotate`: everything an authenticator needs.
    Provisioned {
        /// The token's name.
        name: String,
        /// The secret as an `otpauth` URI.
        uri: SecretText,
    },
    /// To `recovery_codes`: shown once.
    RecoveryCodes {
        /// Ten.
        codes: Vec<TypedCode>,
    },
    /// To `rekey_init`.
    RekeyReply {
        /// g^y mod P, as long as P.
        server_public: Blob,
        /// 32 random bytes.
        server_nonce: Blob,
        /// HMAC over the transcript, 32 bytes.
        server_confirm: Blob,
        /// Seconds until the new key must be replaced.
        expires_in: u64,
    },
    /// To `rekey_finish`: both sides take the new keys after this message.
    Rekeyed {},
    /// To `confirm`: the token is active, durably.
    Confirmed {
        /// Recovery codes, shown once.
        recovery_codes: Vec<TypedCode>,
    },
    /// To `confirm`: not a code of the new token; it stays pending and may be tried again.
    WrongCode {
        /// Tries left; after the last one the pending token is gone.
        tries_left: u8,
    },
    /// The request was refused; the session goes on.
    Refused(ErrorAnswer),
}
