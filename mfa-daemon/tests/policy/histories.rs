// SPDX-License-Identifier: GPL-3.0-or-later
//! Random histories of one account through the policy and through its model, beside each other: two kinds of
//! token, resynchronisation, locks, recovery and bypass codes, graces, rotations, clocks that are set.

use std::collections::HashSet;

use mfa_crypto::{Code, Digits, Secret, hotp};
use mfa_daemon::policy::code::{self, Match};
use mfa_daemon::policy::due;
use mfa_daemon::policy::grace::Graces;
use mfa_daemon::policy::lockout::Lock;
use mfa_daemon::policy::login::{Attempt, By, Decision, Typed, decide};
use mfa_daemon::policy::pending::{Kind, Pending, PendingTokens, TRIES};
use mfa_daemon::policy::record::{Bypass, Factor, Record, Token};
use mfa_daemon::policy::rule::{GraceTerms, Terms};
use mfa_proto::explain::Outcome;
use mfa_proto::login::Origin;
use mfa_proto::status::GraceTie;
use mfa_proto::{Blob, UserName};
use proptest::prelude::*;

use crate::account::{NOW, RULES, token, totp};
use crate::household::{BypassCode, Confirmed, Expected, GRACE, Greeted, Household};

/// What happens.
#[derive(Clone, Debug)]
enum Event {
    /// So many seconds pass.
    Time(i64),
    /// Somebody sets the clock back by so many.
    SetBack(i64),
    /// The phone's code of so many steps from now.
    Phone(i64),
    /// The same of the secret before.
    OldPhone(i64),
    /// The key's code of so many counters from the next one.
    Key(i64),
    /// The last code of phone or key again.
    Again,
    /// Nobody's code.
    Wrong,
    /// One of three recovery codes, of which two are the account's.
    Recovery(u8),
    /// An administrator makes a bypass code: seconds, uses, whether only for sudo.
    Issue(i64, u32, bool),
    /// A bypass code, counted from the last one.
    Bypass(u8),
    Unlock,
    Rotate,
    /// The new secret's code of so many steps from now.
    Confirm(i64),
    /// A login begins.
    Begin,
    EndGrace,
    /// The next logins are to another service, or from another host.
    Elsewhere(u8),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (0_i64..=70).prop_map(Event::Time),
        2 => (0_i64..=1000).prop_map(Event::Time),
        1 => (1_i64..=400).prop_map(Event::SetBack),
        6 => (-2_i64..=2).prop_map(Event::Phone),
        3 => (-12_i64..=12).prop_map(Event::Phone),
        4 => (6_i64..=8).prop_map(Event::Phone),
        1 => (-1_i64..=1).prop_map(Event::OldPhone),
        5 => (-2_i64..=12).prop_map(Event::Key),
        2 => (-2_i64..=104).prop_map(Event::Key),
        3 => (30_i64..=32).prop_map(Event::Key),
        3 => Just(Event::Again),
        3 => Just(Event::Wrong),
        1 => (1_u8..=3).prop_map(Event::Recovery),
        1 => (1_i64..=900, 1_u32..=3, any::<bool>()).prop_map(|(s, u, o)| Event::Issue(s, u, o)),
        3 => (0_u8..=2).prop_map(Event::Bypass),
        1 => Just(Event::Unlock),
        1 => Just(Event::Rotate),
        2 => (-2_i64..=2).prop_map(Event::Confirm),
        3 => Just(Event::Begin),
        1 => Just(Event::EndGrace),
        2 => (0_u8..4).prop_map(Event::Elsewhere),
    ]
}

const PHONE: &str = "phone";

/// The phone with its secret of that number.
fn phone(secret: u64) -> Token {
    let sealed = Blob::new(format!("secret {secret} of the phone"));
    Token { sealed, created: secret, ..totp(PHONE) }
}

/// Seven digits, so that no code is the phone's as well.
fn key() -> Token {
    let digits = Digits::try_from(7).unwrap();
    Token { digits, ..token("key", Factor::Hotp { counter: 0 }) }
}

fn secret_of(token: &Token) -> Secret {
    Secret::new(token.sealed.as_bytes().to_vec())
}

fn code_of(token: &Token, at: i64) -> Code {
    hotp(&secret_of(token), token.algorithm, token.digits, at.cast_unsigned())
}

