// SPDX-License-Identifier: GPL-3.0-or-later
//! Why an export did not happen, or not wholly.

use std::fmt;

use mfa_proto::UserName;

use crate::google_authenticator;
use crate::users_oath;

/// Why an export did not happen, or not wholly.
#[derive(Debug)]
pub(crate) enum ExportError {
    /// Secrets go into a pipe, and standard output is something else.
    NotAPipe(&'static str),
    /// A format that consists of secrets.
    NeedsSecrets,
    /// A file of google_authenticator is one user's.
    WhoseFile,
    /// A token that google_authenticator cannot have.
    Unfit { user: UserName, token: String, why: google_authenticator::Unfit },
    /// Tokens that were not written, while the others were.
    LeftOut(u64),
}

/// A token that was left out of users.oath.
pub(crate) struct LeftOut {
    pub(crate) user: UserName,
    pub(crate) token: String,
    pub(crate) why: users_oath::Unfit,
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAPipe(found) => write!(
                f,
                "secrets are written into a pipe only, and standard output is {found}; nothing was \
                 asked for. Pipe it: mfa admin export --with-secrets | age -e -R FILE > users.age"
            ),
            Self::NeedsSecrets => f.write_str(
                "this format consists of secrets; use --with-secrets and a pipe, or --format \
                 users.json",
            ),
            Self::WhoseFile => {
                f.write_str("a file of google_authenticator is one user's; name him with --user")
            }
            Self::Unfit { user, token, why } => {
                write!(f, "google_authenticator cannot have token {token:?} of {user}: {why}")
            }
            Self::LeftOut(count) => {
                let tokens = if *count == 1 { "token was" } else { "tokens were" };
                write!(f, "{count} {tokens} left out, see above; the others were written")
            }
        }
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "token {:?} of {} left out: {}", self.token, self.user, self.why)
    }
}
