// SPDX-License-Identifier: GPL-3.0-or-later
//! What the time of an answer tells about a name.

use std::thread;
use std::time::{Duration, Instant};

use mfa_proto::login::{BeginAnswer, VerifyAnswer};
use mfa_tests::account::Account;
use mfa_tests::daemon::Daemon;
use mfa_tests::flood::Asker;
use mfa_tests::welch::{Sample, t};

/// Attempts of each kind.
const EACH: usize = 10_000;
/// Names of each kind: one may be tried 20 times before it is locked.
const NAMES: usize = 600;
/// The threshold that is usual for leaks of time.
pub(crate) const T: f64 = 4.5;
/// What `begin` may differ by all the same, in microseconds: docs/threat-model.md says why.
const BEGIN_BOUND: f64 = 25.0;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Unknown,
    Wrong,
    LockedAccount,
    LockedName,
}

const KINDS: [Kind; 4] = [Kind::Unknown, Kind::Wrong, Kind::LockedAccount, Kind::LockedName];

impl Kind {
    fn name(self, at: usize) -> String {
        match self {
            Self::Unknown => format!("nobody{:03}", at % NAMES),
            Self::Wrong => format!("person{:03}", at % NAMES),
            Self::LockedAccount => "locked-account".to_owned(),
            Self::LockedName => "locked-nobody-".to_owned(),
        }
    }
}

/// Numbers that need not be random, only mixed.
pub(crate) fn mixed(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    move |below| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or(0) % below
    }
}

/// Daemon, and the accounts that are there.
fn scene() -> (Daemon, Asker) {
    let daemon = Daemon::start_with(
        "[lockout]\nfree_attempts = 20\nmax_seconds = 86400\nbase_seconds = 900\n",
    );
    let mut accounts: Vec<_> = (0..NAMES).map(|at| Account::totp(&Kind::Wrong.name(at))).collect();
    accounts.push(Account::totp(&Kind::LockedAccount.name(0)));
    daemon.import(&accounts);
    let asker = Asker::new(&daemon.socket(), "sshd");
    for kind in [Kind::LockedAccount, Kind::LockedName] {
        let wrong = Account::totp(&kind.name(0)).wrong_code();
        let locked = (0..40).any(|_| {
            matches!(asker.verify(&kind.name(0), &wrong), Ok(VerifyAnswer::Locked { .. }))
        });
        assert!(locked, "{kind:?} does not get locked");
    }
    (daemon, asker)
}

#[test]
fn refusals_of_unknown_wrong_and_locked_users_take_the_same_time_over_10_000_each() {
    const THREADS: usize = 8;
    let (_daemon, asker) = scene();
    let right = Account::totp(&Kind::Wrong.name(0)).code_now();
    let control = Instant::now();
    assert!(matches!(asker.verify(&Kind::Wrong.name(0), &right), Ok(VerifyAnswer::Accepted(_))));
    let control = control.elapsed();
    // One that is wrong for all: then it is the same text everywhere.
    let codes: Vec<_> =
        (0..NAMES).map(|at| Account::totp(&Kind::Wrong.name(at)).wrong_code()).collect();
    let times = thread::scope(|scope| {
        let work = |thread: usize| {
            let (asker, codes) = (&asker, &codes);
            move || {
                let mut next = mixed(thread as u64 + 7);
                let mut left = KINDS.map(|_| EACH / THREADS);
                let mut times: Vec<(usize, Duration)> = Vec::new();
                while left.iter().sum::<usize>() > 0 {
                    let kind = next(KINDS.len());
                    let Some(left) = left.get_mut(kind).filter(|left| **left > 0) else { continue };
                    *left -= 1;
                    let at = (*left * THREADS + thread) % NAMES;
                    let (name, code) = (KINDS[kind].name(at), &codes[at]);
                    let started = Instant::now();
                    let answer = asker.verify(&name, code);
                    times.push((kind, started.elapsed()));
                    match (KINDS[kind], answer) {
                        (
                            Kind::Unknown | Kind::Wrong,
                            Ok(VerifyAnswer::Wrong { clock_offset: None }),
                        ) => {}
                        (
                            Kind::LockedAccount | Kind::LockedName,
                            Ok(VerifyAnswer::Locked { .. }),
                        ) => {}
                        (kind, other) => panic!("{kind:?} {name}: {other:?}"),
                    }
                }
                times
            }
        };
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(work(thread))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("its times")).collect::<Vec<_>>()
    });
    println!("a right code: {control:?}");
    compare(&times, None);
}

#[test]
fn unknown_unenrolled_locked_and_enrolled_users_are_asked_for_a_code_alike_and_in_the_same_time() {
    let (_daemon, asker) = scene();
    let passwd = ["bin", "daemon", "sys", "games", "mail", "news", "man", "lp"];
    let name = |kind: usize, at: usize| match kind {
        0 => Kind::Unknown.name(at),
        1 => Kind::Wrong.name(at),
        2 => Kind::LockedAccount.name(at),
        _ => passwd[at % passwd.len()].to_owned(),
    };
    let mut next = mixed(11);
    let mut left = [EACH; 4];
    let mut times = Vec::new();
    while left.iter().sum::<usize>() > 0 {
        let kind = next(left.len());
        if left[kind] == 0 {
            continue;
        }
        left[kind] -= 1;
        let name = name(kind, next(NAMES));
        let started = Instant::now();
        let answer = asker.begin(&name);
        times.push((kind, started.elapsed()));
        // Without a token the word is another; what the user is asked is the same.
        match (kind, answer) {
            (1 | 2, Ok(BeginAnswer::Prompt { digits: 6, observe: false }))
            | (
                0 | 3,
                Ok(BeginAnswer::Skip { digits: 6, enroll_within: None, observe: false, .. }),
            ) => {}
            (_, other) => panic!("{name}: {other:?}"),
        }
    }
    compare(&times, Some(BEGIN_BOUND));
}

/// Each kind against each other: no difference that 10,000 attempts show, or one within the bound.
fn compare(times: &[(usize, Duration)], bound: Option<f64>) {
    let kinds = times.iter().map(|(kind, _)| kind + 1).max().unwrap_or(0);
    let samples: Vec<_> = (0..kinds)
        .map(|wanted| {
            Sample::of(times.iter().filter(|(kind, _)| *kind == wanted).map(|(_, time)| *time))
        })
        .collect();
    let mut different = Vec::new();
    for (at, one) in samples.iter().enumerate() {
        println!("kind {at}: {one}");
        for (other_at, other) in samples.iter().enumerate().skip(at + 1) {
            let t = t(one, other);
            let apart = (one.mean() - other.mean()).abs();
            println!("kinds {at} and {other_at}: t = {t:.2}, {apart:.2} µs apart");
            if t.abs() >= T && bound.is_none_or(|bound| apart > bound) {
                different.push((at, other_at, t, apart));
            }
        }
    }
    assert!(different.is_empty(), "{different:?}");
}

#[test]
fn the_test_of_times_notices_a_difference_of_a_fiftieth() {
    let mut next = mixed(3);
    let mut noise = || Duration::from_micros(1_000 + next(200) as u64);
    let [one, same] = [0, 1].map(|_| Sample::of((0..EACH).map(|_| noise()).collect::<Vec<_>>()));
    let slower =
        Sample::of((0..EACH).map(|_| noise() + Duration::from_micros(20)).collect::<Vec<_>>());
    assert!(t(&one, &same).abs() < T, "{}", t(&one, &same));
    assert!(t(&one, &slower).abs() > T, "{}", t(&one, &slower));
}
