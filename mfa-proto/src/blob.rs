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
        let bytes = decode(text.as_bytes());
        if let Cow::Owned(mut text) = text {
            text.zeroize();
        }
        bytes.map(Self).map_err(|why| de::Error::custom(format_args!("not base64: {why}")))
    }
}

/// One text for each value: the library reads one padded text after the other as well.
fn decode(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
    match text.iter().position(|byte| *byte == b'=') {
        Some(at) if text.len() - at > 2 => Err(format!("padding at offset {at}")),
        _ => BASE64.decode(text).map(Zeroizing::new).map_err(|error| error.to_string()),
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
        for (text, bytes) in [("", vec![]), ("AA==", vec![0]), ("AAA=", vec![0; 2])] {
            let read = serde_json::from_str::<Blob>(&format!("\"{text}\"")).unwrap();
            assert_eq!(read.as_bytes(), bytes, "{text}");
        }
        for text in
            ["AP8", "A", "=", "====", "AA=A", "AAA=AAA=", "AA==AA==", "AAB=", "AP8H\n", "AP-_"]
        {
            assert!(serde_json::from_str::<Blob>(&format!("\"{text}\"")).is_err(), "{text}");
        }
    }
}
