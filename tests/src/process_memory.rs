// SPDX-License-Identifier: GPL-3.0-or-later
//! The memory of another process, as a debugger or a core would show it.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

/// How often `text` is found in everything of it that can be read.
#[must_use]
pub fn count(pid: u32, text: &[u8]) -> usize {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("its maps");
    let memory = File::open(format!("/proc/{pid}/mem")).expect("its memory");
    let mut found = 0;
    for line in maps.lines() {
        let Some((range, rest)) = line.split_once(' ') else { continue };
        // What only the kernel can read, and what is a file on the disk, says nothing.
        if !rest.starts_with("rw") {
            continue;
        }
        let ends = range.split_once('-').and_then(|(from, to)| {
            Some((u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?))
        });
        let (from, to) = ends.expect("a range");
        let mut bytes = vec![0; usize::try_from(to - from).expect("a length")];
        let read = memory.read_at(&mut bytes, from).unwrap_or(0);
        bytes.truncate(read);
        found += bytes.windows(text.len()).filter(|window| *window == text).count();
    }
    found
}
