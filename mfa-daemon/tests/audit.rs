// SPDX-License-Identifier: GPL-3.0-or-later
//! A scripted day against what the trail and the log tell of it: nothing missing, nothing extra, in
//! the same order, and nothing secret. And the ring, when it is full.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "this is test code outside of test functions"
)]

mod house;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use data_encoding::{BASE32_NOPAD, BASE64, HEXLOWER};
use house::{House, NOBODY, Talk, code, now, pass, set_clock, wrong};
use mfa_crypto::OtpUri;
use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// What the log has got: the fields of each event, by name.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<BTreeMap<String, String>>>>);

struct Fields<'f>(&'f mut BTreeMap<String, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }
}

impl<S: tracing::Subscriber> Layer<S> for Captured {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut fields = BTreeMap::new();
        fields.insert("level".to_owned(), event.metadata().level().to_string());
        event.record(&mut Fields(&mut fields));
        self.0.lock().unwrap().push(fields);
    }
}

impl Captured {
    /// What was logged that is of the trail, as one line each.
    fn trail(&self) -> Vec<String> {
        let all = self.0.lock().unwrap();
        all.iter().filter(|fields| fields.contains_key("act")).map(of_log).collect()
    }

    fn text(&self) -> String {
        self.0.lock().unwrap().iter().fold(String::new(), |mut text, fields| {
            writeln!(text, "{fields:?}").unwrap();
            text
        })
    }
}

/// A log of this test's own. Every test needs one: what a thread without a log says first, the others never
/// hear either (tracing keeps in mind for each place whether anybody wants it).
fn captured() -> (Captured, tracing::subscriber::DefaultGuard) {
    let captured = Captured::default();
    let subscriber = tracing_subscriber::registry().with(captured.clone());
    (captured, tracing::subscriber::set_default(subscriber))
}

/// An entry as one line: what the script expects is written so.
fn line(of: impl Fn(&str) -> Option<String>, figures: &str, warning: bool) -> String {
    let mut line = of("act").unwrap();
    for field in ["result", "reason", "user", "token", "service", "rhost", "tty"] {
        write!(line, " {}", of(field).unwrap_or_else(|| "-".to_owned())).unwrap();
    }
    write!(line, " {}/{}", of("peer_uid").unwrap(), of("peer_pid").unwrap()).unwrap();
    if !figures.is_empty() {
        write!(line, " {figures}").unwrap();
    }
    if warning {
        line.push_str(" !");
    }
    line
}

fn of_log(fields: &BTreeMap<String, String>) -> String {
    let figures = fields.get("figures").cloned().unwrap_or_default();
    line(|name| fields.get(name).cloned(), &figures, fields["level"] == "WARN")
}

fn of_answer(event: &Value) -> String {
    let text = |name: &str| match &event[name] {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let figures = event["figures"].as_object().into_iter().flatten();
    let figures: Vec<_> = figures.map(|(name, value)| format!("{name}={value}")).collect();
    line(text, &figures.join(" "), event["warning"] == true)
}

/// The whole trail, by pages of `limit`.
fn trail(house: &House, limit: u16) -> Vec<Value> {
    let mut events: Vec<Value> = Vec::new();
    loop {
        let after = events.last().map_or(json!(0), |event| event["seq"].clone());
        let page = house.ask(json!({"type": "admin_audit", "after": after, "limit": limit}));
        assert_eq!(page["type"], "trail", "{page}");
        events.extend(page["events"].as_array().unwrap().iter().cloned());
        if page["more"] != true {
            return events;
        }
    }
}

const RULES: &str = "[token]\nenrollment = \"invite\"\n\
    [[rule]]\nservices = [\"cron\"]\nexempt_until = 2027-02-01\n\
    [[rule]]\nservices = [\"sudo\"]\ngrace_seconds = 600\ngrace_for = [\"host\"]\n\
    [[rule]]\nservices = [\"cockpit\"]\nobserve = true\n\
    [[rule]]\nservices = [\"locker\"]\nunavailable = \"ignore\"\n";
const HOST: &str = "192.0.2.1";

/// The day so far: who does what is followed by what must be told of it.
struct Day<'h> {
    house: &'h House,
    /// Root on the real socket, with this process's id.
    root: String,
    expected: Vec<String>,
    times: Vec<u64>,
    /// What must be found nowhere.
    canaries: Vec<String>,
}

