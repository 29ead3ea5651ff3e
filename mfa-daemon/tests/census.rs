// SPDX-License-Identifier: GPL-3.0-or-later
//! Who is counted as a user, and as locked.

#![expect(clippy::unwrap_used, reason = "this is test code outside of test functions")]

mod house;

use std::cell::Cell;

use house::{House, pass, wrong};
use mfa_daemon::metrics::census::Counted;
use mfa_daemon::store::StoreError;
use mfa_proto::UserName;
use serde_json::json;

fn count(house: &House) -> Counted {
    let rules = house.daemon.login_rules().lockout;
    house.daemon.store.count(house::now(), &rules, || true).unwrap()
}

#[test]
fn who_has_a_token_counts_and_who_only_waits_for_one_does_not() {
    let house = House::new("");
    assert_eq!(count(&house), Counted::default());
    house.enroll("alice", "phone");
    let bob = house.enroll("bob", "phone");
    assert_eq!(count(&house), Counted { users: 2, locked: 0 });
    for request in [
        json!({"type": "admin_invite", "user": "carol", "seconds": 600}),
        json!({"type": "admin_bypass", "user": "dave", "seconds": 600, "uses": 1}),
    ] {
        assert_eq!(house.ask(request)["type"], "issued");
    }
    assert_eq!(count(&house), Counted { users: 2, locked: 0 });
    let denied = (0..20).map(|_| house.verify("bob", &wrong(&bob)));
    assert!(denied.into_iter().any(|answer| answer == "locked"));
    assert_eq!(count(&house), Counted { users: 2, locked: 1 });
    pass(900);
    assert_eq!(count(&house), Counted { users: 2, locked: 0 });
}

#[test]
fn an_import_that_is_not_completed_adds_nobody_and_a_damaged_row_hides_no_other() {
    let house = House::new("");
    house.enroll("alice", "phone");
    house.enroll("zoe", "phone");
    let record = house.record("alice").unwrap();
    let users = (0..500).map(|n| UserName::new(format!("m{n:03}")).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let sealer = runtime.block_on(house.daemon.store.begin_import()).unwrap();
    let rows = users.map(|user| sealer.seal(user, record.clone()).unwrap()).collect();
    runtime.block_on(house.daemon.store.stage(rows)).unwrap();
    assert_eq!(count(&house).users, 2);
    let database = rusqlite::Connection::open(house.home.path().join("mfa.db")).unwrap();
    // More than two pages of users, which only the sealed rows' names and versions tell apart.
    database.execute("UPDATE import SET completed = begun", []).unwrap();
    assert_eq!(count(&house).users, 502);
    let damaged = "UPDATE user SET sealed = x'00' WHERE name = 'm499'";
    assert_eq!(database.execute(damaged, []).unwrap(), 1);
    assert_eq!(count(&house).users, 501);
}

#[test]
fn a_count_ends_where_the_daemon_does() {
    let house = House::new("");
    house.enroll("alice", "phone");
    let rules = house.daemon.login_rules().lockout;
    let asked = Cell::new(0);
    let once = || asked.replace(asked.get() + 1) < 1;
    let ended = house.daemon.store.count(house::now(), &rules, once);
    assert!(matches!(ended, Err(StoreError::Closed)));
    assert_eq!((asked.get(), count(&house).users), (2, 1));
}
