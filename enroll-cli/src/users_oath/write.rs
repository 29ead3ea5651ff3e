// SPDX-License-Identifier: GPL-3.0-or-later
//! A line as pam_oath writes it after the last use, so that a used code stays used there.

use std::fmt;

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use mfa_crypto::{Algorithm, Digits, Period, Secret, hotp, step};
use mfa_proto::UserName;
use mfa_proto::exchange::MovingFactor;
use mfa_proto::transfer::ExportedToken;
use zeroize::Zeroizing;

/// Steps that the moment of the last use may be away from its step.
const NEAR: u64 = 20;

/// Why a token cannot stand in a UsersFile.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Unfit {
    /// Columns end with a space.
    Name,
    /// The daemon could not open its secret.
    NoSecret,
    /// It computes SHA1 only.
    Algorithm(String),
    /// No number of digits that can be.
    Digits(u8),
    /// It knows steps of 30 and 60 s.
    Period(u64),
    /// Nothing says what moves.
    Motionless,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("a name there has no spaces"),
            Self::NoSecret => f.write_str("its secret does not open; the daemon's log says why"),
            Self::Algorithm(algorithm) => {
                write!(f, "it has {algorithm}, and only SHA1 is known there")
            }
            Self::Digits(digits) => write!(f, "its codes have {digits} digits"),
            Self::Period(seconds) => {
                write!(f, "its codes last {seconds} s, and there 30 or 60 s")
            }
            Self::Motionless => f.write_str("it has neither a time nor a counter"),
        }
    }
}

/// The line of a token, with its end.
///
/// # Errors
/// [`Unfit`] says what cannot be written there.
pub(crate) fn line(
    user: &UserName,
    token: &ExportedToken,
    zone: &TimeZone,
) -> Result<Zeroizing<String>, Unfit> {
    if user.as_str().contains(|c: char| c.is_ascii_whitespace()) {
        return Err(Unfit::Name);
    }
    let secret = token.secret.as_ref().ok_or(Unfit::NoSecret)?;
    let secret = Secret::new(secret.as_bytes().to_vec());
    if token.algorithm != Algorithm::Sha1.to_string() {
        return Err(Unfit::Algorithm(token.algorithm.clone()));
    }
    let digits = Digits::try_from(token.digits).map_err(|_| Unfit::Digits(token.digits))?;
    let suffix = match digits.get() {
        6 => String::new(),
        digits => format!("/{digits}"),
    };
    let hex = Zeroizing::new(HEXLOWER.encode(secret.expose()));
    let (kind, state) = match (token.factor, token.period, token.counter) {
        (MovingFactor::Totp, Some(seconds @ (30 | 60)), _) => {
            let period = Period::try_from(seconds).map_err(|_| Unfit::Period(seconds))?;
            let state = token.last_step.map(|last| {
                let at = moment(used(token, last, period), zone);
                format!("\t0\t{}\t{at}", code(&secret, digits, last))
            });
            (format!("HOTP/T{seconds}{suffix}"), state)
        }
        (MovingFactor::Totp, Some(seconds), _) => return Err(Unfit::Period(seconds)),
        (MovingFactor::Hotp, _, Some(next)) => {
            // The counter of the last code, and that code.
            let state = next.checked_sub(1).map(|last| {
                let at = moment(token.last_used.unwrap_or(token.created), zone);
                format!("\t{last}\t{}\t{at}", code(&secret, digits, last))
            });
            (format!("HOTP/E{suffix}"), state)
        }
        _ => return Err(Unfit::Motionless),
    };
    let state = Zeroizing::new(state.unwrap_or_default());
    let user = user.as_str();
    let mut line = Zeroizing::new(String::with_capacity(512));
    for part in [kind.as_str(), "\t", user, "\t-\t", hex.as_str(), state.as_str(), "\n"] {
        line.push_str(part);
    }
    Ok(line)
}

/// When the last code was used: as it is known, where that is near its step, or else in its step.
fn used(token: &ExportedToken, last: u64, period: Period) -> u64 {
    let known = token.last_used.filter(|at| step(*at, period).abs_diff(last) <= NEAR);
    known.unwrap_or_else(|| last.saturating_mul(period.get()))
}

fn code(secret: &Secret, digits: Digits, counter: u64) -> String {
    hotp(secret, Algorithm::Sha1, digits, counter).as_str().to_owned()
}

