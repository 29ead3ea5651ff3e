// SPDX-License-Identifier: GPL-3.0-or-later
//! A private daemon, the real `mfa` in front of it, and what may stand between them.

pub(crate) mod camera;
pub(crate) mod proxy;
pub(crate) mod terminal;
pub(crate) mod tmux;

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mfa_crypto::{Moving, OtpUri, hotp, step};

/// The quickest group of RFC 7919.
pub(crate) const GROUP: &str = "ffdhe2048";

/// An ordinary user of every machine.
pub(crate) const NOBODY: (&str, u32) = ("nobody", 65534);

/// A daemon with paths of its own, ended with the test.
pub(crate) struct Machine {
    home: tempfile::TempDir,
    daemon: Child,
}

impl Machine {
    /// A daemon that offers a group of RFC 7919.
    pub(crate) fn new() -> Self {
        Self::with_group(GROUP)
    }

    /// A daemon that offers this group.
    pub(crate) fn with_group(group: &str) -> Self {
        Self::with(&format!("[exchange]\ngroup = {group:?}\n"))
    }

    /// A daemon with this at the end of its configuration. Returns when it says that it is ready.
    pub(crate) fn with(settings: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        // Ordinary users must reach the socket and the command.
        open(home.path(), 0o755);
        for (name, mode) in [("state", 0o700), ("run", 0o755), ("open", 0o1777)] {
            fs::create_dir(path(name)).unwrap();
            open(&path(name), mode);
        }
        fs::copy(env!("CARGO_BIN_EXE_mfa"), path("mfa")).unwrap();
        let configuration = format!(
            "socket = {:?}\nissuer = \"host.example\"\n[store]\nurl = \"sqlite:{}\"\n\
             [master_key]\nfile = {:?}\n{settings}",
            path("run/s"),
            path("state/mfa.db").display(),
            path("state/master.key"),
        );
        fs::write(path("mfa.toml"), configuration).unwrap();
        let ready = UnixDatagram::bind(path("notify")).unwrap();
        ready.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let log = fs::File::create(path("log")).unwrap();
        let mut daemon = Command::new(daemon_program())
            .arg("--config")
            .arg(path("mfa.toml"))
            .env("NOTIFY_SOCKET", path("notify"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut message = [0; 512];
        if ready.recv(&mut message).is_err() {
            daemon.kill().unwrap();
            panic!("the daemon is not ready: {}", fs::read_to_string(path("log")).unwrap());
        }
        Self { home, daemon }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path("run/s")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// `mfa` with this daemon, as the user of this test.
    pub(crate) fn mfa(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.path("mfa"));
        command
            .args(arguments)
            .env("MFA_SOCKET", self.socket())
            .env("TZ", "UTC0")
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// The same as an ordinary user, who owns nothing here.
    pub(crate) fn mfa_as_nobody(&self, arguments: &[&str]) -> Command {
        assert!(
            nix::unistd::geteuid().is_root(),
            "this test acts as another user, so it has to run as root"
        );
        let mut command = self.mfa(arguments);
        command.uid(NOBODY.1).gid(NOBODY.1).current_dir(self.path("open"));
        command
    }

    /// As an ordinary user, with this as standard input.
    pub(crate) fn give_as_nobody(&self, arguments: &[&str], input: &str) -> Ended {
        let mut child = self.mfa_as_nobody(arguments).stdin(Stdio::piped()).spawn().unwrap();
        // It may have ended without reading it.
        let _ = writeln!(child.stdin.take().unwrap(), "{input}");
        Ended::after(child.wait_with_output().unwrap())
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.mfa(arguments))
    }

    pub(crate) fn run_as_nobody(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.mfa_as_nobody(arguments))
    }

    /// Enrols `user` with a token file and returns what is in it.
    pub(crate) fn enrolled(&self, user: &str, file: &str) -> OtpUri {
        let path = self.path(file);
        self.run(&["enroll", "--user", user, "--save-token", text(&path)]).expect(0);
        token(&path)
    }

    /// The names of a user's tokens. One that waits for its first code is not among them.
    pub(crate) fn tokens(&self, user: &str) -> Vec<String> {
        let status = self.run(&["--json", "status", "--user", user]).expect(0).json().remove(0);
        let tokens = status["tokens"].as_array().unwrap();
        tokens.iter().map(|token| token["name"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// How a command ended and what it said.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    pub(crate) fn of(mut command: Command) -> Self {
        Self::after(command.output().unwrap())
    }

    pub(crate) fn after(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Fails unless it ended so.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.out, self.err);
        self
    }

    /// Fails unless stderr has this.
    #[track_caller]
    pub(crate) fn complains(self, text: &str) -> Self {
        assert!(self.err.contains(text), "no {text:?} in stderr: {}", self.err);
        self
    }

    /// The objects on stdout, one a line.
    pub(crate) fn json(&self) -> Vec<serde_json::Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// The token of a file, which may belong to anybody.
pub(crate) fn token(path: &Path) -> OtpUri {
    OtpUri::parse(fs::read_to_string(path).unwrap().trim_end()).unwrap()
}

/// The code `ahead` steps or counters from now: 1 is accepted as well as 0, so that no test waits.
pub(crate) fn code(token: &OtpUri, ahead: u64) -> String {
    let counter = match token.moving {
        Moving::Totp { period } => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
            step(now, period)
        }
        Moving::Hotp { counter } => counter,
    };
    hotp(&token.secret, token.algorithm, token.digits, counter + ahead).as_str().to_owned()
}

/// The token of an event that carries its address.
pub(crate) fn shown_token(pending: &str) -> OtpUri {
    let pending: serde_json::Value = serde_json::from_str(pending).unwrap();
    OtpUri::parse(pending["otpauth"].as_str().unwrap()).unwrap()
}

/// A code that is none of those that count now or soon.
pub(crate) fn wrong_code(token: &OtpUri) -> String {
    let near: Vec<String> = (0..=14).map(|ahead| code(&before(token), ahead)).collect();
    (0..).map(|n| format!("{n:06}")).find(|wrong| !near.contains(wrong)).unwrap()
}

/// The same token a few steps ago.
fn before(token: &OtpUri) -> OtpUri {
    let mut before = token.clone();
    if let Moving::Totp { period } = token.moving {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        before.moving = Moving::Hotp { counter: step(now, period) - 5 };
    }
    before
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub(crate) fn open(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// One line from a child, without reading beyond it.
pub(crate) fn read_line(from: &mut impl Read) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while from.read(&mut byte).unwrap() == 1 && byte != *b"\n" {
        line.push(byte[0]);
    }
    String::from_utf8(line).unwrap()
}

/// Cargo builds only this package for its tests; the daemon stands beside them once it was built.
fn daemon_program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().unwrap().parent().unwrap().join("mfa-daemon");
    assert!(
        program.exists(),
        "{} is missing: run `cargo build -p mfa-daemon` with the same profile first",
        program.display()
    );
    program
}
