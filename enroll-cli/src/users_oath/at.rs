// SPDX-License-Identifier: GPL-3.0-or-later
//! Lines of a file by where they begin, in whatever order. Where they come one after the other, as in
//! a file that is in order already, they are read in large pieces.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use zeroize::Zeroizing;

use super::file::LINE_MAX;

/// Read where lines follow each other.
const AHEAD: usize = 64 * 1024;

/// Read where they do not: more than almost every line.
const ALONE: usize = 256;

/// A file and a piece of it.
pub(super) struct LinesAt {
    file: File,
    piece: Zeroizing<Vec<u8>>,
    /// Where the piece begins.
    start: u64,
    /// Where the last line ended.
    end: u64,
}

impl LinesAt {
    pub(super) fn new(file: File) -> Self {
        Self { file, piece: Zeroizing::new(Vec::with_capacity(AHEAD)), start: 0, end: 0 }
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// The line at `offset`, without its end; cut where it is longer than any line.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn line(&mut self, offset: u64) -> io::Result<&[u8]> {
        if self.length_at(offset).is_none() {
            let size = if offset == self.end { AHEAD } else { ALONE };
            self.read(offset, size)?;
            if self.length_at(offset).is_none() {
                self.read(offset, LINE_MAX + 1)?;
            }
        }
        let length = self.length_at(offset).unwrap_or(self.piece.len());
        self.end = offset + length as u64 + 1;
        let from = usize::try_from(offset - self.start).unwrap_or(usize::MAX);
        Ok(self.piece.get(from..from + length).unwrap_or_default())
    }

    /// The length of the line at `offset`, where its end is in the piece.
    fn length_at(&self, offset: u64) -> Option<usize> {
        let from = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        self.piece.get(from..)?.iter().position(|byte| *byte == b'\n')
    }

    fn read(&mut self, offset: u64, size: usize) -> io::Result<()> {
        self.start = offset;
        self.piece.resize(size, 0);
        let mut filled = 0;
        while let Some(room @ [_, ..]) = self.piece.get_mut(filled..) {
            match self.file.read_at(room, offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.piece.truncate(filled);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn lines_are_read_from_wherever_they_begin() {
        let lines: Vec<String> = (0..3000)
            .map(|n| format!("{n} {}", "x".repeat(if n % 500 == 7 { 2000 } else { n % 60 })))
            .collect();
        let mut file = tempfile::tempfile().unwrap();
        let mut offsets = Vec::new();
        let mut offset = 0;
        for line in &lines {
            offsets.push(offset);
            offset += line.len() as u64 + 1;
        }
        // The last line has no end.
        file.write_all(lines.join("\n").as_bytes()).unwrap();
        let mut at = LinesAt::new(file);
        let backwards = (0..lines.len()).rev();
        let jumping = (0..lines.len()).map(|n| n * 1237 % lines.len());
        for n in (0..lines.len()).chain(backwards).chain(jumping) {
            assert_eq!(at.line(offsets[n]).unwrap(), lines[n].as_bytes(), "{n}");
        }
        assert_eq!(at.line(offset + 10).unwrap(), b"");
    }
}
