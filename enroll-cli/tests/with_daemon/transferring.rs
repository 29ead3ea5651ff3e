// SPDX-License-Identifier: GPL-3.0-or-later
//! Users in and out: nothing half, nothing spent that becomes fresh, no secret where it does not belong.

use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use mfa_crypto::OtpUri;
use serde_json::Value;

use crate::machine::{Ended, Machine, NOBODY, code, open, text};

const HEX: &str = "3132333435363738393031323334353637383930";
const BASE32: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const BASE64: &str = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=";

fn token() -> OtpUri {
    OtpUri::parse(&format!("otpauth://totp/x?secret={BASE32}")).unwrap()
}

fn users(machine: &Machine) -> Vec<String> {
    let listed = machine.run(&["--json", "admin", "list"]).expect(0).json();
    listed.iter().map(|user| user["user"].as_str().unwrap().to_owned()).collect()
}

/// Imports what stands on standard input, which is a pipe.
fn import_piped(machine: &Machine, format: &str, content: &str) -> Ended {
    let arguments = ["--json", "admin", "import", "-", "--format", format];
    let mut child = machine.mfa(&arguments).stdin(Stdio::piped()).spawn().unwrap();
    // It may end without reading all of it.
    let _ = child.stdin.take().unwrap().write_all(content.as_bytes());
    Ended::after(child.wait_with_output().unwrap())
}

fn export(machine: &Machine, more: &[&str]) -> String {
    machine.run(&[&["admin", "export"], more].concat()).expect(0).out
}

fn verify(machine: &Machine, user: &str, code: &str) -> Ended {
    machine.run(&["verify", "--user", user, code])
}

#[test]
fn a_pipe_with_a_mistake_at_its_end_leaves_nobody_behind() {
    let machine = Machine::new();
    let mut lines: String = (0..3000).map(|n| format!("HOTP/T30 u{n:04} - {HEX}\n")).collect();
    import_piped(&machine, "users.oath", &format!("{lines}nonsense\n"))
        .expect(1)
        .complains("1 wrong line; nothing was imported\n  line 3001: expected HOTP");
    assert!(users(&machine).is_empty());
    import_piped(&machine, "users.oath", &format!("{lines}HOTP u0007 - {HEX}\n"))
        .expect(1)
        .complains("u0007 stands in line 8 already");
    assert!(users(&machine).is_empty());

    let report = import_piped(&machine, "users.oath", &lines).expect(0).json().remove(0);
    assert_eq!((&report["added"], &report["known"]), (&3000.into(), &0.into()));
    lines.push_str(&format!("HOTP/T30 late - {HEX}\n"));
    let report = import_piped(&machine, "users.oath", &lines).expect(0).json().remove(0);
    assert_eq!((&report["added"], &report["known"]), (&1.into(), &3000.into()));
    assert_eq!(users(&machine).len(), 3001);
}

