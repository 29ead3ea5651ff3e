// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa code`: the client side of HOTP and TOTP. It asks no daemon.
//!
//! JSON: `{"code":…,"valid_seconds":…}`, one object for each code; no `valid_seconds` for a counter.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mfa_crypto::{Code, Moving, OtpUri, Period, hotp, step};
use serde::Serialize;

use crate::arguments;
use crate::console::Console;
use crate::failure::{Exit, Failure};
use crate::{clock, token_file};

#[derive(Serialize)]
struct Current<'a> {
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_seconds: Option<u64>,
}

pub(super) fn run(arguments: &arguments::Code, console: &mut Console) -> Result<Exit, Failure> {
    let path = match &arguments.token {
        Some(path) => path.clone(),
        None => default_path().ok_or(Failure::NoDefaultTokenFile)?,
    };
    let token = token_file::read(&path)?;
    match token.moving {
        Moving::Hotp { .. } if arguments.watch => return Err(Failure::CounterWatched),
        Moving::Hotp { .. } => print(&token_file::next_counter_code(&path)?, None, console)?,
        Moving::Totp { period } if arguments.watch => watch(&token, period, console)?,
        Moving::Totp { period } => {
            let now = clock::now()?;
            print(&code_at(&token, period, now), Some(left(period, now)), console)?;
        }
    }
    Ok(Exit::Done)
}

fn default_path() -> Option<PathBuf> {
    // XDG base directories: a relative path is to be ignored.
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let configuration = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")))?;
    Some(configuration.join("mfa/token"))
}

fn print(code: &Code, left: Option<u64>, console: &mut Console) -> Result<(), Failure> {
    if console.json() {
        console.object(&Current { code: code.as_str(), valid_seconds: left })
    } else {
        console.result(code.as_str())
    }
}

/// Until Ctrl-C, or until nobody reads any more.
fn watch(token: &OtpUri, period: Period, console: &mut Console) -> Result<(), Failure> {
    let redraw = console.can_redraw();
    let mut shown = None;
    loop {
        let now = clock::now()?;
        let (code, left) = (code_at(token, period, now), left(period, now));
        if redraw {
            console.line_again(&format!("{}  {left} s", code.as_str()))?;
        } else if shown.replace(step(now, period)) != Some(step(now, period)) {
            print(&code, Some(left), console)?;
        }
        thread::sleep(to_next_second());
    }
}

fn code_at(token: &OtpUri, period: Period, now: u64) -> Code {
    hotp(&token.secret, token.algorithm, token.digits, step(now, period))
}

/// Seconds until the code changes, from 1 to the period.
fn left(period: Period, now: u64) -> u64 {
    period.get() - now % period.get()
}

fn to_next_second() -> Duration {
    let past = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    Duration::from_nanos(u64::from(1_000_000_000 - past))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_current_until_its_step_ends() {
        let period = Period::default();
        assert_eq!([left(period, 0), left(period, 1), left(period, 29)], [30, 29, 1]);
        assert_eq!(left(period, 30), 30);
    }

    #[test]
    fn the_code_is_that_of_rfc_6238() {
        let token =
            OtpUri::parse("otpauth://totp/a?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&digits=8")
                .unwrap();
        assert_eq!(code_at(&token, Period::default(), 1_111_111_109).as_str(), "07081804");
    }
}
