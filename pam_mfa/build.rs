// SPDX-License-Identifier: GPL-3.0-or-later
//! Leaves no symbol table in the release build: `strip = "symbols"` does not reach a cdylib's.

fn main() {
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,--strip-all");
    }
}
