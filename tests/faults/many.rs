// SPDX-License-Identifier: GPL-3.0-or-later
//! What many users must not change: the room that first logins need, and what one login costs.

use std::time::Duration;

use mfa_proto::login::{Origin, Verify, VerifyAnswer};
use mfa_proto::transfer::{AdminImport, TransferAnswer};
use mfa_proto::{Client, Deadline, Request, TypedCode, UserName};
use mfa_tests::account::Account;
use mfa_tests::daemon::Daemon;
use mfa_tests::disk::Disk;
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

/// More than any answer here takes.
const PATIENCE: Duration = Duration::from_secs(60);

fn client(daemon: &Daemon) -> Client {
    Client::connect(&daemon.socket(), Deadline::after(PATIENCE)).expect("a daemon")
}

fn verify(client: &mut Client, user: &Account, code: &str) -> VerifyAnswer {
    let request = Request::Verify(Verify {
        user: UserName::new(&user.name).expect("a name"),
        code: TypedCode::new(code).expect("a code"),
        origin: Origin { service: "test".to_owned(), ..Origin::default() },
    });
    client.call(&request, Deadline::after(PATIENCE)).expect("an answer")
}

/// Rows grow by nothing that a login writes down: without that, the pages that are kept free would be used
/// up by the first two or three thousand.
#[test]
fn on_a_full_disk_ten_thousand_users_log_in_for_the_first_time() {
    let disk = Disk::of_mib(64);
    let daemon = Daemon::start_on(&disk.path());
    let users: Vec<_> = (0..10_000).map(|at| Account::hotp(&format!("user{at:05}"))).collect();
    daemon.import(&users);
    disk.fill();
    let mut client = client(&daemon);
    for user in &users {
        let first = verify(&mut client, user, &user.code(0));
        assert!(matches!(first, VerifyAnswer::Accepted(_)), "{first:?} {}", daemon.log());
    }
    for user in users.iter().step_by(10) {
        let again = verify(&mut client, user, &user.code(0));
        assert!(!matches!(again, VerifyAnswer::Accepted(_)), "{}", user.name);
        let next = verify(&mut client, user, &user.code(1));
        assert!(matches!(next, VerifyAnswer::Accepted(_)), "{next:?} {}", daemon.log());
    }
    assert_eq!(disk.free_blocks(), 0);
    disk.empty();
}

/// What the daemon has computed for, with the threads that have ended.
fn processor_time(daemon: &Daemon) -> Duration {
    let pid = Pid::from_raw(i32::try_from(daemon.pid()).expect("a process id"));
    let clock = clock_getcpuclockid(pid).expect("its clock");
    clock.now().expect("its time").into()
}

fn many(daemon: &Daemon, count: usize) {
    let mut client = client(daemon);
    let deadline = || Deadline::after(PATIENCE);
    let begun = client.call(&Request::AdminImportBegin {}, deadline()).expect("an answer");
    assert!(matches!(begun, TransferAnswer::ImportBegun {}), "{begun:?}");
    for first in (0..count).step_by(200) {
        let tokens = (first..count.min(first + 200))
            .map(|at| Account::hotp(&format!("many{at:07}")).as_import())
            .collect();
        let import = Request::AdminImport(AdminImport { tokens, accounts: Vec::new() });
        let staged = client.call(&import, deadline()).expect("an answer");
        assert!(matches!(staged, TransferAnswer::Staged { .. }), "{staged:?}");
    }
    let done = client.call(&Request::AdminImportCommit {}, deadline()).expect("an answer");
    assert!(matches!(done, TransferAnswer::Imported { .. }), "{done:?}");
}

/// The processor's time, which is the same on a busy machine. A look at every user would take a thousand
/// times as long, and a lookup without an index as well.
#[test]
fn a_login_and_a_lockout_cost_the_same_among_a_million_users_as_among_ten() {
    const LOGINS: usize = 2_000;
    // Of two thousand counters some come to their first code again within the look-ahead: it opens a login then.
    let users: Vec<_> = (0..)
        .map(|at| Account::hotp(&format!("some{at:05}")))
        .filter(|user| (1..100).all(|counter| user.code(counter) != user.code(0)))
        .take(LOGINS)
        .collect();
    let costs = [10, 1_000_000].map(|count| {
        let daemon = Daemon::start();
        many(&daemon, count);
        daemon.import(&users);
        let mut client = client(&daemon);
        let before = processor_time(&daemon);
        for user in &users {
            let first = verify(&mut client, user, &user.code(0));
            assert!(matches!(first, VerifyAnswer::Accepted(_)), "{first:?}");
            let wrong = verify(&mut client, user, &user.code(0));
            assert!(!matches!(wrong, VerifyAnswer::Accepted(_)), "{}: {wrong:?}", user.name);
        }
        processor_time(&daemon) - before
    });
    let [few, many] = costs;
    println!("{LOGINS} logins and as many refusals: {few:?} among ten, {many:?} among a million");
    assert!(many < few * 2, "{many:?} to {few:?}");
}