/// `2026-11-23T21:14:05L`, local time.
fn moment(unix_seconds: u64, zone: &TimeZone) -> String {
    let moment = i64::try_from(unix_seconds).ok().and_then(|at| Timestamp::from_second(at).ok());
    let local = zone.to_datetime(moment.unwrap_or(Timestamp::UNIX_EPOCH));
    local.strftime("%Y-%m-%dT%H:%M:%SL").to_string()
}

#[cfg(test)]
mod tests {
    use mfa_proto::Blob;
    use mfa_proto::transfer::ImportedMoving;
    use proptest::prelude::*;

    use super::super::line::OathToken;
    use super::*;

    /// 2026-11-23T21:14:05Z.
    const NOW: u64 = 1_795_468_445;

    fn totp(last_step: Option<u64>) -> ExportedToken {
        ExportedToken {
            name: "phone".to_owned(),
            factor: MovingFactor::Totp,
            period: Some(30),
            algorithm: "SHA1".to_owned(),
            digits: 6,
            created: 1,
            last_used: Some(NOW),
            secret: Some(Blob::new(*b"12345678901234567890")),
            last_step,
            drift: Some(0),
            counter: None,
            barred: Vec::new(),
        }
    }

    fn hotp(counter: u64) -> ExportedToken {
        let counter = Some(counter);
        let factor = MovingFactor::Hotp;
        ExportedToken { factor, period: None, drift: None, counter, ..totp(None) }
    }

    fn written(token: &ExportedToken) -> Result<String, Unfit> {
        let alice = UserName::new("alice").unwrap();
        line(&alice, token, &TimeZone::UTC).map(|line| line.to_string())
    }

    fn read(line: &str) -> ImportedMoving {
        let (token, _) = OathToken::parse(line.trim_end(), &TimeZone::UTC).unwrap();
        token.into_message(NOW).moving
    }

    #[test]
    fn lines_are_those_that_pam_oath_leaves_behind() {
        let hex = "3132333435363738393031323334353637383930";
        assert_eq!(written(&totp(None)), Ok(format!("HOTP/T30\talice\t-\t{hex}\n")));
        assert_eq!(written(&hotp(0)), Ok(format!("HOTP/E\talice\t-\t{hex}\n")));
        // RFC 4226, appendix D: the code of counter 2.
        let used = format!("HOTP/E\talice\t-\t{hex}\t2\t359152\t2026-11-23T21:14:05L\n");
        assert_eq!(written(&hotp(3)), Ok(used));
        // RFC 6238, appendix B: step 1 has 94287082.
        let eight = ExportedToken { digits: 8, last_used: Some(59), ..totp(Some(1)) };
        let used = format!("HOTP/T30/8\talice\t-\t{hex}\t0\t94287082\t1970-01-01T00:00:59L\n");
        assert_eq!(written(&eight), Ok(used));
    }

    #[test]
    fn what_was_spent_is_spent_where_the_line_is_read_again() {
        let step = NOW / 30;
        for last in [step - 100_000, step - 1, step, step + 1, step + 10] {
            let ImportedMoving::Totp { last_step, .. } = read(&written(&totp(Some(last))).unwrap())
            else {
                panic!("another factor")
            };
            let last_step = last_step.unwrap();
            // What is long past need not be exact, only past.
            assert!(last_step == last || (last..step - 10).contains(&last_step), "{last}");
        }
    }

    #[test]
    fn what_pam_oath_cannot_have_is_told() {
        let good = totp(None);
        for (token, unfit) in [
            (ExportedToken { secret: None, ..good.clone() }, Unfit::NoSecret),
            (
                ExportedToken { algorithm: "SHA512".into(), ..good.clone() },
                Unfit::Algorithm("SHA512".into()),
            ),
            (ExportedToken { period: Some(45), ..good.clone() }, Unfit::Period(45)),
            (ExportedToken { counter: None, ..hotp(1) }, Unfit::Motionless),
        ] {
            assert_eq!(written(&token), Err(unfit));
        }
        let spaced = UserName::new("al ice").unwrap();
        assert_eq!(line(&spaced, &good, &TimeZone::UTC).err(), Some(Unfit::Name));
        assert!(written(&good).is_ok());
    }

    proptest! {
        #[test]
        fn counters_come_back_as_they_were(counter in 0_u64..1 << 53, digits in 6_u8..=8) {
            let token = ExportedToken { digits, ..hotp(counter) };
            prop_assert_eq!(read(&written(&token).unwrap()), ImportedMoving::Hotp { counter });
        }
    }
}
