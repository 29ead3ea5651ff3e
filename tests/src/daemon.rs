// SPDX-License-Identifier: GPL-3.0-or-later
//! The real daemon on a private directory, as whoever runs the tests.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use mfa_proto::admin::{AdminAnswer, AdminBypass, AdminInvite};
use mfa_proto::transfer::{AdminImport, TransferAnswer};
use mfa_proto::{Client, Deadline, Request, UserName};
use tempfile::TempDir;

use crate::account::Account;
use crate::artifacts;

/// The longest that a daemon may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(20);

/// Tokens that fit one frame.
const IMPORT_BATCH: usize = 200;

/// A daemon and its home. Dropping it kills the daemon and removes the home.
pub struct Daemon {
    home: TempDir,
    program: PathBuf,
    /// What its clock is ahead of the real one, as libfaketime takes it.
    clock: Option<String>,
    /// The socket, where it is kept for the daemon as systemd does.
    listener: Option<UnixListener>,
    process: Option<Child>,
}

impl Daemon {
    /// Starts one with an empty store.
    #[must_use]
    pub fn start() -> Self {
        Self::start_program(artifacts::daemon())
    }

    /// Starts one whose configuration has these lines as well.
    #[must_use]
    pub fn start_with(lines: &str) -> Self {
        Self::start_configured(artifacts::daemon(), lines)
    }

    /// Starts another build of it.
    #[must_use]
    pub fn start_program(program: PathBuf) -> Self {
        Self::start_configured(program, "")
    }

    /// Starts one whose store is in this directory; socket and log are elsewhere.
    #[must_use]
    pub fn start_on(state: &Path) -> Self {
        let mut daemon = Self::prepare(artifacts::daemon(), Some(state), "");
        daemon.run();
        daemon
    }

    /// Starts one whose socket is not its own and stays when it ends, as below systemd.
    #[must_use]
    pub fn start_activated() -> Self {
        let mut daemon = Self::prepare(artifacts::daemon(), None, "");
        daemon.listener = Some(UnixListener::bind(daemon.socket()).expect("the socket"));
        daemon.run();
        daemon
    }

    fn start_configured(program: PathBuf, lines: &str) -> Self {
        let mut daemon = Self::prepare(program, None, lines);
        daemon.run();
        daemon
    }

    fn prepare(program: PathBuf, state: Option<&Path>, lines: &str) -> Self {
        let home = tempfile::tempdir().expect("a private directory");
        let (run, at) = (home.path().display(), state.unwrap_or(home.path()).display());
        let configuration = format!(
            "socket = \"{run}/mfa.sock\"\nissuer = \"test\"\n\
             [store]\nurl = \"sqlite:{at}/mfa.db\"\n[master_key]\nfile = \"{at}/master.key\"\n\
             {lines}"
        );
        fs::write(home.path().join("mfa.toml"), configuration).expect("mfa.toml");
        Self { home, program, clock: None, listener: None, process: None }
    }

    /// Lets other users come to its socket, as they can to an installed one.
    pub fn open_to_all(&self) {
        fs::set_permissions(self.home.path(), fs::Permissions::from_mode(0o755)).expect("its mode");
    }

    /// Where it listens.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.home.path().join("mfa.sock")
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// Gives each of them the token.
    pub fn import(&self, accounts: &[Account]) {
        let deadline = Deadline::after(PATIENCE);
        let mut client = Client::connect(&self.socket(), deadline).expect("a daemon");
        for batch in accounts.chunks(IMPORT_BATCH) {
            let tokens = batch.iter().map(Account::as_import).collect();
            let import = Request::AdminImport(AdminImport { tokens, accounts: Vec::new() });
            match client.call(&import, deadline).expect("an answer") {
                TransferAnswer::Imported { added, known: 0 } if added as usize == batch.len() => {}
                other => panic!("import: {other:?}"),
            }
        }
    }

    /// Gives one TOTP token.
    #[must_use]
    pub fn account(&self, name: &str) -> Account {
        let account = Account::totp(name);
        self.import(std::slice::from_ref(&account));
        account
    }

    /// Gives one HOTP token.
    #[must_use]
    pub fn counting_account(&self, name: &str) -> Account {
        let account = Account::hotp(name);
        self.import(std::slice::from_ref(&account));
        account
    }

    /// An administrator's invite code.
    #[must_use]
    pub fn invite(&self, user: &str) -> String {
        let user = UserName::new(user).expect("a name");
        self.issue(&Request::AdminInvite(AdminInvite { user, seconds: 3600 }))
    }

    /// An administrator's bypass code for one login.
    #[must_use]
    pub fn bypass(&self, user: &str) -> String {
        let user = UserName::new(user).expect("a name");
        let bypass = AdminBypass { user, seconds: 3600, uses: 1, service: None };
        self.issue(&Request::AdminBypass(bypass))
    }

