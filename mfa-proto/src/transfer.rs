// SPDX-License-Identifier: GPL-3.0-or-later
//! Users in and out: import, all or nothing, and export.
//!
//! An import of its own is one `admin_import`. A longer one is `admin_import_begin`, as many
//! `admin_import` as it takes and `admin_import_commit`, on one connection: nothing of it counts
//! before the commit, and nothing is left of it where the connection ends without.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::blob::Blob;
use crate::exchange::MovingFactor;
use crate::field::{TypedCode, UserName};
use crate::login::{LastFailure, is_false};
use crate::refusal::ErrorAnswer;
use crate::status::BypassStatus;

/// Some users to be added. A user who is known already is left as he is.
#[derive(Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct AdminImport {
    /// As many as fit a frame. All tokens of one user stand in one batch.
    pub tokens: Vec<ImportedToken>,
    /// What else is to be kept of these users.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<ImportedAccount>,
}

/// A token from another system. It is active at once: its owner has used it before.
#[derive(Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct ImportedToken {
    /// Whose.
    pub user: UserName,
    /// Unique among the user's tokens; `imported` where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The secret.
    pub secret: Blob,
    /// SHA1, SHA256 or SHA512.
    pub algorithm: String,
    /// 6 to 8.
    pub digits: u8,
    /// What moves, and where it stands.
    pub moving: ImportedMoving,
    /// Unix seconds; the moment of the import where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<u64>,
    /// Unix seconds of the last accepted code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<u64>,
    /// Steps or counters that open no login although they lie ahead: their codes were typed before
    /// their time. At most [`ImportedToken::BARRED_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub barred: Vec<u64>,
}

impl ImportedToken {
    /// Bytes that a secret may have. 80 bits is what the weakest known authenticator makes, shorter
    /// ones can be guessed; longer ones are of no use to any of the hashes.
    pub const SECRET_BYTES: RangeInclusive<usize> = 10..=128;

    /// Steps or counters of a token that may be barred.
    pub const BARRED_MAX: usize = 32;
}

/// The moving factor of an imported token.
#[derive(Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(tag = "factor", rename_all = "snake_case", deny_unknown_fields)]
pub enum ImportedMoving {
    /// RFC 6238.
    Totp {
        /// Seconds, 15 to 300.
        period: u64,
        /// The last step that was accepted elsewhere: it stays spent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last_step: Option<u64>,
        /// Steps that the token's clock runs ahead, −10 to 10.
        #[serde(default, skip_serializing_if = "is_zero")]
        drift: i8,
    },
    /// RFC 4226.
    Hotp {
        /// The next counter that is accepted.
        counter: u64,
    },
}

/// What a user brings along beside tokens.
#[derive(Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct ImportedAccount {
    /// Whose. He has a token in the same batch.
    pub user: UserName,
    /// Codes of eight digits that open one login each. At most [`ImportedAccount::SCRATCH_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scratch_codes: Vec<TypedCode>,
    /// Wrong codes since the last success: a lock is not left behind by moving.
    #[serde(default, skip_serializing_if = "is_none_counted")]
    pub failures: u32,
    /// The last of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<LastFailure>,
}

impl ImportedAccount {
    /// Scratch codes that a user may bring.
    pub const SCRATCH_MAX: usize = 10;
}

/// A page of users, in the order of their names.
#[derive(Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct AdminExport {
    /// This one only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserName>,
    /// Names greater than this one; absent for the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<UserName>,
    /// At most so many; the daemon sends fewer where they would not fit a frame.
    pub limit: u16,
    /// With the secrets, and where each stands. For root only.
    #[serde(default, skip_serializing_if = "is_false")]
    pub secrets: bool,
}

