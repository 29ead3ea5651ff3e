// SPDX-License-Identifier: GPL-3.0-or-later
//! A command on a terminal of its own.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use nix::pty::{Winsize, openpty};

/// A child on a pseudo terminal, and what it has shown so far.
pub(crate) struct Terminal {
    screen: File,
    shown: String,
    child: Child,
}

impl Terminal {
    /// Runs `command` with the terminal as standard streams and as `/dev/tty`.
    pub(crate) fn run(command: &Command, columns: u16, rows: u16) -> Self {
        let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(Some(&size), None).unwrap();
        let stream = || Stdio::from(pair.slave.try_clone().unwrap());
        // setsid(1) gives the child a session whose terminal this is.
        let mut wrapped = Command::new("setsid");
        wrapped.args(["--ctty", "--wait"]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => wrapped.env(name, value),
                None => wrapped.env_remove(name),
            };
        }
        wrapped.env("TERM", "xterm-256color").env_remove("NO_COLOR");
        if let Some(directory) = command.get_current_dir() {
            wrapped.current_dir(directory);
        }
        let child = wrapped.stdin(stream()).stdout(stream()).stderr(stream()).spawn().unwrap();
        Self { screen: File::from(pair.master), shown: String::new(), child }
    }

    /// Waits until `text` has been shown and returns all that was shown up to then.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) -> &str {
        let mut bytes = [0; 4096];
        let mut pending = Vec::new();
        while !self.shown.contains(text) {
            // A terminal without processes gives EIO.
            match self.screen.read(&mut bytes) {
                Ok(count) if count > 0 => pending.extend_from_slice(&bytes[..count]),
                _ => panic!("{text:?} was not shown: {}", self.shown),
            }
            if let Ok(text) = std::str::from_utf8(&pending) {
                self.shown.push_str(text);
                pending.clear();
            }
        }
        &self.shown
    }

    pub(crate) fn type_line(&mut self, line: &str) {
        self.shown.clear();
        writeln!(self.screen, "{line}").unwrap();
    }

    pub(crate) fn type_text(&mut self, text: &str) {
        self.shown.clear();
        write!(self.screen, "{text}").unwrap();
    }

    /// The rest of what is shown, and the exit code.
    pub(crate) fn end(mut self) -> (String, i32) {
        let mut bytes = [0; 4096];
        let mut rest = Vec::new();
        while let Ok(count) = self.screen.read(&mut bytes) {
            if count == 0 {
                break;
            }
            rest.extend_from_slice(&bytes[..count]);
        }
        self.shown.push_str(&String::from_utf8_lossy(&rest));
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        (self.shown, code)
    }
}
