// SPDX-License-Identifier: GPL-3.0-or-later
//! A small disk of one's own: a file with an ext4 in it, mounted through a loop device, which a test can
//! fill, empty and make read-only. Mounting takes root, or sudo.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// Mounted until it is dropped.
pub struct Disk {
    home: TempDir,
}

impl Disk {
    /// One of so many MiB. An error in it makes it read-only, as distributions set it up.
    #[must_use]
    pub fn of_mib(size: u64) -> Self {
        let disk = Self { home: tempfile::tempdir().expect("a private directory") };
        let image = File::create(disk.image()).expect("the image");
        image.set_len(size * 1024 * 1024).expect("the image's size");
        run(false, &["mkfs.ext4", "-q", "-b", "4096", "-E", "nodiscard", &text(&disk.image())]);
        fs::create_dir(disk.path()).expect("the mount point");
        disk.mount("rw");
        let owner = format!("{}:{}", owner().uid(), owner().gid());
        run(true, &["chown", &owner, &text(&disk.path())]);
        disk
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.home.path().join("disk")
    }

    /// Writes until there is no block left, not even of those that are reserved for root.
    pub fn fill(&self) {
        // Space that was promised and is not taken yet, or freed and not given back yet, would return.
        for round in 0..20 {
            self.sync();
            let mut filler = File::create(self.filler(round)).expect("a file to fill with");
            let block = vec![round; 64 * 1024];
            while filler.write_all(&block).is_ok() {}
            while filler.write_all(&[round]).is_ok() {}
            self.sync();
            if self.free_blocks() == 0 && self.denies_a_block() {
                return;
            }
        }
        panic!("{} blocks are still free", self.free_blocks());
    }

    /// Removes what it was filled with.
    pub fn empty(&self) {
        for round in 0..20 {
            let _ = fs::remove_file(self.filler(round));
        }
        self.sync();
    }

    /// Blocks that root could still have.
    #[must_use]
    pub fn free_blocks(&self) -> u64 {
        let free = run(false, &["stat", "-f", "-c", "%f", &text(&self.path())]);
        String::from_utf8_lossy(&free.stdout).trim().parse().expect("a number of blocks")
    }

    /// Reports an error to the kernel's file system, which then writes nothing more.
    pub fn break_down(&self) {
        self.tell_kernel("trigger_fs_error", "test");
    }

    /// Writes to a file of the file system below `/sys`.
    fn tell_kernel(&self, file: &str, value: &str) {
        let source = run(false, &["findmnt", "-n", "-o", "SOURCE", &text(&self.path())]);
        let device = String::from_utf8_lossy(&source.stdout).trim().replace("/dev/", "");
        let script = format!("echo {value} >/sys/fs/ext4/{device}/{file}");
        run(true, &["sh", "-c", &script]);
    }

    /// Mounts it anew, `rw` or `ro`, and has it checked before. Nobody may be using it.
    pub fn remount(&self, how: &str) {
        run(true, &["umount", &text(&self.path())]);
        let image = text(&self.image());
        // 1: mistakes were mended.
        let checked = command(true, &["e2fsck", "-p", "-f", &image]).output().expect("e2fsck");
        assert!(matches!(checked.status.code(), Some(0 | 1)), "{checked:?}");
        self.mount(how);
    }

    fn mount(&self, how: &str) {
        let options = format!("loop,errors=remount-ro,{how}");
        run(true, &["mount", "-o", &options, &text(&self.image()), &text(&self.path())]);
        // What the kernel keeps back for itself would be free for ever.
        self.tell_kernel("reserved_clusters", "0");
    }

    fn denies_a_block(&self) -> bool {
        let path = self.path().join("probe");
        let denied = File::create(&path).and_then(|file| {
            file.write_all_at(&[1], 0)?;
            file.sync_all()
        });
        let _ = fs::remove_file(path);
        denied.is_err()
    }

    fn sync(&self) {
        run(false, &["sync", "-f", &text(&self.path())]);
    }

    fn image(&self) -> PathBuf {
        self.home.path().join("image")
    }

    fn filler(&self, round: u8) -> PathBuf {
        self.path().join(format!("filler{round}"))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a daemon of a test that failed may still be using it.
        let _ = command(true, &["umount", "-l", &text(&self.path())]).status();
    }
}

/// Of this process.
fn owner() -> fs::Metadata {
    fs::metadata("/proc/self").expect("this process")
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// The command; as root where that is wanted.
fn command(root: bool, words: &[&str]) -> Command {
    let sudo: &[&str] = if root && owner().uid() != 0 { &["sudo", "--"] } else { &[] };
    let words = [sudo, words].concat();
    let (program, arguments) = words.split_first().expect("a program");
    let mut command = Command::new(program);
    // mkfs and e2fsck are not in everybody's PATH.
    let path = std::env::var("PATH").unwrap_or_default();
    command.args(arguments).env("PATH", format!("{path}:/usr/sbin:/sbin"));
    command
}

fn run(root: bool, words: &[&str]) -> Output {
    let output = command(root, words).output().unwrap_or_else(|error| panic!("{words:?}: {error}"));
    assert!(output.status.success(), "{words:?}: {output:?}");
    output
}
