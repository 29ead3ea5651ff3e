// SPDX-License-Identifier: GPL-3.0-or-later
//! Logins at a steady rate for minutes.

use std::env;
use std::thread;
use std::time::{Duration, Instant};

use mfa_proto::login::VerifyAnswer;
use mfa_tests::account::Account;
use mfa_tests::daemon::Daemon;
use mfa_tests::flood::{Asker, Held, Times};

const THREADS: u32 = 10;
/// Users of each thread, by turns.
const USERS: usize = 40;
/// Logins that are aimed at in a second.
const RATE: u32 = 1_000;
/// What the 99th of a hundred may take, with the processors shared with those who ask.
const P99: Duration = Duration::from_millis(50);
/// Memory that the daemon may have more at the end, in KiB.
const KEPT: u64 = 2_048;

/// For how long: `MFA_LOAD_SECONDS`, which is 600 where there is time.
fn load_for() -> Duration {
    let seconds = env::var("MFA_LOAD_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(90))
}

/// Logins one after the other of users by turns, each when it is due or as soon as it can be; every one of them
/// with a right code.
fn work(asker: &Asker, users: &mut [(Account, u64)], during: Duration) -> Vec<Duration> {
    let (started, pause) = (Instant::now(), Duration::from_secs(1) * THREADS / RATE);
    let mut times = Vec::new();
    for turn in 0.. {
        thread::sleep((started + pause * turn).saturating_duration_since(Instant::now()));
        if started.elapsed() >= during {
            break;
        }
        let at = turn as usize % users.len();
        let Some((account, counter)) = users.get_mut(at) else { break };
        let code = account.code(*counter);
        *counter += 1;
        times.push(asker.login(&account.name, &code));
    }
    times
}

#[test]
fn a_thousand_logins_a_second_deny_nobody_and_leave_memory_and_descriptors_as_they_were() {
    let daemon = Daemon::start();
    let asker = Asker::new(&daemon.socket(), "sshd");
    let mut groups: Vec<Vec<_>> = (0..THREADS)
        .map(|thread| {
            (0..USERS).map(|at| (Account::hotp(&format!("user-{thread}-{at}")), 0)).collect()
        })
        .collect();
    for group in &groups {
        let accounts: Vec<_> = group.iter().map(|(account, _)| account.clone()).collect();
        daemon.import(&accounts);
    }
    let mut run = |during: Duration| {
        let started = Instant::now();
        let times = thread::scope(|scope| {
            let threads: Vec<_> = groups
                .iter_mut()
                .map(|group| scope.spawn(|| work(&asker, group, during)))
                .collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().expect("logins"))
                .collect::<Vec<_>>()
        });
        (Times::new(times), started.elapsed())
    };
    // What is allocated once is there after some seconds.
    let _ = run(Duration::from_secs(10));
    let before = Held::by(daemon.pid());
    let (times, took) = run(load_for());
    let after = Held::by(daemon.pid());
    println!("{times}, {} a second for {took:.0?}", times.count() as u64 / took.as_secs().max(1));
    println!("{before:?} before, {after:?} after");
    let due = u64::from(RATE) * took.as_secs() * 9 / 10;
    assert!(times.count() as u64 >= due, "{} logins of {due}", times.count());
    assert!(times.of_thousand(990) <= P99, "{times}");
    assert!(after.memory <= before.memory + KEPT, "memory grows");
    assert_eq!(after.descriptors, before.descriptors);
    // Nobody was locked, nothing was counted: a wrong code is the first one.
    let (account, _) = groups[0].first().expect("a user");
    let answer = asker.verify(&account.name, &account.wrong_code()).expect("an answer");
    assert!(matches!(answer, VerifyAnswer::Wrong { .. }), "{answer:?}");
}
