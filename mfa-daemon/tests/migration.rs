// SPDX-License-Identifier: GPL-3.0-or-later
//! A database of schema 1 under this version: what counted counts, what was pending is gone, and a
//! start that fails leaves it as it was.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "this is test code outside of test functions"
)]

mod trial;

use nix::sys::signal::Signal;
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use trial::{Trial, code};

/// A database with the users of schema 1, and its daemon stopped.
///
/// `alice` has a token and has typed a wrong code, `bob` a token and a pending one, `carol` only a
/// pending one, and `dave` a row that is damaged.
fn of_schema_1() -> Trial {
    let mut trial = Trial::start();
    for user in ["alice", "bob", "carol", "dave"] {
        trial.add(user);
    }
    assert!(trial.end(Signal::SIGTERM).success());
    let database = open(&trial);
    let pending = json!({"pending": {"tries_left": 5}});
    for (user, states) in [
        ("alice", vec![json!("active")]),
        ("bob", vec![json!("active"), pending.clone()]),
        ("carol", vec![pending]),
        ("dave", vec![json!("sleeping")]),
    ] {
        let mut record = record(&database, user);
        let token = record["tokens"][0].clone();
        let tokens = states.into_iter().enumerate().map(|(n, state)| {
            let mut token = token.clone();
            token["state"] = state;
            if n > 0 {
                token["name"] = json!("pending");
            }
            token
        });
        record["tokens"] = tokens.collect();
        if user == "alice" {
            record["lockout"] = json!({"failures": 1, "last_failure": 1_700_000_000});
            record["recovery"] = json!(["AAAA"]);
        }
        put(&database, user, &record);
    }
    database.pragma_update(None, "user_version", 1).unwrap();
    trial
}

fn open(trial: &Trial) -> Connection {
    Connection::open(trial.path("state/mfa.db")).unwrap()
}

fn record(database: &Connection, user: &str) -> Value {
    let text: String = database
        .query_row("SELECT record FROM user WHERE name = ?1", [user], |row| row.get(0))
        .unwrap();
    serde_json::from_str(&text).unwrap()
}

fn put(database: &Connection, user: &str, record: &Value) {
    let change = "UPDATE user SET record = ?2 WHERE name = ?1";
    assert_eq!(database.execute(change, params![user, record.to_string()]).unwrap(), 1);
}

fn schema(database: &Connection) -> i64 {
    database.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

fn rows(database: &Connection) -> Vec<(String, String)> {
    let mut rows = database.prepare("SELECT name, record FROM user ORDER BY name").unwrap();
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

fn begins_with(trial: &Trial, user: &str) -> Value {
    let origin = json!({"service": "test"});
    trial.ask(json!({"type": "begin", "user": user, "origin": origin}))["type"].clone()
}

#[test]
fn tokens_of_schema_1_open_logins_and_what_was_pending_is_gone() {
    let mut trial = of_schema_1();
    trial.run();
    let database = open(&trial);
    assert_eq!(schema(&database), 2);
    let alice = record(&database, "alice");
    assert_eq!(alice["tokens"][0].get("state"), None);
    assert_eq!((&alice["lockout"]["failures"], &alice["recovery"]), (&json!(1), &json!(["AAAA"])));
    assert_eq!(record(&database, "bob")["tokens"].as_array().unwrap().len(), 1);
    let names: Vec<_> = rows(&database).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["alice", "bob", "dave"]);

    for user in ["alice", "bob"] {
        assert_eq!(begins_with(&trial, user), "prompt");
        // Too long for a code of theirs.
        assert_eq!(trial.verify(user, "12345678")["type"], "wrong");
        assert_eq!(trial.verify(user, &code(0))["type"], "accepted");
        assert_eq!(trial.verify(user, &code(0))["type"], "replayed");
    }
    assert_eq!(begins_with(&trial, "carol"), "skip");
    // A damaged row denies, as before, and keeps nobody else out.
    assert_eq!(begins_with(&trial, "dave"), "unavailable");
    assert_eq!(trial.verify("dave", &code(1))["type"], "unavailable");
    assert!(trial.log().contains("dave"), "{}", trial.log());

    let before = rows(&database);
    assert!(trial.end(Signal::SIGTERM).success());
    trial.run();
    assert_eq!(rows(&database), before, "a second start changed something");
}

#[test]
fn a_migration_that_fails_half_way_leaves_the_old_database_and_succeeds_later() {
    let mut trial = of_schema_1();
    let database = open(&trial);
    let before = rows(&database);
    // Alice's row, the first, can be written; bob's cannot.
    database
        .execute_batch(
            "CREATE TRIGGER broken BEFORE UPDATE ON user WHEN old.name = 'bob'
             BEGIN SELECT RAISE(ABORT, 'broken on purpose'); END",
        )
        .unwrap();
    assert!(trial.refusal().contains("broken on purpose"));
    assert_eq!((schema(&database), rows(&database)), (1, before));
    database.execute_batch("DROP TRIGGER broken").unwrap();
    trial.run();
    assert_eq!(schema(&database), 2);
    assert_eq!(trial.verify("bob", &code(0))["type"], "accepted");
}

#[test]
fn a_start_that_is_refused_for_its_key_leaves_the_old_schema() {
    let mut trial = of_schema_1();
    let (key, away) = (trial.path("state/master.key"), trial.path("away"));
    std::fs::rename(&key, &away).unwrap();
    assert!(trial.refusal().contains("master key"));
    let database = open(&trial);
    assert_eq!(schema(&database), 1);
    std::fs::rename(&away, &key).unwrap();
    trial.run();
    assert_eq!(schema(&database), 2);
}

#[test]
fn a_newer_schema_and_a_foreign_database_are_refused_untouched() {
    let mut trial = of_schema_1();
    let database = open(&trial);
    let before = rows(&database);
    for version in [3, 0, -1] {
        database.pragma_update(None, "user_version", version).unwrap();
        let refusal = trial.refusal();
        assert!(refusal.contains(&format!("schema {version}")), "{refusal}");
        assert_eq!(rows(&database), before);
    }
    database.pragma_update(None, "user_version", 1).unwrap();
    let ours: i64 = database.pragma_query_value(None, "application_id", |row| row.get(0)).unwrap();
    database.pragma_update(None, "application_id", 7).unwrap();
    assert!(trial.refusal().contains("schema 1"));
    assert_eq!(rows(&database), before);
    database.pragma_update(None, "application_id", ours).unwrap();
    trial.run();
    assert_eq!(trial.verify("alice", &code(0))["type"], "accepted");
}

#[test]
fn many_users_are_migrated_all() {
    let mut trial = of_schema_1();
    let mut database = open(&trial);
    let text = record(&database, "alice").to_string();
    let transaction = database.transaction().unwrap();
    for n in 0..1_234 {
        let insert = "INSERT INTO user (name, version, record) VALUES (?1, 0, ?2)";
        transaction.execute(insert, params![format!("user{n:04}"), text]).unwrap();
    }
    transaction.commit().unwrap();
    trial.run();
    let left = rows(&database).into_iter().filter(|(_, text)| text.contains("state")).count();
    assert_eq!((left, rows(&database).len()), (1, 1_237), "dave's alone is left as it was");
}
