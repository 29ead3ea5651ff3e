// SPDX-License-Identifier: GPL-3.0-or-later
//! Which options of a line the module would refuse, and with them every login (`pam_mfa/src/options.rs`;
//! a test compares).

use super::read::Line;

/// What an option takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Value {
    None,
    Path,
    Text,
    /// A number up to this.
    Number(u64),
    /// One of [`UNAVAILABLE`].
    Unavailable,
}

/// The options that the module knows.
const OPTIONS: [(&str, Value); 15] = [
    ("socket", Value::Path),
    ("prompt", Value::Text),
    ("echo_code", Value::None),
    ("nullok", Value::None),
    ("try_first_pass", Value::None),
    ("use_first_pass", Value::None),
    ("forward_pass", Value::None),
    ("retry", Value::Number(3)),
    ("timeout", Value::Number(60)),
    ("exempt_group", Value::Text),
    ("enroll", Value::None),
    ("observe", Value::None),
    ("unavailable", Value::Unavailable),
    ("debug", Value::None),
    ("quiet", Value::None),
];

/// What `unavailable` takes.
const UNAVAILABLE: [&str; 2] = ["deny", "ignore"];

/// The longest path of a socket.
const SOCKET_MAX: usize = 107;

/// Of each pair the module takes one.
const CONTRADICTIONS: [(&str, &str); 2] =
    [("try_first_pass", "use_first_pass"), ("echo_code", "forward_pass")];

/// The arguments of a line that the module refuses.
pub(super) fn refused(line: &Line) -> Vec<String> {
    let mut seen: Vec<&str> = Vec::new();
    let mut refused = Vec::new();
    for argument in &line.arguments {
        let name = argument.split('=').next().unwrap_or_default();
        let contradicts = CONTRADICTIONS.iter().any(|&(one, other)| {
            (name == one && seen.contains(&other)) || (name == other && seen.contains(&one))
        });
        if !is_good(argument) || seen.contains(&name) || contradicts {
            refused.push(argument.clone());
        }
        seen.push(name);
    }
    refused
}

fn is_good(argument: &str) -> bool {
    let (name, value) = match argument.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (argument, None),
    };
    let Some((_, takes)) = OPTIONS.iter().find(|(known, _)| *known == name) else { return false };
    match (takes, value) {
        (Value::None, None) => true,
        (Value::Path, Some(path)) => path.starts_with('/') && path.len() <= SOCKET_MAX,
        (Value::Text, Some(text)) => !text.is_empty(),
        (Value::Number(most), Some(number)) => {
            number.bytes().all(|byte| byte.is_ascii_digit())
                && number.parse().is_ok_and(|number: u64| (1..=*most).contains(&number))
        }
        (Value::Unavailable, Some(word)) => UNAVAILABLE.contains(&word),
        (Value::None, Some(_)) | (_, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::pam_stack::{Entry, Group, read};

    /// The module's own source: the names must not drift apart.
    const SOURCE: &str = include_str!("../../../pam_mfa/src/options.rs");

    #[test]
    fn the_options_are_those_that_the_module_reads() {
        let (code, _) = SOURCE.split_once("#[cfg(test)]").unwrap();
        // The arms of its one match: `("name", Some(value)) =>` or `("name", _) =>`.
        let mut read: Vec<(&str, bool)> = code
            .lines()
            .filter(|line| line.contains("=>"))
            .filter_map(|line| line.trim_start().strip_prefix("(\"")?.split_once("\", "))
            .map(|(name, rest)| (name, rest.starts_with("Some(")))
            .collect();
        let mut known: Vec<(&str, bool)> =
            OPTIONS.iter().map(|(name, takes)| (*name, *takes != Value::None)).collect();
        read.sort_unstable();
        read.dedup();
        known.sort_unstable();
        assert_eq!(known, read);
    }

    #[test]
    fn the_ranges_are_those_of_the_module() {
        for constant in [
            format!("SOCKET_MAX: usize = {SOCKET_MAX};"),
            "TIMEOUT_MAX: u64 = 60;".to_owned(),
            "RETRY_MAX: u8 = 3;".to_owned(),
        ] {
            assert!(SOURCE.contains(&constant), "{constant}");
        }
        for (one, other) in CONTRADICTIONS {
            assert!(SOURCE.contains(&format!("(\"{one}\", \"{other}\")")), "{one}, {other}");
        }
    }

    #[test]
    fn what_the_module_refuses_is_found_and_nothing_else() {
        let refused = |arguments: &str| {
            let directory = tempfile::tempdir().unwrap();
            let text = format!("auth required pam_mfa.so {arguments}\n");
            fs::write(directory.path().join("s"), text).unwrap();
            let stack = read(directory.path(), "s", Group::Auth).unwrap();
            let [Entry::Line(line)] = &stack[..] else { panic!("{stack:?}") };
            refused(line)
        };
        for good in [
            "socket=/run/x prompt=Code:_ echo_code nullok use_first_pass retry=3 timeout=60",
            "try_first_pass forward_pass exempt_group=x enroll observe unavailable=deny debug quiet",
            "[prompt=Your code: ] unavailable=ignore retry=1 timeout=1",
        ] {
            assert_eq!(refused(good), Vec::<String>::new(), "{good}");
        }
        let long = format!("socket=/{}", "x".repeat(107));
        for bad in [
            "nulok",
            "nullok=yes",
            "socket=run/x",
            "socket",
            long.as_str(),
            "prompt=",
            "retry=0",
            "retry=4",
            "retry=+1",
            "timeout=61",
            "timeout=",
            "exempt_group=",
            "unavailable=maybe",
            "NULLOK",
        ] {
            assert_eq!(refused(bad), [bad], "{bad}");
        }
        assert_eq!(refused("debug nullok debug"), ["debug"]);
        assert_eq!(refused("echo_code forward_pass"), ["forward_pass"]);
    }
}
