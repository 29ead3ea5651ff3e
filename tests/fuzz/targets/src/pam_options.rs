// SPDX-License-Identifier: GPL-3.0-or-later
//! The options of the module's line.

use std::ffi::{CStr, CString};
use std::time::Duration;

use crate::options::{Echo, FirstPass, Options};

/// Every name that an option has.
const NAMES: [&str; 14] = [
    "debug",
    "echo_code",
    "enroll",
    "exempt_group",
    "forward_pass",
    "nullok",
    "observe",
    "prompt",
    "quiet",
    "retry",
    "socket",
    "timeout",
    "try_first_pass",
    "use_first_pass",
];

/// Each line is an option. What is taken has known names, each once, and values in their ranges; the order
/// changes nothing; with anything beside it that is not known it is refused.
pub(crate) fn pam_options(input: &[u8]) {
    let lines = input.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let Ok(arguments) = lines.map(CString::new).collect::<Result<Vec<_>, _>>() else { return };
    let mut arguments: Vec<&CStr> = arguments.iter().map(CString::as_c_str).collect();
    let parsed = Options::parse(arguments.iter().copied());
    arguments.reverse();
    let reversed = Options::parse(arguments.iter().copied());
    match parsed {
        Ok(options) => {
            check(&options, &arguments);
            assert_eq!(Ok(options), reversed);
        }
        Err(error) => {
            assert!(reversed.is_err());
            assert!(!error.to_string().is_empty());
        }
    }
    arguments.push(c"no_such_option");
    assert!(Options::parse(arguments.iter().copied()).is_err());
}

fn check(options: &Options, arguments: &[&CStr]) {
    let names: Vec<_> = arguments
        .iter()
        .map(|argument| {
            let argument = argument.to_str().expect("UTF-8");
            argument.split_once('=').map_or(argument, |(name, _)| name)
        })
        .collect();
    for (at, name) in names.iter().enumerate() {
        assert!(NAMES.contains(name) || *name == "unavailable");
        assert!(!names[at + 1..].contains(name));
    }
    let socket = options.socket.to_str().expect("UTF-8");
    assert!(socket.starts_with('/') && socket.len() <= 107);
    assert!((Duration::from_secs(1)..=Duration::from_secs(60)).contains(&options.timeout));
    assert!((1..=3).contains(&options.retry));
    assert!(!options.prompt().is_empty());
    assert!(options.exempt_group.as_ref().is_none_or(|group| !group.is_empty()));
    assert!(options.echo == Echo::Off || !options.forward_pass);
    assert!(!(names.contains(&"try_first_pass") && names.contains(&"use_first_pass")));
    assert_eq!(options.first_pass == FirstPass::Use, names.contains(&"use_first_pass"));
}
