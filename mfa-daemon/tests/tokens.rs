// SPDX-License-Identifier: GPL-3.0-or-later
//! What a user may do about his own tokens and what it takes: rotation, recovery codes, invites,
//! enrolment inside a login, and the codes that an administrator makes.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "this is test code outside of test functions"
)]

mod house;

use house::{BEGIN, House, NOBODY, Talk, code, pass, wrong};
use mfa_crypto::{OtpUri, base32_decode};
use mfa_daemon::policy::record::Record;
use serde_json::{Value, json};

const STRANGER: u32 = 54_321;

fn own<'h>(house: &'h House, purpose: &str) -> Talk<'h> {
    Talk::open(house.caller(NOBODY.1), NOBODY.0, purpose).unwrap()
}

fn recovery_codes(answer: &Value) -> Vec<String> {
    let codes = answer["recovery_codes"].as_array().or(answer["codes"].as_array()).unwrap();
    codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect()
}

fn import(user: &str) -> Value {
    json!({"type": "admin_import", "tokens": [{"user": user,
        "secret": "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=", "algorithm": "SHA1", "digits": 6,
        "moving": {"factor": "totp", "period": 30}}]})
}

#[test]
fn a_rotated_token_opens_logins_until_the_new_secret_is_confirmed() {
    let house = House::new("");
    let old = house.enroll(NOBODY.0, "phone");
    let mut talk = own(&house, "rotate");
    assert_eq!(talk.say(&json!({"type": "rotate"}))["code"], "code_needed");
    assert_eq!(talk.say(&json!({"type": "rotate", "code": wrong(&old)}))["code"], "code_needed");
    let new = talk.provisioned(&json!({"type": "rotate", "code": code(&old)}));
    assert_ne!(new.secret.expose(), old.secret.expose());
    assert_eq!(talk.confirm("phone", &wrong(&new))["tries_left"], 4);

    pass(30);
    assert_eq!(house.verify(NOBODY.0, &code(&old)), "accepted", "break before make");
    assert_eq!(house.verify(NOBODY.0, &code(&new)), "wrong", "it counts unconfirmed");
    let confirmed = talk.confirm("phone", &code(&new));
    assert_eq!(confirmed, json!({"type": "confirmed", "recovery_codes": []}));
    pass(30);
    assert_eq!(house.verify(NOBODY.0, &code(&old)), "wrong", "the old secret lives on");
    assert_eq!(house.verify(NOBODY.0, &code(&new)), "accepted");
    let record = house.record(NOBODY.0).unwrap();
    assert_eq!((record.tokens.len(), record.recovery.len()), (1, 10));
}

#[test]
fn a_code_that_is_shown_for_a_request_leaves_the_wrong_ones_to_be_told_at_the_next_login() {
    let house = House::new("");
    let phone = house.enroll(NOBODY.0, "phone");
    assert_eq!(house.verify(NOBODY.0, &wrong(&phone)), "wrong");
    let request = json!({"type": "recovery_codes", "code": code(&phone)});
    assert_eq!(own(&house, "recovery_codes").say(&request)["type"], "recovery_codes");
    let log_in = || {
        pass(30);
        house.ask(json!({"type": "verify", "user": NOBODY.0, "code": code(&phone),
            "origin": {"service": "sshd"}}))
    };
    assert_eq!(log_in()["failures"], 1);
    assert_eq!(log_in()["failures"], 0);
}

#[test]
fn the_code_that_confirms_a_rotation_opens_no_login() {
    let house = House::new("");
    house.enroll("alice", "phone");
    let mut talk = Talk::open(house.connect(), "alice", "rotate").unwrap();
    let new = talk.provisioned(&json!({"type": "rotate", "name": "phone"}));
    assert_eq!(talk.confirm("phone", &code(&new))["type"], "confirmed");
    assert_eq!(house.verify("alice", &code(&new)), "replayed");
    pass(30);
    assert_eq!(house.verify("alice", &code(&new)), "accepted");
}

