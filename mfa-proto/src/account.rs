// SPDX-License-Identifier: GPL-3.0-or-later
//! What a login program asks after a user was authenticated: is an enrolment or a rotation due, and
//! if so, do it inside the login.
//!
//! The peer is root, named by the kernel, and can provision anybody anyway; so these messages carry
//! a secret without a key exchange, once, on the socket of this host, and the module needs no
//! cryptography. Other peers are refused.

use serde::{Deserialize, Serialize};

use crate::field::{SecretText, TypedCode, UserName};
use crate::login::{Origin, is_false};
use crate::refusal::ErrorAnswer;

/// Is something due for this user?
#[derive(Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Who logs in.
    pub user: UserName,
    /// From where.
    pub origin: Origin,
}

/// The answer to [`Account`].
#[derive(Serialize, Deserialize, Debug, PartialEq, Eq)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum AccountAnswer {
    /// Nothing is due.
    NothingDue {},
    /// The user has no token and must enrol now.
    EnrollmentDue {
        /// Only with an invite code.
        #[serde(default, skip_serializing_if = "is_false")]
        invite: bool,
    },
    /// The user's token is older than `max_age_days`.
    RotationDue {
        /// Its name.
        token: String,
    },
    /// The daemon cannot decide now.
    Unavailable {
        /// A rule says `unavailable = "ignore"`: the login passes, with an alert. Else deny.
        #[serde(default, skip_serializing_if = "is_false")]
        ignore: bool,
    },
    /// The request was refused.
    Error(ErrorAnswer),
}

/// Make the token that is due. It is pending until [`LoginConfirm`], and what there was still counts.
#[derive(Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct LoginProvision {
    /// Who logs in.
    pub user: UserName,
    /// From where.
    pub origin: Origin,
    /// What allows it.
    pub proof: Proof,
}

/// What allows a token inside a login.
#[derive(Serialize, Deserialize, Debug)]
#[serde(tag = "by", rename_all = "snake_case", deny_unknown_fields)]
pub enum Proof {
    /// Nothing: a first token where `enrollment` is `self`.
    Nothing {},
    /// A first token where `enrollment` is `invite`.
    Invite {
        /// The invite code.
        code: TypedCode,
    },
    /// A rotation: a code was accepted in this same login.
    ThisLogin {},
    /// A rotation: a current code, spent by this.
    Code {
        /// The code.
        code: TypedCode,
    },
}

/// The answer to [`LoginProvision`].
#[derive(Serialize, Deserialize, Debug)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum LoginProvisionAnswer {
    /// Everything an authenticator needs.
    LoginProvisioned {
        /// The token's name.
        token: String,
        /// The base32 text of the secret, in groups of four.
        secret: SecretText,
        /// A QR code of the `otpauth` URI, each line by half blocks, light on dark.
        qr: Vec<SecretText>,
        /// Digits of its codes.
        digits: u8,
        /// Seconds of a step; 0 for a counter.
        period: u64,
    },
    /// The request was refused.
    Error(ErrorAnswer),
}

/// The first code of a pending token.
#[derive(Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct LoginConfirm {
    /// Who logs in.
    pub user: UserName,
    /// From where.
    pub origin: Origin,
    /// The pending token's name.
    pub token: String,
    /// What was typed.
    pub code: TypedCode,
}

/// The answer to [`LoginConfirm`].
#[derive(Serialize, Deserialize, Debug)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum LoginConfirmAnswer {
    /// The token is active, durably; after a rotation the old one is gone.
    LoginConfirmed {
        /// Recovery codes, shown once; none where the user has some already.
        recovery_codes: Vec<TypedCode>,
    },
    /// Not a code of the new token.
    WrongCode {
        /// Tries left; after the last one the pending token is gone.
        tries_left: u8,
    },
    /// The request was refused.
    Error(ErrorAnswer),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_in_the_debug_output_of_a_message() {
        let code = || TypedCode::new("canary").unwrap();
        let origin = Origin::default;
        let user = || UserName::new("alice").unwrap();
        let provision = LoginProvision {
            user: user(),
            origin: origin(),
            proof: Proof::Invite { code: code() },
        };
        let provisioned = LoginProvisionAnswer::LoginProvisioned {
            token: "default".into(),
            secret: SecretText::new("canary"),
            qr: vec![SecretText::new("canary")],
            digits: 6,
            period: 30,
        };
        let confirm =
            LoginConfirm { user: user(), origin: origin(), token: "default".into(), code: code() };
        let confirmed = LoginConfirmAnswer::LoginConfirmed { recovery_codes: vec![code()] };
        let shown = format!("{provision:?} {provisioned:?} {confirm:?} {confirmed:?}");
        assert!(shown.contains("alice") && !shown.contains("canary"), "{shown}");
    }

    #[test]
    fn an_answer_with_a_field_too_many_is_refused() {
        let read = |text: &str| serde_json::from_str::<AccountAnswer>(text);
        assert_eq!(read(r#"{"type":"nothing_due"}"#).unwrap(), AccountAnswer::NothingDue {});
        assert_eq!(
            read(r#"{"type":"enrollment_due"}"#).unwrap(),
            AccountAnswer::EnrollmentDue { invite: false }
        );
        for bad in [
            r#"{"type":"nothing_due","x":1}"#,
            r#"{"type":"enrollment_due","invite":true,"x":1}"#,
            r#"{"type":"accepted"}"#,
            r#"{"type":"rotation_due"}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
