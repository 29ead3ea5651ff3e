// SPDX-License-Identifier: GPL-3.0-or-later
//! Start and stop: what must be there, what is never made anew, and what survives.

mod trial;

use std::fs;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::thread;
use std::time::Instant;

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::Signal;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use serde_json::json;
use trial::{Trial, code, frame};

fn with_one_user() -> Trial {
    let mut trial = Trial::start();
    trial.add("alice");
    assert!(trial.end(Signal::SIGTERM).success());
    trial
}

#[test]
fn a_restart_keeps_users_and_spent_codes_also_after_a_kill() {
    let mut trial = Trial::start();
    trial.add("alice");
    let code = code(0);
    assert_eq!(trial.verify("alice", &code)["type"], "accepted");
    assert!(!trial.end(Signal::SIGKILL).success());
    trial.run();
    assert_eq!(trial.verify("alice", &code)["type"], "replayed");
    assert!(trial.end(Signal::SIGTERM).success());
    assert!(!trial.path("run/mfa.sock").exists(), "its socket stays behind");
    trial.run();
    assert_eq!(trial.verify("alice", &code)["type"], "replayed");
}

#[test]
fn a_stop_finishes_what_was_accepted() {
    let mut trial = Trial::start();
    trial.add("alice");
    let request = json!({"v": 1, "id": 1, "type": "verify", "user": "alice", "code": code(0),
        "origin": {"service": "test"}});
    let whole = frame(request.to_string().as_bytes());
    let mut wire = trial.connect();
    wire.send(&whole[..20]);
    // The daemon has read the first part when it answers another connection.
    assert_eq!(trial.ask(json!({"type": "params"}))["type"], "params");
    trial.signal(Signal::SIGTERM);
    wire.stream.write_all(&whole[20..]).unwrap();
    assert_eq!(wire.receive().unwrap()["type"], "accepted");
    assert!(trial.end(Signal::SIGTERM).success());
}

#[test]
fn a_stop_answers_both_questions_of_one_write() {
    let mut trial = Trial::start();
    trial.add("alice");
    let request = |id: i64| {
        json!({"v": 1, "id": id, "type": "verify", "user": "alice", "code": code(id - 1),
            "origin": {"service": "test"}})
    };
    let both = [1, 2].map(|id| frame(request(id).to_string().as_bytes())).concat();
    let mut wire = trial.connect();
    trial.signal(Signal::SIGSTOP);
    wire.send(&both);
    trial.signal(Signal::SIGTERM);
    trial.signal(Signal::SIGCONT);
    for id in [1, 2] {
        let answer = wire.receive().unwrap();
        assert_eq!((&answer["id"], &answer["type"]), (&json!(id), &json!("accepted")));
    }
    assert!(trial.end(Signal::SIGTERM).success());
}

#[test]
fn a_stop_waits_for_the_question_of_a_connection_that_has_asked_none_yet() {
    let mut trial = Trial::start();
    trial.add("alice");
    let request = json!({"v": 1, "id": 1, "type": "verify", "user": "alice", "code": code(0),
        "origin": {"service": "test"}});
    let mut wire = trial.connect();
    let mut silent = trial.connect();
    // Both are accepted when a later one is answered.
    assert_eq!(trial.ask(json!({"type": "params"}))["type"], "params");
    trial.signal(Signal::SIGTERM);
    // As long as a busy host lets a login program wait for a processor.
    std::thread::sleep(std::time::Duration::from_millis(300));
    wire.send(&frame(request.to_string().as_bytes()));
    assert_eq!(wire.receive().unwrap()["type"], "accepted");
    let stopping = Instant::now();
    assert!(silent.receive().is_none());
    assert!(stopping.elapsed().as_secs() < 3, "{:?}", stopping.elapsed());
    assert!(trial.end(Signal::SIGTERM).success());
}

#[test]
fn a_stop_answers_what_still_waits_in_its_own_listen_queue() {
    let mut trial = Trial::start();
    trial.add("alice");
    trial.signal(Signal::SIGSTOP);
    let request = json!({"v": 1, "id": 1, "type": "verify", "user": "alice", "code": code(0),
        "origin": {"service": "test"}});
    let mut wire = trial.connect();
    wire.send(&frame(request.to_string().as_bytes()));
    trial.signal(Signal::SIGTERM);
    trial.signal(Signal::SIGCONT);
    assert_eq!(wire.receive().unwrap()["type"], "accepted");
    assert!(trial.end(Signal::SIGTERM).success());
}

