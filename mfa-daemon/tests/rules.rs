// SPDX-License-Identifier: GPL-3.0-or-later
//! What a login gets by the rules of `mfa.toml`, on the daemon's real requests, with clocks that the
//! test sets.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "this is test code outside of test functions"
)]

mod house;

use house::{BEGIN, House, NOBODY, code, pass, wrong};
use serde_json::{Value, json};

/// Midnight UTC of the day on which a test begins: 2027-01-15.
const MIDNIGHT: u64 = BEGIN - BEGIN % 86_400;
const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJNQvm4ozD4Kw4Gp8taEIN9wog/vqEyLBE/iOWeGb1MJ";
const OTHER_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJNQvm4ozD4Kw4Gp8taEIN9wog/vqEyLBE/iOWeGb1MK";

fn from(service: &str) -> Value {
    json!({"service": service})
}

fn begin(house: &House, user: &str, origin: &Value) -> Value {
    house.ask(json!({"type": "begin", "user": user, "origin": origin}))
}

fn account(house: &House, user: &str, origin: &Value) -> Value {
    house.ask(json!({"type": "account", "user": user, "origin": origin}))
}

fn verify(house: &House, user: &str, origin: &Value, code: &str) -> String {
    let request = json!({"type": "verify", "user": user, "origin": origin, "code": code});
    house.ask(request)["type"].as_str().unwrap().to_owned()
}

fn explain(house: &House, user: &str, origin: &Value) -> Value {
    house.ask(json!({"type": "explain", "user": user, "origin": origin}))
}

/// The answer without what every answer has.
fn bare(mut answer: Value) -> Value {
    let fields = answer.as_object_mut().unwrap();
    fields.remove("id");
    fields.remove("v");
    answer
}

fn date(days: u64) -> String {
    let day = 15 + days;
    assert!(day <= 31);
    format!("2027-01-{day}")
}

#[test]
fn without_rules_a_user_with_a_token_is_asked_and_one_without_may_be_skipped() {
    let house = House::new("");
    house.enroll("alice", "phone");
    let asked = bare(begin(&house, "alice", &from("sshd")));
    assert_eq!(asked, json!({"type": "prompt", "digits": 6}));
    let skipped = bare(begin(&house, "bob", &from("sshd")));
    assert_eq!(skipped, json!({"type": "skip", "reason": "no_token", "digits": 6}));
}

#[test]
fn an_exempt_service_is_skipped_until_its_date_and_explain_names_the_line() {
    let rules = format!(
        "[[rule]]\nname = \"cron\"\nservices = [\"cron\"]\nexempt_until = {}\n[[rule]]\nobserve = true\n",
        date(2)
    );
    let house = House::new(&rules);
    let phone = house.enroll("alice", "phone");
    let skipped = begin(&house, "alice", &from("cron"));
    assert_eq!((&skipped["type"], &skipped["reason"]), (&json!("skip"), &json!("exempt")));
    let told = explain(&house, "alice", &from("cron"));
    assert_eq!(told["outcome"], json!({"is": "exempt"}));
    assert_eq!(told["rule"]["name"], "cron");
    assert_eq!(told["exempt_until"], MIDNIGHT + 2 * 86_400);
    let file = std::fs::read_to_string(house.home.path().join("mfa.toml")).unwrap();
    let line = usize::try_from(told["rule"]["line"].as_u64().unwrap()).unwrap();
    assert_eq!(file.lines().nth(line - 1).unwrap(), "[[rule]]");
    assert_eq!(file.lines().nth(line).unwrap(), "name = \"cron\"");

    assert_eq!(begin(&house, "alice", &from("sshd"))["observe"], true);
    pass(MIDNIGHT + 2 * 86_400 - house::now());
    assert_eq!(begin(&house, "alice", &from("cron"))["type"], "prompt");
    assert_eq!(verify(&house, "alice", &from("cron"), &code(&phone)), "accepted");
}

