// SPDX-License-Identifier: GPL-3.0-or-later
//! Scratch codes: eight digits, as a token's code may have them, that open one login each.

use mfa_crypto::{Code, Digits};
use mfa_daemon::policy::lockout::Lock;
use mfa_daemon::policy::login::{By, Decision, Typed, read};
use mfa_daemon::policy::record::{Record, Token};
use mfa_proto::Blob;

use crate::account::{NOW, RULES, account, code, login, totp};

const SCRATCH: &str = "12345678";

/// What is stored of a scratch code, in these tests.
fn hash(code: &Code) -> [u8; 32] {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(code.as_str().as_bytes());
    hash
}

fn typed(text: &str) -> Typed {
    read(text, |_| [0; 32], hash)
}

fn with_scratch(tokens: impl Into<Vec<Token>>) -> Record {
    let recovery = vec![Blob::new(hash(&Code::parse(SCRATCH).unwrap()))];
    Record { recovery, ..account(tokens) }
}

fn by(decision: &Decision) -> Option<&By> {
    match decision {
        Decision::Accepted(success) => Some(&success.by),
        _ => None,
    }
}

/// A token of eight digits, and its code of this step as somebody types it.
fn eight(step: u64) -> (Token, String) {
    let token = Token { digits: Digits::try_from(8).unwrap(), ..totp("card") };
    let Typed::Code(code) = code(&token, step) else { panic!("another form") };
    (token, code.as_str().to_owned())
}

#[test]
fn only_eight_digits_may_be_a_scratch_code() {
    for (text, may_be) in [
        ("123456", false),
        ("1234567", false),
        (SCRATCH, true),
        ("1234 5678", true),
        ("123456789", false),
        ("1234567a", false),
    ] {
        assert_eq!(matches!(typed(text), Typed::CodeOrScratch(..)), may_be, "{text}");
    }
}

#[test]
fn a_scratch_code_opens_one_login_and_does_not_reset_the_count() {
    let mut record = with_scratch([totp("phone")]);
    let wrong = login(&mut record, &typed("87654321"), NOW, &RULES);
    assert_eq!((wrong, record.lockout.failures), (Decision::Wrong { clock_offset: None }, 1));
    let opened = login(&mut record, &typed(SCRATCH), NOW, &RULES);
    assert_eq!((by(&opened), record.lockout.failures), (Some(&By::Recovery), 1));
    assert!(record.recovery.is_empty());
    let again = login(&mut record, &typed(SCRATCH), NOW, &RULES);
    assert_eq!((again, record.lockout.failures), (Decision::Wrong { clock_offset: None }, 2));
}

#[test]
fn a_scratch_code_opens_nothing_while_locked_nor_without_a_token() {
    let mut record = with_scratch([totp("phone")]);
    for _ in 0..5 {
        login(&mut record, &typed("87654321"), NOW, &RULES);
    }
    let locked = login(&mut record, &typed(SCRATCH), NOW, &RULES);
    assert_eq!(locked, Decision::Locked(Lock::Wait(30)));
    assert!(by(&login(&mut record, &typed(SCRATCH), NOW + 30, &RULES)).is_some());

    let mut without = with_scratch([]);
    assert!(by(&login(&mut without, &typed(SCRATCH), NOW, &RULES)).is_none());
    assert_eq!(without.recovery.len(), 1);
}

#[test]
fn a_scratch_code_works_also_where_the_clock_was_set_back() {
    let mut record = with_scratch([totp("phone")]);
    assert!(by(&login(&mut record, &code(&totp("phone"), NOW / 30), NOW, &RULES)).is_some());
    let earlier = NOW - 86_400;
    let other = login(&mut record, &typed("87654321"), earlier, &RULES);
    assert_eq!(other, Decision::ClockBehind);
    assert_eq!(by(&login(&mut record, &typed(SCRATCH), earlier, &RULES)), Some(&By::Recovery));
}

#[test]
fn beside_a_token_of_eight_digits_both_work_and_neither_spends_the_other() {
    let (token, now) = eight(NOW / 30);
    let mut record = with_scratch([token]);
    let opened = login(&mut record, &typed(&now), NOW, &RULES);
    assert_eq!(by(&opened), Some(&By::Token("card".to_owned())));
    assert_eq!(record.recovery.len(), 1);
    assert_eq!(by(&login(&mut record, &typed(SCRATCH), NOW, &RULES)), Some(&By::Recovery));
    assert_eq!(login(&mut record, &typed(&now), NOW, &RULES), Decision::Replayed);
}

#[test]
fn digits_that_are_both_open_one_login() {
    let (token, now) = eight(NOW / 30);
    let mut record = with_scratch([token]);
    record.recovery = vec![Blob::new(hash(&Code::parse(&now).unwrap()))];
    let opened = login(&mut record, &typed(&now), NOW, &RULES);
    assert_eq!(by(&opened), Some(&By::Token("card".to_owned())));
    assert_eq!(login(&mut record, &typed(&now), NOW, &RULES), Decision::Replayed);

    // The token's code was typed before the scratch code came.
    record.recovery = vec![Blob::new(hash(&Code::parse(&now).unwrap()))];
    assert_eq!(login(&mut record, &typed(&now), NOW, &RULES), Decision::Replayed);
}
