// SPDX-License-Identifier: GPL-3.0-or-later
//! The decision about a recovery code or a bypass code. Both have one form, so each is looked for
//! among both. A scratch code is a recovery code with the form of a token's code.

use mfa_proto::Blob;
use subtle::ConstantTimeEq;

use super::login::{Attempt, By, Decision, count_failure, success};
use super::record::{Lockout, Record};

/// For an account that is not locked. A recovery code is removed by the decision that accepts it, a
/// bypass code with its last use. Neither resets the count of wrong codes: only a success of the account's own token does.
pub(super) fn decide(record: &mut Record, hash: &Blob, attempt: &Attempt<'_>) -> Decision {
    let mut recovery = None;
    for (at, stored) in record.recovery.iter().enumerate() {
        if same_hash(stored, hash) && !record.tokens.is_empty() {
            recovery = Some(at);
        }
    }
    let mut bypass = None;
    for (at, stored) in record.bypasses.iter().enumerate() {
        if same_hash(&stored.hash, hash) && stored.is_good(attempt.service, attempt.now) {
            bypass = Some(at);
        }
    }
    let by = match (recovery, bypass) {
        (Some(at), _) => {
            record.recovery.remove(at);
            By::Recovery
        }
        (None, Some(at)) => {
            if let Some(bypass) = record.bypasses.get_mut(at) {
                bypass.uses_left = bypass.uses_left.saturating_sub(1);
            }
            record.bypasses.retain(|bypass| bypass.uses_left > 0);
            By::Bypass
        }
        (None, None) => {
            count_failure(record, attempt);
            return Decision::Wrong { clock_offset: None };
        }
    };
    Decision::Accepted(success(by, &record.lockout))
}

/// For eight digits, `by_token` being what the tokens make of them and `before` what was counted before.
/// Whatever the digits open they open once: where they are a scratch code and a token's current code as
/// well, which is chance, both are spent; where they are a token's spent code, they open nothing.
pub(super) fn decide_scratch(
    record: &mut Record,
    hash: &Blob,
    by_token: Decision,
    before: Lockout,
) -> Decision {
    let mut found = None;
    for (at, stored) in record.recovery.iter().enumerate() {
        if same_hash(stored, hash) && !record.tokens.is_empty() {
            found = Some(at);
        }
    }
    match (found, by_token) {
        (Some(at), Decision::Wrong { .. } | Decision::ClockBehind | Decision::Held) => {
            record.recovery.remove(at);
            // It was no wrong code.
            record.lockout = before;
            Decision::Accepted(success(By::Recovery, &record.lockout))
        }
        (Some(at), Decision::Accepted(success)) => {
            record.recovery.remove(at);
            Decision::Accepted(success)
        }
        (_, by_token) => by_token,
    }
}

/// Whether two keyed hashes are one, in a time that does not tell where they differ.
pub(crate) fn same_hash(one: &Blob, other: &Blob) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}
