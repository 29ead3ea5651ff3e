// SPDX-License-Identifier: GPL-3.0-or-later
//! The instructions of a login: those of the module, of the decision, of a question and its answer
//! on the wire. Seconds differ from run to run, these do not; what grows by more than a tenth fails.

#![expect(clippy::unwrap_used, reason = "test code")]

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use mfa_tests::account::Account;
use mfa_tests::costs::{self, Costs, Slack};
use mfa_tests::daemon::Daemon;
use mfa_tests::stack::{SERVICE, Stack};
use mfa_tests::{artifacts, callgrind};

/// How much they may grow, in a hundred.
const GROWTH: u64 = 10;

/// So often in the shorter run, twice as often in the longer one: what happens once falls out.
const TIMES: u64 = 20;

const HEADING: &str = "Instructions, as valgrind counts them in the release build, without those of \
    libc and libpam.\n`module`: pam_mfa.so in a login. `decide`: a right code of one token, \
    `decide-wrong`: a wrong one.\n`frame`: verify and its answer, written and read. `make costs` \
    renews this file; see\ntests/instructions.rs.";

#[test]
fn module_decision_and_frames_take_no_more_instructions_than_committed() {
    let cost_of = artifacts::cost_of();
    let mut found = Costs::new();
    found.insert("module".to_owned(), per_time(module));
    for what in ["decide", "decide-wrong", "frame"] {
        let count =
            |times: u64| callgrind::instructions("cost-of", &cost_of, &[what, &times.to_string()]);
        found.insert(what.to_owned(), per_time(count));
    }
    let heading = format!("{HEADING}\nMade by {}; another one makes other figures.", compiler());
    costs::hold("instructions", &heading, &found, |_| Slack::Percent(GROWTH));
}

fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn per_time(count: impl Fn(u64) -> u64) -> u64 {
    (count(2 * TIMES) - count(TIMES)) / TIMES
}

/// So many logins with the module, in one process.
fn module(logins: u64) -> u64 {
    let daemon = Daemon::start();
    let account = Account::hotp("alice");
    daemon.import(std::slice::from_ref(&account));
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("logins");
    let text = (0..logins).fold(String::new(), |mut text, counter| {
        let _ = writeln!(text, "alice {}", account.code(counter));
        text
    });
    fs::write(&file, text).unwrap();
    let stack = Stack::module(&daemon.socket(), "timeout=30");
    let host = Path::new(env!("CARGO_BIN_EXE_pam-bench"));
    let (confdir, file) = (stack.confdir(), file.to_str().unwrap().to_owned());
    callgrind::instructions("libpam_mfa.so", host, &[confdir.to_str().unwrap(), SERVICE, &file])
}
