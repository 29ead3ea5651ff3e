// SPDX-License-Identifier: GPL-3.0-or-later
//! Two codes in a row bring a token back; one that was typed before its time is worth nothing.

use mfa_crypto::Period;
use mfa_daemon::policy::code::catch_up;
use mfa_daemon::policy::login::{Decision, Success, Typed};
use mfa_daemon::policy::record::{Factor, Record, Token};

use crate::account::{NOW, PATIENT, account, code, login, token, totp, wrong};

const STEP: u64 = NOW / 30;

fn ahead(offset: i64) -> u64 {
    STEP.saturating_add_signed(offset)
}

/// Types the code of a step, seen from [`STEP`], when so many seconds have passed.
fn typed(record: &mut Record, offset: i64, seconds: u64) -> Decision {
    let typed = code(&totp("phone"), ahead(offset));
    login(record, &typed, NOW + seconds, &PATIENT)
}

fn hint(seconds: i64) -> Decision {
    Decision::Wrong { clock_offset: Some(seconds) }
}

const WRONG: Decision = Decision::Wrong { clock_offset: None };

fn success(decision: Decision) -> Option<Success> {
    match decision {
        Decision::Accepted(success) => Some(success),
        _ => None,
    }
}

fn opens(decision: &Decision) -> bool {
    matches!(decision, Decision::Accepted(_))
}

fn drift(record: &Record) -> Option<i8> {
    match record.tokens[0].factor {
        Factor::Totp { drift, .. } => Some(drift),
        Factor::Hotp { .. } => None,
    }
}

#[test]
fn two_codes_in_a_row_of_a_clock_up_to_ten_steps_off_open_one_login_and_are_learned() {
    for offset in -20_i64..=20 {
        let mut record = account([totp("phone")]);
        let first = typed(&mut record, offset, 0);
        assert_eq!(record.lockout.failures, u32::from(offset.abs() > 1), "{offset}");
        match offset.abs() {
            0..=1 => assert!(opens(&first), "{offset}"),
            2..=10 => {
                assert_eq!(first, hint(offset * 30));
                let second = success(typed(&mut record, offset + 1, 30)).unwrap();
                assert!(second.resynchronised);
                assert_eq!(second.failures, 1);
                assert_eq!(second.clock_offset, Some(offset * 30));
                assert_eq!(drift(&record), i8::try_from(offset).ok());
                assert_eq!(typed(&mut record, offset, 30), Decision::Replayed);
                assert_eq!(typed(&mut record, offset + 1, 30), Decision::Replayed);
                let third = success(typed(&mut record, offset + 2, 60)).unwrap();
                assert!(!third.resynchronised);
            }
            _ => {
                assert_eq!(first, WRONG);
                assert!(!opens(&typed(&mut record, offset + 1, 30)), "{offset}");
            }
        }
    }
}

#[test]
fn the_second_code_must_be_next_later_in_time_and_by_the_same_clock() {
    // What is typed between, step and moment of the second code, whether it opens.
    for (between, offset, seconds, expected) in [
        (None, 6, 30, true),
        (None, 6, 0, true),  // typed at the turn of the phone's step
        (None, 6, 59, true), // slow at typing
        (None, 7, 30, true),
        (None, 8, 30, false), // another clock
        (None, 5, 30, false), // the same code
        (None, 4, 0, false),  // an earlier one
        (None, 15, 300, true),
        (None, 15, 301, false), // not in a row any more
        (Some(wrong(NOW)), 6, 30, false),
        (Some(code(&totp("phone"), ahead(-6))), 6, 30, false),
    ] {
        let mut record = account([totp("phone")]);
        assert_eq!(typed(&mut record, 5, 0), hint(150));
        if let Some(between) = &between {
            assert!(!opens(&login(&mut record, between, NOW, &PATIENT)));
        }
        let second = typed(&mut record, offset, seconds);
        let what = format!("{} {offset} {seconds}", between.is_some());
        assert_eq!(opens(&second), expected, "{what}: {second:?}");
    }
}

#[test]
fn the_second_code_comes_within_ten_minutes_however_long_a_period_is() {
    for (seconds, expected) in [(300, true), (600, true), (601, false), (900, false)] {
        let period = Period::try_from(300).unwrap();
        let slow = token("phone", Factor::Totp { period, last_step: None, drift: 0 });
        let mut record = account([slow.clone()]);
        let first = login(&mut record, &code(&slow, NOW / 300 + 4), NOW, &PATIENT);
        assert_eq!(first, hint(1200));
        let now = NOW + seconds;
        let second = login(&mut record, &code(&slow, now / 300 + 4), now, &PATIENT);
        assert_eq!(opens(&second), expected, "{seconds}");
    }
}

