// SPDX-License-Identifier: GPL-3.0-or-later
//! How long logins take: `pam-bench CONFDIR SERVICE FILE [--least SOCKET] [--together]`, where each
//! line of FILE is a user and the code for him, with a space between. One login after the other, each
//! a transaction of its own. Prints a line for each: the nanoseconds from `pam_start` to `pam_end`, as
//! every login program pays for them, those of `pam_authenticate` alone, and the result. Fails at the
//! first who is not let in.
//!
//! `--least` adds to each `pam_authenticate` what a module cannot do without where another process
//! must remember that the code is spent: two questions to `least-daemon`, each on a fresh connection.
//!
//! `--together` is for several of these programs at once: it says `ready`, waits until its standard
//! input ends, and goes on where somebody is not let in. A first line tells when it began and ended,
//! in nanoseconds since 1970.
//!
//! A line that a module logs costs one datagram, as where a syslog runs. Where none does, libc would
//! write the lines of google_authenticator to the console, which is slow.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "test code")]

use std::ffi::{CString, c_char, c_int};
use std::io::{BufWriter, Read, Write};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::{Instant, UNIX_EPOCH};
use std::{env, fs, io, thread};

use least::{BEGIN, MESSAGE, VERIFY};
use pam_host::{Call, OneCode, Transaction, result_name};

#[path = "../least.rs"]
#[expect(dead_code, unreachable_pub, reason = "the daemon uses all of it")]
mod least;
// Not by way of the library, which has another stand-in for syslog(3).
#[path = "../pam_host.rs"]
#[expect(dead_code, unreachable_pub, reason = "the tests use all of it")]
mod pam_host;

struct Options {
    confdir: PathBuf,
    service: String,
    file: PathBuf,
    least: Option<PathBuf>,
    together: bool,
}

struct Login {
    user: CString,
    code: CString,
}

/// What became of a login, and its nanoseconds.
struct Outcome {
    whole: u128,
    authenticate: u128,
    result: c_int,
}

fn main() -> ExitCode {
    start_syslog();
    let Some(options) = options() else {
        return fail("usage: pam-bench CONFDIR SERVICE FILE [--least SOCKET] [--together]");
    };
    let logins: Vec<_> = fs::read_to_string(&options.file).unwrap().lines().map(login).collect();
    let mut outcomes = Vec::with_capacity(logins.len());
    if options.together {
        // The first transaction of a process loads what libpam and libc keep.
        drop(Transaction::start(&options.confdir, "other", None, OneCode(CString::default())));
        println_now("ready");
        io::stdin().read_to_end(&mut Vec::new()).unwrap();
    }
    let begun = UNIX_EPOCH.elapsed().unwrap();
    for login in logins {
        let user = login.user.clone();
        let outcome = log_in(&options, login);
        if outcome.result != 0 && !options.together {
            return fail(&format!("{}: {}", user.to_string_lossy(), result_name(outcome.result)));
        }
        outcomes.push(outcome);
    }
    let ended = UNIX_EPOCH.elapsed().unwrap();
    let mut out = BufWriter::new(io::stdout().lock());
    if options.together {
        writeln!(out, "{} {}", begun.as_nanos(), ended.as_nanos()).unwrap();
    }
    for Outcome { whole, authenticate, result } in outcomes {
        writeln!(out, "{whole} {authenticate} {}", result_name(result)).unwrap();
    }
    ExitCode::SUCCESS
}

fn options() -> Option<Options> {
    let mut arguments = env::args().skip(1);
    let mut options = Options {
        confdir: arguments.next()?.into(),
        service: arguments.next()?,
        file: arguments.next()?.into(),
        least: None,
        together: false,
    };
    while let Some(option) = arguments.next() {
        match option.as_str() {
            "--least" => options.least = Some(arguments.next()?.into()),
            "--together" => options.together = true,
            _ => return None,
        }
    }
    Some(options)
}

fn login(line: &str) -> Login {
    let (user, code) = line.split_once(' ').expect("a user and a code");
    Login { user: CString::new(user).unwrap(), code: CString::new(code).unwrap() }
}

fn log_in(options: &Options, Login { user, code }: Login) -> Outcome {
    let begun = Instant::now();
    let transaction =
        Transaction::start(&options.confdir, &options.service, Some(&user), OneCode(code));
    let mut transaction = transaction.map_err(result_name).unwrap();
    let started = Instant::now();
    let result = transaction.call(Call::Authenticate, 0);
    if let Some(socket) = &options.least {
        for question in [BEGIN, VERIFY] {
            ask(socket, question);
        }
    }
    let authenticate = started.elapsed().as_nanos();
    drop(transaction);
    Outcome { whole: begun.elapsed().as_nanos(), authenticate, result }
}

fn ask(socket: &Path, question: u8) {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(&[question; MESSAGE]).unwrap();
    stream.read_exact(&mut [0; MESSAGE]).unwrap();
}

fn println_now(line: &str) {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").unwrap();
    out.flush().unwrap();
}

fn fail(why: &str) -> ExitCode {
    drop(writeln!(io::stderr(), "pam-bench: {why}"));
    ExitCode::FAILURE
}

static SYSLOG: OnceLock<UnixDatagram> = OnceLock::new();

fn start_syslog() {
    let (modules, daemon) = UnixDatagram::pair().unwrap();
    thread::spawn(move || while daemon.recv(&mut [0; 1024]).is_ok() {});
    SYSLOG.set(modules).unwrap();
}

fn log() {
    SYSLOG.get().unwrap().send(&[b'x'; MESSAGE]).unwrap();
}

/// syslog(3). The definitions of a program come before libc's; the arguments that these leave out
/// are not looked at, whatever they are.
#[unsafe(no_mangle)]
extern "C" fn syslog(_priority: c_int, _format: *const c_char) {
    log();
}

/// What syslog(3) becomes with `_FORTIFY_SOURCE`.
#[unsafe(no_mangle)]
extern "C" fn __syslog_chk(_priority: c_int, _flag: c_int, _format: *const c_char) {
    log();
}

/// And vsyslog(3).
#[unsafe(no_mangle)]
extern "C" fn __vsyslog_chk(_priority: c_int, _flag: c_int, _format: *const c_char) {
    log();
}
