// SPDX-License-Identifier: GPL-3.0-or-later
//! Lost writes. `kill -9` does not test durability: what was written survives in the kernel. So the writes
//! of a real run are recorded, and what a power cut could have left of them is put together and opened.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    reason = "this is test code outside of test functions"
)]

mod disk;
mod history;
#[path = "../house/mod.rs"]
mod house;
mod trace;
#[path = "../trial/mod.rs"]
mod trial;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{SystemTime, UNIX_EPOCH};

use disk::{Disk, Kept, Random};
use history::{History, Promise, code, counting};
use house::House;
use mfa_daemon::policy::record::Factor;
use mfa_daemon::store::AuditQuery;
use trace::Op;
use trial::SECRET;

const CONFIGURATION: &str = "[token]\nmax_age_days = 30\n";

/// What has been promised so far.
#[derive(Default)]
struct Promised {
    spent: BTreeMap<String, u64>,
    imported: BTreeMap<String, usize>,
    enrolled: BTreeMap<String, Vec<u8>>,
    rotated: BTreeMap<String, Vec<u8>>,
}

impl Promised {
    fn add(&mut self, promise: &Promise) {
        match promise.clone() {
            Promise::Spent { user, number } => {
                let last = self.spent.entry(user).or_default();
                *last = number.max(*last);
            }
            Promise::Imported { names, count } => {
                self.imported.insert(names, count);
            }
            Promise::Enrolled { user, secret } => {
                self.enrolled.insert(user, secret);
            }
            Promise::Rotated { user, secret } => {
                self.rotated.insert(user, secret);
            }
        }
    }
}

/// Which promises a store that was found after a crash breaks.
fn broken(
    house: &House,
    promised: &Promised,
    history: &History,
    random: &mut Random,
) -> Vec<String> {
    let mut broken = Vec::new();
    let users = promised
        .imported
        .iter()
        .flat_map(|(names, count)| (0..*count).map(move |n| format!("{names}{n:03}")));
    for user in users.chain(promised.enrolled.keys().cloned()) {
        let Some(record) = house.record(&user) else {
            broken.push(format!("{user} is lost"));
            continue;
        };
        let spent = promised.spent.get(&user);
        let fresh = |spent: &u64| match record.tokens[0].factor {
            Factor::Hotp { counter } => counter <= *spent,
            Factor::Totp { last_step, .. } => last_step.is_none_or(|step| step < *spent),
        };
        if spent.is_some_and(fresh) {
            broken.push(format!("{user}: the code of {spent:?} is fresh again"));
        }
        if promised.enrolled.contains_key(&user) && record.recovery.len() != 10 {
            broken.push(format!("{user} has {} recovery codes", record.recovery.len()));
        }
    }
    let everything = AuditQuery { limit: u16::MAX, ..AuditQuery::default() };
    let (events, _) = house.daemon.store.events(&everything).unwrap();
    if serde_json::to_string(&events).unwrap().contains("put_back") {
        broken.push("it was taken for an older store".to_owned());
    }
    // What the records say, asked in earnest for some of them.
    let mut opens = |user: &str, code: &str, expected: bool| {
        let answer = house.verify(user, code);
        if (answer == "accepted") != expected {
            broken.push(format!("{user}: {answer}"));
        }
    };
    let spent: Vec<_> = promised.spent.iter().collect();
    for _ in 0..2.min(spent.len()) {
        let (user, number) = spent[random.below(spent.len())];
        opens(user, &code(SECRET, *number), false);
    }
    for (user, secret) in &history.unconfirmed {
        // Its owner may have none, or the old one that he holds.
        opens(user, &code(secret, house::now() / 30), false);
    }
    for (user, secret) in promised.rotated.iter().take(2) {
        opens(user, &code(SECRET, house::now() / 30 + 1), false);
        opens(user, &code(secret, house::now() / 30 + 1), true);
    }
    if let Some((user, secret)) = promised.enrolled.iter().next() {
        opens(user, &code(secret, house::now() / 30 + 1), true);
    }
    if promised.imported.contains_key("counts") {
        opens(&counting(50), &code(SECRET, 0), true);
    }
    broken
}

