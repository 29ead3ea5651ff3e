// SPDX-License-Identifier: GPL-3.0-or-later
//! What the daemon shows of itself: to another implementation's parser, to the dashboard, and to whoever
//! does not behave.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "this is test code outside of test functions"
)]

mod trial;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use openmetrics_parser::OpenMetricsType;
use openmetrics_parser::openmetrics::parse_openmetrics;
use serde_json::{Value, json};
use trial::{Trial, Wire, code, wrong_code};

const DASHBOARD: &str = "../packaging/grafana/mfa.json";

/// An address that nobody else uses: all of 127.0.0.0/8 is this host.
fn own_address() -> SocketAddr {
    static TAKEN: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    ([127, high, low, TAKEN.fetch_add(1, Ordering::Relaxed)], 9464).into()
}

fn serving() -> (Trial, SocketAddr) {
    let at = own_address();
    let mut trial = Trial::prepare(&format!("[metrics]\nlisten = \"{at}\"\n"));
    trial.run();
    (trial, at)
}

fn request(at: SocketAddr, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// The page, which must be one that another implementation reads.
fn scrape(at: SocketAddr) -> String {
    let (head, body) = request(at, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("Content-Type: application/openmetrics-text; version=1.0.0;"), "{head}");
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
    parse_openmetrics(&body).unwrap_or_else(|error| panic!("{error:?}\n{body}"));
    body
}

fn value(page: &str, series: &str) -> Option<f64> {
    let found = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    Some(found.parse().unwrap())
}

/// Names of the series on the page, without labels.
fn names(page: &str) -> BTreeSet<&str> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split(['{', ' ']).next().unwrap()).collect()
}

#[test]
fn another_implementation_reads_what_the_daemon_counts() {
    let (trial, at) = serving();
    for user in ["alice", "bob", "carol"] {
        trial.add(user);
    }
    assert_eq!(trial.verify("alice", &code(0))["type"], "accepted");
    for _ in 0..9 {
        trial.verify("bob", &wrong_code());
    }
    let page = scrape(at);
    let parsed = parse_openmetrics(&page).unwrap();
    let kind = |family: &str| &parsed.families[family].family_type;
    assert!(matches!(kind("mfa_decision_seconds"), OpenMetricsType::Histogram));
    assert!(matches!(kind("mfa_store_commit_changes"), OpenMetricsType::Histogram));
    assert!(matches!(kind("mfa_store_queue"), OpenMetricsType::Gauge));
    assert!(matches!(kind("mfa_users"), OpenMetricsType::Gauge));
    assert!(matches!(kind("mfa_users_locked"), OpenMetricsType::Gauge));
    assert!(matches!(kind("mfa_build"), OpenMetricsType::Info));
    for family in parsed.families.values() {
        assert!(!family.help.is_empty(), "{}", family.family_name);
    }
    let decided = |result: &str| {
        value(&page, &format!("mfa_decisions_total{{result=\"{result}\",service=\"test\"}}"))
    };
    assert_eq!((decided("accepted"), decided("denied")), (Some(1.0), Some(9.0)), "{page}");
    let last = value(&page, "mfa_last_success_timestamp_seconds").unwrap();
    assert!((0.0..60.0).contains(&(trial::now() as f64 - last)), "{last}");
    assert_eq!(value(&page, "mfa_users"), Some(3.0));
    assert_eq!(value(&page, "mfa_users_locked"), Some(1.0));
    assert_eq!(value(&page, "mfa_decision_seconds_count"), Some(10.0));
    assert_eq!(value(&page, "mfa_store_queue"), Some(0.0));
    assert!(value(&page, "mfa_store_commit_changes_count").unwrap() >= 10.0);
    for user in ["alice", "bob", "carol"] {
        assert!(!page.contains(user), "{user} in\n{page}");
    }
}

