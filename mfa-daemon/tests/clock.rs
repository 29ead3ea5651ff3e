// SPDX-License-Identifier: GPL-3.0-or-later
//! Clocks that jump, stop and repeat themselves under a daemon: no code opens twice, none of another time
//! opens at all, and the next one of the right time does.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "this is test code outside of test functions"
)]

mod house;
mod trial;

use std::fs;
use std::io::Write;
use std::path::Path;

use house::{BEGIN, House, code, now, pass, set_clock};
use mfa_crypto::OtpUri;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use trial::{Trial, frame};

const DAY: u64 = 86_400;

/// The code of this moment.
fn at(phone: &OtpUri, moment: u64) -> String {
    mfa_crypto::hotp(&phone.secret, phone.algorithm, phone.digits, moment / 30).as_str().to_owned()
}

fn last_event(house: &House) -> Value {
    let trail = house.ask(json!({"type": "admin_audit", "limit": 200}));
    trail["events"].as_array().unwrap().last().unwrap().clone()
}

#[test]
fn a_day_back_every_code_is_refused_uncounted_with_a_warning_until_an_administrator_says_so() {
    let house = House::new("");
    let phone = house.enroll("alice", "phone");
    let then = now();
    assert_eq!(house.verify("alice", &code(&phone)), "accepted");
    set_clock(then - DAY);
    for moment in [then - DAY - 30, then - DAY, then - DAY + 30, then] {
        assert_ne!(house.verify("alice", &at(&phone, moment)), "accepted", "{moment}");
    }
    // The daemon says what is wrong, and nobody is locked out for it.
    assert_eq!(house.verify("alice", &code(&phone)), "replayed");
    let event = last_event(&house);
    assert_eq!(
        (&event["reason"], &event["warning"]),
        (&json!("clock_behind_last_login"), &json!(true))
    );
    house.ask(json!({"type": "admin_unlock", "user": "alice"}));
    set_clock(now() + 30);
    assert_eq!(house.verify("alice", &code(&phone)), "accepted");
    // The clock is right again: what was spent then stays spent.
    set_clock(then + 60);
    assert_eq!(house.verify("alice", &code(&phone)), "accepted");
}

#[test]
fn in_every_year_that_a_clock_can_show_codes_are_decided_or_refused_and_nothing_overflows() {
    // The epoch, the first second, a day before and after the release; 2038, 2106 and 9999; the last.
    let early = [0, 1, 1_000_000_000, 1_700_000_000];
    let late = [
        2_147_483_647,
        2_147_483_680,
        4_294_967_295,
        4_294_967_330,
        253_402_300_799,
        253_402_300_830,
        u64::from(u32::MAX) << 20,
    ];
    let house = House::new("");
    let phone = house.enroll("alice", "phone");
    for moment in early {
        set_clock(moment);
        assert_eq!(house.verify("alice", &code(&phone)), "unavailable", "{moment}");
    }
    for moment in late {
        set_clock(moment);
        let (before, shown) = (at(&phone, moment - 90), code(&phone));
        assert_eq!(house.verify("alice", &before), "wrong", "{moment}");
        assert_eq!(house.verify("alice", &shown), "accepted", "{moment}");
        assert_eq!(house.verify("alice", &shown), "replayed", "{moment}");
        house.ask(json!({"type": "admin_unlock", "user": "alice"}));
    }
    for moment in [u64::MAX / 2, u64::MAX - 60, u64::MAX] {
        set_clock(moment);
        assert_ne!(house.verify("alice", &at(&phone, BEGIN)), "accepted", "{moment}");
    }
    // Back in its own time it waits for an administrator, and goes on then.
    set_clock(BEGIN + DAY);
    assert_eq!(house.verify("alice", &code(&phone)), "replayed");
    house.ask(json!({"type": "admin_unlock", "user": "alice"}));
    pass(30);
    assert_eq!(house.verify("alice", &code(&phone)), "accepted");
}

