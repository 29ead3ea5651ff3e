// SPDX-License-Identifier: GPL-3.0-or-later
//! The two questions of a login, `begin` and `verify`, and their answers.

use serde::{Deserialize, Serialize};

use crate::account::{Account, LoginConfirm, LoginProvision};
use crate::field::{TypedCode, UserName};
use crate::refusal::ErrorAnswer;

/// Where a login comes from, as PAM tells it. For the log and for rules; never trusted for more.
#[derive(Clone, Serialize, Deserialize, Debug, Default, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// `PAM_SERVICE`: the program's PAM configuration, for instance `sshd`.
    pub service: String,
    /// `PAM_RHOST`: the host at the other end, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rhost: Option<String>,
    /// `PAM_TTY`: the terminal, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tty: Option<String>,
    /// The process session that the login program runs in, where it has a terminal. For grace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<ProcessSession>,
    /// The public key whose signature sshd has verified, as in authorized_keys without a comment
    /// (`ssh-ed25519 AAAA…`), at most [`Origin::SSH_KEY_MAX`] bytes. For grace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh_key: Option<String>,
}

impl Origin {
    /// The longest [`Origin::ssh_key`], in bytes: RSA of 16,384 bits has 2,760.
    pub const SSH_KEY_MAX: usize = 4096;
}

/// A process session, credentials(7). Numbers are used again; the start of its leader tells two
/// sessions of one number apart.
#[derive(Clone, Copy, Serialize, Deserialize, Debug, PartialEq, Eq, Hash)]
#[serde(deny_unknown_fields)]
pub struct ProcessSession {
    /// `getsid(2)`.
    pub id: u32,
    /// Field 22 of `/proc/ID/stat`: clock ticks since boot.
    pub started: u64,
}

/// What the module sends. The same two types stand in [`crate::Request`]; this smaller enum keeps
/// every other message out of the login programs.
#[derive(Serialize, Debug)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum LoginRequest {
    /// Before anything is asked of the user.
    Begin(Begin),
    /// With what the user typed.
    Verify(Verify),
    /// From the `account` group.
    Account(Account),
    /// From the `password` group: make a token inside the login.
    LoginProvision(LoginProvision),
    /// The first code of that token.
    LoginConfirm(LoginConfirm),
}

/// Is this user to be asked for a code?
#[derive(Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    /// Who logs in.
    pub user: UserName,
    /// From where.
    pub origin: Origin,
}

/// Does this code open the login?
#[derive(Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    /// Who logs in.
    pub user: UserName,
    /// What was typed.
    pub code: TypedCode,
    /// From where.
    pub origin: Origin,
}

/// The answer to [`Begin`].
#[derive(Serialize, Deserialize, Debug, PartialEq, Eq)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum BeginAnswer {
    /// Ask for a code.
    Prompt {
        /// Digits of this user's codes, the fewest where they differ; without a token those of the
        /// configuration. To split a code off the end of a password.
        digits: u8,
        /// A rule says `observe`: check, log, never deny.
        #[serde(default, skip_serializing_if = "is_false")]
        observe: bool,
    },
    /// The daemon lets this login pass without a code: an earlier success still holds (grace).
    Granted {},
    /// This user need not be asked, for the reason given; only an option of the module that
    /// names this reason lets the login pass.
    Skip {
        /// Why.
        reason: SkipReason,
        /// Digits of a code, as in `prompt`: for a module that asks all the same.
        digits: u8,
        /// `no_token` only: seconds until the user must enrol; 0 where that is due. Absent without
        /// a deadline.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        enroll_within: Option<u64>,
        /// A rule says `observe`.
        #[serde(default, skip_serializing_if = "is_false")]
        observe: bool,
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

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
pub(crate) fn is_false(value: &bool) -> bool {
    !value
}

/// Why [`BeginAnswer::Skip`] was said.
#[derive(Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// No confirmed token: `nullok` decides.
    NoToken,
    /// A rule exempts this login until a date: it passes without counting.
    Exempt,
}

/// The answer to [`Verify`].
#[derive(Serialize, Deserialize, Debug, PartialEq, Eq)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum VerifyAnswer {
    /// The one answer that logs somebody in. The code is spent, durably.
    Accepted(Accepted),
    /// Not a code of this user, now.
    Wrong {
        /// The code fits a nearby time: seconds that the authenticator's clock seems to be ahead
        /// (positive) or behind (negative).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clock_offset: Option<i64>,
    },
    /// A code that has been used already.
    Replayed {},
    /// Too many wrong codes; nothing was evaluated.
    Locked {
        /// Until the next attempt is evaluated; absent where only an administrator unlocks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<u64>,
    },
    /// The daemon cannot decide or cannot record now.
    Unavailable {
        /// A rule says `unavailable = "ignore"`: the login passes, with an alert. Else deny.
        #[serde(default, skip_serializing_if = "is_false")]
        ignore: bool,
    },
    /// The request was refused.
    Error(ErrorAnswer),
}

/// What a user should know who has just been let in.
#[derive(Serialize, Deserialize, Debug, Default, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// Wrong codes since the last success.
    pub failures: u32,
    /// The last of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<LastFailure>,
    /// Recovery codes left, where they are few or one was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_codes_left: Option<u8>,
    /// The authenticator's clock drifts: seconds ahead (positive) or behind (negative).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_offset: Option<i64>,
    /// The token is older than `max_age_days`: `account` with `enroll` will ask for a rotation.
    #[serde(default, skip_serializing_if = "is_false")]
    pub rotation_due: bool,
}

/// The last wrong code.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct LastFailure {
    /// Unix seconds.
    pub at: u64,
    /// `PAM_RHOST` of that attempt, or where it had none `PAM_SERVICE`. Somebody else's text: to be
    /// escaped before it is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_absent_is_left_out_and_what_is_unknown_is_refused() {
        let written = |answer: &VerifyAnswer| serde_json::to_string(answer).unwrap();
        let read = |text: &str| serde_json::from_str::<VerifyAnswer>(text);
        let plain = VerifyAnswer::Accepted(Accepted::default());
        assert_eq!(written(&plain), r#"{"type":"accepted","failures":0}"#);
        let full = VerifyAnswer::Accepted(Accepted {
            failures: 3,
            last_failure: Some(LastFailure { at: 7, from: Some("192.0.2.1".into()) }),
            recovery_codes_left: Some(2),
            clock_offset: Some(-60),
            rotation_due: true,
        });
        for answer in [plain, full, VerifyAnswer::Wrong { clock_offset: Some(95) }] {
            assert_eq!(read(&written(&answer)).unwrap(), answer);
        }
        for bad in [
            r#"{"type":"accepted"}"#,
            r#"{"type":"accepted","failures":0,"x":1}"#,
            r#"{"type":"accepted","failures":-1}"#,
            r#"{"type":"Accepted","failures":0}"#,
            r#"{"type":"granted"}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
