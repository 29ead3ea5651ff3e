// SPDX-License-Identifier: GPL-3.0-or-later
//! A run of logins, enrolments, rotations and a new master key under strace: what the store's files went
//! through, and what was promised by which answer.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant};

use mfa_crypto::{Algorithm, Digits, Secret, base32_decode, hotp};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::trace::{self, Op};
use crate::trial::{SECRET, Trial, Wire, frame, now};

/// Requests that wait together, and so share commits.
const TOGETHER: usize = 8;

/// What holds once an answer has left.
#[derive(Clone, Debug)]
pub(crate) enum Promise {
    /// The code of this counter or step was accepted.
    Spent { user: String, number: u64 },
    /// Everybody whose name begins like this, and how many they are, has a token.
    Imported { names: String, count: usize },
    /// Has a token of this secret, and ten recovery codes.
    Enrolled { user: String, secret: Vec<u8> },
    /// The token has this secret now.
    Rotated { user: String, secret: Vec<u8> },
}

/// All of it.
pub(crate) struct History {
    pub(crate) ops: Vec<Op>,
    /// By the number of the answer.
    pub(crate) promises: HashMap<u64, Promise>,
    /// Secrets that were shown and never confirmed.
    pub(crate) unconfirmed: Vec<(String, Vec<u8>)>,
    pub(crate) logins: usize,
}

struct Run {
    trial: Trial,
    last: u64,
    promises: HashMap<u64, Promise>,
    unconfirmed: Vec<(String, Vec<u8>)>,
    logins: usize,
}

pub(crate) fn code(secret: &[u8], number: u64) -> String {
    let secret = Secret::new(secret.to_vec());
    hotp(&secret, Algorithm::Sha1, Digits::default(), number).as_str().to_owned()
}

pub(crate) fn counting(n: usize) -> String {
    format!("counts{n:03}")
}

/// So many logins, and all the rest; `more` are options of strace for the second half.
pub(crate) fn record(logins: usize, more: &[&str]) -> History {
    let configuration = "[exchange]\ngroup = \"ffdhe2048\"\n[token]\nmax_age_days = 30\n";
    let trial = Trial::prepare(configuration);
    let (promises, unconfirmed) = Default::default();
    let mut run = Run { trial, last: 0, promises, unconfirmed, logins: 0 };
    let mut ops = Vec::new();
    run.under_strace(&mut ops, &[], |run| {
        run.import("steps", logins / 2, &json!({"factor": "totp", "period": 30}), None);
        run.import("counts", 51, &json!({"factor": "hotp", "counter": 0}), None);
        run.import("old", 40, &json!({"factor": "totp", "period": 30}), Some(now() - 90 * 86_400));
        run.log_in_by_steps(0, logins / 4);
        run.log_in_by_counters(0, logins / 4);
        run.enroll(25);
    });
    // The second start, and the end of the log that it makes anew.
    run.under_strace(&mut ops, more, |run| {
        run.log_in_by_steps(logins / 4, logins / 2);
        run.rotate(30);
        run.rekey();
        run.log_in_by_counters(logins / 4, logins / 2);
    });
    let Run { promises, unconfirmed, logins, .. } = run;
    History { ops, promises, unconfirmed, logins }
}

impl Run {
    /// Starts the daemon, has this happen, stops it, and reads what came of it.
    fn under_strace(&mut self, ops: &mut Vec<Op>, more: &[&str], happen: impl FnOnce(&mut Self)) {
        let output = self.trial.path("trace");
        let _ = fs::remove_file(&output);
        self.trial.under = trace::strace(&output, more);
        self.trial.run();
        happen(self);
        self.trial.end(Signal::SIGTERM);
        let until = Instant::now() + Duration::from_secs(20);
        let written = loop {
            let text = fs::read_to_string(&output).unwrap();
            if text.trim_end().ends_with("+++ exited with 0 +++") {
                break text;
            }
            assert!(Instant::now() < until, "strace does not end");
            std::thread::sleep(Duration::from_millis(20));
        };
        ops.extend(trace::read(&written, &self.trial.path("state")));
    }

    /// Asks all of it, some at a time, and returns the answers with their numbers.
    fn ask_all(&mut self, requests: &[Value]) -> Vec<(u64, Value)> {
        let mut answers = Vec::new();
        let mut wires: Vec<Wire> = (0..TOGETHER).map(|_| self.trial.connect()).collect();
        for some in requests.chunks(TOGETHER) {
            for (wire, request) in wires.iter_mut().zip(some) {
                self.last += 1;
                let mut request = request.clone();
                request["v"] = json!(1);
                request["id"] = json!(self.last);
                wire.send(&frame(request.to_string().as_bytes()));
            }
            for wire in &mut wires[..some.len()] {
                let answer = wire.receive().unwrap();
                answers.push((answer["id"].as_u64().unwrap(), answer));
            }
        }
        answers
    }

