// SPDX-License-Identifier: GPL-3.0-or-later
//! The master key as a credential that systemd passes: first start, later starts, and what is missing.

#![expect(clippy::unwrap_used, reason = "this is test code outside of test functions")]

mod trial;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use trial::{Trial, code};

const NAME: &str = "mfa.master-key";

/// A daemon whose key is a credential, and the directory in which one would be passed.
fn with_credential() -> (Trial, PathBuf) {
    let trial = Trial::prepare("");
    let written = fs::read_to_string(trial.path("mfa.toml")).unwrap();
    let key = format!("file = {:?}", trial.path("state/master.key"));
    let changed = written.replace(&key, &format!("credential = {NAME:?}"));
    assert_ne!(changed, written);
    fs::write(trial.path("mfa.toml"), changed).unwrap();
    let credentials = trial.path("credentials");
    fs::create_dir(&credentials).unwrap();
    (trial, credentials)
}

/// As systemd does it: read-only, for the service alone.
fn pass(credentials: &Path, key: &[u8]) {
    let path = credentials.join(NAME);
    let _ = fs::remove_file(&path);
    fs::write(&path, key).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
}

fn run(trial: &mut Trial, credentials: &Path) {
    trial.run_with(&[("CREDENTIALS_DIRECTORY", credentials)]);
}

fn refusal(trial: &Trial, credentials: &Path) -> String {
    trial.refusal_with(&[("CREDENTIALS_DIRECTORY", credentials)])
}

#[test]
fn a_first_start_takes_the_key_that_is_passed_and_makes_none() {
    let (mut trial, credentials) = with_credential();
    for refused in [trial.refusal(), refusal(&trial, &credentials)] {
        assert!(refused.contains("systemd-creds encrypt --name=mfa.master-key -"), "{refused}");
        assert!(refused.contains("LoadCredentialEncrypted=mfa.master-key:"), "{refused}");
    }
    assert!(fs::read_dir(&credentials).unwrap().next().is_none(), "a key was made");
    pass(&credentials, &[7; 32]);
    run(&mut trial, &credentials);
    trial.add("alice");
    assert_eq!(trial.verify("alice", &code(0))["type"], "accepted");
    assert!(trial.end(Signal::SIGTERM).success());
    assert!(!trial.path("state/master.key").exists(), "a key was made");
    run(&mut trial, &credentials);
    assert_eq!(trial.verify("alice", &code(0))["type"], "replayed");
    assert_eq!(trial.verify("alice", &code(1))["type"], "accepted");
}

#[test]
fn another_credential_or_none_or_one_that_others_read_opens_no_store() {
    let (mut trial, credentials) = with_credential();
    pass(&credentials, &[7; 32]);
    run(&mut trial, &credentials);
    trial.add("alice");
    assert!(trial.end(Signal::SIGTERM).success());

    pass(&credentials, &[8; 32]);
    assert!(refusal(&trial, &credentials).contains("not the master key of this database"));
    pass(&credentials, &[7; 31]);
    assert!(refusal(&trial, &credentials).contains("31 bytes"));
    pass(&credentials, &[7; 32]);
    fs::set_permissions(credentials.join(NAME), fs::Permissions::from_mode(0o444)).unwrap();
    assert!(refusal(&trial, &credentials).contains("0444"));
    fs::remove_file(credentials.join(NAME)).unwrap();
    assert!(refusal(&trial, &credentials).contains("restore the key"));

    pass(&credentials, &[7; 32]);
    run(&mut trial, &credentials);
    assert_eq!(trial.verify("alice", &code(0))["type"], "accepted");
}

#[test]
fn a_lost_database_is_noticed_without_a_key_file_beside_it() {
    let (mut trial, credentials) = with_credential();
    pass(&credentials, &[7; 32]);
    run(&mut trial, &credentials);
    trial.add("alice");
    assert!(trial.end(Signal::SIGTERM).success());
    let database = trial.path("state/mfa.db");
    let kept = fs::read(&database).unwrap();
    fs::remove_file(&database).unwrap();
    assert!(refusal(&trial, &credentials).contains("unenroll"));
    assert!(!database.exists(), "it was made anew");
    fs::write(&database, "").unwrap();
    assert!(refusal(&trial, &credentials).contains("unenroll"));
    fs::write(&database, kept).unwrap();
    run(&mut trial, &credentials);
    assert_eq!(trial.verify("alice", &code(0))["type"], "accepted");
}

#[test]
fn a_key_moves_from_its_file_into_a_credential() {
    let mut trial = Trial::start();
    trial.add("alice");
    assert!(trial.end(Signal::SIGTERM).success());
    let written = fs::read_to_string(trial.path("mfa.toml")).unwrap();
    let file = trial.path("state/master.key");
    let changed = written.replace(&format!("file = {file:?}"), &format!("credential = {NAME:?}"));
    fs::write(trial.path("mfa.toml"), changed).unwrap();
    let credentials = trial.path("credentials");
    fs::create_dir(&credentials).unwrap();
    pass(&credentials, &fs::read(&file).unwrap());
    fs::remove_file(&file).unwrap();
    run(&mut trial, &credentials);
    assert_eq!(trial.verify("alice", &code(0))["type"], "accepted");
}
