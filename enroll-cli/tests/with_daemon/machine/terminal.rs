// SPDX-License-Identifier: GPL-3.0-or-later
//! A command on a terminal of its own.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use mfa_crypto::OtpUri;
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

    /// The process on the terminal.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
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

/// What was shown, without what moves the cursor and colours (ECMA-48: CSI).
pub(crate) fn words(shown: &str) -> String {
    let mut text = String::new();
    let mut rest = shown.chars();
    while let Some(c) = rest.next() {
        match c {
            '\x1b' => {
                rest.next();
                let end = rest.by_ref().find(|c| c.is_ascii_alphabetic());
                // Where the cursor goes elsewhere a new word begins.
                text.push(if end == Some('m') { '\u{200b}' } else { ' ' });
            }
            '▀' | '▄' | '█' => text.push(' '),
            c => text.push(c),
        }
    }
    text.replace('\u{200b}', "")
}

/// The token whose secret was shown last, in groups of four.
pub(crate) fn token_shown(shown: &str) -> OtpUri {
    let is_group = |word: &&str| {
        word.len() == 4 && word.bytes().all(|b| b.is_ascii_uppercase() || b"234567".contains(&b))
    };
    let text = words(shown);
    let groups: Vec<&str> = text.split_whitespace().filter(is_group).collect();
    let secret = groups.last_chunk::<8>().unwrap_or_else(|| panic!("no secret in {text}")).concat();
    OtpUri::parse(&format!("otpauth://totp/alice?secret={secret}")).unwrap()
}