/// 1969 is before what Unix time counts; libfaketime shows it to the real daemon.
#[test]
fn a_host_in_1969_lets_nobody_in_and_the_same_host_today_does() {
    let mut trial = Trial::start();
    trial.add("alice");
    trial.end(Signal::SIGTERM);
    let library = Path::new("/usr/$LIB/faketime/libfaketimeMT.so.1");
    let year = Path::new("@1969-12-31 23:00:00");
    let real = Path::new("1");
    trial.run_with(&[
        ("LD_PRELOAD", library),
        ("FAKETIME", year),
        ("FAKETIME_DONT_FAKE_MONOTONIC", real),
    ]);
    for shown in [trial::code(0), code_at(0), code_at(u64::MAX / 30)] {
        assert_eq!(trial.verify("alice", &shown)["type"], "unavailable");
    }
    trial.end(Signal::SIGTERM);
    trial.run();
    assert_eq!(trial.verify("alice", &trial::code(0))["type"], "accepted");
}

fn code_at(step: u64) -> String {
    let secret = mfa_crypto::Secret::new(trial::SECRET.to_vec());
    let (algorithm, digits) = (mfa_crypto::Algorithm::Sha1, mfa_crypto::Digits::default());
    mfa_crypto::hotp(&secret, algorithm, digits, step).as_str().to_owned()
}

/// 23:59:60 is shown as a second that comes twice, the last of the day or the first of the next one.
#[test]
fn a_leap_second_opens_no_code_twice_and_keeps_the_window_of_three_steps() {
    let midnight = (BEGIN / DAY + 1) * DAY;
    for again in [midnight - 1, midnight] {
        set_clock(BEGIN);
        let house = House::new("");
        let users = ["used before", "used after", "only after"];
        let phones = users.map(|user| house.enroll(user, "phone"));
        let opens = |who: usize, moment| {
            let answer = house.verify(users[who], &at(&phones[who], moment));
            house.ask(json!({"type": "admin_unlock", "user": users[who]}));
            answer
        };
        set_clock(again);
        assert_eq!(opens(0, again), "accepted");
        // The same second once more; with a clock that goes by the next one first it is a step back.
        set_clock(midnight);
        assert_eq!(opens(1, midnight), "accepted");
        set_clock(again);
        assert_ne!(opens(0, again), "accepted");
        assert_ne!(opens(1, midnight), "accepted");
        for (moment, opened) in
            [(again - 60, "wrong"), (again + 60, "wrong"), (again - 30, "accepted")]
        {
            assert_eq!(opens(2, moment), opened, "{moment}");
        }
        set_clock(midnight + 30);
        assert_eq!(opens(0, midnight + 30), "accepted");
        assert_eq!(opens(1, midnight + 30), "accepted");
    }
}

/// Its clock is libfaketime's: how far it is ahead stands in a file.
fn clocked(trial: &mut Trial) -> impl Fn(&str) + use<> {
    let file = trial.path("clock");
    let set = move |ahead: &str| fs::write(&file, ahead).unwrap();
    set("+0");
    let library = Path::new("/usr/$LIB/faketime/libfaketimeMT.so.1");
    let file = trial.path("clock");
    trial.run_with(&[
        ("LD_PRELOAD", library),
        ("FAKETIME_TIMESTAMP_FILE", &file),
        ("FAKETIME_NO_CACHE", Path::new("1")),
        ("FAKETIME_DONT_FAKE_MONOTONIC", Path::new("1")),
    ]);
    set
}

