// SPDX-License-Identifier: GPL-3.0-or-later
//! An import needs the same memory however long the file is. Alone in its file: the figure is the
//! largest of all children of the process.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that clippy takes for tests"
)]

use std::fs::File;
use std::io::{BufWriter, Write};
use std::process::{Command, Stdio};

use nix::sys::resource::{UsageWho, getrusage};

/// The largest resident size of any child so far, in KiB, after checking a file of so many lines.
fn peak_after(lines: u32) -> i64 {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("users.oath");
    let mut file = BufWriter::new(File::create(&path).unwrap());
    for n in 0..u64::from(lines) {
        // Not in order.
        let name = n * 7919 % u64::from(lines);
        writeln!(file, "HOTP/T30\tuser{name:07}\t-\t{:040x}", n * 7919 + 1).unwrap();
    }
    // Found once all of it was read: no daemon is asked.
    writeln!(file, "nonsense").unwrap();
    file.flush().unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_mfa"))
        .args(["--quiet", "admin", "import", "--format", "users.oath"])
        .arg(&path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
    getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss()
}

#[test]
fn a_long_file_needs_32_bytes_a_line_and_no_more() {
    let short = peak_after(1_000);
    let long = peak_after(200_000);
    // 200,000 entries of 32 bytes are 6.1 MiB, twice that where their buffer has just grown, and once
    // more while it moves.
    assert!(long < short + 20 * 1024, "{short} KiB for 1,000 lines, {long} KiB for 200,000");
    assert!(long < 100 * 1024, "{long} KiB");
}