#[test]
fn of_several_tokens_the_one_to_rotate_is_named_and_the_others_stay() {
    let house = House::new("");
    let phone = house.enroll("alice", "phone");
    let mut talk = Talk::open(house.connect(), "alice", "enroll").unwrap();
    let key = talk.provisioned(&json!({"type": "provision", "name": "key", "moving": "hotp"}));
    assert_eq!(talk.confirm("key", &code(&key))["type"], "confirmed");

    let mut talk = Talk::open(house.connect(), "alice", "rotate").unwrap();
    let refused = talk.say(&json!({"type": "rotate"}));
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains("\"phone\"") && message.contains("\"key\""), "{message}");
    assert_eq!(talk.say(&json!({"type": "rotate", "name": "none"}))["code"], "conflict");
    let new = talk.provisioned(&json!({"type": "rotate", "name": "key"}));
    assert!(matches!(new.moving, mfa_crypto::Moving::Hotp { counter: 0 }));
    assert_eq!(talk.confirm("key", &code(&new))["type"], "confirmed");
    assert_eq!(house.verify("alice", &code(&phone)), "accepted");
    assert_eq!(house.record("alice").unwrap().tokens.len(), 2);
}

#[test]
fn a_rotation_of_a_token_that_was_revoked_or_rotated_meanwhile_comes_to_nothing() {
    let house = House::new("");
    house.enroll("alice", "phone");
    house.enroll("alice", "key");
    let mut talk = Talk::open(house.connect(), "alice", "rotate").unwrap();
    let late = talk.provisioned(&json!({"type": "rotate", "name": "phone"}));
    let revoke = json!({"type": "revoke", "user": "alice", "name": "phone"});
    assert_eq!(house.ask(revoke)["left"], 1);
    assert_eq!(talk.confirm("phone", &code(&late))["code"], "not_pending");
    assert_eq!(house.verify("alice", &code(&late)), "wrong");

    let new = talk.provisioned(&json!({"type": "rotate"}));
    assert_eq!(talk.confirm("key", &code(&new))["type"], "confirmed");
    assert_eq!(talk.confirm("key", &code(&new))["code"], "not_pending", "confirmed twice");
    let record = house.record("alice").unwrap();
    assert_eq!((record.tokens.len(), record.tokens[0].name.as_str()), (1, "key"));
}

#[test]
fn a_commit_that_fails_costs_no_enrolment_and_tells_no_success() {
    let house = House::new("");
    let mut talk = Talk::open(house.connect(), "alice", "enroll").unwrap();
    let uri = talk.provision("phone");
    let other = rusqlite::Connection::open(house.home.path().join("mfa.db")).unwrap();
    other
        .execute_batch(
            "CREATE TRIGGER full BEFORE INSERT ON user BEGIN SELECT RAISE(ABORT, 'full'); END",
        )
        .unwrap();
    assert_eq!(talk.confirm("phone", &code(&uri))["code"], "unavailable");
    assert!(house.record("alice").is_none());
    other.execute_batch("DROP TRIGGER full").unwrap();
    let confirmed = talk.confirm("phone", &code(&uri));
    assert_eq!(recovery_codes(&confirmed).len(), 10);
    pass(30);
    assert_eq!(house.verify("alice", &code(&uri)), "accepted");
}

