// SPDX-License-Identifier: GPL-3.0-or-later
//! Rekey: the keys of a living session are replaced by a new exchange inside it, on the real socket.

mod house;

use house::{House, Talk, base64, code, pass};
use serde_json::json;

const SHORT: &str = "rekey_seconds = 10\nrekey_messages = 4\n";
const LONG: &str = "rekey_seconds = 100\nrekey_messages = 1000\n";

fn anything() -> serde_json::Value {
    json!({"type": "confirm", "name": "phone", "code": "000000"})
}

#[test]
fn a_key_that_has_carried_its_messages_takes_a_rekey_and_nothing_else() {
    let house = House::new(SHORT);
    let mut refused = Talk::open(house.connect(), "alice", "enroll").unwrap();
    let mut rekeyed = Talk::open(house.connect(), "alice", "enroll").unwrap();
    for talk in [&mut refused, &mut rekeyed] {
        assert_eq!(talk.say(&anything())["code"], "not_pending");
        assert_eq!(talk.say(&anything())["code"], "not_pending");
    }
    assert_eq!(refused.try_say(&anything()).unwrap_err()["code"], "exchange");
    assert_eq!(refused.try_say(&anything()).unwrap_err()["code"], "exchange", "it came back");

    rekeyed.rekey();
    assert_eq!((rekeyed.session.epoch(), rekeyed.session.messages()), (1, 0));
    let uri = rekeyed.provision("phone");
    assert_eq!(rekeyed.confirm("phone", &code(&uri))["type"], "confirmed");
    assert_eq!(rekeyed.try_say(&anything()).unwrap_err()["code"], "exchange");
}

#[test]
fn a_key_whose_time_is_over_takes_a_rekey_and_nothing_else() {
    let house = House::new(SHORT);
    let mut talk = Talk::open(house.connect(), "alice", "enroll").unwrap();
    pass(9);
    assert_eq!(talk.say(&anything())["code"], "not_pending");
    pass(1);
    let offered = talk.offer_rekey();
    assert_eq!(offered.reply["expires_in"], 10);
    let (new, confirm) = talk.agree(offered, "rekey").unwrap();
    // The new key's time runs from the first flight, as that of kex_init does.
    pass(5);
    let finish = json!({"type": "rekey_finish", "client_confirm": base64(&confirm)});
    assert_eq!(talk.say(&finish)["type"], "rekeyed");
    talk.session.replace(new).unwrap();
    pass(4);
    assert_eq!(talk.say(&anything())["code"], "not_pending");
    pass(1);
    assert_eq!(talk.try_say(&anything()).unwrap_err()["code"], "exchange");
}

#[test]
fn an_enrolment_goes_on_over_many_epochs() {
    let house = House::new(LONG);
    let mut talk = Talk::open(house.connect(), "alice", "enroll").unwrap();
    talk.rekey();
    let uri = talk.provision("phone");
    for epoch in 2..12 {
        pass(100);
        talk.rekey();
        assert_eq!(talk.session.epoch(), epoch);
        // The pending token has a time of its own, 900 s.
        if epoch < 10 {
            let answer = talk.confirm("none", "000000");
            assert_eq!(answer["code"], "not_pending", "{answer}");
        }
        if epoch == 6 {
            assert_eq!(talk.confirm("phone", &code(&uri))["type"], "confirmed");
        }
    }
    assert_eq!(house.verify("alice", &code(&uri)), "accepted");
}

#[test]
fn a_pending_token_is_gone_after_its_time_however_fresh_the_key() {
    let house = House::new("rekey_seconds = 1000\n");
    let mut talk = Talk::open(house.connect(), "alice", "enroll").unwrap();
    let uri = talk.provision("phone");
    pass(899);
    assert_eq!(talk.confirm("phone", "000000")["tries_left"], 4);
    pass(1);
    talk.rekey();
    assert_eq!(talk.confirm("phone", &code(&uri))["code"], "not_pending");
    let uri = talk.provision("phone");
    assert_eq!(talk.confirm("phone", &code(&uri))["type"], "confirmed");
}

#[test]
fn the_old_key_is_dead_after_a_rekey() {
    let house = House::new(LONG);
    let mut talk = Talk::open(house.connect(), "alice", "enroll").unwrap();
    let offered = talk.offer_rekey();
    let (_new, confirm) = talk.agree(offered, "rekey").unwrap();
    let finish = json!({"type": "rekey_finish", "client_confirm": base64(&confirm)});
    assert_eq!(talk.say(&finish)["type"], "rekeyed");
    // The client goes on under the old key.
    assert_eq!(talk.try_say(&anything()).unwrap_err()["code"], "exchange");

    let mut talk = Talk::open(house.connect(), "alice", "enroll").unwrap();
    talk.rekey();
    assert_eq!(talk.say(&anything())["code"], "not_pending");
}

