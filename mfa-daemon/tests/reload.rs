// SPDX-License-Identifier: GPL-3.0-or-later
//! A new configuration while the daemon runs: under load, with mistakes, and in the midst of an
//! enrolment.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "this is test code outside of test functions"
)]

mod house;
mod trial;

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use house::{House, NOBODY, Talk, pass};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use trial::{Trial, code};

const EXEMPT: &str = "[[rule]]\nusers = [\"flip\"]\nexempt_until = 2099-12-31\n";

/// What systemd would hear, message by message.
struct Systemd(UnixDatagram);

impl Systemd {
    fn hear(&self) -> String {
        let mut message = [0; 512];
        let len = self.0.recv(&mut message).unwrap();
        String::from_utf8(message[..len].to_vec()).unwrap()
    }
}

/// A daemon that tells systemd what it does, and the part of its configuration that stays.
fn notifying() -> (Trial, Systemd, String) {
    let mut trial = Trial::prepare("[exchange]\ngroup = \"ffdhe2048\"\n");
    let path = trial.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    trial.run_with(&[("NOTIFY_SOCKET", &path)]);
    let systemd = Systemd(socket);
    assert_eq!(systemd.hear().trim_end(), "READY=1");
    let written = fs::read_to_string(trial.path("mfa.toml")).unwrap();
    (trial, systemd, written)
}

/// Sends SIGHUP and waits until systemd would know that the reload is over.
fn hang_up(trial: &Trial, systemd: &Systemd) {
    trial.signal(Signal::SIGHUP);
    let begun = systemd.hear();
    let (reloading, at) = begun.trim_end().split_once('\n').unwrap();
    assert_eq!(reloading, "RELOADING=1");
    let at: u64 = at.strip_prefix("MONOTONIC_USEC=").unwrap().parse().unwrap();
    assert!(at > 0);
    assert_eq!(systemd.hear().trim_end(), "READY=1");
}

fn begin(trial: &Trial, user: &str) -> Value {
    trial.ask(json!({"type": "begin", "user": user, "origin": {"service": "test"}}))
}

