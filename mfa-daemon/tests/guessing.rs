// SPDX-License-Identifier: GPL-3.0-or-later
//! The figures of docs/guessing.md, computed from the decisions themselves and confirmed by chance.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "this is test code outside of test functions"
)]

use mfa_crypto::{Algorithm, Code, Digits, Period, Secret, hotp};
use mfa_daemon::config::Config;
use mfa_daemon::policy::code::LOOK_AHEAD;
use mfa_daemon::policy::lockout::{Lock, LockoutRules};
use mfa_daemon::policy::login::{Attempt, Decision, LoginRules, Typed, decide};
use mfa_daemon::policy::record::{Factor, Record, Token};
use mfa_proto::Blob;

const NOW: u64 = 1_800_000_000;
const DAY: u64 = 86_400;

/// Far more guesses than any row of the table allows in a year.
const WITHOUT_END: u64 = 100_000;

/// One line of the table.
struct Row {
    hotp: bool,
    tokens: u64,
    digits: u32,
    rules: LoginRules,
    logins_a_day: u64,
}

impl Row {
    fn parse(cells: &[&str]) -> Self {
        let number = |at: usize| cells[at].parse().unwrap();
        Self {
            hotp: cells[0] == "HOTP",
            tokens: number(1),
            digits: cells[2].parse().unwrap(),
            rules: LoginRules {
                skew: number(3),
                lockout: LockoutRules {
                    free_attempts: number(4),
                    base_seconds: number(5),
                    max_seconds: number(6),
                    hard_limit: number(7),
                },
            },
            logins_a_day: number(8),
        }
    }

    fn per_guess(&self) -> f64 {
        let steps = if self.hotp { LOOK_AHEAD + 1 } else { 2 * self.rules.skew + 1 };
        exactly(steps * self.tokens) / exactly(10_u64.pow(self.digits))
    }

    /// What the table must say of so many days.
    fn cells(&self, days: u64) -> [String; 2] {
        let guesses = guesses(&self.rules, self.logins_a_day, days * DAY);
        [guesses.to_string(), percent(chance(self.per_guess(), guesses))]
    }
}

fn exactly(number: u64) -> f64 {
    f64::from(u32::try_from(number).unwrap())
}

/// 1 − (1 − p)^n.
fn chance(per_guess: f64, guesses: u64) -> f64 {
    -(exactly(guesses) * (-per_guess).ln_1p()).exp_m1()
}

/// Two significant digits.
fn percent(chance: f64) -> String {
    let percent = chance * 100.0;
    let decimals = (0..9).find(|n| percent * 10_f64.powi(*n) >= 9.5).unwrap_or(9);
    format!("{percent:.*} %", usize::try_from(decimals).unwrap())
}

fn token() -> Token {
    Token {
        name: "phone".into(),
        factor: Factor::Totp { period: Period::default(), last_step: None, drift: 0 },
        algorithm: Algorithm::Sha1,
        digits: Digits::default(),
        sealed: Blob::new(b"12345678901234567890".to_vec()),
        created: 0,
        last_used: None,
        near: None,
    }
}

fn account() -> Record {
    Record { tokens: vec![token()], ..Record::default() }
}

fn secret(token: &Token) -> Secret {
    Secret::new(token.sealed.as_bytes().to_vec())
}

fn code(step: u64) -> Typed {
    Typed::Code(hotp(&secret(&token()), Algorithm::Sha1, Digits::default(), step))
}

fn type_in(record: &mut Record, typed: &Typed, now: u64, rules: &LoginRules) -> Decision {
    let attempt = Attempt { now, service: "sshd", rhost: Some("192.0.2.1") };
    decide(record, typed, &attempt, rules, |token| Some(secret(token)))
}

/// A guess that is surely wrong: no secret opens, so no code is computed.
fn type_wrong(record: &mut Record, now: u64, rules: &LoginRules) -> Decision {
    let typed = Typed::Code(Code::parse("000000").unwrap());
    let attempt = Attempt { now, service: "sshd", rhost: Some("192.0.2.6") };
    decide(record, &typed, &attempt, rules, |_| None)
}

/// Guesses that are evaluated in so many seconds, of somebody who types the next one as soon as it
/// is. Where the owner logs in, he stops one short of the hard limit, so that the owner can.
fn guesses(rules: &LoginRules, logins_a_day: u64, seconds: u64) -> u64 {
    let mut record = account();
    let (mut now, mut count) = (NOW, 0);
    let every = DAY.checked_div(logins_a_day);
    let mut due = every.map(|every| NOW + every);
    while now < NOW + seconds && count < WITHOUT_END {
        let owner = due.is_some_and(|due| due <= now);
        let holds_back = u64::from(record.lockout.failures) + 1 >= rules.lockout.hard_limit;
        let decision = match due {
            Some(_) if owner => type_in(&mut record, &code(now / 30), now, rules),
            Some(due) if holds_back => {
                now = due;
                continue;
            }
            _ => type_wrong(&mut record, now, rules),
        };
        match decision {
            Decision::Accepted(_) if owner => due = due.zip(every).map(|(due, every)| due + every),
            Decision::Wrong { .. } if !owner => count += 1,
            Decision::Locked(Lock::Wait(seconds)) => now += seconds,
            Decision::Locked(Lock::Hard) => return count,
            other => panic!("{other:?} to the {}", if owner { "owner" } else { "guesser" }),
        }
    }
    count
}

