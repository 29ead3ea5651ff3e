// SPDX-License-Identifier: GPL-3.0-or-later
//! The last use that a UsersFile remembers: what was spent there must stay spent here.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use mfa_crypto::{Code, Digits, Period, Secret, hotp, step};

use super::line::LineProblem;

/// The widest window of steps that is looked through for the last code. pam_oath's own README sets
/// `window=20`.
const WINDOW: u64 = 100;

/// Steps from now that the daemon may accept: drift of 2 and skew of 1.
const REACH: u64 = 3;

/// The last two columns.
pub(crate) struct LastUse {
    code: Option<Code>,
    /// Unix seconds.
    time: Option<u64>,
}

impl LastUse {
    pub(crate) fn read(
        code: Option<&str>,
        time: Option<&str>,
        digits: Digits,
        zone: &TimeZone,
    ) -> Result<Self, LineProblem> {
        let code = match code {
            None | Some("-") => None,
            Some(text) => Some(
                Code::parse(text)
                    .filter(|code| code.as_str().len() == usize::from(digits.get()))
                    .ok_or(LineProblem::LastCode)?,
            ),
        };
        let time = match time {
            None | Some("-") => None,
            Some(text) => Some(moment(text, zone).ok_or(LineProblem::LastTime)?),
        };
        Ok(Self { code, time })
    }

    /// Whether there is a code and nobody knows when it was used.
    pub(crate) fn has_no_time(&self) -> bool {
        self.code.is_some() && self.time.is_none()
    }

    /// The next counter that may be accepted. The two programs that write this format differ:
    /// liboath stores the counter of the last code (after the first code, 0), mod_authn_otp the one
    /// after it. The last code tells which it was; where it fits neither, the safer one is taken.
    pub(crate) fn next_counter(&self, secret: &Secret, digits: Digits, counter: u64) -> u64 {
        let Some(last) = &self.code else { return counter };
        let is_code_of = |counter| bool::from(code_of(secret, digits, counter).ct_eq(last));
        let stores_the_next = counter.checked_sub(1).is_some_and(is_code_of);
        if stores_the_next && !is_code_of(counter) { counter } else { counter.saturating_add(1) }
    }

    /// The last step that is spent.
    ///
    /// The window there was wider than one step, so the code tells which step around the time of
    /// its use it was; the latest, should two have the same code. A use that is long past needs no
    /// search: all steps that it can have been are past as well.
    pub(crate) fn spent_step(
        &self,
        secret: &Secret,
        digits: Digits,
        period: Period,
        now: u64,
    ) -> Option<u64> {
        if self.code.is_none() && self.time.is_none() {
            return None;
        }
        let current = step(now, period);
        let around = step(self.time.unwrap_or(now), period);
        let latest = around.saturating_add(WINDOW);
        if latest.saturating_add(REACH) < current {
            return Some(latest);
        }
        let spent = self.code.as_ref().and_then(|last| {
            (around.saturating_sub(WINDOW)..=latest)
                .rev()
                .find(|step| bool::from(code_of(secret, digits, *step).ct_eq(last)))
        });
        // Not found: the secret is another one now, or the time is that of another zone. What the
        // daemon accepts at this moment is spent then, no more: nobody is kept out for hours.
        spent.or(self.time.map(|_| around.saturating_add(1).min(current.saturating_add(REACH))))
    }
}

fn code_of(secret: &Secret, digits: Digits, counter: u64) -> Code {
    hotp(secret, mfa_crypto::Algorithm::Sha1, digits, counter)
}

/// `2026-11-23T21:14:05L`, local time. Where clocks were set back and it names two moments, the
/// later one, so that nothing spent becomes fresh.
fn moment(text: &str, zone: &TimeZone) -> Option<u64> {
    let local: DateTime = text.strip_suffix('L')?.parse().ok()?;
    let moment = zone.to_ambiguous_timestamp(local).later().ok()?;
    u64::try_from(moment.as_second()).ok()
}
