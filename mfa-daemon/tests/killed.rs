// SPDX-License-Identifier: GPL-3.0-or-later
//! The daemon killed at each system call of what it does for somebody: what was answered holds, everything
//! else has happened or not, and the next start goes on. strace counts the calls of one thread and kills.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "this is test code outside of test functions"
)]

mod databases;
mod trial;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use databases::{RELEASED, Released};
use mfa_crypto::{Algorithm, Digits, Secret, base32_decode, hotp};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use trial::{SECRET, Trial, code, frame, now};

/// Those that do the work for root: one, which reads, writes the store and answers.
const THREADS: [&str; 1] = ["mfa-daemon"];

/// `make test` takes every third call, `make test-faults` each.
fn stride() -> usize {
    std::env::var("MFA_KILL_STRIDE").map_or(3, |text| text.parse().unwrap())
}

/// A store with some users, of a daemon that was stopped.
fn prepared() -> Trial {
    let mut trial =
        Trial::prepare("[exchange]\ngroup = \"ffdhe2048\"\n[token]\nmax_age_days = 30\n");
    trial.run();
    trial.add("alice");
    trial.add("bob");
    let old = trial.ask(json!({"type": "admin_import", "tokens": [{"user": "old",
        "secret": "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=", "algorithm": "SHA1", "digits": 6,
        "created": now() - 90 * 86_400, "moving": {"factor": "totp", "period": 30}}]}));
    assert_eq!(old["type"], "imported", "{old}");
    assert!(trial.end(Signal::SIGTERM).success());
    trial
}

/// The same store in a place of its own, and a daemon on it.
fn again(prepared: &Trial) -> Trial {
    let mut trial =
        Trial::prepare("[exchange]\ngroup = \"ffdhe2048\"\n[token]\nmax_age_days = 30\n");
    let state = trial.path("state");
    fs::create_dir(&state).unwrap();
    for file in fs::read_dir(prepared.path("state")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), state.join(file.file_name())).unwrap();
    }
    trial.run();
    trial
}

/// Kills the daemon when that thread of it makes its call of this number from now on.
fn kill_at(trial: &Trial, thread: &str, call: usize) -> Child {
    let tasks = format!("/proc/{}/task", trial.pid());
    let is_it = |task: &Path| {
        fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim_end() == thread)
    };
    let until = Instant::now() + Duration::from_secs(10);
    // A thread names itself a moment after it was started.
    let task = loop {
        let found = fs::read_dir(&tasks).unwrap().map(|task| task.unwrap().path());
        if let Some(task) = found.into_iter().find(|task| is_it(task)) {
            break task;
        }
        assert!(Instant::now() < until, "no thread {thread}");
    };
    let inject = format!("inject=all:signal=KILL:when={call}");
    let mut strace = Command::new("strace")
        .args(["-o", "/dev/null", "-e", &inject, "-p", task.file_name().unwrap().to_str().unwrap()])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = String::new();
    BufReader::new(strace.stderr.as_mut().unwrap()).read_line(&mut told).unwrap();
    assert!(told.contains("attached"), "{told}");
    strace
}

/// The answer, where there is one.
fn ask(trial: &Trial, mut request: Value) -> Option<Value> {
    request["v"] = json!(1);
    request["id"] = json!(1);
    let mut stream = UnixStream::connect(trial.path("run/mfa.sock")).ok()?;
    stream.write_all(&frame(request.to_string().as_bytes())).ok()?;
    let mut header = [0; 4];
    stream.read_exact(&mut header).ok()?;
    let mut payload = vec![0; usize::try_from(u32::from_be_bytes(header)).unwrap()];
    stream.read_exact(&mut payload).ok()?;
    Some(serde_json::from_slice(&payload).unwrap())
}

fn verify(user: &str, code: &str) -> Value {
    json!({"type": "verify", "user": user, "code": code, "origin": {"service": "test"}})
}

fn opens(trial: &Trial, user: &str, code: &str) -> bool {
    trial.ask(verify(user, code))["type"] == "accepted"
}

fn code_of(secret: &[u8], steps: u64) -> String {
    let secret = Secret::new(secret.to_vec());
    hotp(&secret, Algorithm::Sha1, Digits::default(), now() / 30 + steps).as_str().to_owned()
}

/// Has `act` happen while the daemon is killed at each call of each thread, until one that it does not
/// come to any more; after each of them `check` looks at the next start, given what `act` was told.
fn at_each_call<R>(act: impl Fn(&Trial) -> R, check: impl Fn(&mut Trial, R, &str)) {
    at_each_call_on(&prepared(), act, check);
}

