// SPDX-License-Identifier: GPL-3.0-or-later
//! mfa.toml(5) and the shipped `packaging/mfa.toml`, compared with the very code that reads the file: it
//! is asked which keys it knows, what it takes, and what it does without them.

use std::collections::BTreeSet;
use std::path::Path;

use mfa_daemon::config::{Config, ConfigError};
use mfa_man::{Block, text};

use super::{documents, file, page, quoted};

const TABLES: [&str; 6] = ["store", "master_key", "exchange", "token", "lockout", "metrics"];

/// A key as the page has it.
#[derive(Debug)]
struct Key {
    /// As it stands in the file; empty at the top.
    header: String,
    name: String,
    /// The word that says what a value is.
    kind: String,
    said: String,
}

impl Key {
    fn parse(&self, value: &str) -> Result<Config, ConfigError> {
        parse(&format!("{}\n{} = {value}", self.header, self.name))
    }

    /// Whether the key takes the value by itself; what other keys have to say to it is another matter.
    fn takes(&self, value: &str) -> bool {
        !matches!(self.parse(value), Err(ConfigError::Invalid { .. }))
    }

    fn range(&self) -> Option<(u64, u64)> {
        let (_, rest) = self.said.split_once("From ")?;
        let mut words = rest.split([' ', ',', '.']);
        let low = words.next()?.parse().ok()?;
        (words.next()? == "to").then_some((low, words.next()?.parse().ok()?))
    }

    /// As it would be written.
    fn default(&self) -> Option<String> {
        let (before, value) = self.said.split_once("efault ")?;
        let value = value.trim_end_matches('.');
        (!before.ends_with("No d")).then(|| value.to_owned())
    }

    /// What stands in quotes.
    fn texts(&self) -> Vec<String> {
        self.said.split('"').skip(1).step_by(2).map(str::to_owned).collect()
    }

    fn written(&self, text: &str) -> String {
        if self.kind == "list" { format!("[{text:?}]") } else { format!("{text:?}") }
    }
}

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("/etc/mfa/mfa.toml"))
}

/// All that a configuration comes to. The default of `file` shows only where it is used.
fn meaning(config: &Config) -> String {
    let key = config.master_key.source(None);
    let rest = format!("{config:?}");
    let (before, after) = rest.split_once("master_key: ").unwrap();
    let (_, after) = after.split_once("exchange: ").unwrap();
    format!("{before}{key:?}{after}")
}

fn keys() -> Vec<Key> {
    let mut found = Vec::new();
    let mut header = None;
    for block in &page("mfa.toml.5").blocks {
        match block {
            Block::Section(name) if name == "TOP OF THE FILE" => header = Some(String::new()),
            Block::Section(name) if name.starts_with('[') => header = Some(name.clone()),
            Block::Section(_) => header = None,
            Block::Definitions(definitions) => {
                let Some(header) = &header else { continue };
                for definition in definitions {
                    let term = text(&definition.term);
                    let (name, kind) = term.split_once(" = ").unwrap();
                    let said = definition.body.iter().map(|block| match block {
                        Block::Paragraph(spans) => text(spans).replace('\n', " "),
                        other => panic!("{term}: {other:?}"),
                    });
                    found.push(Key {
                        header: header.clone(),
                        name: name.to_owned(),
                        kind: kind.to_owned(),
                        said: said.collect::<Vec<_>>().join(" "),
                    });
                }
            }
            _ => {}
        }
    }
    found
}

/// What serde offers in place of something that it does not know.
fn expected(error: &ConfigError) -> BTreeSet<String> {
    let ConfigError::Invalid { error, .. } = error else { panic!("{error}") };
    let (_, offered) = error.message().split_once("expected").unwrap();
    quoted(offered).into_iter().collect()
}

#[test]
fn the_page_has_the_keys_that_the_daemon_knows() {
    let keys = keys();
    let named = |header: &str| -> BTreeSet<String> {
        keys.iter().filter(|key| key.header == header).map(|key| key.name.clone()).collect()
    };
    let known = |header: &str| expected(&parse(&format!("{header}\nno_such = 1")).unwrap_err());
    let mut top = named("");
    top.extend(TABLES.map(str::to_owned));
    top.insert("rule".to_owned());
    assert_eq!(top, known(""));
    for header in
        TABLES.map(|table| format!("[{table}]")).into_iter().chain(["[[rule]]".to_owned()])
    {
        assert_eq!(named(&header), known(&header), "{header}");
    }
}

#[test]
fn a_value_is_of_the_kind_that_the_page_says() {
    for key in keys() {
        let takes = match key.kind.as_str() {
            "seconds" | "days" | "steps" | "digits" | "messages" | "codes" => {
                assert!(key.range().is_some(), "{key:?}");
                !key.takes("\"1\"") && !key.takes("1.5")
            }
            "yes" => key.takes("true") && key.takes("false") && !key.takes("1"),
            "date" => {
                key.takes("2026-12-31") && key.takes("2026-12-31T18:00:00Z") && !key.takes("1")
            }
            "path" => key.takes("\"/x\"") && !key.takes("\"x\""),
            "list" => !key.takes("\"local\"") && key.takes("[]"),
            "name" => key.takes("\"x\"") && !key.takes("1"),
            "text" => !key.takes("1"),
            other => panic!("{key:?}: {other}"),
        };
        assert!(takes, "{key:?}");
        let unit = key.name.rsplit('_').next().unwrap_or_default();
        if ["seconds", "days", "steps", "digits", "messages"].contains(&unit) {
            assert_eq!(key.kind, unit, "{key:?}");
        }
    }
}

