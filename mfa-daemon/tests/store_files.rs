// SPDX-License-Identifier: GPL-3.0-or-later
//! The files of the store exchanged, moved, cut or put in each other's place: whatever is there, nothing
//! spent is fresh, nobody else's code opens, and with the right files everything goes on.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "this is test code outside of test functions"
)]

mod trial;

use std::fs;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::sys::signal::Signal;
use rusqlite::Connection;
use serde_json::json;
use trial::{SECRET, Trial, code};

fn with(users: &[&str]) -> Trial {
    let trial = Trial::start();
    for user in users {
        trial.add(user);
    }
    trial
}

fn opens(trial: &Trial, user: &str, code: &str) -> bool {
    trial.verify(user, code)["type"] == "accepted"
}

/// Version and content of a row, of a daemon that was stopped.
fn row(database: &Connection, user: &str) -> (i64, Vec<u8>) {
    database
        .query_row("SELECT version, sealed FROM user WHERE name = ?1", [user], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap()
}

fn write(path: &Path, content: &[u8]) {
    let _ = fs::remove_file(path);
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path).unwrap();
    std::io::Write::write_all(&mut file, content).unwrap();
}

#[test]
fn rows_that_were_exchanged_and_an_older_content_of_one_open_for_nobody() {
    let mut trial = with(&["alice", "bob", "carol", "dave"]);
    trial.end(Signal::SIGTERM);
    let path = trial.path("state/mfa.db");
    let database = || Connection::open(&path).unwrap();
    let carols = row(&database(), "carol").1;
    trial.run();
    let spent = code(0);
    assert!(opens(&trial, "carol", &spent));
    trial.end(Signal::SIGTERM);

    let (alices, bobs) = (row(&database(), "alice").1, row(&database(), "bob").1);
    let newer = row(&database(), "carol").1;
    assert_ne!(carols, newer);
    let put = |user: &str, sealed: &[u8]| {
        let update = "UPDATE user SET sealed = ?2 WHERE name = ?1";
        assert_eq!(database().execute(update, rusqlite::params![user, sealed]).unwrap(), 1);
    };
    put("alice", &bobs);
    put("bob", &alices);
    put("carol", &carols);
    trial.run();
    for user in ["alice", "bob", "carol"] {
        for shown in [&spent, &code(1)] {
            assert_eq!(trial.verify(user, shown)["type"], "unavailable", "{user}");
        }
    }
    assert!(opens(&trial, "dave", &code(0)));
    let checked = trial.ask(json!({"type": "admin_check"}));
    assert_eq!(checked["names"], json!(["alice", "bob", "carol"]), "{checked}");
    trial.end(Signal::SIGTERM);
    // The control: each in its place again.
    put("alice", &alices);
    put("bob", &bobs);
    put("carol", &newer);
    trial.run();
    assert!(opens(&trial, "alice", &code(0)) && opens(&trial, "bob", &code(0)));
    assert!(!opens(&trial, "carol", &spent));
    assert!(opens(&trial, "carol", &code(1)));
}

#[test]
fn after_a_stop_the_log_says_nothing_beside_another_database() {
    let (mut one, mut other) = (with(&["alice"]), with(&["mallory"]));
    let spent = code(0);
    assert!(opens(&one, "alice", &spent) && opens(&other, "mallory", &spent));
    one.end(Signal::SIGTERM);
    other.end(Signal::SIGTERM);
    // All but the log, as by somebody who copies a database into this place.
    for file in ["mfa.db", "mfa.db.mark", "master.key"] {
        write(
            &one.path(&format!("state/{file}")),
            &fs::read(other.path(&format!("state/{file}"))).unwrap(),
        );
    }
    assert!(fs::metadata(one.path("state/mfa.db-wal")).unwrap().len() > 1_000_000);
    one.run();
    assert!(!opens(&one, "mallory", &spent));
    assert!(opens(&one, "mallory", &code(1)));
    assert!(!opens(&one, "alice", &code(1)), "she is not in it");
    let checked = one.ask(json!({"type": "admin_check"}));
    assert_eq!((&checked["faults"], &checked["damaged"]), (&json!([]), &json!(0)), "{checked}");
    assert!(!one.path("state/mfa.db-shm").exists(), "the index of the log is in memory");
}

