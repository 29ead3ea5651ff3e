// SPDX-License-Identifier: GPL-3.0-or-later
//! Where sentences stand, so that translations can follow: in a program's `messages`, or in the `Display`
//! of an error's type, and nowhere else. docs/decisions/0014-sentences.md has the rule and its reasons.

#![expect(clippy::unwrap_used, reason = "functions of a test")]

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Those that people meet, and the libraries whose errors they read through them.
const CRATES: [&str; 6] =
    ["enroll-cli", "pam_mfa", "mfa-daemon", "mfa-proto", "mfa-crypto", "mfa-qr"];

/// From so many words on a text is a sentence.
const WORDS: usize = 3;

/// What else has words, and why it may stand where it does. A line of the log stands where it is logged:
/// people search for it and programs read it, so it is not translated.
const ALLOWED: [(&str, &str); 7] = [
    ("enroll-cli/src/commands/doctor", "commands, and lines of the files of others"),
    ("pam_mfa/src/log.rs", "the fields of a line of the log"),
    ("mfa-proto/src/", "what serde says of a frame that is none, to whoever writes a client"),
    ("mfa-daemon/src/metrics.rs", "help of OpenMetrics, which programs read"),
    ("mfa-daemon/src/metrics/serve.rs", "HTTP"),
    ("mfa-daemon/src/store/", "SQL"),
    ("mfa-crypto/src/", "labels that go into keys; not words but bytes"),
];

/// Macros whose texts are for the log, or for nobody: clap's help stands in attributes, which are not
/// looked at.
const UNTRANSLATED: [&str; 7] =
    ["error", "warn", "info", "debug", "trace", "debug_assert", "unreachable"];

#[derive(Debug, PartialEq, Eq)]
struct Found {
    line: usize,
    text: String,
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

fn is_test(path: &str) -> bool {
    path.ends_with("tests.rs") || path.ends_with("/script.rs")
}

fn sentences(source: &str) -> Vec<Found> {
    let mut found = Vec::new();
    walk(source.parse().unwrap(), &mut found);
    found
}

fn walk(tokens: TokenStream, found: &mut Vec<Found>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token {
            // An attribute: comments, clap's help, the reason of a lint. Behind `cfg(test)`, all of the item.
            TokenTree::Punct(sign) if sign.as_char() == '#' => {
                at += usize::from(is_punct(tokens.get(at), '!'));
                if let Some(TokenTree::Group(attribute)) = tokens.get(at) {
                    at += 1;
                    if attribute.stream().to_string().replace(' ', "") == "cfg(test)" {
                        at = behind_item(&tokens, at);
                    }
                }
            }
            // `impl … Display for …`
            TokenTree::Ident(word) if word == "impl" => {
                let end = behind_item(&tokens, at);
                let head = tokens.get(at..end).unwrap_or_default();
                let shows = head.windows(2).any(|pair| {
                    matches!(pair, [TokenTree::Ident(what), TokenTree::Ident(of)]
                        if what == "Display" && of == "for")
                });
                if shows {
                    at = end;
                }
            }
            TokenTree::Ident(name)
                if is_punct(tokens.get(at), '!') && UNTRANSLATED.iter().any(|log| name == log) =>
            {
                at += 2;
            }
            TokenTree::Group(group) => walk(group.stream(), found),
            TokenTree::Literal(literal) => {
                let text = literal.to_string();
                if text.starts_with(['"', 'r']) && words(&text) >= WORDS {
                    found.push(Found { line: literal.span().start().line, text });
                }
            }
            _ => {}
        }
    }
}

fn is_punct(token: Option<&TokenTree>, sign: char) -> bool {
    matches!(token, Some(TokenTree::Punct(found)) if found.as_char() == sign)
}

/// Past the braces, or the semicolon, that end an item.
fn behind_item(tokens: &[TokenTree], at: usize) -> usize {
    let rest = tokens.get(at..).unwrap_or_default();
    let end = rest.iter().position(|token| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        other => is_punct(Some(other), ';'),
    });
    end.map_or(tokens.len(), |end| at + end + 1)
}

/// Words of letters, as they stand between spaces, without signs around them; neither names with dots or
/// slashes nor what stands for a value.
fn words(literal: &str) -> usize {
    let mut outside = String::new();
    let mut depth = 0_usize;
    let mut letters = literal.trim_start_matches('r').chars();
    while let Some(c) = letters.next() {
        match c {
            // An escape, or the end of a line that goes on.
            '\\' => {
                letters.next();
                outside.push(' ');
            }
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            c if depth == 0 => outside.push(c),
            _ => {}
        }
    }
    outside
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|word| {
            !word.is_empty() && word.chars().all(|c| c.is_ascii_alphabetic() || c == '\'')
        })
        .count()
}