#[test]
fn a_stop_answers_also_who_waits_for_a_place_in_its_full_queue() {
    const WAITING: usize = 20;
    let mut trial = Trial::start();
    trial.signal(Signal::SIGSTOP);
    let request = frame(json!({"v": 1, "id": 1, "type": "params"}).to_string().as_bytes());
    let path = trial.path("run/mfa.sock");
    // A connection that need not wait tells when the queue is full.
    let mut queued = Vec::new();
    loop {
        let free = socket(
            AddressFamily::Unix,
            SockType::Stream,
            SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC,
            None,
        )
        .unwrap();
        match connect(free.as_raw_fd(), &UnixAddr::new(&path).unwrap()) {
            Ok(()) => queued.push(free),
            Err(Errno::EAGAIN) => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert!((100..300).contains(&queued.len()), "{} places", queued.len());
    let ask = || {
        let mut wire = trial.connect();
        wire.send(&request);
        wire.receive().map(|answer| answer["type"].clone())
    };
    let answers: Vec<_> = thread::scope(|scope| {
        let asking: Vec<_> = (0..WAITING).map(|_| scope.spawn(ask)).collect();
        while connecting() < WAITING {
            thread::yield_now();
        }
        trial.signal(Signal::SIGTERM);
        trial.signal(Signal::SIGCONT);
        asking.into_iter().map(|asking| asking.join().unwrap()).collect()
    });
    assert_eq!(answers, vec![Some(json!("params")); WAITING]);
    assert!(trial.end(Signal::SIGTERM).success());
}

/// Threads of this process that are in connect(2).
fn connecting() -> usize {
    let number = format!("{} ", libc::SYS_connect);
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let calls = threads.flat_map(|thread| fs::read_to_string(thread.path().join("syscall")));
    calls.filter(|call| call.starts_with(&number)).count()
}

/// A shell of SQLite, or a backup program that opens databases.
#[test]
fn nobody_else_can_hold_the_database_of_a_running_daemon_and_while_somebody_does_none_starts() {
    let mut trial = Trial::start();
    trial.add("alice");
    let other = || rusqlite::Connection::open(trial.path("state/mfa.db")).unwrap();
    for statement in ["BEGIN EXCLUSIVE", "SELECT count(*) FROM user", "DELETE FROM user"] {
        let other = other();
        other.busy_timeout(std::time::Duration::ZERO).unwrap();
        let refused = other.execute_batch(statement).unwrap_err();
        assert_eq!(refused.sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseBusy));
    }
    assert_eq!(trial.verify("alice", &code(0))["type"], "accepted");
    trial.end(Signal::SIGTERM);
    // The control: without the daemon it can be held.
    let other = rusqlite::Connection::open(trial.path("state/mfa.db")).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let started = Instant::now();
    let refusal = trial.refusal();
    assert!(refusal.contains("database is locked"), "{refusal}");
    assert!(started.elapsed().as_secs() < 8, "{:?}", started.elapsed());
    drop(other);
    trial.run();
    assert_eq!(trial.verify("alice", &code(1))["type"], "accepted");
}

#[test]
fn no_file_of_the_daemon_takes_the_place_of_another() {
    let home = Trial::prepare("");
    let at = home.home.path().display();
    let configure = |database: &str, key: &str| {
        let text = format!(
            "socket = \"{at}/run/mfa.sock\"\n[store]\nurl = \"sqlite:{at}/{database}\"\n\
             [master_key]\nfile = \"{at}/{key}\"\n"
        );
        fs::write(home.path("mfa.toml"), text).unwrap();
    };
    configure("one", "one");
    assert!(home.refusal().contains("a file of its own"));
    let mut trial = Trial::prepare("");
    let at = trial.home.path().display().to_string();
    let text = fs::read_to_string(trial.path("mfa.toml")).unwrap();
    fs::write(trial.path("mfa.toml"), text.replace("state/mfa.db", "state/master.new")).unwrap();
    trial.run();
    trial.add("alice");
    assert!(trial.end(Signal::SIGTERM).success(), "{at}");
    trial.run();
    assert_eq!(trial.verify("alice", &code(0))["type"], "accepted");
}

#[test]
fn a_lost_database_or_key_is_an_error_and_never_a_fresh_start() {
    for lost in ["state/mfa.db", "state/master.key"] {
        let mut trial = with_one_user();
        let kept = fs::read(trial.path(lost)).unwrap();
        fs::remove_file(trial.path(lost)).unwrap();
        assert!(trial.refusal().contains("backup"), "{lost} removed");
        assert!(!trial.path(lost).exists(), "{lost} was made anew");
        fs::write(trial.path(lost), "").unwrap();
        fs::set_permissions(trial.path(lost), fs::Permissions::from_mode(0o600)).unwrap();
        assert!(trial.refusal().contains("backup"), "{lost} empty");
        fs::write(trial.path(lost), kept).unwrap();
        trial.run();
        assert_eq!(trial.verify("alice", &code(0))["type"], "accepted", "{lost} restored");
    }
}

#[test]
fn another_master_key_and_one_that_others_may_read_are_refused() {
    let mut trial = with_one_user();
    let key = trial.path("state/master.key");
    let kept = fs::read(&key).unwrap();
    fs::write(&key, [7; 32]).unwrap();
    assert!(trial.refusal().contains("not the master key of this database"));
    fs::write(&key, kept).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(trial.refusal().contains("0640"));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    trial.run();
    assert_eq!(trial.verify("alice", &code(0))["type"], "accepted");
}

#[test]
fn what_is_not_our_database_is_refused_and_left_as_it_is() {
    let trial = with_one_user();
    let database = trial.path("state/mfa.db");
    let foreign =
        b"this is not a database, and longer than a header of one hundred bytes; ".repeat(9);
    fs::remove_file(trial.path("state/mfa.db")).unwrap();
    fs::write(&database, &foreign).unwrap();
    assert!(trial.refusal().contains("database"));
    assert_eq!(fs::read(&database).unwrap(), foreign);
}

#[test]
fn an_interrupted_first_start_goes_on_from_what_it_left() {
    let mut trial = Trial::prepare("");
    fs::create_dir(trial.path("state")).unwrap();
    fs::write(trial.path("state/mfa.db"), "").unwrap();
    trial.run();
    trial.add("alice");
    assert_eq!(trial.verify("alice", &code(0))["type"], "accepted");
}

#[test]
fn a_second_daemon_ends_and_the_first_keeps_socket_and_store() {
    let trial = Trial::start();
    assert!(trial.refusal().contains("another mfa-daemon"));
    trial.add("alice");
    assert_eq!(trial.verify("alice", &code(0))["type"], "accepted");
}

#[test]
fn the_socket_of_a_daemon_that_was_killed_is_replaced_and_other_files_are_not() {
    let mut trial = Trial::start();
    trial.end(Signal::SIGKILL);
    assert!(trial.path("run/mfa.sock").exists());
    trial.run();
    trial.end(Signal::SIGTERM);
    fs::write(trial.path("run/mfa.sock"), "something").unwrap();
    assert!(trial.refusal().contains("something else than a socket"));
    assert_eq!(fs::read_to_string(trial.path("run/mfa.sock")).unwrap(), "something");
}

#[test]
fn a_directory_that_others_may_write_to_is_refused_for_the_socket() {
    let mut trial = Trial::prepare("");
    let run = trial.path("run");
    fs::create_dir(&run).unwrap();
    fs::set_permissions(&run, fs::Permissions::from_mode(0o777)).unwrap();
    assert!(trial.refusal().contains("chmod go-w"));
    fs::set_permissions(&run, fs::Permissions::from_mode(0o755)).unwrap();
    trial.run();
}

/// The kernel takes 107 bytes; a path that it cut would be that of another socket. Names without a file
/// have no directory that says who may listen.
#[test]
fn no_socket_of_the_daemons_is_abstract_or_cut_short() {
    let mut trial = Trial::prepare("");
    let configuration = fs::read_to_string(trial.path("mfa.toml")).unwrap();
    let run = trial.path("run");
    let of_length = |length: usize| {
        let name = "s".repeat(length - run.as_os_str().len() - 1);
        run.join(name).display().to_string()
    };
    let listen_at = |path: &str| {
        let lines = configuration.lines().map(|line| {
            if line.starts_with("socket =") { format!("socket = \"{path}\"") } else { line.into() }
        });
        fs::write(trial.path("mfa.toml"), lines.collect::<Vec<_>>().join("\n")).unwrap();
    };
    for (path, reason) in [
        ("@mfa".to_owned(), "not an absolute path"),
        (of_length(108), "SUN_LEN"),
        (of_length(109), "SUN_LEN"),
        (of_length(200), "SUN_LEN"),
    ] {
        listen_at(&path);
        let refusal = trial.refusal();
        assert!(refusal.contains(reason) && refusal.contains(&path), "{refusal}");
        let sockets = fs::read_dir(&run).into_iter().flatten().flatten();
        let names: Vec<_> = sockets.map(|entry| entry.file_name()).collect();
        assert!(names.iter().all(|name| name.to_string_lossy().ends_with(".lock")), "{names:?}");
    }
    let longest = of_length(107);
    listen_at(&longest);
    // Where the trial looks for it.
    symlink(&longest, trial.path("run/mfa.sock")).unwrap();
    trial.run();
}

#[test]
fn check_tells_a_good_configuration_from_a_bad_one_and_touches_nothing() {
    let good = Trial::prepare("");
    assert!(good.output(&["--check"]).status.success());
    assert!(!good.path("state").exists() && !good.path("run").exists());
    let rule = "[[rule]]\ngroups = [\"root\", \"no-such-group\"]\nobserve = true\n";
    let misspelt = Trial::prepare(rule).output(&["--check"]);
    assert!(misspelt.status.success());
    let text = String::from_utf8(misspelt.stderr).unwrap();
    assert!(text.contains("no-such-group") && !text.contains("\"root\""), "{text}");
    for (bad, reason) in [
        ("[token]\ndigits = 5\n", "line 8"),
        ("[lockout]\nfree = 1\n", "unknown field `free`"),
        ("[exchange]\ngroup = \"ffdhe1024\"\n", "ffdhe1024"),
        ("[exchange]\ngroup = \"/nonexistent.pem\"\n", "/nonexistent.pem"),
    ] {
        let output = Trial::prepare(bad).output(&["--check"]);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{bad}");
        assert!(text.contains(reason), "{bad}: {text}");
    }
    let nowhere = std::process::Command::new(env!("CARGO_BIN_EXE_mfa-daemon"))
        .args(["--check", "--config", "/nonexistent/mfa.toml"])
        .output()
        .unwrap();
    assert_eq!(nowhere.status.code(), Some(1));
    let usage = good.output(&["--frobnicate"]);
    assert_eq!(usage.status.code(), Some(2));
}

#[test]
fn a_malformed_or_weak_group_file_is_refused_by_name() {
    let trial = Trial::prepare("");
    for (content, reason) in [
        ("", "PEM"),
        ("-----BEGIN DH PARAMETERS-----\nMAYCAQcCAQI=\n-----END DH PARAMETERS-----\n", "bits"),
    ] {
        let pem = trial.path("group.pem");
        fs::write(&pem, content).unwrap();
        let bad = Trial::prepare(&format!("[exchange]\ngroup = \"{}\"\n", pem.display()));
        let refusal = bad.refusal();
        assert!(refusal.contains("group.pem") && refusal.contains(reason), "{refusal}");
    }
}

#[test]
fn a_socket_passed_by_systemd_is_used_and_left_in_place() {
    let trial = Trial::prepare("");
    fs::create_dir(trial.path("run")).unwrap();
    let path = trial.path("run/passed.sock");
    let listener = UnixListener::bind(&path).unwrap();
    // sd_listen_fds(3) by a shell, which can pass a descriptor and name its own pid.
    let mut child = std::process::Command::new("sh")
        .arg("-c")
        .arg("exec 3<&0 0</dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$@\"")
        .arg("sh")
        .arg(env!("CARGO_BIN_EXE_mfa-daemon"))
        .arg("--config")
        .arg(trial.path("mfa.toml"))
        .stdin(std::os::fd::OwnedFd::from(listener))
        .stderr(fs::File::create(trial.path("log")).unwrap())
        .spawn()
        .unwrap();
    let answer = trial::Wire::connect(&path).ask(json!({"type": "params"}));
    assert_eq!(answer["type"], "params", "{}", trial.log());
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(path.exists(), "systemd's socket was removed");
    assert!(!trial.path("run/mfa.sock").exists());
}

#[test]
fn a_daemon_without_a_unit_shuts_itself_in() {
    let trial = Trial::start();
    let status = fs::read_to_string(format!("/proc/{}/status", trial.pid())).unwrap();
    for line in ["NoNewPrivs:\t1", "Seccomp:\t2"] {
        assert!(status.lines().any(|found| found == line), "{line} in {status}");
    }
    assert!(!trial.log().contains("Landlock"), "{}", trial.log());
}
