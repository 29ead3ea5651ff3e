// SPDX-License-Identifier: GPL-3.0-or-later
//! The exchange and its session, against vectors that `vectors/check.py` computes with OpenSSL and
//! Python, and against everything that can be wrong with a flight.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "functions that tests share"
)]

mod scripted_rng;

use data_encoding::HEXLOWER;
use getrandom::SysRng;
use mfa_crypto::{
    Binding, ClientExchange, ClientHello, ExchangeError, Group, PublicValueError, ServerExchange,
    ServerReply, Session,
};
use num_bigint::BigUint;
use scripted_rng::ScriptedRng;
use serde_json::Value;

const ALICE: Binding<'static> = Binding { purpose: "enroll", user: "alice", uid: 1000 };
const SESSION: &[u8] = b"session";

fn hex(case: &Value, name: &str) -> Vec<u8> {
    HEXLOWER.decode(text(case, name).as_bytes()).unwrap()
}

fn text<'a>(case: &'a Value, name: &str) -> &'a str {
    case[name].as_str().unwrap_or_else(|| panic!("{name} of {}", case["name"]))
}

fn vectors() -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("vectors/exchange.json")).unwrap();
    file["exchanges"].as_array().unwrap().clone()
}

/// Runs the exchange of a vector with its exponents and nonces, checking every byte that is sent.
fn run(case: &Value) -> (Session, Session) {
    let group = match case["group"].as_str() {
        Some(name) => Group::named(name).unwrap(),
        None => Group::from_numbers(&hex(case, "p"), &hex(case, "g"), &mut SysRng).unwrap(),
    };
    assert_eq!(group.fingerprint().as_slice(), hex(case, "fingerprint"));
    let binding = Binding {
        purpose: text(case, "purpose"),
        user: text(case, "user"),
        uid: case["uid"].as_u64().unwrap().try_into().unwrap(),
    };
    let session = hex(case, "session");

    let mut rng = ScriptedRng::new(&[&hex(case, "client_exponent"), &hex(case, "client_nonce")]);
    let (client, hello) = ClientExchange::start(&group, &mut rng).unwrap();
    assert!(rng.is_used_up());
    assert_eq!(hello.public, hex(case, "client_public"), "{}", case["name"]);

    let mut rng = ScriptedRng::new(&[&hex(case, "server_exponent"), &hex(case, "server_nonce")]);
    let (server, reply) =
        ServerExchange::respond(&group, &binding, &hello.public, &hello.nonce, &session, &mut rng)
            .unwrap();
    assert!(rng.is_used_up());
    assert_eq!(reply.public, hex(case, "server_public"));
    assert_eq!(reply.confirm.as_slice(), hex(case, "server_confirm"));

    let (client, confirm) =
        client.finish(&binding, &reply.public, &reply.nonce, &reply.confirm, &session).unwrap();
    assert_eq!(confirm.as_slice(), hex(case, "client_confirm"));
    (client, server.finish(&confirm).unwrap())
}

fn check_messages(case: &Value, client: &mut Session, server: &mut Session) {
    for message in case["messages"].as_array().unwrap() {
        let plaintext = hex(message, "plaintext");
        let (from, to) = match text(message, "direction") {
            "c2s" => (&mut *client, &mut *server),
            _ => (&mut *server, &mut *client),
        };
        let sealed = from.seal(&plaintext).unwrap();
        assert_eq!(sealed.seq, message["seq"].as_u64().unwrap());
        assert_eq!(sealed.ciphertext, hex(message, "ciphertext"), "{}", case["name"]);
        assert_eq!(*to.open(sealed.seq, &sealed.ciphertext).unwrap(), plaintext);
    }
}

#[test]
fn exchanges_and_messages_are_those_of_the_vectors() {
    let cases = vectors();
    assert!(cases.len() >= 6);
    let mut ends: Option<(Session, Session)> = None;
    for case in &cases {
        let (client, server) = run(case);
        if case["epoch"] == 0 {
            ends = Some((client, server));
        } else {
            let (old_client, old_server) = ends.as_mut().unwrap();
            old_client.replace(client).unwrap();
            old_server.replace(server).unwrap();
        }
        let (client, server) = ends.as_mut().unwrap();
        assert_eq!(u64::from(client.epoch()), case["epoch"].as_u64().unwrap());
        check_messages(case, client, server);
    }
}

#[test]
fn the_vectors_have_a_shared_secret_and_a_public_value_with_a_leading_zero() {
    let cases = vectors();
    for name in ["z", "client_public"] {
        assert!(cases.iter().any(|case| hex(case, name)[0] == 0), "{name}");
    }
}

fn group() -> Group {
    Group::named("ffdhe2048").unwrap()
}

fn respond(hello: &ClientHello) -> Result<(ServerExchange, ServerReply), ExchangeError> {
    let (public, nonce) = (&hello.public, &hello.nonce);
    ServerExchange::respond(&group(), &ALICE, public, nonce, SESSION, &mut SysRng)
}