#[test]
fn the_log_of_another_database_opens_no_login_and_with_ones_own_everything_goes_on() {
    let (mut one, mut other) = (with(&["alice", "bob"]), with(&["alice", "mallory"]));
    let spent = code(0);
    assert!(opens(&one, "alice", &spent) && opens(&other, "mallory", &spent));
    one.end(Signal::SIGKILL);
    other.end(Signal::SIGKILL);
    let state = |file: &str| fs::read(one.path(&format!("state/{file}"))).unwrap();
    let kept = ["mfa.db", "mfa.db-wal", "mfa.db.mark"].map(|file| (file, state(file)));
    // An index of the log, as an older version of the daemon left one.
    write(&one.path("state/mfa.db-shm"), &[7; 32_768]);
    write(&one.path("state/mfa.db-wal"), &fs::read(other.path("state/mfa.db-wal")).unwrap());
    if one.try_run() {
        assert!(!opens(&one, "alice", &spent));
        for user in ["alice", "mallory"] {
            assert!(!opens(&one, user, &code(1)), "{user}, of the other database");
        }
        one.end(Signal::SIGKILL);
    }
    for (file, content) in kept {
        write(&one.path(&format!("state/{file}")), &content);
    }
    one.run();
    assert!(!opens(&one, "alice", &spent));
    assert!(opens(&one, "alice", &code(1)) && opens(&one, "bob", &spent));
}

#[test]
fn a_master_key_that_is_changed_while_the_daemon_runs_is_found_at_the_next_start() {
    let mut trial = with(&["alice", "bob", "carol"]);
    let path = trial.path("state/master.key");
    let right = fs::read(&path).unwrap();
    write(&path, &[9; 32]);
    // It has the key that it was started with, for logins and for new tokens.
    assert!(opens(&trial, "alice", &code(0)));
    trial.add("dave");
    let rekey = trial.ask(json!({"type": "admin_rekey"}));
    assert_eq!(rekey["total"], 0, "{rekey}");
    trial.end(Signal::SIGTERM);
    let refusal = trial.refusal();
    assert!(refusal.contains("not the master key of this database"), "{refusal}");
    assert_eq!(fs::read(&path).unwrap(), [9; 32], "a new one was made");
    write(&path, &right);
    trial.run();
    for user in ["bob", "carol", "dave"] {
        assert!(opens(&trial, user, &code(0)), "{user}");
    }
    assert!(opens(&trial, "alice", &code(1)));
}

#[test]
fn what_is_no_file_in_the_place_of_the_database_is_refused_and_left_as_it_is() {
    let mut trial = with(&["alice"]);
    trial.end(Signal::SIGTERM);
    let (path, away) = (trial.path("state/mfa.db"), trial.path("away"));
    fs::rename(&path, &away).unwrap();
    fs::create_dir(&path).unwrap();
    trial.refusal();
    assert!(path.is_dir() && fs::read_dir(&path).unwrap().next().is_none());
    fs::remove_dir(&path).unwrap();
    std::os::unix::fs::symlink(trial.path("nowhere"), &path).unwrap();
    trial.refusal();
    assert!(!trial.path("nowhere").exists(), "a fresh one was made behind the link");
    fs::remove_file(&path).unwrap();
    fs::rename(&away, &path).unwrap();
    trial.run();
    assert!(opens(&trial, "alice", &code(0)));
}