#[test]
fn an_enrolment_deadline_counts_down_then_demands_then_denies() {
    let rules = format!("[[rule]]\nenroll_from = {}\nenroll_until = {}\n", date(1), date(2));
    let house = House::new(&rules);
    house.enroll("alice", "phone");
    let left = MIDNIGHT + 86_400 - house::now();

    let before = begin(&house, "bob", &from("sshd"));
    assert_eq!(before["enroll_within"], left);
    assert_eq!(account(&house, "bob", &from("sshd"))["type"], "nothing_due");
    pass(left - 1);
    assert_eq!(begin(&house, "bob", &from("sshd"))["enroll_within"], 1);
    assert_eq!(account(&house, "bob", &from("sshd"))["type"], "nothing_due");
    pass(1);
    let due = begin(&house, "bob", &from("sshd"));
    assert_eq!((&due["type"], &due["enroll_within"]), (&json!("skip"), &json!(0)));
    assert_eq!(account(&house, "bob", &from("sshd"))["type"], "enrollment_due");
    pass(86_400);
    assert_eq!(begin(&house, "bob", &from("sshd"))["type"], "prompt");
    assert_eq!(verify(&house, "bob", &from("sshd"), "123456"), "wrong");
    assert_eq!(explain(&house, "bob", &from("sshd"))["outcome"], json!({"is": "expired"}));
    assert_eq!(begin(&house, "alice", &from("sshd"))["type"], "prompt");
    assert_eq!(account(&house, "alice", &from("sshd"))["type"], "nothing_due");
}

#[test]
fn who_must_have_a_token_is_asked_and_denied_without_one() {
    let house = House::new("[[rule]]\nusers = [\"bob\"]\nrequired = true\n");
    assert_eq!(begin(&house, "bob", &from("sshd"))["type"], "prompt");
    assert_eq!(verify(&house, "bob", &from("sshd"), "123456"), "wrong");
    assert_eq!(begin(&house, "carol", &from("sshd"))["type"], "skip");
}

#[test]
fn enrolment_is_due_as_the_rule_says_and_never_where_an_admin_must_do_it() {
    let rules = "[token]\nenrollment = \"admin\"\n\
                 [[rule]]\nusers = [\"bob\"]\nenrollment = \"invite\"\n\
                 [[rule]]\nusers = [\"carol\"]\nenrollment = \"self\"\n\
                 [[rule]]\nusers = [\"dave\"]\nenrollment = \"self\"\nobserve = true\n";
    let house = House::new(rules);
    let due = |user| bare(account(&house, user, &from("sshd")));
    assert_eq!(due("alice"), json!({"type": "nothing_due"}));
    assert_eq!(due("bob"), json!({"type": "enrollment_due", "invite": true}));
    assert_eq!(due("carol"), json!({"type": "enrollment_due"}));
    assert_eq!(due("dave"), json!({"type": "nothing_due"}));
    let provision = |user: &str| {
        house.ask(json!({"type": "login_provision", "user": user, "origin": from("sshd"),
            "proof": {"by": "nothing"}}))
    };
    assert_eq!(provision("alice")["code"], "not_permitted");
    assert_eq!(provision("bob")["code"], "invite_needed");
    assert_eq!(provision("carol")["type"], "login_provisioned");
}

#[test]
fn a_command_of_the_users_own_meets_the_rule_of_the_service_mfa() {
    let rules = "[[rule]]\nservices = [\"mfa\"]\nenrollment = \"admin\"\n";
    let house = House::new(rules);
    let refused = house::Talk::open(house.caller(NOBODY.1), NOBODY.0, "enroll");
    assert_eq!(refused.err().unwrap()["code"], "not_permitted");
    let house = House::new("[[rule]]\nservices = [\"sshd\"]\nenrollment = \"admin\"\n");
    assert!(house::Talk::open(house.caller(NOBODY.1), NOBODY.0, "enroll").is_ok());
}

#[test]
fn a_rule_by_group_asks_the_name_service_about_the_user() {
    // nobody's own group is nogroup, on every Debian.
    let house = House::new("[[rule]]\ngroups = [\"no-such-group\", \"nogroup\"]\nobserve = true\n");
    house.enroll(NOBODY.0, "phone");
    house.enroll("root", "phone");
    house.enroll("unknown-to-passwd", "phone");
    assert_eq!(begin(&house, NOBODY.0, &from("sshd"))["observe"], true);
    assert_eq!(begin(&house, "root", &from("sshd"))["observe"], Value::Null);
    assert_eq!(begin(&house, "unknown-to-passwd", &from("sshd"))["observe"], Value::Null);
}

fn graced(tie: &str) -> House {
    House::new(&format!(
        "[[rule]]\nservices = [\"sshd\"]\ngrace_seconds = 3600\ngrace_for = [\"{tie}\"]\n"
    ))
}

fn origins(tie: &str) -> (Value, Value) {
    let session = |started: u64| json!({"id": 700, "started": started});
    match tie {
        "ssh_key" => (
            json!({"service": "sshd", "ssh_key": KEY}),
            json!({"service": "sshd", "ssh_key": OTHER_KEY}),
        ),
        "tty" => (
            json!({"service": "sshd", "tty": "/dev/pts/1", "session": session(5)}),
            json!({"service": "sshd", "tty": "/dev/pts/1", "session": session(6)}),
        ),
        _ => (
            json!({"service": "sshd", "rhost": "192.0.2.1"}),
            json!({"service": "sshd", "rhost": "192.0.2.2"}),
        ),
    }
}