impl Day<'_> {
    fn tells(&mut self, what: &str) {
        let by_root = what.replace(" root", &format!(" {}", self.root));
        self.expected.push(by_root);
        self.times.push(now());
    }

    fn login(&mut self, what: &str, user: &str, service: &str, shown: &str) -> Value {
        let origin = json!({"service": service, "rhost": HOST});
        let mut request = json!({"type": what, "user": user, "origin": origin});
        if what == "verify" {
            self.canaries.push(shown.to_owned());
            request["code"] = json!(shown);
        }
        self.house.ask(request)
    }

    fn verify(&mut self, user: &str, service: &str, shown: &str) -> Value {
        self.login("verify", user, service, shown)
    }

    fn keep_secret(&mut self, uri: &OtpUri) {
        self.keep_bytes_secret(uri.secret.expose());
    }

    fn keep_bytes_secret(&mut self, bytes: &[u8]) {
        self.canaries.extend([HEXLOWER.encode(bytes), BASE32_NOPAD.encode(bytes)]);
        self.canaries.extend([BASE64.encode(bytes), HEXLOWER.encode(bytes).to_uppercase()]);
        self.canaries.extend(std::str::from_utf8(bytes).map(str::to_owned));
        // As a list of numbers, which is how a slice is shown.
        self.canaries.push(format!("{bytes:?}"));
    }

    fn keep_codes(&mut self, codes: &Value) -> Vec<String> {
        let codes = codes.as_array().unwrap().iter();
        let codes: Vec<_> = codes.map(|code| code.as_str().unwrap().to_owned()).collect();
        for code in &codes {
            self.canaries.extend([code.clone(), code.replace('-', "")]);
        }
        codes
    }

    fn issued(&mut self, request: &Value) -> String {
        let issued = self.house.ask(request.clone());
        self.keep_codes(&json!([issued["code"]])).remove(0)
    }
}

fn damage(house: &House, user: &str) {
    let database = rusqlite::Connection::open(house.home.path().join("mfa.db")).unwrap();
    let damaged = "UPDATE user SET sealed = x'7b' WHERE name = ?1";
    assert_eq!(database.execute(damaged, [user]).unwrap(), 1);
}

#[test]
fn what_is_told_of_a_day_is_what_happened_on_it_and_no_secret() {
    let (captured, _log) = captured();
    let house = House::new(RULES);
    let (uid, pid) = (nix::unistd::geteuid(), std::process::id());
    let root = format!("{uid}/{pid}");
    let mut day =
        Day { house: &house, root, expected: Vec::new(), times: Vec::new(), canaries: Vec::new() };
    day.keep_bytes_secret(&std::fs::read(house.home.path().join("master.key")).unwrap());

    morning(&mut day);
    wrong_codes(&mut day);
    without_a_code(&mut day);
    administration(&mut day);
    an_ordinary_user(&mut day);
    the_clock(&mut day);

    let events = trail(&house, 7);
    let told: Vec<_> = events.iter().map(of_answer).collect();
    assert_eq!(told, day.expected);
    let times: Vec<_> = events.iter().map(|event| event["time"].as_u64().unwrap()).collect();
    assert_eq!(times, day.times);
    let numbers: Vec<_> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=events.len() as u64).collect::<Vec<_>>());
    assert_eq!(captured.trail(), day.expected, "the log");

    let known = format!("{}{}", captured.text(), serde_json::to_string(&events).unwrap());
    for canary in &day.canaries {
        assert!(!has_word(&known, canary), "{canary} is in {known}");
    }
    // The search finds what is there.
    assert!(has_word(&known, HOST) && day.canaries.len() > 50);
    queries(&house, &events);
    described(&events);
}

/// Each word of the trail has its row in docs/operations/audit.md, and no row is of a word that is gone.
fn described(events: &[Value]) {
    let read = |path: &str| std::fs::read_to_string(path).unwrap();
    let page = read(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations/audit.md"));
    // The words of the first cell of each row, in quotes as the sources have them.
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let words: Vec<String> = rows
        .flat_map(|cell| cell.split(", ").map(|word| word.replace('`', "\"")))
        .filter(|word| word.starts_with('"'))
        .collect();
    for event in events {
        for field in ["act", "result", "reason"].map(|field| &event[field]) {
            assert!(field.is_null() || words.contains(&field.to_string()), "{field} in audit.md");
        }
    }
    let mut sources = String::new();
    let roots =
        ["src", "../mfa-proto/src"].map(|name| format!("{}/{name}", env!("CARGO_MANIFEST_DIR")));
    let mut folders: Vec<std::path::PathBuf> = roots.into_iter().map(Into::into).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else {
                sources.push_str(&std::fs::read_to_string(entry).unwrap());
            }
        }
    }
    assert!(words.len() > 40, "{words:?}");
    for word in words {
        assert!(sources.contains(&word), "{word} of audit.md is nowhere in the sources");
    }
}

