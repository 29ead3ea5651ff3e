// SPDX-License-Identifier: GPL-3.0-or-later
//! A model of an account with a phone, a key, recovery and bypass codes, graces and rotations, written from
//! the design and without a look at how the policy does it: lists, sets and seconds.

use std::collections::HashMap;

/// Seconds that a grace lasts.
pub(crate) const GRACE: i64 = 600;

/// What is expected of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Phone,
    Key,
    Recovery,
    Bypass,
    Refused,
    /// For so many seconds.
    Locked(Option<i64>),
}

/// What is expected before anything is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Greeted {
    Prompt,
    Granted,
    Locked(Option<i64>),
}

/// What is expected of the first code of a new secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Confirmed {
    Active,
    /// So many tries are left.
    Wrong(u8),
    NotPending,
}

/// Codes that were typed before their time: none opens a login by itself. The last is the first of two,
/// until another code breaks the row.
#[derive(Default)]
struct Early {
    known: Vec<i64>,
    in_row: bool,
    since: i64,
}

#[derive(Default)]
struct Phone {
    secret: u64,
    last_step: i64,
    drift: i64,
    early: Early,
}

#[derive(Default)]
struct Key {
    next: i64,
    early: Early,
}

pub(crate) struct BypassCode {
    pub(crate) number: u8,
    pub(crate) until: i64,
    pub(crate) uses: u32,
    pub(crate) only: Option<&'static str>,
}

struct Waiting {
    secret: u64,
    since: i64,
    tries: u8,
}

#[derive(Default)]
pub(crate) struct Household {
    pub(crate) now: i64,
    /// Of a clock that is never set.
    pub(crate) uptime: i64,
    phone: Phone,
    key: Key,
    waiting: Option<Waiting>,
    pub(crate) recovery: Vec<u8>,
    pub(crate) bypasses: Vec<BypassCode>,
    graces: HashMap<(&'static str, u8), i64>,
    pub(crate) failures: u32,
    wait_from: i64,
}

impl Early {
    fn note(&mut self, at: i64, now: i64) {
        self.known.retain(|known| *known != at);
        self.known.push(at);
        if self.known.len() > 32 {
            self.known.remove(0);
        }
        (self.in_row, self.since) = (true, now);
    }

    fn first_of_two(&self) -> Option<(i64, i64)> {
        self.in_row.then(|| (*self.known.last().unwrap(), self.since))
    }
}

impl Household {
    pub(crate) fn new(now: i64, recovery: Vec<u8>) -> Self {
        Self { now, recovery, ..Self::default() }
    }

    pub(crate) fn step(&self) -> i64 {
        self.now / 30
    }

    pub(crate) fn secret(&self) -> u64 {
        self.phone.secret
    }

    pub(crate) fn waiting_secret(&self) -> Option<u64> {
        self.waiting.as_ref().map(|waiting| waiting.secret)
    }

    pub(crate) fn next_counter(&self) -> i64 {
        self.key.next
    }

    pub(crate) fn drift(&self) -> i64 {
        self.phone.drift
    }

    /// Seconds that are to be waited; `None` of those: until somebody unlocks.
    fn lock(&self, wait_from: i64) -> Option<Option<i64>> {
        let waits = [30, 60, 120, 240, 480];
        match self.failures {
            0..5 => None,
            100.. => Some(None),
            failures => {
                let wait = waits.get(failures as usize - 5).copied().unwrap_or(900);
                let left = wait_from + wait - self.now;
                (left > 0).then_some(Some(left))
            }
        }
    }

    /// An attempt after the clock was set back begins the wait anew.
    fn attempt(&mut self) -> Option<Expected> {
        if self.failures >= 5 && self.failures < 100 {
            self.wait_from = self.wait_from.min(self.now);
        }
        self.lock(self.wait_from).map(Expected::Locked)
    }

    fn over(&mut self, expected: Expected) -> Expected {
        match expected {
            Expected::Refused => {
                self.failures += 1;
                self.wait_from = self.now;
            }
            Expected::Phone | Expected::Key => self.failures = 0,
            Expected::Recovery | Expected::Bypass | Expected::Locked(_) => {}
        }
        self.bypasses.retain(|bypass| self.now < bypass.until && bypass.uses > 0);
        expected
    }

    /// A code of the phone's secret of that number, for a step.
    pub(crate) fn phone(&mut self, secret: u64, step: i64) -> Expected {
        if let Some(locked) = self.attempt() {
            return locked;
        }
        let row = self.phone.early.first_of_two();
        self.break_rows();
        let (now, current) = (self.now, self.step());
        let phone = &mut self.phone;
        let offset = step - current;
        let in_window = (offset - phone.drift).abs() <= 1;
        let early = phone.early.known.contains(&step);
        if secret != phone.secret || step <= phone.last_step {
            return self.over(Expected::Refused);
        }
        if in_window {
            if early {
                return self.over(Expected::Refused);
            }
            let furthest = phone.drift.abs().max(2);
            let drift = phone.drift + (offset - phone.drift).signum();
            phone.drift = drift.clamp(-furthest, furthest);
            return self.phone_opens(step);
        }
        let clock_was_set_back = phone.last_step > current + phone.drift + 3;
        if offset.abs() > 10 || clock_was_set_back {
            return self.over(Expected::Refused);
        }
        if let Some((first, since)) = row
            && !early
            && step > first
            && (0..=300).contains(&(now - since))
            && (offset - (first - since / 30)).abs() <= 1
        {
            phone.drift = offset;
            return self.phone_opens(step);
        }
        phone.early.note(step, now);
        self.over(Expected::Refused)
    }

