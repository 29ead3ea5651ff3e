// SPDX-License-Identifier: GPL-3.0-or-later
//! Imports that count as a whole or not at all, whatever ends them, and exports that say what may be said.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "this is test code outside of test functions"
)]

mod house;

use house::{BEGIN, Caller, House, NOBODY, pass};
use mfa_daemon::policy::record::Factor;
use mfa_daemon::store::AuditQuery;
use serde_json::{Value, json};

/// The secret of RFC 4226, appendix D.
const SECRET: &str = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=";

fn token(user: &str) -> Value {
    json!({"user": user, "secret": SECRET, "algorithm": "SHA1", "digits": 6,
        "moving": {"factor": "hotp", "counter": 0}})
}

fn batch(users: &[&str]) -> Value {
    let tokens: Vec<_> = users.iter().map(|user| token(user)).collect();
    json!({"type": "admin_import", "tokens": tokens})
}

fn begin(house: &House) -> Caller<'_> {
    let mut caller = house.connect();
    assert_eq!(caller.ask(json!({"type": "admin_import_begin"}))["type"], "import_begun");
    caller
}

fn commit(caller: &mut Caller<'_>) -> Value {
    caller.ask(json!({"type": "admin_import_commit"}))
}

fn names(house: &House) -> Vec<String> {
    let listed = house.ask(json!({"type": "admin_list", "limit": 99}));
    let users = listed["users"].as_array().unwrap().iter();
    users.map(|user| user["user"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn nothing_of_an_import_counts_before_its_commit_and_all_of_it_after() {
    let house = House::new("");
    assert_eq!(house.ask(batch(&["known"]))["added"], 1);
    let mut caller = begin(&house);
    assert_eq!(caller.ask(batch(&["bob", "known"]))["type"], "staged");
    assert_eq!(caller.ask(batch(&["alice"]))["type"], "staged");
    assert_eq!(names(&house), ["known"]);
    assert_eq!(house.verify("alice", "755224"), "wrong");
    let done = commit(&mut caller);
    assert_eq!((&done["added"], &done["known"]), (&2.into(), &1.into()));
    assert_eq!(names(&house), ["alice", "bob", "known"]);
    // The wrong code was counted for a name without a token, and is no lock of the account's.
    assert_eq!(house.verify("alice", "755224"), "accepted");
    assert_eq!(house.verify("alice", "755224"), "wrong");
}

#[test]
fn an_import_whose_connection_ends_leaves_nobody_and_the_next_one_has_its_turn() {
    let house = House::new("");
    let mut caller = begin(&house);
    caller.ask(batch(&["alice", "bob"]));
    drop(caller);
    // It waits until the other one is cleared away.
    let mut caller = begin(&house);
    assert_eq!(names(&house), Vec::<String>::new());
    caller.ask(batch(&["bob"]));
    assert_eq!(commit(&mut caller)["added"], 1);
    assert_eq!(names(&house), ["bob"]);
}

#[test]
fn batches_behind_a_refused_one_do_not_become_imports_of_their_own() {
    let house = House::new("");
    let mut caller = begin(&house);
    assert_eq!(caller.ask(batch(&["alice"]))["type"], "staged");
    let mut bad = batch(&["bob"]);
    bad["tokens"][0]["digits"] = json!(9);
    assert_eq!(caller.ask(bad)["code"], "conflict");
    for _ in 0..2 {
        let refused = caller.ask(batch(&["carol"]));
        assert!(refused["message"].as_str().unwrap().contains("nothing of it counts"), "{refused}");
    }
    assert_eq!(commit(&mut caller)["code"], "conflict");
    assert_eq!(names(&house), Vec::<String>::new());
    // Nothing is under way any more: the same connection may begin again.
    assert_eq!(commit(&mut caller)["code"], "conflict");
    assert_eq!(caller.ask(json!({"type": "admin_import_begin"}))["type"], "import_begun");
    assert_eq!(caller.ask(json!({"type": "admin_import_begin"}))["code"], "conflict");
    caller.ask(batch(&["carol"]));
    assert_eq!(commit(&mut caller)["added"], 1);
    assert_eq!(names(&house), ["carol"]);
}

#[test]
fn a_user_whom_an_import_brings_twice_ends_it() {
    let house = House::new("");
    let mut caller = begin(&house);
    caller.ask(batch(&["alice"]));
    let again = caller.ask(batch(&["alice"]));
    // Told with this batch or a later one, at the latest with the commit.
    let end = if again["type"] == "staged" { commit(&mut caller) } else { again };
    assert!(
        end["message"].as_str().unwrap().contains("alice: stands in this import twice"),
        "{end}"
    );
    drop(caller);
    assert_eq!(house.ask(batch(&["bob"]))["added"], 1);
    assert_eq!(names(&house), ["bob"]);
}

#[test]
fn everything_that_a_user_brings_is_kept() {
    let house = House::new("");
    let mut import = batch(&["alice"]);
    import["tokens"][0]["name"] = json!("key");
    import["tokens"].as_array_mut().unwrap().push(json!({"user": "alice", "name": "phone",
        "secret": SECRET, "algorithm": "SHA256", "digits": 8, "created": 5, "last_used": 6,
        "moving": {"factor": "totp", "period": 60, "last_step": 7, "drift": -4}, "barred": [9, 8]}));
    import["accounts"] = json!([{"user": "alice", "scratch_codes": ["12345678", "87654321"],
        "failures": 2, "last_failure": {"at": BEGIN + 1_000_000, "from": "192.0.2.7"}}]);
    assert_eq!(house.ask(import)["added"], 1);
    let record = house.record("alice").unwrap();
    assert_eq!(record.tokens[0].name, "key");
    let phone = record.token("phone").unwrap();
    assert!(matches!(phone.factor, Factor::Totp { last_step: Some(7), drift: -4, .. }));
    assert_eq!((phone.created, phone.last_used), (5, Some(6)));
    let near = phone.near.as_ref().unwrap();
    assert_eq!((near.at, near.seen, &near.barred[..]), (8, None, &[9][..]));
    assert_eq!((record.lockout.failures, record.lockout.last_failure), (2, BEGIN));
    assert_eq!(record.recovery.len(), 2);

    assert_eq!(house.verify("alice", "12345678"), "accepted");
    assert_eq!(house.verify("alice", "12345678"), "wrong");
    assert_eq!(house.verify("alice", "755224"), "accepted");
    assert_eq!(house.verify("alice", "8765 4321"), "accepted");
    assert_eq!(house.record("alice").unwrap().recovery.len(), 0);
}

#[test]
fn what_cannot_be_is_refused_with_the_user_and_the_reason() {
    let house = House::new("");
    let with = |change: fn(&mut Value)| {
        let mut import = batch(&["alice"]);
        change(&mut import);
        house.ask(import)
    };
    for (change, reason) in [
        ((|i| i["tokens"][0]["name"] = json!("")) as fn(&mut Value), "alice: a token's name"),
        (|i| i["tokens"][0]["created"] = json!(1_u64 << 60), "alice: "),
        (|i| i["tokens"][0]["barred"] = json!(vec![1; 33]), "alice: 33 barred steps"),
        (|i| i["tokens"][0]["moving"] = json!({"factor": "totp", "period": 5}), "alice: a period"),
        (
            |i| i["tokens"][0]["moving"] = json!({"factor": "totp", "period": 30, "drift": 11}),
            "alice: the record has a drift",
        ),
        (|i| i["tokens"] = json!(vec![token("alice"); 2]), "alice: the record has two tokens"),
        (|i| i["tokens"] = json!(vec![token("alice"); 5]), "alice: the record has 5 tokens"),
        (|i| i["accounts"] = json!([{"user": "bob"}]), "bob: an account without a token"),
        (
            |i| i["accounts"] = json!([{"user": "alice", "scratch_codes": ["1234567"]}]),
            "alice: a scratch code has eight digits",
        ),
        (
            |i| {
                let codes: Vec<_> = (10_000_000..10_000_011).map(|n| n.to_string()).collect();
                i["accounts"] = json!([{"user": "alice", "scratch_codes": codes}]);
            },
            "alice: the record has 11 recovery codes",
        ),
    ] {
        let answer = with(change);
        assert!(answer["message"].as_str().unwrap().contains(reason), "{reason}: {answer}");
        assert!(!answer.to_string().contains("1000000"), "{answer}");
    }
    assert_eq!(names(&house), Vec::<String>::new());
    assert_eq!(with(|_| ())["added"], 1);
}

#[test]
fn a_dry_run_learns_who_has_a_token_and_nothing_else() {
    let house = House::new("");
    house.ask(batch(&["alice"]));
    house.ask(json!({"type": "admin_invite", "user": "invited", "seconds": 3600}));
    let asked = json!({"type": "admin_known", "users": ["nobody", "invited", "alice"]});
    assert_eq!(house.ask(asked.clone())["users"], json!(["alice"]));
    for request in [
        asked,
        batch(&["bob"]),
        json!({"type": "admin_import_begin"}),
        json!({"type": "admin_import_commit"}),
        json!({"type": "admin_export", "limit": 9}),
        json!({"type": "admin_export", "limit": 9, "secrets": true}),
    ] {
        let refused = house.caller(NOBODY.1).ask(request.clone());
        assert_eq!(refused["code"], "not_permitted", "{request}");
    }
}

#[test]
fn an_export_shows_no_secret_unless_it_is_asked_for_and_is_in_the_trail() {
    let house = House::new("");
    house.ask(batch(&["alice", "bob"]));
    assert_eq!(house.verify("bob", "755224"), "accepted");
    pass(5);
    let plain = house.ask(json!({"type": "admin_export", "limit": 9}));
    assert_eq!(
        plain["users"][1]["tokens"][0],
        json!({"name": "imported", "factor": "hotp",
        "algorithm": "SHA1", "digits": 6, "created": BEGIN, "last_used": BEGIN})
    );
    let full = house.ask(json!({"type": "admin_export", "limit": 9, "secrets": true}));
    assert_eq!(full["users"][1]["tokens"][0]["secret"], SECRET);
    assert_eq!(full["users"][1]["tokens"][0]["counter"], 1);
    let one = house.ask(json!({"type": "admin_export", "limit": 9, "user": "alice"}));
    assert_eq!(one["users"].as_array().unwrap().len(), 1);

    let events =
        house.daemon.store.events(&AuditQuery { limit: 99, ..AuditQuery::default() }).unwrap().0;
    let seen: Vec<_> = events
        .iter()
        .filter(|event| matches!(event.act.as_str(), "import" | "export"))
        .map(|event| (event.act.as_str(), event.warning, event.reason.as_deref()))
        .collect();
    let import = ("import", true, None);
    let (export, with_secrets) = (("export", false, None), ("export", true, Some("with_secrets")));
    assert_eq!(seen, [import, export, with_secrets, export]);
}

#[test]
fn pages_of_an_export_have_everybody_once() {
    let house = House::new("");
    let all: Vec<String> = (0..30).map(|n| format!("u{n:02}")).collect();
    house.ask(batch(&all.iter().map(String::as_str).collect::<Vec<_>>()));
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let mut request = json!({"type": "admin_export", "limit": 7});
        if !after.is_null() {
            request["after"] = after;
        }
        let page = house.ask(request);
        let users = page["users"].as_array().unwrap().iter().map(|user| user["user"].clone());
        seen.extend(users);
        after = seen.last().unwrap().clone();
        if page["more"] == false {
            break;
        }
    }
    assert_eq!(seen, all);
}
