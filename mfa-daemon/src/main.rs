// SPDX-License-Identifier: GPL-3.0-or-later
//! The program; everything it does is in the library.

fn main() -> std::process::ExitCode {
    mfa_daemon::run::main()
}
