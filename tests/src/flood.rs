// SPDX-License-Identifier: GPL-3.0-or-later
//! Attackers on the socket, how long root's logins take meanwhile, and what they leave in the daemon.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use mfa_proto::login::{Begin, BeginAnswer, LoginRequest, Origin, Verify, VerifyAnswer};
use mfa_proto::{Client, ClientError, Deadline, TypedCode, UserName};

use crate::account::Account;

/// What a login program waits for at most.
const PATIENCE: Duration = Duration::from_secs(5);

/// Processes that flood.
pub struct Flood(Vec<Child>);

impl Flood {
    /// Starts a process for each uid. `program` is the test's own `env!("CARGO_BIN_EXE_flood")`.
    #[must_use]
    pub fn start(
        program: &str,
        kind: &str,
        socket: &Path,
        uids: impl IntoIterator<Item = u32>,
        size: usize,
    ) -> Self {
        let start = |uid: u32| {
            Command::new(program)
                .arg(kind)
                .arg(socket)
                .args([uid.to_string(), size.to_string()])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("the flooding process")
        };
        Self(uids.into_iter().map(start).collect())
    }

    /// Ends it; says how often they have done it together.
    #[must_use]
    pub fn end(mut self) -> u64 {
        for process in &mut self.0 {
            drop(process.stdin.take());
        }
        self.count()
    }

    /// Waits until each has done it as often as it was told.
    #[must_use]
    pub fn finish(mut self) -> u64 {
        let inputs: Vec<_> = self.0.iter_mut().map(|process| process.stdin.take()).collect();
        let count = self.count();
        drop(inputs);
        count
    }

    fn count(&mut self) -> u64 {
        let count = |process: &mut Child| {
            let mut text = String::new();
            let mut output = process.stdout.take().expect("its output");
            output.read_to_string(&mut text).expect("its count");
            assert!(process.wait().expect("its end").success(), "a flooding process failed");
            text.trim().parse::<u64>().expect("a count")
        };
        self.0.iter_mut().map(count).sum()
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        for process in &mut self.0 {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// A login program's two questions, each on a fresh connection, without PAM around them.
pub struct Asker {
    socket: PathBuf,
    origin: Origin,
}

impl Asker {
    /// As the service of that name.
    #[must_use]
    pub fn new(socket: &Path, service: &str) -> Self {
        let origin = Origin { service: service.to_owned(), ..Origin::default() };
        Self { socket: socket.to_owned(), origin }
    }

    /// Whether the user is to be asked.
    ///
    /// # Errors
    /// No answer.
    pub fn begin(&self, user: &str) -> Result<BeginAnswer, ClientError> {
        let user = UserName::new(user).expect("a name");
        let deadline = Deadline::after(PATIENCE);
        let begin = LoginRequest::Begin(Begin { user, origin: self.origin.clone() });
        Client::connect(&self.socket, deadline)?.call(begin, deadline)
    }

    /// Whether the code opens the login.
    ///
    /// # Errors
    /// No answer.
    pub fn verify(&self, user: &str, code: &str) -> Result<VerifyAnswer, ClientError> {
        let user = UserName::new(user).expect("a name");
        let code = TypedCode::new(code).expect("a code");
        let deadline = Deadline::after(PATIENCE);
        let verify = LoginRequest::Verify(Verify { user, code, origin: self.origin.clone() });
        Client::connect(&self.socket, deadline)?.call(verify, deadline)
    }

    /// Both, with a right code; how long they took together.
    #[must_use]
    pub fn login(&self, user: &str, code: &str) -> Duration {
        let started = Instant::now();
        let asked = self.begin(user).unwrap_or_else(|error| panic!("{user}, begin: {error}"));
        assert!(matches!(asked, BeginAnswer::Prompt { .. }), "{user}: {asked:?}");
        let answer = self.verify(user, code).unwrap_or_else(|error| panic!("{user}: {error}"));
        assert!(matches!(answer, VerifyAnswer::Accepted(_)), "{user}: {answer:?}");
        started.elapsed()
    }
}

/// Somebody who logs in again and again with the codes of a counter.
pub struct Regular {
    account: Account,
    next: u64,
}

impl Regular {
    /// `account` moves by a counter and has made no code yet.
    #[must_use]
    pub fn new(account: Account) -> Self {
        Self { account, next: 0 }
    }

    /// Logs in for so long, one login after the other with a pause between, all with right codes.
    pub fn logins(&mut self, asker: &Asker, during: Duration) -> Times {
        let end = Instant::now() + during;
        let mut times = Vec::new();
        while Instant::now() < end {
            let code = self.account.code(self.next);
            self.next += 1;
            times.push(asker.login(&self.account.name, &code));
            thread::sleep(Duration::from_millis(3));
        }
        Times::new(times)
    }
}

/// How long logins took.
#[derive(Debug)]
pub struct Times(Vec<Duration>);

impl Times {
    /// Of these.
    #[must_use]
    pub fn new(mut times: Vec<Duration>) -> Self {
        assert!(!times.is_empty(), "no login");
        times.sort();
        Self(times)
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The one that so many of a thousand do not exceed.
    #[must_use]
    pub fn of_thousand(&self, part: usize) -> Duration {
        assert!(self.0.len() >= 100, "only {} logins", self.0.len());
        let at = (self.0.len() * part / 1000).min(self.0.len() - 1);
        self.0.get(at).copied().unwrap_or_default()
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [median, high, most] = [500, 990, 1000].map(|part| self.of_thousand(part));
        write!(
            f,
            "{} logins, median {median:.1?}, p99 {high:.1?}, longest {most:.1?}",
            self.count()
        )
    }
}

/// What a process holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Held {
    /// Resident memory, in KiB.
    pub memory: u64,
    /// Descriptors.
    pub descriptors: usize,
    /// Threads.
    pub threads: usize,
}

impl Held {
    /// By the process of this id, now.
    #[must_use]
    pub fn by(pid: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let word = line.and_then(|line| line.split_whitespace().next());
            word.and_then(|word| word.parse().ok()).expect("a number")
        };
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).expect("its descriptors").count();
        let threads = usize::try_from(number("Threads:")).expect("a count");
        Self { memory: number("VmRSS:"), descriptors, threads }
    }
}
