// SPDX-License-Identifier: GPL-3.0-or-later
//! The system calls of a login, exactly: those of the module in the login program, and those of the
//! daemon. A change that adds one is seen here; `make costs` writes the figures that are meant.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::process::Command;
use std::time::Duration;

use mfa_tests::account::Account;
use mfa_tests::artifacts;
use mfa_tests::costs::{self, Costs, Slack};
use mfa_tests::daemon::{Daemon, within};
use mfa_tests::stack::{SERVICE, Stack};
use mfa_tests::strace::{self, Calls, Made};

/// Logins of the shorter run; the longer one has twice as many, and what both do besides logins
/// falls out of the difference.
const LOGINS: u64 = 10;

/// What the allocator asks for depends on what was there before, not on the login.
const ALLOCATOR: [&str; 2] = ["brk", "madvise"];

/// How often the daemon's threads wait for each other, or look for what is not there yet, depends on
/// the moment.
fn waits(call: &Made<'_>) -> bool {
    // One thread wakes another by the eight bytes of an eventfd.
    let wakes = matches!(call, Made { name: "write" | "read", result: "8" });
    wakes || call.result.contains("EAGAIN") || matches!(call.name, "epoll_wait" | "futex")
}

const HEADING: &str = "System calls of one login, from pam_start to pam_end. `module`: in the login \
    program,\nwith pam_mfa.so in the place of pam_permit.so, those of loading and unloading it \
    included.\n`daemon`: the median of many logins. Waiting calls of the daemon are left out.\n\
    `make costs` renews this file; see tests/system_calls.rs.";

#[test]
fn a_login_makes_the_system_calls_that_are_committed_and_no_other() {
    let mut found = Costs::new();
    let daemon = Daemon::start();
    let with = per_login(&Stack::module(&daemon.socket(), ""), &daemon);
    let without = per_login(&Stack::of_lines("auth required pam_permit.so\n"), &daemon);
    for name in with.keys().chain(without.keys()) {
        let of = |calls: &Calls| calls.get(name).copied().unwrap_or(0);
        // A wrapped difference is far from every committed figure.
        let calls = of(&with).wrapping_sub(of(&without));
        if calls != 0 {
            found.insert(format!("module {name}"), calls);
        }
    }
    assert!(found.contains_key("module connect"), "no login was counted: {found:?}");
    for (name, calls) in of_the_daemon() {
        found.insert(format!("daemon {name}"), calls);
    }
    let durable = ["daemon fdatasync", "daemon fsync"].map(|name| found.get(name).copied());
    assert!(durable.contains(&Some(1)), "not one durable write in a login: {found:?}");
    costs::hold("system-calls", HEADING, &found, |_| Slack::None);
}

/// The calls of one login in the process of the login program.
fn per_login(stack: &Stack, daemon: &Daemon) -> Calls {
    let [few, many] = [LOGINS, 2 * LOGINS].map(|count| {
        let home = tempfile::tempdir().unwrap();
        let logins = home.path().join("logins");
        fs::write(&logins, logins_of_a_new_account(daemon, count)).unwrap();
        let mut host = Command::new(env!("CARGO_BIN_EXE_pam-bench"));
        strace::calls_of(host.arg(stack.confdir()).arg(SERVICE).arg(&logins))
    });
    let rows = many.into_iter().filter(|(name, _)| !ALLOCATOR.contains(&&**name));
    rows.map(|(name, calls)| {
        let calls = calls - few.get(&name).copied().unwrap_or(0);
        assert_eq!(calls % LOGINS, 0, "{name} is not made equally often in every login");
        (name, calls / LOGINS)
    })
    .collect()
}

/// The calls of one login in the daemon. A login begins with a connection that is accepted and has
/// two of them. Where others come in between, as when the write-ahead log is copied back, is not
/// the median.
fn of_the_daemon() -> Calls {
    let home = tempfile::tempdir().unwrap();
    let trace = home.path().join("trace");
    let program = strace::traced(&artifacts::daemon(), home.path(), &trace);
    let mut daemon = Daemon::start_program(program);
    let stack = Stack::module(&daemon.socket(), "timeout=30");
    // What it does once after its start is not a login's.
    let checked = || daemon.log().contains("the store is sound").then_some(());
    within(Duration::from_secs(20), checked).unwrap();
    let logins = home.path().join("logins");
    fs::write(&logins, logins_of_a_new_account(&daemon, 4 * LOGINS)).unwrap();
    let before = strace::made(&fs::read_to_string(&trace).unwrap()).filter(accepted).count();
    let mut host = Command::new(env!("CARGO_BIN_EXE_pam-bench"));
    let status = host.arg(stack.confdir()).arg(SERVICE).arg(&logins).status().unwrap();
    assert!(status.success(), "pam-bench: {status}");
    daemon.stop();
    let text = strace::complete(&trace);
    let mut logins: Vec<Calls> = Vec::new();
    let mut connections = 0;
    for call in strace::made(&text) {
        if accepted(&call) {
            connections += 1;
            if connections > before && (connections - before) % 2 == 1 {
                logins.push(Calls::new());
            }
        }
        if let Some(login) = logins.last_mut().filter(|_| !waits(&call)) {
            *login.entry(call.name.to_owned()).or_default() += 1;
        }
    }
    // The last one is followed by what the daemon does when it stops.
    logins.pop();
    assert!(logins.len() as u64 >= 4 * LOGINS - 1, "{} logins traced", logins.len());
    medians(&logins)
}

fn accepted(call: &Made<'_>) -> bool {
    call.name == "accept4" && !call.result.starts_with('-')
}

fn medians(logins: &[Calls]) -> Calls {
    let names: BTreeMap<&String, ()> =
        logins.iter().flatten().map(|(name, _)| (name, ())).collect();
    let median = |name: &String| {
        let of = |login: &Calls| login.get(name).copied().unwrap_or(0);
        let mut counts: Vec<_> = logins.iter().map(of).collect();
        counts.sort_unstable();
        counts[counts.len() / 2]
    };
    let medians = names.into_keys().map(|name| (name.clone(), median(name)));
    medians.filter(|(_, calls)| *calls > 0).collect()
}

/// Lines of `pam-bench`: a user whose codes move with use, and so many of them.
fn logins_of_a_new_account(daemon: &Daemon, count: u64) -> String {
    let account = Account::hotp(&format!("counting-{}", unique()));
    daemon.import(std::slice::from_ref(&account));
    (0..count).fold(String::new(), |mut text, counter| {
        let _ = writeln!(text, "{} {}", account.name, account.code(counter));
        text
    })
}

fn unique() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}
