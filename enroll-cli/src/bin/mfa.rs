// SPDX-License-Identifier: GPL-3.0-or-later
//! The `mfa` command.

fn main() -> std::process::ExitCode {
    enroll_cli::run()
}
