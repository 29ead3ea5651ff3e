// SPDX-License-Identifier: GPL-3.0-or-later
//! The generation mark: how far the database has come, kept in a file beside it. A database that has not
//! come so far is an older one that somebody has put back, or has lost the end of its log.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use super::open::{beside, sync_names};

/// The numbers once, and once more: a write that was torn apart does not look like a mark.
const LEN: usize = 2 * HALF;
const HALF: usize = 42;

/// How long what was written may be in the kernel's memory only. A crash of the daemon loses nothing of
/// it; losing it takes a power cut, and then somebody who puts an older database back.
const SYNC: Duration = Duration::from_secs(30);

/// How far a database has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// The number of the last audit event.
    pub(super) seq: u64,
    /// The last second, in Unix time, that belongs to a step whose code was accepted.
    pub(super) spent: u64,
}

/// What stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A mark.
    Mark(Mark),
    /// There is no file.
    Nothing,
    /// Something else.
    Damaged,
}

/// The file, open for as long as the store is.
pub(super) struct MarkFile {
    file: File,
    written: Option<Mark>,
    synced: Option<Instant>,
}

impl Mark {
    fn text(self) -> String {
        format!("{:020} {:020}\n", self.seq, self.spent).repeat(2)
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let (one, _) = text.split_at_checked(HALF).filter(|(one, other)| one == other)?;
        let (seq, spent) = std::str::from_utf8(one).ok()?.strip_suffix('\n')?.split_once(' ')?;
        Some(Self { seq: seq.parse().ok()?, spent: spent.parse().ok()? })
    }
}

/// Reads the file.
///
/// # Errors
/// Those of the file system.
pub(super) fn read(path: &Path) -> io::Result<Found> {
    match fs::read(path) {
        Ok(text) => Ok(Mark::parse(&text).map_or(Found::Damaged, Found::Mark)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Found::Nothing),
        Err(error) => Err(error),
    }
}

impl MarkFile {
    /// Opens the file, which is there.
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).open(path)?;
        Ok(Self { file, written: None, synced: None })
    }

    /// Makes the file with a first mark, in the place of whatever is there: whole and durable, or not at all. A
    /// part of one, which a power cut left, would be taken for damage.
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn create(path: &Path, mark: Mark) -> io::Result<Self> {
        let fresh = beside(path, ".new");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut made = Self { file: options.open(&fresh)?, written: None, synced: None };
        made.write(mark)?;
        fs::rename(&fresh, path)?;
        sync_names(path)?;
        Ok(made)
    }

    /// The mark that was written last.
    pub(super) fn written(&self) -> Mark {
        self.written.unwrap_or_default()
    }

    /// Writes the mark in place, which needs no space. Later than the commit that it tells of, before
    /// anybody is told of that.
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn write(&mut self, mark: Mark) -> io::Result<()> {
        if self.written == Some(mark) {
            return Ok(());
        }
        self.file.write_all_at(mark.text().as_bytes(), 0)?;
        if self.written.is_none() {
            self.file.set_len(LEN as u64)?;
        }
        if self.synced.is_none_or(|synced| synced.elapsed() >= SYNC) {
            self.file.sync_data()?;
            self.synced = Some(Instant::now());
        }
        self.written = Some(mark);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_back_and_anything_else_is_damage() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("mark");
        assert_eq!(read(&path).unwrap(), Found::Nothing);
        assert_eq!(MarkFile::open(&path).err().unwrap().kind(), io::ErrorKind::NotFound);
        let mut file = MarkFile::create(&path, Mark { seq: 1, spent: 2 }).unwrap();
        assert_eq!(read(&path).unwrap(), Found::Mark(Mark { seq: 1, spent: 2 }));
        for mark in [Mark { seq: 0, spent: 0 }, Mark { seq: u64::MAX, spent: 1_800_000_029 }] {
            file.write(mark).unwrap();
            assert_eq!(read(&path).unwrap(), Found::Mark(mark));
            assert_eq!(file.written(), mark);
        }
        let whole = fs::read(&path).unwrap();
        assert_eq!(whole.len(), LEN);
        for at in 0..LEN {
            let mut torn = whole.clone();
            torn[at] ^= 1;
            fs::write(&path, &torn).unwrap();
            assert_eq!(read(&path).unwrap(), Found::Damaged, "{at}");
            fs::write(&path, &whole[..at]).unwrap();
            assert_eq!(read(&path).unwrap(), Found::Damaged, "{at} bytes");
        }
        // A new one takes the place of what is no mark, and leaves nothing beside it.
        MarkFile::create(&path, Mark { seq: 5, spent: 6 }).unwrap();
        assert_eq!(read(&path).unwrap(), Found::Mark(Mark { seq: 5, spent: 6 }));
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
        // A file that was longer is cut to a mark.
        fs::write(&path, [b'x'; 500]).unwrap();
        MarkFile::open(&path).unwrap().write(Mark { seq: 3, spent: 4 }).unwrap();
        assert_eq!(read(&path).unwrap(), Found::Mark(Mark { seq: 3, spent: 4 }));
    }
}
