// SPDX-License-Identifier: GPL-3.0-or-later
//! What the module says in the log, to administrators. No line has a code or a password; names are bounded
//! and escaped by [`crate::log`].

use std::fmt::Display;
use std::path::Path;

pub(crate) const ENROLLMENT_DUE: &str = "enrolment is due";
pub(crate) const ROTATION_DUE: &str = "rotation is due";
pub(crate) const WOULD_ENROLL: &str = "enrolment is due: would have been asked for";
pub(crate) const WOULD_ROTATE: &str = "rotation is due: would have been asked for";
pub(crate) const NO_SUCH_ACCOUNT: &str = "a name that no account has: login denied";
pub(crate) const WOULD_DENY_NO_SUCH_ACCOUNT: &str =
    "a name that no account has: the login would have been denied";
pub(crate) const ASKED_FOR_NOT_KEPT: &str =
    "libpam does not keep whether an enrolment was asked for";

pub(crate) const NO_FIRST_PASS: &str =
    "no enrolment in the first pass of this change: login denied";
pub(crate) const SILENT: &str = "the program wants no texts (PAM_SILENT): login denied";
pub(crate) const ENROLLED: &str = "token enrolled";
pub(crate) const ROTATED: &str = "token rotated";
pub(crate) const NO_FIRST_CODE: &str = "no right first code: nothing changed, login denied";
pub(crate) const RECOVERY_CODES_UNREAD: &str =
    "the token is set up, but its recovery codes may not have been read";
pub(crate) const ENROLMENT_NOT_KEPT: &str =
    "libpam does not keep how the enrolment went: login denied";
pub(crate) const NOT_ANSWERED_DENIED: &str = "the prompt was not answered: login denied";
pub(crate) const ABANDONED: &str = "enrolment abandoned: nothing changed, login denied";

pub(crate) const UNDECIDED: &str = "mfa-daemon could not decide (journalctl -u mfa.service)";
pub(crate) const NO_USER: &str = "no user name: login denied";
pub(crate) const USER_NOT_UTF8: &str = "the user name is not UTF-8";
pub(crate) const INTERNAL_ERROR: &str =
    "internal error: denied; please report it with the line before this one";

pub(crate) const EXEMPT_GROUP: &str = "member of the exempt group";
pub(crate) const EXEMPT_RULE: &str = "exempt by a rule";
pub(crate) const NO_CODE_IN_PASSWORD: &str = "no code at the end of the password";
pub(crate) const NOT_A_CODE: &str = "the answer is no code";
pub(crate) const THE_PASSWORD_AGAIN: &str = "the answer is the password again, which is sent to nobody (a \
                                             program that has one field for both needs `forward_pass`)";
pub(crate) const WRONG: &str = "wrong code";
pub(crate) const REPLAYED: &str = "code used before";
pub(crate) const PASSWORD_NOT_FORWARDED: &str = "forward_pass: libpam does not take the password";
pub(crate) const ACCEPTED_NOT_KEPT: &str = "libpam does not keep that a code was accepted";
pub(crate) const ACCEPTED: &str = "login accepted";
pub(crate) const GRANTED: &str =
    "login accepted without a code, an earlier one still holds (grace)";
pub(crate) const NO_TOKEN: &str = "no token, and nullok";
pub(crate) const NO_CODE: &str = "no code given";
pub(crate) const NOT_ANSWERED: &str = "the prompt was not answered";
pub(crate) const ANOTHER_USER: &str =
    "the program named another user while this one was asked; the code was not sent";
pub(crate) const LOCKED_HARD: &str = "locked until `mfa admin unlock`";

/// What is wrong with an answer of the daemon's; it is not quoted.
pub(crate) const ANOTHERS_FIELD: &str = "a field of another answer";
pub(crate) const MISSING_FIELD: &str = "a field is missing";
pub(crate) const ANOTHER_ANSWER: &str = "an answer to another question";

pub(crate) fn locked(seconds: u64) -> String {
    format!("locked for {seconds} s more")
}

pub(crate) fn denied(why: &dyn Display) -> String {
    format!("{why}: login denied")
}

pub(crate) fn nothing_changed(why: &str) -> String {
    format!("{why}: nothing changed, login denied")
}

pub(crate) fn asked_again(why: &str) -> String {
    format!("{why}: asked again")
}

pub(crate) fn not_asked(why: &str) -> String {
    format!("{why}: not asked for a code")
}

pub(crate) fn not_checked(why: &str) -> String {
    format!("{why}: NOT CHECKED, login not denied")
}

pub(crate) fn would_deny(why: &str) -> String {
    format!("{why}: the login would have been denied")
}

/// Of a login or a call that only observes.
pub(crate) fn observed(what: &str) -> String {
    format!("observed: {what}")
}

pub(crate) fn nobody_exempt(group: &str, why: &dyn Display) -> String {
    format!("exempt_group={group}: {why}: nobody is exempt")
}

pub(crate) fn unreachable(socket: &Path, why: &dyn Display) -> String {
    format!(
        "cannot reach {} ({why}), is mfa-daemon running? (systemctl status mfa.socket)",
        socket.display()
    )
}

pub(crate) fn timed_out(socket: &Path, seconds: u64) -> String {
    format!(
        "{} kept this login waiting for {seconds} s in all (journalctl -u mfa.service)",
        socket.display()
    )
}

pub(crate) fn untrusted(socket: &Path, why: &dyn Display) -> String {
    format!("no code is sent to {}: {why}", socket.display())
}

pub(crate) fn failed(socket: &Path, why: &str) -> String {
    format!("{}: {why}", socket.display())
}

pub(crate) fn not_an_answer(place: &dyn Display) -> String {
    format!("the daemon's answer is no answer: {place}")
}

pub(crate) fn refused(message: &str) -> String {
    format!("mfa-daemon refused: {message}")
}
