// SPDX-License-Identifier: GPL-3.0-or-later
//! The corpora through the targets, without a fuzzer: every input that was kept, and some thousand made of
//! them with a fixed seed. What a fuzzer once found stays found.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "functions of a test")]

use std::fs;
use std::path::{Path, PathBuf};

use mfa_fuzz_targets::{Met, TARGETS, Target, met};

fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus")
}

/// In the order of their names, so that every run is the same.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let mut files: Vec<_> =
        fs::read_dir(corpora().join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| fs::read(file).unwrap()).collect()
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap()
    }

    /// One input made of two: bytes altered, cut out, doubled, or taken from the other.
    fn mutation(&mut self, input: &[u8], other: &[u8]) -> Vec<u8> {
        let mut made = input.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(made.len() + 1);
            let end = (at + self.below(16)).min(made.len());
            match self.below(5) {
                0 if at < made.len() => made[at] ^= 1 << self.below(8),
                1 if at < made.len() => made[at] = b" 019\"{}[],:=\n\0\xff"[self.below(15)],
                2 => drop(made.drain(at..end)),
                3 => {
                    let part = made[at..end].to_vec();
                    made.splice(at..at, part);
                }
                _ => {
                    let from = self.below(other.len() + 1);
                    let to = (from + self.below(32)).min(other.len());
                    made.splice(at..end, other[from..to].iter().copied());
                }
            }
        }
        made
    }
}

fn replay(target: &Target) {
    let corpus = corpus(target.name);
    assert!(corpus.len() >= 3, "the corpus of {} has seeds", target.name);
    for input in &corpus {
        (target.run)(input);
    }
    let mut random = Random(7);
    for _ in 0..target.mutations {
        let (one, other) = (random.below(corpus.len()), random.below(corpus.len()));
        (target.run)(&random.mutation(&corpus[one], &corpus[other]));
    }
}

fn replay_of(name: &str) {
    replay(TARGETS.iter().find(|target| target.name == name).unwrap());
}

#[test]
fn every_target_has_a_corpus_and_every_corpus_a_target() {
    let mut found: Vec<_> = fs::read_dir(corpora())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let mut known: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    found.sort();
    known.sort_unstable();
    assert_eq!(found, known);
}

#[test]
fn what_the_fuzzers_kept_breaks_no_promise_of_the_reader_of_requests() {
    replay_of("requests");
}

#[test]
fn what_the_fuzzers_kept_breaks_no_promise_of_a_connection() {
    replay_of("connections");
}

#[test]
fn what_the_fuzzers_kept_breaks_no_promise_of_the_reader_of_answers() {
    replay_of("answers");
}

#[test]
fn what_the_fuzzers_kept_lets_nobody_in_through_the_module() {
    replay_of("module");
}

#[test]
fn what_the_fuzzers_kept_breaks_no_promise_of_the_modules_options() {
    replay_of("pam_options");
}

#[test]
fn what_the_fuzzers_kept_breaks_no_promise_of_the_configuration() {
    replay_of("configuration");
}

#[test]
fn what_the_fuzzers_kept_breaks_no_promise_of_the_import_formats() {
    for name in ["google_authenticator", "users_oath", "users_json"] {
        replay_of(name);
    }
}

#[test]
fn what_the_fuzzers_kept_breaks_no_promise_of_groups_and_public_values() {
    replay_of("dh_parameters");
}

#[test]
fn what_the_fuzzers_kept_breaks_no_promise_of_addresses_and_codes() {
    for name in ["otpauth", "recovery_codes"] {
        replay_of(name);
    }
}

#[test]
fn what_the_fuzzers_kept_opens_no_login_twice_and_no_session_unconfirmed() {
    replay_of("sessions");
}

#[test]
fn the_histories_of_the_corpus_open_logins_confirm_tokens_replace_keys_and_are_refused() {
    let mut all = Met::default();
    for met in corpus("sessions").iter().map(|input| met(input)) {
        all.opened += met.opened;
        all.confirmed += met.confirmed;
        all.rekeyed += met.rekeyed;
        all.over += met.over;
        all.refused += met.refused;
    }
    let Met { opened, confirmed, rekeyed, over, refused } = all;
    assert!([opened, confirmed, rekeyed, over, refused].iter().all(|times| *times >= 1), "{all:?}");
}
