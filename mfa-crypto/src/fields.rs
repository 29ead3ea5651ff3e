// SPDX-License-Identifier: GPL-3.0-or-later
//! Concatenation that can be read in one way only: each field behind its length.
//!
//! A length is an unsigned 32-bit big-endian number of bytes. Without it, user `ab` with purpose
//! `c` would hash like user `a` with purpose `bc`.

use zeroize::Zeroizing;

/// The fields, each behind its length. The buffer erases itself: a field may be secret.
pub(crate) fn join(fields: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let size = fields.iter().map(|field| field.len() + 4).sum();
    // Made at its full size, so that it never moves and leaves a copy behind.
    let mut out = Zeroizing::new(Vec::with_capacity(size));
    for field in fields {
        // No field here comes near 4 GiB: frames are at most 64 KiB.
        let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(field);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::join;

    #[test]
    fn moving_a_byte_between_fields_changes_the_bytes() {
        assert_eq!(join(&[b"ab", b"c"]).as_slice(), b"\x00\x00\x00\x02ab\x00\x00\x00\x01c");
        assert_ne!(join(&[b"ab", b"c"]), join(&[b"a", b"bc"]));
        assert_ne!(join(&[b"", b"a"]), join(&[b"a", b""]));
        assert_ne!(join(&[b"a"]), join(&[b"a", b""]));
    }
}
