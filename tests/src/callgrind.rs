// SPDX-License-Identifier: GPL-3.0-or-later
//! Instructions, counted by valgrind. It shows every program the same processor, one without
//! instructions for hashing, so the counts of one program hardly depend on the machine.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// The instructions that `program` executes in the code of `object` (the end of its path), those of
/// libc and of other libraries that it calls left out.
///
/// # Panics
/// Where valgrind or the program fails, and where no instruction is counted.
#[must_use]
pub fn instructions(object: &str, program: &Path, arguments: &[&str]) -> u64 {
    let home = tempfile::tempdir().expect("a private directory");
    let out = home.path().join("callgrind");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", &format!("--callgrind-out-file={}", out.display())])
        .arg(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("valgrind");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let counted = of_object(&fs::read_to_string(&out).expect("what valgrind counted"), object);
    assert!(counted > 0, "valgrind has counted nothing in {object}");
    counted
}

/// Adds up the lines of an object in callgrind's format: `ob=(ID) NAME` begins one, the name only the
/// first time; `calls=` announces a line with the cost of what is called, which counts elsewhere.
fn of_object(text: &str, object: &str) -> u64 {
    let mut ids = Vec::new();
    let (mut inside, mut sum) = (false, 0);
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(of) = line.strip_prefix("ob=").or_else(|| line.strip_prefix("cob=")) {
            let (id, name) = of.split_once(' ').unwrap_or((of, ""));
            if name.ends_with(object) {
                ids.push(id.to_owned());
            }
            if line.starts_with("ob=") {
                inside = ids.iter().any(|known| known == id);
            }
        } else if line.starts_with("calls=") {
            lines.next();
        } else if inside && line.starts_with(|first: char| "0123456789+-*".contains(first)) {
            let cost = line.split(' ').nth(1).and_then(|cost| cost.parse::<u64>().ok());
            sum += cost.unwrap_or(0);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_lines_of_the_object_itself_are_added_up() {
        let text = "summary: 999\n\nob=(1) /lib/libc.so.6\nfn=(1) malloc\n0 50\n\
            ob=(2) /x/libpam_mfa.so\nfn=(2)\n0 3\n+2 4\n* 1\ncob=(1)\ncfn=(1)\ncalls=1 0\n0 50\n0 5\n\
            ob=(1)\nfn=(1)\n0 60\nob=(2)\nfn=(3)\n0 7\ntotals: 999\n";
        assert_eq!(of_object(text, "libpam_mfa.so"), 20);
        assert_eq!(of_object(text, "libc.so.6"), 110);
        assert_eq!(of_object(text, "libm.so.6"), 0);
    }
}
