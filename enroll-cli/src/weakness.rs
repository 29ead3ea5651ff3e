// SPDX-License-Identifier: GPL-3.0-or-later
//! Settings that an import takes over, or leaves behind, and that are weaker than they should be.

use std::fmt;

use mfa_proto::UserName;

/// RFC 4226, 4, R6: a secret must have at least 128 bits.
const SECRET_GOOD: usize = 16;

/// The longest that a code should stay current, in seconds.
const PERIOD_GOOD: u64 = 30;

/// A weak setting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Weakness {
    /// Fewer bits than RFC 4226 demands.
    ShortSecret,
    /// All bytes of the secret are the same, as in the README of pam_oath.
    ConstantSecret,
    /// Codes stay current for longer than 30 s.
    LongPeriod,
    /// The last code has no time, so it stays spent only if it was used just now.
    LastUseWithoutTime,
    /// Codes could be used again while they were current.
    ReuseAllowed,
    /// Guesses were not slowed down.
    NoRateLimit,
    /// Codes of several minutes were taken.
    WideWindow,
    /// The token's clock is further off than is taken over.
    FarClock,
    /// Others than the owner can read the file.
    Exposed,
    /// There is an option that is not known and so not taken over.
    UnknownOption,
}

/// Where a weak setting was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// In a file of many users.
    Line(u64),
    /// In a file or an entry of this user's own.
    User(UserName),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "in line {line}"),
            Self::User(user) => write!(f, "of {user}"),
        }
    }
}

/// How many have which weakness, and where the first is.
#[derive(Default)]
pub(crate) struct Tally(Vec<(Weakness, u64, Place)>);

impl Tally {
    /// Counts one more.
    pub(crate) fn note(&mut self, weakness: Weakness, place: impl FnOnce() -> Place) {
        match self.0.iter_mut().find(|(known, ..)| *known == weakness) {
            Some((_, count, _)) => *count += 1,
            None => self.0.push((weakness, 1, place())),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(Weakness, u64, Place)> {
        self.0.iter()
    }
}

impl Weakness {
    /// The word for programs.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ShortSecret => "short_secret",
            Self::ConstantSecret => "constant_secret",
            Self::LongPeriod => "long_period",
            Self::LastUseWithoutTime => "last_use_without_time",
            Self::ReuseAllowed => "reuse_allowed",
            Self::NoRateLimit => "no_rate_limit",
            Self::WideWindow => "wide_window",
            Self::FarClock => "far_clock",
            Self::Exposed => "readable_by_others",
            Self::UnknownOption => "unknown_option",
        }
    }

    /// What stands in a secret, and how long its codes are current, where time moves them.
    pub(crate) fn of_token(secret: &[u8], period: Option<u64>) -> Vec<Self> {
        let mut found = Vec::new();
        if secret.len() < SECRET_GOOD {
            found.push(Self::ShortSecret);
        }
        if secret.iter().all(|byte| Some(byte) == secret.first()) {
            found.push(Self::ConstantSecret);
        }
        if period.is_some_and(|period| period > PERIOD_GOOD) {
            found.push(Self::LongPeriod);
        }
        found
    }
}
