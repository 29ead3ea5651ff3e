// SPDX-License-Identifier: GPL-3.0-or-later
//! System calls, as strace(1) sees them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::daemon::within;

/// How often each call was made.
pub type Calls = BTreeMap<String, u64>;

/// The calls of the first thread of a program that must succeed.
///
/// # Panics
/// Where strace or the program fails.
#[must_use]
pub fn calls_of(command: &mut Command) -> Calls {
    let home = tempfile::tempdir().expect("a private directory");
    let summary = home.path().join("calls");
    let mut strace = Command::new("strace");
    strace.args(["-c", "-U", "calls,name", "-o"]).arg(&summary);
    strace.arg(command.get_program()).args(command.get_args());
    let output = strace.stdin(Stdio::null()).output().expect("strace");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(&summary).expect("what strace counted");
    let rows = text.lines().filter_map(|line| {
        let (count, name) = line.trim().split_once(' ')?;
        Some((name.trim().to_owned(), count.parse().ok()?))
    });
    rows.filter(|(name, _)| name != "total").collect()
}

/// A program that runs `program` with every call of every thread written to `trace`. strace steps
/// aside: the process is the program's own, so it can be sent signals and waited for.
#[must_use]
pub fn traced(program: &Path, home: &Path, trace: &Path) -> PathBuf {
    let script = home.join("traced");
    let text = format!(
        "#!/bin/sh\nexec strace -D -f -o '{}' '{}' \"$@\"\n",
        trace.display(),
        program.display()
    );
    fs::write(&script, text).expect("the script");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).expect("its mode");
    script
}

/// What was made of each call, line by line, once the program has ended.
///
/// # Panics
/// Where the trace does not come to its end.
#[must_use]
pub fn complete(trace: &Path) -> String {
    let ended = within(Duration::from_secs(20), || {
        let text = fs::read_to_string(trace).unwrap_or_default();
        let first = text.split_whitespace().next();
        let mut ends = text.lines().filter(|line| line.contains(" +++ exited "));
        ends.any(|line| line.split_whitespace().next() == first).then_some(text)
    });
    ended.expect("the end of what strace writes")
}

/// One call: its name, and what it returned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Made<'a> {
    /// Of the call.
    pub name: &'a str,
    /// As strace writes it.
    pub result: &'a str,
}

/// The calls of a trace in the order in which they ended.
pub fn made(trace: &str) -> impl Iterator<Item = Made<'_>> {
    trace.lines().filter_map(|line| {
        let (_, call) = line.trim_start().split_once(' ')?;
        let call = call.trim_start();
        let name = match call.strip_prefix("<... ") {
            Some(resumed) => resumed.split(' ').next()?,
            None if call.ends_with("<unfinished ...>") => return None,
            None => call.split_once('(')?.0,
        };
        let (_, result) = call.rsplit_once(" = ")?;
        Some(Made { name, result })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_another_interrupts_is_made_once_when_it_ends() {
        let trace = "10 close(3)               = 0\n10 accept4(4,  <unfinished ...>\n\
            11 fdatasync(5)     = 0\n10 <... accept4 resumed>NULL, NULL, SOCK_CLOEXEC) = 6\n\
            10 read(6, 0x1, 4) = -1 EAGAIN (Resource temporarily unavailable)\n\
            11 +++ exited with 0 +++\n";
        let made: Vec<_> = made(trace).map(|made| (made.name, made.result)).collect();
        let again = "-1 EAGAIN (Resource temporarily unavailable)";
        assert_eq!(made, [("close", "0"), ("fdatasync", "0"), ("accept4", "6"), ("read", again)]);
    }
}
