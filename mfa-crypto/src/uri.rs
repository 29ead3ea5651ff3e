// SPDX-License-Identifier: GPL-3.0-or-later
//! The `otpauth://` address that authenticators read from a QR code.

use crate::{
    otp::{Algorithm, Digits, Period},
    secret::Secret,
};
use core::fmt;
use data_encoding::BASE32_NOPAD;
use zeroize::Zeroizing;

/// What moves from code to code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Moving {
    /// The time, in steps of `period`.
    Totp {
        /// Length of a step.
        period: Period,
    },
    /// A counter.
    Hotp {
        /// Of the next code.
        counter: u64,
    },
}

/// Everything an authenticator needs. It holds the secret, so it has no `Debug`.
#[derive(Clone)]
pub struct OtpUri {
    /// Who asks for the code, mostly a host name. May be empty.
    pub issuer: String,
    /// Whose code it is.
    pub account: String,
    /// The key of the token.
    pub secret: Secret,
    /// The hash.
    pub algorithm: Algorithm,
    /// Digits of a code.
    pub digits: Digits,
    /// Time or counter.
    pub moving: Moving,
}

/// Why an `otpauth` address was not understood. Nothing in it repeats the secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum UriError {
    /// Does not begin with `otpauth://`.
    Scheme,
    /// Neither `totp` nor `hotp`.
    Kind,
    /// A character that RFC 3986 does not allow, or a broken percent escape, in this part.
    Encoding(&'static str),
    /// A control character in this part.
    Control(&'static str),
    /// The label names no account.
    Account,
    /// `issuer` differs from the issuer in the label.
    IssuerConflict,
    /// A parameter without `=`.
    Parameter,
    /// A parameter that is not known here.
    Unknown(String),
    /// A parameter stands twice.
    Duplicate(&'static str),
    /// A parameter that must be there is not.
    Missing(&'static str),
    /// A parameter that does not go with this kind of code.
    Misplaced(&'static str),
    /// A parameter's value is not possible.
    Value(&'static str),
    /// The secret is not base32.
    Secret(Base32Error),
}

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a usable otpauth address: ")?;
        match self {
            Self::Scheme => f.write_str("it must begin with otpauth://"),
            Self::Kind => f.write_str("after otpauth:// must stand totp/ or hotp/"),
            Self::Encoding(part) => write!(f, "{part} is not percent-encoded UTF-8 (RFC 3986)"),
            Self::Control(part) => write!(f, "{part} has a control character"),
            Self::Account => f.write_str("the label names no account"),
            Self::IssuerConflict => f.write_str("issuer differs from the one in the label"),
            Self::Parameter => f.write_str("a parameter has no '='"),
            Self::Unknown(name) => write!(f, "parameter {name:?} is not known"),
            Self::Duplicate(name) => write!(f, "parameter {name} stands twice"),
            Self::Missing(name) => write!(f, "parameter {name} is missing"),
            Self::Misplaced(name) => write!(f, "parameter {name} does not go with this kind"),
            Self::Value("digits") => f.write_str("digits must be 6, 7 or 8"),
            Self::Value("period") => f.write_str("period must be 15 to 300"),
            Self::Value("algorithm") => f.write_str("algorithm must be SHA1, SHA256 or SHA512"),
            Self::Value(name) => write!(f, "the value of {name} is not a number in range"),
            Self::Secret(error) => write!(f, "secret: {error}"),
        }
    }
}

impl core::error::Error for UriError {}

/// Why a text is not the base32 of a secret.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Base32Error {
    /// No character that counts.
    Empty,
    /// The character at this place, counted from 1 without spaces, is not in the alphabet.
    Character(usize),
    /// No number of bytes has that many characters, or the last one has bits too many: a part is
    /// missing.
    Length(usize),
}

impl fmt::Display for Base32Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::Character(place) => {
                write!(f, "character {place} is none of A to Z and 2 to 7")
            }
            Self::Length(count) => {
                write!(f, "{count} characters of base32 end amid a byte; was all of it copied?")
            }
        }
    }
}

impl core::error::Error for Base32Error {}

/// The secret in base32 (RFC 4648, 6), upper case, without padding, as authenticators take it.
#[must_use]
pub fn base32(secret: &Secret) -> Zeroizing<String> {
    Zeroizing::new(BASE32_NOPAD.encode(secret.expose()))
}

