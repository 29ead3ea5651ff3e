// SPDX-License-Identifier: GPL-3.0-or-later
//! A login program for the tests. Prints what it is asked, told and answered, one line each:
//! `prompt`, `info`, `error`, `log`, and each call with its result.
//!
//! `pam-host CONFDIR SERVICE USER [OPTION...]`; each line of standard input answers one prompt
//! (`\n` in it is a line end). At a prompt it waits for that line: a test that holds it back has a
//! barrier between `begin` and `verify`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "test code")]

use std::collections::BTreeMap;
use std::env;
use std::ffi::{CString, OsString, c_int};
use std::io::{Write, stdin, stdout};
use std::mem;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use mfa_tests::pam_host::{
    Answer, CHANGE_EXPIRED, Call, Conversation, Item, SILENT, Transaction, result_name,
};
use mfa_tests::process_state::{self, ProcessState};

struct Options {
    confdir: PathBuf,
    service: String,
    /// `--no-user`: the stack asks for the name.
    user: Option<CString>,
    /// `--calls a,b`: the default is `authenticate`.
    calls: Vec<(String, Call)>,
    /// `--times N`: so many transactions, in a process that must not change by them.
    times: Option<usize>,
    /// `--silent`: PAM_SILENT.
    flags: c_int,
    /// `--expired`: PAM_CHANGE_EXPIRED_AUTHTOK, for `chauthtok`.
    expired: bool,
    items: Vec<(Item, CString)>,
    /// `--putenv NAME=VALUE`
    variables: Vec<CString>,
    /// `--no-conversation`
    without_conversation: bool,
    /// `--no-descriptors`: none can be had after the first call.
    without_descriptors: bool,
    /// `--alarms`: SIGALRM every millisecond.
    alarms: bool,
    /// `--storm`: with `--times`, SIGALRM and SIGCHLD every millisecond from beginning to end.
    storm: bool,
    /// `--lose N`: so many bytes a transaction, of those of `--times`.
    lost: usize,
    script: Script,
    texts: Texts,
}

/// How the program takes texts that are no prompts.
#[derive(Clone, Copy)]
enum Texts {
    /// Shows them.
    Shown,
    /// `--texts refused`: it knows prompts alone.
    Refused,
    /// `--texts answered`: it answers them as if they were prompts.
    Answered,
    /// `--texts without-responses`: it returns no responses at all.
    WithoutResponses,
}

/// A program with its user.
#[derive(Clone)]
struct Program(Script, Texts);

/// What the user does.
#[derive(Clone)]
enum Script {
    /// Answers with lines of standard input.
    Lines,
    /// `--same TEXT`: the program has one field and answers every prompt with what is in it.
    Same(CString),
    /// `--null-text`
    NullText,
    /// `--null-responses`
    NullResponses,
    /// `--result N`
    Result(c_int),
}

impl Conversation for Program {
    fn prompt(&mut self, text: &str, echo: bool) -> Answer {
        say(&format!("prompt: {}{text}", if echo { "(echo) " } else { "" }));
        match &self.0 {
            Script::Lines => {
                let mut line = String::new();
                match stdin().read_line(&mut line) {
                    Ok(1..) => {
                        let text = line.trim_end_matches('\n').replace("\\n", "\n");
                        Answer::Text(CString::new(text).unwrap())
                    }
                    _ => Answer::Result(19),
                }
            }
            Script::Same(text) => Answer::Text(text.clone()),
            Script::NullText => Answer::NullText,
            Script::NullResponses => Answer::NullResponses,
            Script::Result(result) => Answer::Result(*result),
        }
    }

    fn tell(&mut self, text: &str, error: bool) -> Answer {
        say(&format!("{}: {text}", if error { "error" } else { "info" }));
        match self.1 {
            Texts::Shown => Answer::NullText,
            Texts::Refused => Answer::Result(19),
            Texts::Answered => Answer::Text(c"what is this?".to_owned()),
            Texts::WithoutResponses => Answer::NullResponses,
        }
    }
}

fn main() {
    let options = options(env::args_os().skip(1));
    let Some(times) = options.times else {
        for (name, result) in transaction(&options) {
            say(&format!("{name}: {}", result_name(result)));
        }
        return;
    };
    process_state::make_peculiar();
    if options.storm {
        process_state::start_storm();
    }
    // As they come: a list of them would be most of what grows.
    let mut results = BTreeMap::new();
    let mut count = |(call, result)| *results.entry((call, result)).or_insert(0) += 1;
    // The first transaction makes libpam and libc load what they keep.
    transaction(&options).into_iter().for_each(&mut count);
    let before = ProcessState::now();
    let mut resident = 0;
    for at in 1..times {
        transaction(&options).into_iter().for_each(&mut count);
        mem::forget(vec![1_u8; options.lost]);
        if at == times / 2 {
            resident = process_state::resident();
        }
    }
    for change in before.changes(&ProcessState::now()) {
        say(&format!("changed: {change}"));
    }
    say(&format!("signals: {}", process_state::signals()));
    say(&format!("loaded: {}", process_state::is_loaded("pam_mfa")));
    say(&format!("grown: {} KiB", process_state::resident().saturating_sub(resident)));
    for (name, _) in &options.calls {
        for ((_, result), count) in results.iter().filter(|((call, _), _)| call == name) {
            say(&format!("{name}: {count} times {}", result_name(*result)));
        }
    }
}

