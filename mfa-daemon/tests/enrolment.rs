// SPDX-License-Identifier: GPL-3.0-or-later
//! The key exchange and enrolment on the socket, by a client written from `docs/protocol.md`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "this is test code outside of test functions"
)]

mod trial;

use data_encoding::BASE64;
use getrandom::SysRng;
use mfa_crypto::{Binding, ClientExchange, Group, Moving, OtpUri, Session, hotp, step};
use serde_json::{Value, json};
use trial::{Trial, Wire, now};

/// A client inside a session.
struct Inside {
    wire: Wire,
    id: String,
    session: Session,
}

fn base64(bytes: &[u8]) -> Value {
    json!(BASE64.encode(bytes))
}

fn bytes(value: &Value) -> Vec<u8> {
    BASE64.decode(value.as_str().unwrap().as_bytes()).unwrap()
}

fn group() -> Group {
    Group::named("ffdhe2048").unwrap()
}

fn uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

fn init(user: &str, group: &Group, public: &[u8], nonce: &[u8]) -> Value {
    json!({"type": "kex_init", "purpose": "enroll", "user": user,
        "group": base64(&group.fingerprint()), "client_public": base64(public),
        "client_nonce": base64(nonce)})
}

/// The exchange up to `kex_finish`, which is returned unsent.
fn offered(wire: &mut Wire, user: &str) -> (Value, Session) {
    let group = group();
    let (exchange, hello) = ClientExchange::start(&group, &mut SysRng).unwrap();
    let reply = wire.ask(init(user, &group, &hello.public, &hello.nonce));
    assert_eq!(reply["type"], "kex_reply", "{reply}");
    let binding = Binding { purpose: "enroll", user, uid: uid() };
    let (session, confirm) = exchange
        .finish(
            &binding,
            &bytes(&reply["server_public"]),
            &bytes(&reply["server_nonce"]),
            &bytes(&reply["server_confirm"]),
            &bytes(&reply["session"]),
        )
        .unwrap();
    let finish = json!({"type": "kex_finish", "session": reply["session"],
        "client_confirm": base64(&confirm)});
    (finish, session)
}

impl Inside {
    fn open(trial: &Trial, user: &str) -> Self {
        let mut wire = trial.connect();
        let (finish, session) = offered(&mut wire, user);
        let id = finish["session"].as_str().unwrap().to_owned();
        assert_eq!(wire.ask(finish)["type"], "kex_done");
        Self { wire, id, session }
    }

    fn sealed(&mut self, inner: &Value) -> Value {
        let message = self.session.seal(inner.to_string().as_bytes()).unwrap();
        json!({"type": "sealed", "session": self.id, "seq": message.seq,
            "ciphertext": base64(&message.ciphertext)})
    }

    fn say(&mut self, inner: &Value) -> Value {
        let outer = self.sealed(inner);
        let answer = self.wire.ask(outer);
        assert_eq!(answer["type"], "sealed", "{answer}");
        let plain = self
            .session
            .open(answer["seq"].as_u64().unwrap(), &bytes(&answer["ciphertext"]))
            .unwrap();
        serde_json::from_slice(&plain).unwrap()
    }

    fn provision(&mut self, name: &str) -> OtpUri {
        let answer = self.say(&json!({"type": "provision", "name": name, "moving": "totp"}));
        assert_eq!(answer["type"], "provisioned", "{answer}");
        OtpUri::parse(answer["uri"].as_str().unwrap()).unwrap()
    }

    fn confirm(&mut self, name: &str, code: &str) -> Value {
        self.say(&json!({"type": "confirm", "name": name, "code": code}))
    }
}

fn code_of(uri: &OtpUri, steps: u64) -> String {
    let Moving::Totp { period } = uri.moving else { panic!("a counter token") };
    hotp(&uri.secret, uri.algorithm, uri.digits, step(now(), period) + steps).as_str().to_owned()
}

fn wrong_for(uri: &OtpUri) -> String {
    let near: Vec<_> = (0..3).map(|n| code_of(uri, n)).collect();
    (0..).map(|n| format!("{n:06}")).find(|code| !near.contains(code)).unwrap()
}

fn begins_with(trial: &Trial, user: &str) -> String {
    let begin = json!({"type": "begin", "user": user, "origin": {"service": "test"}});
    trial.ask(begin)["type"].as_str().unwrap().to_owned()
}