/// Reads base32 as people type it: any case, spaces anywhere, padding or none.
///
/// # Errors
/// When what is left is not base32 of whole bytes.
pub fn base32_decode(text: &str) -> Result<Secret, Base32Error> {
    let mut letters = Zeroizing::new(Vec::with_capacity(text.len()));
    letters.extend(text.bytes().filter(|byte| *byte != b' ').map(|byte| byte.to_ascii_uppercase()));
    let mut padding = 0;
    while padding < 6 && letters.last() == Some(&b'=') {
        letters.pop();
        padding += 1;
    }
    if letters.is_empty() {
        return Err(Base32Error::Empty);
    }
    let strange = |byte: &u8| !matches!(byte, b'A'..=b'Z' | b'2'..=b'7');
    if let Some(place) = letters.iter().position(strange) {
        return Err(Base32Error::Character(place + 1));
    }
    BASE32_NOPAD.decode(&letters).map(Secret::new).map_err(|_| Base32Error::Length(letters.len()))
}

impl OtpUri {
    /// The address, everything in it percent-encoded (RFC 3986, 2.1). [`OtpUri::parse`] reads it
    /// back unless issuer or account hold control characters or the account is empty.
    #[must_use]
    pub fn render(&self) -> Zeroizing<String> {
        let secret = base32(&self.secret);
        let names = 2 * self.issuer.len() + self.account.len();
        // Three bytes for a byte that is escaped; at full size it never moves.
        let mut out = Zeroizing::new(String::with_capacity(128 + 3 * names + secret.len()));
        out.push_str(match self.moving {
            Moving::Totp { .. } => "otpauth://totp/",
            Moving::Hotp { .. } => "otpauth://hotp/",
        });
        // Without an issuer, an account with a colon still needs the separator before it.
        if !self.issuer.is_empty() || self.account.contains(':') {
            escape(&mut out, &self.issuer);
            out.push(':');
        }
        escape(&mut out, &self.account);
        out.push_str("?secret=");
        out.push_str(&secret);
        if !self.issuer.is_empty() {
            out.push_str("&issuer=");
            escape(&mut out, &self.issuer);
        }
        let moving = match self.moving {
            Moving::Totp { period } => format!("&period={}", period.get()),
            Moving::Hotp { counter } => format!("&counter={counter}"),
        };
        out.push_str(&format!(
            "&algorithm={}&digits={}{moving}",
            self.algorithm,
            self.digits.get()
        ));
        out
    }

    /// Reads an address strictly: what is unknown, doubled or out of range is an error.
    ///
    /// # Errors
    /// [`UriError`], naming the part.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        let rest = text.strip_prefix("otpauth://").ok_or(UriError::Scheme)?;
        let (kind, rest) = rest.split_once('/').ok_or(UriError::Kind)?;
        let timed = match kind {
            "totp" => true,
            "hotp" => false,
            _ => return Err(UriError::Kind),
        };
        let (label, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (label_issuer, account) = split_label(label)?;
        let parameters = Parameters::read(query)?;
        let issuer = match (label_issuer, parameters.issuer) {
            (Some(first), Some(second)) if first != second => {
                return Err(UriError::IssuerConflict);
            }
            (Some(issuer), _) | (None, Some(issuer)) => issuer,
            (None, None) => String::new(),
        };
        let moving = match (timed, parameters.period, parameters.counter) {
            (true, _, Some(_)) => return Err(UriError::Misplaced("counter")),
            (false, Some(_), _) => return Err(UriError::Misplaced("period")),
            (true, period, None) => Moving::Totp { period: period.unwrap_or_default() },
            (false, None, Some(counter)) => Moving::Hotp { counter },
            (false, None, None) => return Err(UriError::Missing("counter")),
        };
        Ok(Self {
            issuer,
            account,
            secret: parameters.secret.ok_or(UriError::Missing("secret"))?,
            algorithm: parameters.algorithm.unwrap_or_default(),
            digits: parameters.digits.unwrap_or_default(),
            moving,
        })
    }
}

#[derive(Default)]
struct Parameters {
    secret: Option<Secret>,
    issuer: Option<String>,
    algorithm: Option<Algorithm>,
    digits: Option<Digits>,
    period: Option<Period>,
    counter: Option<u64>,
}

