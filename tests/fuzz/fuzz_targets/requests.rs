// SPDX-License-Identifier: GPL-3.0-or-later
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mfa_fuzz_targets::run("requests", input));
