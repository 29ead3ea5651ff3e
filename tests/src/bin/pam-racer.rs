// SPDX-License-Identifier: GPL-3.0-or-later
//! A login program that stays: `pam-racer CONFDIR SERVICE`. Each line of its input is a user and a code, with a
//! space between; each line of its output is what `pam_authenticate` made of them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "test code")]

use std::env;
use std::ffi::CString;
use std::io::{Write, stdin, stdout};

use mfa_tests::pam_host::{Call, OneCode, Transaction, result_name};
use mfa_tests::syslog;

fn main() {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [confdir, service] = arguments.as_slice() else {
        panic!("usage: pam-racer CONFDIR SERVICE")
    };
    syslog::leave_unread();
    for line in stdin().lines() {
        let line = line.unwrap();
        let (user, code) = line.split_once(' ').unwrap();
        let user = CString::new(user).unwrap();
        let code = OneCode(CString::new(code).unwrap());
        let transaction = Transaction::start(confdir.as_ref(), service, Some(&user), code);
        let result = match transaction {
            Ok(mut transaction) => transaction.call(Call::Authenticate, 0),
            Err(result) => result,
        };
        writeln!(stdout().lock(), "{}", result_name(result)).unwrap();
    }
}