fn at_each_call_on<R>(
    prepared: &Trial,
    act: impl Fn(&Trial) -> R,
    check: impl Fn(&mut Trial, R, &str),
) {
    for thread in THREADS {
        let mut killed = 0;
        for call in (1..).step_by(stride()) {
            let mut trial = again(prepared);
            let mut strace = kill_at(&trial, thread, call);
            let told = act(&trial);
            let dead = trial.is_dead();
            if !dead {
                trial.end(Signal::SIGKILL);
            }
            strace.wait().unwrap();
            trial.run();
            check(&mut trial, told, &format!("{thread}, call {call}"));
            // The positive control, after whatever has happened.
            assert!(opens(&trial, "bob", &code(1)), "{thread}, call {call}: {}", trial.log());
            if !dead {
                break;
            }
            killed += 1;
            assert!(call < 2000, "{thread} does not come to an end");
        }
        assert!(killed > 0, "{thread} was never killed");
    }
}

#[test]
fn killed_at_any_call_of_a_login_no_code_that_was_accepted_opens_again() {
    at_each_call(
        |trial| {
            let code = code(1);
            (ask(trial, verify("alice", &code)), code)
        },
        |trial, (answer, code), case| {
            let accepted = answer.is_some_and(|answer| answer["type"] == "accepted");
            let again = opens(trial, "alice", &code);
            assert!(!(accepted && again), "{case}: it opened twice");
            assert!(!opens(trial, "alice", &code), "{case}: it is spent by now");
        },
    );
}

/// The secret, and whether it was confirmed.
fn new_token(trial: &Trial, user: &str, token: &str, proof: &Value) -> (Option<Vec<u8>>, bool) {
    let provision = json!({"type": "login_provision", "user": user, "origin": {"service": "test"},
        "proof": proof});
    let Some(answer) = ask(trial, provision) else { return (None, false) };
    let secret = base32_decode(answer["secret"].as_str().unwrap()).unwrap().expose().to_vec();
    let confirm = json!({"type": "login_confirm", "user": user, "token": token,
        "origin": {"service": "test"}, "code": code_of(&secret, 0)});
    let answer = ask(trial, confirm);
    (Some(secret), answer.is_some_and(|answer| answer["type"] == "login_confirmed"))
}

#[test]
fn killed_at_any_call_of_an_enrolment_the_token_counts_or_the_next_one_succeeds() {
    at_each_call(
        |trial| new_token(trial, "carol", "default", &json!({"by": "nothing"})),
        |trial, (secret, confirmed), case| {
            let counts = secret.is_some_and(|secret| opens(trial, "carol", &code_of(&secret, 1)));
            assert!(counts || !confirmed, "{case}: what was confirmed is gone");
            if !counts {
                let (secret, confirmed) =
                    new_token(trial, "carol", "default", &json!({"by": "nothing"}));
                assert!(confirmed, "{case}: {}", trial.log());
                assert!(opens(trial, "carol", &code_of(&secret.unwrap(), 1)), "{case}");
            }
        },
    );
}

#[test]
fn killed_at_any_call_of_a_rotation_one_secret_opens_logins_and_the_other_none() {
    at_each_call(
        |trial| {
            let proof = json!({"by": "code", "code": code_of(SECRET, 0)});
            new_token(trial, "old", "imported", &proof)
        },
        |trial, (secret, confirmed), case| {
            let new = secret.is_some_and(|secret| opens(trial, "old", &code_of(&secret, 1)));
            let old = opens(trial, "old", &code_of(SECRET, 1));
            assert!(new != old, "{case}: new {new}, old {old}");
            assert!(new || !confirmed, "{case}: what was confirmed does not count");
        },
    );
}

#[test]
fn killed_at_any_call_of_a_new_master_key_everybody_goes_on_and_it_comes_to_its_end() {
    let rekey = |trial: &Trial| {
        let until = Instant::now() + Duration::from_secs(60);
        let mut state = ask(trial, json!({"type": "admin_rekey", "begin": true}));
        while state.as_ref().is_some_and(|state| state["running"] == true) {
            assert!(Instant::now() < until, "{state:?}");
            std::thread::sleep(Duration::from_millis(5));
            state = ask(trial, json!({"type": "admin_rekey"}));
        }
        state
    };
    at_each_call(rekey, |trial, _, case| {
        let first = code(0);
        assert!(opens(trial, "alice", &first), "{case}: {}", trial.log());
        let state = rekey(trial).unwrap();
        assert_eq!((&state["type"], &state["damaged"]), (&json!("rekey"), &json!(0)), "{case}");
        assert!(!opens(trial, "alice", &first), "{case}: fresh again");
        assert!(opens(trial, "alice", &code(1)), "{case}: {}", trial.log());
    });
}

