// SPDX-License-Identifier: GPL-3.0-or-later
//! Groups as PEM files.

use super::checks::GroupError;
use der::{
    Decode, Encode, Reader, SliceReader,
    asn1::{AnyRef, UintRef},
};
use pem_rfc7468::LineEnding;

/// PKCS #3: `SEQUENCE { p INTEGER, g INTEGER, privateValueLength INTEGER OPTIONAL }`.
const PKCS3: &str = "DH PARAMETERS";
/// RFC 3279, 2.3.3: `SEQUENCE { p, g, q INTEGER, j INTEGER OPTIONAL, validationParms OPTIONAL }`.
const X942: &str = "X9.42 DH PARAMETERS";
/// 8192 bits and OpenSSL's text form of them are below 8 KiB.
const MAX_FILE: usize = 32 * 1024;

/// The numbers of a file, none of them checked.
pub(super) struct Numbers {
    pub(super) p: Vec<u8>,
    pub(super) g: Vec<u8>,
    /// Only the X9.42 form states the order.
    pub(super) q: Option<Vec<u8>>,
}

pub(super) fn decode(text: &str) -> Result<Numbers, GroupError> {
    if text.len() > MAX_FILE {
        return Err(GroupError::FileTooLong { bytes: text.len() });
    }
    let (label, document) = pem_rfc7468::decode_vec(text.as_bytes()).map_err(GroupError::Pem)?;
    let with_order = match label {
        PKCS3 => false,
        X942 => true,
        other => return Err(GroupError::Label(other.chars().take(64).collect())),
    };
    read(&document, with_order).map_err(GroupError::Der)
}

pub(super) fn encode(p: &[u8], g: &[u8]) -> Result<String, GroupError> {
    let document = write(p, g).map_err(GroupError::Der)?;
    pem_rfc7468::encode_string(PKCS3, LineEnding::LF, &document).map_err(GroupError::Pem)
}

fn read(document: &[u8], with_order: bool) -> Result<Numbers, der::Error> {
    let mut reader = SliceReader::new(document)?;
    let numbers = reader.sequence(|fields| {
        let p = integer(fields)?;
        let g = integer(fields)?;
        let q = with_order.then(|| integer(fields)).transpose()?;
        if with_order {
            Option::<UintRef<'_>>::decode(fields)?;
            // The seed and counter that P was made with: nothing here depends on them.
            Option::<AnyRef<'_>>::decode(fields)?;
        } else {
            Option::<u32>::decode(fields)?;
        }
        Ok::<_, der::Error>(Numbers { p, g, q })
    })?;
    reader.finish()?;
    Ok(numbers)
}

/// DER refuses negative numbers and needless zeros here.
fn integer<'a>(reader: &mut impl Reader<'a>) -> Result<Vec<u8>, der::Error> {
    Ok(UintRef::decode(reader)?.as_bytes().to_vec())
}

fn write(p: &[u8], g: &[u8]) -> Result<Vec<u8>, der::Error> {
    vec![UintRef::new(p)?, UintRef::new(g)?].to_der()
}
