// SPDX-License-Identifier: GPL-3.0-or-later
//! What was typed, or lies in `PAM_AUTHTOK`: it may be a password, or a password with a code at its
//! end.

use mfa_proto::TypedCode;
use zeroize::Zeroizing;

/// The length of a recovery code as it is shown: `XXXX-XXXX-XXX`.
const RECOVERY_CODE_LEN: usize = 13;

/// Where its hyphens are.
const HYPHENS: [usize; 2] = [4, 9];

/// The digits that a code can have (RFC 4226 section 5.3).
const DIGITS: std::ops::RangeInclusive<u8> = 6..=8;

/// A text that may be a password: erased on drop, never shown.
pub(crate) struct Typed(Zeroizing<Vec<u8>>);

/// A password with a code at its end, taken apart.
pub(crate) struct Split {
    /// What comes before the code.
    pub(crate) password: Typed,
    /// The code.
    pub(crate) code: TypedCode,
}

impl Typed {
    /// A copy of the bytes.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    /// The bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Is there nothing but white space?
    pub(crate) fn is_blank(&self) -> bool {
        std::str::from_utf8(&self.0).is_ok_and(|text| text.trim().is_empty())
    }

    /// The whole of it as a code; `None` where it can be none: too long, or no text.
    pub(crate) fn code(&self) -> Option<TypedCode> {
        std::str::from_utf8(&self.0).ok().and_then(TypedCode::new)
    }

    /// Takes the code off the end: a recovery code in the form in which it is shown, or that many
    /// ASCII digits. Neither can be taken for the other. Nothing else of the text is in the code.
    ///
    /// A password that ends in as many digits and has no code behind it looks the same; its end
    /// would be tried as a code. No text can tell; `forward_pass` and its kin have this price in
    /// every module that knows them.
    pub(crate) fn split(&self, digits: u8) -> Option<Split> {
        let recovery = || self.end(RECOVERY_CODE_LEN).filter(|end| is_recovery_code(end));
        let code = || {
            let end = self.end(usize::from(digits)).filter(|_| DIGITS.contains(&digits));
            end.filter(|end| end.iter().all(u8::is_ascii_digit))
        };
        let end = recovery().or_else(code)?;
        let password = self.0.get(..self.0.len().checked_sub(end.len())?)?;
        let code = TypedCode::new(std::str::from_utf8(end).ok()?)?;
        Some(Split { password: Self::new(password), code })
    }

    fn end(&self, len: usize) -> Option<&[u8]> {
        self.0.get(self.0.len().checked_sub(len)?..)
    }
}

fn is_recovery_code(text: &[u8]) -> bool {
    text.iter().enumerate().all(|(at, byte)| {
        if HYPHENS.contains(&at) { *byte == b'-' } else { byte.is_ascii_alphanumeric() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str, digits: u8) -> Option<(String, String)> {
        let split = Typed::new(text.as_bytes()).split(digits)?;
        let password = String::from_utf8(split.password.as_bytes().to_vec()).unwrap();
        Some((password, split.code.as_str().to_owned()))
    }

    #[test]
    fn the_code_is_taken_off_the_end_and_the_rest_is_the_password() {
        for (text, digits, password, code) in [
            ("hunter2271828", 6, "hunter2", "271828"),
            ("hunter2271828", 7, "hunter", "2271828"),
            ("hunter 12345678", 8, "hunter ", "12345678"),
            ("271828", 6, "", "271828"),
            ("pässwörd271828", 6, "pässwörd", "271828"),
            ("12345678", 6, "12", "345678"),
            ("hunter2ABCD-1234-xyz", 6, "hunter2", "ABCD-1234-xyz"),
            ("ABCD-1234-123", 6, "", "ABCD-1234-123"),
            ("a-b-ABCD-1234-123", 8, "a-b-", "ABCD-1234-123"),
        ] {
            let found = split(text, digits);
            assert_eq!(found, Some((password.to_owned(), code.to_owned())), "{text}");
        }
    }

    #[test]
    fn what_has_no_code_at_its_end_is_left_whole() {
        assert!(split("hunter2271828", 6).is_some());
        for (text, digits) in [
            ("", 6),
            ("hunter2", 6),
            ("27182", 6),
            ("hunter271 828", 6),
            ("hunter2271828 ", 6),
            ("hunter2271828\n", 6),
            ("hunter2+71828", 6),
            ("hunter２７１８２８", 6),
            ("hunter1234567", 8),
            ("ABCD-1234-xyz ", 6),
            ("ABCD-1234_xyz", 6),
            ("ABC-12345-xyz", 6),
            ("BCD-1234-xyz", 6),
            ("ABCD-12é4-xyz", 6),
            // Digits that no code has: whatever answers so, nothing is taken off.
            ("hunter2271828", 0),
            ("hunter2271828", 5),
            ("hunter1234567890", 9),
            ("hunter1234567890", 255),
        ] {
            assert_eq!(split(text, digits), None, "{text} {digits}");
        }
        let no_text = Typed::new(b"hunter\xff271828").split(6).unwrap();
        assert_eq!(no_text.password.as_bytes(), b"hunter\xff");
        assert_eq!(no_text.code.as_str(), "271828");
    }

    #[test]
    fn white_space_is_nothing_and_what_no_code_can_be_is_none() {
        for blank in ["", " ", "\t \r\n", "\u{a0}\u{3000}"] {
            assert!(Typed::new(blank.as_bytes()).is_blank(), "{blank:?}");
        }
        assert!(!Typed::new(b"0").is_blank() && !Typed::new(b"\xff").is_blank());
        let longest = [b'1'; TypedCode::MAX_BYTES + 1];
        assert!(Typed::new(&longest[1..]).code().is_some());
        assert!(Typed::new(&longest).code().is_none());
        assert!(Typed::new(b"12\xff456").code().is_none());
    }
}
