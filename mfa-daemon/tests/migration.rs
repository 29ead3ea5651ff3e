// SPDX-License-Identifier: GPL-3.0-or-later
//! Databases of every released schema under this version: what counted counts, what was spent is spent,
//! what was pending is gone, and a start that fails leaves the old database as it was.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "this is test code outside of test functions"
)]

mod databases;
mod house;
mod trial;

use databases::{RELEASED, Released};
use house::{House, NOBODY, Talk, code, pass, set_clock};
use nix::sys::signal::Signal;
use rusqlite::Connection;
use serde_json::{Value, json};
use trial::Trial;

/// The schema of this version.
const CURRENT: i64 = 3;

fn housed(released: Released) -> House {
    let home = tempfile::tempdir().unwrap();
    released.put(home.path());
    set_clock(released.made() + 5);
    House::on(home, "")
}

fn tried(released: Released) -> Trial {
    let trial = Trial::prepare("[exchange]\ngroup = \"ffdhe2048\"\n");
    released.put(&trial.path("state"));
    trial
}

/// For a moment in which no daemon runs: it has its database for itself.
fn open(trial: &Trial) -> Connection {
    Connection::open(trial.path("state/mfa.db")).unwrap()
}

fn schema(database: &Connection) -> i64 {
    database.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

/// Every row as it stands, whatever the schema.
fn rows(database: &Connection) -> Vec<(String, i64, Vec<u8>)> {
    let content = if schema(database) < CURRENT { "CAST(record AS BLOB)" } else { "sealed" };
    let mut rows = database
        .prepare(&format!("SELECT name, version, {content} FROM user ORDER BY name"))
        .unwrap();
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

fn names(database: &Connection) -> Vec<String> {
    rows(database).into_iter().map(|(name, ..)| name).collect()
}

fn phone_opens(released: Released, trial: &Trial) {
    let phone = released.token("alice", "phone");
    let code = trial::code_of(&phone);
    assert_eq!(trial.verify("alice", &code)["type"], "accepted");
    assert_eq!(trial.verify("alice", &code)["type"], "replayed");
}

#[test]
fn tokens_of_every_released_version_go_on_and_what_was_spent_stays_spent() {
    for released in RELEASED {
        let house = housed(released);
        let (phone, key) = (released.token("alice", "phone"), released.token("alice", "key"));
        let imported = released.token("bob", "imported");
        assert_eq!(house.verify("alice", &code(&phone)), "replayed");
        assert_eq!(house.verify("bob", &code(&imported)), "replayed");
        // RFC 4226: the address has the first counter, and its code was the enrolment's.
        let counter = |n| mfa_crypto::hotp(&key.secret, key.algorithm, key.digits, n);
        assert_eq!(house.verify("alice", counter(0).as_str()), "wrong");
        assert_eq!(house.verify("alice", counter(2).as_str()), "accepted");
        assert_eq!(house.verify("alice", counter(1).as_str()), "wrong");
        pass(30);
        assert_eq!(house.verify("alice", &code(&phone)), "accepted");
        assert_eq!(house.verify("bob", &code(&imported)), "accepted");
        assert_eq!(house.verify("bob", &code(&imported)), "replayed");
    }
}

#[test]
fn locks_and_recovery_codes_of_every_released_version_survive() {
    for released in RELEASED {
        let house = housed(released);
        let status = |user: &str| house.ask(json!({"type": "status", "user": user}));
        assert_eq!(status("alice")["failures"], 2);
        assert_eq!(status("alice")["recovery_codes_left"], 9);
        let recovery = released.recovery("alice");
        assert_eq!(house.verify("alice", &recovery[0]), "wrong");
        assert_eq!(house.verify("alice", &recovery[1]), "accepted");
        assert_eq!(house.verify("alice", &recovery[1]), "wrong");

        let phone = released.token("erin", "phone");
        assert_eq!(status("erin")["failures"], 5);
        assert_eq!(house.verify("erin", &code(&phone)), "locked");
        assert_eq!(house.verify("erin", &released.recovery("erin")[0]), "locked");
        pass(30);
        assert_eq!(house.verify("erin", &code(&phone)), "accepted");
    }
}

#[test]
fn what_was_pending_is_gone_and_a_damaged_row_keeps_nobody_else_out() {
    for released in RELEASED {
        let house = housed(released);
        let begin = |user: &str| {
            let origin = json!({"service": "test"});
            house.ask(json!({"type": "begin", "user": user, "origin": origin}))["type"].clone()
        };
        assert_eq!(begin("carol"), "skip");
        assert_eq!(begin("dave"), "unavailable");
        pass(30);
        let (dave, alice) = (released.token("dave", "phone"), released.token("alice", "phone"));
        assert_eq!(house.verify("dave", &code(&dave)), "unavailable");
        assert_eq!(house.verify("alice", &code(&alice)), "accepted");
    }
}

#[test]
fn bypass_and_invite_codes_survive() {
    for released in RELEASED.into_iter().filter(|released| released.schema >= 2) {
        let house = House::on(housed(released).end(), "[token]\nenrollment = \"invite\"\n");
        let verify = |service: &str, code: &str| {
            house.ask(json!({"type": "verify", "user": "frank", "code": code,
                "origin": {"service": service}}))["type"]
                .clone()
        };
        let of_sshd = released.text("bypass_of_sshd");
        assert_eq!(verify("su", &of_sshd), "wrong");
        assert_eq!(verify("sshd", &of_sshd), "accepted");
        let twice = released.text("bypass");
        for answer in ["accepted", "accepted", "wrong"] {
            assert_eq!(verify("su", &twice), answer);
        }
        for (invite, answer) in [(twice, "refused"), (released.text("invite"), "provisioned")] {
            let mut talk = Talk::open(house.caller(NOBODY.1), NOBODY.0, "enroll").unwrap();
            let shown = json!({"type": "provision", "name": "phone", "moving": "totp",
                "invite": invite});
            assert_eq!(talk.say(&shown)["type"], answer);
        }
    }
}

#[test]
fn a_second_start_changes_nothing() {
    for released in RELEASED {
        let mut trial = tried(released);
        trial.run();
        phone_opens(released, &trial);
        assert!(trial.end(Signal::SIGTERM).success());
        let before = rows(&open(&trial));
        trial.run();
        assert!(trial.end(Signal::SIGTERM).success());
        assert_eq!(rows(&open(&trial)), before);
    }
}

#[test]
fn a_migration_that_fails_half_way_leaves_the_old_database_and_succeeds_later() {
    for released in RELEASED {
        let mut trial = tried(released);
        let database = open(&trial);
        let before = rows(&database);
        // What comes after the users cannot be made.
        database.execute_batch("CREATE TABLE audit (broken TEXT) STRICT").unwrap();
        drop(database);
        let refusal = trial.refusal();
        assert!(refusal.contains("audit already exists"), "{refusal}");
        let database = open(&trial);
        assert_eq!((schema(&database), rows(&database)), (released.schema, before));
        database.execute_batch("DROP TABLE audit").unwrap();
        drop(database);
        trial.run();
        phone_opens(released, &trial);
        trial.end(Signal::SIGTERM);
        assert_eq!(schema(&open(&trial)), CURRENT);
    }
}

#[test]
fn a_row_that_is_not_even_text_keeps_nobody_else_out() {
    for released in RELEASED {
        let mut trial = tried(released);
        let database = open(&trial);
        database
            .execute_batch("UPDATE user SET record = CAST(x'7bff7d' AS TEXT) WHERE name = 'bob'")
            .unwrap();
        drop(database);
        trial.run();
        assert_eq!(trial.verify("bob", "123456")["type"], "unavailable");
        phone_opens(released, &trial);
    }
}

#[test]
fn a_start_that_is_refused_for_its_key_leaves_the_old_schema() {
    for released in RELEASED {
        let mut trial = tried(released);
        let (key, away) = (trial.path("state/master.key"), trial.path("away"));
        std::fs::rename(&key, &away).unwrap();
        assert!(trial.refusal().contains("master key"));
        assert_eq!(schema(&open(&trial)), released.schema);
        std::fs::rename(&away, &key).unwrap();
        trial.run();
        phone_opens(released, &trial);
        trial.end(Signal::SIGTERM);
        assert_eq!(schema(&open(&trial)), CURRENT);
    }
}

#[test]
fn a_newer_schema_and_a_foreign_database_are_refused_untouched() {
    for released in RELEASED {
        let mut trial = tried(released);
        let before = rows(&open(&trial));
        let set = |name: &str, value: i64| open(&trial).pragma_update(None, name, value).unwrap();
        for version in [CURRENT + 1, 0, -1] {
            set("user_version", version);
            let refusal = trial.refusal();
            assert!(refusal.contains(&format!("schema {version}")), "{refusal}");
            set("user_version", released.schema);
            assert_eq!(rows(&open(&trial)), before);
        }
        let ours = |row: &rusqlite::Row| row.get(0);
        let ours = open(&trial).pragma_query_value(None, "application_id", ours).unwrap();
        set("application_id", 7);
        assert!(trial.refusal().contains(&format!("schema {}", released.schema)));
        assert_eq!(rows(&open(&trial)), before);
        set("application_id", ours);
        trial.run();
        phone_opens(released, &trial);
    }
}

#[test]
fn many_users_are_migrated_all() {
    for released in RELEASED {
        let mut trial = tried(released);
        let database = open(&trial);
        let kept = names(&database).into_iter().filter(|name| name != "carol").count();
        database
            .execute_batch(
                "WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 1233)
                 INSERT INTO user SELECT format('user%04d', n), 0, record FROM n
                 JOIN user ON name = 'alice'",
            )
            .unwrap();
        drop(database);
        trial.run();
        let status = trial.ask(json!({"type": "status", "user": "user0777"}));
        assert_eq!(status["tokens"].as_array().map(Vec::len), Some(2), "{status}");
        let page: Value = trial.ask(json!({"type": "admin_list", "limit": 3}));
        assert_eq!(page["users"][0]["tokens"].as_array().map(Vec::len), Some(2), "{page}");
        phone_opens(released, &trial);
        trial.end(Signal::SIGTERM);
        assert_eq!(names(&open(&trial)).len(), kept + 1_234);
    }
}

#[test]
fn a_start_that_fails_for_its_mark_costs_nobody_a_recovery_code() {
    for released in RELEASED {
        let mut trial = tried(released);
        std::fs::create_dir(trial.path("state/mfa.db.mark")).unwrap();
        assert!(trial.refusal().contains("generation mark"));
        assert_eq!(schema(&open(&trial)), released.schema, "it was migrated");
        std::fs::remove_dir(trial.path("state/mfa.db.mark")).unwrap();
        trial.run();
        let left =
            trial.ask(json!({"type": "status", "user": "alice"}))["recovery_codes_left"].clone();
        assert_eq!(left, released.recovery("alice").len() - 1);
        assert!(!trial.log().contains("put_back"));
    }
}

#[test]
fn a_guard_in_a_record_of_a_time_without_guards_is_not_believed() {
    let released = RELEASED[1];
    let mut trial = tried(released);
    let database = open(&trial);
    let claim =
        "UPDATE user SET record = json_set(record, '$.guard', 4294967295) WHERE name = 'alice'";
    assert_eq!(database.execute(claim, []).unwrap(), 1);
    drop(database);
    trial.run();
    trial.end(Signal::SIGTERM);
    // A database without its mark: everybody passes a guard.
    std::fs::remove_file(trial.path("state/mfa.db.mark")).unwrap();
    trial.run();
    let left =
        |user| trial.ask(json!({"type": "status", "user": user}))["recovery_codes_left"].clone();
    assert_eq!(left("alice"), 0);
}
