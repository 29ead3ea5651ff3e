// SPDX-License-Identifier: GPL-3.0-or-later
//! What stands in the file, read and written as google_authenticator does.

use crate::messages::formats;
use std::fmt;

use mfa_crypto::{Code, Secret, base32};
use mfa_proto::TypedCode;
use mfa_proto::transfer::{ImportedAccount, ImportedToken};
use zeroize::Zeroizing;

use super::option::{self, Expected, Login, RateLimit};

/// The longest file that google_authenticator reads, in bytes.
pub(crate) const FILE_MAX: u64 = 64 * 1024;

/// Seconds of a step where nothing is said.
const STEP_SIZE: u64 = 30;

/// A file, read.
pub(crate) struct GoogleFile {
    pub(crate) secret: Secret,
    pub(crate) moving: Moving,
    /// Steps or counters that are accepted, where that is said.
    pub(crate) window: Option<u64>,
    pub(crate) rate_limit: Option<RateLimit>,
    pub(crate) logins: Vec<Login>,
    pub(crate) scratch_codes: Vec<TypedCode>,
    /// Options that are not known.
    pub(crate) unknown: u64,
}

/// What moves the codes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Moving {
    Time {
        step_size: u64,
        /// Steps that the token's clock runs ahead.
        skew: i64,
        /// Steps that are spent; `None` where codes may be used again.
        spent: Option<Vec<u64>>,
        /// Codes that were typed outside their time: the step then, and by how many it was off.
        resetting: Vec<(u64, i64)>,
    },
    /// The next counter, at least 1.
    Counter(u64),
}

/// What a line must have and has not. No variant carries what may be a secret or a code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct GoogleProblem {
    /// From 1; 0 where it is about the whole file.
    pub(crate) line: u64,
    pub(crate) problem: Problem,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Problem {
    /// Longer than google_authenticator reads.
    TooLong,
    /// Not UTF-8, or with NUL.
    Encoding,
    /// The first line is no secret.
    Secret,
    /// Fewer or more bytes than a secret may have.
    SecretLength(usize),
    /// The value of an option is wrong.
    Value(Expected),
    /// An option stands there twice.
    Repeated(u64),
    /// Neither an option nor a scratch code.
    Neither,
    /// More scratch codes than can be taken over.
    TooManyScratchCodes,
    /// Neither time nor counter.
    Motionless,
    /// Steps that are too short.
    StepSize(u64),
}

impl fmt::Display for GoogleProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        match &self.problem {
            Problem::TooLong => write!(f, "expected at most {FILE_MAX} bytes"),
            Problem::Encoding => f.write_str("expected text"),
            Problem::Secret => f.write_str("expected the secret in base32"),
            Problem::SecretLength(bytes) => write!(
                f,
                "expected a secret of {} to {} bytes, found {bytes}; give this user a new token",
                ImportedToken::SECRET_BYTES.start(),
                ImportedToken::SECRET_BYTES.end()
            ),
            Problem::Value(expected) => write!(f, "expected {expected}"),
            Problem::Repeated(first) => {
                write!(f, "this option stands in line {first} already; remove one of them")
            }
            Problem::Neither => f.write_str(
                "expected an option, which begins with a quotation mark, or a scratch code of eight \
                 digits",
            ),
            Problem::TooManyScratchCodes => write!(
                f,
                "expected at most {} scratch codes; remove the ones that nobody needs",
                ImportedAccount::SCRATCH_MAX
            ),
            Problem::Motionless => {
                f.write_str("expected an option TOTP_AUTH or HOTP_COUNTER with a counter from 1")
            }
            Problem::StepSize(seconds) => write!(
                f,
                "expected a STEP_SIZE of 15 to 60 s, found {seconds} s, which cannot be taken over"
            ),
        }
    }
}

/// The options while they are read, each with its line.
#[derive(Default)]
struct Options {
    time: Option<(u64, ())>,
    counter: Option<(u64, u64)>,
    step_size: Option<(u64, u64)>,
    skew: Option<(u64, i64)>,
    spent: Option<(u64, Vec<u64>)>,
    resetting: Option<(u64, Vec<(u64, i64)>)>,
    window: Option<(u64, u64)>,
    rate_limit: Option<(u64, RateLimit)>,
    logins: Vec<(u64, Login)>,
    unknown: u64,
}

