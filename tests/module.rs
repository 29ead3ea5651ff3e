// SPDX-License-Identifier: GPL-3.0-or-later
//! What is mapped into every login program: how large it is, what it links, what it is made of.

#![expect(clippy::panic, clippy::unwrap_used, reason = "test code")]

use std::collections::BTreeSet;
use std::env;
use std::process::Command;

use mfa_tests::artifacts;

/// Prefixes of crates that have no business in a login program.
const BANNED: [&str; 30] = [
    "aes",
    "argon2",
    "async",
    "chacha20",
    "crypto",
    "curve25519",
    "digest",
    "ed25519",
    "futures",
    "getrandom",
    "hkdf",
    "hmac",
    "mfa-crypto",
    "mio",
    "native-tls",
    "num-bigint",
    "openssl",
    "p256",
    "poly1305",
    "rand",
    "reqwest",
    "ring",
    "rsa",
    "rustls",
    "sha1",
    "sha2",
    "signal-hook",
    "smol",
    "tokio",
    "webpki",
];

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn about_module(option: &str) -> String {
    output("readelf", &["-W", option, artifacts::module().to_str().unwrap()])
}

#[test]
fn the_module_has_at_most_500_kib_and_no_symbol_table() {
    let size = std::fs::metadata(artifacts::module()).unwrap().len();
    println!("the module has {size} bytes");
    assert!(size <= 500 * 1024, "{size} bytes");
    assert!(size > 50 * 1024, "{size} bytes are no module");
    assert!(!about_module("-S").contains(".symtab"), "it is not stripped");
}

#[test]
fn the_module_links_libc_and_libpam_only() {
    let needed: BTreeSet<_> = about_module("-d")
        .lines()
        .filter(|line| line.contains("(NEEDED)"))
        .filter_map(|line| line.split(['[', ']']).nth(1).map(str::to_owned))
        // The dynamic loader, a part of libc: thread-local variables are its.
        .filter(|library| !library.starts_with("ld-linux"))
        .collect();
    let expected = ["libc.so.6", "libpam.so.0"].map(str::to_owned);
    assert_eq!(needed, BTreeSet::from(expected));
}

#[test]
fn the_module_exports_the_six_entry_points_and_nothing_else() {
    let symbols = about_module("--dyn-syms");
    let exported: BTreeSet<_> = symbols
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|fields| fields.len() >= 8 && ["GLOBAL", "WEAK"].contains(&fields[4]))
        .filter(|fields| fields[6] != "UND")
        .map(|fields| fields[7].to_owned())
        .collect();
    let calls =
        ["acct_mgmt", "authenticate", "chauthtok", "close_session", "open_session", "setcred"];
    assert_eq!(exported, BTreeSet::from(calls.map(|call| format!("pam_sm_{call}"))));
}

#[test]
fn the_module_tells_its_version_without_being_loaded() {
    let file = std::fs::read(artifacts::module()).expect("the module");
    let note = concat!("@(#)pam_mfa ", env!("CARGO_PKG_VERSION"), "\0").as_bytes();
    assert_eq!(file.windows(note.len()).filter(|window| *window == note).count(), 1);
}

#[test]
fn the_module_is_hardened_like_a_library_of_the_system() {
    let dynamic = about_module("-d");
    assert!(dynamic.contains("BIND_NOW"), "{dynamic}");
    assert!(!dynamic.contains("TEXTREL"), "{dynamic}");
    assert!(!dynamic.contains("RPATH") && !dynamic.contains("RUNPATH"), "{dynamic}");
    let segments = about_module("-l");
    assert!(segments.contains("GNU_RELRO"), "{segments}");
    let stack = segments.lines().find(|line| line.contains("GNU_STACK")).unwrap();
    assert!(!stack.contains("RWE"), "{stack}");
}

#[test]
fn the_module_depends_on_at_most_20_crates_none_of_them_async_crypto_or_tls() {
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    // What is linked into the module or writes code of it; not what only runs in a build.
    let options = ["tree", "--package=pam_mfa", "--edges=normal", "--prefix=none", "--offline"];
    let tree = output(&cargo, &[&options[..], &["--format={p}"]].concat());
    let crates: BTreeSet<_> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|name| !name.is_empty())
        .collect();
    assert!(crates.contains("pam_mfa") && crates.contains("pam-bindings"), "{crates:?}");
    let dependencies = crates.len() - 1;
    println!("the module depends on {dependencies} crates");
    assert!(dependencies <= 20, "{dependencies}: {crates:?}");
    let banned: Vec<_> =
        crates.iter().filter(|name| BANNED.iter().any(|banned| name.starts_with(banned))).collect();
    assert!(banned.is_empty(), "{banned:?}");
}
