// SPDX-License-Identifier: GPL-3.0-or-later
//! The real `mfa`, where no daemon is needed: usage, exit codes, token files, import files.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that clippy takes for tests"
)]

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

fn mfa() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mfa"));
    command.env_remove("MFA_SOCKET").env("TZ", "UTC0").stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    mfa().args(arguments).output().unwrap()
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

fn write(directory: &Path, name: &str, text: &str, mode: u32) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    path
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn usage_errors_end_with_2_and_help_with_0() {
    assert_eq!(code(&run(&["--help"])), 0);
    assert_eq!(code(&run(&["--version"])), 0);
    for wrong in [
        &[][..],
        &["enrol"],
        &["enroll", "--user", "../root"],
        &["enroll", "--force"],
        &["enroll", "--qr", "maybe"],
        &["admin"],
        &["rotate", "--force"],
        &["recovery-codes", "alice"],
        &["explain", "alice"],
        &["explain", "../root", "sshd"],
        &["enroll", "--json", "--invite"],
        &["admin", "bypass", "alice"],
        &["admin", "bypass", "alice", "--for", "1"],
        &["admin", "bypass", "alice", "--for", "31d"],
        &["admin", "bypass", "alice", "--for", "1h", "--uses", "0"],
        &["admin", "bypass", "alice", "--for", "1h", "--uses", "101"],
        &["admin", "invite", "alice", "--for", "1s"],
        &["admin", "end-grace"],
        &["admin", "import", "x"],
        &["admin", "import", "x", "--format", "users.xml"],
        &["verify", "123456", "123456"],
        &["verify", "12345678901234567890123456789012345678901234567890123456789012345"],
        &["status", "--color", "pink"],
        &["completions", "csh"],
    ] {
        let output = run(wrong);
        assert_eq!(code(&output), 2, "{wrong:?}");
        assert!(out(&output).is_empty(), "{wrong:?}");
        assert!(!err(&output).is_empty(), "{wrong:?}");
    }
}

#[test]
fn an_absent_daemon_ends_with_3_and_says_where_it_was_looked_for() {
    let home = tempfile::tempdir().unwrap();
    let token = home.path().join("token");
    for arguments in [
        &["status", "--user", "alice"][..],
        &["verify", "--user", "alice", "123456"],
        &["revoke", "--user", "alice", "--name", "x"],
        &["enroll", "--user", "alice", "--save-token", text(&token)],
        &["enroll", "--user", "alice", "--json"],
        &["admin", "list"],
        &["admin", "unlock", "alice"],
        &["admin", "bypass", "alice", "--for", "1h", "--uses", "100", "--service", "sshd"],
        &["admin", "invite", "alice"],
        &["admin", "end-grace", "alice"],
        &["status", "--end-grace", "--user", "alice"],
        &["rotate", "--user", "alice", "--save-token", text(&token)],
        &["recovery-codes", "--user", "alice"],
        &["explain", "alice", "sshd", "--rhost", "192.0.2.1", "--tty", "pts/1"],
        &["enroll", "--user", "alice", "--invite", "1357-9BDF-NY9", "--json"],
        &["doctor"],
    ] {
        let output = mfa()
            .args(["--socket", text(&home.path().join("none.sock"))])
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(code(&output), 3, "{arguments:?}: {}", err(&output));
        let said = format!("{}{}", out(&output), err(&output));
        assert!(said.contains("none.sock"), "{arguments:?}: {said}");
    }
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    let output = mfa().env("MFA_SOCKET", "/nonexistent/s").arg("status").output().unwrap();
    assert!(err(&output).contains("/nonexistent/s"), "{}", err(&output));
}

