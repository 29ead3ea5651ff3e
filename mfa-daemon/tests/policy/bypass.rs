// SPDX-License-Identifier: GPL-3.0-or-later
//! Bypass codes: for a time, for a number of uses, perhaps for one service.

use mfa_daemon::policy::login::{By, Decision, Typed};
use mfa_daemon::policy::record::{Bypass, Record};
use mfa_proto::Blob;

use crate::account::{NOW, RULES, account, code, login, totp, wrong};

const WRONG: Decision = Decision::Wrong { clock_offset: None };

fn bypass(byte: u8, until: u64, uses_left: u32, service: Option<&str>) -> Bypass {
    let service = service.map(str::to_owned);
    Bypass { hash: Blob::new([byte; 32]), until, uses_left, service }
}

fn owner() -> Record {
    Record { recovery: vec![Blob::new([1; 32]), Blob::new([2; 32])], ..account([totp("phone")]) }
}

/// What opened the login and how many wrong codes came before.
fn opened(decision: Decision) -> Option<(By, u32)> {
    match decision {
        Decision::Accepted(success) => Some((success.by, success.failures)),
        _ => None,
    }
}

#[test]
fn a_bypass_code_opens_its_uses_until_its_end_for_its_service() {
    let typed = Typed::Recovery(Blob::new([7; 32]));
    let good = Some((By::Bypass, 0));
    for (until, uses, service, expected) in [
        (NOW + 1, 1, None, good.clone()),
        (NOW + 1, 1, Some("sshd"), good),
        (NOW + 1, 1, Some("sudo"), None),
        (NOW, 1, None, None),
        (NOW + 1, 0, None, None),
    ] {
        let bypasses = vec![bypass(7, until, uses, service), bypass(8, NOW + 9, 1, None)];
        let mut record = Record { bypasses, ..Record::default() };
        let decision = login(&mut record, &typed, NOW, &RULES);
        let accepted = expected.is_some();
        assert_eq!(opened(decision), expected, "{until} {uses} {service:?}");
        assert_eq!(record.lockout.failures, u32::from(!accepted));
        let gone = accepted || until == NOW;
        assert_eq!(record.bypasses.len(), if gone { 1 } else { 2 });
    }
}

#[test]
fn a_bypass_code_of_two_uses_opens_two_logins_and_leaves_the_count_as_it_is() {
    let mut record = Record { bypasses: vec![bypass(7, NOW + 60, 2, None)], ..owner() };
    let typed = Typed::Recovery(Blob::new([7; 32]));
    let other = Typed::Recovery(Blob::new([8; 32]));
    assert_eq!(login(&mut record, &other, NOW, &RULES), WRONG);
    assert_eq!(opened(login(&mut record, &typed, NOW, &RULES)), Some((By::Bypass, 1)));
    assert_eq!(opened(login(&mut record, &typed, NOW, &RULES)), Some((By::Bypass, 1)));
    assert_eq!(login(&mut record, &typed, NOW, &RULES), WRONG);
    assert_eq!(record.lockout.failures, 2);
    assert_eq!(record.recovery.len(), 2);
}

#[test]
fn an_expired_bypass_code_goes_with_the_next_write_and_not_before() {
    let expired = || Record { bypasses: vec![bypass(7, NOW, 2, None)], ..owner() };
    for (typed, left) in [(Typed::Neither, 1), (wrong(NOW), 0), (code(&totp("phone"), NOW / 30), 0)]
    {
        let mut record = expired();
        login(&mut record, &typed, NOW, &RULES);
        assert_eq!(record.bypasses.len(), left);
        assert_eq!(record == expired(), left == 1, "only a record that is kept is unchanged");
    }
}
