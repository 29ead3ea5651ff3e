// SPDX-License-Identifier: GPL-3.0-or-later
//! A new master key while people log in, and killed at many moments of it: nobody is kept out, nothing
//! that is spent becomes fresh. The steps by themselves are in src/store/rekey.rs.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "this is test code outside of test functions"
)]

mod house;
mod trial;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use house::{House, NOBODY, Talk};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use trial::{Trial, code};

const BEGIN: &str = r#"{"type": "admin_rekey", "begin": true}"#;

fn begin() -> Value {
    serde_json::from_str(BEGIN).unwrap()
}

/// Has it go on, and waits for the end; a rekey that is interrupted has none.
fn finished(trial: &Trial) -> Value {
    let until = Instant::now() + Duration::from_secs(60);
    let mut wire = trial.connect();
    assert_eq!(wire.ask(begin())["type"], "rekey");
    loop {
        let state = wire.ask(json!({"type": "admin_rekey"}));
        assert_eq!(state["type"], "rekey", "{state}");
        if state["running"] == false {
            return state;
        }
        assert!(Instant::now() < until, "{state}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn user(n: usize) -> String {
    format!("user{n:05}")
}

fn add_many(trial: &Trial, count: usize) {
    let mut wire = trial.connect();
    assert_eq!(wire.ask(json!({"type": "admin_import_begin"}))["type"], "import_begun");
    for batch in (0..count).collect::<Vec<_>>().chunks(200) {
        let tokens: Vec<_> = batch
            .iter()
            .map(|n| {
                json!({"user": user(*n), "secret": "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=",
                    "algorithm": "SHA1", "digits": 6, "moving": {"factor": "totp", "period": 30}})
            })
            .collect();
        let staged = wire.ask(json!({"type": "admin_import", "tokens": tokens}));
        assert_eq!(staged["type"], "staged", "{staged}");
    }
    assert_eq!(wire.ask(json!({"type": "admin_import_commit"}))["added"], count);
}

/// The marks of the keys that rows need, and that of the key file.
fn marks(trial: &Trial) -> (Vec<Vec<u8>>, Vec<u8>) {
    let database = rusqlite::Connection::open(trial.path("state/mfa.db")).unwrap();
    let mut marks = database.prepare("SELECT DISTINCT substr(sealed, 1, 8) FROM user").unwrap();
    let marks = marks.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let key: [u8; 32] = fs::read(trial.path("state/master.key")).unwrap().try_into().unwrap();
    let key = mfa_crypto::MasterKey::from_bytes(zeroize::Zeroizing::new(key));
    (marks, key.id()[..8].to_vec())
}

#[test]
fn killed_at_many_moments_of_a_rekey_nobody_is_kept_out_and_no_code_opens_twice() {
    const USERS: usize = 3000;
    let mut trial = Trial::start();
    add_many(&trial, USERS);
    let old = fs::read(trial.path("state/master.key")).unwrap();
    let mut spent = Vec::new();
    let mut interrupted = 0;
    for round in 0..12_u64 {
        let state = trial.ask(begin());
        assert_eq!(state["type"], "rekey", "{state}");
        let until = Instant::now() + Duration::from_millis(3 + 9 * round);
        while Instant::now() < until {
            // Users from both ends: some are sealed anew already, some are not.
            let n = if spent.len() % 2 == 0 { spent.len() } else { USERS - spent.len() };
            assert_eq!(trial.verify(&user(n), &code(1))["type"], "accepted", "{n}");
            spent.push(n);
        }
        interrupted += usize::from(trial.ask(json!({"type": "admin_rekey"}))["running"] == true);
        trial.end(Signal::SIGKILL);
        trial.run();
    }
    assert!(interrupted >= 2, "{interrupted} of 12 were under way");
    let state = finished(&trial);
    assert_eq!((&state["damaged"], state.get("interrupted")), (&json!(0), None), "{state}");
    assert_ne!(fs::read(trial.path("state/master.key")).unwrap(), old);
    assert!(!trial.path("state/master.key.next").exists());
    trial.end(Signal::SIGTERM);
    let (rows, file) = marks(&trial);
    assert_eq!(rows, [file]);

    trial.run();
    for n in 0..USERS {
        // The step may have moved on since: a code of before is spent where a later one was.
        let (shown, is_spent) =
            if spent.contains(&n) { (code(-1), true) } else { (code(1), false) };
        let answer = trial.verify(&user(n), &shown);
        assert_eq!(answer["type"] != "accepted", is_spent, "{n}: {answer}");
    }
}

#[test]
fn codes_of_every_kind_and_an_enrolment_under_way_outlive_a_new_key() {
    let house = House::new("");
    let mut talk = Talk::open(house.connect(), "alice", "enroll").unwrap();
    let phone = talk.provision("phone");
    let confirmed = talk.confirm("phone", &house::code(&phone));
    let recovery = confirmed["recovery_codes"][0].as_str().unwrap().to_owned();
    let bypass = json!({"type": "admin_bypass", "user": "alice", "seconds": 600, "uses": 1});
    let bypass = house.ask(bypass)["code"].as_str().unwrap().to_owned();
    house::pass(30);
    let mut talk = Talk::open(house.connect(), "bob", "enroll").unwrap();
    let waiting = talk.provision("phone");
    let before = fs::read(house.home.path().join("master.key")).unwrap();

    for who in ["the admin's group is not enough", "nor is nobody"] {
        let refused = house.caller(NOBODY.1).ask(begin());
        assert_eq!(refused["code"], "not_permitted", "{who}");
    }
    assert_eq!(house.ask(json!({"type": "admin_rekey"}))["total"], 0, "nothing was begun");
    let rekey = |house: &House| {
        let mut state = house.ask(begin());
        while state["running"] == true {
            state = house.ask(json!({"type": "admin_rekey"}));
        }
        assert_eq!((&state["damaged"], state.get("interrupted")), (&json!(0), None), "{state}");
        fs::read(house.home.path().join("master.key")).unwrap()
    };
    let once = rekey(&house);
    assert_ne!(once, before);
    // Sealed under the first key, and that is one behind by now.
    assert_ne!(rekey(&house), once);
    assert_eq!(talk.confirm("phone", &house::code(&waiting))["type"], "confirmed");
    let house = House::on(house.end(), "");
    for code in [&house::code(&phone), &recovery, &bypass] {
        assert_eq!(house.verify("alice", code), "accepted", "{code}");
        assert_ne!(house.verify("alice", code), "accepted", "{code}");
    }
    house::pass(30);
    assert_eq!(house.verify("bob", &house::code(&waiting)), "accepted");
    let trail = house.ask(json!({"type": "admin_audit", "limit": 200}));
    let acts = trail["events"].as_array().unwrap().iter().filter(|event| event["act"] == "rekey");
    let acts: Vec<_> = acts.map(|event| (&event["reason"], &event["warning"])).collect();
    let expected = ["begun", "completed", "begun", "completed"].map(|reason| json!(reason));
    assert_eq!(acts, expected.iter().map(|reason| (reason, &json!(true))).collect::<Vec<_>>());
}

#[test]
fn a_new_credential_beside_the_old_one_takes_its_place() {
    let mut trial = Trial::prepare("");
    let written = fs::read_to_string(trial.path("mfa.toml")).unwrap();
    let file = format!("file = {:?}", trial.path("state/master.key"));
    let configure = |keys: &str| {
        fs::write(trial.path("mfa.toml"), written.replace(&file, keys)).unwrap();
    };
    let credentials = trial.path("credentials");
    fs::create_dir(&credentials).unwrap();
    let pass = |name: &str, byte: u8| {
        let path = credentials.join(name);
        fs::write(&path, [byte; 32]).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    };
    let environment: [(&str, &Path); 1] = [("CREDENTIALS_DIRECTORY", &credentials)];
    pass("one", 7);
    pass("two", 8);
    configure("credential = \"one\"");
    trial.run_with(&environment);
    add_many(&trial, 500);
    let refused = trial.ask(begin());
    assert_eq!(refused["code"], "conflict");
    assert!(refused["message"].as_str().unwrap().contains("old_credential"), "{refused}");
    trial.end(Signal::SIGTERM);

    fs::write(
        trial.path("mfa.toml"),
        written.replace(&file, "credential = \"two\"\nold_credential = \"one\""),
    )
    .unwrap();
    trial.run_with(&environment);
    assert_eq!(trial.verify(&user(499), &code(0))["type"], "accepted");
    let until = Instant::now() + Duration::from_secs(20);
    while !trial.log().contains("completed") {
        assert!(Instant::now() < until, "{}", trial.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    trial.end(Signal::SIGTERM);
    fs::remove_file(credentials.join("one")).unwrap();
    fs::write(trial.path("mfa.toml"), written.replace(&file, "credential = \"two\"")).unwrap();
    trial.run_with(&environment);
    assert_eq!(trial.verify(&user(499), &code(0))["type"], "replayed");
    assert_eq!(trial.verify(&user(3), &code(0))["type"], "accepted");
}