    fn issue(&self, request: &Request) -> String {
        let deadline = Deadline::after(PATIENCE);
        let mut client = Client::connect(&self.socket(), deadline).expect("a daemon");
        match client.call(request, deadline).expect("an answer") {
            AdminAnswer::Issued { code, .. } => code.as_str().to_owned(),
            other => panic!("no code: {other:?}"),
        }
    }

    /// What it says where it does not start.
    #[must_use]
    pub fn refusal(&self) -> String {
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(self.home.path().join("mfa.toml")).env_remove("JOURNAL_STREAM");
        let output = command.stdin(Stdio::null()).output().expect("mfa-daemon");
        assert!(!output.status.success(), "it started and ended well");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Its process id, for signals.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("a running daemon").id()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("kill -9");
            process.wait().expect("its end");
        }
    }

    /// Kills it as a fault in it would, where nothing limits a core; how it ended.
    pub fn crash(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("a running daemon");
        crash(&mut process)
    }

    /// SIGTERM, and a clean end.
    pub fn stop(&mut self) {
        self.signal("TERM");
        let mut process = self.process.take().expect("a running daemon");
        let status = within(PATIENCE, || process.try_wait().expect("its status"));
        let status = status.unwrap_or_else(|| panic!("it does not stop: {}", self.log()));
        assert!(status.success(), "it stopped with {status}: {}", self.log());
    }

    /// Starts it again after it was stopped or killed.
    pub fn resume(&mut self) {
        assert!(self.process.is_none(), "it runs");
        self.run();
    }

    /// Starts it again on the same home.
    pub fn restart(&mut self) {
        self.kill();
        self.run();
    }

    /// Starts it again with a clock that is so many days ahead.
    pub fn restart_ahead(&mut self, days: u64) {
        self.kill();
        self.clock = Some(format!("+{days}d"));
        self.run();
    }

    /// Sends the signal with that name, such as `STOP`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.pid().to_string())
            .status()
            .expect("kill(1)");
        assert!(status.success(), "kill -{name}: {status}");
    }

    fn run(&mut self) {
        let log =
            File::options().create(true).append(true).open(self.log_path()).expect("the log file");
        let mut command = self.command();
        if let Some(clock) = &self.clock {
            // Not through faketime(1), which would stay between this process and the daemon.
            command
                .env("LD_PRELOAD", "/usr/$LIB/faketime/libfaketimeMT.so.1")
                .env("FAKETIME", clock)
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        let process = command
            .arg("--config")
            .arg(self.home.path().join("mfa.toml"))
            .env_remove("JOURNAL_STREAM")
            .stdout(log.try_clone().expect("the log file"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", self.program.display()));
        let process = self.process.insert(process);
        let socket = self.home.path().join("mfa.sock");
        let ready = within(PATIENCE, || match process.try_wait() {
            Ok(Some(status)) => Some(Err(status)),
            _ => answers(&socket).then_some(Ok(())),
        });
        match ready {
            Some(Ok(())) => {}
            Some(Err(status)) => panic!("mfa-daemon ended with {status}: {}", self.log()),
            None => panic!("mfa-daemon does not get ready: {}", self.log()),
        }
    }

    /// The program, with the socket that is kept for it, if one is: sd_listen_fds(3).
    fn command(&self) -> Command {
        let Some(listener) = &self.listener else {
            let mut command = Command::new(&self.program);
            command.stdin(Stdio::null());
            return command;
        };
        let mut command = Command::new("sh");
        command.args(["-c", "LISTEN_FDS=1 LISTEN_PID=$$ exec \"$@\" 3<&0 0</dev/null", "sh"]);
        command.arg(&self.program);
        command.stdin(OwnedFd::from(listener.try_clone().expect("the socket")));
        command
    }

    fn log_path(&self) -> PathBuf {
        self.home.path().join("log")
    }
}

/// SIGABRT to a process whose core may be of any size; how it ended. (Of a SIGSEGV that no instruction caused, Rust's
/// own handler makes nothing.)
pub fn crash(process: &mut Child) -> ExitStatus {
    let pid = process.id().to_string();
    for command in [["prlimit", "--core=unlimited:unlimited", "--pid"], ["kill", "-ABRT", "--"]] {
        let [program, options @ ..] = command;
        let status = Command::new(program).args(options).arg(&pid).status().expect("a program");
        assert!(status.success(), "{program}: {status}");
    }
    process.wait().expect("its end")
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            let log = self.log();
            let _ = io::Write::write_all(&mut io::stderr(), log.as_bytes());
        }
    }
}

/// Whether a question is answered there: a socket that exists says nothing yet.
fn answers(socket: &Path) -> bool {
    let deadline = Deadline::after(Duration::from_secs(1));
    Client::connect(socket, deadline)
        .and_then(|mut client| client.call::<_, serde_json::Value>(Request::Params {}, deadline))
        .is_ok()
}

/// Asks again and again until there is an answer, for at most so long.
pub fn within<T>(patience: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + patience;
    loop {
        let answer = ask();
        if answer.is_some() || Instant::now() >= end {
            return answer;
        }
        thread::sleep(Duration::from_millis(2));
    }
}
