// SPDX-License-Identifier: GPL-3.0-or-later
//! Binary values in messages.

use std::borrow::Cow;
use std::fmt;

use data_encoding::BASE64;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::{Zeroize, Zeroizing};

/// A binary value, base64 (RFC 4648 section 4, padded) on the wire. Erased on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct Blob(Zeroizing<Vec<u8>>);

impl Blob {
    /// Wraps the bytes.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({} bytes)", self.0.len())
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = Zeroizing::new(BASE64.encode(&self.0));
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let bytes = BASE64
            .decode(text.as_bytes())
            .map_err(|error| de::Error::custom(format_args!("not base64: {error}")))?;
        if let Cow::Owned(mut text) = text {
            text.zeroize();
        }
        Ok(Self(Zeroizing::new(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_shows_no_content() {
        assert_eq!(format!("{:?}", Blob::new(*b"123456")), "Blob(6 bytes)");
    }

    #[test]
    fn binary_fields_survive_the_wire_and_bad_base64_is_refused() {
        let blob = Blob::new(vec![0, 255, 7]);
        let text = serde_json::to_string(&blob).unwrap();
        assert_eq!(text, "\"AP8H\"");
        assert_eq!(serde_json::from_str::<Blob>(&text).unwrap(), blob);
        assert!(serde_json::from_str::<Blob>("\"AP8\"").is_err());
    }
}
