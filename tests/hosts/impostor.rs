// SPDX-License-Identifier: GPL-3.0-or-later
//! Somebody else listens where the daemon should, with the right answers: nothing is told to him, and
//! nobody is let in by him.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use mfa_proto::Request;
use mfa_tests::daemon::Daemon;
use mfa_tests::fake_daemon::{FakeDaemon, Reply, accepted, prompt};
use mfa_tests::host::Host;
use mfa_tests::stack::{SERVICE, Stack};
use mfa_tests::{artifacts, confine};

use super::{NOT_CHECKED, STRANGER, host, lenient, login};

const CODE: &str = "123456";

fn lets_in(id: u64, request: &Request) -> Reply {
    match request {
        Request::Begin(_) => prompt(id),
        _ => Reply::Bytes(accepted(id)),
    }
}

/// Denied, although the impostor says yes, and nothing was told to him.
fn told_nothing(impostor: &FakeDaemon, options: &str) {
    let outcome = login(&lenient(&impostor.socket(), options), "alice", CODE);
    assert_eq!(outcome.authenticated(), "PAM_AUTHINFO_UNAVAIL", "{options}");
    assert_eq!(outcome.seen(), [NOT_CHECKED], "{options}");
    let first = outcome.logged().first().copied().unwrap_or_default();
    assert!(first.starts_with("err "), "{outcome:?}");
    assert!(impostor.questions().is_empty(), "{:?}", impostor.questions());
}

fn owned_by(path: &Path, uid: u32) {
    chown(path, Some(uid), Some(uid)).unwrap();
}

#[test]
fn another_uid_that_listens_in_the_daemons_directory_is_told_nothing_and_lets_nobody_in() {
    let impostor = FakeDaemon::start_as(Some(STRANGER), lets_in);
    for options in ["", "unavailable=ignore", "nullok"] {
        told_nothing(&impostor, options);
    }
    let root = FakeDaemon::start_as(Some(0), lets_in);
    let control = login(&lenient(&root.socket(), ""), "alice", CODE);
    assert_eq!(control.authenticated(), "PAM_SUCCESS");
}

#[test]
fn a_directory_of_a_foreign_owner_counts_only_for_its_own_socket_and_below_roots() {
    // Directly in /tmp, where its owner put it, and could put another.
    let in_tmp = FakeDaemon::start_as(Some(STRANGER), lets_in);
    owned_by(in_tmp.socket().parent().unwrap(), STRANGER);
    told_nothing(&in_tmp, "unavailable=ignore");

    // Below a directory of his, whoever the next one belongs to.
    let home = tempfile::tempdir().unwrap();
    let run = home.path().join("run");
    fs::create_dir(&run).unwrap();
    fs::set_permissions(&run, Permissions::from_mode(0o755)).unwrap();
    owned_by(home.path(), STRANGER);
    let below = FakeDaemon::start_at(run.join("mfa.sock"), Some(0), lets_in);
    told_nothing(&below, "unavailable=ignore");

    // Below root's, its owner is the daemon's account, and nobody else.
    owned_by(home.path(), 0);
    owned_by(&run, STRANGER);
    let package = FakeDaemon::start_at(run.join("own.sock"), Some(STRANGER), lets_in);
    let control = login(&lenient(&package.socket(), ""), "alice", CODE);
    assert_eq!(control.authenticated(), "PAM_SUCCESS");
    let other = FakeDaemon::start_at(run.join("other.sock"), Some(STRANGER + 1), lets_in);
    told_nothing(&other, "unavailable=ignore");
}

#[test]
fn an_impostor_who_takes_the_daemons_place_at_the_prompt_is_not_told_the_code() {
    for (uid, result) in [(STRANGER, "PAM_AUTHINFO_UNAVAIL"), (0, "PAM_SUCCESS")] {
        let daemon = FakeDaemon::start_as(Some(0), lets_in);
        let stack = lenient(&daemon.socket(), "unavailable=ignore");
        let prompted = host(&stack, "alice").until_prompt();
        fs::remove_file(daemon.socket()).unwrap();
        let successor = FakeDaemon::start_at(daemon.socket(), Some(uid), lets_in);
        let outcome = prompted.answer(CODE);
        assert_eq!(outcome.authenticated(), result, "uid {uid}");
        assert_eq!(daemon.questions(), ["begin"]);
        assert_eq!(successor.questions().is_empty(), uid != 0, "{:?}", successor.questions());
    }
}

/// Hands everything on to the daemon and back, as this uid; counts what the command sent.
fn proxy(socket: &Path, to: &Path, uid: u32) -> Arc<AtomicUsize> {
    let listener = UnixListener::bind(socket).unwrap();
    let seen = Arc::new(AtomicUsize::new(0));
    let (count, to) = (Arc::clone(&seen), to.to_owned());
    let (ready, listens) = channel();
    thread::spawn(move || {
        confine::become_in_this_thread(uid);
        confine::listen_again(&listener);
        ready.send(()).unwrap();
        for client in listener.incoming() {
            let (mut client, Ok(mut daemon)) = (client.unwrap(), UnixStream::connect(&to)) else {
                continue;
            };
            let (mut back, mut onwards) =
                (daemon.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut back, &mut onwards));
            let count = Arc::clone(&count);
            thread::spawn(move || {
                let mut bytes = [0; 4096];
                while let Ok(read @ 1..) = client.read(&mut bytes) {
                    count.fetch_add(read, Ordering::Relaxed);
                    drop(daemon.write_all(bytes.get(..read).unwrap_or_default()));
                }
            });
        }
    });
    listens.recv().unwrap();
    seen
}

