// SPDX-License-Identifier: GPL-3.0-or-later
//! What ordinary users can do to the socket, and how long root's logins take meanwhile.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use mfa_tests::daemon::{Daemon, within};
use mfa_tests::flood::{Asker, Flood, Held, Regular, Times};

/// Uids that nobody has,
const STRANGERS: u32 = 61_000;
/// and the one that has a name everywhere, so it may enrol itself.
const NOBODY: u32 = 65_534;

/// The part of logins that is looked at.
const P99: usize = 990;
/// What a flood may make of the quiet p99,
const TIMES: u32 = 5;
/// and what is not the daemon's to mend: a login is some eight hand-overs between processes that the
/// attackers, who are more than the processors, want to have too. The kernel lets a task run for up to
/// its base slice, 2.8 ms, before another one of equal rank gets its turn.
const FLOOR: Duration = Duration::from_millis(8 * 28 / 10 + 3);

/// Two turns of others, which a login may have to wait for where there are more tasks than processors.
const TWO_SLICES: Duration = Duration::from_micros(5_600);

/// A delay that nobody would call one.
const NOTICED: Duration = Duration::from_secs(1);

/// How long logins are measured for.
const QUIET: Duration = Duration::from_secs(4);
const FLOODED: Duration = Duration::from_secs(8);
/// For what is under way to end: slow peers are dropped after 5 s.
const SETTLED: Duration = Duration::from_secs(20);
/// Memory that an allocator keeps, in KiB.
const KEPT: u64 = 3_072;

/// A daemon, and a user of it who logs in all the while.
struct Scene {
    daemon: Daemon,
    asker: Asker,
    regular: Regular,
    quiet: Times,
    before: Held,
}

impl Scene {
    fn new() -> Self {
        let daemon = Daemon::start_with("[exchange]\ngroup = \"ffdhe2048\"\n");
        daemon.open_to_all();
        let asker = Asker::new(&daemon.socket(), "sshd");
        let mut regular = Regular::new(daemon.counting_account("regular"));
        // What is allocated once is allocated before it is looked at: by a flood, too.
        let warming = flood("connections", &daemon.socket(), strangers(20), 100);
        thread::sleep(Duration::from_secs(1));
        assert!(warming.end() > 0);
        settle();
        let quiet = regular.logins(&asker, QUIET);
        let before = Held::by(daemon.pid());
        println!("quiet: {quiet}; {before:?}");
        Self { daemon, asker, regular, quiet, before }
    }

    /// Root's logins while this goes on, and what is left of it afterwards. Returns how often it was done.
    fn under(&mut self, what: &str, start: impl FnOnce(&Path) -> Flood) -> u64 {
        let flood = start(&self.daemon.socket());
        let flooded = self.regular.logins(&self.asker, FLOODED);
        let amid = Held::by(self.daemon.pid());
        let count = flood.end();
        println!("{what}, {count}: {flooded}; {amid:?}");
        let allowed = (self.quiet.of_thousand(P99) * TIMES).max(FLOOR);
        let p99 = flooded.of_thousand(P99);
        assert!(p99 <= allowed, "{what}: p99 {p99:?}, {allowed:?} allowed");
        assert!(flooded.of_thousand(1_000) <= NOTICED, "{what}: {flooded}");
        self.is_as_before(what);
        count
    }

    fn is_as_before(&mut self, what: &str) {
        let pid = self.daemon.pid();
        let same = |held: &Held| {
            held.descriptors == self.before.descriptors && held.memory <= self.before.memory + KEPT
        };
        let settled = within(SETTLED, || Some(Held::by(pid)).filter(same));
        let after = Held::by(pid);
        assert!(settled.is_some(), "{what}: {:?} before, {after:?} after", self.before);
        let _ = self.regular.logins(&self.asker, Duration::from_secs(1));
    }
}

fn flood(kind: &str, socket: &Path, uids: Vec<u32>, size: usize) -> Flood {
    Flood::start(env!("CARGO_BIN_EXE_flood"), kind, socket, uids, size)
}