#[test]
fn a_second_daemon_gets_no_database_by_another_name_of_it() {
    let mut trial = with(&["alice", "bob"]);
    let spent = code(0);
    assert!(opens(&trial, "alice", &spent));
    // By a directory of the same name elsewhere, and by a second name of the file.
    let linked = Trial::prepare("");
    std::os::unix::fs::symlink(trial.path("state"), linked.path("state")).unwrap();
    let refusal = linked.refusal();
    assert!(refusal.contains("another mfa-daemon is using"), "{refusal}");
    let mut named = Trial::prepare("");
    fs::create_dir(named.path("state")).unwrap();
    fs::set_permissions(named.path("state"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::hard_link(trial.path("state/mfa.db"), named.path("state/mfa.db")).unwrap();
    let key = fs::read(trial.path("state/master.key")).unwrap();
    write(&named.path("state/master.key"), &key);
    let refusal = named.refusal();
    assert!(refusal.contains("database is locked"), "{refusal}");
    assert!(opens(&trial, "bob", &code(0)), "{}", trial.log());
    trial.end(Signal::SIGKILL);
    // The first one's log is not beside it there: it is an older database, and known for one.
    if named.try_run() {
        assert!(!opens(&named, "alice", &spent));
        named.end(Signal::SIGTERM);
    }
    trial.run();
    assert!(!opens(&trial, "alice", &spent));
}

#[test]
fn a_state_directory_that_is_moved_away_and_back_brings_no_spent_code_back() {
    let mut trial = with(&["alice", "bob"]);
    let (first, second) = (code(0), code(1));
    assert!(opens(&trial, "alice", &first));
    fs::rename(trial.path("state"), trial.path("elsewhere")).unwrap();
    assert!(opens(&trial, "alice", &second), "{}", trial.log());
    trial.end(Signal::SIGKILL);
    fs::rename(trial.path("elsewhere"), trial.path("state")).unwrap();
    trial.run();
    for spent in [&first, &second] {
        assert!(!opens(&trial, "alice", spent));
    }
    assert!(opens(&trial, "bob", &second));
}

#[test]
fn a_database_that_is_one_page_short_lets_nobody_in_twice() {
    let mut trial = with(&["alice", "bob"]);
    let spent = code(0);
    assert!(opens(&trial, "alice", &spent));
    trial.end(Signal::SIGTERM);
    let path = trial.path("state/mfa.db");
    let whole = fs::read(&path).unwrap();
    write(&path, &whole[..whole.len() - 4096]);
    if trial.try_run() {
        assert!(!opens(&trial, "alice", &spent));
        trial.end(Signal::SIGKILL);
        let _ = fs::remove_file(trial.path("state/mfa.db-wal"));
    }
    write(&path, &whole);
    trial.run();
    assert!(!opens(&trial, "alice", &spent));
    assert!(opens(&trial, "bob", &code(1)), "{}", trial.log());
}

#[test]
fn a_mark_of_the_future_makes_codes_void_up_to_now_and_the_next_ones_open() {
    let mut trial = with(&["alice", "bob"]);
    let bypass = json!({"type": "admin_bypass", "user": "alice", "seconds": 600, "uses": 1});
    let bypass = trial.ask(bypass)["code"].as_str().unwrap().to_owned();
    let fresh = code(0);
    trial.end(Signal::SIGTERM);
    let mark = format!("{:020} {:020}\n", 1_000_000, trial::now()).repeat(2);
    write(&trial.path("state/mfa.db.mark"), mark.as_bytes());
    trial.run();
    assert!(trial.log().contains("older_than_its_mark"), "{}", trial.log());
    for shown in [&fresh, &bypass] {
        assert!(!opens(&trial, "alice", shown));
    }
    // The control is what opens behind the window that is void.
    trial.ask(json!({"type": "admin_unlock", "user": "bob"}));
    let secret = mfa_crypto::Secret::new(SECRET.to_vec());
    let (algorithm, digits) = (mfa_crypto::Algorithm::Sha1, mfa_crypto::Digits::default());
    let later = trial::now() / 30 + 10;
    let later = mfa_crypto::hotp(&secret, algorithm, digits, later).as_str().to_owned();
    trial.end(Signal::SIGTERM);
    trial.run_with(&[
        ("LD_PRELOAD", Path::new("/usr/$LIB/faketime/libfaketimeMT.so.1")),
        ("FAKETIME", Path::new("+5m")),
        ("FAKETIME_DONT_FAKE_MONOTONIC", Path::new("1")),
    ]);
    assert!(opens(&trial, "bob", &later), "{}", trial.log());
    assert!(!opens(&trial, "bob", &later));
}
