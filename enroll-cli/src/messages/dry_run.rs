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
