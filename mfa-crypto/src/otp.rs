// SPDX-License-Identifier: GPL-3.0-or-later
//! One-time codes: HOTP (RFC 4226) and the steps of TOTP (RFC 6238).

use crate::secret::Secret;
use core::{fmt, str::FromStr};
use hkdf::HmacImpl;
use hmac::Hmac;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, Zeroizing};

/// The hash below the HMAC. SHA-1 is the one that every authenticator knows (RFC 6238, 1.2).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq, Serialize, Deserialize)]
pub enum Algorithm {
    /// HMAC-SHA-1.
    #[default]
    #[serde(rename = "SHA1")]
    Sha1,
    /// HMAC-SHA-256.
    #[serde(rename = "SHA256")]
    Sha256,
    /// HMAC-SHA-512.
    #[serde(rename = "SHA512")]
    Sha512,
}

impl Algorithm {
    /// Bytes of a new secret: as long as the hash (RFC 4226, 4, R6; RFC 6238, 5.1).
    #[must_use]
    pub const fn secret_len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
        })
    }
}

impl FromStr for Algorithm {
    type Err = OtpError;

    fn from_str(name: &str) -> Result<Self, OtpError> {
        match name {
            "SHA1" => Ok(Self::Sha1),
            "SHA256" => Ok(Self::Sha256),
            "SHA512" => Ok(Self::Sha512),
            _ => Err(OtpError::Algorithm),
        }
    }
}

/// A parameter of a token is out of its range.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OtpError {
    /// Not the name of a hash that is known here.
    Algorithm,
    /// That many digits are not possible.
    Digits(u8),
    /// That many seconds are not possible.
    Period(u64),
}

impl fmt::Display for OtpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Algorithm => f.write_str("unknown algorithm; use SHA1, SHA256 or SHA512"),
            Self::Digits(n) => write!(f, "a code of {n} digits is not possible; use 6, 7 or 8"),
            Self::Period(n) => {
                write!(f, "a period of {n} s is not possible; use 15 to 300, mostly 30")
            }
        }
    }
}

impl core::error::Error for OtpError {}

/// Digits of a code: 6 to 8 (RFC 4226, 4, R4; eight are the most that 31 bits fill evenly enough).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Digits(u8);

impl Digits {
    /// The number of digits.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Default for Digits {
    /// Six, as every authenticator shows.
    fn default() -> Self {
        Self(6)
    }
}

impl TryFrom<u8> for Digits {
    type Error = OtpError;

    fn try_from(digits: u8) -> Result<Self, OtpError> {
        match digits {
            6..=8 => Ok(Self(digits)),
            _ => Err(OtpError::Digits(digits)),
        }
    }
}

impl From<Digits> for u8 {
    fn from(digits: Digits) -> Self {
        digits.0
    }
}

/// Length of a time step in seconds: 15 to 300 (X of RFC 6238, 4.1).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Period(u16);

impl Period {
    /// Seconds.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0 as u64
    }
}

impl Default for Period {
    /// Thirty seconds (RFC 6238, 5.2).
    fn default() -> Self {
        Self(30)
    }
}

impl TryFrom<u64> for Period {
    type Error = OtpError;

    fn try_from(seconds: u64) -> Result<Self, OtpError> {
        match u16::try_from(seconds) {
            Ok(short @ 15..=300) => Ok(Self(short)),
            _ => Err(OtpError::Period(seconds)),
        }
    }
}

impl From<Period> for u64 {
    fn from(period: Period) -> Self {
        period.get()
    }
}

/// A code of 6 to 8 ASCII digits. It erases itself and has neither `Debug` nor `Display`.
#[derive(Clone)]
pub struct Code(Zeroizing<String>);

