// SPDX-License-Identifier: GPL-3.0-or-later
//! Answers that the real daemon never gives, and sockets that are not its: never a login.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use mfa_tests::fake_daemon::{FakeDaemon, Reply, accepted, framed, prompt};
use mfa_tests::host::{Host, Outcome};
use mfa_tests::stack::Stack;

const NOT_CHECKED: &str = "error: The code could not be checked.";

fn login(socket: &Path, options: &str) -> Outcome {
    let stack = Stack::module(socket, options);
    Host::new(env!("CARGO_BIN_EXE_pam-host"), &stack, "alice").answer("123456").run()
}

fn denied(outcome: &Outcome, case: &str) {
    assert_eq!(outcome.authenticated(), "PAM_AUTHINFO_UNAVAIL", "{case}");
    assert_eq!(outcome.seen().last(), Some(&NOT_CHECKED), "{case}");
    assert!(!outcome.printed.contains("123456"), "{case}: {outcome:?}");
}

#[test]
fn an_accepting_answer_counts_only_whole() {
    let control = FakeDaemon::after_prompt(|id| Reply::Bytes(accepted(id)));
    assert_eq!(login(&control.socket(), "").authenticated(), "PAM_SUCCESS");
    for missing in 1..=accepted(0).len() {
        let daemon = FakeDaemon::after_prompt(move |id| {
            let mut bytes = accepted(id);
            bytes.truncate(bytes.len() - missing);
            Reply::Bytes(bytes)
        });
        denied(&login(&daemon.socket(), ""), &format!("{missing} bytes missing"));
    }
}