/// Whether `word` stands there by itself: six digits may well be part of a moment.
fn has_word(text: &str, word: &str) -> bool {
    let joins = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.match_indices(word).any(|(at, _)| {
        let after = text[at + word.len()..].chars().next();
        !joins(text[..at].chars().next_back()) && !joins(after)
    })
}

fn enroll(day: &mut Day<'_>, user: &str) -> (OtpUri, Vec<String>) {
    let mut talk = Talk::open(day.house.connect(), user, "enroll").unwrap();
    let uri = talk.provision("phone");
    day.keep_secret(&uri);
    let confirmed = talk.confirm("phone", &code(&uri));
    let recovery = day.keep_codes(&confirmed["recovery_codes"]);
    day.tells(&format!("enroll done - {user} phone - - - root"));
    pass(30);
    (uri, recovery)
}

fn morning(day: &mut Day<'_>) {
    let (phone, recovery) = enroll(day, "alice");
    assert_eq!(day.verify("alice", "sshd", &code(&phone))["type"], "accepted");
    day.tells("login accepted - alice phone sshd 192.0.2.1 - root");
    assert_eq!(day.verify("alice", "sshd", &code(&phone))["type"], "replayed");
    day.tells("login denied replayed alice - sshd 192.0.2.1 - root failures=1 !");
    day.verify("alice", "sshd", &recovery[3]);
    let figures = "failures=1 recovery_codes_left=9";
    day.tells(&format!("login accepted recovery_code alice - sshd 192.0.2.1 - root {figures} !"));
    let mut talk = Talk::open(day.house.connect(), "alice", "recovery_codes").unwrap();
    let renewed = talk.say(&json!({"type": "recovery_codes"}));
    day.keep_codes(&renewed["codes"]);
    day.tells("recovery_codes done - alice - - - - root void=9");
    pass(30);
    let mut talk = Talk::open(day.house.connect(), "alice", "rotate").unwrap();
    let new = talk.provisioned(&json!({"type": "rotate", "name": "phone"}));
    day.keep_secret(&new);
    talk.confirm("phone", &wrong(&new));
    day.tells("rotate denied wrong_code alice phone - - - root tries_left=4");
    assert_eq!(talk.confirm("phone", &code(&new))["type"], "confirmed");
    day.tells("rotate done - alice phone - - - root");
}

fn wrong_codes(day: &mut Day<'_>) {
    let (phone, _) = enroll(day, "bob");
    for n in 1..=4 {
        day.verify("bob", "su", &wrong(&phone));
        day.tells(&format!("login denied wrong_code bob - su 192.0.2.1 - root failures={n}"));
    }
    day.verify("bob", "su", "no-code");
    day.tells("login denied not_a_code bob - su 192.0.2.1 - root");
    day.verify("bob", "su", &wrong(&phone));
    day.tells("login denied wrong_code bob - su 192.0.2.1 - root failures=5 locked_seconds=30 !");
    assert_eq!(day.verify("bob", "su", &code(&phone))["type"], "locked");
    day.tells("login denied locked bob - su 192.0.2.1 - root locked_seconds=30 !");
    day.house.ask(json!({"type": "admin_unlock", "user": "bob"}));
    day.tells("unlock done - bob - - - - root failures=5");
    day.verify("bob", "su", &code(&phone));
    day.tells("login accepted - bob phone su 192.0.2.1 - root");
    day.verify("carol", "su", "123456");
    day.tells("login denied no_token carol - su 192.0.2.1 - root");
}