/// Whether the code belongs to another step or counter near it as well, as one in some ten thousand does: the
/// model knows steps, not codes.
fn has_twin(token: &Token, at: i64, code: &Code) -> bool {
    let reach = if matches!(token.factor, Factor::Totp { .. }) { 25 } else { 112 };
    let near = (at - reach).max(0)..=at + reach;
    near.into_iter().any(|other| other != at && code_of(token, other).as_str() == code.as_str())
}

/// What stands beside the model: the policy's own state.
struct Account {
    record: Record,
    graces: Graces,
    pending: PendingTokens,
    model: Household,
    owner: UserName,
    service: &'static str,
    host: u8,
    secrets: u64,
    issued: u8,
    last: Option<(Token, i64)>,
    /// What opened a login: a token's stored secret, and the step or counter.
    opened: HashSet<(Vec<u8>, i64)>,
}

impl Account {
    fn new() -> Self {
        let recovery = vec![Blob::new([1; 32]), Blob::new([2; 32])];
        Self {
            record: Record { tokens: vec![phone(0), key()], recovery, ..Record::default() },
            graces: Graces::default(),
            pending: PendingTokens::default(),
            model: Household::new(NOW.cast_signed(), vec![1, 2]),
            owner: UserName::new("alice").unwrap(),
            service: "sshd",
            host: 0,
            secrets: 0,
            issued: 0,
            last: None,
            opened: HashSet::new(),
        }
    }

    fn now(&self) -> u64 {
        self.model.now.cast_unsigned()
    }

    fn origin(&self) -> Origin {
        let rhost = Some(format!("192.0.2.{}", self.host));
        Origin { service: self.service.to_owned(), rhost, ..Origin::default() }
    }

    fn happens(&mut self, event: &Event) -> Result<(), TestCaseError> {
        match *event {
            Event::Time(seconds) => {
                self.model.now += seconds;
                self.model.uptime += seconds;
            }
            Event::SetBack(seconds) => {
                self.model.now = (self.model.now - seconds).max(NOW.cast_signed());
            }
            Event::Phone(offset) => {
                let at = self.model.step() + offset;
                self.token_code(&phone(self.model.secret()), at)?;
            }
            Event::OldPhone(offset) => {
                if let Some(before) = self.model.secret().checked_sub(1) {
                    self.token_code(&phone(before), self.model.step() + offset)?;
                }
            }
            Event::Key(ahead) => {
                self.token_code(&key(), (self.model.next_counter() + ahead).max(0))?;
            }
            Event::Again => {
                if let Some((token, at)) = self.last.clone() {
                    self.token_code(&token, at)?;
                }
            }
            Event::Wrong => {
                let code = Code::parse("00000000").unwrap();
                let expected = self.model.wrong();
                self.typed(&Typed::Code(code), expected)?;
            }
            Event::Recovery(number) => self.paper(number)?,
            Event::Bypass(back) => {
                if let Some(number) = self.issued.checked_sub(back).filter(|number| *number > 0) {
                    self.paper(100 + number)?;
                }
            }
            Event::Issue(seconds, uses, only) => self.issue(seconds, uses, only),
            Event::Unlock => self.unlock(),
            Event::Rotate => self.rotate(),
            Event::Confirm(offset) => self.confirm(offset)?,
            Event::Begin => self.begin()?,
            Event::EndGrace => {
                self.graces.end(&self.owner, self.model.uptime.cast_unsigned());
                self.model.end_graces();
            }
            Event::Elsewhere(place) => {
                (self.service, self.host) = (["sshd", "sudo"][usize::from(place % 2)], place / 2);
            }
        }
        prop_assert_eq!(self.record.check(), Ok(()));
        Ok(())
    }

    fn token_code(&mut self, token: &Token, at: i64) -> Result<(), TestCaseError> {
        let code = code_of(token, at);
        if has_twin(token, at, &code) {
            return Ok(());
        }
        self.last = Some((token.clone(), at));
        let expected = match token.factor {
            Factor::Totp { .. } => self.model.phone(token.created, at),
            Factor::Hotp { .. } => self.model.key(at),
        };
        self.typed(&Typed::Code(code), expected)?;
        if matches!(expected, Expected::Phone | Expected::Key) {
            let what = (token.sealed.as_bytes().to_vec(), at);
            prop_assert!(self.opened.insert(what), "one code, two logins");
            let terms = grace_terms();
            let uptime = self.model.uptime.cast_unsigned();
            self.graces.give(&self.owner, &self.origin(), &terms, uptime);
            self.model.give_grace(self.service, self.host);
        }
        Ok(())
    }

