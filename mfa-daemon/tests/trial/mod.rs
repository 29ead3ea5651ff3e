// SPDX-License-Identifier: GPL-3.0-or-later
//! The real daemon on private paths, and raw frames to speak to it with.

#![expect(dead_code, reason = "each test program uses its own part of this")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "this is test code outside of test functions"
)]

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mfa_crypto::{Algorithm, Digits, OtpUri, Secret, hotp};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const SECRET: &[u8] = b"12345678901234567890";

pub(crate) struct Trial {
    pub(crate) home: TempDir,
    running: Option<Child>,
    /// A program that runs the daemon, with its options; the daemon must stay our child.
    pub(crate) under: Vec<String>,
}

impl Trial {
    /// A place without a daemon yet.
    pub(crate) fn prepare(more_configuration: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let at = home.path().display();
        let configuration = format!(
            "socket = \"{at}/run/mfa.sock\"\nissuer = \"trial\"\n\
             [store]\nurl = \"sqlite:{at}/state/mfa.db\"\n\
             [master_key]\nfile = \"{at}/state/master.key\"\n{more_configuration}"
        );
        fs::write(home.path().join("mfa.toml"), configuration).unwrap();
        Self { home, running: None, under: Vec::new() }
    }

    pub(crate) fn start() -> Self {
        let mut trial = Self::prepare("[exchange]\ngroup = \"ffdhe2048\"\n");
        trial.run();
        trial
    }

    pub(crate) fn path(&self, part: &str) -> PathBuf {
        self.home.path().join(part)
    }

    fn command(&self) -> Command {
        let daemon = env!("CARGO_BIN_EXE_mfa-daemon").to_owned();
        let words = [&self.under[..], &[daemon]].concat();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg("--config").arg(self.path("mfa.toml")).stdin(Stdio::null());
        command
    }

    /// Starts the daemon and waits until it answers.
    pub(crate) fn run(&mut self) {
        self.run_with(&[]);
    }

    /// The same with something in its environment.
    pub(crate) fn run_with(&mut self, environment: &[(&str, &Path)]) {
        let log = self.log_file();
        assert!(self.try_run_with(environment, log), "no start: {}", self.log());
    }

    /// The same with its log somewhere else.
    pub(crate) fn run_logging_to(&mut self, log: impl Into<Stdio>) {
        assert!(self.try_run_with(&[], log), "no start");
    }

    /// Starts the daemon, which may end before it answers; says whether it does answer.
    pub(crate) fn try_run(&mut self) -> bool {
        let log = self.log_file();
        self.try_run_with(&[], log)
    }

    fn log_file(&self) -> fs::File {
        fs::OpenOptions::new().append(true).create(true).open(self.path("log")).unwrap()
    }

    fn try_run_with(&mut self, environment: &[(&str, &Path)], log: impl Into<Stdio>) -> bool {
        let mut child =
            self.command().envs(environment.iter().copied()).stderr(log).spawn().unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while UnixStream::connect(self.path("run/mfa.sock")).is_err() {
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            assert!(Instant::now() < until, "not ready: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
        self.running = Some(child);
        true
    }

    /// Runs the daemon where it is expected to end by itself.
    pub(crate) fn output(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().unwrap()
    }

    /// What it says when it refuses to start.
    pub(crate) fn refusal(&self) -> String {
        self.refusal_with(&[])
    }

    /// The same with something in its environment.
    pub(crate) fn refusal_with(&self, environment: &[(&str, &Path)]) -> String {
        let output = self.command().envs(environment.iter().copied()).output().unwrap();
        assert!(!output.status.success(), "it started and ended well");
        String::from_utf8(output.stderr).unwrap()
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.running.as_ref().unwrap().id()).unwrap())
    }

    /// Whether it has ended by itself; a killed one needs a moment for that.
    pub(crate) fn is_dead(&mut self) -> bool {
        let until = Instant::now() + Duration::from_secs(3);
        while Instant::now() < until {
            if self.running.as_mut().unwrap().try_wait().unwrap().is_some() {
                self.running = None;
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Sends the signal and waits for the end.
    pub(crate) fn end(&mut self, signal: Signal) -> std::process::ExitStatus {
        self.signal(signal);
        self.running.take().unwrap().wait().unwrap()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    pub(crate) fn connect(&self) -> Wire {
        Wire::connect(&self.path("run/mfa.sock"))
    }

    pub(crate) fn ask(&self, request: Value) -> Value {
        self.connect().ask(request)
    }

    /// Adds a user with a token of [`SECRET`].
    pub(crate) fn add(&self, user: &str) {
        let answer = self.ask(json!({"type": "admin_import", "tokens": [{
            "user": user, "secret": "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=", "algorithm": "SHA1",
            "digits": 6, "moving": {"factor": "totp", "period": 30}}]}));
        assert_eq!(answer["type"], "imported", "{answer}");
    }

    pub(crate) fn verify(&self, user: &str, code: &str) -> Value {
        self.ask(json!({"type": "verify", "user": user, "code": code,
            "origin": {"service": "test"}}))
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        if let Some(mut child) = self.running.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A connection that sends what it is told to, right or wrong.
pub(crate) struct Wire {
    pub(crate) stream: UnixStream,
    id: u64,
}

impl Wire {
    pub(crate) fn connect(path: &Path) -> Self {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self { stream, id: 40 }
    }

    /// Sends a request and reads its answer, whose id must be the request's.
    pub(crate) fn ask(&mut self, mut request: Value) -> Value {
        self.id += 1;
        request["v"] = json!(1);
        request["id"] = json!(self.id);
        self.send(&frame(request.to_string().as_bytes()));
        let answer = self.receive().unwrap();
        let answered = &answer["id"];
        assert!(answered == self.id || answer["type"] == "error" && answered == 0, "{answer}");
        answer
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// The next answer; `None` where the daemon has closed the connection.
    pub(crate) fn receive(&mut self) -> Option<Value> {
        let mut header = [0; 4];
        self.stream.read_exact(&mut header).ok()?;
        let mut payload = vec![0; usize::try_from(u32::from_be_bytes(header)).unwrap()];
        self.stream.read_exact(&mut payload).ok()?;
        Some(serde_json::from_slice(&payload).unwrap())
    }
}

pub(crate) fn frame(payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend_from_slice(payload);
    bytes
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// The code of [`SECRET`], `steps` after the current one.
pub(crate) fn code(steps: i64) -> String {
    let step = (now() / 30).saturating_add_signed(steps);
    let secret = Secret::new(SECRET.to_vec());
    hotp(&secret, Algorithm::Sha1, Digits::default(), step).as_str().to_owned()
}

/// The code of a token that moves by the time, now.
pub(crate) fn code_of(uri: &OtpUri) -> String {
    let step = now() / 30;
    hotp(&uri.secret, uri.algorithm, uri.digits, step).as_str().to_owned()
}

/// A code that is none of [`SECRET`]'s near now.
pub(crate) fn wrong_code() -> String {
    let near: Vec<_> = (-3..=3).map(code).collect();
    (0..).map(|n| format!("{n:06}")).find(|code| !near.contains(code)).unwrap()
}