#[test]
fn new_recovery_codes_void_the_old_ones_and_take_a_current_code() {
    let house = House::new("");
    let mut talk = own(&house, "enroll");
    let uri = talk.provision("phone");
    let first = recovery_codes(&talk.confirm("phone", &code(&uri)));
    pass(30);
    let mut talk = own(&house, "recovery_codes");
    for shown in [json!({}), json!({"code": wrong(&uri)})] {
        let mut request = shown;
        request["type"] = json!("recovery_codes");
        assert_eq!(talk.say(&request)["code"], "code_needed");
    }
    let answer = talk.say(&json!({"type": "recovery_codes", "code": code(&uri)}));
    let second = recovery_codes(&answer);
    assert_eq!((second.len(), house.record(NOBODY.0).unwrap().recovery.len()), (10, 10));
    assert_eq!(house.verify(NOBODY.0, &first[0]), "wrong");
    assert_eq!(house.verify(NOBODY.0, &second[0]), "accepted");

    let mut talk = Talk::open(house.connect(), "tokenless", "recovery_codes").unwrap();
    assert_eq!(talk.say(&json!({"type": "recovery_codes"}))["code"], "conflict");
    let mut talk = Talk::open(house.connect(), NOBODY.0, "recovery_codes").unwrap();
    assert_eq!(talk.say(&json!({"type": "recovery_codes"}))["type"], "recovery_codes");
}

#[test]
fn a_stranger_gets_no_session_for_another_user() {
    let house = House::new("");
    house.enroll(NOBODY.0, "phone");
    for purpose in ["enroll", "rotate", "recovery_codes"] {
        let refused = Talk::open(house.caller(STRANGER), NOBODY.0, purpose).err().unwrap();
        assert_eq!(refused["code"], "not_permitted", "{purpose}");
        assert!(Talk::open(house.caller(NOBODY.1), NOBODY.0, purpose).is_ok());
    }
}

#[test]
fn one_more_token_of_ones_own_takes_a_current_code() {
    let house = House::new("");
    let uri = house.enroll(NOBODY.0, "phone");
    let mut talk = own(&house, "enroll");
    let mut request = json!({"type": "provision", "name": "key", "moving": "totp"});
    assert_eq!(talk.say(&request)["code"], "code_needed");
    request["code"] = json!(code(&uri));
    let key = talk.provisioned(&request);
    assert_eq!(talk.confirm("key", &code(&key))["type"], "confirmed");
}

#[test]
fn a_revocation_ends_what_was_begun_with_a_code_of_that_token() {
    let house = House::new("");
    let uri = house.enroll(NOBODY.0, "phone");
    let mut talk = own(&house, "enroll");
    let key = talk.provisioned(
        &json!({"type": "provision", "name": "key", "moving": "totp", "code": code(&uri)}),
    );
    let revoke = json!({"type": "revoke", "user": NOBODY.0, "name": "phone"});
    assert_eq!(house.ask(revoke)["left"], 0);
    assert_eq!(talk.confirm("key", &code(&key))["code"], "not_pending");
    assert_eq!(house.record(NOBODY.0), None);
}

fn invite(house: &House, seconds: u64) -> String {
    let request = json!({"type": "admin_invite", "user": NOBODY.0, "seconds": seconds});
    let issued = house.ask(request);
    assert_eq!(issued["type"], "issued", "{issued}");
    issued["code"].as_str().unwrap().to_owned()
}

fn with_invite(code: &str) -> Value {
    json!({"type": "provision", "name": "phone", "moving": "totp", "invite": code})
}

#[test]
fn an_invite_allows_one_first_token_and_is_used_up_by_it() {
    let house = House::new("[token]\nenrollment = \"invite\"\n");
    let none = json!({"type": "provision", "name": "phone", "moving": "totp"});
    assert_eq!(own(&house, "enroll").say(&none)["code"], "invite_needed");
    let code_text = invite(&house, 3600);
    let mut talk = own(&house, "enroll");
    assert_eq!(talk.say(&none)["code"], "invite_needed");
    // Given up: the invite is still good.
    talk.provisioned(&with_invite(&code_text));
    let uri = own(&house, "enroll").provisioned(&with_invite(&code_text.to_lowercase()));
    assert!(house.record(NOBODY.0).unwrap().invite.is_some());
    assert_eq!(recovery_codes(&talk.confirm("phone", &code(&uri))).len(), 10);
    assert_eq!(house.record(NOBODY.0).unwrap().invite, None);

    let revoke = json!({"type": "revoke", "user": NOBODY.0, "name": "phone"});
    assert_eq!(house.ask(revoke)["left"], 0);
    let again = own(&house, "enroll").say(&with_invite(&code_text));
    assert_eq!(again["code"], "invite_needed", "an invite was used twice");
}