    fn paper(&mut self, number: u8) -> Result<(), TestCaseError> {
        let expected = self.model.paper(number, self.service);
        self.typed(&Typed::Recovery(Blob::new([number; 32])), expected)
    }

    fn typed(&mut self, typed: &Typed, expected: Expected) -> Result<(), TestCaseError> {
        let before = self.record.clone();
        let rhost = self.origin().rhost;
        let attempt = Attempt { now: self.now(), service: self.service, rhost: rhost.as_deref() };
        let decision =
            decide(&mut self.record, typed, &attempt, &RULES, |token| Some(secret_of(token)));
        let seen = match &decision {
            Decision::Accepted(success) => match &success.by {
                By::Token(name) if name == PHONE => Expected::Phone,
                By::Token(_) => Expected::Key,
                By::Recovery => Expected::Recovery,
                By::Bypass => Expected::Bypass,
            },
            Decision::Wrong { .. } | Decision::Replayed => Expected::Refused,
            Decision::Locked(lock) => Expected::Locked(seconds(*lock)?),
            other => return Err(TestCaseError::fail(format!("{other:?}"))),
        };
        prop_assert_eq!(seen, expected, "{:?}; {} failures", decision, self.model.failures);
        prop_assert_eq!(self.record.lockout.failures, self.model.failures);
        prop_assert_eq!(self.record.recovery.len(), self.model.recovery.len());
        prop_assert_eq!(self.record.bypasses.len(), self.model.bypasses.len());
        if matches!(seen, Expected::Locked(_)) {
            prop_assert_eq!(&self.record.tokens, &before.tokens);
        }
        let drift = self.record.tokens.iter().find_map(|token| match token.factor {
            Factor::Totp { drift, .. } => Some(i64::from(drift)),
            Factor::Hotp { .. } => None,
        });
        prop_assert_eq!(drift, Some(self.model.drift()));
        Ok(())
    }

    fn unlock(&mut self) {
        self.record.lockout.reset();
        let now = self.now();
        for token in &mut self.record.tokens {
            code::catch_up(token, now, RULES.skew);
        }
        // What opened while the clock was ahead is forgotten, but for the last of it.
        if let Some(last) = self.model.unlock() {
            let (current, sealed) = (self.model.step(), phone(self.model.secret()).sealed);
            self.opened.retain(|(secret, at)| {
                secret != sealed.as_bytes() || *at <= current || *at == last
            });
        }
    }

    fn issue(&mut self, seconds: i64, uses: u32, only: bool) {
        if self.record.bypasses.len() >= Record::MAX_BYPASSES || self.issued == 99 {
            return;
        }
        self.issued += 1;
        let (number, until) = (100 + self.issued, self.model.now + seconds);
        let only = only.then_some("sudo");
        self.model.bypasses.push(BypassCode { number, until, uses, only });
        self.record.bypasses.push(Bypass {
            hash: Blob::new([number; 32]),
            until: until.cast_unsigned(),
            uses_left: uses,
            service: only.map(str::to_owned),
        });
    }

    fn rotate(&mut self) {
        self.secrets += 1;
        let token = phone(self.secrets);
        let kind = Kind::Rotation { of: self.model.secret() };
        let since = self.model.uptime.cast_unsigned();
        self.pending.put(self.owner.clone(), Pending { token, kind, tries_left: TRIES, since });
        self.model.rotate(self.secrets);
    }

