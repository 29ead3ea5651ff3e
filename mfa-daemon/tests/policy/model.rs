// SPDX-License-Identifier: GPL-3.0-or-later
//! The policy as a state machine, against a model of it that is written from the design.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use mfa_crypto::Code;
use mfa_daemon::policy::lockout::Lock;
use mfa_daemon::policy::login::{By, Decision, Typed};
use mfa_daemon::policy::record::{Factor, Record};
use mfa_proto::Blob;
use proptest::prelude::*;

use crate::account::{NOW, RULES, account, code, login, totp, wrong};

const STEP: i64 = (NOW / 30).cast_signed();

/// What happens.
#[derive(Clone, Debug)]
enum Event {
    /// So many seconds pass; negative: the clock is set back.
    Time(i64),
    /// The token's code of so many steps from now.
    Code(i64),
    /// The last code again.
    Again,
    /// A code of nobody's.
    Wrong,
    /// One of three recovery codes, of which two are the account's.
    Recovery(u8),
    /// One of three scratch codes, of which two are the account's.
    Scratch(u8),
    /// Not a code.
    Neither,
}

/// What is expected of the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Token,
    Recovery,
    Refused,
    NotACode,
    Locked,
    ClockBehind,
}

#[derive(Default)]
struct Model {
    now: i64,
    last_step: i64,
    drift: i64,
    /// Steps whose code was typed before its time.
    barred: HashSet<i64>,
    /// Step and moment of the code before this one, where it was near.
    row: Option<(i64, i64)>,
    recovery: HashSet<u8>,
    scratch: HashSet<u8>,
    failures: u32,
    wait_from: i64,
}

impl Model {
    fn current(&self) -> i64 {
        self.now / 30
    }

    fn locked(&mut self) -> bool {
        if self.failures < 5 {
            return false;
        }
        self.wait_from = self.wait_from.min(self.now);
        let waits = [30, 60, 120, 240, 480];
        let wait = waits.get(self.failures as usize - 5).copied().unwrap_or(900);
        self.failures >= 100 || self.now < self.wait_from + wait
    }

    fn fail(&mut self) -> Expected {
        self.failures += 1;
        self.wait_from = self.now;
        Expected::Refused
    }

    fn succeed(&mut self, step: i64) -> Expected {
        self.last_step = step;
        self.failures = 0;
        self.row = None;
        Expected::Token
    }

    /// A code that belongs to this step, or to none.
    fn code(&mut self, step: Option<i64>) -> Expected {
        if self.locked() {
            return Expected::Locked;
        }
        let (current, row) = (self.current(), self.row);
        if self.last_step > current + self.drift + 3 {
            return Expected::ClockBehind;
        }
        self.row = None;
        let Some(step) = step else { return self.fail() };
        let (offset, known) = (step - current, step <= self.last_step);
        if (offset - self.drift).abs() <= 1 {
            if known || self.barred.contains(&step) {
                return self.fail();
            }
            let furthest = self.drift.abs().max(2);
            self.drift += (offset - self.drift).signum();
            self.drift = self.drift.clamp(-furthest, furthest);
            return self.succeed(step);
        }
        if offset.abs() > 10 || known {
            return self.fail();
        }
        if let Some((first, seen)) = row
            && !self.barred.contains(&step)
            && step > first
            && (0..=300).contains(&(self.now - seen))
            && (offset - (first - seen / 30)).abs() <= 1
        {
            self.drift = offset;
            return self.succeed(step);
        }
        self.barred.insert(step);
        self.row = Some((step, self.now));
        self.fail()
    }

    /// Its digits are no code of the token's, so the tokens' rules hold as for any wrong code.
    fn scratch(&mut self, which: u8) -> Expected {
        if self.locked() {
            return Expected::Locked;
        }
        let clock_is_behind = self.last_step > self.current() + self.drift + 3;
        if !clock_is_behind {
            self.row = None;
        }
        if self.scratch.remove(&which) {
            Expected::Recovery
        } else if clock_is_behind {
            Expected::ClockBehind
        } else {
            self.fail()
        }
    }

    fn recovery(&mut self, which: u8) -> Expected {
        if self.locked() {
            Expected::Locked
        } else if self.recovery.remove(&which) {
            Expected::Recovery
        } else {
            self.fail()
        }
    }
}

/// The step of every code that a run can type; codes of two steps are left out.
fn steps() -> &'static HashMap<String, Option<i64>> {
    static STEPS: OnceLock<HashMap<String, Option<i64>>> = OnceLock::new();
    STEPS.get_or_init(|| {
        let mut steps = HashMap::new();
        for step in STEP - 100..STEP + 3000 {
            steps
                .entry(text(&code(&totp("phone"), step.cast_unsigned())))
                .and_modify(|step| *step = None)
                .or_insert(Some(step));
        }
        steps
    })
}

fn text(typed: &Typed) -> String {
    match typed {
        Typed::Code(code) => code.as_str().to_owned(),
        Typed::CodeOrScratch(..) | Typed::Recovery(_) | Typed::Neither => String::new(),
    }
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0_i64..=70).prop_map(Event::Time),
        2 => (0_i64..=1000).prop_map(Event::Time),
        1 => (-400_i64..0).prop_map(Event::Time),
        6 => (-3_i64..=3).prop_map(Event::Code),
        5 => (-12_i64..=12).prop_map(Event::Code),
        // A clock that is wrong by much the same all the time.
        6 => (6_i64..=8).prop_map(Event::Code),
        2 => Just(Event::Again),
        3 => Just(Event::Wrong),
        1 => (1_u8..=3).prop_map(Event::Recovery),
        1 => (1_u8..=3).prop_map(Event::Scratch),
        1 => Just(Event::Neither),
    ]
}