impl Code {
    /// Reads what a user typed: ASCII spaces anywhere are left out, then only 6 to 8 ASCII digits
    /// are a code. Digits of other scripts, tabs and line ends are not.
    #[must_use]
    pub fn parse(typed: &str) -> Option<Self> {
        let mut digits = Zeroizing::new(String::with_capacity(8));
        for character in typed.chars().filter(|character| *character != ' ') {
            if !character.is_ascii_digit() || digits.len() == 8 {
                return None;
            }
            digits.push(character);
        }
        (digits.len() >= 6).then_some(Self(digits))
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether both are the same code, in a time that depends on their lengths only.
    #[must_use]
    pub fn ct_eq(&self, other: &Self) -> Choice {
        self.0.as_bytes().ct_eq(other.0.as_bytes())
    }
}

/// The code of `counter` (RFC 4226, 5.3). For TOTP the counter is the [`step`].
#[must_use]
pub fn hotp(secret: &Secret, algorithm: Algorithm, digits: Digits, counter: u64) -> Code {
    let written = Codes::new(secret, algorithm, digits).written(counter);
    let mut text = Zeroizing::new(String::with_capacity(8));
    text.extend(written.digits().iter().copied().map(char::from));
    Code(text)
}

/// The codes of one secret, for whoever compares many: to take a key in is half of the work of a code.
pub struct Codes {
    keyed: Keyed,
    digits: Digits,
}

/// HMAC that has taken its key in. It erases itself.
enum Keyed {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
    Sha512(Box<Hmac<Sha512>>),
}

impl Codes {
    /// Those that a token of these parameters shows.
    #[must_use]
    pub fn new(secret: &Secret, algorithm: Algorithm, digits: Digits) -> Self {
        let key = secret.expose();
        let keyed = match algorithm {
            Algorithm::Sha1 => Keyed::Sha1(HmacImpl::new_from_slice(key)),
            Algorithm::Sha256 => Keyed::Sha256(HmacImpl::new_from_slice(key)),
            Algorithm::Sha512 => Keyed::Sha512(Box::new(HmacImpl::new_from_slice(key))),
        };
        Self { keyed, digits }
    }

    /// Whether this is the code of `counter`, in a time that depends on lengths only.
    #[must_use]
    pub fn has(&self, code: &Code, counter: u64) -> Choice {
        self.written(counter).digits().ct_eq(code.0.as_bytes())
    }