impl GoogleFile {
    /// Reads a whole file.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, GoogleProblem> {
        let whole = |problem| GoogleProblem { line: 0, problem };
        if bytes.len() as u64 > FILE_MAX {
            return Err(whole(Problem::TooLong));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| whole(Problem::Encoding))?;
        if text.contains('\0') {
            return Err(whole(Problem::Encoding));
        }
        let mut lines = text.split('\n');
        let first = lines.next().unwrap_or_default();
        let secret = secret(first).map_err(|problem| GoogleProblem { line: 1, problem })?;
        let (mut options, mut scratch_codes) = (Options::default(), Vec::new());
        for (line, number) in lines.zip(2..) {
            let line = line.trim_end_matches('\r');
            let read = match line.strip_prefix('"') {
                Some(option) => options.read(option, number),
                None if line.is_empty() => Ok(()),
                None => scratch_code(line).map(|code| scratch_codes.push(code)),
            };
            read.map_err(|problem| GoogleProblem { line: number, problem })?;
        }
        if scratch_codes.len() > ImportedAccount::SCRATCH_MAX {
            return Err(whole(Problem::TooManyScratchCodes));
        }
        let window = options.window.map(|(_, window)| window);
        let rate_limit = options.rate_limit.take().map(|(_, limit)| limit);
        let logins = options.logins.drain(..).map(|(_, login)| login).collect();
        let unknown = options.unknown;
        let moving = options.moving()?;
        Ok(Self { secret, moving, window, rate_limit, logins, scratch_codes, unknown })
    }

    /// The file as google_authenticator writes it.
    pub(crate) fn write(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(1024));
        text.push_str(&base32(&self.secret));
        text.push('\n');
        let mut option = |name: &str, values: &[String]| {
            text.push_str("\" ");
            text.push_str(name);
            for value in values {
                text.push(' ');
                text.push_str(value);
            }
            text.push('\n');
        };
        let list = |numbers: &[u64]| numbers.iter().map(u64::to_string).collect::<Vec<_>>();
        if let Some(RateLimit { attempts, seconds, times }) = &self.rate_limit {
            option("RATE_LIMIT", &[list(&[*attempts, *seconds]), list(times)].concat());
        }
        if let Some(window) = self.window {
            option("WINDOW_SIZE", &[window.to_string()]);
        }
        for Login { place, host, time } in &self.logins {
            option(&format!("LAST{place}"), &[host.clone(), time.to_string()]);
        }
        match &self.moving {
            Moving::Counter(counter) => option("HOTP_COUNTER", &[counter.to_string()]),
            Moving::Time { step_size, skew, spent, resetting } => {
                if *step_size != STEP_SIZE {
                    option("STEP_SIZE", &[step_size.to_string()]);
                }
                if *skew != 0 {
                    option("TIME_SKEW", &[skew.to_string()]);
                }
                if let Some(spent) = spent {
                    option("DISALLOW_REUSE", &list(spent));
                }
                if !resetting.is_empty() {
                    let pairs = resetting.iter().map(|(step, skew)| format!("{step}{skew:+}"));
                    option("RESETTING_TIME_SKEW", &pairs.collect::<Vec<_>>());
                }
                option("TOTP_AUTH", &[]);
            }
        }
        for code in &self.scratch_codes {
            text.push_str(code.as_str());
            text.push('\n');
        }
        text
    }
}

