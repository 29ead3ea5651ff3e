// SPDX-License-Identifier: GPL-3.0-or-later
//! What people type: codes, recovery codes, and a code behind a password.

use mfa_crypto::{Code, RecoveryCode};
use mfa_daemon::policy::login::{self, Typed as Kind};

use crate::typed::Typed;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A recovery code is read again as it is shown, and never with one character other. No text is both a code
/// and a recovery code. A password that is split loses no byte.
pub(crate) fn recovery_codes(input: &[u8]) {
    split(input);
    let Ok(text) = std::str::from_utf8(input) else { return };
    let code = Code::parse(text);
    let read = login::read(text, |_| [1; 32], |_| [2; 32]);
    if let Some(code) = &code {
        assert!((6..=8).contains(&code.as_str().len()));
        assert!(code.as_str().bytes().all(|byte| byte.is_ascii_digit()));
        assert_eq!(code.as_str(), text.replace(' ', ""));
        assert!(RecoveryCode::parse(text).is_err());
        assert_eq!(matches!(read, Kind::CodeOrScratch(..)), code.may_be_scratch());
    }
    let Ok(recovery) = RecoveryCode::parse(text) else {
        assert!(code.is_some() || matches!(read, Kind::Neither));
        return;
    };
    assert!(code.is_none() && matches!(read, Kind::Recovery(_)));
    let shown = recovery.display();
    assert_eq!(shown.len(), 13);
    assert_eq!(RecoveryCode::parse(&shown).expect("as it is shown").display(), shown);
    // One slip is always noticed: of one character, or of two in each other's place.
    for at in (0..13).filter(|at| ![4, 9].contains(at)) {
        for other in ALPHABET {
            let mut slip = shown.as_bytes().to_vec();
            slip[at] = *other;
            let slip = String::from_utf8(slip).expect("ASCII");
            assert_eq!(RecoveryCode::parse(&slip).is_ok(), slip == **shown);
        }
        for other in (at + 1..13).filter(|at| ![4, 9].contains(at)) {
            let mut slip = shown.as_bytes().to_vec();
            slip.swap(at, other);
            let slip = String::from_utf8(slip).expect("ASCII");
            assert_eq!(RecoveryCode::parse(&slip).is_ok(), slip == **shown);
        }
    }
}

fn split(input: &[u8]) {
    let typed = Typed::new(input);
    for digits in [0, 5, 6, 7, 8, 9, 255] {
        if let Some(split) = typed.split(digits) {
            let whole = [split.password.as_bytes(), split.code.as_str().as_bytes()].concat();
            assert_eq!(whole, input);
            assert!([6, 7, 8, 13].contains(&split.code.as_str().len()));
        }
    }
}