/// A user as `users.json` has him.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct ExportedUser {
    /// Who.
    pub user: UserName,
    /// The tokens.
    pub tokens: Vec<ExportedToken>,
    /// Wrong codes since the last success.
    pub failures: u32,
    /// The last of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<LastFailure>,
    /// Seconds until the next attempt is evaluated; absent where nothing is locked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked_seconds: Option<u64>,
    /// Locked until an administrator unlocks.
    pub locked_hard: bool,
    /// Recovery codes left. They are stored as hashes keyed by the master key, which are worth
    /// nothing elsewhere, so they are not exported.
    pub recovery_codes_left: u8,
    /// Bypass codes that still open a login.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bypasses: Vec<BypassStatus>,
    /// Unix seconds until which an invite code is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invited_until: Option<u64>,
    /// The record cannot be read or a secret does not open, so what stands here is incomplete.
    #[serde(default, skip_serializing_if = "is_false")]
    pub damaged: bool,
}

/// One token of an [`ExportedUser`].
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct ExportedToken {
    /// Its name.
    pub name: String,
    /// Time or counter.
    pub factor: MovingFactor,
    /// Seconds that a code is current; absent with a counter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<u64>,
    /// SHA1, SHA256 or SHA512.
    pub algorithm: String,
    /// Digits of a code.
    pub digits: u8,
    /// Unix seconds.
    pub created: u64,
    /// Unix seconds of the last accepted code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<u64>,
    /// The secret; with it comes everything below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Blob>,
    /// The last step that was accepted; absent where none was, and with a counter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_step: Option<u64>,
    /// Steps that the token's clock runs ahead; absent with a counter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<i8>,
    /// The next counter that is accepted; absent with a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counter: Option<u64>,
    /// As in [`ImportedToken::barred`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub barred: Vec<u64>,
}

/// The answers to the requests of this module.
#[derive(Serialize, Deserialize, Debug)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum TransferAnswer {
    /// To `admin_import_begin`.
    ImportBegun {},
    /// To `admin_import` after `admin_import_begin`: nothing of it counts yet, and what cannot be
    /// written is told with a later batch or the commit.
    Staged {},
    /// To `admin_import_commit`, and to `admin_import` without `admin_import_begin`.
    Imported {
        /// Users added.
        added: u32,
        /// Users known already, left as they are.
        known: u32,
    },
    /// To `admin_known`.
    Known {
        /// Those of the names asked about who have a token.
        users: Vec<UserName>,
    },
    /// To `admin_export`.
    Exported {
        /// The name that authenticators show.
        issuer: String,
        /// This page.
        users: Vec<ExportedUser>,
        /// There are more after the last one.
        more: bool,
    },
    /// The request was refused.
    Error(ErrorAnswer),
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn is_zero(drift: &i8) -> bool {
    *drift == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn is_none_counted(failures: &u32) -> bool {
    *failures == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_says_only_what_there_is_and_what_is_unknown_is_refused() {
        let plain = r#"{"tokens":[{"user":"alice","secret":"MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=","algorithm":"SHA1","digits":6,"moving":{"factor":"totp","period":30}}]}"#;
        let full = r#"{"tokens":[{"user":"bob","name":"key","secret":"MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=","algorithm":"SHA256","digits":8,"moving":{"factor":"totp","period":60,"last_step":7,"drift":-2},"created":1,"last_used":2,"barred":[9]}],"accounts":[{"user":"bob","scratch_codes":["12345678"],"failures":3,"last_failure":{"at":5}}]}"#;
        for text in [plain, full] {
            let read: AdminImport = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), text);
            assert!(!format!("{read:?}").contains("12345678"));
        }
        for bad in [
            plain.replace("\"digits\"", "\"x\":1,\"digits\""),
            plain.replace("\"period\":30", "\"period\":30,\"x\":1"),
            plain.replace("[{\"user\":\"alice\",", "[{"),
            full.replace("\"failures\"", "\"failure\""),
        ] {
            assert!(serde_json::from_str::<AdminImport>(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_exported_user_without_secrets_shows_none_of_what_moves() {
        let text = r#"{"user":"alice","tokens":[{"name":"phone","factor":"totp","period":30,"algorithm":"SHA1","digits":6,"created":7}],"failures":0,"locked_hard":false,"recovery_codes_left":10}"#;
        let read: ExportedUser = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
    }
}
