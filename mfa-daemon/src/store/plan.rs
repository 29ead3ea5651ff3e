// SPDX-License-Identifier: GPL-3.0-or-later
//! What the statements of a login cost SQLite's machine, which does not depend on how many users there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use getrandom::SysRng;
use mfa_crypto::MasterKey;
use mfa_proto::UserName;

use super::sqlite::{Blank, Sqlite};
use crate::keyring::Keyring;
use crate::policy::record::Record;

fn user(n: usize) -> UserName {
    UserName::new(format!("user{n:05}")).unwrap()
}

fn with(users: usize) -> (tempfile::TempDir, Sqlite) {
    let home = tempfile::tempdir().unwrap();
    let keys = Keyring::new(MasterKey::generate(&mut SysRng).unwrap());
    let blank = Blank::open(&home.path().join("db"), true).unwrap();
    let store = blank.with_keys(Arc::new(keys)).unwrap();
    store.begin().unwrap();
    for n in 0..users {
        store.put(&user(n), None, &Record::default()).unwrap();
    }
    store.commit().unwrap();
    (home, store)
}

/// Instructions of SQLite's machine.
fn steps(store: &mut Sqlite, work: impl Fn(&Sqlite)) -> u64 {
    // Once before: what is prepared stays so.
    work(store);
    let counted = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&counted);
    let count = move || {
        counter.fetch_add(1, Ordering::Relaxed);
        false
    };
    store.connection.progress_handler(1, Some(count)).unwrap();
    work(store);
    store.connection.progress_handler(0, None::<fn() -> bool>).unwrap();
    counted.load(Ordering::Relaxed)
}

#[test]
fn what_a_login_asks_of_the_database_is_found_by_an_index() {
    let mut stores = [10, 5_000].map(with);
    let mut both = |work: fn(&Sqlite)| stores.each_mut().map(|(_, store)| steps(store, work));
    let login = both(|store| {
        store.begin().unwrap();
        let row = store.get(&user(7)).unwrap().unwrap();
        store.put(&user(7), Some(row.version), &row.record).unwrap();
        store.commit().unwrap();
    });
    assert_eq!(login[0], login[1]);
    let unknown = both(|store| assert!(store.get(&user(99_999)).unwrap().is_none()));
    assert_eq!(unknown[0], unknown[1]);
    let page = both(|store| assert_eq!(store.list(Some(&user(2)), 5).unwrap().len(), 5));
    assert_eq!(page[0], page[1]);
    // The control: what looks at everybody.
    let everybody = both(|store| {
        let all = "SELECT count(*) FROM user WHERE length(sealed) = 1";
        assert_eq!(store.connection.query_row(all, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
    });
    assert!(everybody[1] > 100 * everybody[0], "{everybody:?}");
}