#[test]
fn nothing_else_is_answered_and_whoever_hangs_delays_no_login() {
    let (trial, at) = serving();
    trial.add("alice");
    for (line, status) in [
        ("GET / HTTP/1.1", "404 Not Found"),
        ("POST /metrics HTTP/1.1", "405 Method Not Allowed"),
        ("GET /metrics SIP/2.0", "400 Bad Request"),
    ] {
        let (head, _) = request(at, &format!("{line}\r\n\r\n"));
        assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{line}: {head}");
    }
    let long = format!("GET /metrics HTTP/1.1\r\nX: {}", "x".repeat(9_000));
    let mut stream = TcpStream::connect(at).unwrap();
    // It may be refused before all of it is sent.
    let _ = stream.write_all(long.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400 "));

    let hanging: Vec<_> = (0..40)
        .map(|_| {
            let mut stream = TcpStream::connect(at).unwrap();
            stream.write_all(b"GET /metrics HTTP/1.1\r\n").unwrap();
            stream
        })
        .collect();
    let begun = Instant::now();
    assert_eq!(trial.verify("alice", &code(0))["type"], "accepted");
    assert_eq!(trial.verify("alice", &code(0))["type"], "replayed");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    drop(hanging);
    assert_eq!(value(&scrape(at), "mfa_users"), Some(1.0));
}

#[test]
fn an_address_that_is_taken_keeps_no_login_waiting_and_one_for_everybody_is_refused() {
    let at = own_address();
    let taken = TcpListener::bind(at).unwrap();
    let mut trial = Trial::prepare(&format!("[metrics]\nlisten = \"{at}\"\n"));
    trial.run();
    trial.add("alice");
    assert_eq!(trial.verify("alice", &code(0))["type"], "accepted");
    assert!(trial.log().contains("no metrics: cannot listen"), "{}", trial.log());
    assert!(trial.end(Signal::SIGTERM).success());
    drop(taken);
    trial.run();
    assert_eq!(value(&scrape(at), "mfa_users"), Some(1.0));
    let open = Trial::prepare("[metrics]\nlisten = \"0.0.0.0:9464\"\n");
    let refused = open.refusal();
    assert!(refused.contains("line 8, ") && refused.contains("loopback"), "{refused}");
}

#[test]
fn a_socket_for_metrics_is_told_from_that_for_requests_in_either_order() {
    for metrics_first in [false, true] {
        let trial = Trial::prepare("");
        fs::create_dir(trial.path("run")).unwrap();
        let (path, at) = (trial.path("run/passed.sock"), own_address());
        let requests = OwnedFd::from(UnixListener::bind(&path).unwrap());
        let metrics = OwnedFd::from(TcpListener::bind(at).unwrap());
        let (first, second) = if metrics_first { (metrics, requests) } else { (requests, metrics) };
        // sd_listen_fds(3) by a shell, which can pass descriptors and name its own pid.
        let mut child = Command::new("sh")
            .arg("-c")
            .arg("exec 3<&0 4<&1 0</dev/null 1>&2; LISTEN_FDS=2 LISTEN_PID=$$ exec \"$@\"")
            .arg("sh")
            .arg(env!("CARGO_BIN_EXE_mfa-daemon"))
            .arg("--config")
            .arg(trial.path("mfa.toml"))
            .stdin(Stdio::from(first))
            .stdout(Stdio::from(second))
            .stderr(fs::File::create(trial.path("log")).unwrap())
            .spawn()
            .unwrap();
        let answer = Wire::connect(&path).ask(json!({"type": "params"}));
        assert_eq!(answer["type"], "params", "{}", trial.log());
        assert_eq!(value(&scrape(at), "mfa_users"), Some(0.0));
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGTERM).unwrap();
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn the_dashboard_can_be_imported_and_asks_for_nothing_that_is_not_there() {
    let (trial, at) = serving();
    trial.add("alice");
    assert_eq!(trial.verify("alice", &code(0))["type"], "accepted");
    let page = scrape(at);
    let exposed = names(&page);
    let board: Value = serde_json::from_str(&fs::read_to_string(DASHBOARD).unwrap()).unwrap();
    assert!(board["schemaVersion"].as_u64().unwrap() >= 36);
    assert!(!board["title"].as_str().unwrap().is_empty());
    assert_eq!(board.get("id"), None, "the importing Grafana gives it one");
    let variables = board["templating"]["list"].as_array().unwrap();
    let source = variables.iter().find(|variable| variable["type"] == "datasource").unwrap();
    assert_eq!((&source["name"], &source["query"]), (&json!("datasource"), &json!("prometheus")));
    let instance = variables.iter().find(|variable| variable["name"] == "instance").unwrap();
    assert_eq!(asked(instance["query"]["query"].as_str().unwrap()), ["mfa_build_info"]);

    let (mut ids, mut used) = (BTreeSet::new(), BTreeSet::new());
    let mut covered = BTreeSet::new();
    for panel in board["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title} has another's id");
        assert!(panel["type"].is_string(), "{title}");
        let place = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(place("x") + place("w") <= 24 && place("w") > 0 && place("h") > 0, "{title}");
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(covered.insert((x, y)), "{title} lies over another panel");
            }
        }
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{title}");
        for target in targets {
            assert!(target["refId"].is_string(), "{title}");
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
            let query = target["expr"].as_str().unwrap();
            assert!(!asked(query).is_empty(), "{title}: {query}");
            for name in asked(query) {
                assert!(exposed.contains(name), "{title}: {name} is not in\n{page}");
                used.insert(family(name).to_owned());
            }
        }
    }
    let all: BTreeSet<_> = exposed.iter().map(|name| family(name).to_owned()).collect();
    assert_eq!(used, all, "something is counted and not shown");
}

/// The metrics in a query.
fn asked(query: &str) -> Vec<&str> {
    let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
    words.filter(|word| word.starts_with("mfa_")).collect()
}

fn family(series: &str) -> &str {
    ["_bucket", "_sum", "_count"].iter().find_map(|end| series.strip_suffix(end)).unwrap_or(series)
}
