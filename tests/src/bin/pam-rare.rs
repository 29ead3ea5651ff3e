// SPDX-License-Identifier: GPL-3.0-or-later
//! A login program that does what few do. Prints what `pam-host` prints, and is called like it:
//!
//! `pam-rare CONFDIR SERVICE USER BEHAVIOUR [ARGUMENT...]`; see [`main`] for the behaviours.

#![expect(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "test code")]

use std::cell::Cell;
use std::env;
use std::ffi::{CString, c_int};
use std::fs;
use std::io::{Write, stdin, stdout};
use std::path::PathBuf;
use std::process::{Command, exit};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use mfa_tests::confine::{self, Forbidden};
use mfa_tests::pam_host::{Answer, Call, Conversation, Handle, Transaction, result_name};

/// What happens while the module waits for an answer.
#[derive(Clone)]
enum AtPrompt {
    /// Nothing else.
    Nothing,
    /// `other-user NAME`: the transaction is about somebody else from here on.
    OtherUser(CString),
    /// `other-uid UID`: the process has another effective uid from here on.
    OtherUid(u32),
    /// `exit`: the program ends, as login(1) does when its time is over.
    Exit,
    /// `surplus`: more is answered than was asked.
    Surplus,
    /// `masked`: see [`Answer::Masked`].
    Masked,
    /// `long BYTES`: that many digits.
    Long(usize),
    /// `nested USER`: another whole login, whose code is the first line of input.
    Nested(Program, CString),
    /// `children`: a child is made that says which sockets it has.
    Children,
    /// `threads`: this line.
    Given(String),
}

/// Where the stack is.
#[derive(Clone)]
struct Program {
    confdir: PathBuf,
    service: String,
}

struct User {
    at_prompt: AtPrompt,
    handle: Rc<Cell<Option<Handle>>>,
}

impl Program {
    fn start(&self, user: &CString, at_prompt: AtPrompt) -> Transaction<User> {
        let handle = Rc::new(Cell::new(None));
        let conversation = User { at_prompt, handle: Rc::clone(&handle) };
        let started = Transaction::start(&self.confdir, &self.service, Some(user), conversation);
        let transaction = started.unwrap_or_else(|result| panic!("{}", result_name(result)));
        handle.set(Some(transaction.handle()));
        transaction
    }
}

impl Conversation for User {
    fn prompt(&mut self, text: &str, _: bool) -> Answer {
        say(&format!("prompt: {text}"));
        match &self.at_prompt {
            AtPrompt::Nothing => {}
            AtPrompt::OtherUser(name) => self.handle.get().expect("a transaction").set_user(name),
            AtPrompt::OtherUid(uid) => confine::set_effective_uid(*uid),
            AtPrompt::Exit => confine::exit_like_c(0),
            AtPrompt::Surplus => return Answer::Surplus(line()),
            AtPrompt::Masked => return Answer::Masked(line()),
            AtPrompt::Long(bytes) => {
                return Answer::Text(CString::new(vec![b'1'; *bytes]).unwrap());
            }
            AtPrompt::Nested(program, user) => {
                let result = program.start(user, AtPrompt::Nothing).call(Call::Authenticate, 0);
                say(&format!("nested: {}", result_name(result)));
            }
            AtPrompt::Children => say_sockets_of_a_child(),
            AtPrompt::Given(code) => return Answer::Text(CString::new(code.as_str()).unwrap()),
        }
        Answer::Text(line())
    }

    fn tell(&mut self, text: &str, error: bool) -> Answer {
        say(&format!("{}: {text}", if error { "error" } else { "info" }));
        Answer::NullText
    }
}

fn main() {
    let mut arguments = env::args().skip(1);
    let mut next = || arguments.next().unwrap_or_default();
    let program = Program { confdir: PathBuf::from(next()), service: next() };
    let user = CString::new(next()).unwrap();
    let behaviour = next();
    let simply = |at_prompt| {
        let mut transaction = program.start(&user, at_prompt);
        result("authenticate", transaction.call(Call::Authenticate, 0));
    };
    match behaviour.as_str() {
        "other-user" => simply(AtPrompt::OtherUser(CString::new(next()).unwrap())),
        "other-uid" => simply(AtPrompt::OtherUid(next().parse().unwrap())),
        "exit" => simply(AtPrompt::Exit),
        "surplus" => simply(AtPrompt::Surplus),
        "long" => simply(AtPrompt::Long(next().parse().unwrap())),
        "nested" => {
            let other = CString::new(next()).unwrap();
            simply(AtPrompt::Nested(program.clone(), other));
        }
        "masked" => masked(program.start(&user, AtPrompt::Masked)),
        // An effective uid that is another from the start of the transaction on.
        "as-uid" => {
            let mut transaction = program.start(&user, AtPrompt::Nothing);
            confine::set_effective_uid(next().parse().unwrap());
            result("authenticate", transaction.call(Call::Authenticate, 0));
        }
        "children" => while_children_are_made(|| simply(AtPrompt::Children)),
        "fork" => fork(&program, &user),
        "interleaved" => interleaved(&program, [&user, &CString::new(next()).unwrap()]),
        "threads" => threads(&program, &user, next().parse().unwrap()),
        "stack" => {
            let (stack, code) = (next().parse().unwrap(), line().into_string().unwrap());
            let thread = thread::Builder::new().stack_size(stack);
            let login = move || {
                let mut transaction = program.start(&user, AtPrompt::Given(code));
                result("authenticate", transaction.call(Call::Authenticate, 0));
            };
            thread.spawn(login).unwrap().join().unwrap();
        }
        "closed" => closed(&program, &user),
        // The calls, by commas, and the number of the error or `kill`.
        "forbid" => {
            let (calls, number) = (next(), next());
            let calls: Vec<_> = calls.split(',').collect();
            let mut transaction = program.start(&user, AtPrompt::Nothing);
            confine::forbid(&calls, number.parse().map_or(Forbidden::Kills, Forbidden::Fails));
            result("authenticate", transaction.call(Call::Authenticate, 0));
        }
        // A file takes the place of another between two calls.
        "replace" => {
            let mut transaction = program.start(&user, AtPrompt::Nothing);
            result("authenticate", transaction.call(Call::Authenticate, 0));
            fs::rename(next(), next()).unwrap();
            result("setcred", transaction.call(Call::SetCred, 0));
        }
        "descriptors" => {
            confine::limit_descriptors(next().parse().unwrap());
            let conversation = User { at_prompt: AtPrompt::Nothing, handle: Rc::default() };
            let (confdir, service) = (&program.confdir, &program.service);
            match Transaction::start(confdir, service, Some(&user), conversation) {
                Ok(mut transaction) => {
                    result("authenticate", transaction.call(Call::Authenticate, 0));
                }
                Err(number) => result("authenticate", number),
            }
        }
        other => panic!("unknown behaviour {other}"),
    }
}