#[test]
fn after_a_success_the_same_key_terminal_or_host_is_not_asked_again_for_a_while() {
    for tie in ["ssh_key", "tty", "host"] {
        let house = graced(tie);
        let phone = house.enroll("alice", "phone");
        let (here, elsewhere) = origins(tie);
        assert_eq!(begin(&house, "alice", &here)["type"], "prompt");
        assert_eq!(verify(&house, "alice", &here, &wrong(&phone)), "wrong");
        assert_eq!(begin(&house, "alice", &here)["type"], "prompt", "{tie}: after a wrong code");
        assert_eq!(verify(&house, "alice", &here, &code(&phone)), "accepted");
        assert_eq!(bare(begin(&house, "alice", &here)), json!({"type": "granted"}), "{tie}");
        assert_eq!(begin(&house, "alice", &elsewhere)["type"], "prompt", "{tie}");
        let mut other_service = here.clone();
        other_service["service"] = json!("sudo");
        assert_eq!(begin(&house, "alice", &other_service)["type"], "prompt", "{tie}");
        house.enroll("bob", "phone");
        assert_eq!(begin(&house, "bob", &here)["type"], "prompt", "{tie}");
        pass(3_569);
        assert_eq!(begin(&house, "alice", &here)["type"], "granted", "{tie}");
        pass(1);
        assert_eq!(begin(&house, "alice", &here)["type"], "prompt", "{tie}");
    }
}

#[test]
fn grace_is_neither_given_to_nor_by_a_process_without_privileges() {
    let house = graced("host");
    let phone = house.enroll(NOBODY.0, "phone");
    let (here, _) = origins("host");
    let begin = json!({"type": "begin", "user": NOBODY.0, "origin": here});
    let mut locker = house.caller(NOBODY.1);
    let verify = json!({"type": "verify", "user": NOBODY.0, "origin": here, "code": code(&phone)});
    assert_eq!(locker.ask(verify)["type"], "accepted");
    assert_eq!(house.ask(begin.clone())["type"], "prompt");
    pass(30);
    let verify = json!({"type": "verify", "user": NOBODY.0, "origin": here, "code": code(&phone)});
    assert_eq!(house.ask(verify)["type"], "accepted");
    assert_eq!(house.ask(begin.clone())["type"], "granted");
    assert_eq!(locker.ask(begin)["type"], "prompt");
}

#[test]
fn a_grace_is_shown_and_ends_by_hand_by_its_owner_an_administrator_or_a_new_secret() {
    let house = graced("ssh_key");
    let phone = house.enroll(NOBODY.0, "phone");
    let (here, _) = origins("ssh_key");
    let log_in = || {
        pass(30);
        assert_eq!(verify(&house, NOBODY.0, &here, &code(&phone)), "accepted");
        assert_eq!(begin(&house, NOBODY.0, &here)["type"], "granted");
    };
    log_in();
    let status = house.ask(json!({"type": "status", "user": NOBODY.0}));
    assert_eq!(
        status["graces"],
        json!([{"service": "sshd", "tie": "ssh_key", "seconds_left": 3600,
            "value": "SHA256:T/oFaU2E14hleCeP+MsH6Zk1XPuXIPr89CTfQHbSFP0"}])
    );
    let end = json!({"type": "end_grace", "user": NOBODY.0});
    assert_eq!(house.caller(54_321).ask(end.clone())["code"], "not_permitted");
    assert_eq!(begin(&house, NOBODY.0, &here)["type"], "granted");
    assert_eq!(house.caller(NOBODY.1).ask(end.clone())["ended"], 1);
    assert_eq!(begin(&house, NOBODY.0, &here)["type"], "prompt");
    log_in();
    assert_eq!(house.ask(end.clone())["ended"], 1);
    assert_eq!(house.ask(end)["ended"], 0);
    assert_eq!(begin(&house, NOBODY.0, &here)["type"], "prompt");
    log_in();
    house.ask(json!({"type": "revoke", "user": NOBODY.0, "name": "phone"}));
    house.enroll(NOBODY.0, "phone");
    assert_eq!(begin(&house, NOBODY.0, &here)["type"], "prompt");
}