impl Options {
    /// One option, without its quotation mark.
    fn read(&mut self, text: &str, line: u64) -> Result<(), Problem> {
        let Some(text) = text.strip_prefix(' ') else {
            self.unknown += 1;
            return Ok(());
        };
        let (name, value) = match text.split_once([' ', '\t']) {
            Some((name, value)) => (name, value),
            None => (text, ""),
        };
        let counted = formats::COUNTER;
        let seconds = formats::STEP_SIZE;
        match name {
            "TOTP_AUTH" => once(&mut self.time, line, Ok(())),
            "HOTP_COUNTER" => {
                once(&mut self.counter, line, option::number(value, 0..=u64::MAX, counted))
            }
            "STEP_SIZE" => once(&mut self.step_size, line, option::number(value, 1..=60, seconds)),
            "TIME_SKEW" => once(&mut self.skew, line, option::skew(value)),
            "DISALLOW_REUSE" => {
                let spent = option::numbers(value, formats::DISALLOW_REUSE);
                once(&mut self.spent, line, spent)
            }
            "RESETTING_TIME_SKEW" => once(&mut self.resetting, line, option::resetting(value)),
            "WINDOW_SIZE" => {
                let window = option::number(value, 1..=100, formats::WINDOW_SIZE);
                once(&mut self.window, line, window)
            }
            "RATE_LIMIT" => once(&mut self.rate_limit, line, option::rate_limit(value)),
            _ => match name.strip_prefix("LAST").and_then(place) {
                Some(place) => {
                    let known = self.logins.iter().find(|(_, login)| login.place == place);
                    if let Some((first, _)) = known {
                        return Err(Problem::Repeated(*first));
                    }
                    let login = option::login(place, value).map_err(Problem::Value)?;
                    self.logins.push((line, login));
                    Ok(())
                }
                None => {
                    self.unknown += 1;
                    Ok(())
                }
            },
        }
    }

    /// As google_authenticator does, a counter goes before the time.
    fn moving(self) -> Result<Moving, GoogleProblem> {
        match (self.counter, self.time) {
            (Some((_, counter @ 1..)), _) => Ok(Moving::Counter(counter)),
            (_, Some(_)) => {
                let (line, step_size) = self.step_size.unwrap_or((0, STEP_SIZE));
                if step_size < 15 {
                    return Err(GoogleProblem { line, problem: Problem::StepSize(step_size) });
                }
                Ok(Moving::Time {
                    step_size,
                    skew: self.skew.map_or(0, |(_, skew)| skew),
                    spent: self.spent.map(|(_, spent)| spent),
                    resetting: self.resetting.map(|(_, pairs)| pairs).unwrap_or_default(),
                })
            }
            _ => Err(GoogleProblem { line: 0, problem: Problem::Motionless }),
        }
    }
}

/// google_authenticator takes the first and drops the others when it writes, a spent step among them:
/// so none is taken where there are two.
fn once<T>(
    kept: &mut Option<(u64, T)>,
    line: u64,
    read: Result<T, Expected>,
) -> Result<(), Problem> {
    if let Some((first, _)) = kept {
        return Err(Problem::Repeated(*first));
    }
    *kept = Some((line, read.map_err(Problem::Value)?));
    Ok(())
}

fn place(digit: &str) -> Option<u8> {
    match digit.as_bytes() {
        [digit @ b'0'..=b'9'] => Some(digit - b'0'),
        _ => None,
    }
}

fn scratch_code(line: &str) -> Result<TypedCode, Problem> {
    let code = line.trim_ascii_end();
    // Those of google_authenticator begin with 1 to 9.
    let is_one = !code.starts_with('0')
        && code.bytes().all(|byte| byte.is_ascii_digit())
        && Code::parse(code).is_some_and(|code| code.may_be_scratch());
    is_one.then(|| TypedCode::new(code)).flatten().ok_or(Problem::Neither)
}

/// Base32 as google_authenticator reads it: separators are left out, and of characters that people
/// mistake the digit is taken for the letter.
fn secret(line: &str) -> Result<Secret, Problem> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(line.len()));
    let (mut buffer, mut bits) = (0_u32, 0_u32);
    for character in line.bytes() {
        let value = match character {
            b' ' | b'\t' | b'\r' | b'-' => continue,
            b'0' => b'O' - b'A',
            b'1' => b'L' - b'A',
            b'8' => b'B' - b'A',
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a',
            b'2'..=b'7' => character - b'2' + 26,
            _ => return Err(Problem::Secret),
        };
        buffer = buffer << 5 | u32::from(value);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(buffer >> bits & 0xff).unwrap_or_default());
        }
    }
    if bytes.is_empty() {
        return Err(Problem::Secret);
    }
    if ImportedToken::SECRET_BYTES.contains(&bytes.len()) {
        Ok(Secret::new(bytes.to_vec()))
    } else {
        Err(Problem::SecretLength(bytes.len()))
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
