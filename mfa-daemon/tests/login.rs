// SPDX-License-Identifier: GPL-3.0-or-later
//! The edges of `begin`, `verify`, `account` and `explain`: what they answer where the store or the clock
//! fails, what an ordinary user gets, and that the shipped examples are valid.

#![expect(clippy::unwrap_used, reason = "this is test code outside of test functions")]

mod house;

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use house::{House, NOBODY, code, pass, set_clock, wrong};
use mfa_daemon::config::Config;
use mfa_daemon::daemon::CLOCK_FLOOR;
use serde_json::{Value, json};

/// A day long before any test.
const LONG_AGO: u64 = CLOCK_FLOOR - 86_400;

fn request(what: &str, user: &str, service: &str) -> Value {
    json!({"type": what, "user": user, "origin": {"service": service}})
}

fn kind(answer: &Value) -> &str {
    answer["type"].as_str().unwrap()
}

/// Makes the stored record of a user unreadable.
fn damage(house: &House, user: &str) {
    let database = rusqlite::Connection::open(house.home.path().join("mfa.db")).unwrap();
    let changed = database.execute("UPDATE user SET sealed = x'7b' WHERE name = ?1", [user]);
    assert_eq!(changed.unwrap(), 1);
}

/// What is logged meanwhile, on this test's own thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logged(work: impl FnOnce()) -> String {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, work);
    String::from_utf8(log.0.lock().unwrap().clone()).unwrap()
}

#[test]
fn whatever_a_code_is_spent_for_the_log_says_what_kind_it_was_and_never_the_code() {
    let house = House::new("");
    house.enroll(NOBODY.0, "phone");
    let bypass = json!({"type": "admin_bypass", "user": NOBODY.0, "seconds": 600, "uses": 2});
    let bypass = house.ask(bypass)["code"].as_str().unwrap().to_owned();
    let mut login = request("verify", NOBODY.0, "sshd");
    login["code"] = json!(bypass);
    let by_login = logged(|| assert_eq!(kind(&house.ask(login)), "accepted"));
    let revoke = json!({"type": "revoke", "user": NOBODY.0, "name": "phone", "code": bypass});
    let by_command = logged(|| {
        assert_eq!(kind(&house.caller(NOBODY.1).ask(revoke)), "revoked");
    });
    for (log, service) in [(by_login, "service=\"sshd\""), (by_command, "service=\"mfa\"")] {
        let line = log.lines().find(|line| line.contains("login accepted (bypass_code)"));
        assert!(line.is_some_and(|line| line.contains(service)), "{log}");
        assert!(!log.contains(&bypass), "{log}");
    }
}

#[test]
fn what_cannot_be_decided_is_denied_unless_the_rule_of_the_login_says_otherwise() {
    let house = House::new(
        "[[rule]]\nservices = [\"cockpit\"]\nunavailable = \"ignore\"\n\
         [[rule]]\nservices = [\"login\"]\nunavailable = \"deny\"\n",
    );
    let phone = house.enroll("alice", "phone");
    let mut verify = request("verify", "alice", "cockpit");
    verify["code"] = json!(code(&phone));
    assert_eq!(house.ask(verify.clone())["type"], "accepted");
    damage(&house, "alice");
    for what in ["begin", "account", "verify"] {
        for (service, ignore) in
            [("cockpit", json!(true)), ("login", Value::Null), ("sshd", Value::Null)]
        {
            let mut ask = request(what, "alice", service);
            if what == "verify" {
                ask["code"] = json!(code(&phone));
            }
            let answer = house.ask(ask);
            assert_eq!(kind(&answer), "unavailable", "{what} {service}: {answer}");
            assert_eq!(answer["ignore"], ignore, "{what} {service}");
        }
    }
}

#[test]
fn a_bypass_code_of_one_service_asks_nobody_at_another_who_has_no_token() {
    let house = House::new("");
    let made = json!({"type": "admin_bypass", "user": "alice", "seconds": 600, "uses": 1,
        "service": "sshd"});
    let code = house.ask(made)["code"].clone();
    assert_eq!(kind(&house.ask(request("begin", "alice", "sshd"))), "prompt");
    assert_eq!(house.ask(request("begin", "alice", "su"))["reason"], "no_token");
    for (service, answer) in [("su", "wrong"), ("sshd", "accepted"), ("sshd", "wrong")] {
        let mut verify = request("verify", "alice", service);
        verify["code"] = code.clone();
        assert_eq!(kind(&house.ask(verify)), answer, "{service}");
    }
    assert_eq!(house.ask(request("begin", "alice", "sshd"))["reason"], "no_token");
}

#[test]
fn an_exempt_login_needs_no_store() {
    let house = House::new("[[rule]]\nservices = [\"cron\"]\nexempt_until = 2027-02-01\n");
    house.enroll("alice", "phone");
    damage(&house, "alice");
    assert_eq!(house.ask(request("begin", "alice", "cron"))["reason"], "exempt");
    assert_eq!(house.ask(request("begin", "alice", "sshd"))["type"], "unavailable");
    assert_eq!(kind(&house.ask(request("account", "alice", "cron"))), "nothing_due");
    assert_eq!(kind(&house.ask(request("account", "alice", "sshd"))), "unavailable");
}