#[test]
fn the_command_tells_a_proxy_of_another_uid_nothing() {
    let daemon = Daemon::start();
    let home = tempfile::tempdir().unwrap();
    let enrol = |socket: &Path, token: &str| {
        let output = Command::new(artifacts::command())
            .arg("--socket")
            .arg(socket)
            .args(["enroll", "--user", "alice", "--save-token"])
            .arg(home.path().join(token))
            .env_remove("MFA_SOCKET")
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let stranger = home.path().join("stranger.sock");
    let seen = proxy(&stranger, &daemon.socket(), STRANGER);
    let (status, complaint) = enrol(&stranger, "never");
    assert_ne!(status, Some(0), "{complaint}");
    assert!(complaint.contains(&format!("served by uid {STRANGER}")), "{complaint}");
    assert_eq!(seen.load(Ordering::Relaxed), 0, "bytes that the proxy saw");
    assert!(!home.path().join("never").exists());

    // Who checks nothing but the exchange notices nothing: a proxy that may listen there is the daemon.
    let root = home.path().join("root.sock");
    let seen = proxy(&root, &daemon.socket(), 0);
    let (status, complaint) = enrol(&root, "token");
    assert_eq!(status, Some(0), "{complaint}");
    assert!(seen.load(Ordering::Relaxed) > 0);
}

/// The file system that a login program is in may be anybody's: an account's owner has one of his own with
/// `unshare`, and calls himself root in it.
#[test]
fn in_a_root_directory_of_somebody_elses_his_daemon_lets_nobody_in() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("root");
    fs::create_dir(&root).unwrap();
    let outside = home.path().join("run");
    fs::create_dir(&outside).unwrap();
    let in_chroot = |owner: u32, listener: u32| {
        let socket = outside.join(format!("{owner}-{listener}.sock"));
        let daemon = FakeDaemon::start_at(socket.clone(), Some(listener), lets_in);
        owned_by(&outside, owner);
        let name = socket.file_name().unwrap().to_str().unwrap().to_owned();
        // In it everything is as outside, but /run, which is his.
        let stack = lenient(&Path::new("/run/mfa").join(&name), "unavailable=ignore");
        let set_up = format!(
            "mount --rbind / {root} && mount -t tmpfs -o mode=755,uid={owner} none {root}/run && \
             mkdir {root}/run/mfa && mount --bind {run} {root}/run/mfa && exec chroot {root} \"$@\"",
            root = root.display(),
            run = outside.display(),
        );
        let under = ["unshare", "-m", "sh", "-ec", &set_up, "sh"];
        let outcome = host(&stack, "alice").under(&under).answer(CODE).run();
        (outcome.authenticated().to_owned(), daemon.questions())
    };
    let (result, questions) = in_chroot(STRANGER, STRANGER);
    assert_eq!(result, "PAM_AUTHINFO_UNAVAIL");
    assert!(questions.is_empty(), "{questions:?}");
    let (result, _) = in_chroot(0, 0);
    assert_eq!(result, "PAM_SUCCESS");
}

#[test]
fn root_of_a_user_namespace_is_nobody_to_the_daemon() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    fs::set_permissions(daemon.socket().parent().unwrap(), Permissions::from_mode(0o755)).unwrap();
    // What he runs, reads and loads is where anybody may, wherever this was built.
    let open = tempfile::tempdir().unwrap();
    fs::set_permissions(open.path(), Permissions::from_mode(0o755)).unwrap();
    let [program, module] =
        [(env!("CARGO_BIN_EXE_pam-host").into(), "pam-host"), (artifacts::module(), "pam_mfa.so")]
            .map(|(from, name)| {
                let copy = open.path().join(name);
                fs::copy::<std::path::PathBuf, _>(from, &copy).unwrap();
                fs::set_permissions(&copy, Permissions::from_mode(0o755)).unwrap();
                copy.to_str().unwrap().to_owned()
            });
    let options = format!("socket={} nullok unavailable=ignore", daemon.socket().display());
    let stack = Stack::of_lines(&format!("auth required {module} {options}\n"));
    fs::set_permissions(stack.confdir(), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(stack.confdir().join(SERVICE), Permissions::from_mode(0o644)).unwrap();
    let stranger = STRANGER.to_string();
    // The program starts as root, for the test's own files, and gives that up for a namespace of its own.
    let under = [
        "setpriv",
        "--reuid",
        &stranger,
        "--regid",
        &stranger,
        "--clear-groups",
        "--inh-caps=+dac_read_search",
        "--ambient-caps=+dac_read_search",
    ];
    let own = [&under[..], &["unshare", "--user", "--map-root-user", "--keep-caps"]].concat();
    let code = alice.code_now();
    let denied = Host::new(&program, &stack, "alice").under(&own).answer(&code).run();
    assert_ne!(denied.authenticated(), "PAM_SUCCESS");
    assert!(!daemon.log().contains("login denied"), "{}", daemon.log());
    assert_eq!(login(&stack, "alice", &code).authenticated(), "PAM_SUCCESS");
}
