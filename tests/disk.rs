// SPDX-License-Identifier: GPL-3.0-or-later
//! Disks that are full, limited, read-only or failing: logins go on where space was kept for them, and what
//! cannot be recorded opens none.

#![expect(clippy::expect_used, reason = "test code")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use mfa_tests::account::Account;
use mfa_tests::artifacts;
use mfa_tests::daemon::Daemon;
use mfa_tests::disk::Disk;
use mfa_tests::host::Host;
use mfa_tests::stack::Stack;

const USERS: usize = 1000;

fn login(stack: &Stack, user: &str, code: &str) -> String {
    let host = Host::new(env!("CARGO_BIN_EXE_pam-host"), stack, user);
    host.answer(code).run().authenticated().to_owned()
}

/// The command, and what came of it.
fn mfa(daemon: &Daemon, arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = Command::new(artifacts::command())
        .arg("--socket")
        .arg(daemon.socket())
        .args(arguments)
        .output()
        .expect("mfa");
    let said = [stdout, stderr].concat();
    (status.code(), String::from_utf8_lossy(&said).into_owned())
}

fn accounts(count: usize) -> Vec<Account> {
    (0..count).map(|at| Account::totp(&format!("user{at:04}"))).collect()
}

/// A file of so many more users.
fn users_oath(at: &Path, count: usize) -> String {
    use std::fmt::Write;
    let mut lines = String::new();
    for n in 0..count {
        writeln!(lines, "HOTP/T30/6 new{n:06} - 3132333435363738393031323334353637383930")
            .expect("text");
    }
    let path = at.join("users.oath");
    std::fs::write(&path, lines).expect("users.oath");
    path.display().to_string()
}

#[test]
fn on_a_full_disk_a_thousand_users_log_in_and_a_thousand_replays_are_refused() {
    let disk = Disk::of_mib(48);
    let daemon = Daemon::start_on(&disk.path());
    // By counter: however long it takes, no code gets too old.
    let users: Vec<_> = (0..USERS).map(|at| Account::hotp(&format!("user{at:04}"))).collect();
    daemon.import(&users);
    let stack = Stack::module(&daemon.socket(), "");
    disk.fill();
    let pid = daemon.pid();
    // Everybody's first login: the record becomes longer by it.
    let results = |code| -> Vec<_> {
        users.iter().map(|user| login(&stack, &user.name, &user.code(code))).collect()
    };
    assert_eq!(results(0), vec!["PAM_SUCCESS"; USERS], "{}", daemon.log());
    assert_eq!(results(0), vec!["PAM_AUTH_ERR"; USERS], "{}", daemon.log());
    assert_eq!(disk.free_blocks(), 0);

    let home = tempfile::tempdir().expect("a private directory");
    let more = users_oath(home.path(), 20_000);
    let import = ["admin", "import", &more, "--format", "users.oath"];
    let (code, said) = mfa(&daemon, &import);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("the disk of its store is full; make room there"), "{said}");
    assert!(!mfa(&daemon, &["admin", "list"]).1.contains("new0"));
    // What an administrator tries costs nobody a login.
    for user in users.iter().take(300) {
        assert_eq!(login(&stack, &user.name, &user.code(1)), "PAM_SUCCESS", "{}", daemon.log());
    }

    disk.empty();
    let (code, said) = mfa(&daemon, &import);
    assert_eq!(code, Some(0), "{said}");
    let next = users.first().expect("a user");
    assert_eq!(login(&stack, &next.name, &next.code(2)), "PAM_SUCCESS");
    assert_eq!(daemon.pid(), pid);
}

#[test]
fn a_daemon_starts_on_a_disk_that_is_full_to_the_last_block_after_a_stop_and_after_a_kill() {
    let disk = Disk::of_mib(48);
    let mut daemon = Daemon::start_on(&disk.path());
    let users = accounts(60);
    daemon.import(&users);
    let stack = Stack::module(&daemon.socket(), "");
    disk.fill();
    let mut spent = Vec::new();
    for (round, some) in users.chunks(20).enumerate() {
        match round {
            1 => daemon.stop(),
            _ => daemon.kill(),
        }
        daemon.restart();
        for user in some {
            let code = user.code_now();
            assert_eq!(login(&stack, &user.name, &code), "PAM_SUCCESS", "{round} {}", user.name);
            spent.push((&user.name, code));
        }
        for (name, code) in &spent {
            assert_ne!(login(&stack, name, code), "PAM_SUCCESS", "{round} {name}");
        }
    }
    assert_eq!(disk.free_blocks(), 0);
    let (code, said) = mfa(&daemon, &["admin", "list"]);
    assert_eq!(code, Some(0), "{said}");
    disk.empty();
    daemon.stop();
    daemon.restart();
    let user = daemon.account("later");
    assert_eq!(login(&stack, &user.name, &user.code_now()), "PAM_SUCCESS");
}

