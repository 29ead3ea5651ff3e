// SPDX-License-Identifier: GPL-3.0-or-later
//! A frame: a 4-byte big-endian length and that many bytes of UTF-8 JSON, one object with the
//! version `v`, the `id` that the answer repeats, and the fields of one message.
//!
//! Unknown fields, duplicate keys, another version and trailing bytes are errors: two readers must
//! never understand one frame differently.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use zeroize::Zeroizing;

/// The longest payload of a frame, in bytes.
pub const FRAME_MAX: usize = 65_536;

/// The protocol's version, the `v` of every frame.
pub const VERSION: u64 = 1;

/// Bytes of the length before the payload.
pub const HEADER_LEN: usize = 4;

/// One message with its number.
#[derive(Serialize, Debug)]
pub struct Frame<T> {
    v: u64,
    /// Chosen by the one who asks, repeated by the one who answers.
    pub id: u64,
    /// The message, an object with its `type`.
    #[serde(flatten)]
    pub body: T,
}

/// Why bytes are not a frame that this side understands.
#[derive(Debug)]
pub enum FrameError {
    /// The header announces more than [`FRAME_MAX`] bytes.
    TooLong(usize),
    /// The header announces nothing.
    Empty,
    /// The payload is no message: what and where.
    Malformed(serde_json::Error),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(len) => {
                write!(f, "a frame of {len} bytes, at most {FRAME_MAX} are allowed")
            }
            Self::Empty => write!(f, "a frame without content"),
            Self::Malformed(error) => write!(f, "not a valid message: {error}"),
        }
    }
}

impl std::error::Error for FrameError {}

impl FrameError {
    /// What and where, without a word of what the frame holds: for logs.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::TooLong(_) | Self::Empty => self.to_string(),
            Self::Malformed(error) => {
                let (line, column) = (error.line(), error.column());
                format!("{:?} error at line {line} column {column}", error.classify())
            }
        }
    }
}

impl<T> Frame<T> {
    /// A frame of this version.
    #[must_use]
    pub fn new(id: u64, body: T) -> Self {
        Self { v: VERSION, id, body }
    }
}

/// The length of the payload that `header` announces, checked before anything is allocated.
///
/// # Errors
/// [`FrameError::TooLong`] or [`FrameError::Empty`].
pub fn payload_len(header: [u8; HEADER_LEN]) -> Result<usize, FrameError> {
    // A u32 fits a usize on every platform that has Unix sockets and PAM.
    let len = usize::try_from(u32::from_be_bytes(header)).unwrap_or(usize::MAX);
    match len {
        0 => Err(FrameError::Empty),
        len if len > FRAME_MAX => Err(FrameError::TooLong(len)),
        len => Ok(len),
    }
}

/// Header and payload of `body`, ready to be written. The buffer is erased on drop and allocated
/// once, so that no copy of a code stays behind in freed memory.
///
/// # Errors
/// [`FrameError::TooLong`] where the message does not fit a frame.
pub fn encode<T: Serialize>(id: u64, body: T) -> Result<Zeroizing<Vec<u8>>, FrameError> {
    let mut sink = Capped(Zeroizing::new(Vec::with_capacity(HEADER_LEN + 1024)));
    sink.0.extend_from_slice(&[0; HEADER_LEN]);
    serde_json::to_writer(&mut sink, &Frame::new(id, body)).map_err(FrameError::Malformed)?;
    let Capped(mut bytes) = sink;
    let len = bytes.len().saturating_sub(HEADER_LEN);
    let header = u32::try_from(len)
        .ok()
        .filter(|_| len <= FRAME_MAX)
        .ok_or(FrameError::TooLong(len))?
        .to_be_bytes();
    if let Some(start) = bytes.first_chunk_mut::<HEADER_LEN>() {
        *start = header;
    }
    Ok(bytes)
}

/// Reads one message from the payload of a frame.
///
/// # Errors
/// [`FrameError::Malformed`] for anything but exactly one message.
pub fn decode<T: DeserializeOwned>(payload: &[u8]) -> Result<Frame<T>, FrameError> {
    serde_json::from_slice(payload).map_err(FrameError::Malformed)
}

/// A growing buffer that erases what it leaves behind when it has to move.
struct Capped(Zeroizing<Vec<u8>>);