#[test]
fn a_daemon_that_was_stopped_for_ten_minutes_takes_codes_of_its_own_time_and_no_older_ones() {
    let mut trial = Trial::start();
    for user in ["alice", "bob", "carol"] {
        trial.add(user);
    }
    trial.end(Signal::SIGTERM);
    let set = clocked(&mut trial);
    let ask = |trial: &Trial, user: &str, code: &str| {
        let mut wire = trial.connect();
        let request = json!({"v": 1, "id": 1, "type": "verify", "user": user, "code": code,
            "origin": {"service": "test"}});
        wire.send(&frame(request.to_string().as_bytes()));
        wire
    };
    let typed = trial::code(0);
    trial.signal(Signal::SIGSTOP);
    let mut late = ask(&trial, "alice", &typed);
    set("+10m");
    let mut fresh = ask(&trial, "bob", &trial::code(20));
    trial.signal(Signal::SIGCONT);
    assert_eq!(late.receive().unwrap()["type"], "wrong", "a code of ten minutes ago");
    assert_eq!(fresh.receive().unwrap()["type"], "accepted");
    // The control: stopped and let go on in the same moment, a code that waits is good.
    set("+0");
    let typed = trial::code(0);
    trial.signal(Signal::SIGSTOP);
    let mut waiting = ask(&trial, "carol", &typed);
    trial.signal(Signal::SIGCONT);
    assert_eq!(waiting.receive().unwrap()["type"], "accepted");
}

#[test]
fn a_module_that_is_stopped_for_ten_minutes_in_the_middle_of_its_question_sends_an_old_code() {
    let mut trial = Trial::start();
    trial.add("alice");
    trial.end(Signal::SIGTERM);
    let set = clocked(&mut trial);
    let question = |code: &str| {
        let request = json!({"v": 1, "id": 1, "type": "verify", "user": "alice", "code": code,
            "origin": {"service": "test"}});
        frame(request.to_string().as_bytes())
    };
    for (ahead, expected) in [("+10m", "wrong"), ("+0", "accepted")] {
        let whole = question(&trial::code(0));
        let mut wire = trial.connect();
        wire.send(&whole[..20]);
        // The daemon has read that when it answers another connection.
        assert_eq!(trial.ask(json!({"type": "params"}))["type"], "params");
        set(ahead);
        wire.stream.write_all(&whole[20..]).unwrap();
        assert_eq!(wire.receive().unwrap()["type"], expected, "{ahead}");
    }
}

#[test]
fn a_clock_that_jumps_between_prompt_and_code_changes_only_which_code_is_right() {
    let house = House::new("");
    let phone = house.enroll("alice", "phone");
    let begin = || {
        let origin = json!({"service": "test"});
        house.ask(json!({"type": "begin", "user": "alice", "origin": origin}))["type"].clone()
    };
    for jump in [3600, 365 * DAY] {
        assert_eq!(begin(), "prompt");
        let typed = code(&phone);
        set_clock(now() + jump);
        assert_eq!(house.verify("alice", &typed), "wrong");
        assert_eq!(house.verify("alice", &code(&phone)), "accepted");
    }
    assert_eq!(begin(), "prompt");
    let typed = code(&phone);
    set_clock(now() - 3600);
    for shown in [typed, code(&phone)] {
        assert_eq!(house.verify("alice", &shown), "replayed");
    }
    assert_eq!(house.ask(json!({"type": "status", "user": "alice"}))["failures"], 0);
}

#[test]
fn a_bypass_code_opens_to_its_last_second_and_not_in_the_one_after() {
    let house = House::new("");
    let _phone = house.enroll("alice", "phone");
    let issued = || {
        let bypass = json!({"type": "admin_bypass", "user": "alice", "seconds": 600, "uses": 1});
        house.ask(bypass)["code"].as_str().unwrap().to_owned()
    };
    for (after, expected) in [(599, "accepted"), (600, "wrong"), (601, "wrong")] {
        let bypass = issued();
        pass(after);
        assert_eq!(house.verify("alice", &bypass), expected, "{after}");
        // Neither does a clock that is set back bring one back that was used.
        set_clock(now() - after);
        if expected == "accepted" {
            assert_eq!(house.verify("alice", &bypass), "wrong", "{after}");
        }
        house.ask(json!({"type": "admin_unlock", "user": "alice"}));
    }
}