/// As of a directory with too many small files of somebody else: there is room, and no file can be made.
#[test]
fn on_a_disk_without_a_free_inode_people_log_in_and_a_start_succeeds() {
    let disk = Disk::of_mib(48);
    let mut daemon = Daemon::start_on(&disk.path());
    let users = accounts(20);
    daemon.import(&users);
    let stack = Stack::module(&daemon.socket(), "");
    let crowd = disk.path().join("crowd");
    std::fs::create_dir(&crowd).expect("a directory");
    let files = (0..).take_while(|n| std::fs::File::create(crowd.join(n.to_string())).is_ok());
    assert!(files.count() > 1_000);
    let (before, after) = users.split_at(10);
    for user in before {
        assert_eq!(login(&stack, &user.name, &user.code_now()), "PAM_SUCCESS", "{}", daemon.log());
    }
    let home = tempfile::tempdir().expect("a private directory");
    let to = home.path().join("backup").display().to_string();
    assert_ne!(mfa(&daemon, &["admin", "backup", &to]).0, Some(0), "it needs a file");
    daemon.stop();
    daemon.restart();
    for user in after {
        assert_eq!(login(&stack, &user.name, &user.code_now()), "PAM_SUCCESS", "{}", daemon.log());
    }
    std::fs::remove_dir_all(&crowd).expect("files to be removed");
    assert_eq!(mfa(&daemon, &["admin", "backup", &to]).0, Some(0));
    let later = daemon.account("later");
    assert_eq!(login(&stack, &later.name, &later.code_now()), "PAM_SUCCESS");
}

/// The kernel makes a disk read-only in which it finds an error.
#[test]
fn on_a_disk_that_became_read_only_everybody_is_denied_with_the_reason_and_nothing_spent_comes_back()
 {
    let disk = Disk::of_mib(48);
    let mut daemon = Daemon::start_on(&disk.path());
    let users = accounts(20);
    daemon.import(&users);
    let stack = Stack::module(&daemon.socket(), "");
    let (before, after) = users.split_at(10);
    let spent: Vec<_> = before.iter().map(|user| (user, user.code_now())).collect();
    for (user, code) in &spent {
        assert_eq!(login(&stack, &user.name, code), "PAM_SUCCESS");
    }
    let pid = daemon.pid();
    disk.break_down();
    for user in &users {
        assert_eq!(login(&stack, &user.name, &user.next_code()), "PAM_AUTHINFO_UNAVAIL");
    }
    let (code, said) = mfa(&daemon, &["admin", "bypass", "user0001", "--for", "1h"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("the disk of its store is read-only"), "{said}");
    assert!(daemon.log().contains("cannot commit"), "{}", daemon.log());
    assert_eq!(daemon.pid(), pid);

    // Neither is a start a way round it.
    daemon.kill();
    disk.remount("ro");
    let refusal = daemon.refusal();
    assert!(refusal.contains("Read-only file system") || refusal.contains("readonly"), "{refusal}");
    disk.remount("rw");
    daemon.restart();
    for (user, code) in &spent {
        assert_eq!(login(&stack, &user.name, code), "PAM_AUTH_ERR", "{}", user.name);
    }
    for user in after {
        assert_eq!(login(&stack, &user.name, &user.next_code()), "PAM_SUCCESS", "{}", user.name);
    }
}

/// RLIMIT_FSIZE, setrlimit(2): a write beyond it fails, and SIGXFSZ ends who does not expect it.
#[test]
fn a_limit_on_file_sizes_ends_neither_the_daemon_nor_the_logins_and_nothing_is_half_done() {
    let home = tempfile::tempdir().expect("a private directory");
    let daemon = Daemon::start();
    let users = accounts(50);
    daemon.import(&users);
    let stack = Stack::module(&daemon.socket(), "");
    let limit = |bytes: &str| {
        let pid = daemon.pid().to_string();
        let set =
            Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bytes}")]).status();
        assert!(set.expect("prlimit").success());
    };
    // Less than the store has: what lies behind cannot be written, whatever is in front of it.
    limit("1000000:unlimited");
    let more = users_oath(home.path(), 20_000);
    let import = ["admin", "import", &more, "--format", "users.oath"];
    let (code, said) = mfa(&daemon, &import);
    assert_eq!(code, Some(3), "{said}");
    assert!(!mfa(&daemon, &["admin", "list"]).1.contains("new0"));
    limit("unlimited");
    let (code, said) = mfa(&daemon, &import);
    assert_eq!(code, Some(0), "{said}");
    for user in &users {
        assert_eq!(login(&stack, &user.name, &user.code_now()), "PAM_SUCCESS", "{}", daemon.log());
    }
}