#[test]
fn reloads_under_load_lose_no_request_and_a_mistake_keeps_what_holds() {
    const SHARES: usize = 6;
    const EACH: usize = 40;
    let (trial, systemd, written) = notifying();
    for n in 0..SHARES * EACH {
        trial.add(&format!("u{n}"));
    }
    trial.add("flip");
    let (answered, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    let mut reloads = 0;
    std::thread::scope(|scope| {
        let logins: Vec<_> = (0..SHARES)
            .map(|share| {
                let (trial, answered) = (&trial, &answered);
                scope.spawn(move || {
                    for n in share * EACH..(share + 1) * EACH {
                        let user = format!("u{n}");
                        assert_eq!(begin(trial, &user)["type"], "prompt");
                        let code = code(0);
                        assert_eq!(trial.verify(&user, &code)["type"], "accepted");
                        assert_eq!(trial.verify(&user, &code)["type"], "replayed");
                        answered.fetch_add(3, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let watch = scope.spawn(|| {
            for login in logins {
                login.join().unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
        let mut expected = "prompt";
        while !done.load(Ordering::Relaxed) || reloads < 9 {
            let (more, outcome) = match reloads % 3 {
                0 => (EXEMPT, "skip"),
                // A mistake: the rule before it holds on.
                1 => ("[token]\ndigits = 5\n", expected),
                _ => ("", "prompt"),
            };
            fs::write(trial.path("mfa.toml"), format!("{written}{more}")).unwrap();
            hang_up(&trial, &systemd);
            assert_eq!(begin(&trial, "flip")["type"], outcome, "after {reloads} reloads");
            expected = outcome;
            reloads += 1;
        }
        watch.join().unwrap();
    });
    assert_eq!(answered.load(Ordering::Relaxed), SHARES * EACH * 3);
    let log = trial.log();
    let told = |what: &str| log.lines().filter(|line| line.contains(what)).count();
    assert_eq!(told("not reloaded"), (reloads + 1) / 3);
    assert_eq!(told("act=\"reload\" result=\"done\""), reloads - (reloads + 1) / 3);
    assert_eq!(told("act=\"reload\" result=\"denied\""), (reloads + 1) / 3);
}

#[test]
fn a_mistake_is_told_with_its_line_and_the_old_rules_hold() {
    let (trial, systemd, written) = notifying();
    trial.add("flip");
    let write = |more: &str| fs::write(trial.path("mfa.toml"), format!("{written}{more}")).unwrap();
    let reload = || trial.ask(json!({"type": "admin_reload"}));
    write(EXEMPT);
    assert_eq!(reload()["needs_restart"], json!([]));
    assert_eq!(begin(&trial, "flip")["type"], "skip");
    let line = written.lines().count() + 2;
    for (more, what) in [
        ("[token]\ndigits = 5\n", "digits = 5"),
        ("[[rule]]\nuser = [\"flip\"]\n", "user"),
        ("[lockout]\nhard_limit = 1\n", "free_attempts"),
    ] {
        write(more);
        let answer = reload();
        assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!("conflict")));
        let message = answer["message"].as_str().unwrap();
        assert!(message.contains(&format!("mfa.toml: line {line}")), "{message}");
        assert!(message.contains(what), "{message}");
        hang_up(&trial, &systemd);
        let log = trial.log();
        let told = log.lines().rev().find(|line| line.contains("not reloaded")).unwrap();
        assert!(told.contains(&format!("line {line}")) && told.contains(what), "{told}");
        assert_eq!(begin(&trial, "flip")["type"], "skip");
    }
    write("");
    fs::write(trial.path("group.pem"), "no group").unwrap();
    let path = trial.path("group.pem");
    let group = written.replace("\"ffdhe2048\"", &format!("{path:?}"));
    fs::write(trial.path("mfa.toml"), group).unwrap();
    assert!(reload()["message"].as_str().unwrap().contains("group.pem"));
    fs::remove_file(trial.path("mfa.toml")).unwrap();
    assert!(reload()["message"].as_str().unwrap().contains("cannot read the configuration"));
    assert_eq!(begin(&trial, "flip")["type"], "skip");
    write("");
    assert_eq!(reload()["type"], "reloaded");
    assert_eq!(begin(&trial, "flip")["type"], "prompt");
}

#[test]
fn what_only_a_start_can_change_runs_on_and_is_named_each_time() {
    let (trial, systemd, written) = notifying();
    trial.add("flip");
    let elsewhere = written
        .replace("run/mfa.sock", "run/other.sock")
        .replace("state/mfa.db", "state/other.db")
        .replace("state/master.key", "state/other.key");
    fs::write(trial.path("mfa.toml"), format!("{elsewhere}{EXEMPT}")).unwrap();
    for _ in 0..2 {
        let answer = trial.ask(json!({"type": "admin_reload"}));
        assert_eq!(answer["needs_restart"], json!(["socket", "store.url", "master_key"]));
    }
    hang_up(&trial, &systemd);
    let waiting = "keys=\"socket, store.url, master_key\"";
    assert_eq!(trial.log().lines().filter(|line| line.contains(waiting)).count(), 3);
    assert_eq!(begin(&trial, "flip")["type"], "skip");
    assert!(!trial.path("run/other.sock").exists());
    fs::write(trial.path("mfa.toml"), &written).unwrap();
    assert_eq!(trial.ask(json!({"type": "admin_reload"}))["needs_restart"], json!([]));
}

#[test]
fn nobody_but_root_and_the_admin_group_has_it_read_again() {
    let house = House::new("");
    let file = house.home.path().join("mfa.toml");
    let text = fs::read_to_string(&file).unwrap();
    let named = "issuer = \"renamed\"\nadmin_group = \"nogroup\"";
    fs::write(&file, text.replace("issuer = \"house\"", named)).unwrap();
    let refused = house.caller(NOBODY.1).ask(json!({"type": "admin_reload"}));
    assert_eq!(refused["code"], "not_permitted");
    assert_eq!(house.daemon.settings().issuer, "house");
    assert_eq!(house.caller(0).ask(json!({"type": "admin_reload"}))["type"], "reloaded");
    assert_eq!(house.daemon.settings().issuer, "renamed");
    // The group that he is in has become the admin group.
    assert_eq!(house.caller(NOBODY.1).ask(json!({"type": "admin_reload"}))["type"], "reloaded");
}

#[test]
fn an_enrolment_ends_in_the_group_that_it_began_with() {
    let house = House::new("");
    let file = house.home.path().join("mfa.toml");
    let text = fs::read_to_string(&file).unwrap();
    let mut before = house.connect();
    assert_eq!(before.ask(json!({"type": "params"}))["group"], "ffdhe2048");
    let mut open = Talk::open(house.connect(), "alice", "enroll").unwrap();

    fs::write(&file, text.replace("ffdhe2048", "ffdhe3072")).unwrap();
    assert_eq!(house.ask(json!({"type": "admin_reload"}))["type"], "reloaded");
    assert_eq!(house.ask(json!({"type": "params"}))["group"], "ffdhe3072");

    let uri = open.provision("phone");
    open.rekey();
    assert_eq!(open.confirm("phone", &house::code(&uri))["type"], "confirmed");
    let mut asked = Talk::open(before, "bob", "enroll").unwrap();
    let uri = asked.provision("phone");
    assert_eq!(asked.confirm("phone", &house::code(&uri))["type"], "confirmed");
    // Whoever comes now and did not ask is told to.
    let Err(refused) = Talk::open(house.connect(), "carol", "enroll") else {
        panic!("the old group")
    };
    assert!(refused["message"].as_str().unwrap().contains("ask for params"), "{refused}");
    pass(30);
}
