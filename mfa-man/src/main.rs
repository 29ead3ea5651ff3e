// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa-man pages SOURCES TARGET` and `mfa-man completions TARGET`, see `make man` and `make completions`.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(Path::new).collect();
    let written = match words.as_slice() {
        [what, sources, target] if *what == "pages" => mfa_man::write_all(sources, target),
        [what, target] if *what == "completions" => mfa_man::write_completions(target),
        _ => return failed("usage: mfa-man pages SOURCES TARGET, or mfa-man completions TARGET"),
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&format!("mfa-man: {error}")),
    }
}

#[expect(clippy::print_stderr, reason = "a program that make runs, and its only output")]
fn failed(why: &str) -> ExitCode {
    eprintln!("{why}");
    ExitCode::FAILURE
}
