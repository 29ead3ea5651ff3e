// SPDX-License-Identifier: GPL-3.0-or-later
//! One line of a UsersFile.

use std::fmt;

use data_encoding::HEXLOWER_PERMISSIVE;
use jiff::tz::TimeZone;
use mfa_crypto::{Algorithm, Digits, Period, Secret};
use mfa_proto::field::UserNameError;
use mfa_proto::transfer::{ImportedMoving, ImportedToken};
use mfa_proto::{Blob, UserName};
use zeroize::Zeroizing;

use super::last_use::LastUse;
use crate::messages::formats;
use crate::weakness::Weakness;

/// The longest type, in bytes: `HOTP/T30` and its like.
const TYPE_MAX: usize = 8;

/// A token as a line describes it.
pub(crate) struct OathToken {
    pub(crate) user: UserName,
    secret: Secret,
    digits: Digits,
    moving: Moving,
    last: LastUse,
}

/// What a line must have and has not. No variant carries what may be a secret or a code, also where
/// a column is missing and the others stand in each other's places.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum LineProblem {
    /// Longer than any line can be.
    TooLong,
    /// Not UTF-8.
    Encoding,
    /// A column is missing.
    Missing(&'static str),
    /// There are more columns than seven.
    Surplus,
    /// Not a type that is known; shown where it looks like one.
    Type(Option<String>),
    /// A type without the codes of RFC 4226: Mobile-OTP.
    Motp,
    /// The user's name cannot be one.
    User(UserNameError),
    /// A PIN is set.
    Pin,
    /// Not hexadecimal, or half a byte.
    Hex,
    /// Fewer or more bytes than a secret may have.
    SecretLength(usize),
    /// Not a number, or one that cannot be.
    Counter,
    /// Not a code of this type.
    LastCode,
    /// Not a moment.
    LastTime,
}

impl fmt::Display for LineProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "expected at most {} bytes", super::file::LINE_MAX),
            Self::Encoding => f.write_str("expected UTF-8"),
            Self::Missing(column) => write!(f, "expected {column}, found the end of the line"),
            Self::Surplus => f.write_str("expected the end of the line after seven columns"),
            Self::Type(found) => {
                f.write_str(
                    "expected HOTP, HOTP/E or HOTP/T30, with /6, /7 or /8 for other digits",
                )?;
                match found {
                    Some(word) => write!(f, ", found {word}"),
                    None => f.write_str(" in the first column"),
                }
            }
            Self::Motp => f.write_str("Mobile-OTP is not supported, expected HOTP or HOTP/T30"),
            Self::User(UserNameError::Character(_)) => {
                f.write_str("expected a user, found characters that no name has")
            }
            Self::User(error) => write!(f, "expected a user: {error}"),
            Self::Pin => f.write_str(
                "a PIN cannot be carried over; write - in its place and let PAM ask for a password",
            ),
            Self::Hex => f.write_str("expected the secret as an even number of hex digits"),
            Self::SecretLength(bytes) => write!(
                f,
                "expected a secret of {} to {} bytes, found {bytes}; give this user a new token",
                ImportedToken::SECRET_BYTES.start(),
                ImportedToken::SECRET_BYTES.end()
            ),
            Self::Counter => f.write_str("expected the counter, a number from 0"),
            Self::LastCode => f.write_str("expected the last code, as many digits as its type has"),
            Self::LastTime => {
                f.write_str("expected the time of the last use as 2026-11-23T21:14:05L")
            }
        }
    }
}

/// What a type says.
#[derive(Clone, Copy)]
enum Kind {
    Event,
    Time(Period),
}

/// What a line says.
enum Moving {
    Event { counter: u64 },
    Time(Period),
}