    fn written(&self, counter: u64) -> Written {
        let mut number = match &self.keyed {
            Keyed::Sha1(mac) => truncated_mac(mac, counter),
            Keyed::Sha256(mac) => truncated_mac(mac, counter),
            Keyed::Sha512(mac) => truncated_mac(&**mac, counter),
        };
        let length = usize::from(self.digits.get());
        let mut written = Written { text: Zeroizing::default(), length };
        let mut rest = number;
        for place in written.text.iter_mut().take(length).rev() {
            // Below 10.
            *place = b'0' | u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
        }
        rest.zeroize();
        number.zeroize();
        written
    }
}

/// The digits of a code, where they need no memory of their own.
struct Written {
    text: Zeroizing<[u8; 8]>,
    length: usize,
}

impl Written {
    fn digits(&self) -> &[u8] {
        self.text.get(..self.length).unwrap_or_default()
    }
}

/// The time step of a moment, T = floor(unix time / X) with T0 = 0 (RFC 6238, 4.2).
#[must_use]
pub fn step(unix_seconds: u64, period: Period) -> u64 {
    unix_seconds / period.get()
}

fn truncated_mac<H: HmacImpl>(keyed: &H, counter: u64) -> u32 {
    let mut mac = keyed.clone();
    mac.update(&counter.to_be_bytes());
    let mut output = mac.finalize();
    let number = truncate(&output);
    output.as_mut_slice().zeroize();
    number
}

/// Dynamic truncation: 31 bits from the place that the last four bits name (RFC 4226, 5.3).
fn truncate(mac: &[u8]) -> u32 {
    let offset = usize::from(mac.last().copied().unwrap_or(0) & 0x0f);
    mac.iter().skip(offset).take(4).fold(0, |number, byte| number << 8 | u32::from(*byte))
        & 0x7fff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(n: u8) -> Digits {
        n.try_into().unwrap()
    }

    /// RFC 4226, appendix D.
    const HOTP: [(u32, &str); 10] = [
        (1_284_755_224, "755224"),
        (1_094_287_082, "287082"),
        (137_359_152, "359152"),
        (1_726_969_429, "969429"),
        (1_640_338_314, "338314"),
        (868_254_676, "254676"),
        (1_918_287_922, "287922"),
        (82_162_583, "162583"),
        (673_399_871, "399871"),
        (645_520_489, "520489"),
    ];

    #[test]
    fn hotp_gives_the_answers_of_rfc_4226_appendix_d() {
        let secret = Secret::new(b"12345678901234567890".to_vec());
        let keyed: Hmac<Sha1> = HmacImpl::new_from_slice(secret.expose());
        for (counter, (number, code)) in (0..).zip(HOTP) {
            assert_eq!(truncated_mac(&keyed, counter), number);
            assert_eq!(hotp(&secret, Algorithm::Sha1, digits(6), counter).as_str(), code);
        }
    }

    #[test]
    fn truncation_gives_the_answer_of_rfc_4226_section_5_4() {
        let mac =
            data_encoding::HEXLOWER.decode(b"1f8698690e02ca16618550ef7f19da8e945b555a").unwrap();
        assert_eq!(truncate(&mac), 0x50ef_7f19);
    }

    /// RFC 6238, appendix B: time, step, and the codes of the three hashes. The secrets are as long
    /// as the hashes (RFC errata 2866).
    const TOTP: [(u64, u64, [&str; 3]); 6] = [
        (59, 0x1, ["94287082", "46119246", "90693936"]),
        (1_111_111_109, 0x0235_23EC, ["07081804", "68084774", "25091201"]),
        (1_111_111_111, 0x0235_23ED, ["14050471", "67062674", "99943326"]),
        (1_234_567_890, 0x0273_EF07, ["89005924", "91819424", "93441116"]),
        (2_000_000_000, 0x03F9_40AA, ["69279037", "90698825", "38618901"]),
        (20_000_000_000, 0x27BC_86AA, ["65353130", "77737706", "47863826"]),
    ];

    #[test]
    fn totp_gives_the_answers_of_rfc_6238_appendix_b() {
        for (time, steps, codes) in TOTP {
            assert_eq!(step(time, Period::default()), steps);
            let algorithms = [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512];
            for (algorithm, code) in algorithms.into_iter().zip(codes) {
                let bytes = b"1234567890".iter().copied().cycle();
                let secret = Secret::new(bytes.take(algorithm.secret_len()).collect());
                assert_eq!(hotp(&secret, algorithm, digits(8), steps).as_str(), code);
                // Fewer digits are the last ones.
                assert_eq!(hotp(&secret, algorithm, digits(7), steps).as_str(), &code[1..]);
            }
        }
    }

    #[test]
    fn a_step_lasts_from_its_first_second_to_the_one_before_the_next() {
        let period = Period::try_from(30).unwrap();
        let steps = [0, 29, 30, 59, 60, u64::MAX].map(|time| step(time, period));
        assert_eq!(steps, [0, 0, 1, 1, 2, u64::MAX / 30]);
    }

    #[test]
    fn only_six_to_eight_ascii_digits_are_a_code() {
        for (typed, digits) in [
            ("123456", "123456"),
            ("1234567", "1234567"),
            ("12345678", "12345678"),
            (" 123 456 ", "123456"),
            ("000000", "000000"),
        ] {
            assert_eq!(Code::parse(typed).unwrap().as_str(), digits);
        }
        for typed in [
            "",
            " ",
            "12345",
            "123456789",
            "123456\n",
            "123456\r",
            "\t123456",
            "+12345",
            "-123456",
            "12345a",
            "123.456",
            "123456\0",
            "１２３４５６",
            "١٢٣٤٥٦",
            "123\u{a0}456",
            "0x1234",
        ] {
            assert!(Code::parse(typed).is_none(), "{typed:?}");
        }
    }

    #[test]
    fn codes_are_equal_only_with_the_same_digits_and_length() {
        let equal = |a, b| bool::from(Code::parse(a).unwrap().ct_eq(&Code::parse(b).unwrap()));
        assert!(equal("123456", "123 456"));
        assert!(!equal("123456", "123457"));
        assert!(!equal("023456", "123456"));
        assert!(!equal("123456", "1234567"));
    }

    #[test]
    fn parameters_outside_their_ranges_are_refused_also_in_records() {
        for n in 0..=u8::MAX {
            let allowed = (6..=8).contains(&n);
            assert_eq!(Digits::try_from(n).is_ok(), allowed);
            assert_eq!(serde_json::from_str::<Digits>(&n.to_string()).is_ok(), allowed);
        }
        for n in [0, 14, 15, 30, 300, 301, 65_566, u64::MAX] {
            let allowed = (15..=300).contains(&n);
            assert_eq!(Period::try_from(n).map(Period::get), n.try_into().map(Period::get));
            assert_eq!(Period::try_from(n).is_ok(), allowed);
            assert_eq!(serde_json::from_str::<Period>(&n.to_string()).is_ok(), allowed);
        }
        assert_eq!(serde_json::to_string(&digits(7)).unwrap(), "7");
        assert_eq!(serde_json::to_string(&Period::default()).unwrap(), "30");
    }

    #[test]
    fn algorithms_are_written_and_read_by_one_name_each() {
        for (algorithm, name) in [
            (Algorithm::Sha1, "SHA1"),
            (Algorithm::Sha256, "SHA256"),
            (Algorithm::Sha512, "SHA512"),
        ] {
            assert_eq!(algorithm.to_string(), name);
            assert_eq!(name.parse(), Ok(algorithm));
            assert_eq!(serde_json::to_string(&algorithm).unwrap(), format!("{name:?}"));
            assert_eq!(serde_json::from_str::<Algorithm>(&format!("{name:?}")).unwrap(), algorithm);
        }
        for name in ["", "sha1", "SHA-1", "MD5"] {
            assert_eq!(name.parse::<Algorithm>(), Err(OtpError::Algorithm));
            assert!(serde_json::from_str::<Algorithm>(&format!("{name:?}")).is_err());
        }
    }
}