fn without_a_code(day: &mut Day<'_>) {
    day.login("begin", "carol", "sshd", "");
    day.tells("login skipped no_token carol - sshd 192.0.2.1 - root");
    day.login("begin", "bob", "sshd", "");
    day.login("begin", "bob", "cron", "");
    day.tells("login skipped exempt bob - cron 192.0.2.1 - root");
    let (phone, _) = enroll(day, "dave");
    day.verify("dave", "sudo", &code(&phone));
    day.tells("login accepted - dave phone sudo 192.0.2.1 - root");
    assert_eq!(day.login("begin", "dave", "sudo", "")["type"], "granted");
    day.tells("login granted grace dave - sudo 192.0.2.1 - root");
    let end = json!({"type": "end_grace", "user": "dave"});
    assert_eq!(day.house.ask(end.clone())["ended"], 1);
    day.tells("end_grace done - dave - - - - root ended=1");
    // Nothing was done.
    assert_eq!(day.house.ask(end)["ended"], 0);
    day.verify("dave", "cockpit", &wrong(&phone));
    day.tells("login ignored wrong_code dave - cockpit 192.0.2.1 - root failures=1 !");
    damage(day.house, "dave");
    assert_eq!(day.login("begin", "dave", "sshd", "")["type"], "unavailable");
    day.tells("login denied unavailable dave - sshd 192.0.2.1 - root !");
    assert_eq!(day.login("begin", "dave", "locker", "")["ignore"], true);
    day.tells("login ignored unavailable dave - locker 192.0.2.1 - root !");
    assert_eq!(day.verify("dave", "locker", &wrong(&phone))["ignore"], true);
    day.tells("login ignored unavailable dave - locker 192.0.2.1 - root !");
    let reset = json!({"type": "admin_reset", "user": "dave"});
    assert_eq!(day.house.ask(reset.clone())["type"], "reset");
    day.tells("reset done - dave - - - - root !");
    assert_eq!(day.house.ask(reset)["type"], "error");
    assert!(day.house.record("dave").is_none());
}

fn administration(day: &mut Day<'_>) {
    let bypass = json!({"type": "admin_bypass", "user": "bob", "seconds": 600, "uses": 1,
        "service": "login"});
    let bypass = day.issued(&bypass);
    day.tells("bypass done - bob - login - - root seconds=600 uses=1 !");
    day.verify("bob", "login", &bypass);
    day.tells("login accepted bypass_code bob - login 192.0.2.1 - root !");
    let secret = BASE64.encode(b"a secret of 20 bytes");
    day.keep_bytes_secret(b"a secret of 20 bytes");
    let imported = day.house.ask(json!({"type": "admin_import", "tokens": [{"user": "frank",
        "secret": secret, "algorithm": "SHA1", "digits": 6,
        "moving": {"factor": "totp", "period": 30}}]}));
    assert_eq!(imported["added"], 1);
    day.tells("import done - - - - - - root added=1 known=0 !");
    let file = day.house.home.path().join("mfa.toml");
    let good = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{good}no_such_key = 1\n")).unwrap();
    assert_eq!(day.house.ask(json!({"type": "admin_reload"}))["type"], "error");
    day.tells("reload denied mistake - - - - - root");
    std::fs::write(&file, good).unwrap();
    assert_eq!(day.house.ask(json!({"type": "admin_reload"}))["type"], "reloaded");
    day.tells("reload done - - - - - - root needs_restart=0");
}

/// What he does is told with his uid; what he may not, not in the trail.
fn an_ordinary_user(day: &mut Day<'_>) {
    let (name, uid) = NOBODY;
    let invite = json!({"type": "admin_invite", "user": name, "seconds": 600});
    let invite = day.issued(&invite);
    day.tells("invite done - nobody - - - - root seconds=600");
    let mut talk = Talk::open(day.house.caller(uid), name, "enroll").unwrap();
    let provision = |invite: &str| json!({"type": "provision", "name": "key", "moving": "totp", "invite": invite});
    assert_eq!(talk.say(&provision("234567"))["code"], "invite_needed");
    day.tells("enroll denied wrong_invite nobody - - - - 65534/1");
    let key = talk.provisioned(&provision(&invite));
    day.keep_secret(&key);
    let confirmed = talk.confirm("key", &code(&key));
    day.keep_codes(&confirmed["recovery_codes"]);
    day.tells("enroll done invited nobody key - - - 65534/1");
    pass(30);
    for request in [
        json!({"type": "verify", "user": "bob", "code": "123456", "origin": {"service": "su"}}),
        json!({"type": "begin", "user": "bob", "origin": {"service": "su"}}),
        json!({"type": "admin_unlock", "user": name}),
        json!({"type": "admin_reset", "user": name}),
        json!({"type": "admin_audit", "limit": 1}),
        json!({"type": "admin_stats"}),
        json!({"type": "admin_bypass", "user": name, "seconds": 600, "uses": 1}),
    ] {
        assert_eq!(day.house.caller(uid).ask(request)["code"], "not_permitted");
    }
    day.canaries.push(code(&key));
    let revoke = json!({"type": "revoke", "user": name, "name": "key", "code": code(&key)});
    assert_eq!(day.house.caller(uid).ask(revoke)["type"], "revoked");
    day.tells("login accepted - nobody key mfa - - 65534/1 failures=1");
    day.tells("revoke done - nobody key - - - 65534/1 tokens_left=0");
}