/// Waits after the call and after the end, so that somebody can look at its memory.
fn masked(mut transaction: Transaction<User>) {
    let number = transaction.call(Call::Authenticate, 0);
    result("authenticate", number);
    say("over");
    line();
    drop(transaction);
    say("ended");
    line();
}

/// Children that are made all the time while `login` runs.
fn while_children_are_made(login: impl FnOnce()) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                say_sockets_of_a_child();
            }
        });
        login();
        over.store(true, Ordering::Relaxed);
    });
}

fn say_sockets_of_a_child() {
    let output = Command::new("ls").args(["-l", "/proc/self/fd"]).output().unwrap();
    let descriptors = String::from_utf8_lossy(&output.stdout).into_owned();
    let sockets = descriptors.lines().filter(|line| line.contains("socket:")).count();
    say(&format!("child: {sockets} sockets"));
}

/// A child after the start and one after the login; both end what they have of the transaction.
fn fork(program: &Program, user: &CString) {
    let transaction = program.start(user, AtPrompt::Nothing);
    // What the child ends is its own copy; the parent's goes on.
    confine::in_a_child(|| program.start(user, AtPrompt::Nothing).end_silently());
    let transaction = Cell::new(Some(transaction));
    let end_in_child = || {
        confine::in_a_child(|| transaction.take().expect("a transaction").end_silently());
    };
    end_in_child();
    let mut taken = transaction.take().expect("the child's was a copy");
    result("authenticate", taken.call(Call::Authenticate, 0));
    transaction.set(Some(taken));
    end_in_child();
    let mut taken = transaction.take().expect("the child's was a copy");
    result("setcred", taken.call(Call::SetCred, 0));
}

/// Two transactions that take turns.
fn interleaved(program: &Program, users: [&CString; 2]) {
    let [mut first, mut second] = users.map(|user| program.start(user, AtPrompt::Nothing));
    result("first", first.call(Call::Authenticate, 0));
    result("second", second.call(Call::Authenticate, 0));
    result("first setcred", first.call(Call::SetCred, 0));
    drop(first);
    result("second setcred", second.call(Call::SetCred, 0));
}

/// That many logins at once, each with a line of input: a name, a space, a code.
fn threads(program: &Program, user: &CString, number: usize) {
    let lines: Vec<_> = (0..number).map(|_| line().into_string().unwrap()).collect();
    thread::scope(|scope| {
        for line in lines {
            scope.spawn(move || {
                let (name, code) = line.split_once(' ').unwrap();
                let name = if name.is_empty() { user.clone() } else { CString::new(name).unwrap() };
                let mut transaction = program.start(&name, AtPrompt::Given(code.to_owned()));
                let number = transaction.call(Call::Authenticate, 0);
                say(&format!("{}: {}", name.to_str().unwrap(), result_name(number)));
            });
        }
    });
}

/// Without standard descriptors: the module's own get their numbers. The result is the exit status.
fn closed(program: &Program, user: &CString) {
    let code = line().into_string().unwrap();
    let mut transaction = program.start(user, AtPrompt::Given(code));
    mfa_tests::syslog::leave_unread();
    SILENT.store(true, Ordering::Relaxed);
    confine::close_standard_descriptors();
    exit(transaction.call(Call::Authenticate, 0));
}

static SILENT: AtomicBool = AtomicBool::new(false);

fn result(call: &str, number: c_int) {
    say(&format!("{call}: {}", result_name(number)));
}

fn line() -> CString {
    let mut line = String::new();
    stdin().read_line(&mut line).unwrap();
    CString::new(line.trim_end_matches('\n')).unwrap()
}

fn say(line: &str) {
    if SILENT.load(Ordering::Relaxed) {
        return;
    }
    let mut out = stdout().lock();
    writeln!(out, "{line}").unwrap();
    out.flush().unwrap();
}