impl std::io::Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.capacity() - self.0.len() < bytes.len() {
            let mut larger = Vec::with_capacity((self.0.len() + bytes.len()) * 2);
            larger.extend_from_slice(&self.0);
            self.0 = Zeroizing::new(larger);
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Frame<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FrameVisitor(PhantomData))
    }
}

struct FrameVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for FrameVisitor<T> {
    type Value = Frame<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with v, id and type")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Frame<T>, A::Error> {
        let mut head = Head { map, v: None, id: None };
        let body = T::deserialize(MapAccessDeserializer::new(&mut head))?;
        head.v.ok_or_else(|| de::Error::missing_field("v"))?;
        let id = head.id.ok_or_else(|| de::Error::missing_field("id"))?;
        Ok(Frame::new(id, body))
    }
}

/// The map without `v` and `id`, which it keeps: so that the message itself sees only its own keys
/// and can refuse the others. (`flatten` would switch that refusal off.)
struct Head<A> {
    map: A,
    v: Option<u64>,
    id: Option<u64>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for &mut Head<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        loop {
            let Some(key) = self.map.next_key::<String>()? else {
                return Ok(None);
            };
            match key.as_str() {
                "v" if self.v.is_some() => return Err(de::Error::duplicate_field("v")),
                "v" => {
                    let v = self.map.next_value()?;
                    if v != VERSION {
                        return Err(de::Error::custom(format_args!(
                            "protocol version {v}, only {VERSION} is spoken here"
                        )));
                    }
                    self.v = Some(v);
                }
                "id" if self.id.is_some() => return Err(de::Error::duplicate_field("id")),
                "id" => self.id = Some(self.map.next_value()?),
                _ => return seed.deserialize(key.into_deserializer()).map(Some),
            }
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::login::{Begin, BeginAnswer, Origin, VerifyAnswer};
    use crate::{ErrorAnswer, ErrorCode, Request};
    use crate::{TypedCode, UserName};

    fn malformed(text: &str) -> String {
        match decode::<Request>(text.as_bytes()) {
            Err(error) => error.to_string(),
            Ok(frame) => panic!("taken as {frame:?}"),
        }
    }

    #[test]
    fn a_request_reads_back_as_it_was_written() {
        let begin = Request::Begin(Begin {
            user: UserName::new("alice").unwrap(),
            origin: Origin {
                service: "sshd".into(),
                rhost: Some("::1".into()),
                ..Origin::default()
            },
        });
        let bytes = encode(7, &begin).unwrap();
        let len = payload_len(*bytes.first_chunk().unwrap()).unwrap();
        assert_eq!(len, bytes.len() - HEADER_LEN);
        let text = std::str::from_utf8(&bytes[HEADER_LEN..]).unwrap();
        assert_eq!(
            text,
            r#"{"v":1,"id":7,"type":"begin","user":"alice","origin":{"service":"sshd","rhost":"::1"}}"#
        );
        let back = decode::<Request>(text.as_bytes()).unwrap();
        assert_eq!(back.id, 7);
        assert!(matches!(back.body, Request::Begin(b) if b.user.as_str() == "alice"));
    }

    #[test]
    fn anything_but_exactly_one_message_is_refused_with_its_reason() {
        let good = r#"{"v":1,"id":1,"type":"status","user":"a"}"#;
        assert!(decode::<Request>(good.as_bytes()).is_ok());
        let reordered = r#"{"user":"a","type":"status","id":1,"v":1}"#;
        assert!(decode::<Request>(reordered.as_bytes()).is_ok());
        for (bad, reason) in [
            (r#"{"v":1,"id":1,"type":"status","user":"a"} "x""#, "trailing"),
            (r#"{"v":1,"id":1,"type":"status","user":"a","x":1}"#, "unknown field `x`"),
            (r#"{"v":1,"id":1,"type":"status","user":"a","user":"b"}"#, "duplicate field `user`"),
            (r#"{"v":1,"id":1,"type":"status","type":"status","user":"a"}"#, "duplicate field"),
            (r#"{"v":1,"v":1,"id":1,"type":"status","user":"a"}"#, "duplicate field `v`"),
            (r#"{"v":1,"id":1,"id":2,"type":"status","user":"a"}"#, "duplicate field `id`"),
            (r#"{"v":2,"id":1,"type":"status","user":"a"}"#, "protocol version 2"),
            (r#"{"id":1,"type":"status","user":"a"}"#, "missing field `v`"),
            (r#"{"v":1,"type":"status","user":"a"}"#, "missing field `id`"),
            (r#"{"v":1,"id":-1,"type":"status","user":"a"}"#, "invalid value"),
            (r#"{"v":1,"id":1,"type":"nonsense"}"#, "unknown variant `nonsense`"),
            (r#"{"v":1,"id":1,"user":"a"}"#, "missing field `type`"),
            (r#"{"v":1,"id":1,"type":"params","x":1}"#, "unknown field `x`"),
            (r#"{"v":1,"id":1,"type":"status","user":"a\u0000"}"#, "may not contain"),
            (
                r#"{"v":1,"id":1,"type":"begin","user":"a","origin":{"service":"s","service":"t"}}"#,
                "duplicate field `service`",
            ),
            (
                r#"{"v":1,"id":1,"type":"begin","user":"a","origin":{"service":"s","x":1}}"#,
                "unknown field `x`",
            ),
            (r"[1]", "invalid type"),
            ("", "EOF"),
            ("\u{0}", "expected value"),
        ] {
            let error = malformed(bad);
            assert!(error.contains(reason), "{bad}: {error}");
        }
        assert!(matches!(decode::<Request>(b"{\"v\":1,\"\xff\"}"), Err(FrameError::Malformed(_))));
    }

    #[test]
    fn what_is_logged_of_a_malformed_frame_quotes_nothing_of_it() {
        let verify = br#"{"v":1,"id":1,"type":"verify","user":"a","code":913377}"#;
        let error = decode::<Request>(verify).unwrap_err();
        assert!(error.to_string().contains("913377"), "the test has lost its point");
        assert_eq!(error.place(), "Data error at line 1 column 55");
    }

    #[test]
    fn nesting_without_end_is_refused_and_not_followed() {
        let deep = format!(r#"{{"v":1,"id":1,"type":"status","user":{}"#, "[".repeat(60_000));
        assert!(malformed(&deep).contains("recursion limit"));
    }

    #[test]
    fn the_length_is_checked_at_its_edges() {
        let header = |len: u32| len.to_be_bytes();
        assert_eq!(payload_len(header(1)).unwrap(), 1);
        assert_eq!(payload_len(header(65_536)).unwrap(), 65_536);
        assert!(matches!(payload_len(header(65_537)), Err(FrameError::TooLong(65_537))));
        assert!(matches!(payload_len(header(u32::MAX)), Err(FrameError::TooLong(_))));
        assert!(matches!(payload_len(header(0)), Err(FrameError::Empty)));
    }

    #[test]
    fn a_message_that_does_not_fit_a_frame_is_not_written() {
        let message = |len| ErrorAnswer { code: ErrorCode::Busy, message: "x".repeat(len) };
        assert!(encode(1, message(60_000).tagged()).is_ok());
        assert!(matches!(encode(1, message(70_000).tagged()), Err(FrameError::TooLong(_))));
    }

    #[test]
    fn a_refusal_reads_as_the_error_of_every_answer() {
        let refusal = ErrorAnswer { code: ErrorCode::NotPermitted, message: "no".into() };
        let bytes = encode(3, refusal.tagged()).unwrap();
        let payload = &bytes[HEADER_LEN..];
        assert_eq!(
            decode::<BeginAnswer>(payload).unwrap().body,
            BeginAnswer::Error(refusal.clone())
        );
        assert_eq!(decode::<VerifyAnswer>(payload).unwrap().body, VerifyAnswer::Error(refusal));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode::<Request>(&bytes);
            let _ = decode::<VerifyAnswer>(&bytes);
        }

        #[test]
        fn every_code_that_fits_survives_the_wire(text in "\\PC{0,16}", id in any::<u64>()) {
            let code = TypedCode::new(&text).unwrap();
            let request = Request::Verify(crate::login::Verify {
                user: UserName::new("a").unwrap(),
                code,
                origin: Origin::default(),
            });
            let bytes = encode(id, &request).unwrap();
            let back = decode::<Request>(&bytes[HEADER_LEN..]).unwrap();
            prop_assert_eq!(back.id, id);
            let Request::Verify(verify) = back.body else { panic!("another message") };
            prop_assert_eq!(verify.code.as_str(), text);
        }
    }
}