fn strangers(count: u32) -> Vec<u32> {
    (STRANGERS..STRANGERS + count).collect()
}

fn one(processes: usize) -> Vec<u32> {
    vec![STRANGERS; processes]
}

fn settle() {
    thread::sleep(Duration::from_secs(1));
}

#[test]
fn ten_thousand_connections_of_one_user_and_of_twenty_delay_no_login_of_root() {
    let mut scene = Scene::new();
    let made = scene.under("10,000 of one uid", |at| flood("connections", at, one(4), 2_500));
    assert!(made >= 10_000, "only {made} connections");
    let made = scene.under("10,000 of 20 uids", |at| flood("connections", at, strangers(20), 500));
    assert!(made >= 10_000, "only {made} connections");
}

#[test]
fn connections_of_fifty_users_and_half_closed_ones_delay_no_login_of_root() {
    let mut scene = Scene::new();
    let made = scene.under("50 uids", |at| flood("connections", at, strangers(50), 20));
    assert!(made >= 1_000, "only {made} connections");
    let made = scene.under("half-closed", |at| flood("half-closed", at, one(2), 1_000));
    assert!(made >= 1_000, "only {made} connections");
}

/// Processes that never pause are as many busy loops: what they leave of a processor for the slowest hundredth of
/// logins is the kernel's to say. What the daemon does shows in the median: with a queue of 4,096 it was 120 ms.
#[test]
fn connections_without_a_pause_by_two_and_by_twenty_processes_do_not_keep_root_out() {
    let mut scene = Scene::new();
    for (processes, size) in [(2, 1_000), (20, 100)] {
        let what = format!("reconnections of {processes} processes");
        let flood = flood("reconnections", &scene.daemon.socket(), one(processes), size);
        let flooded = scene.regular.logins(&scene.asker, FLOODED);
        let made = flood.end();
        println!("{what}, {made}: {flooded}");
        assert!(made >= 10_000, "only {made} connections");
        assert!(flooded.of_thousand(500) <= FLOOR, "{what}: {flooded}");
        assert!(flooded.of_thousand(P99) <= NOTICED, "{what}: {flooded}");
        scene.is_as_before(&what);
    }
}

#[test]
fn two_thousand_slow_writers_and_readers_delay_no_login_of_root() {
    let mut scene = Scene::new();
    for (kind, uids, size) in [
        ("slow-writers", one(2), 1_000),
        ("slow-writers", strangers(20), 100),
        ("slow-readers", strangers(20), 100),
    ] {
        let what = format!("{kind} of {} processes", uids.len());
        let written = scene.under(&what, |at| flood(kind, at, uids, size));
        assert!(written >= 200, "{what}: only {written} were taken");
    }
}

#[test]
fn large_frames_delay_no_login_of_root() {
    let mut scene = Scene::new();
    let sent = scene.under("large frames", |at| flood("large-frames", at, one(2), 8));
    assert!(sent > 100, "only {sent} were answered");
}

#[test]
fn a_flood_of_exchanges_delays_no_login_of_root() {
    let mut scene = Scene::new();
    // The quota, not the speed of the machine, says how many are computed: what a user has at once.
    let computed =
        scene.under("exchanges", |at| flood("computed-exchanges", at, vec![NOBODY; 2], 8));
    assert!((20..100).contains(&computed), "{computed} were computed");
    let asked = scene.under("refused ones", |at| flood("exchanges", at, vec![NOBODY; 2], 8));
    assert!(asked > 1_000, "only {asked} were answered");
    // The control: root has no quota.
    let control = flood("computed-exchanges", &scene.daemon.socket(), vec![0], 4);
    let amid = scene.regular.logins(&scene.asker, QUIET);
    let computed = control.end();
    println!("exchanges of root, {computed}: {amid}");
    assert!(computed >= 100, "only {computed}");
}

