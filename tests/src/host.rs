// SPDX-License-Identifier: GPL-3.0-or-later
//! `pam-host` as a process of its own: what it is given, what it printed.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::stack::{SERVICE, Stack};

/// A login that is to be made.
pub struct Host {
    command: Vec<OsString>,
    answers: String,
}

/// A login at a prompt.
pub struct Prompted {
    process: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    printed: String,
    started: Instant,
}

/// A login that is over.
#[derive(Debug)]
pub struct Outcome {
    /// How the program ended.
    pub status: ExitStatus,
    /// Everything on its standard output.
    pub printed: String,
    /// Everything on its standard error.
    pub complaints: String,
    /// From its start to its end.
    pub took: Duration,
}

impl Host {
    /// `program` is the test's own `env!("CARGO_BIN_EXE_pam-host")`.
    #[must_use]
    pub fn new(program: &str, stack: &Stack, user: impl AsRef<OsStr>) -> Self {
        let command = vec![
            PathBuf::from(program).into_os_string(),
            stack.confdir().into_os_string(),
            SERVICE.into(),
            user.as_ref().to_owned(),
        ];
        Self { command, answers: String::new() }
    }

    /// Runs it under another program, such as valgrind.
    #[must_use]
    pub fn under(mut self, program: &[&str]) -> Self {
        self.command.splice(0..0, program.iter().map(OsString::from));
        self
    }

    /// Options of `pam-host`.
    #[must_use]
    pub fn with(mut self, options: &[&str]) -> Self {
        self.command.extend(options.iter().map(OsString::from));
        self
    }

    /// The answer to the next prompt.
    #[must_use]
    pub fn answer(mut self, text: &str) -> Self {
        self.answers += &text.replace('\n', "\\n");
        self.answers.push('\n');
        self
    }

    /// Makes the login.
    #[must_use]
    pub fn run(self) -> Outcome {
        let answers = self.answers.clone();
        self.spawn().finish(&answers)
    }

    /// Starts the login and waits until the user is asked.
    #[must_use]
    pub fn until_prompt(self) -> Prompted {
        let mut prompted = self.start();
        prompted.until("prompt: ");
        prompted
    }

    /// Starts the login without waiting for anything.
    #[must_use]
    pub fn start(self) -> Prompted {
        assert!(self.answers.is_empty(), "answers are given to what is returned");
        self.spawn()
    }

    fn spawn(self) -> Prompted {
        let started = Instant::now();
        let (program, arguments) = self.command.split_first().expect("a program");
        let mut process = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stdin = process.stdin.take().expect("its input");
        let stdout = BufReader::new(process.stdout.take().expect("its output"));
        Prompted { process, stdin, stdout, printed: String::new(), started }
    }
}

impl Prompted {
    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Waits until this was printed.
    pub fn until(&mut self, text: &str) {
        while !self.printed.contains(text) {
            let read = self.stdout.read_line(&mut self.printed).expect("a line");
            assert!(read > 0, "ended before {text}: {}", self.printed);
        }
    }

    /// What was printed so far.
    #[must_use]
    pub fn printed(&self) -> &str {
        &self.printed
    }

    /// Answers without waiting for what comes of it.
    pub fn type_in(&mut self, text: &str) {
        // It may have ended without reading.
        drop(writeln!(self.stdin, "{text}"));
    }

    /// Answers, and waits for the end.
    #[must_use]
    pub fn answer(self, text: &str) -> Outcome {
        self.finish(&format!("{text}\n"))
    }

    /// Waits for the end of what was answered before.
    #[must_use]
    pub fn wait(self) -> Outcome {
        self.finish("")
    }

    fn finish(mut self, answers: &str) -> Outcome {
        let mut stdin = self.stdin;
        let answers = answers.to_owned();
        // Beside the reading: neither pipe holds everything.
        let writer = std::thread::spawn(move || drop(stdin.write_all(answers.as_bytes())));
        self.stdout.read_to_string(&mut self.printed).expect("its output");
        let mut complaints = String::new();
        let mut stderr = self.process.stderr.take().expect("its standard error");
        stderr.read_to_string(&mut complaints).expect("its standard error");
        let status = self.process.wait().expect("its end");
        drop(writer.join());
        Outcome { status, printed: self.printed, complaints, took: self.started.elapsed() }
    }
}

impl Outcome {
    /// The result of `pam_authenticate`.
    #[must_use]
    pub fn authenticated(&self) -> &str {
        self.result("authenticate")
    }

    /// The result of a call.
    #[must_use]
    pub fn result(&self, call: &str) -> &str {
        assert!(self.status.success(), "{self:?}");
        assert_eq!(self.complaints, "", "on standard error");
        let found = self.starting(&format!("{call}: "));
        assert_eq!(found.len(), 1, "results of {call}: {self:?}");
        found.first().copied().unwrap_or_default()
    }

    /// Nothing of `--times` is different afterwards, and memory has not grown.
    pub fn left_the_program_as_it_was(&self) {
        assert!(self.starting("changed: ").is_empty(), "{:?}", self.starting("changed: "));
        let grown = self.grown();
        assert!(grown.is_some_and(|grown| grown < 1024), "grown by {grown:?} KiB");
    }

    /// By how many KiB the program's own memory has grown over the second half of `--times`.
    #[must_use]
    pub fn grown(&self) -> Option<u64> {
        self.result("grown").strip_suffix(" KiB")?.parse().ok()
    }

    /// What follows that beginning on each line that has it.
    #[must_use]
    pub fn starting(&self, beginning: &str) -> Vec<&str> {
        self.printed.lines().filter_map(|line| line.strip_prefix(beginning)).collect()
    }

    /// What the user saw: prompts and texts, each with its kind.
    #[must_use]
    pub fn seen(&self) -> Vec<&str> {
        let kinds = ["prompt: ", "info: ", "error: "];
        let lines = self.printed.lines();
        lines.filter(|line| kinds.iter().any(|kind| line.starts_with(kind))).collect()
    }

    /// What was logged, each with its level.
    #[must_use]
    pub fn logged(&self) -> Vec<&str> {
        self.starting("log: ")
    }
}
