// SPDX-License-Identifier: GPL-3.0-or-later
//! Random stacks of pam_debug.so, read and walked here, and by the libpam of this machine.

use std::fs;
use std::os::raw::c_int;

use mfa_tests::pam_host::{Answer, Call, Conversation, Transaction};
use mfa_tests::syslog;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::control::Code;
use super::super::dispatch::dispatch;
use super::super::{Group, read};

/// pam_debug.so tells what it is about to return.
struct Ignores;

impl Conversation for Ignores {
    fn prompt(&mut self, _: &str, _: bool) -> Answer {
        Answer::NullText
    }

    fn tell(&mut self, _: &str, _: bool) -> Answer {
        Answer::NullText
    }
}

const CODES: [&str; 8] = [
    "success",
    "auth_err",
    "ignore",
    "new_authtok_reqd",
    "user_unknown",
    "authinfo_unavail",
    "perm_denied",
    "maxtries",
];

const WORDS: [&str; 6] =
    ["required", "requisite", "sufficient", "optional", "REQUIRED", "[success=ok]"];

fn control() -> impl Strategy<Value = String> {
    let action = || {
        select(&["ok", "done", "bad", "die", "ignore", "reset", "1", "2", "3"][..])
            .prop_map(str::to_owned)
    };
    let pair = (select(&CODES[..]), action()).prop_map(|(code, action)| format!("{code}={action}"));
    let table = (proptest::collection::vec(pair, 0..4), action(), 0..3_usize).prop_map(
        |(mut pairs, rest, at)| {
            let at = at.min(pairs.len());
            pairs.insert(at, format!("default = {rest}"));
            format!("[{}]", pairs.join(" "))
        },
    );
    prop_oneof![select(&WORDS[..]).prop_map(str::to_owned), table]
}

/// A line, now and then written as nobody should, or one that brings in a file.
fn line() -> impl Strategy<Value = String> {
    let module = || (control(), select(&CODES[..]));
    prop_oneof![
        6 => module().prop_map(|(control, code)| {
            format!("auth {control} pam_debug.so auth={code}\n")
        }),
        1 => module().prop_map(|(control, code)| {
            format!("\t-Auth {control} \\\n\n # not this \\\n pam_debug.so \\\n auth={code} # \\\n")
        }),
        1 => select(&["a", "b"][..]).prop_map(|file| format!("auth substack @/{file}\n")),
        1 => select(&["a", "b"][..]).prop_map(|file| format!("auth include @/{file}\n")),
        1 => Just("account required pam_deny.so\n#auth required pam_deny.so\n\n".to_owned()),
    ]
}

fn file() -> impl Strategy<Value = String> {
    proptest::collection::vec(line(), 1..6).prop_map(|lines| lines.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_stack_comes_to_what_libpam_says(service in file(), a in file(), b in file()) {
        // "bad jump in stack", mostly.
        syslog::leave_unread();
        let directory = tempfile::tempdir().unwrap();
        // No file includes itself: `a` may include `b`, which includes nothing.
        let flat = |text: &str, banned: &str| -> String {
            let kept = text.split_inclusive('\n').filter(|line| {
                !(line.contains("substack") || line.contains("include"))
                    || !banned.contains(line.trim_end().chars().last().unwrap())
            });
            kept.collect()
        };
        let files = [("s", service), ("a", flat(&a, "a")), ("b", flat(&b, "ab"))];
        for (name, text) in &files {
            // libpam before 1.5.3 looks for what is included in /etc/pam.d alone, unless it has its path.
            let text = text.replace('@', directory.path().to_str().unwrap());
            fs::write(directory.path().join(name), text).unwrap();
        }
        // Where no line is left, libpam takes those of `other`.
        fs::write(directory.path().join("other"), "auth required pam_permit.so\n").unwrap();
        let stack = read(directory.path(), "s", Group::Auth).unwrap();
        let code = |line: &super::Line| match line.arguments.first() {
            Some(argument) => Code::named(argument.strip_prefix("auth=").unwrap()).unwrap(),
            None => Code::SUCCESS,
        };
        let ours = dispatch(&stack, code);
        let mut login =
            Transaction::start(directory.path(), "s", Some(c"nobody"), Ignores).unwrap();
        let theirs: c_int = login.call(Call::Authenticate, 0);
        prop_assert_eq!(ours.number(), usize::try_from(theirs).unwrap(), "{:?}", files);
    }
}
