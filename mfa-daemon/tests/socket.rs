// SPDX-License-Identifier: GPL-3.0-or-later
//! Foreign bytes on the socket: every malformed frame gets an answer that names the fault or a closed
//! connection, changes nothing, and leaves the daemon serving.

mod trial;

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use serde_json::json;
use trial::{Trial, code, frame, wrong_code};

#[test]
fn malformed_frames_are_answered_and_closed_and_the_daemon_goes_on() {
    let trial = Trial::start();
    trial.add("alice");
    for (payload, reason) in [
        (&b"not json"[..], "expected"),
        (br#"{"v":1,"id":1,"type":"nonsense"}"#, "unknown variant"),
        (br#"{"v":9,"id":1,"type":"params"}"#, "protocol version 9"),
        (br#"{"v":1,"id":1,"type":"params","more":1}"#, "unknown field"),
        (br#"{"v":1,"id":1,"type":"params"} {}"#, "trailing"),
        (br#"{"v":1,"id":1,"id":2,"type":"params"}"#, "duplicate field"),
        (br#"{"v":1,"id":1,"type":"status","user":"root\u0000x"}"#, "may not contain"),
        (br#"{"v":1,"id":1,"type":"status","user":""}"#, "empty"),
        (b"\xff\xfe", "expected"),
        (b"[[[[[[[[", "invalid type"),
    ] {
        let mut wire = trial.connect();
        wire.send(&frame(payload));
        let answer = wire.receive().unwrap();
        assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!("malformed")));
        assert!(answer["message"].as_str().unwrap().contains(reason), "{answer}");
        assert!(wire.receive().is_none(), "the connection goes on after {payload:?}");
    }
    assert_eq!(trial.verify("alice", &code(0))["type"], "accepted");
}

/// Whoever takes a text for what stands before its first NUL would find a right code.
#[test]
fn a_nul_inside_a_code_makes_it_a_wrong_one_and_inside_a_name_none() {
    let trial = Trial::start();
    trial.add("alice");
    let right = code(0);
    let question = |user: &str, code: &str| {
        json!({"v": 1, "id": 1, "type": "verify", "user": user, "code": code,
            "origin": {"service": "test"}})
    };
    for (user, code, type_) in [
        ("alice", format!("{right}\0z"), "wrong"),
        ("alice", format!("{right}\0"), "wrong"),
        ("alice", format!("\0{right}"), "wrong"),
        ("alice\0x", right.clone(), "error"),
    ] {
        let mut wire = trial.connect();
        wire.send(&frame(question(user, &code).to_string().as_bytes()));
        assert_eq!(wire.receive().unwrap()["type"], type_, "{user:?} {code:?}");
    }
    assert_eq!(trial.verify("alice", &right)["type"], "accepted");
}

#[test]
fn a_refusal_of_a_long_field_still_fits_its_answer() {
    let trial = Trial::start();
    let long = format!(r#"{{"v":1,"id":1,"type":"params","{}":1}}"#, "x".repeat(65_000));
    let mut wire = trial.connect();
    wire.send(&frame(long.as_bytes()));
    assert_eq!(wire.receive().unwrap()["code"], "malformed");
}

#[test]
fn a_length_beyond_the_cap_or_of_nothing_is_refused_and_ends_the_connection() {
    let trial = Trial::start();
    for header in [[0xff; 4], [0x7f, 0xff, 0xff, 0xff], [0, 1, 0, 1], [0, 0, 0, 0]] {
        let mut wire = trial.connect();
        wire.send(&header);
        assert_eq!(wire.receive().unwrap()["code"], "malformed");
        assert!(wire.receive().is_none());
    }
    assert_eq!(trial.ask(json!({"type": "params"}))["type"], "params");
}

#[test]
fn a_frame_cut_at_any_byte_changes_nothing() {
    let trial = Trial::start();
    trial.add("alice");
    let request = json!({"v": 1, "id": 1, "type": "verify", "user": "alice", "code": code(0),
        "origin": {"service": "test"}});
    let whole = frame(request.to_string().as_bytes());
    for cut in 0..whole.len() {
        let mut wire = trial.connect();
        wire.send(&whole[..cut]);
        wire.stream.shutdown(std::net::Shutdown::Write).unwrap();
        assert!(wire.receive().is_none(), "an answer to {cut} bytes");
    }
    let mut wire = trial.connect();
    for byte in &whole {
        wire.send(&[*byte]);
    }
    assert_eq!(wire.receive().unwrap()["type"], "accepted");
}

#[test]
fn two_frames_in_one_write_are_answered_one_after_the_other() {
    let trial = Trial::start();
    let mut wire = trial.connect();
    let mut both = frame(br#"{"v":1,"id":1,"type":"params"}"#);
    both.extend(frame(br#"{"v":1,"id":2,"type":"status","user":"alice"}"#));
    wire.send(&both);
    assert_eq!(wire.receive().unwrap()["id"], 1);
    let second = wire.receive().unwrap();
    assert_eq!((&second["id"], &second["type"]), (&json!(2), &json!("status")));
}

#[test]
fn a_client_that_is_gone_before_its_answer_has_still_spent_its_code() {
    let trial = Trial::start();
    trial.add("alice");
    let request = json!({"v": 1, "id": 1, "type": "verify", "user": "alice", "code": code(0),
        "origin": {"service": "test"}});
    let mut wire = trial.connect();
    wire.send(&frame(request.to_string().as_bytes()));
    drop(wire);
    let mut answer = trial.verify("alice", &code(0));
    let until = Instant::now() + Duration::from_secs(10);
    while answer["type"] == "accepted" && Instant::now() < until {
        // Only where the second connection was faster than the first request.
        answer = trial.verify("alice", &code(0));
    }
    assert_eq!(answer["type"], "replayed");
}

#[test]
fn a_peer_that_stops_in_the_middle_of_a_frame_is_dropped_at_the_deadline() {
    let trial = Trial::start();
    let mut slow = trial.connect();
    slow.stream.write_all(&[0, 0, 0]).unwrap();
    let started = Instant::now();
    assert_eq!(trial.ask(json!({"type": "params"}))["type"], "params");
    assert_eq!(slow.stream.read(&mut [0; 1]).unwrap(), 0);
    let waited = started.elapsed();
    assert!((4..8).contains(&waited.as_secs()), "{waited:?}");
}

#[test]
fn a_code_opens_one_login_whatever_the_service_and_not_another_user() {
    let trial = Trial::start();
    trial.add("alice");
    trial.ask(json!({"type": "admin_import", "tokens": [{
        "user": "bob", "secret": "AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "algorithm": "SHA1",
        "digits": 6, "moving": {"factor": "totp", "period": 30}}]}));
    let ask = |user: &str, service: &str, code: &str| {
        let request = json!({"type": "verify", "user": user, "code": code,
            "origin": {"service": service}});
        trial.ask(request)["type"].as_str().unwrap().to_owned()
    };
    let now = code(0);
    assert_eq!(ask("alice", "sshd", &wrong_code()), "wrong");
    assert_eq!(ask("bob", "sshd", &now), "wrong");
    assert_eq!(ask("alice", "sshd", &now), "accepted");
    assert_eq!(ask("alice", "sudo", &now), "replayed");
    assert_eq!(ask("nobody-knows", "sshd", &now), "wrong");
    assert!(!trial.log().contains(&now), "a code is in the log");
}

#[test]
fn wrong_codes_lock_the_account_and_an_administrator_unlocks_it() {
    let trial = Trial::start();
    trial.add("alice");
    for _ in 0..5 {
        assert_eq!(trial.verify("alice", &wrong_code())["type"], "wrong");
    }
    let locked = trial.verify("alice", &code(0));
    assert_eq!(locked["type"], "locked");
    assert!((1..=30).contains(&locked["seconds"].as_u64().unwrap()));
    assert_eq!(trial.ask(json!({"type": "admin_unlock", "user": "nobody"}))["code"], "conflict");
    let unlock = trial.ask(json!({"type": "admin_unlock", "user": "alice"}));
    assert_eq!(unlock["type"], "unlocked");
    assert_eq!(trial.verify("alice", &code(0))["type"], "accepted");
}

#[test]
fn a_name_without_a_token_is_locked_like_any_other() {
    let trial = Trial::start();
    trial.add("alice");
    for user in ["alice", "nobody-knows"] {
        for _ in 0..5 {
            assert_eq!(trial.verify(user, &wrong_code())["type"], "wrong", "{user}");
        }
        assert_eq!(trial.verify(user, &wrong_code())["type"], "locked", "{user}");
    }
}

#[test]
fn a_list_is_given_page_by_page_and_an_import_repeats_without_effect() {
    let trial = Trial::start();
    let tokens: Vec<_> = (0..300)
        .map(|n| {
            json!({"user": format!("u{n:03}"), "secret": "AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
                "algorithm": "SHA256", "digits": 8, "moving": {"factor": "hotp", "counter": 3}})
        })
        .collect();
    let import = json!({"type": "admin_import", "tokens": tokens});
    assert_eq!(trial.ask(import.clone())["added"], 300);
    let again = trial.ask(import);
    assert_eq!((&again["added"], &again["known"]), (&json!(0), &json!(300)));

    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let mut request = json!({"type": "admin_list", "limit": 1000});
        if let Some(name) = after {
            request["after"] = name;
        }
        let page = trial.ask(request);
        let users = page["users"].as_array().unwrap();
        names.extend(users.iter().map(|user| user["user"].as_str().unwrap().to_owned()));
        if page["more"] == false {
            break;
        }
        after = users.last().map(|user| user["user"].clone());
    }
    assert_eq!(names, (0..300).map(|n| format!("u{n:03}")).collect::<Vec<_>>());
}

#[test]
fn an_import_with_one_impossible_token_adds_none_of_its_batch() {
    let trial = Trial::start();
    let token = |user: &str, secret: &str, digits: u8| {
        json!({"user": user, "secret": secret, "algorithm": "SHA1", "digits": digits,
            "moving": {"factor": "totp", "period": 30}})
    };
    let good = token("good", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=", 6);
    for (bad, reason) in [
        (token("bad", "AAAA", 6), "bad: a secret of 3 bytes"),
        (token("bad", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=", 9), "bad: a code of 9 digits"),
    ] {
        let answer = trial.ask(json!({"type": "admin_import", "tokens": [good.clone(), bad]}));
        assert!(answer["message"].as_str().unwrap().contains(reason), "{answer}");
    }
    assert_eq!(trial.ask(json!({"type": "admin_list", "limit": 9}))["users"], json!([]));
    assert_eq!(trial.ask(json!({"type": "admin_import", "tokens": [good]}))["added"], 1);
}