#[test]
fn a_typing_slip_costs_one_more_code_and_attempts_while_locked_cost_nothing() {
    let mut record = account([totp("phone")]);
    assert_eq!(typed(&mut record, 5, 0), hint(150));
    assert_eq!(login(&mut record, &wrong(NOW), NOW, &PATIENT), WRONG);
    assert_eq!(typed(&mut record, 6, 30), hint(150));
    record.lockout.failures = 100;
    let locked = login(&mut record, &wrong(NOW), NOW + 30, &crate::account::RULES);
    assert!(matches!(locked, Decision::Locked(_)));
    assert!(opens(&typed(&mut record, 7, 60)));
}

/// A guess that met a future step is told so by the hint. Whatever is typed or accepted before that
/// step comes, its code opens nothing when it has come; a code that was never typed does.
#[test]
fn a_guess_that_met_a_future_step_gains_nothing() {
    type Between = fn(&mut Record);
    let between: [(&str, Between); 6] = [
        ("nothing", |_| {}),
        ("a wrong code", |record| {
            login(record, &wrong(NOW), NOW, &PATIENT);
        }),
        ("another future step that is later", |record| {
            assert!(!opens(&typed(record, 10, 0)));
        }),
        ("another future step that is earlier", |record| {
            assert!(!opens(&typed(record, 3, 0)));
        }),
        ("a past step", |record| {
            assert!(!opens(&typed(record, -5, 0)));
        }),
        ("a login of the owner's", |record| {
            assert!(opens(&typed(record, 0, 0)));
        }),
    ];
    for met in 2_i64..=10 {
        for (what, between) in &between {
            for early in [-1_i64, 0, 1] {
                let seconds = u64::try_from((met + early) * 30).unwrap();
                let mut record = account([totp("phone")]);
                assert_eq!(typed(&mut record, met, 0), hint(met * 30));
                // The row ends, as the guesser may want it to.
                login(&mut record, &wrong(NOW), NOW, &PATIENT);
                between(&mut record);
                let mut control = record.clone();
                control.tokens[0].near = None;
                let guess = typed(&mut record, met, seconds);
                assert_eq!(guess, Decision::Replayed, "{met} {early}, then {what}");
                assert!(opens(&typed(&mut control, met, seconds)), "{met} {early}, then {what}");
                let owner = typed(&mut record, 22, 22 * 30);
                assert!(opens(&owner), "{met} {early}, then {what}: {owner:?}");
            }
        }
    }
}

#[test]
fn many_guesses_that_met_future_steps_are_all_barred() {
    let mut record = account([totp("phone")]);
    let met = [7, 2, 9, 3, 10, 5];
    for offset in met {
        assert!(!opens(&typed(&mut record, offset, 0)));
        login(&mut record, &wrong(NOW), NOW, &PATIENT);
    }
    for offset in 2..=10 {
        let mut record = record.clone();
        let seconds = u64::try_from(offset * 30).unwrap();
        let decision = typed(&mut record, offset, seconds);
        assert_eq!(opens(&decision), !met.contains(&offset), "{offset}: {decision:?}");
    }
}

#[test]
fn what_is_barred_is_bounded_and_forgotten_once_the_token_has_passed_it() {
    let mut record = account([totp("phone")]);
    for offset in 0..200 {
        typed(&mut record, offset + 5 + offset % 3, u64::try_from(offset * 30).unwrap());
        login(&mut record, &wrong(NOW), NOW, &PATIENT);
    }
    let near = record.tokens[0].near.as_ref().unwrap();
    assert_eq!(near.barred.len(), 31);
    assert_eq!(record.check(), Ok(()));
    assert!(opens(&typed(&mut record, 300, 9000)));
    assert_eq!(record.tokens[0].near, None);
}

#[test]
fn a_clock_that_was_put_right_comes_back_by_two_codes_without_a_hint_that_it_is_off() {
    let mut record = account([totp("phone")]);
    typed(&mut record, 8, 0);
    assert!(opens(&typed(&mut record, 9, 30)));
    assert_eq!(drift(&record), Some(8));
    assert_eq!(typed(&mut record, 20, 600), WRONG);
    let back = success(typed(&mut record, 21, 630)).unwrap();
    assert!(back.resynchronised);
    assert_eq!((back.clock_offset, drift(&record)), (None, Some(0)));
}

#[test]
fn nothing_is_resynchronised_while_the_clock_is_behind_the_last_success() {
    // Guesses are not counted then, so two of them must not open anything either.
    let mut record = account([totp("phone")]);
    assert!(opens(&typed(&mut record, 5, 150)));
    for (offset, seconds) in [(6, 0), (7, 30)] {
        assert_eq!(typed(&mut record, offset, seconds), Decision::ClockBehind, "{offset}");
    }
    // Beside a token that is not ahead they are counted, but open no more.
    let mut beside = account([record.tokens[0].clone(), totp("watch")]);
    for (offset, seconds) in [(6, 0), (7, 30)] {
        assert_eq!(typed(&mut beside, offset, seconds), WRONG, "{offset}");
    }
    let mut control = account([totp("phone"), totp("watch")]);
    assert_eq!(typed(&mut control, 6, 0), hint(180));
    assert!(opens(&typed(&mut control, 7, 30)));
}