    fn confirm(&mut self, offset: i64) -> Result<(), TestCaseError> {
        let secret = self.model.waiting_secret().unwrap_or(self.secrets);
        let at = self.model.step() + offset;
        let typed = code_of(&phone(secret), at);
        if has_twin(&phone(secret), at, &typed) {
            return Ok(());
        }
        let expected = self.model.confirm(offset);
        let uptime = self.model.uptime.cast_unsigned();
        let Some(pending) = self.pending.get(&self.owner, PHONE, uptime).cloned() else {
            prop_assert_eq!(expected, Confirmed::NotPending);
            return Ok(());
        };
        let (token, now) = (&pending.token, self.now());
        let codes = code::codes(token, &secret_of(token));
        let seen = match code::look(token, &codes, &typed, now, RULES.skew) {
            Match::Fresh(factor) => {
                let active = pending.activate(&mut self.record, factor, now, Vec::new());
                prop_assert!(active.is_ok());
                self.pending.done(&self.owner, token);
                self.graces.end(&self.owner, uptime);
                let what = (token.sealed.as_bytes().to_vec(), at);
                prop_assert!(self.opened.insert(what));
                Confirmed::Active
            }
            Match::None | Match::Spent => Confirmed::Wrong(self.pending.wrong(&self.owner, token)),
        };
        prop_assert_eq!(seen, expected);
        Ok(())
    }

    fn begin(&mut self) -> Result<(), TestCaseError> {
        let (now, uptime) = (self.now(), self.model.uptime.cast_unsigned());
        let holds = self.graces.holds(&self.owner, &self.origin(), &grace_terms(), uptime);
        let terms = Terms { grace: Some(grace_terms()), ..Terms::PLAIN };
        let record = Some(&self.record);
        let seen = match due::outcome(record, &terms, &RULES.lockout, self.service, holds, now) {
            Outcome::Prompt {} => Greeted::Prompt,
            Outcome::Granted {} => Greeted::Granted,
            Outcome::Locked { seconds } => Greeted::Locked(seconds.map(u64::cast_signed)),
            other => return Err(TestCaseError::fail(format!("{other:?}"))),
        };
        prop_assert_eq!(seen, self.model.greet(self.service, self.host));
        Ok(())
    }
}

fn grace_terms() -> GraceTerms {
    GraceTerms { seconds: GRACE.cast_unsigned(), ties: vec![GraceTie::Host] }
}

fn seconds(lock: Lock) -> Result<Option<i64>, TestCaseError> {
    match lock {
        Lock::Wait(seconds) => Ok(Some(seconds.cast_signed())),
        Lock::Hard => Ok(None),
        Lock::Open => Err(TestCaseError::fail("locked by no lock")),
    }
}

fn run(events: &[Event]) -> Result<Account, TestCaseError> {
    let mut account = Account::new();
    for event in events {
        account.happens(event)?;
    }
    Ok(account)
}

proptest! {
    // The same histories each time: a code of one secret is one of the other's once in some hundred thousand, and
    // the model knows steps, not codes.
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(4226),
        ..ProptestConfig::default()
    })]

    #[test]
    fn in_thousands_of_histories_the_policy_does_what_its_model_does(
        events in prop::collection::vec(event(), 1..90),
    ) {
        run(&events)?;
    }
}

/// The events meet what the property is about; otherwise it would show nothing.
#[test]
fn histories_meet_two_tokens_a_lock_both_kinds_of_paper_a_grace_and_a_rotation() {
    let opened = |events: &[Event]| run(events).unwrap().opened.len();
    let two = [Event::Phone(0), Event::Key(0), Event::Again, Event::Key(10)];
    assert_eq!(opened(&two), 3);
    let resynchronised =
        [Event::Phone(7), Event::Time(30), Event::Phone(7), Event::Key(40), Event::Key(41)];
    assert_eq!(opened(&resynchronised), 2);
    let rotated =
        [Event::Phone(0), Event::Rotate, Event::Confirm(2), Event::Confirm(0), Event::OldPhone(1)];
    let account = run(&rotated).unwrap();
    assert_eq!((account.opened.len(), account.model.secret()), (2, 1));
    let papers =
        [Event::Recovery(1), Event::Issue(60, 2, false), Event::Bypass(0), Event::Bypass(0)];
    let account = run(&papers).unwrap();
    assert_eq!((account.record.recovery.len(), account.record.bypasses.len()), (1, 0));
    let mut account = run(&[Event::Phone(0)]).unwrap();
    assert_eq!(account.model.greet("sshd", 0), Greeted::Granted);
    assert_eq!(account.model.greet("sshd", 1), Greeted::Prompt);
    for _ in 0..5 {
        account.happens(&Event::Wrong).unwrap();
    }
    assert_eq!(account.model.greet("sshd", 1), Greeted::Locked(Some(30)));
    account.happens(&Event::Begin).unwrap();
}