/// Every kind of value that is outside the subgroup, with what is wrong about it.
fn bad_public_values() -> Vec<(Vec<u8>, PublicValueError)> {
    let group = group();
    let p = BigUint::from_bytes_be(group.p());
    let sized = |number: BigUint| {
        let bytes = number.to_bytes_be();
        [vec![0; group.bytes().saturating_sub(bytes.len())], bytes].concat()
    };
    let length = |got| PublicValueError::Length { expected: 256, got };
    vec![
        (sized(0_u8.into()), PublicValueError::Range),
        (sized(1_u8.into()), PublicValueError::Range),
        (sized(&p - 1_u8), PublicValueError::Range),
        (sized(p.clone()), PublicValueError::Range),
        (sized(&p + 1_u8), PublicValueError::Range),
        (vec![0xff; 256], PublicValueError::Range),
        (sized(&p * 2_u8 - 1_u8), length(257)),
        // −2 is not a square because −1 is not: the order of p−2 is 2q.
        (sized(&p - 2_u8), PublicValueError::Subgroup),
        (sized(&p - 4_u8), PublicValueError::Subgroup),
        (Vec::new(), length(0)),
        (vec![2], length(1)),
        (sized(2_u8.into())[1..].to_vec(), length(255)),
        (vec![0xff; 65_536 / 8], length(8192)),
    ]
}

#[test]
fn a_bad_public_value_is_refused_by_the_server() {
    let (_, good) = ClientExchange::start(&group(), &mut SysRng).unwrap();
    assert!(respond(&good).is_ok());
    for (public, error) in bad_public_values() {
        let hello = ClientHello { public, nonce: good.nonce };
        assert_eq!(respond(&hello).err(), Some(ExchangeError::PublicValue(error)));
    }
}

#[test]
fn a_bad_public_value_is_refused_by_the_client() {
    let finish = |public: Option<&[u8]>| {
        let (client, hello) = ClientExchange::start(&group(), &mut SysRng).unwrap();
        let (_, reply) = respond(&hello).unwrap();
        let public = public.unwrap_or(&reply.public);
        client.finish(&ALICE, public, &reply.nonce, &reply.confirm, SESSION)
    };
    assert!(finish(None).is_ok());
    for (public, error) in bad_public_values() {
        assert_eq!(finish(Some(&public)).err(), Some(ExchangeError::PublicValue(error)));
    }
}

#[test]
fn a_nonce_of_another_length_is_refused_on_both_sides() {
    let (client, hello) = ClientExchange::start(&group(), &mut SysRng).unwrap();
    let (_, reply) = respond(&hello).unwrap();
    for got in [0, 31, 33] {
        let nonce = vec![7; got];
        let server =
            ServerExchange::respond(&group(), &ALICE, &hello.public, &nonce, SESSION, &mut SysRng);
        assert_eq!(server.err(), Some(ExchangeError::Nonce { got }));
    }
    let refused = client.finish(&ALICE, &reply.public, &[7; 31], &reply.confirm, SESSION);
    assert_eq!(refused.err(), Some(ExchangeError::Nonce { got: 31 }));
}

#[test]
fn a_changed_confirm_gives_no_session_on_either_side() {
    // The confirm as it is, a flipped bit, zeros, a missing byte, none, one too many.
    let changes: [fn(&mut Vec<u8>); 6] = [
        |_| (),
        |confirm| confirm[31] ^= 1,
        |confirm| confirm.fill(0),
        |confirm| confirm.truncate(31),
        Vec::clear,
        |confirm| confirm.push(0),
    ];
    for (place, change) in changes.into_iter().enumerate() {
        let (client, hello) = ClientExchange::start(&group(), &mut SysRng).unwrap();
        let (server, reply) = respond(&hello).unwrap();
        let mut confirm = reply.confirm.to_vec();
        change(&mut confirm);
        let finished = client.finish(&ALICE, &reply.public, &reply.nonce, &confirm, SESSION);
        let Ok((_, confirm)) = finished else {
            assert_ne!(place, 0);
            assert_eq!(finished.err(), Some(ExchangeError::Confirm));
            continue;
        };
        assert_eq!(place, 0);
        assert!(server.finish(&confirm).is_ok());
    }
    for (place, change) in changes.into_iter().enumerate() {
        let (client, hello) = ClientExchange::start(&group(), &mut SysRng).unwrap();
        let (server, reply) = respond(&hello).unwrap();
        let (_, confirm) =
            client.finish(&ALICE, &reply.public, &reply.nonce, &reply.confirm, SESSION).unwrap();
        let mut confirm = confirm.to_vec();
        change(&mut confirm);
        let expected = (place != 0).then_some(ExchangeError::Confirm);
        assert_eq!(server.finish(&confirm).err(), expected);
    }
}