#[test]
fn an_enrolment_gives_a_token_whose_codes_log_in_and_recovery_codes_that_work_once() {
    let trial = Trial::start();
    let mut inside = Inside::open(&trial, "alice");
    let uri = inside.provision("phone");
    assert_eq!((uri.issuer.as_str(), uri.account.as_str()), ("trial", "alice"));
    assert_eq!(uri.secret.expose().len(), 20);
    let code = code_of(&uri, 0);
    assert_eq!(begins_with(&trial, "alice"), "skip", "a pending token counts");
    assert_eq!(trial.verify("alice", &code)["type"], "wrong", "a pending token opens a login");

    let confirmed = inside.confirm("phone", &code);
    assert_eq!(confirmed["type"], "confirmed", "{confirmed}");
    assert_eq!(begins_with(&trial, "alice"), "prompt");
    assert_eq!(trial.verify("alice", &code)["type"], "replayed", "the first code opens a login");
    assert_eq!(trial.verify("alice", &code_of(&uri, 1))["type"], "accepted");

    let recovery: Vec<_> = confirmed["recovery_codes"].as_array().unwrap().clone();
    assert_eq!(recovery.len(), 10);
    let first = recovery[0].as_str().unwrap();
    let used = trial.verify("alice", first);
    assert_eq!((&used["type"], &used["recovery_codes_left"]), (&json!("accepted"), &json!(9)));
    assert_eq!(trial.verify("alice", first)["type"], "wrong");
    let lower = recovery[1].as_str().unwrap().to_lowercase().replace('-', " ");
    assert_eq!(trial.verify("alice", &lower)["type"], "accepted");

    let log = trial.log();
    assert!(log.contains("enroll done") && !log.contains(&code) && !log.contains(first));
}

#[test]
fn an_enrolment_that_ends_after_any_message_leaves_no_token_and_a_next_one_succeeds() {
    let trial = Trial::start();
    for stage in 0..6 {
        let user = format!("user{stage}");
        let mut wire = trial.connect();
        match stage {
            0 => drop(wire.ask(json!({"type": "params"}))),
            1 => drop(offered(&mut wire, &user)),
            2 => drop(Inside::open(&trial, &user)),
            3 => drop(Inside::open(&trial, &user).provision("phone")),
            4 => {
                let mut inside = Inside::open(&trial, &user);
                let uri = inside.provision("phone");
                let answer = inside.confirm("phone", &wrong_for(&uri));
                assert_eq!(
                    (&answer["type"], &answer["tries_left"]),
                    (&json!("wrong_code"), &json!(4))
                );
            }
            // Sent, but the client is gone before the answer: the token may be active or not, but
            // whoever holds the secret gets in, or enrols again.
            _ => {
                let mut inside = Inside::open(&trial, &user);
                let uri = inside.provision("phone");
                let confirm = json!({"type": "confirm", "name": "phone", "code": code_of(&uri, 0)});
                let mut outer = inside.sealed(&confirm);
                outer["v"] = json!(1);
                outer["id"] = json!(9);
                inside.wire.send(&trial::frame(outer.to_string().as_bytes()));
                drop(inside);
                let answer = trial.verify(&user, &code_of(&uri, 1));
                assert!(["accepted", "wrong"].contains(&answer["type"].as_str().unwrap()));
                continue;
            }
        }
        assert_eq!(begins_with(&trial, &user), "skip", "stage {stage} leaves a token");
        let mut again = Inside::open(&trial, &user);
        let uri = again.provision("phone");
        assert_eq!(again.confirm("phone", &code_of(&uri, 0))["type"], "confirmed");
        assert_eq!(trial.verify(&user, &code_of(&uri, 1))["type"], "accepted");
    }
}

#[test]
fn a_confirmation_in_another_session_counts_and_five_wrong_ones_end_the_token() {
    let trial = Trial::start();
    let uri = Inside::open(&trial, "alice").provision("phone");
    let mut later = Inside::open(&trial, "alice");
    assert_eq!(later.confirm("phone", &code_of(&uri, 0))["type"], "confirmed");

    let mut inside = Inside::open(&trial, "bob");
    let uri = inside.provision("phone");
    for left in (0..5).rev() {
        let answer = inside.confirm("phone", &wrong_for(&uri));
        assert_eq!((&answer["type"], &answer["tries_left"]), (&json!("wrong_code"), &json!(left)));
    }
    let gone = inside.confirm("phone", &code_of(&uri, 0));
    assert_eq!((&gone["type"], &gone["code"]), (&json!("refused"), &json!("not_pending")));
    assert_eq!(begins_with(&trial, "bob"), "skip");
}

