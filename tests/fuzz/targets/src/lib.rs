// SPDX-License-Identifier: GPL-3.0-or-later
//! What the fuzzers run, as plain functions of bytes. `tests/fuzz` hands them to libFuzzer; the test
//! beside this file gives them the corpora, on any toolchain. Each panics where a promise is broken, not
//! only where something would crash.

// Nothing here has tests of its own, and those of the module's files run where they belong.
#![cfg(not(test))]
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: a broken promise ends the run"
)]

// The module is a library of C's kind and cannot be linked to: its pure files are part of this crate.
#[path = "../../../../pam_mfa/src/answer.rs"]
mod answer;
#[path = "../../../../pam_mfa/src/flow.rs"]
#[expect(dead_code, reason = "each of them has more than the fuzzers need")]
mod flow;
#[path = "../../../../pam_mfa/src/log.rs"]
#[expect(dead_code, reason = "as above")]
mod log;
#[path = "../../../../pam_mfa/src/login.rs"]
mod login;
#[path = "../../../../pam_mfa/src/membership.rs"]
#[expect(dead_code, reason = "as above")]
mod membership;
#[path = "../../../../pam_mfa/src/messages.rs"]
#[expect(dead_code, reason = "as above")]
mod messages;
#[path = "../../../../pam_mfa/src/options.rs"]
mod options;
#[path = "../../../../pam_mfa/src/typed.rs"]
mod typed;
#[path = "../../../../pam_mfa/src/utc.rs"]
mod utc;

mod answers;
mod bytes;
mod codes;
mod configuration;
mod connections;
mod dh_parameters;
mod house;
mod json;
mod module;
mod otpauth;
mod pam_options;
mod requests;
mod scripted_rng;
mod sessions;

pub use sessions::{Met, met};

/// A target: its name, which is that of its corpus, and what it does with an input.
pub struct Target {
    /// Of the program and of the corpus.
    pub name: &'static str,
    /// Panics where a promise is broken.
    pub run: fn(&[u8]),
    /// Inputs of the ordinary test, beside the corpus: as many as it makes in about a second.
    pub mutations: usize,
}

/// All of them.
pub const TARGETS: [Target; 13] = [
    Target { name: "requests", run: requests::requests, mutations: 4_000 },
    Target { name: "connections", run: connections::connections, mutations: 300 },
    Target { name: "answers", run: answers::answers, mutations: 2_000 },
    Target { name: "module", run: module::module, mutations: 4_000 },
    Target { name: "pam_options", run: pam_options::pam_options, mutations: 4_000 },
    Target { name: "configuration", run: configuration::configuration, mutations: 1_000 },
    Target {
        name: "google_authenticator",
        run: enroll_cli::fuzzing::google_authenticator,
        mutations: 4_000,
    },
    Target { name: "users_oath", run: enroll_cli::fuzzing::users_oath, mutations: 1_000 },
    Target { name: "users_json", run: enroll_cli::fuzzing::users_json, mutations: 1_000 },
    Target { name: "dh_parameters", run: dh_parameters::dh_parameters, mutations: 500 },
    Target { name: "otpauth", run: otpauth::otpauth, mutations: 4_000 },
    Target { name: "recovery_codes", run: codes::recovery_codes, mutations: 4_000 },
    Target { name: "sessions", run: sessions::sessions, mutations: 60 },
];

/// Runs the target of this name.
///
/// # Panics
/// Where there is none, or a promise is broken.
pub fn run(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target");
    (target.run)(input);
}