#[test]
fn passed_descriptors_do_not_stay_in_the_daemon() {
    let mut scene = Scene::new();
    let passed = scene.under("descriptors", |at| flood("descriptors", at, one(2), 8));
    assert!(passed > 10_000, "only {passed} descriptors");
}

#[test]
fn a_million_empty_frames_leave_nothing() {
    let mut scene = Scene::new();
    let socket = scene.daemon.socket();
    let started = Instant::now();
    let sent = flood("empty-frames", &socket, strangers(4), 250_000).finish();
    println!("{sent} empty frames in {:?}", started.elapsed());
    assert!(sent >= 1_000_000);
    scene.is_as_before("empty frames");
}

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
    let taken = flood("slow-writers", &daemon.socket(), strangers(20), 16);
    let exhausted = within(SETTLED, || daemon.log().contains("cannot accept").then_some(()));
    assert!(exhausted.is_some(), "descriptors did not run out: {}", daemon.log());
    let (from, at) = (cpu_ticks(daemon.pid()), Instant::now());
    thread::sleep(Duration::from_secs(3));
    let (ticks, passed) = (cpu_ticks(daemon.pid()) - from, at.elapsed());
    println!("{ticks} ticks in {passed:?} without descriptors");
    assert!(ticks < 75, "{ticks} ticks of 300: it spins");
    // They wait in connect(2), so that they do not end when they are told.
    drop(taken);
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

#[test]
fn connections_that_are_held_over_a_reload_are_served_and_bring_no_more_places() {
    let daemon = Daemon::start();
    daemon.open_to_all();
    let asker = Asker::new(&daemon.socket(), "sshd");
    let mut regular = Regular::new(daemon.counting_account("regular"));
    let _ = regular.logins(&asker, Duration::from_secs(1));
    let idle = Held::by(daemon.pid()).descriptors;
    let holding = flood("slow-writers", &daemon.socket(), one(1), 16);
    let held = within(SETTLED, || {
        Some(Held::by(daemon.pid()).descriptors).filter(|held| *held >= idle + 16)
    });
    assert!(held.is_some(), "the places were not taken");
    let more = flood("slow-writers", &daemon.socket(), one(1), 100);
    for _ in 0..20 {
        daemon.signal("HUP");
        let _ = regular.logins(&asker, Duration::from_millis(600));
        // One that is turned away has a descriptor for a moment.
        let few = || Some(Held::by(daemon.pid()).descriptors).filter(|now| *now <= idle + 16);
        let now = Held::by(daemon.pid()).descriptors;
        assert!(
            within(Duration::from_secs(1), few).is_some(),
            "{now} descriptors, {idle} idle: the reload gave places away"
        );
    }
    drop((holding, more));
    let back = within(SETTLED, || Some(Held::by(daemon.pid()).descriptors).filter(|n| *n == idle));
    assert!(back.is_some(), "{:?}, {idle} before", Held::by(daemon.pid()));
}

/// Exchanges of many enrolments at once, by root: those of a course on Monday morning.
#[test]
fn a_hundred_enrolments_at_once_do_not_delay_a_login_beyond_three_times_its_median() {
    let daemon = Daemon::start_with("[exchange]\ngroup = \"ffdhe2048\"\n");
    let asker = Asker::new(&daemon.socket(), "sshd");
    let mut regular = Regular::new(daemon.counting_account("regular"));
    let quiet = regular.logins(&asker, QUIET);
    println!("quiet: {quiet}");
    let asking = flood("computed-exchanges", &daemon.socket(), vec![0], 100);
    let amid = regular.logins(&asker, QUIET);
    let made = asking.end();
    println!("amid {made} exchanges, 100 at once: {amid}");
    assert!(made >= 100, "only {made} exchanges");
    let (quiet, amid) = (quiet.of_thousand(500), amid.of_thousand(500));
    assert!(amid <= (quiet * 3).max(TWO_SLICES), "median {amid:?}, quiet {quiet:?}");
}
