// SPDX-License-Identifier: GPL-3.0-or-later
//! A command in a real terminal emulator, which remembers what scrolled away: tmux.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use super::{Machine, text};

/// A server of its own with one window, ended with the test.
pub(crate) struct Tmux {
    socket: PathBuf,
}

/// Whether the terminal has another screen for programs that fill it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OtherScreen {
    Yes,
    No,
}

impl Tmux {
    /// Runs `line` in a shell, then says how it ended and keeps the window.
    pub(crate) fn run(
        machine: &Machine,
        line: &str,
        columns: u16,
        rows: u16,
        other_screen: OtherScreen,
    ) -> Self {
        let directory =
            tempfile::Builder::new().prefix("tmux").tempdir_in(machine.path("")).unwrap();
        let directory = directory.keep();
        let configuration = directory.join("tmux.conf");
        let is_on = if other_screen == OtherScreen::Yes { "on" } else { "off" };
        fs::write(&configuration, format!("set -wg alternate-screen {is_on}\n")).unwrap();
        let tmux = Self { socket: directory.join("s") };
        let script = format!(
            "trap : INT QUIT; echo before; MFA_SOCKET={} TZ=UTC0 {line}; echo ended with $?; exec cat",
            machine.socket().display()
        );
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let start = ["-f", text(&configuration), "new-session", "-d", "-x", &columns, "-y", &rows];
        tmux.tmux(&[&start[..], &[&script]].concat());
        tmux
    }

    /// Types it, and Enter.
    pub(crate) fn type_line(&self, line: &str) {
        self.tmux(&["send-keys", line, "Enter"]);
    }

    pub(crate) fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        let (columns, rows) = (columns.to_string(), rows.to_string());
        self.tmux(&["resize-window", "-x", &columns, "-y", &rows]);
    }

    /// What the window shows once `text` is there, with its colours.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) -> String {
        let begun = Instant::now();
        loop {
            if self.everything().contains(text) {
                return self.tmux(&["capture-pane", "-p", "-e", "-N"]);
            }
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "no {text:?}: {}",
                self.everything()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What the window shows and all that scrolled out of it.
    pub(crate) fn everything(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-J", "-S", "-"])
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.env_remove("TMUX").env_remove("NO_COLOR").env("LC_ALL", "C.UTF-8");
        let output = command.arg("-S").arg(&self.socket).args(arguments).output();
        let output = output.unwrap_or_else(|error| panic!("install tmux: {error}"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let _ = Command::new("tmux").arg("-S").arg(&self.socket).arg("kill-server").output();
    }
}
