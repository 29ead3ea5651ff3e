// SPDX-License-Identifier: GPL-3.0-or-later
//! HKDF-SHA256 (RFC 5869) and HMAC-SHA256 (RFC 2104), with keys of 32 bytes that erase themselves.

use hkdf::{Hkdf, HmacImpl};
use hmac::Hmac;
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

/// Bytes of a key, of a hash and of a MAC.
pub(crate) const KEY_BYTES: usize = 32;

/// A key that erases itself.
pub(crate) type Key = Zeroizing<[u8; KEY_BYTES]>;

/// RFC 5869, 2.2: a key from shared randomness that is not yet uniform.
pub(crate) fn extract(salt: &[u8], input: &[u8]) -> Key {
    let (mut output, _) = Hkdf::<Sha256>::extract(Some(salt), input);
    copy_and_erase(output.as_mut_slice())
}

/// RFC 5869, 2.3, with an output of 32 bytes.
#[expect(
    clippy::expect_used,
    reason = "a key is as long as a hash and the output one block of the 255 allowed"
)]
pub(crate) fn expand(key: &Key, label: &[u8]) -> Key {
    let mut output = Key::default();
    Hkdf::<Sha256>::from_prk(key.as_slice())
        .expect("32 bytes are a key for HKDF-SHA256")
        .expand(label, output.as_mut_slice())
        .expect("32 bytes are one block of HKDF-SHA256");
    output
}

/// HMAC-SHA256. Its result is secret until it is sent, so it erases itself.
pub(crate) fn hmac(key: &Key, message: &[u8]) -> Key {
    let mut mac = <Hmac<Sha256> as HmacImpl>::new_from_slice(key.as_slice());
    HmacImpl::update(&mut mac, message);
    copy_and_erase(HmacImpl::finalize(mac).as_mut_slice())
}

fn copy_and_erase(output: &mut [u8]) -> Key {
    let mut key = Key::default();
    key.iter_mut().zip(output.iter()).for_each(|(k, o)| *k = *o);
    output.zeroize();
    key
}

#[cfg(test)]
mod tests {
    use super::{Key, expand, extract, hmac};
    use data_encoding::HEXLOWER;

    /// RFC 5869, appendix A. Only the first 32 bytes of the output are asked for here.
    const CASES: [(&str, &str, &str, &str, &str); 3] = [
        (
            "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
            "000102030405060708090a0b0c",
            "f0f1f2f3f4f5f6f7f8f9",
            "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf",
        ),
        (
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
            "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
            "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
            "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c",
        ),
        (
            "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
            "",
            "",
            "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d",
        ),
    ];

    #[test]
    fn hkdf_gives_the_answers_of_rfc_5869() {
        for (input, salt, info, prk, okm) in CASES {
            let hex = |text: &str| HEXLOWER.decode(text.as_bytes()).unwrap();
            let key = extract(&hex(salt), &hex(input));
            assert_eq!(HEXLOWER.encode(key.as_slice()), prk);
            assert_eq!(HEXLOWER.encode(expand(&key, &hex(info)).as_slice()), okm);
        }
    }

    #[test]
    fn hmac_gives_the_answer_of_rfc_4231_for_a_key_padded_to_32_bytes() {
        // RFC 4231, case 2; HMAC pads its key with zeros, so 32 bytes are the same key (RFC 2104).
        let mut key = Key::default();
        key[..4].copy_from_slice(b"Jefe");
        assert_eq!(
            HEXLOWER.encode(hmac(&key, b"what do ya want for nothing?").as_slice()),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
