// SPDX-License-Identifier: GPL-3.0-or-later
//! What nobody should find in the window or in its scrollback later: shown on the terminal's other
//! screen (xterm's mode 1049), and erased there when the question below it is answered.
//!
//! A terminal without another screen ignores the mode. So nothing here scrolls, and what was shown is
//! erased line by line: clearing a whole screen at once would push it into the scrollback of some.

use std::io::{self, Write};

use nix::errno::Errno;
use nix::sys::signal::Signal;
use zeroize::Zeroizing;

use super::signals::HeldSignals;
use super::{Line, Window, read_line};
use crate::failure::Failure;

/// ECMA-48: cursor home (CUP), erase to the end of the line (EL) and of the screen (ED).
const HOME: &str = "\x1b[H";
const ERASE_LINE: &str = "\x1b[2K";
const ERASE_TO_LINE_END: &str = "\x1b[K";
const ERASE_BELOW: &str = "\x1b[J";
const OTHER_SCREEN: &str = "\x1b[?1049h";
const FIRST_SCREEN: &str = "\x1b[?1049l";

/// How a question on the other screen ended.
pub(super) enum Answered {
    Line(Zeroizing<String>),
    End,
    /// This came, and takes effect when it is raised again.
    Signal(Signal),
}

/// The other screen, until this is dropped. Signals wait until then.
pub(super) struct PrivateScreen {
    // In this order: a signal that has come takes effect on the first screen.
    cover: Cover,
    held: HeldSignals,
}

/// So many rows of the other screen, which are erased and left when this is dropped.
struct Cover {
    rows: usize,
}

impl PrivateScreen {
    pub(super) fn open(window: Window) -> Result<Self, Failure> {
        let held = HeldSignals::hold().map_err(input)?;
        let cover = Cover { rows: window.rows };
        // What the window shows goes into the scrollback where there is no other screen.
        let room = "\n".repeat(window.rows);
        write(&format!("{OTHER_SCREEN}\x1b[{};1H{room}", window.rows))?;
        Ok(Self { cover, held })
    }

    /// Draws the lines from the top, as many as the window has room for above the prompt, and reads one.
    pub(super) fn ask(
        &mut self,
        lines: &[Zeroizing<String>],
        prompt: &str,
        window: Window,
    ) -> Result<Answered, Failure> {
        self.cover.rows = self.cover.rows.max(window.rows);
        let mut page = Zeroizing::new(String::with_capacity(64 * 1024));
        page.push_str(HOME);
        for line in lines.iter().take(window.rows.saturating_sub(1)) {
            page.push_str(line);
            page.push_str(ERASE_TO_LINE_END);
            page.push_str("\r\n");
        }
        page.push_str(prompt);
        page.push_str(ERASE_BELOW);
        write(&page)?;
        Ok(match read_line(|| self.held.wait_for_stdin())? {
            Line::Text(text) => Answered::Line(text),
            Line::End => Answered::End,
            Line::Interrupted => Answered::Signal(self.held.take().map_err(input)?),
        })
    }
}

impl Drop for Cover {
    fn drop(&mut self) {
        let mut erased = String::new();
        for row in 1..=self.rows {
            erased.push_str(&format!("\x1b[{row};1H{ERASE_LINE}"));
        }
        // Nobody is left to be told that the terminal is gone.
        let _ = write(&format!("{erased}{HOME}{FIRST_SCREEN}"));
    }
}

/// Past the stream that takes colours out: these are no colours.
fn write(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::Output)
}

fn input(error: Errno) -> Failure {
    Failure::Input(error.into())
}
