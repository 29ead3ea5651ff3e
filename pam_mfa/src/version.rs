// SPDX-License-Identifier: GPL-3.0-or-later
//! The version as a note in the file (elf(5)), to be read without loading it: `readelf -n`, `what`, `mfa
//! doctor`. The text after `@(#)` is the form that what(1) of POSIX looks for.

const TEXT: &[u8] = concat!("@(#)pam_mfa ", env!("CARGO_PKG_VERSION")).as_bytes();

/// With a NUL at least, and up to the boundary that notes end at.
const TEXT_LEN: usize = (TEXT.len() + 1).next_multiple_of(4);

#[repr(C, align(4))]
struct Note {
    name_len: u32,
    text_len: u32,
    kind: u32,
    name: [u8; 4],
    text: [u8; TEXT_LEN],
}

/// Linkers keep notes although nothing refers to them.
#[expect(unsafe_code, reason = "the section is one that nothing else uses and nothing writes")]
#[used]
// SAFETY: what stands there has the form of a note.
#[unsafe(link_section = ".note.pam_mfa")]
static VERSION: Note = Note {
    name_len: 4,
    #[expect(clippy::cast_possible_truncation, reason = "some thirty bytes")]
    text_len: TEXT_LEN as u32,
    kind: 1,
    name: *b"mfa\0",
    text: {
        let mut text = [0; TEXT_LEN];
        text.split_at_mut(TEXT.len()).0.copy_from_slice(TEXT);
        text
    },
};
