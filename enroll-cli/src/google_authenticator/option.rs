// SPDX-License-Identifier: GPL-3.0-or-later
//! The values of options, in the ranges that google_authenticator keeps.

use crate::messages::formats;

/// `RATE_LIMIT attempts seconds [times…]`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RateLimit {
    pub(crate) attempts: u64,
    pub(crate) seconds: u64,
    /// Unix seconds of the last attempts.
    pub(crate) times: Vec<u64>,
}

/// `LASTn host time`: a login from there.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Login {
    /// 0 to 9.
    pub(crate) place: u8,
    pub(crate) host: String,
    /// Unix seconds.
    pub(crate) time: u64,
}

/// What was expected of a value.
pub(super) type Expected = &'static str;

/// One number, in this range.
pub(super) fn number(
    value: &str,
    range: std::ops::RangeInclusive<u64>,
    expected: Expected,
) -> Result<u64, Expected> {
    let mut words = value.split_ascii_whitespace();
    match (words.next().and_then(digits), words.next()) {
        (Some(number), None) if range.contains(&number) => Ok(number),
        _ => Err(expected),
    }
}

/// A number with a sign.
pub(super) fn skew(value: &str) -> Result<i64, Expected> {
    let expected = formats::TIME_SKEW;
    let mut words = value.split_ascii_whitespace();
    match (words.next().and_then(signed), words.next()) {
        // It is learned within a day's steps of a minute, RESETTING_TIME_SKEW tells.
        (Some(skew @ -1500..=1500), None) => Ok(skew),
        _ => Err(expected),
    }
}

/// Numbers without end.
pub(super) fn numbers(value: &str, expected: Expected) -> Result<Vec<u64>, Expected> {
    value.split_ascii_whitespace().map(|word| digits(word).ok_or(expected)).collect()
}

pub(super) fn rate_limit(value: &str) -> Result<RateLimit, Expected> {
    let expected = formats::RATE_LIMIT;
    let mut numbers = numbers(value, expected)?.into_iter();
    match (numbers.next(), numbers.next()) {
        (Some(attempts @ 1..=100), Some(seconds @ 1..=3600)) => {
            Ok(RateLimit { attempts, seconds, times: numbers.collect() })
        }
        _ => Err(expected),
    }
}

/// `step+skew` or `step-skew`, of codes that were typed before or after their time.
pub(super) fn resetting(value: &str) -> Result<Vec<(u64, i64)>, Expected> {
    let expected = formats::RESETTING_TIME_SKEW;
    let pair = |word: &str| {
        let sign = word.find(['+', '-'])?;
        Some((digits(word.get(..sign)?)?, signed(word.get(sign..)?)?))
    };
    value.split_ascii_whitespace().map(|word| pair(word).ok_or(expected)).collect()
}

/// Of `LASTn`.
pub(super) fn login(place: u8, value: &str) -> Result<Login, Expected> {
    let mut words = value.split_ascii_whitespace();
    match (words.next(), words.next().and_then(digits), words.next()) {
        (Some(host), Some(time), None) => Ok(Login { place, host: host.to_owned(), time }),
        _ => Err(formats::LOGIN),
    }
}

/// Decimal digits only: no sign, no space.
pub(super) fn digits(word: &str) -> Option<u64> {
    word.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse().ok())?
}

fn signed(word: &str) -> Option<i64> {
    let (minus, number) = match word.strip_prefix('-') {
        Some(number) => (true, number),
        None => (false, word.strip_prefix('+').unwrap_or(word)),
    };
    let number = i64::try_from(digits(number)?).ok()?;
    Some(if minus { -number } else { number })
}
