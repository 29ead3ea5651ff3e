// SPDX-License-Identifier: GPL-3.0-or-later
//! What is wrong with `mfa.toml`.

use std::path::Path;

pub(crate) const EMPTY_ISSUER: &str = "issuer may be left out, but not empty";
pub(crate) const EMPTY_ADMIN_GROUP: &str = "admin_group may be left out, but not empty";
pub(crate) const TWO_KEYS: &str = "the master key is in a file or in a credential, not in both";
pub(crate) const OLD_KEY_ALONE: &str = "old_credential needs credential, which takes its place";
pub(crate) const WAITS_SHRINK: &str = "lockout.max_seconds is less than lockout.base_seconds";
pub(crate) const LIMIT_TOO_EARLY: &str = "lockout.hard_limit is less than lockout.free_attempts";

pub(crate) const NEVER_MET: &str =
    "no login meets it: the rule before it fits everybody; put that one last";
pub(crate) const FITS_NOBODY: &str = "an empty list fits nobody; leave it out to fit everybody";
pub(crate) const REQUIRED_AND_DATE: &str =
    "required says that nobody passes without a code; a date contradicts it";
pub(crate) const EXEMPT_AND_DEADLINE: &str =
    "exempt_until and enroll_until: whoever is exempt has no deadline to enrol";
pub(crate) const ENDS_BEFORE_IT_BEGINS: &str = "enroll_until is before enroll_from";
pub(crate) const HALF_A_GRACE: &str =
    "grace needs both: grace_seconds and what it is for, grace_for";

pub(crate) const NOT_A_HOST: &str =
    "is no address, network (192.0.2.0/24), host name, *.domain, or the word local";

pub(crate) fn out_of_range(number: i64, low: u64, high: u64) -> String {
    format!("{number} is not a number from {low} to {high}")
}

pub(crate) fn relative(path: &Path) -> String {
    format!("{} is not an absolute path", path.display())
}

pub(crate) fn not_loopback(text: &str) -> String {
    format!("{text:?} is not a loopback address and a port, such as 127.0.0.1:9464")
}

pub(crate) fn not_a_credential(name: &str) -> String {
    format!("{name:?} is not the name of a credential")
}

pub(crate) fn not_a_store(url: &str) -> String {
    format!("{url:?} is not sqlite: and an absolute path (other stores are not supported yet)")
}

pub(crate) fn not_a_moment(written: &str) -> String {
    format!(
        "{written} is neither a date (2026-12-31) nor a time with its offset (2026-12-31T18:00:00Z)"
    )
}
