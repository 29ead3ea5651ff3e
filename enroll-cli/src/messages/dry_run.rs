// SPDX-License-Identifier: GPL-3.0-or-later
//! What `mfa admin import --dry-run` says of a user.

use std::fmt::Write;

use mfa_proto::transfer::{ImportedMoving, ImportedToken};

use crate::incoming::Incoming;
use crate::table::printable;

/// What would change, on one line.
pub(crate) fn line(incoming: &Incoming, is_known: bool) -> String {
    let user = &incoming.user;
    if is_known {
        return format!("= {user}  known, left as he is");
    }
    let mut line = format!("+ {user}");
    for (token, before) in
        incoming.tokens.iter().zip(std::iter::once("  ").chain(std::iter::repeat(", ")))
    {
        line.push_str(before);
        line.push_str(&described(token));
    }
    match scratch_codes(incoming) {
        Some(1) => line.push_str(", 1 scratch code"),
        Some(count) => {
            let _ = write!(line, ", {count} scratch codes");
        }
        None => {}
    }
    line
}

fn described(token: &ImportedToken) -> String {
    let ImportedToken { name, algorithm, digits, moving, .. } = token;
    let name = name.as_deref().map_or_else(String::new, |name| format!("{:?} ", printable(name)));
    match moving {
        ImportedMoving::Totp { period, .. } => {
            format!("{name}TOTP {algorithm} {digits} digits {period} s")
        }
        ImportedMoving::Hotp { .. } => format!("{name}HOTP {algorithm} {digits} digits"),
    }
}

/// How many codes that are good once come along, if any.
pub(crate) fn scratch_codes(incoming: &Incoming) -> Option<usize> {
    let codes = incoming.account.as_ref().map_or(0, |account| account.scratch_codes.len());
    (codes > 0).then_some(codes)
}

#[cfg(test)]
mod tests {
    use data_encoding::{BASE32_NOPAD, BASE64, HEXLOWER};
    use mfa_proto::transfer::ImportedAccount;
    use mfa_proto::{Blob, TypedCode, UserName};

    use super::*;

    /// These sentences are the only ones whose makers are given a secret.
    #[test]
    fn nothing_of_a_secret_or_of_a_scratch_code_is_shown() {
        let (secret, scratch) = (b"canary-secret-1234567890", "60606060");
        let user = UserName::new("alice").unwrap();
        let token = ImportedToken {
            user: user.clone(),
            name: Some("phone".into()),
            secret: Blob::new(*secret),
            algorithm: "SHA1".into(),
            digits: 6,
            moving: ImportedMoving::Hotp { counter: 7 },
            created: None,
            last_used: None,
            barred: Vec::new(),
        };
        let account = ImportedAccount {
            user: user.clone(),
            scratch_codes: vec![TypedCode::new(scratch).unwrap()],
            failures: 0,
            last_failure: None,
        };
        let incoming = Incoming { user, tokens: vec![token], account: Some(account) };
        let said = line(&incoming, false) + &line(&incoming, true);
        assert!(said.contains("alice") && said.contains("1 scratch code"), "{said}");
        let encoded = [BASE32_NOPAD.encode(secret), BASE64.encode(secret), HEXLOWER.encode(secret)];
        for canary in encoded.iter().map(String::as_str).chain(["canary", scratch]) {
            assert!(!said.contains(canary), "{said}");
        }
    }
}
