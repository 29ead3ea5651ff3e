// SPDX-License-Identifier: GPL-3.0-or-later
//! Fields that more than one message carries: user names and typed codes.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::{Zeroize, Zeroizing};

/// A user's name: 1 to 256 bytes of UTF-8 without NUL, control characters or `/`, compared byte
/// for byte. It need not be in this host's passwd.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct UserName(String);

/// Why a text is no [`UserName`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UserNameError {
    /// No byte at all.
    Empty,
    /// More than [`UserName::MAX_BYTES`].
    TooLong(usize),
    /// A control character (NUL among them) or `/`.
    Character(char),
}

impl fmt::Display for UserNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "the user name is empty"),
            Self::TooLong(bytes) => write!(
                f,
                "the user name has {bytes} bytes, at most {} are allowed",
                UserName::MAX_BYTES
            ),
            Self::Character(c) => write!(f, "a user name may not contain {c:?}"),
        }
    }
}

impl std::error::Error for UserNameError {}

impl UserName {
    /// The longest name, in bytes (`LOGIN_NAME_MAX` of Linux).
    pub const MAX_BYTES: usize = 256;

    /// Checks `name` and takes it as it is; nothing is trimmed or folded.
    ///
    /// # Errors
    /// [`UserNameError`] says what is wrong with it.
    pub fn new(name: impl Into<String>) -> Result<Self, UserNameError> {
        let name = name.into();
        if name.is_empty() {
            return Err(UserNameError::Empty);
        }
        if name.len() > Self::MAX_BYTES {
            return Err(UserNameError::TooLong(name.len()));
        }
        match name.chars().find(|c| c.is_control() || *c == '/') {
            Some(c) => Err(UserNameError::Character(c)),
            None => Ok(Self(name)),
        }
    }

    /// The name itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// For people and logs: a name that could pass for more than a name, with a space or a direction
/// mark in it, comes quoted and escaped. Anybody may choose the name that sshd hands on.
impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |c: char| c.is_alphanumeric() || "._-@+$".contains(c);
        if self.0.chars().all(plain) { f.write_str(&self.0) } else { write!(f, "{:?}", self.0) }
    }
}

impl std::str::FromStr for UserName {
    type Err = UserNameError;

    fn from_str(name: &str) -> Result<Self, UserNameError> {
        Self::new(name)
    }
}

impl Serialize for UserName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for UserName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// What somebody typed where a code was asked for: not yet known to be one. Erased on drop, never
/// shown.
#[derive(Clone)]
pub struct TypedCode(Zeroizing<String>);

impl TypedCode {
    /// The longest text that is sent at all, in bytes. No code or recovery code comes near it.
    pub const MAX_BYTES: usize = 64;

    /// Takes the text, unless it is longer than any code can be.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        (text.len() <= Self::MAX_BYTES).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The text as it was typed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TypedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TypedCode(…)")
    }
}

impl Serialize for TypedCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for TypedCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut text = String::deserialize(deserializer)?;
        if text.len() > Self::MAX_BYTES {
            text.zeroize();
            return Err(de::Error::custom("the code is longer than any code can be"));
        }
        Ok(Self(Zeroizing::new(text)))
    }
}

/// A secret on its way to the one screen that shows it: erased on drop, never shown in debug output.
#[derive(Deserialize, Clone)]
#[serde(from = "String")]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Wraps the text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_names_are_taken_byte_for_byte_or_refused() {
        for good in ["root", "root ", "ROOT", "-x", "0", "%n%s", "user@dom", "ü"] {
            assert_eq!(UserName::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "root\0x", "../root", "a\nb", "a\u{7f}", &"x".repeat(257)] {
            assert!(UserName::new(bad).is_err(), "{bad:?}");
        }
        assert!(UserName::new("x".repeat(256)).is_ok());
    }

    #[test]
    fn a_name_that_could_forge_a_log_line_is_shown_quoted_and_escaped() {
        let shown = |name: &str| UserName::new(name).unwrap().to_string();
        assert_eq!(shown("user@dom.example"), "user@dom.example");
        assert_eq!(shown("eve accepted user=root"), "\"eve accepted user=root\"");
        assert_eq!(shown("a\u{202e}b\u{2028}"), "\"a\\u{202e}b\\u{2028}\"");
    }

    #[test]
    fn debug_output_of_a_code_or_secret_shows_no_content() {
        assert!(!format!("{:?}", TypedCode::new("123456").unwrap()).contains("123456"));
        assert!(!format!("{:?}", SecretText::new("GEZDGNBV")).contains("GEZDGNBV"));
        assert_eq!(serde_json::to_string(&SecretText::new("GEZD")).unwrap(), "\"GEZD\"");
    }

    #[test]
    fn a_code_longer_than_any_code_is_refused() {
        let long = "1".repeat(TypedCode::MAX_BYTES + 1);
        assert!(TypedCode::new(&long).is_none());
        assert!(serde_json::from_str::<TypedCode>(&format!("\"{long}\"")).is_err());
        assert!(serde_json::from_str::<TypedCode>("\"123456\"").is_ok());
    }
}
