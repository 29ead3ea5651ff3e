// SPDX-License-Identifier: GPL-3.0-or-later
//! What is left of a code in the memory of the program that asked for it: nothing, once the call is over.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use mfa_proto::login::VerifyAnswer;
use mfa_tests::fake_daemon::{FakeDaemon, Reply, accepted, answer};
use mfa_tests::process_memory;
use mfa_tests::stack::Stack;

use super::rare;

/// Digits as people type them in no other place; the program is told them as letters.
const CODE: &str = "48150926";

fn masked() -> String {
    CODE.bytes().map(|digit| char::from(digit - b'0' + b'a')).collect()
}

/// What the daemon answers, given the question's number.
type Answer = fn(u64) -> Reply;

/// What is found while the daemon is asked, after the call, and after the end of the transaction.
fn found(options: &str, before: &str, reply: impl Fn(u64) -> Reply + Send + 'static) -> [usize; 3] {
    let (go, wait) = channel();
    let daemon = FakeDaemon::after_prompt(move |id| {
        let _ = wait.recv();
        reply(id)
    });
    let stack = Stack::module(&daemon.socket(), options);
    let mut program = rare(&stack, "alice", &["masked"]).until_prompt();
    assert_eq!(process_memory::count(program.pid(), CODE.as_bytes()), 0, "before it was typed");
    program.type_in(&format!("{before}{}", masked()));
    let patience = Instant::now() + Duration::from_secs(20);
    while daemon.questions().len() < 2 {
        assert!(Instant::now() < patience, "no question: {}", program.printed());
        std::thread::yield_now();
    }
    let during = process_memory::count(program.pid(), CODE.as_bytes());
    go.send(()).unwrap();
    program.until("over");
    let after = process_memory::count(program.pid(), CODE.as_bytes());
    program.type_in("");
    program.until("ended");
    let at_the_end = process_memory::count(program.pid(), CODE.as_bytes());
    let outcome = program.answer("");
    assert!(outcome.status.success(), "{outcome:?}");
    [during, after, at_the_end]
}

#[test]
fn a_code_is_in_the_programs_memory_while_it_is_checked_and_not_afterwards() {
    let wrong = |id| answer(id, VerifyAnswer::Wrong { clock_offset: None });
    let cases: [(&str, &str, &str, Answer); 5] = [
        ("accepted", "", "", |id| Reply::Bytes(accepted(id))),
        ("wrong", "", "", wrong),
        ("no answer", "", "", |_| Reply::Close),
        ("debug", "debug", "", wrong),
        ("behind a password", "forward_pass", "horse-battery!", |id| Reply::Bytes(accepted(id))),
    ];
    for (case, options, before, reply) in cases {
        let [during, after, at_the_end] = found(options, before, reply);
        assert!(during > 0, "{case}: the search finds nothing where something is");
        assert_eq!((after, at_the_end), (0, 0), "{case}: {during} while it was checked");
    }
}