#[test]
fn an_invite_that_has_ended_allows_nothing_not_even_what_it_began() {
    let house = House::new("[token]\nenrollment = \"invite\"\nskew_steps = 1\n");
    let early = invite(&house, 60);
    let mut talk = own(&house, "enroll");
    let uri = talk.provisioned(&with_invite(&early));
    pass(59);
    assert_eq!(talk.say(&with_invite(&early))["type"], "provisioned");
    let uri_now = talk.provisioned(&with_invite(&early));
    drop(uri);
    pass(1);
    assert_eq!(talk.say(&with_invite(&early))["code"], "invite_needed");
    assert_eq!(talk.confirm("phone", &code(&uri_now))["code"], "conflict");
    let fresh = invite(&house, 60);
    let uri = talk.provisioned(&with_invite(&fresh));
    assert_eq!(talk.confirm("phone", &code(&uri))["type"], "confirmed");
}

#[test]
fn wrong_invites_are_counted_and_while_locked_none_is_evaluated() {
    let house = House::new("[token]\nenrollment = \"invite\"\n");
    // A code of the right form that is another user's.
    let request = json!({"type": "admin_invite", "user": "alice", "seconds": 3600});
    let of_alice = house.ask(request)["code"].as_str().unwrap().to_owned();
    let mut talk = own(&house, "enroll");
    for round in 0..2 {
        // First as a name without a record, then as one with an invite.
        let good = if round == 0 { of_alice.clone() } else { invite(&house, 3600) };
        for text in ["", "hello", "XXXX-XXXX-XXX"] {
            assert_eq!(talk.say(&with_invite(text))["code"], "invite_needed");
        }
        let failures = || house.record(NOBODY.0).map(|record| record.lockout.failures);
        assert_eq!(failures(), (round == 1).then_some(0), "what is no code was counted");
        for _ in 0..5 {
            assert_eq!(talk.say(&with_invite(&of_alice))["code"], "invite_needed");
        }
        assert_eq!(failures(), (round == 1).then_some(5));
        assert_eq!(
            talk.say(&with_invite(&good))["code"],
            "invite_needed",
            "evaluated while locked"
        );
        pass(30);
        if round == 1 {
            let uri = talk.provisioned(&with_invite(&good));
            assert_eq!(talk.confirm("phone", &code(&uri))["type"], "confirmed");
        }
        talk = own(&house, "enroll");
    }
}

#[test]
fn only_administrators_make_codes_and_only_in_their_ranges() {
    let house = House::new("");
    let bypass = |seconds: u64, uses: u32, service: Option<&str>| {
        let mut request =
            json!({"type": "admin_bypass", "user": "alice", "seconds": seconds, "uses": uses});
        if let Some(service) = service {
            request["service"] = json!(service);
        }
        request
    };
    let invite = |seconds: u64| json!({"type": "admin_invite", "user": "bob", "seconds": seconds});
    for refused in [
        bypass(59, 1, None),
        bypass(2_592_001, 1, None),
        bypass(60, 0, None),
        bypass(60, 101, None),
        bypass(60, 1, Some("")),
        bypass(60, 1, Some("a/b")),
        bypass(60, 1, Some(&"x".repeat(256))),
        invite(59),
        invite(2_592_001),
    ] {
        assert_eq!(house.ask(refused.clone())["code"], "conflict", "{refused}");
    }
    for good in [bypass(60, 100, Some("sshd")), bypass(2_592_000, 1, None), invite(2_592_000)] {
        for uid in [STRANGER, NOBODY.1] {
            assert_eq!(house.caller(uid).ask(good.clone())["code"], "not_permitted");
        }
        let issued = house.ask(good.clone());
        assert_eq!(issued["type"], "issued", "{issued}");
        assert_eq!(issued["until"], BEGIN + good["seconds"].as_u64().unwrap());
    }
    let record = house.record("alice").unwrap();
    let kept: Vec<_> =
        record.bypasses.iter().map(|it| (it.uses_left, it.service.as_deref())).collect();
    assert_eq!(kept, [(100, Some("sshd")), (1, None)]);
}

