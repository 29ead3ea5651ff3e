// SPDX-License-Identifier: GPL-3.0-or-later
//! The terminal: results to stdout, everything else to stderr, codes from the keyboard or, where
//! that is none, from a line of standard input.

mod colours;
mod hidden;
mod private_screen;
mod signals;

use std::io::{self, IsTerminal, Stderr, Stdout, Write};
use std::os::fd::AsFd;

use anstream::AutoStream;
use mfa_proto::TypedCode;
use mfa_qr::Ink;
use nix::errno::Errno;
use nix::sys::signal::{Signal, raise};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::arguments::{Global, When};
use crate::failure::Failure;
use crate::messages;

pub(crate) use colours::of_usage as colours_of_usage;
use colours::{Environment, choice};
use private_screen::{Answered, PrivateScreen};

/// Where a command reads and writes.
pub(crate) struct Console {
    out: AutoStream<Stdout>,
    err: AutoStream<Stderr>,
    ink: Ink,
    json: bool,
    quiet: bool,
    /// Whether the terminal understands more than lines.
    is_dumb: bool,
}

/// What is shown above a question until it is answered, and nowhere afterwards.
pub(crate) struct PrivatePage {
    screen: Option<PrivateScreen>,
}

/// The window's size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Window {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
}

impl Console {
    pub(crate) fn new(global: &Global) -> Self {
        let environment = Environment::of_process();
        let choice = |is_terminal| choice(global.color, is_terminal, environment);
        Self {
            out: AutoStream::new(io::stdout(), choice(io::stdout().is_terminal())),
            err: AutoStream::new(io::stderr(), choice(io::stderr().is_terminal())),
            // Black and white are what a QR code is, no decoration: a light ground without them shows
            // it inverted, which not every phone reads.
            ink: match global.color {
                When::Never => Ink::Plain,
                When::Auto if environment.is_dumb => Ink::Plain,
                When::Auto | When::Always => Ink::Colours,
            },
            json: global.json,
            quiet: global.quiet,
            is_dumb: environment.is_dumb,
        }
    }

    /// Whether results are JSON.
    pub(crate) fn json(&self) -> bool {
        self.json
    }

    /// How a QR code is drawn.
    pub(crate) fn ink(&self) -> Ink {
        self.ink
    }

    /// Whether results stand alone.
    pub(crate) fn quiet(&self) -> bool {
        self.quiet
    }

