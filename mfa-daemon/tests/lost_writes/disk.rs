// SPDX-License-Identifier: GPL-3.0-or-later
//! A disk that loses what was not synced: what may be on it after a crash.
//!
//! A sector of 512 bytes is written whole or not at all; apart from that, anything that was not synced may be
//! there or not, in any order. Names of files are as the last sync of their directory left them, with any
//! of the later changes.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::trace::Op;

const SECTOR: u64 = 512;

/// SplitMix64: what it draws follows from the seed that was printed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap()
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }
}

/// How much of what was not synced has reached the disk.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kept {
    Nothing,
    Everything,
    /// The first changes, the last of them torn.
    First,
    /// Any sectors.
    Some,
}

impl Kept {
    pub(crate) const ALL: [Self; 4] = [Self::Nothing, Self::Everything, Self::First, Self::Some];
}

#[derive(Clone, Debug)]
enum Change {
    Write { at: u64, bytes: Vec<u8> },
    Length(u64),
}

#[derive(Clone, Debug)]
enum Naming {
    Add(String, usize),
    Remove(String),
    Rename(String, String, usize),
}

#[derive(Default)]
struct File {
    durable: Vec<u8>,
    pending: Vec<Change>,
}

/// The files as the operations have left them so far.
#[derive(Default)]
pub(crate) struct Disk {
    files: Vec<File>,
    /// What the running system sees.
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    pending_names: Vec<Naming>,
}

impl Disk {
    pub(crate) fn apply(&mut self, op: &Op) {
        match op {
            Op::Open { file, truncate } => {
                if !self.names.contains_key(file) {
                    self.files.push(File::default());
                    self.rename(Naming::Add(file.clone(), self.files.len() - 1));
                } else if *truncate {
                    self.file(file).pending.push(Change::Length(0));
                }
            }
            Op::Write { file, at, bytes } => {
                self.file(file).pending.push(Change::Write { at: *at, bytes: bytes.clone() });
            }
            Op::Length { file, bytes } => self.file(file).pending.push(Change::Length(*bytes)),
            Op::Sync { file } => {
                let file = self.file(file);
                for change in std::mem::take(&mut file.pending) {
                    put(&mut file.durable, &change, &mut |_| true);
                }
            }
            Op::SyncNames => {
                for naming in std::mem::take(&mut self.pending_names) {
                    name(&mut self.durable_names, &naming);
                }
            }
            Op::Rename { from, to } => {
                let file = self.names[from];
                self.rename(Naming::Rename(from.clone(), to.clone(), file));
            }
            Op::Link { from, to } => self.rename(Naming::Add(to.clone(), self.names[from])),
            Op::Remove { file } => {
                if self.names.contains_key(file) {
                    self.rename(Naming::Remove(file.clone()));
                }
            }
            Op::Answer { .. } => {}
        }
    }

    fn rename(&mut self, naming: Naming) {
        name(&mut self.names, &naming);
        self.pending_names.push(naming);
    }

    fn file(&mut self, name: &str) -> &mut File {
        let number = self.names.get(name).unwrap_or_else(|| panic!("{name} was never opened"));
        &mut self.files[*number]
    }

    /// Puts what a crash may leave into this directory.
    pub(crate) fn crash(&self, kept: Kept, random: &mut Random, into: &Path) {
        let mut names = self.durable_names.clone();
        let (some, first) = (random.chance(30), random.below(self.pending_names.len() + 1));
        for (at, naming) in self.pending_names.iter().enumerate() {
            let keep = match kept {
                Kept::Nothing => false,
                Kept::Everything => true,
                Kept::Some if some => random.chance(50),
                Kept::First | Kept::Some => at < first,
            };
            if keep {
                name(&mut names, naming);
            }
        }
        // A file of two names is one file.
        let mut contents: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
        for (file, number) in names {
            let content =
                contents.entry(number).or_insert_with(|| self.files[number].crash(kept, random));
            let path = into.join(&file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(0o600);
            options.open(path).unwrap().write_all(content).unwrap();
        }
    }
}

impl File {
    fn crash(&self, kept: Kept, random: &mut Random) -> Vec<u8> {
        let mut content = self.durable.clone();
        match kept {
            Kept::Nothing => {}
            Kept::Everything => {
                self.pending.iter().for_each(|change| put(&mut content, change, &mut |_| true));
            }
            Kept::First => {
                let count = random.below(self.pending.len() + 1);
                for change in self.pending.iter().take(count) {
                    put(&mut content, change, &mut |_| true);
                }
                if let Some(torn) = self.pending.get(count) {
                    let mut left = random.below(9);
                    put(&mut content, torn, &mut |_| {
                        left = left.saturating_sub(1);
                        left > 0
                    });
                }
            }
            Kept::Some => {
                let percent = [2, 10, 50, 90, 98][random.below(5)];
                // A sector is one of its states: behind a change that it has lost come no later ones.
                let mut stopped = HashSet::new();
                for change in &self.pending {
                    put(&mut content, change, &mut |sector| {
                        if !stopped.contains(&sector) && !random.chance(percent) {
                            stopped.insert(sector);
                        }
                        !stopped.contains(&sector)
                    });
                }
            }
        }
        content
    }
}

/// Those sectors of a change that `keep` wants.
fn put(content: &mut Vec<u8>, change: &Change, keep: &mut impl FnMut(u64) -> bool) {
    match change {
        Change::Length(bytes) => {
            // It is that of the last sector's state.
            if keep(u64::MAX) {
                content.resize(usize::try_from(*bytes).unwrap(), 0);
            }
        }
        Change::Write { at, bytes } => {
            let end = at + bytes.len() as u64;
            for sector in at / SECTOR..end.div_ceil(SECTOR) {
                if !keep(sector) {
                    continue;
                }
                let (from, to) = ((sector * SECTOR).max(*at), ((sector + 1) * SECTOR).min(end));
                let place = |n: u64| usize::try_from(n).unwrap();
                if content.len() < place(to) {
                    content.resize(place(to), 0);
                }
                content[place(from)..place(to)]
                    .copy_from_slice(&bytes[place(from - at)..place(to - at)]);
            }
        }
    }
}

fn name(names: &mut BTreeMap<String, usize>, naming: &Naming) {
    match naming {
        Naming::Add(file, number) => {
            names.insert(file.clone(), *number);
        }
        Naming::Remove(file) => {
            names.remove(file);
        }
        Naming::Rename(from, to, number) => {
            names.remove(from);
            names.insert(to.clone(), *number);
        }
    }
}