#[test]
fn an_answer_that_is_none_denies() {
    /// What is answered, given the question's number.
    type Answer = fn(u64) -> Vec<u8>;
    let cases: [(&str, Answer); 16] = [
        ("another number", |id| accepted(id + 1)),
        ("number zero", |_| accepted(0)),
        ("unknown type", |id| framed(format!(r#"{{"v":1,"id":{id},"type":"ok"}}"#).as_bytes())),
        ("no type", |id| framed(format!(r#"{{"v":1,"id":{id},"failures":0}}"#).as_bytes())),
        ("no failures", |id| {
            framed(format!(r#"{{"v":1,"id":{id},"type":"accepted"}}"#).as_bytes())
        }),
        ("unknown field", |id| {
            framed(
                format!(r#"{{"v":1,"id":{id},"type":"accepted","failures":0,"x":1}}"#).as_bytes(),
            )
        }),
        ("two types", |id| {
            let text =
                format!(r#"{{"v":1,"id":{id},"type":"wrong","type":"accepted","failures":0}}"#);
            framed(text.as_bytes())
        }),
        ("two numbers", |id| {
            let text = format!(r#"{{"v":1,"id":1,"id":{id},"type":"accepted","failures":0}}"#);
            framed(text.as_bytes())
        }),
        ("version 2", |id| {
            framed(format!(r#"{{"v":2,"id":{id},"type":"accepted","failures":0}}"#).as_bytes())
        }),
        ("text after it", |id| {
            framed(format!(r#"{{"v":1,"id":{id},"type":"accepted","failures":0}} 1"#).as_bytes())
        }),
        ("an answer to begin", |id| {
            framed(format!(r#"{{"v":1,"id":{id},"type":"prompt"}}"#).as_bytes())
        }),
        ("no text", |_| framed(b"\xff\xfe")),
        ("nothing", |_| framed(b"")),
        ("a length of 4 GiB", |_| u32::MAX.to_be_bytes().to_vec()),
        ("a length one too long", |_| 65_537_u32.to_be_bytes().to_vec()),
        ("nested without end", |_| framed("[".repeat(60_000).as_bytes())),
    ];
    for (case, answer) in cases {
        let daemon = FakeDaemon::after_prompt(move |id| Reply::Bytes(answer(id)));
        denied(&login(&daemon.socket(), ""), case);
        let daemon = FakeDaemon::start(move |id, _| Reply::Bytes(answer(id)));
        // "prompt" is an answer to `begin`; everything else is none to either.
        let outcome = login(&daemon.socket(), "nullok");
        denied(&outcome, case);
    }
}

#[test]
fn a_refusal_and_an_unavailable_daemon_deny() {
    let text = |id: u64, rest: &str| framed(format!(r#"{{"v":1,"id":{id},{rest}}}"#).as_bytes());
    for rest in [
        r#""type":"unavailable""#,
        r#""type":"error","code":"not_permitted","message":"no\n\u001b[2Jroot""#,
        r#""type":"error","code":"busy","message":"later""#,
    ] {
        let daemon = FakeDaemon::after_prompt(move |id| Reply::Bytes(text(id, rest)));
        let outcome = login(&daemon.socket(), "");
        denied(&outcome, rest);
        assert_eq!(outcome.logged().len(), 1, "{outcome:?}");
        let daemon = FakeDaemon::start(move |id, _| Reply::Bytes(text(id, rest)));
        let outcome = login(&daemon.socket(), "nullok");
        denied(&outcome, rest);
        assert_eq!(outcome.seen(), [NOT_CHECKED]);
    }
}

#[test]
fn a_refused_connection_denies_with_the_reason_in_the_log() {
    let refusal = |id: u64| {
        let rest = r#""type":"error","code":"busy","message":"too many connections""#;
        framed(format!(r#"{{"v":1,"id":{id},{rest}}}"#).as_bytes())
    };
    let reason = "mfa-daemon refused: too many connections: login denied";
    for number in [0, 1] {
        let daemon = FakeDaemon::start(move |_, _| Reply::Bytes(refusal(number)));
        let outcome = login(&daemon.socket(), "nullok");
        denied(&outcome, &format!("number {number}"));
        let logged = outcome.logged().iter().any(|line| line.contains(reason));
        assert_eq!(logged, number == 0, "{outcome:?}");
    }
}

#[test]
fn both_answers_of_a_login_share_the_timeout() {
    let slow = |begin: u64| {
        FakeDaemon::start(move |id, request| match request {
            mfa_proto::Request::Begin(_) => {
                std::thread::sleep(Duration::from_millis(begin));
                prompt(id)
            }
            _ => Reply::Hang(Vec::new()),
        })
    };
    for begin in [0, 1500] {
        let outcome = login(&slow(begin).socket(), "timeout=2");
        denied(&outcome, &format!("{begin} ms"));
        assert!(outcome.took >= Duration::from_secs(2), "{outcome:?}");
        assert!(outcome.took < Duration::from_secs(3), "{outcome:?}");
    }
}

#[test]
fn the_first_answer_counts_whatever_follows() {
    let wrong = |id: u64| framed(format!(r#"{{"v":1,"id":{id},"type":"wrong"}}"#).as_bytes());
    let daemon =
        FakeDaemon::after_prompt(move |id| Reply::Bytes([wrong(id), accepted(id)].concat()));
    assert_eq!(login(&daemon.socket(), "").authenticated(), "PAM_AUTH_ERR");
    let control = FakeDaemon::after_prompt(|id| Reply::Bytes(accepted(id)));
    assert_eq!(login(&control.socket(), "").authenticated(), "PAM_SUCCESS");
}

#[test]
fn a_daemon_that_stops_in_the_middle_of_an_answer_is_waited_for_until_the_timeout() {
    for bytes in [0, 2, 4, 20] {
        let daemon = FakeDaemon::after_prompt(move |id| {
            let mut answer = accepted(id);
            answer.truncate(bytes);
            Reply::Hang(answer)
        });
        let outcome = login(&daemon.socket(), "timeout=1");
        denied(&outcome, &format!("{bytes} bytes"));
        assert!(outcome.took >= Duration::from_secs(1), "{outcome:?}");
        assert!(outcome.took < Duration::from_secs(2), "{outcome:?}");
    }
}

#[test]
fn a_daemon_that_closes_at_once_kills_nobody() {
    let daemon = FakeDaemon::start(|_, _| Reply::Close);
    denied(&login(&daemon.socket(), ""), "closed at begin");
    let daemon = FakeDaemon::after_prompt(|_| Reply::Close);
    denied(&login(&daemon.socket(), ""), "closed at verify");
}

#[test]
fn a_socket_that_others_could_have_put_there_is_told_nothing() {
    let home = tempfile::tempdir().unwrap();
    let daemon = FakeDaemon::start(|id, request| match request {
        mfa_proto::Request::Begin(_) => prompt(id),
        _ => Reply::Bytes(accepted(id)),
    });
    let socket = daemon.socket();
    let directory = socket.parent().unwrap();
    let before = std::fs::metadata(directory).unwrap().permissions();
    for mode in [0o770, 0o707, 0o1777] {
        std::fs::set_permissions(directory, Permissions::from_mode(mode)).unwrap();
        denied(&login(&socket, ""), &format!("{mode:o}"));
    }
    std::fs::set_permissions(directory, before).unwrap();
    let link = home.path().join("link");
    symlink(&socket, &link).unwrap();
    denied(&login(&link, ""), "a symbolic link");
    let file = home.path().join("file");
    std::fs::write(&file, "").unwrap();
    denied(&login(&file, ""), "a file");
    assert!(daemon.questions().is_empty(), "{:?}", daemon.questions());
    assert_eq!(login(&socket, "").authenticated(), "PAM_SUCCESS");
}
