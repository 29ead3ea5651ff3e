// SPDX-License-Identifier: GPL-3.0-or-later
//! A module in programs that do what few do, on systems that are not as they should be.

#![expect(
    clippy::unwrap_used,
    reason = "test code, outside the functions that clippy takes for tests"
)]

mod impostor;
mod interposed;
mod memory;
mod rare;
mod secrets;
mod surroundings;
mod terminal;

use mfa_tests::host::{Host, Outcome};
use mfa_tests::stack::{Stack, line};
use std::path::Path;

/// What no account here is: neither root nor anybody's.
const STRANGER: u32 = 54_321;

const NOT_CHECKED: &str = "error: The code could not be checked.";

fn host(stack: &Stack, user: &str) -> Host {
    Host::new(env!("CARGO_BIN_EXE_pam-host"), stack, user)
}

/// `pam-rare`, which behaves like this.
fn rare(stack: &Stack, user: &str, behaviour: &[&str]) -> Host {
    Host::new(env!("CARGO_BIN_EXE_pam-rare"), stack, user).with(behaviour)
}

fn login(stack: &Stack, user: &str, code: &str) -> Outcome {
    host(stack, user).answer(code).run()
}

/// The module, and one that agrees: what it ignores passes.
fn lenient(socket: &Path, options: &str) -> Stack {
    Stack::of_lines(&(line("auth", "required", socket, options) + "auth required pam_permit.so\n"))
}
