// SPDX-License-Identifier: GPL-3.0-or-later
//! What ordinary users can do to the socket.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use mfa_tests::daemon::{Daemon, within};
use mfa_tests::flood::{Asker, Flood, Held, Regular};

/// Uids that nobody has.
const STRANGERS: u32 = 61_000;
/// For what is under way to end: slow peers are dropped after 5 s.
const SETTLED: Duration = Duration::from_secs(20);

/// Where the daemon itself has no descriptor left, it waits and goes on, and does not burn the processor.
#[test]
fn a_daemon_without_descriptors_waits_for_some_and_goes_on() {
    let daemon = Daemon::start();
    daemon.open_to_all();
    let asker = Asker::new(&daemon.socket(), "sshd");
    let mut regular = Regular::new(daemon.counting_account("regular"));
    let _ = regular.logins(&asker, Duration::from_secs(1));
    let few = Held::by(daemon.pid()).descriptors + 8;
    let pid = daemon.pid().to_string();
    let limited =
        Command::new("prlimit").arg(format!("--nofile={few}")).args(["--pid", &pid]).status();
    assert!(limited.expect("prlimit").success());
    let taken = Flood::start(
        env!("CARGO_BIN_EXE_flood"),
        "slow-writers",
        &daemon.socket(),
        STRANGERS..STRANGERS + 20,
        16,
    );
    let exhausted = within(SETTLED, || daemon.log().contains("cannot accept").then_some(()));
    assert!(exhausted.is_some(), "descriptors did not run out: {}", daemon.log());
    let (from, at) = (cpu_ticks(daemon.pid()), Instant::now());
    thread::sleep(Duration::from_secs(3));
    let (ticks, passed) = (cpu_ticks(daemon.pid()) - from, at.elapsed());
    println!("{ticks} ticks in {passed:?} without descriptors");
    assert!(ticks < 75, "{ticks} ticks of 300: it spins");
    let _ = taken.end();
    let again = within(SETTLED, || asker.begin("regular").ok());
    assert!(again.is_some(), "no answer any more");
    let _ = regular.logins(&asker, Duration::from_secs(1));
}

/// Hundredths of a second that the process has computed for.
fn cpu_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("its times");
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let field = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok());
    field(11).expect("user time") + field(12).expect("system time")
}