#[test]
fn a_code_used_before_the_clock_was_set_back_stays_used_when_its_time_comes_after_an_unlock() {
    let mut record = account([totp("phone")]);
    assert!(opens(&typed(&mut record, 10, 300)));
    catch_up(&mut record.tokens[0], NOW, 1);
    let mut control = record.clone();
    control.tokens[0].near = None;
    for record in [&mut record, &mut control] {
        assert!(opens(&typed(record, 1, 30)), "the unlock is of use");
    }
    assert_eq!(typed(&mut record, 10, 300), Decision::Replayed);
    assert!(opens(&typed(&mut control, 10, 300)));
    assert!(opens(&typed(&mut record, 11, 330)));
}

#[test]
fn a_barred_code_typed_in_its_window_is_not_the_first_of_two() {
    let mut record = account([totp("phone")]);
    assert_eq!(typed(&mut record, 5, 0), hint(150));
    assert_eq!(typed(&mut record, 5, 120), Decision::Replayed);
    assert_eq!(typed(&mut record, 6, 120), hint(60));
    assert!(opens(&typed(&mut record, 7, 150)), "but the next two are two in a row");
}

/// One code in some hundred thousand fits two future steps; then both are barred.
#[test]
fn a_guess_that_met_two_future_steps_gains_neither() {
    let text = |step| match code(&totp("phone"), step) {
        Typed::Code(code) => code.as_str().to_owned(),
        Typed::CodeOrScratch(..) | Typed::Recovery(_) | Typed::Neither => String::new(),
    };
    let (one, other) = TWINS;
    assert_eq!(text(one), text(other));
    let now = (one - 2) * 30;
    for met in [one, other] {
        let mut record = account([totp("phone")]);
        let guess = code(&totp("phone"), one);
        assert!(matches!(login(&mut record, &guess, now, &PATIENT), Decision::Wrong { .. }));
        login(&mut record, &wrong(now), now, &PATIENT);
        let mut control = record.clone();
        control.tokens[0].near = None;
        assert_eq!(login(&mut record, &guess, met * 30, &PATIENT), Decision::Replayed);
        assert!(opens(&login(&mut control, &guess, met * 30, &PATIENT)));
    }
}

/// Two steps of one code, few steps apart.
const TWINS: (u64, u64) = (60_340_215, 60_340_223);

#[test]
fn failures_never_widen_the_window() {
    let mut record = account([totp("phone")]);
    for n in 0..50 {
        login(&mut record, &wrong(NOW + n), NOW, &PATIENT);
    }
    for (offset, expected) in [(2, false), (-2, false), (1, true)] {
        assert_eq!(opens(&typed(&mut record, offset, 0)), expected, "{offset}");
    }
}

fn press(record: &mut Record, counter: u64) -> Decision {
    let key: Token = token("key", Factor::Hotp { counter: 0 });
    login(record, &code(&key, counter), NOW, &PATIENT)
}

#[test]
fn two_counters_in_a_row_up_to_a_hundred_ahead_bring_a_key_back() {
    for (first, second, expected) in [
        (21, 22, true),
        (110, 111, true),
        (111, 112, false), // too far
        (30, 30, false),
        (30, 29, false),
        (30, 32, false),
        (9, 30, false),
    ] {
        let mut record = account([token("key", Factor::Hotp { counter: 10 })]);
        assert_eq!(press(&mut record, first), WRONG, "{first}");
        let decision = press(&mut record, second);
        assert_eq!(opens(&decision), expected, "{first} {second}: {decision:?}");
        if expected {
            assert_eq!(record.tokens[0].factor, Factor::Hotp { counter: second + 1 });
            assert_eq!(record.tokens[0].near, None);
            assert!(!opens(&press(&mut record, first)) && !opens(&press(&mut record, second)));
            assert!(opens(&press(&mut record, second + 1)));
        }
    }
}

#[test]
fn a_counter_typed_before_its_time_never_opens_a_login_by_itself() {
    let mut record = account([token("key", Factor::Hotp { counter: 10 })]);
    assert_eq!(press(&mut record, 25), WRONG);
    assert!(opens(&press(&mut record, 18)), "breaks the row and brings 25 into the window");
    assert_eq!(press(&mut record, 25), Decision::Replayed);
    assert!(opens(&press(&mut record, 26)));
    let mut slipped = account([token("key", Factor::Hotp { counter: 10 })]);
    press(&mut slipped, 25);
    press(&mut slipped, 5);
    assert_eq!(press(&mut slipped, 26), WRONG, "not in a row");
    assert!(opens(&press(&mut slipped, 27)));
}