#[test]
fn four_bypass_codes_are_the_most_and_what_has_ended_makes_room() {
    let house = House::new("");
    let bypass = |seconds: u64| json!({"type": "admin_bypass", "user": "alice", "seconds": seconds, "uses": 1});
    for seconds in [60, 600, 600, 600] {
        assert_eq!(house.ask(bypass(seconds))["type"], "issued");
    }
    assert_eq!(house.ask(bypass(600))["code"], "conflict");
    pass(60);
    assert_eq!(house.ask(bypass(600))["type"], "issued");
    assert_eq!(house.record("alice").unwrap().bypasses.len(), Record::MAX_BYPASSES);
}

#[test]
fn an_import_adds_its_token_to_what_an_administrator_has_given() {
    let house = House::new("");
    for request in [
        json!({"type": "admin_bypass", "user": "alice", "seconds": 600, "uses": 2}),
        json!({"type": "admin_invite", "user": "alice", "seconds": 600}),
    ] {
        assert_eq!(house.ask(request)["type"], "issued");
    }
    let before = house.record("alice").unwrap();
    assert_eq!(
        house.ask(import("alice")),
        json!({"v": 1, "id": 41, "type": "imported",
        "added": 1, "known": 0})
    );
    let after = house.record("alice").unwrap();
    assert_eq!(after.tokens.len(), 1);
    assert_eq!((&after.bypasses, &after.invite), (&before.bypasses, &before.invite));
    assert_eq!(house.ask(import("alice"))["known"], 1);

    let refused = house.ask(json!({"type": "admin_invite", "user": "alice", "seconds": 600}));
    assert_eq!(refused["code"], "conflict", "an invite for somebody with a token");
    let revoke = json!({"type": "revoke", "user": "alice", "name": "imported"});
    assert_eq!(house.ask(revoke)["left"], 0);
    let left = house.record("alice").unwrap();
    assert_eq!((left.bypasses.len(), left.invite), (1, None));
}

fn login_provision(user: &str, proof: &Value) -> Value {
    json!({"type": "login_provision", "user": user, "origin": {"service": "sshd"}, "proof": proof})
}

fn login_confirm(user: &str, code: &str) -> Value {
    json!({"type": "login_confirm", "user": user, "origin": {"service": "sshd"},
        "token": "default", "code": code})
}

/// The token that an answer shows, read from its base32 text.
fn token_of(answer: &Value) -> OtpUri {
    assert_eq!(answer["type"], "login_provisioned", "{answer}");
    let secret = base32_decode(answer["secret"].as_str().unwrap()).unwrap();
    let moving =
        mfa_crypto::Moving::Totp { period: answer["period"].as_u64().unwrap().try_into().unwrap() };
    OtpUri {
        issuer: String::new(),
        account: String::new(),
        secret,
        algorithm: mfa_crypto::Algorithm::Sha1,
        digits: u8::try_from(answer["digits"].as_u64().unwrap()).unwrap().try_into().unwrap(),
        moving,
    }
}

