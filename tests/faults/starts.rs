// SPDX-License-Identifier: GPL-3.0-or-later
//! What others see of a daemon that starts, and a second one while the first is busy.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use mfa_tests::artifacts;
use mfa_tests::daemon::{Daemon, within};
use mfa_tests::flood::{Asker, Flood, Regular};

#[test]
fn a_second_daemon_under_load_ends_each_time_and_no_login_is_lost() {
    let daemon = Daemon::start();
    let users: Vec<_> = (0..4).map(|at| daemon.counting_account(&format!("user{at}"))).collect();
    let asker = Asker::new(&daemon.socket(), "sshd");
    thread::scope(|scope| {
        let logins: Vec<_> = users
            .into_iter()
            .map(|user| scope.spawn(|| Regular::new(user).logins(&asker, Duration::from_secs(10))))
            .collect();
        for _ in 0..20 {
            let refusal = daemon.refusal();
            assert!(refusal.contains("another mfa-daemon"), "{refusal}");
        }
        for logins in logins {
            println!("{}", logins.join().expect("its logins"));
        }
    });
    assert!(daemon.socket().exists());
}

/// Bits by which others may do more with a file than they should.
fn open_to_others(path: &Path, bits: u32) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.permissions().mode() & bits != 0)
}

/// A stranger connects without a pause while the daemon makes its files, under any mask. From the socket's first
/// moment on he is served as a stranger; what is not for him is never his to open.
#[test]
fn while_the_daemon_binds_nothing_is_open_to_others_but_the_socket() {
    const STRANGER: u32 = 61_000;
    for mask in ["0", "077"] {
        let (mut seen, served) = (0, AtomicUsize::new(0));
        for _ in 0..20 {
            let home = tempfile::tempdir().expect("a private directory");
            fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).expect("its mode");
            let at = home.path().display();
            let configuration = format!(
                "socket = \"{at}/run/mfa.sock\"\nissuer = \"test\"\n\
                 [store]\nurl = \"sqlite:{at}/state/mfa.db\"\n\
                 [master_key]\nfile = \"{at}/state/master.key\"\n"
            );
            let file = home.path().join("mfa.toml");
            fs::write(&file, configuration).expect("mfa.toml");
            let (socket, state) = (home.path().join("run/mfa.sock"), home.path().join("state"));
            let stranger =
                Flood::start(env!("CARGO_BIN_EXE_flood"), "large-frames", &socket, [STRANGER], 1);
            let done = AtomicBool::new(false);
            let looks = thread::scope(|scope| {
                let watching = scope.spawn(|| {
                    let mut looks = 0;
                    while !done.load(Ordering::Relaxed) {
                        for name in
                            ["mfa.db", "mfa.db-wal", "mfa.db-shm", "master.key", "mfa.db.mark"]
                        {
                            let path = state.join(name);
                            assert!(!open_to_others(&path, 0o077), "{name} under {mask}");
                        }
                        assert!(!open_to_others(&socket.with_file_name(""), 0o022), "{mask}");
                        looks += 1;
                    }
                    looks
                });
                let mut daemon = Command::new("sh")
                    .args(["-c", &format!("umask {mask}; exec \"$@\""), "sh"])
                    .arg(artifacts::daemon())
                    .arg("--config")
                    .arg(&file)
                    .stdin(Stdio::null())
                    .stderr(Stdio::null())
                    .env_remove("JOURNAL_STREAM")
                    .spawn()
                    .expect("mfa-daemon");
                let asker = Asker::new(&socket, "sshd");
                let ready = within(Duration::from_secs(20), || asker.begin("alice").ok());
                thread::sleep(Duration::from_millis(20));
                daemon.kill().expect("kill -9");
                daemon.wait().expect("its end");
                done.store(true, Ordering::Relaxed);
                assert!(ready.is_some(), "no start under {mask}");
                watching.join().expect("what was seen")
            });
            seen += looks;
            let count = stranger.end();
            served.fetch_add(usize::try_from(count).expect("a count"), Ordering::Relaxed);
        }
        println!(
            "umask {mask}: {seen} looks, {} answers to a stranger",
            served.load(Ordering::Relaxed)
        );
        assert!(seen > 20);
    }
}