/// So many crashes, shared among the processors, and what each of them breaks.
fn crash(history: &History, count: usize, seed: u64) -> Vec<String> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let now = trial::now();
    std::thread::scope(|scope| {
        let some = |n: usize| {
            let share = count / threads + usize::from(n < count % threads);
            scope.spawn(move || {
                house::set_clock(now);
                crash_some(history, share, seed.wrapping_add(n as u64))
            })
        };
        let running: Vec<_> = (0..threads).map(some).collect();
        running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

/// A quarter of them anywhere, one right before a sync, one right after an answer, one where files come and go.
fn crash_some(history: &History, count: usize, seed: u64) -> Vec<String> {
    let mut random = Random(seed);
    let all = |wanted: fn(&Op) -> bool| -> Vec<usize> {
        (0..history.ops.len()).filter(|at| wanted(&history.ops[*at])).collect()
    };
    let places = [
        all(|_| true),
        all(|op| matches!(op, Op::Sync { .. } | Op::SyncNames)),
        // Before what follows an answer.
        all(|op| matches!(op, Op::Answer { .. })).iter().map(|at| at + 1).collect(),
        // What a first start makes is whole or not there.
        all(|op| {
            matches!(
                op,
                Op::Length { .. } | Op::Rename { .. } | Op::Link { .. } | Op::Remove { .. }
            )
        })
        .iter()
        .flat_map(|at| *at..(at + 3).min(history.ops.len()))
        .collect(),
    ];
    let mut crashes = BTreeMap::<usize, usize>::new();
    for n in 0..count {
        let places = &places[n % places.len()];
        *crashes.entry(places[random.below(places.len())]).or_default() += 1;
    }
    let (mut disk, mut promised, mut found) = (Disk::default(), Promised::default(), Vec::new());
    for (at, op) in history.ops.iter().enumerate() {
        for _ in 0..crashes.get(&at).copied().unwrap_or(0) {
            let kept = Kept::ALL[random.below(Kept::ALL.len())];
            let home = tempfile::tempdir_in("/dev/shm").unwrap();
            disk.crash(kept, &mut random, home.path());
            let opened = catch_unwind(AssertUnwindSafe(|| {
                let house = House::on(home, CONFIGURATION);
                broken(&house, &promised, history, &mut random)
            }));
            let broken = opened.unwrap_or_else(|panic| {
                let text = panic.downcast_ref::<String>().cloned();
                vec![format!("it does not open: {}", text.unwrap_or_default())]
            });
            found
                .extend(broken.into_iter().map(|what| format!("operation {at}, {kept:?}: {what}")));
        }
        disk.apply(op);
        if let Op::Answer { id } = op
            && let Some(promise) = history.promises.get(id)
        {
            promised.add(promise);
        }
    }
    found
}

/// `make test-faults` wants more than `make test`.
fn figure(name: &str, usual: usize) -> usize {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}

/// A run that has found something can be repeated only as far as the recorded writes are the same ones.
fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos() as usize;
    let seed = figure("MFA_CRASH_SEED", now);
    println!("MFA_CRASH_SEED={seed}");
    seed as u64
}

#[test]
fn after_a_power_cut_at_any_moment_nothing_that_was_answered_is_lost_and_nothing_spent_is_fresh() {
    let (logins, count) = (figure("MFA_CRASH_LOGINS", 400), figure("MFA_CRASHES", 60));
    let history = history::record(logins, &[]);
    assert!(history.logins >= logins, "{}", history.logins);
    let syncs = history.ops.iter().filter(|op| matches!(op, Op::Sync { .. })).count();
    assert!(syncs > 100, "{syncs} syncs");
    let found = crash(&history, count, seed());
    println!("{} operations, {} logins, {count} crashes", history.ops.len(), history.logins);
    assert!(found.is_empty(), "{}: {:#?}", found.len(), &found[..found.len().min(20)]);
}

/// That the test above could fail: strace keeps the syncs of the second half from happening.
#[test]
fn on_a_disk_that_ignores_syncs_spent_codes_are_fresh_after_a_power_cut() {
    let ignored = ["-e", "inject=fsync,fdatasync:retval=0"];
    let history = history::record(200, &ignored);
    let found = crash(&history, 30, seed());
    let lost = |what: &str| found.iter().filter(|found| found.contains(what)).count();
    println!("fresh again {}, lost {}", lost("is fresh again"), lost("is lost"));
    assert!(lost("is fresh again") > 0, "{found:#?}");
}
