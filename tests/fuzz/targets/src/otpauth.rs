// SPDX-License-Identifier: GPL-3.0-or-later
//! `otpauth` addresses and base32.

use mfa_crypto::{OtpUri, Secret, base32, base32_decode};

/// What is parsed and printed again parses alike, and is printed in ASCII that a URI may have. A mistake is
/// told without the secret.
pub(crate) fn otpauth(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match OtpUri::parse(text) {
        Ok(uri) => {
            let printed = uri.render();
            assert!(printed.bytes().all(|byte| byte.is_ascii_graphic()));
            let again = OtpUri::parse(&printed).expect("what was printed is read");
            assert!(is_same(&uri, &again));
            assert_eq!(again.render(), printed);
        }
        Err(error) => {
            let said = error.to_string();
            assert!(!said.chars().any(char::is_control), "{said:?}");
            let secret = text.split("secret=").nth(1).and_then(|rest| rest.split('&').next());
            // Where it stands for nothing else: the name of a parameter that is not known is shown.
            let secret = secret.filter(|secret| {
                let is_one =
                    secret.len() >= 16 && secret.bytes().all(|byte| byte.is_ascii_alphanumeric());
                is_one && text.matches(secret).count() == 1
            });
            assert!(secret.is_none_or(|secret| !said.contains(secret)));
        }
    }
    if let Ok(secret) = base32_decode(text) {
        assert!(!secret.expose().is_empty());
        let again = base32_decode(&base32(&secret)).expect("what was printed is read");
        assert_eq!(again.expose(), secret.expose());
    }
    if !input.is_empty() {
        let secret = Secret::new(input.to_vec());
        let again = base32_decode(&base32(&secret)).expect("what was printed is read");
        assert_eq!(again.expose(), input);
    }
}

fn is_same(one: &OtpUri, other: &OtpUri) -> bool {
    (&one.issuer, &one.account, one.secret.expose())
        == (&other.issuer, &other.account, other.secret.expose())
        && (one.algorithm, one.digits, one.moving) == (other.algorithm, other.digits, other.moving)
}