#[test]
fn of_two_enrolments_at_once_the_later_secret_is_the_one_that_counts() {
    let trial = Trial::start();
    let (mut one, mut two) = (Inside::open(&trial, "alice"), Inside::open(&trial, "alice"));
    let first = one.provision("phone");
    let second = two.provision("phone");
    assert_eq!(one.confirm("phone", &code_of(&first, 0))["type"], "wrong_code");
    assert_eq!(two.confirm("phone", &code_of(&second, 0))["type"], "confirmed");
    assert_eq!(trial.verify("alice", &code_of(&second, 1))["type"], "accepted");
}

#[test]
fn a_token_that_counts_is_not_replaced_and_four_are_the_most() {
    let trial = Trial::start();
    let mut inside = Inside::open(&trial, "alice");
    for name in ["one", "two", "three", "four"] {
        let uri = inside.provision(name);
        assert_eq!(inside.confirm(name, &code_of(&uri, 0))["type"], "confirmed", "{name}");
    }
    for (name, reason) in
        [("one", "already"), ("five", "revoke one"), ("", "1 to 64"), ("a\nb", "1 to 64")]
    {
        let answer = inside.say(&json!({"type": "provision", "name": name, "moving": "totp"}));
        assert_eq!(answer["type"], "refused", "{name}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains(reason), "{answer}");
    }
    let revoke = json!({"type": "revoke", "user": "alice", "name": "two"});
    assert_eq!(trial.ask(revoke.clone())["left"], 3);
    assert_eq!(trial.ask(revoke)["code"], "conflict");
    let uri = inside.provision("five");
    assert_eq!(inside.confirm("five", &code_of(&uri, 0))["type"], "confirmed");
}

#[test]
fn revoking_the_last_token_that_counts_ends_its_recovery_codes_and_pending_tokens() {
    let trial = Trial::start();
    let mut inside = Inside::open(&trial, "alice");
    let uri = inside.provision("one");
    let confirmed = inside.confirm("one", &code_of(&uri, 0));
    let recovery = confirmed["recovery_codes"][0].as_str().unwrap().to_owned();
    inside.provision("two");
    let revoked = trial.ask(json!({"type": "revoke", "user": "alice", "name": "one"}));
    assert_eq!(revoked["left"], 0);
    let uri = inside.provision("three");
    let confirmed = inside.confirm("three", &code_of(&uri, 0));
    assert_eq!(confirmed["recovery_codes"].as_array().unwrap().len(), 10);
    assert_eq!(trial.verify("alice", &recovery)["type"], "wrong");
    let fresh = confirmed["recovery_codes"][0].as_str().unwrap().to_owned();
    assert_eq!(trial.verify("alice", &fresh)["type"], "accepted");
}

#[test]
fn an_abandoned_enrolment_keeps_nobody_out_of_an_import() {
    let trial = Trial::start();
    Inside::open(&trial, "alice").provision("phone");
    trial.add("alice");
    assert_eq!(begins_with(&trial, "alice"), "prompt");
    assert_eq!(trial.verify("alice", &trial::code(0))["type"], "accepted");
}

#[test]
fn flights_out_of_order_end_the_exchange() {
    let trial = Trial::start();
    let sealed = json!({"type": "sealed", "session": "AAAAAAAAAAAAAAAAAAAAAA==", "seq": 0,
        "ciphertext": "AAAAAAAAAAAAAAAAAAAAAA=="});
    let finish = json!({"type": "kex_finish", "session": "AAAAAAAAAAAAAAAAAAAAAA==",
        "client_confirm": "AAAAAAAAAAAAAAAAAAAAAA=="});
    assert_eq!(trial.ask(sealed.clone())["code"], "exchange");
    assert_eq!(trial.ask(finish)["code"], "exchange");

    // A second kex_init on one connection, and a message before kex_finish.
    let mut wire = trial.connect();
    let (finish, _) = offered(&mut wire, "alice");
    let hello = ClientExchange::start(&group(), &mut SysRng).unwrap().1;
    let again = wire.ask(init("alice", &group(), &hello.public, &hello.nonce));
    assert_eq!(again["code"], "exchange");
    assert_eq!(wire.ask(finish)["code"], "exchange", "the first exchange lives on");
    let mut wire = trial.connect();
    let (finish, _) = offered(&mut wire, "alice");
    assert_eq!(wire.ask(sealed)["code"], "exchange");
    assert_eq!(wire.ask(finish)["code"], "exchange");

    assert_eq!(Inside::open(&trial, "alice").provision("phone").account, "alice");
}

#[test]
fn wrong_confirms_recorded_flights_and_foreign_sessions_are_refused() {
    let trial = Trial::start();
    for confirm in [vec![], vec![0; 32], vec![0; 31], vec![0; 33]] {
        let mut wire = trial.connect();
        let (mut finish, _) = offered(&mut wire, "alice");
        finish["client_confirm"] = base64(&confirm);
        assert_eq!(wire.ask(finish)["code"], "exchange");
    }
    let mut wire = trial.connect();
    let (recorded, _) = offered(&mut wire, "alice");
    assert_eq!(wire.ask(recorded.clone())["type"], "kex_done");
    let mut other = trial.connect();
    offered(&mut other, "alice");
    assert_eq!(other.ask(recorded)["code"], "exchange");

    let mut inside = Inside::open(&trial, "alice");
    let outer = inside.sealed(&json!({"type": "provision", "name": "x", "moving": "totp"}));
    let mut foreign = Inside::open(&trial, "alice");
    assert_eq!(foreign.wire.ask(outer.clone())["code"], "exchange");
    assert_eq!(inside.wire.ask(outer.clone())["type"], "sealed");
    assert_eq!(inside.wire.ask(outer)["code"], "exchange", "a message was taken twice");
    assert_eq!(begins_with(&trial, "alice"), "skip");
}

#[test]
fn public_values_and_groups_that_are_not_safe_are_refused_before_use() {
    let trial = Trial::start();
    let group = group();
    let len = group.bytes();
    let number = |last: u8| {
        let mut value = vec![0; len];
        value[len - 1] = last;
        value
    };
    let mut p_minus_1 = group.p().to_vec();
    *p_minus_1.last_mut().unwrap() -= 1;
    for (public, what) in [
        (number(0), "0"),
        (number(1), "1"),
        (p_minus_1, "P-1"),
        (group.p().to_vec(), "P"),
        (vec![0xff; len], "more than P"),
        (number(5)[1..].to_vec(), "too short"),
        ([vec![0], number(4)].concat(), "too long"),
        (vec![], "nothing"),
    ] {
        let answer = trial.ask(init("alice", &group, &public, &[1; 32]));
        assert_eq!(answer["code"], "exchange", "{what}: {answer}");
    }
    let hello = ClientExchange::start(&group, &mut SysRng).unwrap().1;
    let answer = trial.ask(init("alice", &group, &hello.public, &[1; 31]));
    assert_eq!(answer["code"], "exchange", "a short nonce: {answer}");
    let other = Group::named("ffdhe3072").unwrap();
    let hello = ClientExchange::start(&other, &mut SysRng).unwrap().1;
    let answer = trial.ask(init("alice", &other, &hello.public, &hello.nonce));
    assert!(answer["message"].as_str().unwrap().contains("not the one that is offered"));
    assert_eq!(trial.ask(init("alice", &group, &number(4), &[1; 32]))["type"], "kex_reply");
}

#[test]
fn a_session_ends_with_its_time_or_its_number_of_messages() {
    let mut trial = Trial::prepare("[exchange]\ngroup = \"ffdhe2048\"\nrekey_messages = 4\n");
    trial.run();
    let mut inside = Inside::open(&trial, "alice");
    let uri = inside.provision("phone");
    assert_eq!(inside.confirm("phone", &wrong_for(&uri))["type"], "wrong_code");
    let late = inside.sealed(&json!({"type": "confirm", "name": "phone", "code": "000000"}));
    assert_eq!(inside.wire.ask(late)["code"], "exchange");
    let confirmed = Inside::open(&trial, "alice").confirm("phone", &code_of(&uri, 0));
    assert_eq!(confirmed["type"], "confirmed");
}