#[test]
fn an_observed_login_passes_where_nothing_can_be_decided() {
    let house = House::new("[[rule]]\nservices = [\"cockpit\"]\nobserve = true\n");
    let phone = house.enroll("alice", "phone");
    assert_eq!(house.ask(request("begin", "alice", "cockpit"))["observe"], true);
    damage(&house, "alice");
    for what in ["begin", "account", "verify"] {
        for (service, ignore) in [("cockpit", json!(true)), ("sshd", Value::Null)] {
            let mut ask = request(what, "alice", service);
            if what == "verify" {
                ask["code"] = json!(code(&phone));
            }
            let answer = house.ask(ask);
            if (what, service) == ("account", "cockpit") {
                assert_eq!(kind(&answer), "nothing_due");
                continue;
            }
            assert_eq!(kind(&answer), "unavailable", "{what} {service}: {answer}");
            assert_eq!(answer["ignore"], ignore, "{what} {service}");
        }
    }
}

#[test]
fn a_clock_that_is_set_back_brings_no_exemption_and_no_deadline_back() {
    let house = House::new(
        "[[rule]]\nservices = [\"cron\"]\nexempt_until = 2027-01-01\n\
         [[rule]]\nservices = [\"sshd\"]\nenroll_until = 2027-01-01\n",
    );
    let begin = |service| house.ask(request("begin", "bob", service));
    assert_eq!(kind(&begin("cron")), "skip");
    assert_eq!(begin("cron")["reason"], "no_token");
    assert_eq!(kind(&begin("sshd")), "prompt");
    set_clock(LONG_AGO);
    for service in ["cron", "sshd"] {
        assert_eq!(kind(&begin(service)), "unavailable", "{service}");
        let explained = house.ask(request("explain", "bob", service));
        assert_eq!(explained["code"], "unavailable", "{service}");
    }
    assert_eq!(begin("su")["reason"], "no_token");
}

#[test]
fn a_clock_before_the_release_denies_every_code() {
    let house = House::new("");
    let phone = house.enroll("alice", "phone");
    let now = house::now();
    set_clock(LONG_AGO);
    assert_eq!(house.verify("alice", &code(&phone)), "unavailable");
    assert_eq!(kind(&house.ask(request("account", "alice", "sshd"))), "unavailable");
    set_clock(now);
    assert_eq!(house.verify("alice", &code(&phone)), "accepted");
    assert_eq!(kind(&house.ask(request("account", "alice", "sshd"))), "nothing_due");
}

#[test]
fn the_prompt_names_the_fewest_digits_of_the_users_codes() {
    let house = House::new("[token]\ndigits = 8\n");
    assert_eq!(house.ask(request("begin", "alice", "sshd"))["digits"], 8);
    let secret = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=";
    let imported = house.ask(json!({"type": "admin_import", "tokens": [{
        "user": "alice", "secret": secret, "algorithm": "SHA1", "digits": 6,
        "moving": {"factor": "totp", "period": 30}}]}));
    assert_eq!(kind(&imported), "imported");
    assert_eq!(house.ask(request("begin", "alice", "sshd"))["digits"], 6);
    let phone = house.enroll("alice", "phone");
    assert_eq!(house.verify("alice", &code(&phone)), "accepted");
    assert_eq!(house.ask(request("begin", "alice", "sshd"))["digits"], 6);
    house.ask(json!({"type": "revoke", "user": "alice", "name": "imported"}));
    assert_eq!(house.ask(request("begin", "alice", "sshd"))["digits"], 8);
}

#[test]
fn nothing_is_due_for_a_screen_locker_and_others_are_refused() {
    let house = House::new("[token]\nmax_age_days = 1\n");
    let account = request("account", NOBODY.0, "xscreensaver");
    assert_eq!(kind(&house.ask(account.clone())), "enrollment_due");
    assert_eq!(kind(&house.caller(NOBODY.1).ask(account.clone())), "nothing_due");
    house.enroll(NOBODY.0, "phone");
    pass(86_400);
    assert_eq!(kind(&house.ask(account.clone())), "rotation_due");
    assert_eq!(kind(&house.caller(NOBODY.1).ask(account)), "nothing_due");
    for what in ["account", "begin"] {
        let ask = request(what, NOBODY.0, "xscreensaver");
        assert_eq!(house.caller(54_321).ask(ask)["code"], "not_permitted", "{what}");
    }
}

#[test]
fn neither_the_exempt_nor_the_observed_are_asked_to_rotate() {
    let house = House::new(
        "[token]\nmax_age_days = 1\n\
         [[rule]]\nservices = [\"cron\"]\nexempt_until = 2027-02-01\n\
         [[rule]]\nservices = [\"su\"]\nobserve = true\n",
    );
    house.enroll("alice", "phone");
    pass(86_400);
    for (service, due) in [("cron", "nothing_due"), ("su", "nothing_due"), ("sshd", "rotation_due")]
    {
        assert_eq!(kind(&house.ask(request("account", "alice", service))), due, "{service}");
    }
}

