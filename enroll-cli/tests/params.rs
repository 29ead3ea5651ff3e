// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa params` beside `openssl dhparam`: each takes what the other makes.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that clippy takes for tests"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn mfa(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mfa")).args(arguments).output().unwrap()
}

fn openssl(arguments: &[&str]) -> Output {
    Command::new("openssl").args(arguments).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn err(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_generated_group_is_accepted_by_openssl_and_by_the_check_and_never_written_over_a_file() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("dh.pem");
    let made = mfa(&["params", "generate", "--bits", "2048", "--out", text(&file)]);
    assert_eq!(code(&made), 0, "{}", err(&made));
    assert!(out(&made).contains("safe prime of 2048 bits"), "{}", out(&made));
    assert!(err(&made).contains("restart mfa-daemon"), "{}", err(&made));
    assert!(!err(&made).contains("searching"), "a progress bar where there is no terminal");

    let theirs = openssl(&["dhparam", "-check", "-noout", "-in", text(&file)]);
    assert!(theirs.status.success() && err(&theirs).contains("appear to be ok"), "{theirs:?}");
    let ours = mfa(&["params", "check", text(&file)]);
    assert_eq!((code(&ours), out(&ours)), (0, out(&made)));
    let json = mfa(&["--json", "params", "check", text(&file)]);
    let json: serde_json::Value = serde_json::from_str(out(&json)).unwrap();
    assert_eq!((&json["bits"], &json["generator"]), (&2048.into(), &"02".into()));
    assert_eq!(json["group"], serde_json::Value::Null);

    let before = fs::read(&file).unwrap();
    let again = mfa(&["params", "generate", "--bits", "2048", "--out", text(&file)]);
    assert_eq!(code(&again), 1);
    assert!(err(&again).contains("exists"), "{}", err(&again));
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[test]
fn groups_of_openssl_and_of_rfc_7919_are_recognised() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("dh.pem");
    for (group, told) in [("ffdhe2048", "ffdhe2048 of RFC 7919"), ("ffdhe4096", "ffdhe4096 of")] {
        let option = format!("group:{group}");
        let made = openssl(&["genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", &option]);
        fs::write(&file, &made.stdout).unwrap();
        let checked = mfa(&["params", "check", text(&file)]);
        assert_eq!(code(&checked), 0, "{}", err(&checked));
        assert!(out(&checked).starts_with(told), "{}", out(&checked));
    }
}

#[test]
fn what_is_not_safe_or_no_group_is_refused_with_the_reason() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("dh.pem");
    // Without a safe prime, as DSA parameters are.
    let dsa = openssl(&["dhparam", "-dsaparam", "2048"]);
    for (content, reason) in [
        (dsa.stdout, "only safe primes"),
        (openssl(&["dhparam", "512"]).stdout, "at least 2048"),
        (b"nonsense".to_vec(), "PEM"),
        (vec![b'x'; 70_000], "too many"),
    ] {
        fs::write(&file, &content).unwrap();
        let refused = mfa(&["params", "check", text(&file)]);
        assert_eq!(code(&refused), 1, "{reason}");
        assert!(err(&refused).contains(reason), "{reason}: {}", err(&refused));
    }
    let missing = mfa(&["params", "check", "/nonexistent/dh.pem"]);
    assert_eq!(code(&missing), 1);
    for bits in ["2047", "8193", "0"] {
        let refused = mfa(&["params", "generate", "--bits", bits]);
        assert_eq!(code(&refused), 1);
        assert!(err(&refused).contains("2048 to 8192"), "{}", err(&refused));
    }
}