#[test]
fn a_refused_connection_ends_as_any_refusal_and_says_why() {
    let home = tempfile::tempdir().unwrap();
    let socket = home.path().join("s");
    let listener = UnixListener::bind(&socket).unwrap();
    for (number, word, ended) in
        [(0, "busy", 3), (0, "not_permitted", 4), (0, "malformed", 1), (7, "not_permitted", 3)]
    {
        let mut command = mfa();
        command.args(["--socket", text(&socket), "status", "--user", "a"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        let said =
            format!(r#"{{"v":1,"id":{number},"type":"error","code":"{word}","message":"later"}}"#);
        stream.write_all(&u32::try_from(said.len()).unwrap().to_be_bytes()).unwrap();
        stream.write_all(said.as_bytes()).unwrap();
        drop(stream);
        let output = child.wait_with_output().unwrap();
        assert_eq!(code(&output), ended, "{word}: {}", err(&output));
        assert_eq!(err(&output).contains("later"), number == 0, "{word}: {}", err(&output));
    }
}

#[test]
fn a_secret_that_nobody_would_see_is_not_asked_for() {
    // Not 3: no daemon is even looked for.
    for command in ["enroll", "rotate"] {
        let output = run(&["--socket", "/nonexistent/s", command, "--user", "alice"]);
        assert_eq!(code(&output), 2);
        assert!(err(&output).contains("--save-token"), "{}", err(&output));
    }
}

#[test]
fn an_existing_token_file_is_refused_before_the_daemon_is_asked() {
    let home = tempfile::tempdir().unwrap();
    let token = write(home.path(), "token", "mine", 0o600);
    let enroll = ["--socket", "/nonexistent/s", "enroll", "--user", "a", "--save-token"];
    let output = mfa().args(enroll).arg(&token).output().unwrap();
    assert_eq!((code(&output), err(&output).contains("--force")), (1, true), "{}", err(&output));
    let output = mfa().args(enroll).arg(&token).arg("--force").output().unwrap();
    assert_eq!(code(&output), 3);
    assert_eq!(fs::read_to_string(&token).unwrap(), "mine");
}

#[test]
fn a_token_file_gives_codes_unless_others_can_read_it() {
    let home = tempfile::tempdir().unwrap();
    let address = format!("otpauth://totp/h:alice?secret={SECRET}&issuer=h&digits=8\n");
    let token = write(home.path(), "token", &address, 0o600);
    let output = run(&["code", "--token", text(&token)]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    let shown = out(&output).trim_end();
    assert!(shown.len() == 8 && shown.bytes().all(|byte| byte.is_ascii_digit()), "{shown}");

    let output = run(&["--json", "code", "--token", text(&token)]);
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!((1..=30).contains(&object["valid_seconds"].as_u64().unwrap()));

    fs::set_permissions(&token, Permissions::from_mode(0o644)).unwrap();
    let output = run(&["code", "--token", text(&token)]);
    assert_eq!(code(&output), 1);
    assert!(out(&output).is_empty());
    assert!(err(&output).contains("chmod 600"), "{}", err(&output));
}

#[test]
fn the_default_token_file_is_that_of_the_caller() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join(".config/mfa");
    fs::create_dir_all(&directory).unwrap();
    write(&directory, "token", &format!("otpauth://totp/alice?secret={SECRET}"), 0o600);
    let run = |home: Option<&Path>| {
        let mut command = mfa();
        command.env_remove("XDG_CONFIG_HOME").env_remove("HOME").arg("code");
        home.map(|home| command.env("HOME", home));
        command.output().unwrap()
    };
    assert_eq!(code(&run(Some(home.path()))), 0);
    assert_eq!(code(&run(None)), 2);
}

#[test]
fn a_counter_moves_with_every_code() {
    let home = tempfile::tempdir().unwrap();
    let address = format!("otpauth://hotp/h:alice?secret={SECRET}&issuer=h&counter=0\n");
    let token = write(home.path(), "token", &address, 0o600);
    // RFC 4226, appendix D.
    for expected in ["755224\n", "287082\n", "359152\n"] {
        assert_eq!(out(&run(&["code", "--token", text(&token)])), expected);
    }
    let output = run(&["code", "--watch", "--token", text(&token)]);
    assert_eq!((code(&output), out(&output)), (2, ""));
    assert!(fs::read_to_string(&token).unwrap().contains("counter=3"));
}

#[test]
fn watching_without_a_terminal_prints_a_line_a_code_and_ends_with_its_reader() {
    let home = tempfile::tempdir().unwrap();
    let address = format!("otpauth://totp/alice?secret={SECRET}&period=15");
    let token = write(home.path(), "token", &address, 0o600);
    let mut child = mfa()
        .args(["code", "--watch", "--token", text(&token)])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let running = child.try_wait().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.trim_end().len() == 6 && !line.contains('\r'), "{line:?}");
    assert_eq!(running, None);
}

#[test]
fn token_files_that_are_none_are_told_by_name_and_line() {
    let home = tempfile::tempdir().unwrap();
    for (content, said) in [
        ("", "line 1: not a usable otpauth address"),
        ("otpauth://totp/a?secret=0", "line 1: not a usable otpauth address: secret"),
        ("otpauth://totp/a?secret=GEZDGNBV&period=1", "period must be 15 to 300"),
        ("a\nb\n", "expected one line"),
    ] {
        let token = write(home.path(), "token", content, 0o600);
        let output = run(&["code", "--token", text(&token)]);
        assert_eq!(code(&output), 1, "{content:?}");
        assert!(err(&output).contains(text(&token)), "{}", err(&output));
        assert!(err(&output).contains(said), "{}", err(&output));
    }
}

#[test]
fn a_wrong_line_of_an_import_is_named_and_nothing_is_sent() {
    let home = tempfile::tempdir().unwrap();
    let hex = "3132333435363738393031323334353637383930";
    let good = format!("# users\nHOTP/T30 alice - {hex}\nHOTP bob - {hex} 7\n");
    let good_file = write(home.path(), "good", &good, 0o600);
    let bad_file = write(
        home.path(),
        "bad",
        &format!("{good}HOTP/T31x carol - {hex}\nHOTP alice - {hex}\n"),
        0o600,
    );
    let import = |file: &Path, more: &[&str]| {
        mfa()
            .args(["--socket", "/nonexistent/s", "admin", "import", "--format", "users.oath"])
            .arg(file)
            .args(more)
            .output()
            .unwrap()
    };
    // The good one gets as far as the daemon, the bad one does not.
    assert_eq!(code(&import(&good_file, &[])), 3);
    assert_eq!(code(&import(&good_file, &["--dry-run"])), 3);
    let output = import(&bad_file, &[]);
    assert_eq!((code(&output), out(&output)), (1, ""));
    let said = err(&output);
    assert!(said.contains("2 wrong lines; nothing was imported"), "{said}");
    assert!(said.contains("line 4: expected HOTP"), "{said}");
    assert!(said.contains("line 5: alice stands in line 2 already"), "{said}");
    assert!(!said.contains(hex), "{said}");
    let output = import(&good_file, &["--dry-run", "--user", "carol"]);
    assert_eq!(code(&output), 1);
}

#[test]
fn colours_come_only_where_they_are_wanted() {
    let run = |arguments: &[&str], no_color: bool| {
        let mut command = mfa();
        command.args(["--socket", "/nonexistent/s", "status", "--user", "a"]).args(arguments);
        if no_color {
            command.env("NO_COLOR", "1");
        }
        command.output().unwrap().stderr.contains(&0x1b)
    };
    assert!(!run(&[], false));
    assert!(run(&["--color", "always"], false));
    assert!(run(&["--color", "always"], true));
    assert!(!run(&["--color", "never"], false));
}

#[test]
fn nothing_in_the_environment_colours_a_pipe() {
    for arguments in
        [&["--help"][..], &["enroll", "--help"], &["enrol"], &["--socket", "/none", "status"]]
    {
        let mut command = mfa();
        command.args(arguments).env("CLICOLOR_FORCE", "1").env("FORCE_COLOR", "1");
        let output = command.env("TERM", "xterm-256color").output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(!said.is_empty() && !said.contains(&0x1b), "{arguments:?}");
    }
}

#[test]
fn completions_exist_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = run(&["completions", shell]);
        assert_eq!(code(&output), 0);
        for word in ["save-token", "recovery-codes", "end-grace", "explain", "invite"] {
            assert!(out(&output).contains(word), "{shell}: {word}");
        }
    }
}