    /// Whether somebody can read stdout.
    pub(crate) fn is_watched(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// Whether progress may be drawn.
    pub(crate) fn shows_progress(&self) -> bool {
        !self.quiet && !self.json && io::stderr().is_terminal()
    }

    /// Whether a line of stdout can be written again.
    pub(crate) fn can_redraw(&self) -> bool {
        self.is_watched() && !self.json && !self.is_dumb
    }

    /// Whether somebody can be asked.
    pub(crate) fn can_ask(&self) -> bool {
        io::stdin().is_terminal()
    }

    /// The window that stdout is.
    pub(crate) fn window(&self) -> Option<Window> {
        let (width, height) = terminal_size::terminal_size_of(io::stdout())?;
        Some(Window { columns: usize::from(width.0), rows: usize::from(height.0) })
    }

    /// A result. The error is told: a result that nobody got is a failure.
    pub(crate) fn result(&mut self, text: &str) -> Result<(), Failure> {
        writeln!(self.out, "{text}").and_then(|()| self.out.flush()).map_err(Failure::Output)
    }

    /// The columns that a table has.
    pub(crate) fn columns(&self) -> Option<usize> {
        self.window().map(|window| window.columns)
    }

    /// A result whose colours belong to it.
    pub(crate) fn drawing(&mut self, line: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        writeln!(out, "{line}").and_then(|()| out.flush()).map_err(Failure::Output)
    }

    /// A result in the place of the line that stands there.
    pub(crate) fn line_again(&mut self, text: &str) -> Result<(), Failure> {
        // Back to the line's start, and clear it (ECMA-48: EL).
        let mut out = io::stdout().lock();
        write!(out, "\r\x1b[K{text}").and_then(|()| out.flush()).map_err(Failure::Output)
    }

    /// A result without its line end.
    pub(crate) fn part(&mut self, text: &str) -> Result<(), Failure> {
        write!(self.out, "{text}").and_then(|()| self.out.flush()).map_err(Failure::Output)
    }

    /// A result as one line of JSON.
    pub(crate) fn object(&mut self, object: &impl Serialize) -> Result<(), Failure> {
        let mut line = Zeroizing::new(Vec::with_capacity(2048));
        serde_json::to_writer(&mut *line, object).map_err(Failure::Sealed)?;
        line.push(b'\n');
        self.out.write_all(&line).and_then(|()| self.out.flush()).map_err(Failure::Output)
    }

    /// An explanation beside a result, on stdout with it. Not for programs, not where quiet.
    pub(crate) fn explain(&mut self, text: &str) -> Result<(), Failure> {
        if self.json || self.quiet { Ok(()) } else { self.result(text) }
    }

    /// What somebody is asked to agree to: on stderr where explanations are not wanted.
    pub(crate) fn show_before_asking(&mut self, text: &str, asks: bool) -> Result<(), Failure> {
        if asks && (self.json || self.quiet) {
            self.complain(text);
            return Ok(());
        }
        self.explain(text)
    }

    /// What is under way or worth knowing, on stderr. Not where quiet.
    pub(crate) fn note(&mut self, text: &str) {
        if !self.quiet {
            self.complain(text);
        }
    }

    /// What must be known, on stderr.
    pub(crate) fn warn(&mut self, text: &str) {
        self.complain(&format!("{}: {text}", messages::WARNING));
    }

    /// Why the command failed, on stderr.
    pub(crate) fn failure(&mut self, failure: &Failure) {
        let bold = anstyle::AnsiColor::Red.on_default().bold();
        self.complain(&format!("{bold}mfa{bold:#}: {failure}"));
    }

    /// A code that opens something: typed without echo, or a line of standard input.
    pub(crate) fn ask_hidden(&mut self, prompt: &str) -> Result<TypedCode, Failure> {
        let line = if self.can_ask() {
            hidden::ask(|| self.prompt(prompt))?
        } else {
            read_line(|| Ok(true))?.text()
        };
        typed_code(&line.ok_or(Failure::NoCode)?)
    }

    /// A code that is only good once it has been typed, with echo. An empty line is asked again.
    pub(crate) fn ask(&mut self, prompt: &str) -> Result<TypedCode, Failure> {
        loop {
            if self.can_ask() {
                self.prompt(prompt);
            }
            let Some(line) = read_line(|| Ok(true))?.text() else {
                if !self.can_ask() {
                    return Err(Failure::NoCode);
                }
                // Ctrl-D leaves the cursor behind the prompt.
                self.complain("");
                return Err(Failure::NoCode);
            };
            match typed_code(&line) {
                Err(Failure::NoCode) if self.can_ask() => {}
                settled => return settled,
            }
        }
    }

    /// A page that is erased once its question is answered, where the terminal can do that.
    pub(crate) fn private_page(&self) -> Option<PrivatePage> {
        let possible = self.can_ask() && !self.json && !self.is_dumb && self.window().is_some();
        possible.then_some(PrivatePage { screen: None })
    }

    /// A code that is only good once it has been typed, below the lines that `drawn` makes for the
    /// window. An empty line draws them anew. The page stays until it is dropped.
    pub(crate) fn ask_below(
        &mut self,
        page: &mut PrivatePage,
        prompt: &str,
        drawn: impl Fn(Window) -> Vec<Zeroizing<String>>,
    ) -> Result<TypedCode, Failure> {
        loop {
            let window = self.window().ok_or(Failure::NoDisplay)?;
            let lines = drawn(window);
            if page.screen.is_none() {
                page.screen = Some(PrivateScreen::open(window)?);
            }
            let Some(screen) = &mut page.screen else { return Err(Failure::NoDisplay) };
            match screen.ask(&lines, prompt, window)? {
                Answered::Line(line) => match typed_code(&line) {
                    Err(Failure::NoCode) => {}
                    settled => return settled,
                },
                Answered::End => return Err(Failure::NoCode),
                Answered::Signal(signal) => {
                    page.screen = None;
                    if signal != Signal::SIGTSTP {
                        self.complain(messages::INTERRUPTED);
                    }
                    raise(signal).map_err(|error| Failure::Input(error.into()))?;
                }
            }
        }
    }

    /// Whether something is meant that cannot be taken back; only the word `yes` says so.
    pub(crate) fn confirm(&mut self, consequence: &str) -> Result<(), Failure> {
        if !self.can_ask() {
            return Err(Failure::NobodyToConfirm);
        }
        self.complain(consequence);
        self.prompt(messages::ASK_YES);
        match read_line(|| Ok(true))?.text() {
            Some(line) if line.trim_end() == "yes" => Ok(()),
            _ => Err(Failure::NotConfirmedByYes),
        }
    }

    /// Not on stdout: that may carry JSON.
    fn prompt(&mut self, text: &str) {
        let _ = write!(self.err, "{text}").and_then(|()| self.err.flush());
    }

    fn complain(&mut self, text: &str) {
        // Nobody is left to be told that stderr fails.
        let _ = writeln!(self.err, "{text}").and_then(|()| self.err.flush());
    }
}

fn typed_code(text: &str) -> Result<TypedCode, Failure> {
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(Failure::NoCode);
    }
    TypedCode::new(text).ok_or(Failure::CodeTooLong)
}

/// What a line of standard input came to.
enum Line {
    Text(Zeroizing<String>),
    /// There is no further one.
    End,
    /// `wait` said no.
    Interrupted,
}

impl Line {
    fn text(self) -> Option<Zeroizing<String>> {
        match self {
            Self::Text(text) => Some(text),
            Self::End | Self::Interrupted => None,
        }
    }
}

/// One line of standard input, byte by byte, each once `wait` says yes: a buffered reader would keep
/// a copy of the code and take lines that belong to a later question.
fn read_line(wait: impl Fn() -> Result<bool, Errno>) -> Result<Line, Failure> {
    let stdin = io::stdin();
    let mut line = Zeroizing::new(Vec::with_capacity(TypedCode::MAX_BYTES + 2));
    let mut byte = Zeroizing::new([0; 1]);
    loop {
        let read = match wait() {
            Ok(true) => nix::unistd::read(stdin.as_fd(), &mut *byte),
            Ok(false) => return Ok(Line::Interrupted),
            Err(error) => Err(error),
        };
        match read {
            Ok(0) if line.is_empty() => return Ok(Line::End),
            Ok(0) => break,
            Ok(_) if *byte == [b'\n'] => break,
            Ok(_) if line.len() > TypedCode::MAX_BYTES => return Err(Failure::CodeTooLong),
            Ok(_) => line.extend_from_slice(&*byte),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(Failure::Input(error.into())),
        }
    }
    let text = std::str::from_utf8(&line).map_err(|_| Failure::NoCode)?;
    Ok(Line::Text(Zeroizing::new(text.to_owned())))
}