#[test]
fn explain_tells_what_the_login_program_would_get_whoever_asks() {
    let house =
        House::new("[[rule]]\nname = \"office\"\ngrace_seconds = 60\ngrace_for = [\"host\"]\n");
    let phone = house.enroll(NOBODY.0, "phone");
    let origin = json!({"service": "sshd", "rhost": "192.0.2.1"});
    let explain = json!({"type": "explain", "user": NOBODY.0, "origin": origin});
    let told = house.caller(NOBODY.1).ask(explain.clone());
    assert_eq!(told["outcome"], json!({"is": "prompt"}));
    assert_eq!((&told["grace_seconds"], &told["grace_for"]), (&json!(60), &json!(["host"])));
    let verify =
        json!({"type": "verify", "user": NOBODY.0, "origin": origin, "code": code(&phone)});
    assert_eq!(house.ask(verify)["type"], "accepted");
    let told = house.caller(NOBODY.1).ask(explain.clone());
    assert_eq!(told["outcome"], json!({"is": "granted"}));
    assert_eq!(told["rule"]["name"], "office");
    pass(60);
    assert_eq!(house.ask(explain)["outcome"], json!({"is": "prompt"}));
}

#[test]
fn logins_without_a_remote_host_share_no_grace_by_host() {
    let house = House::new("[[rule]]\ngrace_seconds = 60\ngrace_for = [\"host\"]\n");
    let phone = house.enroll("alice", "phone");
    for (rhost, then) in [(json!(""), "prompt"), (Value::Null, "prompt"), (json!("h"), "granted")] {
        let origin = json!({"service": "login", "rhost": rhost});
        let mut ask = json!({"type": "verify", "user": "alice", "origin": origin});
        ask["code"] = json!(code(&phone));
        assert_eq!(house.ask(ask)["type"], "accepted");
        let begin = json!({"type": "begin", "user": "alice", "origin": origin});
        assert_eq!(house.ask(begin)["type"], then, "{rhost}");
        pass(30);
    }
}

#[test]
fn where_the_rule_is_taken_away_its_grace_is_void() {
    let house =
        House::new("[[rule]]\nservices = [\"sudo\"]\ngrace_seconds = 60\ngrace_for = [\"host\"]\n");
    let phone = house.enroll("alice", "phone");
    let origin = |service: &str| json!({"service": service, "rhost": "h"});
    let ask = |what: &str, service: &str, code: Option<String>| {
        let mut ask = json!({"type": what, "user": "alice", "origin": origin(service)});
        if let Some(code) = code {
            ask["code"] = json!(code);
        }
        kind(&house.ask(ask)).to_owned()
    };
    assert_eq!(ask("verify", "su", Some(code(&phone))), "accepted");
    assert_eq!(ask("begin", "su", None), "prompt", "no rule, no grace");
    pass(30);
    assert_eq!(ask("verify", "sudo", Some(code(&phone))), "accepted");
    assert_eq!(ask("begin", "sudo", None), "granted");
}

#[test]
fn few_recovery_codes_are_told_and_many_are_not() {
    let house = House::new("");
    let mut talk = house::Talk::open(house.connect(), "alice", "enroll").unwrap();
    let phone = talk.provision("phone");
    let confirmed = talk.confirm("phone", &code(&phone));
    let recovery: Vec<_> = confirmed["recovery_codes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c.as_str().unwrap())
        .collect();
    let accepted = |typed: &str| {
        let mut verify = request("verify", "alice", "sshd");
        verify["code"] = json!(typed);
        let answer = house.ask(verify);
        assert_eq!(kind(&answer), "accepted", "{answer}");
        answer["recovery_codes_left"].clone()
    };
    pass(30);
    assert_eq!(accepted(&code(&phone)), Value::Null);
    for (used, recovery) in recovery.iter().take(6).enumerate() {
        assert_eq!(accepted(recovery), 9 - used);
    }
    pass(30);
    assert_eq!(accepted(&code(&phone)), Value::Null, "four are left");
    assert_eq!(accepted(recovery.get(6).unwrap()), 3);
    pass(30);
    assert_eq!(accepted(&code(&phone)), 3);
    assert_eq!(house.verify("alice", &wrong(&phone)), "wrong");
}

#[test]
fn the_examples_of_the_shipped_configuration_are_valid() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/mfa.toml");
    let shipped = std::fs::read_to_string(&path).unwrap();
    assert!(Config::parse(&shipped, &path).unwrap().rules.is_empty());
    let examples: Vec<_> = shipped
        .lines()
        .map(|line| {
            let example = line.strip_prefix("# ").unwrap_or("");
            let key = example.split(" = ").next().unwrap_or("");
            let is_key =
                example.contains(" = ") && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            if example.starts_with('[') || is_key { example } else { "" }
        })
        .collect();
    let config = Config::parse(&examples.join("\n"), &path).unwrap();
    assert_eq!(config.rules.len(), 4);
    for rule in &*config.rules {
        let at = usize::try_from(rule.line).unwrap();
        assert_eq!(examples.get(at - 1), Some(&"[[rule]]"), "line {at}");
    }
}