fn transaction(options: &Options) -> Vec<(String, c_int)> {
    let user = options.user.as_deref();
    let program = Program(options.script.clone(), options.texts);
    let started = Transaction::start(&options.confdir, &options.service, user, program);
    let mut transaction = match started {
        Ok(transaction) => transaction,
        Err(result) => return vec![("start".to_owned(), result)],
    };
    for (item, value) in &options.items {
        transaction.set_item(*item, value);
    }
    for variable in &options.variables {
        transaction.put_variable(variable);
    }
    if options.without_conversation {
        transaction.without_conversation();
    }
    if options.alarms {
        process_state::start_alarms();
    }
    let mut results = Vec::new();
    for (name, call) in &options.calls {
        let expired = options.expired && *call == Call::ChAuthTok;
        let flags = options.flags | if expired { CHANGE_EXPIRED } else { 0 };
        results.push((name.clone(), transaction.call(*call, flags)));
        if options.without_descriptors {
            process_state::forbid_descriptors();
        }
    }
    if options.alarms {
        say(&format!("alarms: {}", process_state::stop_alarms()));
    }
    results
}

fn options(mut arguments: impl Iterator<Item = OsString>) -> Options {
    let mut next =
        |what: &str| arguments.next().unwrap_or_else(|| panic!("{what} is missing")).into_vec();
    let mut options = Options {
        confdir: PathBuf::from(OsString::from_vec(next("CONFDIR"))),
        service: String::from_utf8(next("SERVICE")).unwrap(),
        user: Some(CString::new(next("USER")).unwrap()),
        calls: vec![("authenticate".to_owned(), Call::Authenticate)],
        times: None,
        flags: 0,
        expired: false,
        items: Vec::new(),
        variables: Vec::new(),
        without_conversation: false,
        without_descriptors: false,
        alarms: false,
        storm: false,
        lost: 0,
        script: Script::Lines,
        texts: Texts::Shown,
    };
    while let Some(option) = arguments.next() {
        let mut value = || arguments.next().map(OsString::into_vec).unwrap_or_default();
        let number = |text: Vec<u8>| String::from_utf8(text).unwrap().parse::<usize>().unwrap();
        match option.to_str().unwrap_or_default() {
            "--no-user" => options.user = None,
            "--silent" => options.flags |= SILENT,
            "--expired" => options.expired = true,
            "--putenv" => options.variables.push(CString::new(value()).unwrap()),
            "--no-conversation" => options.without_conversation = true,
            "--no-descriptors" => options.without_descriptors = true,
            "--alarms" => options.alarms = true,
            "--storm" => options.storm = true,
            "--lose" => options.lost = number(value()),
            "--same" => options.script = Script::Same(CString::new(value()).unwrap()),
            "--texts" => options.texts = texts(&String::from_utf8(value()).unwrap()),
            "--null-text" => options.script = Script::NullText,
            "--null-responses" => options.script = Script::NullResponses,
            "--result" => options.script = Script::Result(number(value()).try_into().unwrap()),
            "--times" => options.times = Some(number(value())),
            "--rhost" => options.items.push((Item::RHost, CString::new(value()).unwrap())),
            "--service" => options.service = String::from_utf8(value()).unwrap(),
            "--tty" => options.items.push((Item::Tty, CString::new(value()).unwrap())),
            "--calls" => options.calls = calls(&String::from_utf8(value()).unwrap()),
            other => panic!("unknown option {other}"),
        }
    }
    options
}

fn texts(name: &str) -> Texts {
    match name {
        "refused" => Texts::Refused,
        "answered" => Texts::Answered,
        "without-responses" => Texts::WithoutResponses,
        other => panic!("unknown way to take texts {other}"),
    }
}

fn calls(names: &str) -> Vec<(String, Call)> {
    let call = |name: &str| {
        let found = Call::ALL.into_iter().find(|(known, _)| *known == name);
        found.unwrap_or_else(|| panic!("unknown call {name}")).1
    };
    names.split(',').map(|name| (name.to_owned(), call(name))).collect()
}

fn say(line: &str) {
    let mut out = stdout().lock();
    writeln!(out, "{line}").unwrap();
    out.flush().unwrap();
}