impl OathToken {
    /// Reads a line that is neither empty nor a comment. Its times are those of `zone`.
    pub(crate) fn parse(line: &str, zone: &TimeZone) -> Result<(Self, Vec<Weakness>), LineProblem> {
        let mut columns = line.split_ascii_whitespace();
        let (kind, digits) = kind(columns.next().unwrap_or_default())?;
        let user = columns.next().ok_or(LineProblem::Missing("the user"))?;
        let user = UserName::new(user).map_err(LineProblem::User)?;
        let pin = columns.next().ok_or(LineProblem::Missing(formats::PIN))?;
        // mod_authn_otp writes + where something else checks the password.
        if !matches!(pin, "-" | "+") {
            return Err(LineProblem::Pin);
        }
        let secret = secret(columns.next().ok_or(LineProblem::Missing("the secret"))?)?;
        let counter = columns.next().unwrap_or("0");
        let last = LastUse::read(columns.next(), columns.next(), digits, zone)?;
        if columns.next().is_some() {
            return Err(LineProblem::Surplus);
        }
        let period = match kind {
            Kind::Event => None,
            Kind::Time(period) => Some(period.get()),
        };
        let mut weaknesses = Weakness::of_token(secret.expose(), period);
        let moving = match kind {
            Kind::Event => Moving::Event { counter: number(counter)? },
            Kind::Time(period) => {
                // There the column is the offset that mod_authn_otp has learned, or noise.
                counter.parse::<i64>().map_err(|_| LineProblem::Counter)?;
                if last.has_no_time() {
                    weaknesses.push(Weakness::LastUseWithoutTime);
                }
                Moving::Time(period)
            }
        };
        Ok((Self { user, secret, digits, moving, last }, weaknesses))
    }

    /// The token as it travels. `now` (Unix seconds) serves to place its last use.
    pub(crate) fn into_message(self, now: u64) -> ImportedToken {
        let moving = match self.moving {
            Moving::Event { counter } => ImportedMoving::Hotp {
                counter: self.last.next_counter(&self.secret, self.digits, counter),
            },
            Moving::Time(period) => ImportedMoving::Totp {
                period: period.get(),
                last_step: self.last.spent_step(&self.secret, self.digits, period, now),
                drift: 0,
            },
        };
        ImportedToken {
            user: self.user,
            name: None,
            secret: Blob::new(self.secret.expose()),
            algorithm: Algorithm::Sha1.to_string(),
            digits: self.digits.get(),
            moving,
            created: None,
            last_used: None,
            barred: Vec::new(),
        }
    }
}

/// The user of a line that was parsed before.
pub(super) fn user_of(line: &[u8]) -> &str {
    let text = std::str::from_utf8(line).unwrap_or_default();
    text.split_ascii_whitespace().nth(1).unwrap_or_default()
}

/// `HOTP`, `HOTP/E[/digits]` or `HOTP/Tseconds[/digits]`.
fn kind(text: &str) -> Result<(Kind, Digits), LineProblem> {
    let unknown = || LineProblem::Type(looks_like_a_type(text).then(|| text.to_owned()));
    if text == "MOTP" || text.starts_with("MOTP/") {
        return Err(LineProblem::Motp);
    }
    let mut parts = text.split('/');
    if parts.next() != Some("HOTP") {
        return Err(unknown());
    }
    let kind = match parts.next() {
        None | Some("E") => Kind::Event,
        Some(time) => {
            let seconds = time.strip_prefix('T').ok_or_else(unknown)?;
            let seconds = number(seconds).map_err(|_| unknown())?;
            Kind::Time(Period::try_from(seconds).map_err(|_| unknown())?)
        }
    };
    let digits = match parts.next() {
        None => Digits::default(),
        Some("6") => Digits::default(),
        Some("7") => Digits::try_from(7).map_err(|_| unknown())?,
        Some("8") => Digits::try_from(8).map_err(|_| unknown())?,
        Some(_) => return Err(unknown()),
    };
    if parts.next().is_some() {
        return Err(unknown());
    }
    Ok((kind, digits))
}

/// A short word, and what may follow it. Secrets are longer, PINs have digits.
fn looks_like_a_type(text: &str) -> bool {
    let word = text.split('/').next().unwrap_or_default();
    let of_a_type = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'/';
    text.len() <= TYPE_MAX
        && text.bytes().all(of_a_type)
        && (1..=4).contains(&word.len())
        && word.bytes().all(|byte| byte.is_ascii_alphabetic())
}

fn secret(hex: &str) -> Result<Secret, LineProblem> {
    let bytes = HEXLOWER_PERMISSIVE
        .decode(hex.as_bytes())
        .map(Zeroizing::new)
        .map_err(|_| LineProblem::Hex)?;
    if ImportedToken::SECRET_BYTES.contains(&bytes.len()) {
        Ok(Secret::new(bytes.to_vec()))
    } else {
        Err(LineProblem::SecretLength(bytes.len()))
    }
}

/// Decimal digits only: no sign, no space.
fn number(text: &str) -> Result<u64, LineProblem> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().map_err(|_| LineProblem::Counter)
    } else {
        Err(LineProblem::Counter)
    }
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