#[test]
fn an_import_that_is_killed_leaves_nobody_behind_and_the_next_one_goes_on() {
    let machine = Machine::new();
    let lines: String = (0..3000).map(|n| format!("HOTP/T30 u{n:04} - {HEX}\n")).collect();
    let arguments = ["admin", "import", "-", "--format", "users.oath"];
    let mut child = machine.mfa(&arguments).stdin(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(lines.as_bytes()).unwrap();
    // Frames have left by now: a pipe holds less than what was written.
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(users(&machine).is_empty());
    let report = import_piped(&machine, "users.oath", &lines).expect(0).json().remove(0);
    assert_eq!(report["added"], 3000);
}

#[test]
fn a_dry_run_lists_what_would_change_and_changes_nothing() {
    let machine = Machine::new();
    machine.enrolled("bob", "token");
    let file = machine.path("users.oath");
    fs::write(&file, format!("HOTP/T60/8 carol - {HEX}\nHOTP bob - {HEX}\nHOTP alice - {HEX} 7\n"))
        .unwrap();
    open(&file, 0o600);
    let dry = ["admin", "import", text(&file), "--format", "users.oath", "--dry-run"];
    let out = machine.run(&dry).expect(0).out;
    assert_eq!(
        out,
        "+ alice  HOTP SHA1 6 digits\n= bob  known, left as he is\n+ carol  TOTP SHA1 8 digits 60 s\n\
         weak: 1 have codes that stay current for longer than 30 s; the first in line 1\n\
         3 users: 2 to be added, 1 known already. Nothing was changed (--dry-run).\n"
    );
    let json = machine.run(&[&["--json"], &dry[..]].concat()).expect(0).json();
    open(&file, 0o644);
    machine.run(&dry).expect(0).complains("others can read");
    assert_eq!(json[0]["change"], "add");
    assert_eq!(json[0]["tokens"][0]["factor"], "hotp");
    assert_eq!(json[1], serde_json::json!({"user": "bob", "change": "none"}));
    assert_eq!(json[2]["tokens"][0]["period"], 60);
    assert_eq!((&json[3]["added"], &json[3]["dry_run"]), (&2.into(), &true.into()));
    assert_eq!(users(&machine), ["bob"]);
}

#[test]
fn a_user_of_google_authenticator_goes_on_with_phone_and_scratch_codes_and_back() {
    let machine = Machine::new();
    let file = machine.path("google");
    let (spent, next) = (code(&token(), 0), code(&token(), 1));
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() / 30;
    let content = format!(
        "{BASE32}\n\" RATE_LIMIT 3 30\n\" WINDOW_SIZE 17\n\" DISALLOW_REUSE {now}\n\" TOTP_AUTH\n\
         12345678\n87654321\n"
    );
    fs::write(&file, &content).unwrap();
    open(&file, 0o644);
    let import = ["admin", "import", text(&file), "--format", "google-authenticator"];
    machine.run(&import).expect(2).complains("--user");
    let out = machine.run(&[&import[..], &["--user", "alice"]].concat()).expect(0).out;
    for weak in ["wide window", "others can read"] {
        assert!(out.contains(weak), "{out}");
    }
    verify(&machine, "alice", &spent).expect(1);
    verify(&machine, "alice", "12345678").expect(0);
    verify(&machine, "alice", "12345678").expect(1);
    verify(&machine, "alice", &next).expect(0);
    verify(&machine, "alice", "8765 4321").expect(0);

    let back = ["--with-secrets", "--format", "google-authenticator", "--user", "alice"];
    let back = export(&machine, &back);
    assert!(back.starts_with(&format!("{BASE32}\n\" ")), "{back}");
    let spent = back.lines().find(|line| line.starts_with("\" DISALLOW_REUSE")).unwrap();
    assert!(spent.split(' ').any(|step| step == (now + 1).to_string()), "{spent}");
    // And here again, as another user.
    fs::write(&file, &back).unwrap();
    machine.run(&[&import[..], &["--user", "again"]].concat()).expect(0);
    verify(&machine, "again", &next).expect(1);

    fs::write(&file, content.replace("TOTP_AUTH", "STEP_SIZE x")).unwrap();
    machine
        .run(&[&import[..], &["--user", "bad"]].concat())
        .expect(1)
        .complains("line 5: expected STEP_SIZE");
    assert_eq!(users(&machine), ["again", "alice"]);
}

#[test]
fn an_export_fits_its_schema_and_without_secrets_has_none() {
    let machine = Machine::new();
    machine.enrolled("alice", "token");
    machine.run(&["admin", "bypass", "bob", "--for", "1h"]).expect(0);
    machine.run(&["admin", "invite", "carol"]).expect(0);
    let file = machine.path("users.oath");
    fs::write(&file, format!("HOTP/E/8 dave - {HEX} 3\nHOTP/T30 \u{fc} - {HEX}\n")).unwrap();
    machine.run(&["admin", "import", text(&file), "--format", "users.oath"]).expect(0);
    verify(&machine, "dave", "00000000").expect(1);

    let plain = export(&machine, &[]);
    let full = export(&machine, &["--with-secrets"]);
    for document in [&plain, &full] {
        assert!(fits_schema(document), "{document}");
        let parsed: Value = serde_json::from_str(document).unwrap();
        let names: Vec<_> =
            parsed["users"].as_array().unwrap().iter().map(|u| &u["user"]).collect();
        assert_eq!(names, ["alice", "bob", "carol", "dave", "\u{fc}"]);
        assert_eq!(document.lines().count(), 7);
    }
    for secret in ["secret", "last_step", "counter", BASE64] {
        assert!(!plain.contains(secret), "{plain}");
    }
    assert!(full.contains(BASE64));
    assert!(!machine.log().contains(BASE64));
    // What is no document is not taken by the schema: it says something.
    for (right, wrong) in [
        ("\"mfa_users\":1", "\"mfa_users\":2"),
        ("\"digits\":6", "\"digits\":5"),
        ("\"factor\":\"hotp\"", "\"factor\":\"totp\""),
        ("\"failures\":", "\"failure\":"),
    ] {
        assert!(plain.contains(right), "{plain}");
        assert!(!fits_schema(&plain.replace(right, wrong)), "{wrong}");
    }
    machine.run(&["admin", "export", "--user", "dave"]).expect(0);
    let refused = import_piped(&machine, "users.json", &plain).expect(1);
    assert!(refused.err.contains("--with-secrets"), "{}", refused.err);
}

#[test]
fn everybody_moves_to_another_daemon_through_a_pipe_and_nothing_spent_is_fresh() {
    let (from, to) = (Machine::new(), Machine::new());
    let alice = from.enrolled("alice", "token");
    let file = from.path("users.oath");
    fs::write(&file, format!("HOTP bob - {HEX} 3\nHOTP/T30 carol - {HEX}\n")).unwrap();
    from.run(&["admin", "import", text(&file), "--format", "users.oath"]).expect(0);
    // RFC 4226, appendix D: the codes of the counters 3 and 4.
    verify(&from, "bob", "969429").expect(0);
    let spent = code(&alice, 1);
    verify(&from, "alice", &spent).expect(0);
    for _ in 0..3 {
        verify(&from, "carol", "000000").expect(1);
    }

    let all = export(&from, &["--with-secrets"]);
    let report = import_piped(&to, "users.json", &all).expect(0).json().remove(0);
    assert_eq!((&report["added"], &report["known"]), (&3.into(), &0.into()));
    verify(&to, "alice", &spent).expect(1);
    verify(&to, "bob", "969429").expect(1);
    verify(&to, "bob", "338314").expect(0);
    assert_eq!(to.tokens("alice"), from.tokens("alice"));
    let carol = to.run(&["--json", "status", "--user", "carol"]).expect(0).json().remove(0);
    assert_eq!(carol["failures"], 3);

    // And as pam_oath has them.
    let oath = export(&from, &["--with-secrets", "--format", "users.oath"]);
    let third = Machine::new();
    import_piped(&third, "users.oath", &oath).expect(0);
    verify(&third, "alice", &spent).expect(1);
    verify(&third, "bob", "969429").expect(1);
    verify(&third, "bob", "338314").expect(0);
    verify(&third, "carol", &code(&token(), 0)).expect(0);
}

#[test]
fn secrets_go_to_root_and_into_a_pipe_only() {
    let machine = Machine::new();
    machine.enrolled("alice", "token");
    let arguments = ["admin", "export", "--with-secrets"];
    let plain = machine.path("plain");
    for (out, found) in [
        (Stdio::from(fs::File::create(&plain).unwrap()), "a plain file"),
        (Stdio::from(fs::File::options().write(true).open("/dev/null").unwrap()), "a device"),
    ] {
        let mut command = machine.mfa(&arguments);
        command.stdout(out);
        Ended::of(command).expect(2).complains(found);
    }
    // script(1) gives it a terminal.
    let typed = format!("{} {}", text(&machine.path("mfa")), arguments.join(" "));
    let mut on_a_terminal = Command::new("script");
    on_a_terminal
        .args(["-qec", &typed, "/dev/null"])
        .env("MFA_SOCKET", machine.socket())
        .stdin(Stdio::null());
    let said = Ended::of(on_a_terminal).expect(2).out;
    assert!(said.contains("a terminal") && !said.contains("\"secret\""), "{said}");
    assert_eq!(fs::read(&plain).unwrap(), b"");

    // A pipe, but not root.
    let refused = machine.run_as_nobody(&arguments).expect(4);
    assert_eq!(refused.out, "");
    machine.run_as_nobody(&["admin", "export"]).expect(4);
    assert!(export(&machine, &["--with-secrets"]).contains("\"secret\""));
    // A socket is as good as a pipe.
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut command = machine.mfa(&arguments);
    command.stdout(std::os::fd::OwnedFd::from(theirs));
    Ended::of(command).expect(0);
    drop(ours);
    for format in ["users.oath", "google-authenticator"] {
        machine.run(&["admin", "export", "--format", format]).expect(2).complains("--with-secrets");
    }
}

#[test]
fn a_reader_that_goes_away_makes_an_export_fail() {
    let machine = Machine::new();
    machine.enrolled("alice", "token");
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    drop(ours);
    let mut command = machine.mfa(&["admin", "export", "--with-secrets"]);
    command.stdout(std::os::fd::OwnedFd::from(theirs));
    Ended::of(command).expect(1).complains("cannot be written");
}

#[test]
fn imports_of_two_at_a_time_are_whole_each() {
    let machine = Machine::new();
    let file = |name: &str, users: char| {
        let path = machine.path(name);
        let lines: String =
            (0..2000).map(|n| format!("HOTP/T30 {users}{n:04} - {HEX}\n")).collect();
        fs::write(&path, lines).unwrap();
        path
    };
    let start = |path: &Path| {
        machine.mfa(&["admin", "import", text(path), "--format", "users.oath"]).spawn().unwrap()
    };
    let children = [start(&file("one", 'a')), start(&file("two", 'b'))];
    let done = children.map(|child| Ended::after(child.wait_with_output().unwrap()));
    // One of them may have been told to come back later, but nobody half.
    let expected: usize = done.iter().filter(|ended| ended.code == 0).count() * 2000;
    assert!(expected > 0);
    assert_eq!(users(&machine).len(), expected);
    for ended in done.iter().filter(|ended| ended.code != 0) {
        assert!(ended.err.contains("is under way; try again"), "{}", ended.err);
    }
}

/// By a validator that knows nothing of this program.
fn fits_schema(document: &str) -> bool {
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/users.schema.json");
    let program = "import json, sys, jsonschema\n\
                   schema = json.load(open(sys.argv[1]))\n\
                   jsonschema.Draft202012Validator.check_schema(schema)\n\
                   found = jsonschema.Draft202012Validator(schema).is_valid(json.load(sys.stdin))\n\
                   print('fits' if found else 'does not fit')";
    let mut child = Command::new("python3")
        .args(["-c", program, schema])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(document.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "python3-jsonschema is missing: run tests/prepare test");
    output.stdout == b"fits\n"
}

#[test]
fn others_than_root_neither_import_nor_ask_who_is_known() {
    let machine = Machine::new();
    let file = machine.path("open/users.oath");
    fs::write(&file, format!("HOTP {} - {HEX}\n", NOBODY.0)).unwrap();
    open(&file, 0o644);
    for more in [&[][..], &["--dry-run"]] {
        let import = ["admin", "import", text(&file), "--format", "users.oath"];
        let mut command = machine.mfa(&[&import[..], more].concat());
        command.uid(NOBODY.1).gid(NOBODY.1).current_dir(machine.path("open"));
        Ended::of(command).expect(4);
        machine.run(&[&import[..], more, &["--dry-run"][more.len()..]].concat()).expect(0);
    }
}
