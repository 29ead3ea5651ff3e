// SPDX-License-Identifier: GPL-3.0-or-later
//! Nonces over as many seals as a large store makes in a day. Each is drawn from the kernel, so neither a
//! fork nor a copy of a running machine's memory repeats one.

use std::collections::HashSet;

use getrandom::SysRng;
use mfa_crypto::{MasterKey, Secret};

const SEALS: usize = 1_000_000;
const THREADS: usize = 2;

/// The nonces of so many seals; it stands behind the version of the format.
fn nonces(key: &MasterKey, count: usize) -> Vec<[u8; 24]> {
    let secret = Secret::new(b"12345678901234567890".to_vec());
    let nonce = |n: usize| {
        let sealed = key.seal(b"bound", &secret, &mut SysRng).expect("a seal");
        if n.is_multiple_of(10_000) {
            let opened = key.open(b"bound", &sealed).expect("what was sealed");
            assert_eq!(opened.expose(), secret.expose());
        }
        *sealed.get(1..).and_then(<[u8]>::first_chunk).expect("a nonce")
    };
    (0..count).map(nonce).collect()
}

#[test]
fn in_a_million_seals_no_nonce_comes_twice_and_each_opens() {
    let key = MasterKey::generate(&mut SysRng).expect("randomness");
    let seen: HashSet<[u8; 24]> = std::thread::scope(|scope| {
        let some = |_| scope.spawn(|| nonces(&key, SEALS / THREADS));
        let threads: Vec<_> = (0..THREADS).map(some).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("its nonces")).collect()
    });
    assert_eq!(seen.len(), SEALS);
}
