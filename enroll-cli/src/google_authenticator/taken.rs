// SPDX-License-Identifier: GPL-3.0-or-later
//! From a file of google_authenticator to a token and back, so that what is spent there stays spent here
//! and the other way round.

use std::fmt;

use mfa_crypto::{Algorithm, Digits, Period, Secret, step};
use mfa_proto::exchange::MovingFactor;
use mfa_proto::transfer::{ExportedToken, ImportedAccount, ImportedMoving, ImportedToken};
use mfa_proto::{Blob, UserName};

use super::file::{GoogleFile, Moving};
use super::option::{Login, RateLimit};
use crate::incoming::Incoming;
use crate::weakness::Weakness;

/// Steps that the clock of a token may be off here.
const DRIFT_MAX: i8 = 10;

/// Steps that google_authenticator takes where nothing else is said.
const WINDOW: u64 = 3;

/// Counters that are looked ahead here.
const LOOK_AHEAD: u64 = 10;

/// Spent steps that are written at most: more than any window here has.
const SPENT_MAX: u64 = 32;

/// What google_authenticator's own command writes.
const RATE_LIMIT: RateLimit = RateLimit { attempts: 3, seconds: 30, times: Vec::new() };

/// Why a token cannot go into a file of google_authenticator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Unfit {
    /// The daemon could not open its secret.
    NoSecret,
    /// It computes SHA1 only.
    Algorithm(String),
    /// It takes six digits only.
    Digits(u8),
    /// It knows steps of at most 60 s.
    Period(u64),
    /// Nothing says what moves.
    Motionless,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSecret => f.write_str("its secret does not open; the daemon's log says why"),
            Self::Algorithm(algorithm) => {
                write!(f, "it has {algorithm}, and only SHA1 is known there")
            }
            Self::Digits(digits) => write!(f, "its codes have {digits} digits, and there six"),
            Self::Period(seconds) => {
                write!(f, "its codes last {seconds} s, and there 60 s at most")
            }
            Self::Motionless => f.write_str("it has neither a time nor a counter"),
        }
    }
}

impl GoogleFile {
    /// The user as he travels, and what is weak about his file. `now` in Unix seconds.
    pub(crate) fn into_incoming(self, user: UserName, now: u64) -> (Incoming, Vec<Weakness>) {
        let weaknesses = self.weaknesses();
        let (moving, barred) = self.standing(now);
        let token = ImportedToken {
            user: user.clone(),
            name: None,
            secret: Blob::new(self.secret.expose()),
            algorithm: Algorithm::Sha1.to_string(),
            digits: Digits::default().get(),
            moving,
            created: None,
            last_used: self.logins.iter().map(|login| login.time).filter(|at| *at <= now).max(),
            barred,
        };
        let account = (!self.scratch_codes.is_empty()).then(|| ImportedAccount {
            user: user.clone(),
            scratch_codes: self.scratch_codes,
            failures: 0,
            last_failure: None,
        });
        (Incoming { user, tokens: vec![token], account }, weaknesses)
    }

    /// Where the token stands, and steps whose codes were typed outside their time.
    fn standing(&self, now: u64) -> (ImportedMoving, Vec<u64>) {
        match &self.moving {
            Moving::Counter(counter) => (ImportedMoving::Hotp { counter: *counter }, Vec::new()),
            Moving::Time { step_size, skew, spent, resetting } => {
                let last_step = match spent {
                    Some(spent) => spent.iter().copied().max(),
                    // Nothing is kept of the codes, but of the times of attempts: the last one was
                    // most likely of the step that it came in.
                    None => self.last_attempt(now).map(|at| {
                        let period = Period::try_from(*step_size).unwrap_or_default();
                        step(at, period).saturating_add_signed(*skew)
                    }),
                };
                let typed = resetting.iter().map(|(at, skew)| at.saturating_add_signed(*skew));
                let mut barred: Vec<u64> =
                    typed.filter(|at| last_step.is_none_or(|last| *at > last)).collect();
                barred.sort_unstable();
                barred.dedup();
                // The last ones count: earlier ones are further back.
                let surplus = barred.len().saturating_sub(ImportedToken::BARRED_MAX);
                barred.drain(..surplus);
                let limit = i64::from(DRIFT_MAX);
                let drift = i8::try_from((*skew).clamp(-limit, limit)).unwrap_or(0);
                (ImportedMoving::Totp { period: *step_size, last_step, drift }, barred)
            }
        }
    }

