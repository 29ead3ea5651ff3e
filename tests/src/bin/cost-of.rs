// SPDX-License-Identifier: GPL-3.0-or-later
//! Work whose instructions are counted: `cost-of decide|decide-wrong|frame TIMES`. Nothing here depends on the
//! clock, on randomness or on another process, so the same program does the same each time.

#![expect(clippy::panic, clippy::expect_used, reason = "test code")]

use std::env;
use std::hint::black_box;

use mfa_crypto::{Algorithm, Digits, Period, Secret, hotp};
use mfa_daemon::policy::lockout::LockoutRules;
use mfa_daemon::policy::login::{Attempt, Decision, LoginRules, Typed, decide};
use mfa_daemon::policy::record::{Factor, Record, Token};
use mfa_proto::frame::{self, HEADER_LEN};
use mfa_proto::login::{Accepted, VerifyAnswer};
use mfa_proto::{Blob, Request};
use mfa_tests::question;

const NOW: u64 = 1_800_000_000;
const RULES: LoginRules = LoginRules {
    skew: 1,
    lockout: LockoutRules { free_attempts: 5, base_seconds: 30, max_seconds: 900, hard_limit: 100 },
};

fn main() {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [what, times] = arguments.as_slice() else {
        panic!("usage: cost-of decide|decide-wrong|frame TIMES")
    };
    let times = times.parse().expect("a number of times");
    match what.as_str() {
        "decide" => decisions(times, "twenty bytes of key."),
        "decide-wrong" => decisions(times, "twenty others of it."),
        "frame" => round_trips(times),
        other => panic!("no such work: {other}"),
    }
}

/// The code of a key, right where it is that of the account's token, each time against the account as it was before.
fn decisions(times: u64, typed_by: &str) {
    let token = Token {
        name: "phone".into(),
        factor: Factor::Totp { period: Period::default(), last_step: None, drift: 0 },
        algorithm: Algorithm::Sha1,
        digits: Digits::default(),
        sealed: Blob::new("twenty bytes of key."),
        created: 0,
        last_used: None,
        near: None,
    };
    let secret = |token: &Token| Some(Secret::new(token.sealed.as_bytes().to_vec()));
    let key = Secret::new(typed_by.as_bytes().to_vec());
    let typed = Typed::Code(hotp(&key, token.algorithm, token.digits, NOW / 30));
    let right = token.sealed.as_bytes() == typed_by.as_bytes();
    let account = Record { tokens: vec![token], ..Record::default() };
    let attempt = Attempt { now: NOW, service: "sshd", rhost: Some("192.0.2.1") };
    for _ in 0..times {
        let mut record = account.clone();
        let decision = decide(&mut record, black_box(&typed), &attempt, &RULES, secret);
        let opened = matches!(black_box(decision), Decision::Accepted(_));
        assert_eq!(opened, right, "another decision");
    }
}

/// `verify` and "accepted", each written by one end and read by the other.
fn round_trips(times: u64) {
    for id in 0..times {
        let question = question::verify("alice", "123456");
        let sent = frame::encode(id, black_box(question)).expect("a frame");
        let asked = frame::decode::<Request>(payload(&sent)).expect("a question");
        assert!(matches!(black_box(asked).body, Request::Verify(_)), "another question");
        let answer = VerifyAnswer::Accepted(Accepted::default());
        let sent = frame::encode(id, black_box(answer)).expect("a frame");
        let told = frame::decode::<VerifyAnswer>(payload(&sent)).expect("an answer");
        assert!(matches!(black_box(told).body, VerifyAnswer::Accepted(_)), "another answer");
    }
}

/// The payload of a frame, whose header must announce just that.
fn payload(frame: &[u8]) -> &[u8] {
    let (header, payload) = frame.split_first_chunk::<HEADER_LEN>().expect("a header");
    assert_eq!(frame::payload_len(*header).ok(), Some(payload.len()), "the length announced");
    payload
}