fn table() -> Vec<Vec<String>> {
    let page = include_str!("../../docs/guessing.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'));
    rows.map(|row| row.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>())
        .filter(|cells| cells[0] == "TOTP" || cells[0] == "HOTP")
        .collect()
}

#[test]
fn every_figure_in_the_document_is_what_the_policy_gives() {
    let table = table();
    assert!(table.len() >= 10, "the table of docs/guessing.md was not found");
    let mut wrong = Vec::new();
    for cells in table {
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        let row = Row::parse(&cells);
        let figures = [row.cells(1), row.cells(365)].concat();
        if figures != cells[9..] {
            wrong.push(format!("| {} | {} |", cells[..9].join(" | "), figures.join(" | ")));
        }
    }
    assert!(wrong.is_empty(), "these lines must be:\n{}", wrong.join("\n"));
}

#[test]
fn the_first_two_lines_of_the_table_are_the_default_configuration() {
    let config = Config::default();
    let lockout = &config.lockout;
    for (line, logins) in table().iter().zip(["0", "1"]) {
        let expected = [
            "TOTP".to_owned(),
            "1".to_owned(),
            config.token.digits.get().to_string(),
            config.token.skew_steps.get().to_string(),
            lockout.free_attempts.get().to_string(),
            lockout.base_seconds.get().to_string(),
            lockout.max_seconds.get().to_string(),
            lockout.hard_limit.get().to_string(),
            logins.to_owned(),
        ];
        assert_eq!(line[..9], expected);
    }
}

const DEFAULT: LoginRules = LoginRules {
    skew: 1,
    lockout: LockoutRules { free_attempts: 5, base_seconds: 30, max_seconds: 900, hard_limit: 100 },
};

#[test]
fn without_the_lock_guesses_would_have_no_end_and_with_it_they_do() {
    assert_eq!(guesses(&DEFAULT, 0, 365 * DAY), 100);
    let lockout = LockoutRules { free_attempts: u64::MAX, hard_limit: u64::MAX, ..DEFAULT.lockout };
    let open = LoginRules { lockout, ..DEFAULT };
    assert_eq!(guesses(&open, 0, 1), WITHOUT_END);
}

#[test]
fn who_never_pauses_at_all_is_locked_out_within_a_day() {
    let (mut record, mut now) = (account(), NOW);
    let mut last = now;
    while now < NOW + 2 * DAY {
        assert!(record.lockout.failures <= 100, "nothing ends the guessing");
        match type_wrong(&mut record, now, &DEFAULT) {
            Decision::Wrong { .. } => last = now,
            Decision::Locked(Lock::Wait(seconds)) => now += seconds,
            other => {
                assert_eq!(other, Decision::Locked(Lock::Hard));
                break;
            }
        }
    }
    // "22 hours and 46 minutes" in the document.
    assert_eq!((last - NOW + 30) / 60, 22 * 60 + 46);
    assert_eq!(
        type_in(&mut record, &code(now / 30 + 1), now, &DEFAULT),
        Decision::Locked(Lock::Hard)
    );
}

/// SplitMix64: the same numbers in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// Guesses at one account until it opens or is locked for good, each as soon as it is evaluated: how
/// many were evaluated and whether it opened. `guess` says how many steps from now the code is taken.
fn guess_at(rules: &LoginRules, mut guess: impl FnMut() -> i64) -> (u64, bool) {
    let (mut record, mut now, mut count) = (account(), NOW, 0);
    loop {
        let step = (now / 30).saturating_add_signed(guess());
        match type_in(&mut record, &code(step), now, rules) {
            Decision::Accepted(_) => return (count + 1, true),
            Decision::Wrong { .. } | Decision::Replayed => count += 1,
            Decision::Locked(Lock::Wait(seconds)) => now += seconds,
            Decision::Locked(_) => return (count, false),
            other => panic!("{other:?}"),
        }
        assert!(count <= 100, "nothing ends the guessing");
    }
}

/// Whether a share of `trials` is what the chance says, within four standard deviations: a right one
/// fails with 1 in 15,000, and the numbers are the same in every run.
fn confirms(hits: u64, trials: u64, chance: f64) {
    let expected = exactly(trials) * chance;
    let deviation = (expected * (1.0 - chance)).sqrt();
    let off = (exactly(hits) - expected).abs();
    assert!(off <= 4.0 * deviation, "{hits} of {trials}, expected {expected:.1} ± {deviation:.1}");
}

/// A million codes would need a million guesses for a single hit. Here 61 codes stand for them: those
/// of the window and of 58 steps that are neither in the window nor near it, so 3 in 61 are right.
#[test]
fn a_guess_is_right_as_often_as_the_formula_says() {
    let mut numbers = Numbers(1);
    let (mut hits, mut evaluated) = (0, 0);
    for _ in 0..250 {
        let (count, opened) = guess_at(&DEFAULT, || match numbers.below(61).cast_signed() {
            offset @ 0..=2 => offset - 1,
            far => far + 20,
        });
        hits += u64::from(opened);
        evaluated += count;
    }
    assert!(evaluated > 3_000);
    confirms(hits, evaluated, 3.0 / 61.0);
}

/// With all the steps around, so that hints and bars and resynchronisation take part as well, and
/// with the lock: the share of accounts that open before 100 wrong codes lock them.
#[test]
fn of_many_accounts_as_many_open_before_the_lock_as_the_formula_says() {
    let mut numbers = Numbers(2);
    let mut opened = 0;
    for _ in 0..80 {
        let (count, open) = guess_at(&DEFAULT, || numbers.below(401).cast_signed() - 200);
        assert!(count <= 100);
        opened += u64::from(open);
    }
    confirms(opened, 80, chance(3.0 / 401.0, 100));
}
