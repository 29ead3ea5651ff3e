// SPDX-License-Identifier: GPL-3.0-or-later
//! What is wrong with a file of another system: what was expected there. `Display` of the file's own error
//! puts it into a sentence.

pub(crate) const COUNTER: &str = "a counter, a number from 0";
pub(crate) const STEP_SIZE: &str = "STEP_SIZE and 1 to 60 seconds";
pub(crate) const DISALLOW_REUSE: &str = "DISALLOW_REUSE and the steps that are spent";
pub(crate) const WINDOW_SIZE: &str = "WINDOW_SIZE and 1 to 100 steps";
pub(crate) const TIME_SKEW: &str = "TIME_SKEW and a number of steps, -1500 to 1500";
pub(crate) const RATE_LIMIT: &str =
    "RATE_LIMIT, 1 to 100 attempts, 1 to 3600 seconds and the times of attempts";
pub(crate) const RESETTING_TIME_SKEW: &str =
    "RESETTING_TIME_SKEW and pairs of a step and a skew, STEP+7";
pub(crate) const LOGIN: &str = "a host and the time of a login";

pub(crate) const PIN: &str = "the PIN or -";

pub(crate) const USERS_JSON: &str = "an object with mfa_users, exported, issuer and users";
pub(crate) const NO_USERS: &str = "missing field `users`";
pub(crate) const USERS: &str = "an array of users";
pub(crate) const VERSION_FIRST: &str = "expected mfa_users before users";
pub(crate) const FIELD_ONCE: &str = "expected every field once";
pub(crate) const VERSION: &str = "expected mfa_users to be 1";
pub(crate) const NOT_ENDED: &str = "expected the rest of the document, found its end";
pub(crate) const UNKNOWN_FIELD: &str = "found a field that is not known";
pub(crate) const IMPOSSIBLE_VALUE: &str = "found a value that cannot be one";

pub(crate) fn not_json(what: &str) -> String {
    format!("expected JSON: {what}")
}

pub(crate) fn something_else(expected: &str) -> String {
    format!("expected {expected}, found something else")
}
