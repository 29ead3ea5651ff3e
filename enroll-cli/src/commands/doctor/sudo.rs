// SPDX-License-Identifier: GPL-3.0-or-later
//! Where sudo asks PAM nothing, and so for no code. Choices, every one of them: nothing here is a fault.

use std::fs;
use std::path::{Path, PathBuf};

use super::finding::{Check, Finding, Mend};
use super::host::Host;
use crate::messages::doctor as messages;

const SUBJECT: &str = "sudo";

/// Minutes that sudo remembers a success unless it is told otherwise.
const MINUTES: f64 = 15.0;

/// Files within files.
const DEPTH_MAX: usize = 16;

pub(super) fn look(host: &Host<'_>, asking: &[String]) -> Vec<Finding> {
    let sudoers = host.below("/etc/sudoers");
    if !asking.iter().any(|service| service.starts_with("sudo")) || !sudoers.exists() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    read(host, &sudoers, 0, &mut findings);
    findings
}

fn read(host: &Host<'_>, path: &Path, depth: usize, findings: &mut Vec<Finding>) {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let text = messages::unread(path, &error);
            findings.push(Finding::new(Check::NotLookedAt, SUBJECT, text));
            return;
        }
    };
    for (number, line) in lines(&String::from_utf8_lossy(&bytes)) {
        if let Some(included) = included(host, path, &line) {
            if depth < DEPTH_MAX {
                included.iter().for_each(|file| read(host, file, depth + 1, findings));
            }
        } else if !line.starts_with('#') {
            judge(path, number, &line, findings);
        }
    }
}

fn judge(path: &Path, number: usize, line: &str, findings: &mut Vec<Finding>) {
    let mut tell = |check, mend| {
        let finding = Finding::new(check, SUBJECT, messages::sudo_line(path, number, line));
        findings.push(finding.mended(Mend::Advice(mend)));
    };
    let words: Vec<&str> = line.split_whitespace().collect();
    if line.contains("NOPASSWD:") {
        tell(Check::SudoNoPassword, messages::sudo_without("NOPASSWD:"));
    }
    if !words.first().is_some_and(|first| first.starts_with("Defaults")) {
        return;
    }
    let settings = line.split(|c: char| c == ',' || c.is_whitespace());
    for setting in settings.map(str::trim).filter(|setting| !setting.is_empty()) {
        if setting == "!authenticate" {
            tell(Check::SudoNoAuthentication, messages::sudo_without("!authenticate"));
        }
        let minutes =
            setting.strip_prefix("timestamp_timeout=").and_then(|text| text.parse::<f64>().ok());
        if minutes.is_some_and(|minutes| !(0.0..=MINUTES).contains(&minutes)) {
            tell(Check::SudoTimestamp, messages::sudo_timestamp());
        }
    }
}

/// The files of `@include` and `@includedir`, and of their older names.
fn included(host: &Host<'_>, from: &Path, line: &str) -> Option<Vec<PathBuf>> {
    let (word, rest) = line.split_once(char::is_whitespace)?;
    let name = rest.trim().trim_matches('"');
    let path = match name.starts_with('/') {
        true => host.below(name),
        false => from.parent()?.join(name),
    };
    match word {
        "@include" | "#include" => Some(vec![path]),
        "@includedir" | "#includedir" => {
            let entries = fs::read_dir(path).into_iter().flatten().flatten();
            let mut files: Vec<PathBuf> = entries
                .filter(|entry| {
                    let name = entry.file_name().to_string_lossy().into_owned();
                    !name.contains('.') && !name.ends_with('~')
                })
                .map(|entry| entry.path())
                .collect();
            files.sort_unstable();
            Some(files)
        }
        _ => None,
    }
}

/// Lines with their numbers, those that end in a backslash joined with the next.
fn lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut continues = false;
    for (number, line) in (1..).zip(text.lines()) {
        let (line, goes_on) = match line.strip_suffix('\\') {
            Some(line) => (line, true),
            None => (line, false),
        };
        match lines.last_mut() {
            Some((_, before)) if continues => before.push_str(line),
            _ => lines.push((number, line.trim_start().to_owned())),
        }
        continues = goes_on;
    }
    lines
}
