// SPDX-License-Identifier: GPL-3.0-or-later
//! The `message` of a refusal. `mfa` shows it to whoever typed the command, and the module puts it into
//! the log of the login.

use std::fmt::Display;
use std::ops::RangeInclusive;

use mfa_proto::UserName;

/// Does not tell whether the named user exists.
pub(crate) const NOT_PERMITTED: &str = "you may not do this for that user; ask an administrator";
/// The cause is in the log, and not for the caller.
pub(crate) const UNAVAILABLE: &str =
    "mfa-daemon cannot do this now; its log says why (journalctl -u mfa)";
pub(crate) const DISK_FULL: &str =
    "mfa-daemon cannot keep this: the disk of its store is full; make room there and try again";
pub(crate) const DISK_READ_ONLY: &str = "mfa-daemon cannot keep this: the disk of its store is \
     read-only; the kernel's log may say why (journalctl -k). Try again when it can be written";
pub(crate) const TOO_MANY_CONNECTIONS: &str =
    "you have too many connections to mfa-daemon; try again later";
pub(crate) const TOO_MANY_EXCHANGES: &str =
    "you have begun too many exchanges with mfa-daemon; try again in a minute";
pub(crate) const OTHERS_TURN: &str =
    "an import, a backup, a restore or a new master key is under way; try again when it has ended";

pub(crate) const CODE_NEEDED: &str = "a current code of yours is needed for this";
pub(crate) const CODE_NOT_ACCEPTED: &str =
    "that code is not accepted; wait for the next one and try again";
pub(crate) const INVITE_NEEDED: &str =
    "an invite code is needed for this; an administrator makes one";
pub(crate) const INVITE_NOT_ACCEPTED: &str =
    "that invite code is not accepted; ask an administrator for a new one";
pub(crate) const ENROLLED_MEANWHILE: &str =
    "another enrolment was completed meanwhile; begin again";
pub(crate) const NO_PROOF_OF_ENROLMENT: &str =
    "a first token is due, and that is not what allows one";
pub(crate) const NO_PROOF_OF_ROTATION: &str = "a rotation is due, and that is not what allows one";

pub(crate) const EXCHANGE_BEGUN: &str = "an exchange was begun on this connection already";
pub(crate) const ANOTHER_GROUP: &str =
    "the group is not the one that is offered; ask for params again";
pub(crate) const NO_EXCHANGE: &str = "there is no exchange to finish on this connection";
pub(crate) const ANOTHERS_SESSION: &str = "that session is not of this connection";
pub(crate) const NO_SESSION: &str = "there is no session on this connection";
pub(crate) const REKEY_OUT_OF_ORDER: &str = "a flight of the rekey is out of order";
pub(crate) const KEY_AT_ITS_END: &str =
    "the session's key has reached its end and may only be replaced";

pub(crate) const IMPORT_BEGUN: &str = "an import is under way on this connection already";
pub(crate) const NO_IMPORT: &str = "no import is under way on this connection";
pub(crate) const IMPORT_FAILED: &str =
    "a batch of this import was refused, so nothing of it counts; begin again";
pub(crate) const IMPORTED_TWICE: &str = "stands in this import twice";
pub(crate) const ACCOUNT_WITHOUT_TOKEN: &str = "an account without a token in the same batch";
pub(crate) const NOT_A_SCRATCH_CODE: &str = "a scratch code has eight digits";
pub(crate) const A_MARK: &str = "moment, step or counter";

pub(crate) const BACKUP_BETWEEN_KEYS: &str = "a new master key has not come to its end, so a copy would need both; `mfa admin rekey` goes on \
     with it";
pub(crate) const RESTORE_BETWEEN_KEYS: &str =
    "a new master key has not come to its end; `mfa admin rekey` goes on with it";
pub(crate) const NO_BACKUP: &str = "no backup was made on this connection";
pub(crate) const NO_RESTORE: &str =
    "no restore was begun on this connection, or it has failed; begin again";

pub(crate) fn not_known(user: &UserName) -> String {
    format!("{user} has no second factor here; mfa admin list shows who has")
}

pub(crate) fn uses(possible: &RangeInclusive<u32>, uses: u32) -> String {
    format!("a code may open {} to {} logins, not {uses}", possible.start(), possible.end())
}

pub(crate) fn validity(possible: &RangeInclusive<u64>, seconds: u64) -> String {
    format!(
        "a code may be good for {} to {} seconds (30 days), not {seconds}",
        possible.start(),
        possible.end()
    )
}

pub(crate) fn too_many_bypasses(user: &UserName, most: usize) -> String {
    format!("{user} has {most} bypass codes that are still good; wait until one of them has ended")
}

/// `service` is escaped already.
pub(crate) fn not_a_service(service: impl Display) -> String {
    format!("\"{service}\" is not the name of a PAM service, as in /etc/pam.d")
}

pub(crate) fn another_purpose(purpose: &str) -> String {
    format!("this session was made for the purpose {purpose:?}; make one for what is asked")
}

/// `token` is escaped already.
pub(crate) fn not_pending(token: impl Display) -> String {
    format!("no token named \"{token}\" waits to be confirmed; begin again")
}

pub(crate) fn name_taken(token: &str) -> String {
    format!(
        "there is a token named {token:?} already; choose another name (--name) or revoke that one"
    )
}

pub(crate) fn too_many_tokens(tokens: usize) -> String {
    format!("there are {tokens} tokens already; revoke one first")
}

pub(crate) fn name_of_a_token(most: usize) -> String {
    format!("a token's name has 1 to {most} bytes, none of them control characters")
}

pub(crate) fn has_a_token(user: &UserName) -> String {
    format!("{user} has a token already and needs no invite; a further one takes a current code")
}

pub(crate) fn nothing_to_stand_in_for(user: &UserName) -> String {
    format!("{user} has no token that recovery codes could stand in for; enrol first (mfa enroll)")
}

pub(crate) fn no_token(user: &UserName) -> String {
    format!("{user} has no token; enrol first (mfa enroll)")
}

/// `token` is quoted and escaped already.
pub(crate) fn no_such_token(user: &UserName, token: impl Display) -> String {
    format!("{user} has no token named {token}; mfa status lists them")
}

pub(crate) fn which_token(names: &str) -> String {
    format!("name one of the tokens (--name): {names}")
}

pub(crate) fn no_rotation(user: &UserName) -> String {
    format!("no rotation is due for {user}; nothing was changed")
}

/// What was sealed is not quoted: this answer is not.
pub(crate) fn sealed_place(line: usize, column: usize) -> String {
    format!("line {line}, column {column} of what was sealed")
}

pub(crate) fn exchange_failed(what: &str) -> String {
    format!("the key exchange failed: {what}")
}

pub(crate) fn not_reloaded(mistake: &str) -> String {
    format!("{mistake}. The configuration that was read before still holds")
}

pub(crate) fn part_too_long(most: usize) -> String {
    format!("a part has at most {most} bytes")
}

pub(crate) fn secret_bytes(possible: &RangeInclusive<usize>, bytes: usize) -> String {
    format!("a secret of {bytes} bytes, {} to {} are possible", possible.start(), possible.end())
}

pub(crate) fn barred_steps(most: usize, steps: usize) -> String {
    format!("{steps} barred steps, at most {most} are possible")
}