#[test]
fn grace_is_honoured_while_a_guesser_makes_the_account_wait_but_not_under_the_hard_lock() {
    let house = House::new(
        "[lockout]\nfree_attempts = 2\nbase_seconds = 600\nhard_limit = 3\n\
         [[rule]]\ngrace_seconds = 86400\ngrace_for = [\"host\"]\n",
    );
    let phone = house.enroll("alice", "phone");
    let (here, elsewhere) = origins("host");
    assert_eq!(verify(&house, "alice", &here, &code(&phone)), "accepted");
    for _ in 0..2 {
        assert_eq!(verify(&house, "alice", &elsewhere, &wrong(&phone)), "wrong");
    }
    assert_eq!(verify(&house, "alice", &elsewhere, &wrong(&phone)), "locked");
    assert_eq!(begin(&house, "alice", &here)["type"], "granted");
    pass(600);
    assert_eq!(verify(&house, "alice", &elsewhere, &wrong(&phone)), "wrong");
    assert_eq!(begin(&house, "alice", &here)["type"], "prompt");
    assert_eq!(explain(&house, "alice", &here)["outcome"], json!({"is": "locked"}));
}

#[test]
fn neither_a_recovery_code_nor_a_bypass_code_gives_grace() {
    let house = graced("host");
    let mut talk = house::Talk::open(house.connect(), "alice", "enroll").unwrap();
    let uri = talk.provision("phone");
    let confirmed = talk.confirm("phone", &code(&uri));
    let recovery = confirmed["recovery_codes"][0].as_str().unwrap();
    let bypass =
        house.ask(json!({"type": "admin_bypass", "user": "alice", "seconds": 600, "uses": 1}));
    let (here, _) = origins("host");
    for code in [recovery, bypass["code"].as_str().unwrap()] {
        assert_eq!(verify(&house, "alice", &here, code), "accepted");
        assert_eq!(begin(&house, "alice", &here)["type"], "prompt");
    }
    pass(30);
    assert_eq!(verify(&house, "alice", &here, &code(&uri)), "accepted");
    assert_eq!(begin(&house, "alice", &here)["type"], "granted");
}

#[test]
fn explain_is_for_root_and_for_oneself() {
    let house = House::new("[[rule]]\nservices = [\"sudo\"]\nunavailable = \"ignore\"\n");
    let ask = json!({"type": "explain", "user": NOBODY.0, "origin": from("sudo")});
    let own = house.caller(NOBODY.1).ask(ask.clone());
    assert_eq!(own["outcome"], json!({"is": "no_token"}));
    assert_eq!(own["unavailable_ignored"], true);
    assert_eq!(house.caller(54_321).ask(ask)["code"], "not_permitted");
    let plain = bare(explain(&house, NOBODY.0, &from("su")));
    let expected =
        json!({"type": "explanation", "outcome": {"is": "no_token"}, "enrollment": "self"});
    assert_eq!(plain, expected);
}

#[test]
fn status_tells_what_there_is_and_nothing_secret() {
    let house = House::new("[token]\nmax_age_days = 30\n");
    let phone = house.enroll("alice", "phone");
    let remote = json!({"service": "sshd", "rhost": "192.0.2.9"});
    assert_eq!(verify(&house, "alice", &remote, &wrong(&phone)), "wrong");
    house.ask(json!({"type": "admin_bypass", "user": "alice", "seconds": 600, "uses": 2,
        "service": "sudo"}));
    let status = house.ask(json!({"type": "status", "user": "alice"}));
    assert_eq!(status["failures"], 1);
    assert_eq!(status["last_failure"], json!({"at": house::now(), "from": "192.0.2.9"}));
    assert_eq!(
        status["bypasses"],
        json!([{"until": house::now() + 600, "uses_left": 2, "service": "sudo"}])
    );
    assert_eq!(status["tokens"][0]["rotation_due"], Value::Null);
    house.ask(json!({"type": "admin_invite", "user": "bob", "seconds": 600}));
    let invited = house.ask(json!({"type": "status", "user": "bob"}));
    assert_eq!(invited["invited_until"], house::now() + 600);
    pass(30 * 86_400);
    let status = house.ask(json!({"type": "status", "user": "alice"}));
    assert_eq!(status["tokens"][0]["rotation_due"], true);
    assert_eq!(status["bypasses"], Value::Null);
    let text = status.to_string();
    assert!(!text.contains("sealed") && !text.contains("secret"), "{text}");
    assert_eq!(
        bare(account(&house, "alice", &from("sshd"))),
        json!({"type": "rotation_due", "token": "phone"})
    );
    let accepted = house.ask(json!({"type": "verify", "user": "alice", "origin": from("sshd"),
        "code": code(&phone)}));
    assert_eq!(accepted["rotation_due"], true, "{accepted}");
    assert_eq!(accepted["failures"], 1);
    assert_eq!(accepted["last_failure"]["from"], "192.0.2.9");
}
