// SPDX-License-Identifier: GPL-3.0-or-later
//! A program on a pseudo terminal, and whether that shows what is typed.

use std::fs::File;
use std::io::{Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::{Child, Command, ExitStatus, Stdio};

/// The terminal, its program, and what it has shown so far.
pub struct Terminal {
    screen: File,
    /// Open, so that the terminal outlives the program.
    keyboard: OwnedFd,
    shown: String,
    /// As much of it as was waited for.
    seen: usize,
    child: Child,
}

impl Terminal {
    /// Runs it in a session whose terminal this is.
    #[must_use]
    pub fn run(command: &[&str]) -> Self {
        // Both ends close on exec from the first moment: a child that another test makes meanwhile must not
        // hold them.
        let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
        // SAFETY: flags alone.
        let screen = unsafe { libc::posix_openpt(flags) };
        assert!(screen >= 0, "posix_openpt");
        // SAFETY: it was opened for nobody else.
        let screen = unsafe { File::from_raw_fd(screen) };
        // SAFETY: an open terminal.
        assert_eq!(unsafe { libc::unlockpt(screen.as_raw_fd()) }, 0, "unlockpt");
        // SAFETY: an open terminal and flags.
        let keyboard = unsafe { libc::ioctl(screen.as_raw_fd(), libc::TIOCGPTPEER, flags) };
        assert!(keyboard >= 0, "TIOCGPTPEER");
        // SAFETY: it was opened for nobody else.
        let keyboard = unsafe { OwnedFd::from_raw_fd(keyboard) };
        let stream = || Stdio::from(keyboard.try_clone().expect("the terminal"));
        let child = Command::new("setsid")
            // A job in the background is started with these ignored, and hands that on.
            .args(["--ctty", "env", "--default-signal=HUP,INT"])
            .args(command)
            .stdin(stream())
            .stdout(stream())
            .stderr(stream())
            .spawn()
            .expect("the program starts");
        Self { screen, keyboard, shown: String::new(), seen: 0, child }
    }

    /// Waits until this is shown, behind what was waited for before.
    pub fn wait_for(&mut self, text: &str) {
        let mut bytes = [0; 4096];
        loop {
            let new = self.shown.get(self.seen..).unwrap_or_default();
            if let Some(at) = new.find(text) {
                self.seen += at + text.len();
                return;
            }
            if !self.has_more() {
                // Open as long as this is, the terminal tells nobody of the program's end.
                let ended = self.child.try_wait().expect("its status");
                assert!(ended.is_none(), "{text:?} was not shown: {}", self.shown);
                continue;
            }
            let read = self.screen.read(&mut bytes).expect("the terminal");
            assert!(read > 0, "{text:?} was not shown: {}", self.shown);
            self.shown += &String::from_utf8_lossy(bytes.get(..read).unwrap_or_default());
        }
    }

    /// Is there more to read, within a tenth of a second?
    fn has_more(&self) -> bool {
        let descriptor = self.screen.as_raw_fd();
        let mut screen = libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 };
        // SAFETY: one descriptor to look at, and a place for the answer.
        unsafe { libc::poll(&raw mut screen, 1, 100) == 1 }
    }

    /// All that has been shown.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Presses these keys.
    pub fn press(&mut self, keys: &str) {
        self.screen.write_all(keys.as_bytes()).expect("the terminal");
    }

    /// Would it show what is typed now?
    #[must_use]
    pub fn echoes(&self) -> bool {
        let mut modes = MaybeUninit::<libc::termios>::zeroed();
        // SAFETY: an open terminal, and a place for its modes.
        let result = unsafe { libc::tcgetattr(self.keyboard.as_raw_fd(), modes.as_mut_ptr()) };
        assert_eq!(result, 0, "tcgetattr");
        // SAFETY: the kernel wrote it.
        let modes = unsafe { modes.assume_init() };
        modes.c_lflag & libc::ECHO != 0
    }

    /// Waits for the program's end.
    pub fn end(&mut self) -> ExitStatus {
        self.child.wait().expect("its end")
    }

    /// Takes the terminal away, as a connection that breaks does; the program's end.
    #[must_use]
    pub fn hang_up(self) -> ExitStatus {
        let Self { screen, keyboard, mut child, .. } = self;
        drop(keyboard);
        drop(screen);
        child.wait().expect("its end")
    }
}