#[test]
fn a_wrong_confirm_ends_the_session() {
    let house = House::new(LONG);
    for wrong in [vec![], vec![0; 31], vec![0; 32], vec![0; 33]] {
        let mut talk = Talk::open(house.connect(), "alice", "enroll").unwrap();
        talk.offer_rekey();
        let finish = json!({"type": "rekey_finish", "client_confirm": base64(&wrong)});
        assert_eq!(talk.try_say(&finish).unwrap_err()["code"], "exchange");
        assert_eq!(talk.try_say(&anything()).unwrap_err()["code"], "exchange");
    }
    // Another exchange's is as wrong as any.
    let mut one = Talk::open(house.connect(), "alice", "enroll").unwrap();
    let mut two = Talk::open(house.connect(), "alice", "enroll").unwrap();
    let (of_one, of_two) = (one.offer_rekey(), two.offer_rekey());
    let (_, confirm) = one.agree(of_one, "rekey").unwrap();
    let finish = json!({"type": "rekey_finish", "client_confirm": base64(&confirm)});
    assert_eq!(two.try_say(&finish).unwrap_err()["code"], "exchange");
    assert_eq!(one.say(&finish)["type"], "rekeyed");
    drop(of_two);
}

#[test]
fn a_rekey_is_bound_to_its_own_purpose() {
    let house = House::new(LONG);
    let mut talk = Talk::open(house.connect(), "alice", "enroll").unwrap();
    let offered = talk.offer_rekey();
    assert!(talk.agree(offered, "enroll").is_err());
    let mut talk = Talk::open(house.connect(), "alice", "enroll").unwrap();
    let offered = talk.offer_rekey();
    assert!(talk.agree(offered, "rekey").is_ok());
}

#[test]
fn flights_of_a_rekey_out_of_order_end_the_session() {
    let house = House::new(LONG);
    let init = json!({"type": "rekey_init", "client_public": base64(&[4; 256]),
        "client_nonce": base64(&[1; 32])});
    let finish = json!({"type": "rekey_finish", "client_confirm": base64(&[0; 32])});
    let ended = |talk: &mut Talk<'_>| talk.try_say(&anything()).is_err();

    let mut talk = Talk::open(house.connect(), "alice", "enroll").unwrap();
    assert_eq!(talk.try_say(&finish).unwrap_err()["code"], "exchange", "no first flight");
    assert!(ended(&mut talk));
    for between in [&init, &anything()] {
        let mut talk = Talk::open(house.connect(), "alice", "enroll").unwrap();
        talk.offer_rekey();
        assert_eq!(talk.try_say(between).unwrap_err()["code"], "exchange", "{between}");
        assert!(ended(&mut talk));
    }
    // Values that are not safe, with the positive control in every test above.
    for (public, nonce) in
        [(vec![0; 256], vec![1; 32]), (vec![4; 255], vec![1; 32]), (vec![], vec![])]
    {
        let mut talk = Talk::open(house.connect(), "alice", "enroll").unwrap();
        let init = json!({"type": "rekey_init", "client_public": base64(&public),
            "client_nonce": base64(&nonce)});
        assert_eq!(talk.try_say(&init).unwrap_err()["code"], "exchange");
        assert!(ended(&mut talk));
    }
}

#[test]
fn a_session_serves_the_purpose_that_it_was_made_for() {
    let house = House::new(LONG);
    let uri = house.enroll("alice", "phone");
    let provision = json!({"type": "provision", "name": "key", "moving": "totp"});
    let rotate = json!({"type": "rotate"});
    let codes = json!({"type": "recovery_codes"});
    for (purpose, served, refused) in [
        ("enroll", &provision, [&rotate, &codes]),
        ("rotate", &rotate, [&provision, &codes]),
        ("recovery_codes", &codes, [&provision, &rotate]),
    ] {
        let mut talk = Talk::open(house.connect(), "alice", purpose).unwrap();
        for request in refused {
            let answer = talk.say(request);
            assert_eq!((&answer["type"], &answer["code"]), (&json!("refused"), &json!("conflict")));
        }
        talk.rekey();
        assert_ne!(talk.say(served)["type"], "refused", "{purpose}");
    }
    assert_eq!(house.verify("alice", &code(&uri)), "accepted");
}

#[test]
fn an_enrolment_kept_open_by_pings_outlives_neither_its_key_nor_its_pending_token() {
    let house = House::new(SHORT);
    let ping = json!({"type": "params"});
    let mut pinged = Talk::open(house.connect(), "alice", "enroll").unwrap();
    for _ in 0..10 {
        pass(1);
        assert_eq!(pinged.caller.ask(ping.clone())["type"], "params");
    }
    assert_eq!(pinged.try_say(&anything()).unwrap_err()["code"], "exchange");

    let house = House::new("rekey_seconds = 300\nrekey_messages = 1000\n");
    let mut in_time = Talk::open(house.connect(), "bob", "enroll").unwrap();
    let mut late = Talk::open(house.connect(), "carol", "enroll").unwrap();
    let uris = [&mut in_time, &mut late].map(|talk| talk.provision("phone"));
    for _ in 0..3 {
        pass(299);
        for talk in [&mut in_time, &mut late] {
            talk.rekey();
            assert_eq!(talk.caller.ask(ping.clone())["type"], "params");
        }
    }
    assert_eq!(in_time.confirm("phone", &code(&uris[0]))["type"], "confirmed");
    pass(3);
    assert_eq!(late.confirm("phone", &code(&uris[1]))["code"], "not_pending");
}