#[test]
fn the_ranges_of_the_page_are_those_of_the_daemon() {
    let mut ranges = 0;
    for key in keys() {
        let Some((low, high)) = key.range() else { continue };
        ranges += 1;
        assert!(key.takes(&low.to_string()) && key.takes(&high.to_string()), "{key:?}");
        assert!(!key.takes(&(high + 1).to_string()), "{key:?}");
        let below = i64::try_from(low).unwrap() - 1;
        assert!(!key.takes(&below.to_string()), "{key:?}");
    }
    assert!(ranges > 10, "{ranges} ranges");
}

#[test]
fn the_defaults_of_the_page_are_those_of_the_daemon() {
    let mut defaults = 0;
    for key in keys() {
        let without = meaning(&parse(&key.header).unwrap());
        let Some(default) = key.default() else {
            assert!(key.said.contains("No default") || key.header == "[[rule]]", "{key:?}");
            continue;
        };
        defaults += 1;
        let with = key.parse(&default).unwrap_or_else(|error| panic!("{key:?}: {error}"));
        assert_eq!(meaning(&with), without, "{key:?}");
        // Another value is seen to be one.
        if let Some((low, high)) = key.range() {
            let other = if default == low.to_string() { high } else { low };
            if let Ok(config) = key.parse(&other.to_string()) {
                assert_ne!(meaning(&config), without, "{key:?}");
            }
        }
    }
    assert!(defaults > 15, "{defaults} defaults");
}

#[test]
fn the_words_of_the_page_are_those_that_the_daemon_takes() {
    let mut words = 0;
    for key in keys().iter().filter(|key| ["text", "list"].contains(&key.kind.as_str())) {
        for text in key.texts() {
            words += 1;
            assert!(key.takes(&key.written(&text)), "{key:?}: {text}");
        }
        let nonsense = key.parse(&key.written("no-such"));
        let Err(error @ ConfigError::Invalid { .. }) = &nonsense else { continue };
        if error.to_string().contains("unknown variant") {
            let said: BTreeSet<_> = key.texts().into_iter().collect();
            assert_eq!(said, expected(error), "{key:?}");
        }
    }
    assert!(words > 15, "{words} words");
}

/// The lines that become keys when their `# ` is taken away.
fn shipped() -> String {
    let is_key = |line: &str| {
        line.split(" = ")
            .next()
            .is_some_and(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
            && line.contains(" = ")
    };
    let packaged = file("packaging/mfa.toml");
    let lines = packaged.lines().filter_map(|line| line.strip_prefix("# "));
    lines
        .filter(|line| line.starts_with('[') || is_key(line))
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn the_shipped_file_shows_every_key_with_its_default_and_range() {
    parse(&shipped()).unwrap_or_else(|error| panic!("{error}"));
    let keys = keys();
    let mut seen = BTreeSet::new();
    let mut header = String::new();
    for line in shipped().lines() {
        if line.starts_with('[') {
            header = line.to_owned();
            continue;
        }
        let (name, rest) = line.split_once(" = ").unwrap();
        let (value, comment) = rest.split_once(" #").unwrap_or((rest, ""));
        let key = keys.iter().find(|key| key.header == header && key.name == name);
        let key = key.unwrap_or_else(|| panic!("mfa.toml(5) does not have {header} {name}"));
        seen.insert((header.clone(), name.to_owned()));
        // A rule is an example, and so is a name that depends on the host.
        if header != "[[rule]]" && name != "issuer" {
            assert_eq!(Some(value.trim()), key.default().as_deref(), "{line}");
        }
        if let (Some((low, high)), true) = (key.range(), comment.contains(" to ")) {
            assert!(comment.contains(&format!("{low} to {high}")), "{line}");
        }
    }
    for key in &keys {
        let shown = seen.contains(&(key.header.clone(), key.name.clone()))
            // One line explains both, beside `file`, which they exclude.
            || ["credential", "old_credential"].contains(&key.name.as_str());
        assert!(shown, "packaging/mfa.toml: {key:?}");
    }
}

#[test]
fn the_documents_explain_every_key_of_a_rule() {
    let documents = file("docs/operations/policy.md") + &file("docs/operations/enrolment.md");
    for key in keys().iter().filter(|key| key.header == "[[rule]]") {
        assert!(documents.contains(&key.name), "{key:?}");
    }
}

#[test]
fn every_configuration_that_a_document_shows_is_one() {
    let mut shown = 0;
    for (path, text) in documents::all() {
        for code in documents::code(&text) {
            let is_one = code
                .lines()
                .any(|line| line.starts_with('[') && line.ends_with(']') && !line.contains(' '))
                && !code.contains("<<")
                && !code.contains("[Service]");
            if is_one && code.contains(" = ") {
                shown += 1;
                parse(&code).unwrap_or_else(|error| panic!("{path}: {error}\n{code}"));
            }
        }
    }
    assert!(shown >= 5, "{shown} configurations");
}
