// SPDX-License-Identifier: GPL-3.0-or-later
//! One user of the document, as he is imported.

use std::fmt;

use mfa_crypto::{Algorithm, Digits, Period};
use mfa_proto::exchange::MovingFactor;
use mfa_proto::transfer::{
    ExportedToken, ExportedUser, ImportedAccount, ImportedMoving, ImportedToken,
};

use crate::incoming::Incoming;
use crate::weakness::Weakness;

/// Tokens that a user may have.
const TOKENS_MAX: usize = 4;

/// Steps that the clock of a token may be off.
const DRIFT_MAX: i8 = 10;

/// What a user must have and has not. Nothing that may be a secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum EntryProblem {
    /// The export could not read all of him.
    Damaged,
    /// A token without its secret.
    NoSecret { token: String },
    /// More tokens than a user may have.
    TooManyTokens(usize),
    /// Two tokens of one name.
    SameName(String),
    /// A token's name cannot be one.
    Name,
    /// Fewer or more bytes than a secret may have.
    SecretLength { token: String, bytes: usize },
    /// Neither SHA1 nor SHA256 nor SHA512.
    Algorithm { token: String },
    /// Neither 6 nor 7 nor 8.
    Digits { token: String, found: u8 },
    /// A time without a period that can be one.
    Period { token: String, found: Option<u64> },
    /// A counter without its value.
    Counter { token: String },
    /// A clock that is further off than is possible.
    Drift { token: String, found: i8 },
    /// More barred steps than are possible.
    Barred { token: String, found: usize },
}

impl fmt::Display for EntryProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged => f.write_str(
                "this user was damaged where he was exported, so he is incomplete; remove the line \
                 and give him a new token",
            ),
            Self::NoSecret { token } => write!(
                f,
                "token {token:?}: expected a secret, found none; only `mfa admin export \
                 --with-secrets` writes what can be imported"
            ),
            Self::TooManyTokens(found) => {
                write!(f, "expected at most {TOKENS_MAX} tokens, found {found}")
            }
            Self::SameName(name) => write!(f, "expected one token {name:?}, found two"),
            Self::Name => f.write_str(
                "expected a token's name of 1 to 64 bytes, none of them control characters",
            ),
            Self::SecretLength { token, bytes } => write!(
                f,
                "token {token:?}: expected a secret of {} to {} bytes, found {bytes}",
                ImportedToken::SECRET_BYTES.start(),
                ImportedToken::SECRET_BYTES.end()
            ),
            Self::Algorithm { token } => {
                write!(f, "token {token:?}: expected the algorithm SHA1, SHA256 or SHA512")
            }
            Self::Digits { token, found } => {
                write!(f, "token {token:?}: expected 6 to 8 digits, found {found}")
            }
            Self::Period { token, found: Some(found) } => {
                write!(f, "token {token:?}: expected a period of 15 to 300 s, found {found} s")
            }
            Self::Period { token, found: None } => {
                write!(f, "token {token:?}: expected a period of 15 to 300 s, found none")
            }
            Self::Counter { token } => {
                write!(f, "token {token:?}: expected the next counter, found none")
            }
            Self::Drift { token, found } => write!(
                f,
                "token {token:?}: expected a drift of -{DRIFT_MAX} to {DRIFT_MAX} steps, found {found}"
            ),
            Self::Barred { token, found } => write!(
                f,
                "token {token:?}: expected at most {} barred steps, found {found}",
                ImportedToken::BARRED_MAX
            ),
        }
    }
}

/// The user as he travels, and what is weak about his tokens; `None` where he has no token, so that
/// there is nothing to import.
pub(super) fn incoming(
    user: ExportedUser,
) -> Result<Option<(Incoming, Vec<Weakness>)>, EntryProblem> {
    if user.damaged {
        return Err(EntryProblem::Damaged);
    }
    if user.tokens.len() > TOKENS_MAX {
        return Err(EntryProblem::TooManyTokens(user.tokens.len()));
    }
    for (at, token) in user.tokens.iter().enumerate() {
        if user.tokens.iter().skip(at + 1).any(|other| other.name == token.name) {
            return Err(EntryProblem::SameName(token.name.clone()));
        }
    }
    if user.tokens.is_empty() {
        return Ok(None);
    }
    let mut weaknesses = Vec::new();
    let mut tokens = Vec::with_capacity(user.tokens.len());
    for exported in user.tokens {
        let token = token(&user.user, exported)?;
        let period = match token.moving {
            ImportedMoving::Totp { period, .. } => Some(period),
            ImportedMoving::Hotp { .. } => None,
        };
        weaknesses.extend(Weakness::of_token(token.secret.as_bytes(), period));
        tokens.push(token);
    }
    let account = (user.failures > 0).then(|| ImportedAccount {
        user: user.user.clone(),
        scratch_codes: Vec::new(),
        failures: user.failures,
        last_failure: user.last_failure,
    });
    Ok(Some((Incoming { user: user.user, tokens, account }, weaknesses)))
}

fn token(
    user: &mfa_proto::UserName,
    exported: ExportedToken,
) -> Result<ImportedToken, EntryProblem> {
    let ExportedToken {
        name,
        factor,
        period,
        algorithm,
        digits,
        created,
        last_used,
        secret,
        last_step,
        drift,
        counter,
        barred,
    } = exported;
    if name.is_empty() || name.len() > 64 || name.chars().any(char::is_control) {
        return Err(EntryProblem::Name);
    }
    let token = || name.clone();
    let secret = secret.ok_or_else(|| EntryProblem::NoSecret { token: token() })?;
    let bytes = secret.as_bytes().len();
    if !ImportedToken::SECRET_BYTES.contains(&bytes) {
        return Err(EntryProblem::SecretLength { token: token(), bytes });
    }
    if algorithm.parse::<Algorithm>().is_err() {
        return Err(EntryProblem::Algorithm { token: token() });
    }
    if Digits::try_from(digits).is_err() {
        return Err(EntryProblem::Digits { token: token(), found: digits });
    }
    let moving = match factor {
        MovingFactor::Totp => {
            let good = period.and_then(|period| Period::try_from(period).ok());
            let good =
                good.ok_or_else(|| EntryProblem::Period { token: token(), found: period })?;
            let drift = drift.unwrap_or(0);
            if !(-DRIFT_MAX..=DRIFT_MAX).contains(&drift) {
                return Err(EntryProblem::Drift { token: token(), found: drift });
            }
            ImportedMoving::Totp { period: good.get(), last_step, drift }
        }
        MovingFactor::Hotp => {
            let counter = counter.ok_or_else(|| EntryProblem::Counter { token: token() })?;
            ImportedMoving::Hotp { counter }
        }
    };
    if barred.len() > ImportedToken::BARRED_MAX {
        return Err(EntryProblem::Barred { token: token(), found: barred.len() });
    }
    let created = Some(created);
    Ok(ImportedToken {
        user: user.clone(),
        name: Some(name),
        secret,
        algorithm,
        digits,
        moving,
        created,
        last_used,
        barred,
    })
}
