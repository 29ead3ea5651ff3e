// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa admin backup`, `restore`, `check` and `rekey` as an administrator uses them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::machine::terminal::Terminal;
use crate::machine::{Ended, Machine, code, open, text};

fn verify(machine: &Machine, user: &str, code: &str) -> i32 {
    machine.run(&["verify", "--user", user, code]).code
}

#[test]
fn what_was_lost_comes_back_and_no_code_from_before_opens_anything() {
    let machine = Machine::new();
    let alice = machine.enrolled("alice", "alice.token");
    let backup = machine.path("store.backup");
    let made = machine.run(&["admin", "backup", text(&backup)]).expect(0);
    assert!(made.out.contains("keep a copy of that elsewhere"), "{}", made.out);
    let mode = fs::metadata(&backup).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    machine.run(&["revoke", "--user", "alice"]).expect(0);
    machine.enrolled("late", "late.token");

    machine.run(&["admin", "restore", text(&backup)]).expect(2).complains("--yes");
    let arguments = ["admin", "restore", text(&backup)];
    let mut terminal = Terminal::run(&machine.mfa(&arguments), 80, 24);
    assert!(terminal.wait_for("Type yes: ").contains("who enrolled since is gone"));
    terminal.type_line("no");
    assert_eq!(terminal.end().1, 1);
    assert!(machine.tokens("alice").is_empty(), "it was put back without a yes");

    let restored = machine.run(&["admin", "restore", "--yes", text(&backup)]).expect(0);
    assert!(
        restored.out.starts_with("Everybody is as the backup has them (1 in all)."),
        "{}",
        restored.out
    );
    assert_eq!(machine.tokens("alice"), ["default"]);
    assert!(machine.tokens("late").is_empty());
    for ahead in [0, 1] {
        assert_eq!(verify(&machine, "alice", &code(&alice, ahead)), 1);
    }
    machine.run(&["admin", "check"]).expect(0);
    machine.run_as_nobody(&["admin", "backup", text(&machine.path("open/b"))]).expect(4);
    assert!(!machine.path("open/b").exists() && !machine.path("open/b.new").exists());
    open(&backup, 0o644);
    machine.run_as_nobody(&["admin", "restore", "--yes", text(&backup)]).expect(4);
    machine.run_as_nobody(&["admin", "check"]).expect(4);
    machine.run_as_nobody(&["admin", "rekey"]).expect(4);
}

#[test]
fn a_backup_goes_through_pipes_and_never_to_a_terminal() {
    let machine = Machine::new();
    machine.enrolled("alice", "alice.token");
    let (shown, code) = Terminal::run(&machine.mfa(&["admin", "backup", "-"]), 80, 24).end();
    assert!(code == 2 && shown.contains("standard output is a terminal"), "{code}: {shown}");
    // A shell as an administrator writes it.
    let pipe = |script: &str| {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", script, machine.path("mfa").to_str().unwrap()])
            .env("MFA_SOCKET", machine.socket())
            .current_dir(machine.path("open"))
            .stdin(Stdio::null());
        Ended::of(shell)
    };
    pipe("\"$0\" admin backup - | gzip > b.gz && gzip -t b.gz").expect(0);
    machine.run(&["admin", "reset", "alice", "--yes"]).expect(0);
    pipe("gzip -dc b.gz | \"$0\" admin restore --yes -").expect(0);
    assert_eq!(machine.tokens("alice"), ["default"]);
    pipe("gzip -dc b.gz | head -c 100000 | \"$0\" admin restore --yes -")
        .expect(1)
        .complains("nothing was put back");
    assert_eq!(machine.tokens("alice"), ["default"]);
}

#[test]
fn a_backup_replaces_an_older_one_whole_or_leaves_it() {
    let machine = Machine::new();
    machine.enrolled("alice", "alice.token");
    let backup = machine.path("store.backup");
    fs::write(&backup, "the one before").unwrap();
    machine.run(&["admin", "backup", "/no/such/directory/b"]).expect(1).complains("/no/such");
    let link = machine.path("link");
    std::os::unix::fs::symlink(&backup, &link).unwrap();
    for other in [text(&link), text(&machine.path("state")), text(&machine.socket())] {
        machine.run(&["admin", "backup", other]).expect(1).complains("no plain file");
    }
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&backup).unwrap(), "the one before");
    machine.run(&["admin", "backup", text(&backup)]).expect(0);
    assert!(fs::read(&backup).unwrap().starts_with(b"SQLite format 3\0"));
    assert!(!machine.path("store.backup.new").exists());
}

#[test]
fn a_rekey_ends_with_a_new_key_and_everybody_goes_on() {
    let machine = Machine::new();
    let alice = machine.enrolled("alice", "alice.token");
    let key = || fs::read(machine.path("state/master.key")).unwrap();
    let before = key();
    machine.run(&["admin", "rekey"]).expect(2).complains("--yes");
    assert_eq!(key(), before);
    let mut terminal = Terminal::run(&machine.mfa(&["admin", "rekey"]), 80, 24);
    terminal.wait_for("Type yes: ");
    terminal.type_line("yes");
    let (shown, ended) = terminal.end();
    assert!(ended == 0 && shown.contains("1 user is sealed under a new master key"), "{shown}");
    assert_ne!(key(), before);
    assert_eq!(verify(&machine, "alice", &code(&alice, 1)), 0);
}
