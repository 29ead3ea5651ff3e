// SPDX-License-Identifier: GPL-3.0-or-later
//! JSON as a reader of its own understands it, to compare what ours made of it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// A value of which no object has a key twice.
struct Once(Value);

/// The value; `None` where it is no JSON, or an object in it has a key twice.
pub(crate) fn read(bytes: &[u8]) -> Option<Value> {
    serde_json::from_slice(bytes).ok().map(|Once(value)| value)
}

/// Whether everything in `written` stands in `said`, so that nothing was made up but defaults. Where an object is
/// written, an array of its values may have been said, and where a word is written, an object of that word
/// and nothing: docs/protocol.md tells of both.
pub(crate) fn is_part(written: &Value, said: &Value) -> bool {
    match (written, said) {
        (Value::Object(written), Value::Object(said)) => written.iter().all(|(key, value)| {
            said.get(key).map_or(is_default(value), |said| is_part(value, said))
        }),
        (Value::Object(_), Value::Array(_)) => true,
        (Value::Array(written), Value::Array(said)) => {
            written.len() == said.len()
                && written.iter().zip(said).all(|(written, said)| is_part(written, said))
        }
        (Value::String(word), Value::Object(said)) => {
            said.len() == 1 && said.get(word).is_some_and(Value::is_null)
        }
        (written, said) => written == said,
    }
}

fn is_default(value: &Value) -> bool {
    value.is_null() || *value == 0 || *value == false || value.as_array().is_some_and(Vec::is_empty)
}

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OnceVisitor)
    }
}

struct OnceVisitor;

impl<'de> Visitor<'de> for OnceVisitor {
    type Value = Once;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Once, E> {
        Ok(Once(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Once, E> {
        Ok(Once(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Once, E> {
        Ok(Once(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Once, E> {
        Ok(Once(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Once, E> {
        Ok(Once(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Once, E> {
        Ok(Once(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Once, A::Error> {
        let mut values = Vec::new();
        while let Some(Once(value)) = array.next_element()? {
            values.push(value);
        }
        Ok(Once(values.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Once, A::Error> {
        let mut values = Map::new();
        while let Some((key, Once(value))) = object.next_entry::<String, Once>()? {
            if values.insert(key, value).is_some() {
                return Err(A::Error::custom("a key twice"));
            }
        }
        Ok(Once(values.into()))
    }
}