#[test]
fn killed_at_any_call_of_an_import_all_of_it_counts_or_nothing() {
    let token = |user| {
        json!({"user": user, "secret": "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=", "algorithm": "SHA1",
            "digits": 6, "moving": {"factor": "totp", "period": 30}})
    };
    let tokens = ["one", "two"].map(token);
    let import = json!({"type": "admin_import", "tokens": tokens});
    at_each_call(
        |trial| ask(trial, import.clone()),
        |trial, answer, case| {
            let imported = answer.is_some_and(|answer| answer["type"] == "imported");
            let (one, two) = (opens(trial, "one", &code(0)), opens(trial, "two", &code(0)));
            assert_eq!(one, two, "{case}: half of it counts");
            assert!(one || !imported, "{case}: what was answered is gone");
            assert_eq!(trial.ask(import.clone())["type"], "imported", "{case}: again");
            assert!(opens(trial, "two", &code(1)), "{case}");
        },
    );
}

#[test]
fn killed_at_any_call_of_a_login_by_recovery_code_it_opens_once_at_most() {
    let mut prepared = prepared();
    prepared.run();
    let provision = json!({"type": "login_provision", "user": "carol",
        "origin": {"service": "test"}, "proof": {"by": "nothing"}});
    let secret = prepared.ask(provision)["secret"].as_str().unwrap().to_owned();
    let secret = base32_decode(&secret).unwrap().expose().to_vec();
    let confirmed = prepared.ask(json!({"type": "login_confirm", "user": "carol",
        "token": "default", "origin": {"service": "test"}, "code": code_of(&secret, 0)}));
    let codes = confirmed["recovery_codes"].as_array().unwrap().clone();
    prepared.end(Signal::SIGTERM);
    let recovery = |at: usize| verify("carol", codes[at].as_str().unwrap());
    at_each_call_on(
        &prepared,
        |trial| ask(trial, recovery(0)),
        |trial, answer, case| {
            let accepted = answer.is_some_and(|answer| answer["type"] == "accepted");
            let again = trial.ask(recovery(0))["type"] == "accepted";
            assert!(!(accepted && again), "{case}: it opened twice");
            assert_ne!(trial.ask(recovery(0))["type"], "accepted", "{case}: it is spent by now");
            assert_eq!(trial.ask(recovery(1))["type"], "accepted", "{case}: {}", trial.log());
        },
    );
}

/// An old database where a daemon finds it.
fn old(released: Released) -> Trial {
    let trial = Trial::prepare("[exchange]\ngroup = \"ffdhe2048\"\n");
    assert!(released.made() < now());
    released.put(&trial.path("state"));
    trial
}

/// The writes of a migration are some thousands to the log, one like the other: of these there is a kill in
/// every two hundredth, of the other calls that change something in every seventh.
#[test]
fn killed_at_any_call_of_a_migration_everybody_goes_on_and_nobody_is_taken_for_put_back() {
    let calls = [
        ("openat,fsync,fdatasync,ftruncate,unlink,unlinkat,rename,mkdir,write", 7),
        ("pwrite64", 211),
    ];
    for released in RELEASED {
        for (calls, every) in calls {
            let mut killed = 0;
            for call in (1..).step_by(every * stride()) {
                let mut trial = old(released);
                let inject = format!("inject={calls}:signal=KILL:when={call}");
                let strace = ["strace", "-D", "-o", "/dev/null", "-e", &inject, "--"];
                trial.under = strace.map(str::to_owned).to_vec();
                let came_up = trial.try_run();
                trial.under.clear();
                if came_up {
                    trial.end(Signal::SIGKILL);
                }
                let case = format!("schema {}, {calls}, call {call}", released.schema);
                trial.run();
                let phone = released.token("alice", "phone");
                let shown = trial::code_of(&phone);
                assert!(opens(&trial, "alice", &shown), "{case}: {}", trial.log());
                assert!(!opens(&trial, "alice", &shown), "{case}");
                // A store that is taken for put back makes these void; one was used before.
                let left = trial.ask(json!({"type": "status", "user": "alice"}));
                let shown = released.recovery("alice").len();
                assert_eq!(left["recovery_codes_left"], shown - 1, "{case}: {}", trial.log());
                if came_up {
                    break;
                }
                killed += 1;
                assert!(call < 20_000, "{case}: it does not come to an end");
            }
            assert!(killed > 2, "{calls}: killed {killed} times only");
        }
    }
}
