// SPDX-License-Identifier: GPL-3.0-or-later
//! The `Match` lines of sshd_config and what it includes, and a connection for each that it matches.

use std::fs;
use std::path::{Path, PathBuf};

use wildmatch::WildMatch;

use super::super::host::Host;

/// A connection to ask about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Spec {
    /// The `Match` line that it is for; none for the settings outside of any.
    pub(super) label: Option<String>,
    pub(super) user: String,
    pub(super) host: String,
    pub(super) address: String,
    pub(super) local_address: String,
    pub(super) local_port: String,
}

/// What was found.
#[derive(Default)]
pub(super) struct Matching {
    /// The conditions, each once, as they are written.
    conditions: Vec<String>,
    /// Those of which no connection could be made.
    pub(super) unclear: Vec<String>,
}

/// Includes within includes; sshd goes no deeper.
const DEPTH_MAX: usize = 16;

pub(super) fn read(host: &Host<'_>) -> Matching {
    let mut conditions = Vec::new();
    read_file(host, &host.below("/etc/ssh/sshd_config"), 0, &mut conditions);
    let unclear = conditions.iter().filter(|condition| spec(host, condition).is_none());
    let unclear = unclear.cloned().collect();
    Matching { conditions, unclear }
}

fn read_file(host: &Host<'_>, path: &Path, depth: usize, conditions: &mut Vec<String>) {
    let Ok(bytes) = fs::read(path) else { return };
    for line in String::from_utf8_lossy(&bytes).lines() {
        let mut words = words(line).into_iter();
        let Some(keyword) = words.next() else { continue };
        if keyword.eq_ignore_ascii_case("match") {
            let condition = words.collect::<Vec<_>>().join(" ");
            if !condition.eq_ignore_ascii_case("all") && !conditions.contains(&condition) {
                conditions.push(condition);
            }
        } else if keyword.eq_ignore_ascii_case("include") && depth < DEPTH_MAX {
            for pattern in words {
                for file in matched(host, &pattern) {
                    read_file(host, &file, depth + 1, conditions);
                }
            }
        }
    }
}

/// Words, apart by spaces or a `=` behind the first, without quotes and comments.
fn words(line: &str) -> Vec<String> {
    let line = line.trim_start();
    if line.starts_with('#') {
        return Vec::new();
    }
    line.replacen('=', " ", 1)
        .split_whitespace()
        .take_while(|word| !word.starts_with('#'))
        .map(|word| word.trim_matches('"').to_owned())
        .collect()
}

/// The files of a pattern, whose last part alone may have wildcards.
fn matched(host: &Host<'_>, pattern: &str) -> Vec<PathBuf> {
    let whole = if pattern.starts_with('/') {
        host.below(pattern)
    } else {
        host.below("/etc/ssh").join(pattern)
    };
    let (Some(directory), Some(name)) = (whole.parent(), whole.file_name()) else {
        return Vec::new();
    };
    let wild = WildMatch::new(&name.to_string_lossy());
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .filter(|entry| wild.matches(&entry.file_name().to_string_lossy()))
        .map(|entry| entry.path())
        .collect();
    files.sort_unstable();
    files
}

/// A connection outside of any condition as far as possible, and one for each condition.
pub(super) fn specs(host: &Host<'_>, matching: &Matching) -> Vec<Spec> {
    let mut specs = vec![plain(host)];
    specs.extend(matching.conditions.iter().filter_map(|condition| spec(host, condition)));
    specs
}

fn plain(host: &Host<'_>) -> Spec {
    Spec {
        label: None,
        user: host.ordinary_user(),
        // RFC 2606 and RFC 5737: nobody comes from there.
        host: "host.invalid".to_owned(),
        address: "203.0.113.77".to_owned(),
        local_address: "127.0.0.1".to_owned(),
        local_port: "22".to_owned(),
    }
}

/// A connection that meets a condition; none where that cannot be told.
fn spec(host: &Host<'_>, condition: &str) -> Option<Spec> {
    let mut spec = Spec { label: Some(format!("Match {condition}")), ..plain(host) };
    let mut words = condition.split(' ');
    while let Some(kind) = words.next() {
        let kind = kind.to_ascii_lowercase();
        if kind == "all" {
            continue;
        }
        let pattern = words.next()?;
        match kind.as_str() {
            "user" => spec.user = like(pattern)?,
            "group" => spec.user = host.member_of(&like(pattern)?)?,
            "host" => spec.host = like(pattern)?,
            "address" => spec.address = address(pattern)?,
            "localaddress" => spec.local_address = address(pattern)?,
            "localport" => spec.local_port = like(pattern)?,
            _ => return None,
        }
    }
    Some(spec)
}

/// A text that a pattern matches: its first part that is not negated.
fn like(pattern: &str) -> Option<String> {
    let first = pattern.split(',').find(|part| !part.starts_with('!'))?;
    Some(first.replace(['*', '?'], "x"))
}

/// The same for an address, which may be a network.
fn address(pattern: &str) -> Option<String> {
    let first = pattern.split(',').find(|part| !part.starts_with('!'))?;
    let address = first.split('/').next()?;
    Some(address.replace(['*', '?'], "1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_made_for_each_condition() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            "etc/passwd",
            "root:x:0:0::/:/bin/sh\nann:x:1000:1000::/:/bin/sh\nbob:x:1001:7::/:/bin/sh\n",
        );
        write("etc/group", "sftp:x:5:bob,ann\nempty:x:6:\nprimary:x:7:\n");
        write(
            "etc/ssh/sshd_config",
            "Include /etc/ssh/sshd_config.d/*.conf\n# Match User no\nMatch User !root,backup*\n\
             match=Group sftp Address 192.0.2.0/24,*\nMatch all\nMatch Exec true\nMatch Group empty\n",
        );
        write("etc/ssh/sshd_config.d/a.conf", "Match Group primary # x\nMatch LocalPort 2222\n");
        write("etc/ssh/sshd_config.d/a.off", "Match User off\n");
        let host = Host::for_tests(root.path());
        let matching = read(&host);
        assert_eq!(matching.unclear, ["Exec true", "Group empty"]);
        let specs = specs(&host, &matching);
        let shown: Vec<_> = specs
            .iter()
            .map(|spec| (spec.label.as_deref(), &*spec.user, &*spec.address, &*spec.local_port))
            .collect();
        assert_eq!(
            shown,
            [
                (None, "ann", "203.0.113.77", "22"),
                (Some("Match Group primary"), "bob", "203.0.113.77", "22"),
                (Some("Match LocalPort 2222"), "ann", "203.0.113.77", "2222"),
                (Some("Match User !root,backup*"), "backupx", "203.0.113.77", "22"),
                (Some("Match Group sftp Address 192.0.2.0/24,*"), "bob", "192.0.2.0", "22"),
            ]
        );
    }
}