#[test]
fn a_first_token_is_made_inside_a_login_for_root_alone() {
    let house = House::new("");
    let nothing = json!({"by": "nothing"});
    for uid in [NOBODY.1, STRANGER] {
        for request in [login_provision(NOBODY.0, &nothing), login_confirm(NOBODY.0, "000000")] {
            assert_eq!(house.caller(uid).ask(request)["code"], "not_permitted");
        }
    }
    let answer = house.ask(login_provision(NOBODY.0, &nothing));
    let token = token_of(&answer);
    assert_eq!(answer["token"], "default");
    assert!(answer["secret"].as_str().unwrap().split(' ').all(|group| group.len() == 4));
    let qr = answer["qr"].as_array().unwrap();
    let width = qr[0].as_str().unwrap().chars().count();
    assert_eq!(qr.len(), width.div_ceil(2));
    assert!(qr.iter().all(|line| line.as_str().unwrap().chars().count() == width));
    assert!(house.record(NOBODY.0).is_none(), "an abandoned attempt changes something");

    let wrong = house.ask(login_confirm(NOBODY.0, &wrong(&token)));
    assert_eq!((&wrong["type"], &wrong["tries_left"]), (&json!("wrong_code"), &json!(4)));
    let confirmed = house.ask(login_confirm(NOBODY.0, &code(&token)));
    assert_eq!(confirmed["type"], "login_confirmed");
    assert_eq!(recovery_codes(&confirmed).len(), 10);
    assert_eq!(house.verify(NOBODY.0, &code(&token)), "replayed");
    pass(30);
    assert_eq!(house.verify(NOBODY.0, &code(&token)), "accepted");
    let again = house.ask(login_provision(NOBODY.0, &nothing));
    assert_eq!(again["code"], "conflict", "a second token by no proof");
}

#[test]
fn a_login_gives_a_first_token_only_by_what_the_configuration_asks() {
    let by = |by: &str| json!({"by": by});
    let (nothing, this_login) = (by("nothing"), by("this_login"));
    let invited = |code: &str| json!({"by": "invite", "code": code});

    let house = House::new("[token]\nenrollment = \"admin\"\n");
    let code_text = invite(&house, 600);
    for proof in [&nothing, &invited(&code_text), &this_login] {
        let answer = house.ask(login_provision(NOBODY.0, proof));
        assert_eq!(answer["code"], "not_permitted", "{proof}");
    }
    let house = House::new("[token]\nenrollment = \"invite\"\n");
    let good = invite(&house, 600);
    for (proof, refusal) in [
        (&nothing, "invite_needed"),
        (&invited(&code_text), "invite_needed"),
        (&this_login, "conflict"),
        (&json!({"by": "code", "code": "123456"}), "conflict"),
    ] {
        assert_eq!(house.ask(login_provision(NOBODY.0, proof))["code"], refusal, "{proof}");
    }
    let token = token_of(&house.ask(login_provision(NOBODY.0, &invited(&good))));
    let confirmed = house.ask(login_confirm(NOBODY.0, &code(&token)));
    assert_eq!(confirmed["type"], "login_confirmed");
    let house = House::new("");
    assert_eq!(house.ask(login_provision(NOBODY.0, &this_login))["code"], "conflict");
    assert_eq!(house.ask(login_provision(NOBODY.0, &invited(&good)))["code"], "conflict");
    token_of(&house.ask(login_provision(NOBODY.0, &nothing)));
}

#[test]
fn a_token_that_is_too_old_is_rotated_inside_a_login_and_a_younger_one_is_not() {
    let house = House::new("[token]\nmax_age_days = 30\n");
    let old = house.enroll(NOBODY.0, "phone");
    let this_login = json!({"by": "this_login"});
    let by_code = |code: &str| json!({"by": "code", "code": code});
    assert_eq!(house.ask(login_provision(NOBODY.0, &this_login))["code"], "conflict", "too soon");
    pass(30 * 86_400);
    for proof in [json!({"by": "nothing"}), json!({"by": "invite", "code": "XXXX-XXXX-XXX"})] {
        assert_eq!(house.ask(login_provision(NOBODY.0, &proof))["code"], "conflict", "{proof}");
    }
    let refused = house.ask(login_provision(NOBODY.0, &by_code(&wrong(&old))));
    assert_eq!(refused["code"], "code_needed");
    assert_eq!(house.ask(login_provision(NOBODY.0, &this_login))["token"], "phone");

    let current = code(&old);
    let answer = house.ask(login_provision(NOBODY.0, &by_code(&current)));
    let new = token_of(&answer);
    assert_eq!(house.verify(NOBODY.0, &current), "replayed", "the code was not spent");
    pass(30);
    assert_eq!(house.verify(NOBODY.0, &code(&old)), "accepted", "break before make");
    let confirm = json!({"type": "login_confirm", "user": NOBODY.0,
        "origin": {"service": "sshd"}, "token": "phone", "code": code(&new)});
    let confirmed = house.ask(confirm);
    assert_eq!(confirmed["type"], "login_confirmed", "{confirmed}");
    assert_eq!(confirmed["recovery_codes"], json!([]));
    pass(30);
    assert_eq!(house.verify(NOBODY.0, &code(&old)), "wrong");
    assert_eq!(house.verify(NOBODY.0, &code(&new)), "accepted");
    assert_eq!(house.ask(login_provision(NOBODY.0, &this_login))["code"], "conflict", "again");
}

