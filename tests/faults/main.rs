// SPDX-License-Identifier: GPL-3.0-or-later
//! What of the fault catalogue is not for every run: `make test-faults`.

#![expect(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "test code")]

mod arithmetic;
mod floods;
mod load;
mod many;
mod module;
mod races;
mod seals;
mod side_channels;
mod starts;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use data_encoding::BASE32_NOPAD;
use mfa_tests::account::Account;
use mfa_tests::daemon::Daemon;
use mfa_tests::disk::Disk;
use mfa_tests::host::Host;
use mfa_tests::stack::{Stack, line};

const USERS: usize = 6;

fn login(stack: &Stack, user: &str, code: &str) -> String {
    let host = Host::new(env!("CARGO_BIN_EXE_pam-host"), stack, user);
    host.answer(code).run().authenticated().to_owned()
}

/// The neighbours rewrite a file with each login, for which a full disk has no room.
#[test]
fn on_the_same_full_disk_two_neighbours_log_nobody_in_and_mfa_everybody() {
    let disk = Disk::of_mib(48);
    let daemon = Daemon::start_on(&disk.path());
    let users: Vec<_> = (0..USERS).map(|at| Account::totp(&format!("user{at}"))).collect();
    daemon.import(&users);
    let at = disk.path();
    let private = |name: String, text: String| {
        let path = at.join(name);
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("its mode");
    };
    let mut oath = String::new();
    for user in &users {
        let secret = BASE32_NOPAD.encode(user.secret());
        let google =
            format!("{secret}\n\" WINDOW_SIZE 3\n\" DISALLOW_REUSE\n\" TOTP_AUTH\n12345678\n");
        private(user.name.clone(), google);
        let hex = data_encoding::HEXLOWER.encode(user.secret());
        oath += &format!("HOTP/T30/6 {} - {hex}\n", user.name);
    }
    private("users.oath".to_owned(), oath);
    let at = at.display();
    let google =
        format!("auth required pam_google_authenticator.so secret={at}/${{USER}} user=root\n");
    let oath = format!("auth required pam_oath.so usersfile={at}/users.oath window=20 digits=6\n");
    let ours = line("auth", "required", &daemon.socket(), "");
    let stacks = [("mfa", ours), ("google_authenticator", google), ("pam_oath", oath)]
        .map(|(name, lines)| (name, Stack::of_lines(&lines)));
    let (first, others) = users.split_first().expect("a user");
    for (name, stack) in &stacks {
        assert_eq!(
            login(stack, &first.name, &first.code_now()),
            "PAM_SUCCESS",
            "{name}, with room"
        );
    }
    disk.fill();
    let mut admitted = Vec::new();
    for (name, stack) in &stacks {
        let results = others.iter().map(|user| login(stack, &user.name, &user.code_now()));
        let count = results.filter(|result| result == "PAM_SUCCESS").count();
        println!("{name}: {count} of {} on a full disk", others.len());
        admitted.push(count);
    }
    assert_eq!(admitted, [others.len(), 0, 0]);
    disk.empty();
    for (name, stack) in &stacks {
        assert_eq!(login(stack, &first.name, &first.next_code()), "PAM_SUCCESS", "{name}, again");
    }
}