fn compare(decision: &Decision, expected: Expected, model: &Model) -> Result<(), TestCaseError> {
    let seen = match decision {
        Decision::Accepted(success) if success.by == By::Recovery => Expected::Recovery,
        Decision::Accepted(_) => Expected::Token,
        Decision::Wrong { .. } | Decision::Replayed => Expected::Refused,
        Decision::NotACode => Expected::NotACode,
        Decision::Locked(Lock::Open) => return Err(TestCaseError::fail("locked by no lock")),
        Decision::Locked(_) => Expected::Locked,
        Decision::ClockBehind => Expected::ClockBehind,
        Decision::Held => return Err(TestCaseError::fail("nothing was put back")),
    };
    prop_assert_eq!(seen, expected, "{:?}; {} failures", decision, model.failures);
    Ok(())
}

fn start() -> (Record, Model) {
    let mut record = account([totp("phone")]);
    record.recovery = [1, 2, 11, 12].map(|hash| Blob::new([hash; 32])).to_vec();
    let (recovery, scratch) = (HashSet::from([1, 2]), HashSet::from([1, 2]));
    (record, Model { now: NOW.cast_signed(), recovery, scratch, ..Model::default() })
}

fn run(events: Vec<Event>) -> Result<HashSet<i64>, TestCaseError> {
    let (mut record, mut model) = start();
    let mut opened = HashSet::new();
    let mut last = STEP;
    for event in events {
        let before = record.clone();
        let now = model.now.cast_unsigned();
        let step = match event {
            Event::Time(seconds) => {
                model.now = (model.now + seconds).max(NOW.cast_signed());
                continue;
            }
            Event::Neither => {
                let expected = if model.locked() { Expected::Locked } else { Expected::NotACode };
                compare(&login(&mut record, &Typed::Neither, now, &RULES), expected, &model)?;
                prop_assert_eq!(record.lockout.failures, before.lockout.failures);
                continue;
            }
            Event::Recovery(which) => {
                let typed = Typed::Recovery(Blob::new([which; 32]));
                let expected = model.recovery(which);
                compare(&login(&mut record, &typed, now, &RULES), expected, &model)?;
                prop_assert_eq!(record.lockout.failures, model.failures);
                continue;
            }
            Event::Scratch(which) => {
                let code = Code::parse("12345678").unwrap();
                let typed = Typed::CodeOrScratch(code, Blob::new([10 + which; 32]));
                let expected = model.scratch(which);
                compare(&login(&mut record, &typed, now, &RULES), expected, &model)?;
                prop_assert_eq!(record.lockout.failures, model.failures);
                prop_assert_eq!(record.recovery.len(), model.recovery.len() + model.scratch.len());
                continue;
            }
            Event::Code(offset) => Some(model.current() + offset),
            Event::Again => Some(last),
            Event::Wrong => None,
        };
        let typed = match step {
            Some(step) => code(&totp("phone"), step.cast_unsigned()),
            None => wrong(now),
        };
        // One code in a million fits a second step by chance.
        if steps().get(&text(&typed)).copied() != step.map(Some) {
            continue;
        }
        last = step.unwrap_or(last);
        let expected = model.code(step);
        let decision = login(&mut record, &typed, now, &RULES);
        compare(&decision, expected, &model)?;
        prop_assert_eq!(record.lockout.failures, model.failures);
        match expected {
            Expected::Locked | Expected::ClockBehind => {
                prop_assert_eq!(&record.tokens, &before.tokens);
                prop_assert_eq!(record.lockout.failures, before.lockout.failures);
            }
            Expected::Token => {
                let step = step.unwrap_or_default();
                prop_assert!(opened.insert(step), "step {} opened two logins", step);
                let Factor::Totp { last_step, drift, .. } = record.tokens[0].factor else {
                    return Err(TestCaseError::fail("another factor"));
                };
                prop_assert_eq!(last_step, Some(step.cast_unsigned()));
                prop_assert_eq!(i64::from(drift), model.drift);
            }
            _ => {}
        }
        prop_assert_eq!(record.check(), Ok(()));
    }
    Ok(opened)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_policy_decides_as_its_model(events in prop::collection::vec(event(), 1..80)) {
        run(events)?;
    }
}

/// The events of the property meet what it is about; otherwise it would show nothing.
#[test]
fn runs_of_the_model_open_logins_lock_and_resynchronise() {
    let opened = run(vec![
        Event::Code(0),
        Event::Again,
        Event::Time(30),
        Event::Code(7),
        Event::Time(30),
        Event::Code(7),
        Event::Time(30),
        Event::Code(8),
    ]);
    assert_eq!(opened.unwrap(), HashSet::from([STEP, STEP + 9, STEP + 11]));
    let (mut record, _) = start();
    for _ in 0..5 {
        login(&mut record, &wrong(NOW), NOW, &RULES);
    }
    let locked = login(&mut record, &wrong(NOW), NOW, &RULES);
    assert_eq!(locked, Decision::Locked(Lock::Wait(30)));
}