    fn ask(&mut self, request: Value) -> (u64, Value) {
        self.ask_all(&[request]).remove(0)
    }

    fn import(&mut self, names: &str, count: usize, moving: &Value, created: Option<u64>) {
        let token = |n: usize| {
            let mut token = json!({"user": format!("{names}{n:03}"), "algorithm": "SHA1", "digits": 6,
                "secret": data_encoding::BASE64.encode(SECRET), "moving": moving});
            if let Some(created) = created {
                token["created"] = json!(created);
            }
            token
        };
        for first in (0..count).step_by(200) {
            let tokens: Vec<_> = (first..count.min(first + 200)).map(token).collect();
            let count = first + tokens.len();
            let (id, answer) = self.ask(json!({"type": "admin_import", "tokens": tokens}));
            assert_eq!(answer["type"], "imported", "{answer}");
            self.promises.insert(id, Promise::Imported { names: names.to_owned(), count });
        }
    }

    fn verify(user: &str, code: &str) -> Value {
        json!({"type": "verify", "user": user, "code": code, "origin": {"service": "test"}})
    }

    fn log_in(&mut self, logins: Vec<(String, u64)>) {
        let requests: Vec<_> = logins
            .iter()
            .map(|(user, number)| Self::verify(user, &code(SECRET, *number)))
            .collect();
        let answers = self.ask_all(&requests);
        for ((user, number), (id, answer)) in logins.into_iter().zip(answers) {
            assert_eq!(answer["type"], "accepted", "{user}: {answer}");
            self.logins += 1;
            self.promises.insert(id, Promise::Spent { user, number });
        }
    }

    fn log_in_by_steps(&mut self, from: usize, to: usize) {
        for first in (from..to).step_by(TOGETHER) {
            let some = first..to.min(first + TOGETHER);
            self.log_in(some.map(|n| (format!("steps{n:03}"), now() / 30)).collect());
        }
    }

    /// Fifty users, one after the other and over again.
    fn log_in_by_counters(&mut self, from: usize, to: usize) {
        self.log_in((from..to).map(|n| (counting(n % 50), (n / 50) as u64)).collect());
    }

    fn provision(&mut self, user: &str, proof: &Value) -> Vec<u8> {
        let (_, answer) = self.ask(json!({"type": "login_provision", "user": user,
            "origin": {"service": "test"}, "proof": proof}));
        assert_eq!(answer["type"], "login_provisioned", "{answer}");
        base32_decode(answer["secret"].as_str().unwrap()).unwrap().expose().to_vec()
    }

    fn confirm(&mut self, user: &str, token: &str, secret: &[u8]) -> u64 {
        let (id, answer) = self.ask(json!({"type": "login_confirm", "user": user, "token": token,
            "origin": {"service": "test"}, "code": code(secret, now() / 30)}));
        assert_eq!(answer["type"], "login_confirmed", "{answer}");
        id
    }

    /// Every fifth is abandoned.
    fn enroll(&mut self, count: usize) {
        for n in 0..count {
            let user = format!("new{n:03}");
            let secret = self.provision(&user, &json!({"by": "nothing"}));
            if n % 5 == 0 {
                self.unconfirmed.push((user, secret));
            } else {
                let id = self.confirm(&user, "default", &secret);
                self.promises.insert(id, Promise::Enrolled { user, secret });
            }
        }
    }

    fn rotate(&mut self, count: usize) {
        for n in 0..count {
            let user = format!("old{n:03}");
            let proof = json!({"by": "code", "code": code(SECRET, now() / 30)});
            let secret = self.provision(&user, &proof);
            if n % 5 == 0 {
                self.unconfirmed.push((user, secret));
            } else {
                let id = self.confirm(&user, "imported", &secret);
                self.promises.insert(id, Promise::Rotated { user, secret });
            }
        }
    }

    fn rekey(&mut self) {
        let until = Instant::now() + Duration::from_secs(60);
        let (_, mut state) = self.ask(json!({"type": "admin_rekey", "begin": true}));
        while state["running"] == true {
            assert!(Instant::now() < until, "{state}");
            std::thread::sleep(Duration::from_millis(5));
            (_, state) = self.ask(json!({"type": "admin_rekey"}));
        }
        assert_eq!((&state["type"], &state["damaged"]), (&json!("rekey"), &json!(0)), "{state}");
    }
}