/// Fails one of the daemon's calls with an error, by strace, while `happen` happens.
fn failing<R>(
    daemon: &Daemon,
    call: &str,
    error: &str,
    when: &str,
    happen: impl FnOnce() -> R,
) -> R {
    let inject = format!("inject={call}:error={error}:when={when}");
    let pid = daemon.pid().to_string();
    let mut strace = Command::new("strace")
        .args(["-f", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject, "-p", &pid])
        .stderr(Stdio::piped())
        .spawn()
        .expect("strace");
    // It says so once for all threads.
    let mut told = String::new();
    let stderr = strace.stderr.take().expect("its standard error");
    let mut reader = BufReader::new(stderr);
    reader.read_line(&mut told).expect("what strace says");
    assert!(told.contains("attached"), "{told}");
    let result = happen();
    let interrupted = Command::new("kill").args(["-INT", &strace.id().to_string()]).status();
    assert!(interrupted.expect("kill").success());
    strace.wait().expect("its end");
    result
}

#[test]
fn after_an_error_of_the_disk_the_answer_is_no_and_the_next_code_opens() {
    let daemon = Daemon::start();
    let stack = Stack::module(&daemon.socket(), "");
    for (n, (call, error)) in [
        ("fdatasync", "EIO"),
        ("fdatasync", "ENOSPC"),
        ("pwrite64", "EIO"),
        ("pwrite64", "EDQUOT"),
        ("pwrite64", "ENOSPC"),
    ]
    .into_iter()
    .enumerate()
    {
        let user = daemon.counting_account(&format!("user{n}"));
        let case = format!("{call} {error}");
        // The same way without an error.
        let control =
            failing(&daemon, call, error, "65535", || login(&stack, &user.name, &user.code(0)));
        assert_eq!(control, "PAM_SUCCESS", "{case}");
        let first = failing(&daemon, call, error, "1", || login(&stack, &user.name, &user.code(1)));
        assert_eq!(first, "PAM_AUTHINFO_UNAVAIL", "{case}: {}", daemon.log());
        assert!(daemon.log().contains("cannot commit"), "{case}: {}", daemon.log());
        // Nothing was changed by what failed, and what comes after it stays.
        for fresh in [1, 2] {
            assert_eq!(
                login(&stack, &user.name, &user.code(fresh)),
                "PAM_SUCCESS",
                "{case} {fresh}"
            );
        }
        for spent in [0, 1, 2] {
            assert_eq!(
                login(&stack, &user.name, &user.code(spent)),
                "PAM_AUTH_ERR",
                "{case} {spent}"
            );
        }
    }
}

/// What is read comes from SQLite's memory or the kernel's as long as it can: so there is more than fits, and
/// each login is somebody else's.
#[test]
fn after_an_error_of_reading_the_answer_is_no_and_the_next_code_opens() {
    let daemon = Daemon::start();
    let stack = Stack::module(&daemon.socket(), "");
    let users: Vec<_> = (0..12_000).map(|at| Account::hotp(&format!("user{at:05}"))).collect();
    daemon.import(&users);
    let mut denied = Vec::new();
    for (n, user) in users.iter().step_by(1_000).enumerate() {
        let when = if n == 0 { "65535" } else { "1" };
        let first =
            failing(&daemon, "pread64", "EIO", when, || login(&stack, &user.name, &user.code(0)));
        // It may have been read already; then it opens.
        let expected = if first == "PAM_SUCCESS" { "PAM_AUTH_ERR" } else { "PAM_SUCCESS" };
        assert!(first == "PAM_SUCCESS" || n > 0, "{first}: {}", daemon.log());
        assert_eq!(login(&stack, &user.name, &user.code(0)), expected, "{first} {}", daemon.log());
        assert_eq!(login(&stack, &user.name, &user.code(1)), "PAM_SUCCESS", "{first}");
        if first != "PAM_SUCCESS" {
            denied.push(first);
        }
    }
    assert!(!denied.is_empty(), "no read has failed");
    assert!(denied.iter().all(|result| result == "PAM_AUTHINFO_UNAVAIL"), "{denied:?}");
}
