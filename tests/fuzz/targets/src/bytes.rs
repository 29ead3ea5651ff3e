// SPDX-License-Identifier: GPL-3.0-or-later
//! An input, read from its beginning: whatever it lacks is zero.

pub(crate) struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self(input)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u8) -> u8 {
        self.byte() % end
    }

    /// A number from -128 to 127.
    pub(crate) fn signed(&mut self) -> i64 {
        i64::from(self.byte().cast_signed())
    }

    /// One time in four.
    pub(crate) fn seldom(&mut self) -> bool {
        self.byte() >= 192
    }

    /// As many bytes as the first two say, or as there are.
    pub(crate) fn text(&mut self) -> &'a [u8] {
        let len = usize::from(self.byte()) << 8 | usize::from(self.byte());
        let (text, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        text
    }
}