fn the_clock(day: &mut Day<'_>) {
    let (phone, _) = enroll(day, "grace");
    let today = now();
    let ahead = |seconds| {
        set_clock(now() + seconds);
        let code = code(&phone);
        set_clock(now() - seconds);
        code
    };
    day.verify("grace", "sshd", &ahead(120));
    let figures = "clock_offset=120 failures=1";
    day.tells(&format!("login denied wrong_code grace - sshd 192.0.2.1 - root {figures}"));
    pass(30);
    assert_eq!(day.verify("grace", "sshd", &ahead(120))["type"], "accepted");
    day.tells(&format!(
        "login accepted resynchronised grace phone sshd 192.0.2.1 - root {figures} !"
    ));
    set_clock(today - 86_400);
    day.verify("grace", "sshd", &code(&phone));
    day.tells("login denied clock_behind_last_login grace - sshd 192.0.2.1 - root !");
    set_clock(today + 30);
}

/// What `admin_audit` leaves out when it is asked for less.
fn queries(house: &House, events: &[Value]) {
    let ask = |more: Value| {
        let mut request = json!({"type": "admin_audit", "limit": 200});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        house.ask(request)
    };
    let last = events.len();
    let all = ask(json!({}));
    assert_eq!(
        (&all["first"], &all["last"], &all["more"]),
        (&json!(1), &json!(last), &json!(false))
    );
    let of_bob = ask(json!({"user": "bob"}));
    let bobs = events.iter().filter(|event| event["user"] == "bob");
    assert_eq!(of_bob["events"], json!(bobs.collect::<Vec<_>>()));
    let since = events[last / 2]["time"].as_u64().unwrap();
    let later = events.iter().filter(|event| event["time"].as_u64().unwrap() >= since);
    assert_eq!(ask(json!({"since": since}))["events"], json!(later.collect::<Vec<_>>()));
    assert_eq!(ask(json!({"after": last}))["events"], json!([]));
    let stats = house.ask(json!({"type": "admin_stats"}));
    assert_eq!((&stats["enrolled"], &stats["totp_tokens"]), (&json!(4), &json!(4)), "{stats}");
    assert_eq!(stats["day"]["granted"], 1, "{stats}");
    assert_eq!(stats["day"]["ignored"], 3, "{stats}");
    let accepted = events.iter().filter(|e| e["act"] == "login" && e["result"] == "accepted");
    assert_eq!(stats["day"]["accepted"], json!(accepted.count()), "{stats}");
}

#[test]
fn a_full_ring_keeps_the_newest_8192_entries_without_a_gap() {
    let (_, _log) = captured();
    let house = House::new("");
    let begin = json!({"type": "verify", "user": "nobody-here", "code": "none",
        "origin": {"service": "sshd", "rhost": "a host name of some length.example.org"}});
    let many = vec![begin; 1000];
    for _ in 0..9 {
        house.together(&many);
    }
    let events = trail(&house, 200);
    let numbers: Vec<_> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (9000 - 8191..=9000).collect::<Vec<_>>());
    let page = house.ask(json!({"type": "admin_audit", "after": 0, "limit": 1}));
    assert_eq!((&page["first"], &page["last"]), (&json!(809), &json!(9000)));
    let stats = house.ask(json!({"type": "admin_stats"}));
    assert_eq!(
        (&stats["day"]["denied"], &stats["day"]["incomplete"]),
        (&json!(8192), &json!(true))
    );
}

#[test]
fn nobody_pushes_what_others_did_out_of_the_trail() {
    let (_, _log) = captured();
    let house = House::new("");
    let (name, uid) = NOBODY;
    house.ask(json!({"type": "admin_invite", "user": name, "seconds": 600}));
    let about = |kind: &str| {
        let mut request = json!({"type": kind, "user": name, "origin": {"service": "su"}});
        if kind == "verify" {
            request["code"] = json!("none");
        }
        request
    };
    let mut caller = house.caller(uid);
    for _ in 0..500 {
        assert_eq!(caller.ask(about("begin"))["type"], "skip");
        assert_eq!(caller.ask(about("verify"))["type"], "wrong");
    }
    let of_nobody = |events: &[Value]| {
        let own = events.iter().filter(|event| event["peer_uid"] == uid);
        own.cloned().collect::<Vec<Value>>()
    };
    assert_eq!(of_nobody(&trail(&house, 200)).len(), 30);
    pass(10);
    caller.ask(about("verify"));
    let events = trail(&house, 200);
    let last = of_nobody(&events).pop().unwrap();
    assert_eq!(last["figures"]["unrecorded"], 970, "{last}");
    assert_eq!(events[0]["act"], "invite");
}