#[test]
fn a_sentence_stands_in_messages_or_in_the_display_of_an_error() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut strays = Vec::new();
    let mut in_messages = 0;
    for name in CRATES {
        let mut files = Vec::new();
        sources(&root.join(name).join("src"), &mut files);
        for file in files {
            let path = file.strip_prefix(&root).unwrap().display().to_string();
            if is_test(&path) {
                continue;
            }
            let found = sentences(&fs::read_to_string(&file).unwrap());
            if path.contains("/messages") {
                in_messages += found.len();
            } else if !ALLOWED.iter().any(|(allowed, _)| path.starts_with(allowed)) {
                strays.extend(
                    found.into_iter().map(|Found { line, text }| format!("{path}:{line}: {text}")),
                );
            }
        }
    }
    assert!(strays.is_empty(), "these belong into `messages`:\n{}", strays.join("\n"));
    // It does find sentences where they are.
    assert!(in_messages > 150, "{in_messages} sentences in messages");
}

/// Types of what no sentence may have. None has `Display` or `Debug`, so only what gets at the letters by
/// itself could show them, and that takes one of these as an argument.
const SECRET: [&str; 7] =
    ["TypedCode", "Code", "RecoveryCode", "Secret", "SecretText", "OtpUri", "Typed"];

/// What is below the daemon's state, which is nobody's business who asks it.
const STATE: [&str; 4] = ["/var/lib/mfa", "mfa.db", "master.key", "/run/credentials"];

/// All literals and names, without tests and comments.
fn flat(tokens: TokenStream, found: &mut Vec<String>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token {
            TokenTree::Punct(sign) if sign.as_char() == '#' => {
                if let Some(TokenTree::Group(attribute)) = tokens.get(at) {
                    at += 1;
                    if attribute.stream().to_string().replace(' ', "") == "cfg(test)" {
                        at = behind_item(&tokens, at);
                    }
                }
            }
            TokenTree::Group(group) => flat(group.stream(), found),
            other => found.push(other.to_string()),
        }
    }
}

/// What is wrong with a file of sentences, if anything is.
fn betrays(source: &str) -> Option<String> {
    let mut found = Vec::new();
    flat(source.parse().unwrap(), &mut found);
    found.into_iter().find(|token| {
        let digits = token.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0);
        SECRET.contains(&token.as_str())
            || token.starts_with('"')
                && (digits >= 6 || STATE.iter().any(|path| token.contains(path)))
    })
}

#[test]
fn no_sentence_is_given_a_code_or_a_secret_or_says_where_the_daemon_keeps_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut looked = 0;
    for name in CRATES {
        let mut files = Vec::new();
        sources(&root.join(name).join("src"), &mut files);
        for file in files.iter().filter(|file| file.display().to_string().contains("/messages")) {
            looked += 1;
            let betrayed = betrays(&fs::read_to_string(file).unwrap());
            assert_eq!(betrayed, None, "{}", file.display());
        }
    }
    assert!(looked >= 10, "{looked} files");
    for bad in [
        "fn f(code: &TypedCode) {}",
        "const A: &str = \"try 123456\";",
        "const A: &str = \"look into /var/lib/mfa/x\";",
    ] {
        assert!(betrays(bad).is_some(), "{bad}");
    }
}

#[test]
fn what_is_no_sentence_is_not_taken_for_one() {
    for harmless in [
        "/// One two three four.\nfn f() {}",
        "#[arg(help = \"one two three four\")] struct A;",
        "fn f() { warn!(user, \"one two three four\"); }",
        "#[cfg(test)] mod tests { fn f() { g(\"one two three four\") } }",
        "impl fmt::Display for E { fn fmt() { f.write_str(\"one two three four\") } }",
        "fn f() { g(\"{one} {two} {three}\", \"%Y-%m-%d %H:%M\", \"a/b c-d e_f\") }",
    ] {
        assert_eq!(sentences(harmless), [], "{harmless}");
    }
    for sentence in [
        "const A: &str = \"one two three\";",
        "fn f() { format!(\"one {x} two, three.\") }",
        "impl E { fn f() { g(r\"one two three\") } }",
        "#[cfg(test)] mod tests {} fn f() { g(\"one two three\") }",
    ] {
        assert_eq!(sentences(sentence).len(), 1, "{sentence}");
    }
}