    fn last_attempt(&self, now: u64) -> Option<u64> {
        let times = self.rate_limit.iter().flat_map(|limit| &limit.times);
        times.copied().filter(|at| *at <= now).max()
    }

    fn weaknesses(&self) -> Vec<Weakness> {
        let mut found = match &self.moving {
            Moving::Counter(_) => Weakness::of_token(self.secret.expose(), None),
            Moving::Time { step_size, .. } => {
                Weakness::of_token(self.secret.expose(), Some(*step_size))
            }
        };
        let accepted = match &self.moving {
            Moving::Counter(_) => LOOK_AHEAD,
            Moving::Time { spent, skew, .. } => {
                if spent.is_none() {
                    found.push(Weakness::ReuseAllowed);
                }
                if skew.unsigned_abs() > u64::from(DRIFT_MAX.unsigned_abs()) {
                    found.push(Weakness::FarClock);
                }
                WINDOW
            }
        };
        if self.rate_limit.is_none() {
            found.push(Weakness::NoRateLimit);
        }
        if self.window.is_some_and(|window| window > accepted) {
            found.push(Weakness::WideWindow);
        }
        if self.unknown > 0 {
            found.push(Weakness::UnknownOption);
        }
        found
    }
}

/// The file that gives a token back to google_authenticator. `now` in Unix seconds.
///
/// # Errors
/// [`Unfit`] says what cannot be written there.
pub(crate) fn export(token: &ExportedToken, now: u64) -> Result<GoogleFile, Unfit> {
    let secret = token.secret.as_ref().ok_or(Unfit::NoSecret)?;
    if token.algorithm != Algorithm::Sha1.to_string() {
        return Err(Unfit::Algorithm(token.algorithm.clone()));
    }
    if token.digits != Digits::default().get() {
        return Err(Unfit::Digits(token.digits));
    }
    let (moving, window) = match (token.factor, token.period, token.counter) {
        (MovingFactor::Totp, Some(step_size), _) if step_size > 60 => {
            return Err(Unfit::Period(step_size));
        }
        (MovingFactor::Totp, Some(step_size), _) => {
            let period = Period::try_from(step_size).map_err(|_| Unfit::Period(step_size))?;
            let skew = i64::from(token.drift.unwrap_or(0));
            let spent = Some(spent(token, step(now, period).saturating_add_signed(skew)));
            (Moving::Time { step_size, skew, spent, resetting: Vec::new() }, WINDOW)
        }
        // There a counter of 0 means that there is none.
        (MovingFactor::Hotp, _, Some(counter)) => (Moving::Counter(counter.max(1)), LOOK_AHEAD),
        _ => return Err(Unfit::Motionless),
    };
    Ok(GoogleFile {
        secret: Secret::new(secret.as_bytes().to_vec()),
        moving,
        window: Some(window),
        rate_limit: Some(RATE_LIMIT),
        logins: Vec::<Login>::new(),
        scratch_codes: Vec::new(),
        unknown: 0,
    })
}

/// Every step that must not open a login there. Here all up to the last one are spent; there only those
/// that are listed, so all that its window of three steps around `centre` still reaches are.
fn spent(token: &ExportedToken, centre: u64) -> Vec<u64> {
    let mut spent = Vec::new();
    if let Some(last) = token.last_step {
        let first = centre.saturating_sub(WINDOW / 2).max(last.saturating_sub(SPENT_MAX));
        spent.extend(first.min(last)..=last);
    }
    spent.extend(&token.barred);
    spent.sort_unstable();
    spent.dedup();
    spent
}

#[cfg(test)]
#[path = "taken_tests.rs"]
mod tests;