impl Parameters {
    fn read(query: &str) -> Result<Self, UriError> {
        let mut found = Self::default();
        for parameter in query.split('&').filter(|_| !query.is_empty()) {
            let (name, value) = parameter.split_once('=').ok_or(UriError::Parameter)?;
            match name {
                "secret" => put(&mut found.secret, "secret", value, |text| {
                    base32_decode(text).map_err(UriError::Secret)
                }),
                "issuer" => put(&mut found.issuer, "issuer", value, |text| Ok(text.to_owned())),
                "algorithm" => put(&mut found.algorithm, "algorithm", value, |text| {
                    text.parse().map_err(|_| UriError::Value("algorithm"))
                }),
                "digits" => put(&mut found.digits, "digits", value, |text| {
                    decimal(text, "digits")
                        .and_then(|n| u8::try_from(n).map_err(|_| UriError::Value("digits")))
                        .and_then(|n| n.try_into().map_err(|_| UriError::Value("digits")))
                }),
                "period" => put(&mut found.period, "period", value, |text| {
                    decimal(text, "period")?.try_into().map_err(|_| UriError::Value("period"))
                }),
                "counter" => {
                    put(&mut found.counter, "counter", value, |text| decimal(text, "counter"))
                }
                // Bounded: the name goes into messages.
                other => Err(UriError::Unknown(other.chars().take(32).collect())),
            }?;
        }
        Ok(found)
    }
}

fn put<T>(
    place: &mut Option<T>,
    name: &'static str,
    value: &str,
    read: impl FnOnce(&str) -> Result<T, UriError>,
) -> Result<(), UriError> {
    if place.is_some() {
        return Err(UriError::Duplicate(name));
    }
    *place = Some(read(&unescape(value, name)?)?);
    Ok(())
}

/// Digits only: `str::parse` would take a plus sign too.
fn decimal(text: &str, name: &'static str) -> Result<u64, UriError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(UriError::Value(name));
    }
    text.parse().map_err(|_| UriError::Value(name))
}

/// The separator is a colon; some programs escape it, which is understood where no plain one is.
fn split_label(label: &str) -> Result<(Option<String>, String), UriError> {
    let (issuer, account) = if let Some((issuer, account)) = label.split_once(':') {
        (Some(issuer), account)
    } else if let Some((issuer, account)) =
        label.split_once("%3A").or_else(|| label.split_once("%3a"))
    {
        (Some(issuer), account)
    } else {
        (None, label)
    };
    let account = unescape(account, "the account")?;
    if account.is_empty() {
        return Err(UriError::Account);
    }
    // An empty issuer before the colon says nothing, so it does not contradict the parameter.
    let issuer = match issuer {
        None | Some("") => None,
        Some(text) => Some(unescape(text, "the issuer")?.to_string()),
    };
    Ok((issuer, account.to_string()))
}

/// RFC 3986, 2.3: only unreserved characters stay as they are.
fn escape(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 0x0f] {
                out.extend(char::from_digit(u32::from(digit), 16).map(|c| c.to_ascii_uppercase()));
            }
        }
    }
}

fn unescape(text: &str, part: &'static str) -> Result<Zeroizing<String>, UriError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let mut digit = || {
                    rest.next()
                        .and_then(|digit| char::from(digit).to_digit(16))
                        .and_then(|digit| u8::try_from(digit).ok())
                        .ok_or(UriError::Encoding(part))
                };
                let (high, low) = (digit()?, digit()?);
                bytes.push(high << 4 | low);
            }
            // RFC 3986, 3.3 and 3.4: unreserved, sub-delims, and : @ / ? of path and query.
            b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+'
            | b',' | b';' | b'=' | b':' | b'@' | b'/' | b'?' => bytes.push(byte),
            _ if byte.is_ascii_alphanumeric() => bytes.push(byte),
            _ => return Err(UriError::Encoding(part)),
        }
    }
    let decoded = core::str::from_utf8(&bytes).map_err(|_| UriError::Encoding(part))?;
    // Names are shown on terminals.
    if decoded.chars().any(char::is_control) {
        return Err(UriError::Control(part));
    }
    Ok(Zeroizing::new(decoded.to_owned()))
}
