// SPDX-License-Identifier: GPL-3.0-or-later
//! How long logins take: `pam-bench CONFDIR SERVICE FILE [--least DIRECTORY]`, where each line of
//! FILE is a user and the code for him, with a space between. One login after the other, each a
//! transaction of its own. Prints a line for each with two numbers: the microseconds from
//! `pam_start` to `pam_end`, as every login program pays for them, and those of `pam_authenticate`
//! alone. Fails at the first who is not let in.
//!
//! `--least` adds to each `pam_authenticate` what a module cannot do without where another process
//! must remember that the code is spent: two questions, each on a fresh connection, and before the
//! second answer one durable write of a page to a file in DIRECTORY.
//!
//! A line that a module logs costs one datagram, as where a syslog runs. Where none does, libc would
//! write the lines of google_authenticator to the console, which is slow.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "test code")]

use std::ffi::{CString, c_char, c_int};
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::Instant;
use std::{env, fs, io, thread};

use pam_host::{Answer, Call, Conversation, Transaction, result_name};

// Not by way of the library, which has another stand-in for syslog(3).
#[path = "../pam_host.rs"]
#[expect(dead_code, unreachable_pub, reason = "the tests use all of it")]
mod pam_host;

struct OneCode(CString);

impl Conversation for OneCode {
    fn prompt(&mut self, _: &str, _: bool) -> Answer {
        Answer::Text(self.0.clone())
    }

    fn tell(&mut self, _: &str, _: bool) -> Answer {
        Answer::NullText
    }
}

fn main() -> ExitCode {
    start_syslog();
    let arguments: Vec<_> = env::args().skip(1).collect();
    let (paths, least) = match arguments.as_slice() {
        [paths @ .., option, directory] if option == "--least" => {
            (paths, Some(Least::start(directory.as_ref())))
        }
        paths => (paths, None),
    };
    let [confdir, service, file] = paths else {
        return fail("usage: pam-bench CONFDIR SERVICE FILE [--least DIRECTORY]");
    };
    let text = fs::read_to_string(file).unwrap();
    let mut times = Vec::new();
    for line in text.lines() {
        let Some((user, code)) = line.split_once(' ') else {
            return fail(&format!("not a user and a code: {line}"));
        };
        let user = CString::new(user).unwrap();
        let code = OneCode(CString::new(code).unwrap());
        let start = Instant::now();
        let transaction = Transaction::start(confdir.as_ref(), service, Some(&user), code);
        let mut transaction = transaction.map_err(result_name).unwrap();
        let started = Instant::now();
        let result = transaction.call(Call::Authenticate, 0);
        if let Some(least) = &least {
            least.ask(Question::Begin);
            least.ask(Question::Verify);
        }
        let authenticate = started.elapsed();
        drop(transaction);
        let whole = start.elapsed();
        if result != 0 {
            return fail(&format!("{}: {}", user.to_string_lossy(), result_name(result)));
        }
        times.push((whole, authenticate));
    }
    let mut out = BufWriter::new(io::stdout().lock());
    for (whole, authenticate) in times {
        writeln!(out, "{} {}", whole.as_micros(), authenticate.as_micros()).unwrap();
    }
    ExitCode::SUCCESS
}

fn fail(why: &str) -> ExitCode {
    drop(writeln!(io::stderr(), "pam-bench: {why}"));
    ExitCode::FAILURE
}

/// The least that a daemon costs.
struct Least {
    socket: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Question {
    Begin,
    Verify,
}

/// Bytes of a question or an answer, about those of `verify`.
const MESSAGE: usize = 128;
const PAGE: usize = 4096;
/// The file is written in place, round and round, as a write-ahead log that has grown is.
const PAGES: u64 = 64;

impl Least {
    fn start(directory: &Path) -> Self {
        let log = File::create(directory.join("least")).unwrap();
        (0..PAGES).for_each(|page| write_page(&log, page));
        log.sync_all().unwrap();
        let socket = directory.join("least.sock");
        drop(fs::remove_file(&socket));
        let listener = UnixListener::bind(&socket).unwrap();
        thread::spawn(move || {
            let mut page = 0;
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut question = [0; MESSAGE];
                stream.read_exact(&mut question).unwrap();
                if question[0] == Question::Verify as u8 {
                    write_page(&log, page % PAGES);
                    log.sync_data().unwrap();
                    page += 1;
                }
                stream.write_all(&question).unwrap();
            }
        });
        Self { socket }
    }

    fn ask(&self, question: Question) {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        stream.write_all(&[question as u8; MESSAGE]).unwrap();
        stream.read_exact(&mut [0; MESSAGE]).unwrap();
    }
}

fn write_page(log: &File, page: u64) {
    log.write_all_at(&[0x5a; PAGE], page * PAGE as u64).unwrap();
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