#[test]
fn one_first_code_that_comes_many_times_at_once_activates_once() {
    let house = House::new("");
    for round in 0..20 {
        let user = format!("user{round}");
        let token = token_of(&house.ask(login_provision(&user, &json!({"by": "nothing"}))));
        let answers = house.together(&vec![login_confirm(&user, &code(&token)); 16]);
        let confirmed = answers.iter().filter(|answer| answer["type"] == "login_confirmed").count();
        assert_eq!(confirmed, 1, "{answers:?}");
        assert_eq!(house.record(&user).unwrap().recovery.len(), 10);
    }
}

#[test]
fn where_only_administrators_enrol_a_user_gets_no_session_for_it() {
    let house = House::new("[token]\nenrollment = \"admin\"\n");
    let refused = Talk::open(house.caller(NOBODY.1), NOBODY.0, "enroll").err().unwrap();
    assert_eq!(refused["code"], "not_permitted");
    let uri = house.enroll(NOBODY.0, "phone");
    // Another one, with a code of the first, is the user's own affair.
    let request = json!({"type": "provision", "name": "key", "moving": "totp", "code": code(&uri)});
    assert_eq!(own(&house, "enroll").say(&request)["type"], "provisioned");
}

#[test]
fn no_code_and_no_secret_is_in_the_database_in_plain() {
    let house = House::new("[token]\nenrollment = \"invite\"\n");
    let invited = invite(&house, 600);
    let uri = own(&house, "enroll").provisioned(&with_invite(&invited));
    let confirmed = own(&house, "enroll").confirm("phone", &code(&uri));
    let request = json!({"type": "admin_bypass", "user": NOBODY.0, "seconds": 60, "uses": 1});
    let bypass = house.ask(request)["code"].as_str().unwrap().to_owned();
    let files = ["mfa.db", "mfa.db-wal"].map(|file| std::fs::read(house.home.path().join(file)));
    let disk: Vec<u8> = files.into_iter().flat_map(Result::unwrap).collect();
    let found = |text: &[u8]| disk.windows(text.len()).any(|window| window == text);
    assert!(found(NOBODY.0.as_bytes()), "the row itself is not found");
    for code in recovery_codes(&confirmed).iter().chain([&invited, &bypass]) {
        assert!(!found(code.as_bytes()) && !found(code.replace('-', "").as_bytes()));
    }
    assert!(!found(uri.secret.expose()));
    assert!(!found(mfa_crypto::base32(&uri.secret).as_bytes()));
}

#[test]
fn what_is_pending_is_on_no_disk() {
    let house = House::new("");
    let mut talk = Talk::open(house.connect(), "alice", "enroll").unwrap();
    let uri = talk.provision("phone");
    assert!(house.record("alice").is_none());
    let listed = house.ask(json!({"type": "admin_list", "limit": 10}));
    assert_eq!(listed["users"], json!([]));
    assert_eq!(talk.confirm("phone", &code(&uri))["type"], "confirmed");
    assert_eq!(house.record("alice").unwrap().tokens.len(), 1);
}