#[test]
fn sides_that_differ_in_purpose_user_or_uid_do_not_agree() {
    let others = [
        (ALICE, None),
        (Binding { purpose: "rotate", ..ALICE }, Some(ExchangeError::Confirm)),
        (Binding { user: "bob", ..ALICE }, Some(ExchangeError::Confirm)),
        (Binding { uid: 1001, ..ALICE }, Some(ExchangeError::Confirm)),
        (Binding { purpose: "enrolla", user: "lice", uid: 1000 }, Some(ExchangeError::Confirm)),
    ];
    for (binding, error) in others {
        let (client, hello) = ClientExchange::start(&group(), &mut SysRng).unwrap();
        let (_, reply) = respond(&hello).unwrap();
        let finished =
            client.finish(&binding, &reply.public, &reply.nonce, &reply.confirm, SESSION);
        assert_eq!(finished.err(), error);
    }
}

#[test]
fn somebody_who_answers_in_the_servers_place_with_another_group_is_noticed() {
    let small = group();
    let (client, hello) =
        ClientExchange::start(&Group::named("ffdhe3072").unwrap(), &mut SysRng).unwrap();
    let refused =
        ServerExchange::respond(&small, &ALICE, &hello.public, &hello.nonce, SESSION, &mut SysRng);
    assert!(matches!(refused.err(), Some(ExchangeError::PublicValue(_))));
    let (_, other) = ClientExchange::start(&small, &mut SysRng).unwrap();
    let (_, reply) = respond(&other).unwrap();
    let refused = client.finish(&ALICE, &reply.public, &reply.nonce, &reply.confirm, SESSION);
    assert!(matches!(refused.err(), Some(ExchangeError::PublicValue(_))));
}

#[test]
fn a_group_of_the_same_size_put_in_between_fails_the_confirm() {
    let finish = |servers: &Group| {
        let (client, hello) = ClientExchange::start(&group(), &mut SysRng).unwrap();
        let (public, nonce) = (&hello.public, &hello.nonce);
        let (_, reply) =
            ServerExchange::respond(servers, &ALICE, public, nonce, SESSION, &mut SysRng).unwrap();
        client.finish(&ALICE, &reply.public, &reply.nonce, &reply.confirm, SESSION).err()
    };
    assert_eq!(finish(&group()), None);
    let other = Group::from_numbers(group().p(), &[4], &mut SysRng).unwrap();
    assert_eq!(finish(&other), Some(ExchangeError::Confirm));
}

#[test]
fn recorded_flights_do_not_make_a_second_session() {
    let (client, hello) = ClientExchange::start(&group(), &mut SysRng).unwrap();
    let (server, reply) = respond(&hello).unwrap();
    let (_, confirm) =
        client.finish(&ALICE, &reply.public, &reply.nonce, &reply.confirm, SESSION).unwrap();
    assert!(server.finish(&confirm).is_ok());
    let (again, second) = respond(&hello).unwrap();
    assert_ne!((second.public, second.nonce), (reply.public, reply.nonce));
    assert_eq!(again.finish(&confirm).err(), Some(ExchangeError::Confirm));
}

#[test]
fn every_exchange_has_values_of_its_own() {
    let mut seen = std::collections::HashSet::new();
    for _ in 0..50 {
        let (_, hello) = ClientExchange::start(&group(), &mut SysRng).unwrap();
        assert!(seen.insert(hello.public));
        assert!(seen.insert(hello.nonce.to_vec()));
    }
}

#[test]
fn failing_randomness_ends_the_exchange_on_both_sides() {
    let exponent = [1; 29];
    let enough = [exponent.as_slice(), &[7; 32]];
    let (_, hello) = ClientExchange::start(&group(), &mut ScriptedRng::new(&enough)).unwrap();
    for bytes in [0, 28, 29, 60] {
        let mut rng = ScriptedRng::new(&[&enough.concat()[..bytes]]);
        let started = ClientExchange::start(&group(), &mut rng);
        assert!(matches!(started.err(), Some(ExchangeError::Randomness(_))), "{bytes}");
        let mut rng = ScriptedRng::new(&[&enough.concat()[..bytes]]);
        let answered = ServerExchange::respond(
            &group(),
            &ALICE,
            &hello.public,
            &hello.nonce,
            SESSION,
            &mut rng,
        );
        assert!(matches!(answered.err(), Some(ExchangeError::Randomness(_))), "{bytes}");
    }
}

#[test]
fn randomness_of_zeros_is_noticed_before_anything_is_sent() {
    let mut zeros = ScriptedRng::new(&[&[0; 61]]);
    let started = ClientExchange::start(&group(), &mut zeros);
    assert_eq!(started.err(), Some(ExchangeError::OwnPublicValue(PublicValueError::Range)));
}

#[test]
fn bits_above_the_exponents_bound_are_left_out() {
    let start = |exponent: &[u8]| {
        let mut rng = ScriptedRng::new(&[exponent, &[7; 32]]);
        ClientExchange::start(&group(), &mut rng).unwrap().1.public
    };
    // 225 bits: of the first of 29 bytes, only the last bit counts.
    let (mut plain, mut more, mut top) = ([5; 29], [5; 29], [5; 29]);
    (plain[0], more[0], top[0]) = (0, 0xfe, 1);
    assert_eq!(start(&plain), start(&more));
    assert_ne!(start(&plain), start(&top));
}
