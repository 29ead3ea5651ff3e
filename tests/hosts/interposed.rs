// SPDX-License-Identifier: GPL-3.0-or-later
//! A libpam, a libc and a kernel that do not do their part.

use std::io::Read;
use std::os::unix::net::UnixListener;
use std::thread;

use mfa_tests::daemon::Daemon;
use mfa_tests::fake_daemon::{FakeDaemon, Reply, accepted};
use mfa_tests::shim::Shim;
use mfa_tests::stack::Stack;

use super::{NOT_CHECKED, host, lenient, login};

#[test]
fn a_libpam_that_succeeds_without_a_name_is_a_failure() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    // Alone: pam_permit would read the name without a look at it.
    let stack = Stack::module(&daemon.socket(), "nullok unavailable=ignore");
    let code = alice.code_now();
    let shim = Shim::of("null_user");
    let denied = shim.before(host(&stack, "").with(&["--no-user"]).answer(&code), &[]).run();
    assert_eq!(denied.authenticated(), "PAM_CONV_ERR");
    assert!(denied.seen().is_empty(), "{denied:?}");
    let denied = shim.before(host(&stack, "alice").answer(&code), &[]).run();
    assert_ne!(denied.authenticated(), "PAM_SUCCESS");
    assert!(!daemon.log().contains("denied"), "{}", daemon.log());
    assert_eq!(login(&stack, "alice", &code).authenticated(), "PAM_SUCCESS");
}

#[test]
fn a_peer_that_closes_amid_the_write_denies_and_kills_nobody() {
    let shim = Shim::of("short_send");
    let one_byte = ["SHORT_SEND=1"];
    let daemon = FakeDaemon::after_prompt(|id| Reply::Bytes(accepted(id)));
    let stack = lenient(&daemon.socket(), "unavailable=ignore");
    // Once to learn that many sends make one question; and SIGPIPE kills, as in a program in C.
    let peculiar = ["--times", "2"];
    let control = host(&stack, "alice").with(&peculiar).answer("123456").answer("123456");
    let control = shim.before(control, &one_byte).run();
    assert_eq!(control.authenticated(), "2 times PAM_SUCCESS");
    let length = daemon.sent()[0].len();

    let home = tempfile::tempdir().unwrap();
    let socket = home.path().join("mfa.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    thread::spawn(move || {
        for taken in (0..length).cycle() {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bytes = vec![0; taken];
            drop(stream.read_exact(&mut bytes));
        }
    });
    let stack = lenient(&socket, "unavailable=ignore");
    let times = length.to_string();
    let denied = host(&stack, "alice").with(&["--times", &times]);
    let denied = shim.before(denied, &one_byte).run();
    assert!(denied.status.success(), "killed: {denied:?}");
    assert_eq!(denied.authenticated(), format!("{length} times PAM_AUTHINFO_UNAVAIL"));
    assert!(denied.starting("changed: ").is_empty(), "{:?}", denied.starting("changed: "));
}

#[test]
fn a_question_that_is_sent_byte_by_byte_is_the_same_question() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let stack = Stack::module(&daemon.socket(), "");
    let shim = Shim::of("short_send");
    let wrong = shim.before(host(&stack, "alice").answer(&alice.wrong_code()), &["SHORT_SEND=1"]);
    assert_eq!(wrong.run().authenticated(), "PAM_AUTH_ERR");
    let right = shim.before(host(&stack, "alice").answer(&alice.code_now()), &["SHORT_SEND=1"]);
    assert_eq!(right.run().authenticated(), "PAM_SUCCESS");
    let closed = login(&stack, "bob", "123456");
    assert_ne!(closed.seen().last(), Some(&NOT_CHECKED));
}