    fn phone_opens(&mut self, step: i64) -> Expected {
        self.phone.last_step = step;
        self.phone.early.known.retain(|known| *known > step);
        self.phone.early.in_row = false;
        self.over(Expected::Phone)
    }

    /// The key's code of a counter.
    pub(crate) fn key(&mut self, counter: i64) -> Expected {
        if let Some(locked) = self.attempt() {
            return locked;
        }
        let row = self.key.early.first_of_two();
        self.break_rows();
        let early = self.key.early.known.contains(&counter);
        let opens = match counter - self.key.next {
            0..=10 => !early,
            11..=101 => !early && row.is_some_and(|(first, _)| first + 1 == counter),
            _ => false,
        };
        if opens {
            self.key.next = counter + 1;
            self.key.early.known.retain(|known| *known > counter);
            return self.over(Expected::Key);
        }
        if (11..=100).contains(&(counter - self.key.next)) {
            self.key.early.note(counter, self.now);
        }
        self.over(Expected::Refused)
    }

    fn break_rows(&mut self) {
        self.phone.early.in_row = false;
        self.key.early.in_row = false;
    }

    /// Nobody's code.
    pub(crate) fn wrong(&mut self) -> Expected {
        if let Some(locked) = self.attempt() {
            return locked;
        }
        self.break_rows();
        self.over(Expected::Refused)
    }

    /// A recovery or bypass code, which breaks no row: it says nothing of any token's clock.
    pub(crate) fn paper(&mut self, number: u8, service: &str) -> Expected {
        if let Some(locked) = self.attempt() {
            return locked;
        }
        if let Some(at) = self.recovery.iter().position(|known| *known == number) {
            self.recovery.remove(at);
            return self.over(Expected::Recovery);
        }
        let now = self.now;
        let good = |bypass: &&mut BypassCode| {
            bypass.number == number
                && now < bypass.until
                && bypass.only.is_none_or(|only| only == service)
        };
        match self.bypasses.iter_mut().find(good) {
            Some(bypass) => {
                bypass.uses -= 1;
                self.over(Expected::Bypass)
            }
            None => self.over(Expected::Refused),
        }
    }

    /// An administrator unlocks, and says that the clock is right. The last step is told where it lay ahead: its
    /// code was used and stays so.
    pub(crate) fn unlock(&mut self) -> Option<i64> {
        self.failures = 0;
        self.wait_from = 0;
        let (current, last) = (self.step(), self.phone.last_step);
        if last <= current + self.phone.drift + 3 {
            return None;
        }
        self.phone.drift = self.phone.drift.max(0);
        if last <= current {
            return None;
        }
        self.phone.last_step = current;
        self.phone.early.note(last, self.now);
        self.phone.early.in_row = false;
        Some(last)
    }

    /// A new secret for the phone, which waits for its first code.
    pub(crate) fn rotate(&mut self, secret: u64) {
        self.waiting = Some(Waiting { secret, since: self.uptime, tries: 5 });
    }

    /// A code of the new secret, so many steps from now. Wrong ones are not counted against the account.
    pub(crate) fn confirm(&mut self, offset: i64) -> Confirmed {
        let uptime = self.uptime;
        let Some(waiting) = self.waiting.as_mut().filter(|waiting| uptime - waiting.since < 900)
        else {
            return Confirmed::NotPending;
        };
        if offset.abs() > 1 {
            waiting.tries -= 1;
            let left = waiting.tries;
            if left == 0 {
                self.waiting = None;
            }
            return Confirmed::Wrong(left);
        }
        let secret = waiting.secret;
        self.waiting = None;
        self.phone =
            Phone { secret, last_step: self.step() + offset, drift: offset, ..Phone::default() };
        self.graces.clear();
        Confirmed::Active
    }

    /// A success there.
    pub(crate) fn give_grace(&mut self, service: &'static str, host: u8) {
        self.graces.insert((service, host), self.uptime);
    }

    pub(crate) fn end_graces(&mut self) {
        self.graces.clear();
    }

    pub(crate) fn greet(&self, service: &'static str, host: u8) -> Greeted {
        let given = self.graces.get(&(service, host));
        let grace = given.is_some_and(|at| self.uptime - at < GRACE);
        match self.lock(self.wait_from.min(self.now)) {
            Some(None) => Greeted::Locked(None),
            _ if grace => Greeted::Granted,
            Some(seconds) => Greeted::Locked(seconds),
            None => Greeted::Prompt,
        }
    }
}
