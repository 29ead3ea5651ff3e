// SPDX-License-Identifier: GPL-3.0-or-later
//! What is counted under which name, and how many names there can be.

use mfa_proto::login::Origin;
use mfa_proto::{Peer, UserName};

use super::*;
use crate::audit::Event;

fn event(act: Act, result: ActResult, service: &str, uid: u32) -> AuditEvent {
    let peer = Peer { uid, gid: uid, pid: 1 };
    let origin = Origin { service: service.to_owned(), ..Origin::default() };
    let user = UserName::new("alice").unwrap();
    Event::new(act, result, peer, 1_800_000_000).of(&user).from(&origin).numbered(1)
}

fn text(metrics: &Arc<Metrics>) -> String {
    expose(metrics).unwrap()
}

#[test]
fn decisions_are_counted_by_result_and_service_and_other_acts_are_not() {
    let metrics = Arc::default();
    let decide = |act, result, service: &str| {
        Metrics::decided(&metrics, &event(act, result, service, 0));
    };
    decide(Act::Login, ActResult::Denied, "sshd");
    decide(Act::Login, ActResult::Denied, "sshd");
    assert!(!text(&metrics).contains("mfa_last_success"));
    decide(Act::Unlock, ActResult::Done, "sshd");
    decide(Act::Login, ActResult::Granted, "sudo");
    decide(Act::Login, ActResult::Accepted, "a\"b\\c");
    decide(Act::Login, ActResult::Denied, "");
    let text = text(&metrics);
    for line in [
        "mfa_decisions_total{result=\"denied\",service=\"sshd\"} 2",
        "mfa_decisions_total{result=\"granted\",service=\"sudo\"} 1",
        "mfa_decisions_total{result=\"denied\",service=\"other\"} 1",
        "mfa_last_success_timestamp_seconds 1800000000",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert_eq!(text.lines().filter(|line| line.starts_with("mfa_decisions_total{")).count(), 4);
    assert!(!text.contains("alice"));
}

#[test]
fn services_are_bounded_and_no_unprivileged_process_takes_all_their_labels() {
    let metrics = Arc::default();
    let decide = |service: &str, uid| {
        let event = event(Act::Login, ActResult::Denied, service, uid);
        Metrics::decided(&metrics, &event);
    };
    let services = || {
        let text = text(&metrics);
        text.lines().filter(|line| line.starts_with("mfa_decisions_total{")).count()
    };
    for n in 0..1_000 {
        decide(&format!("mine{n}"), 1_000);
    }
    assert_eq!(services(), UNPRIVILEGED_SERVICES_MAX + 1);
    decide("sshd", 0);
    assert!(text(&metrics).contains("service=\"sshd\"} 1"));
    decide("sshd", 1_000);
    assert!(text(&metrics).contains("service=\"sshd\"} 2"));
    for n in 0..1_000 {
        decide(&format!("roots{n}"), 0);
    }
    assert_eq!(services(), SERVICES_MAX + 1);
}

#[test]
fn the_queue_is_what_waits_now_and_a_commit_what_shared_it() {
    let metrics = Arc::<Metrics>::default();
    let waiting = [metrics.waits(), metrics.waits()];
    assert!(text(&metrics).contains("\nmfa_store_queue 2\n"));
    drop(waiting);
    assert!(text(&metrics).contains("\nmfa_store_queue 0\n"));
    metrics.committed(1);
    metrics.committed(3);
    metrics.answered(Duration::from_millis(3));
    let text = text(&metrics);
    for line in [
        "mfa_store_commit_changes_bucket{le=\"1.0\"} 1",
        "mfa_store_commit_changes_bucket{le=\"4.0\"} 2",
        "mfa_store_commit_changes_count 2",
        "mfa_decision_seconds_bucket{le=\"0.0025\"} 0",
        "mfa_decision_seconds_bucket{le=\"0.005\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn users_are_told_once_they_were_counted() {
    let metrics = Arc::<Metrics>::default();
    assert!(!text(&metrics).contains("mfa_users"));
    assert!(metrics.census.begin(0));
    metrics.census.end(0, 0, Some(census::Counted { users: 3, locked: 1 }));
    let text = text(&metrics);
    assert!(text.contains("\nmfa_users 3\n") && text.contains("\nmfa_users_locked 1\n"), "{text}");
    assert!(text.ends_with("# EOF\n"));
}
