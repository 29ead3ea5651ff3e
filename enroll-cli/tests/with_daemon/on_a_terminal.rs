// SPDX-License-Identifier: GPL-3.0-or-later
//! What a person sees and types.

use std::process::Command;

use crate::machine::terminal::{Terminal, token_shown};
use crate::machine::{Machine, code, text, wrong_code};

const ASKED: &str = "The code that it shows now: ";

#[test]
fn on_a_terminal_the_picture_stands_above_the_prompt() {
    let machine = Machine::new();
    let mut terminal = Terminal::run(&machine.mfa(&["enroll", "--user", "alice"]), 80, 24);
    let shown = terminal.wait_for(ASKED).to_owned();
    assert!(shown.contains("\x1b[38;5;16m\x1b[48;5;231m"), "{shown}");
    // Nothing scrolls: the prompt is in the last line at most.
    let picture = shown.lines().filter(|line| line.contains('▀')).count();
    let page = shown.split_once("\x1b[H").unwrap().1;
    assert!(picture >= 18 && page.matches('\n').count() < 24, "{shown}");
    let token = token_shown(&shown);
    terminal.type_line("");
    terminal.wait_for(ASKED);
    terminal.type_line(&wrong_code(&token));
    terminal.wait_for("left.");
    terminal.wait_for(ASKED);
    terminal.type_line(&code(&token, 0));
    let (shown, code) = terminal.end();
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("Token \"default\" is active."), "{shown}");
    assert_eq!(
        shown.lines().filter(|line| line.trim_end().len() == 13 && line.contains('-')).count(),
        10
    );
}

#[test]
fn a_window_without_room_shows_the_secret_alone() {
    let machine = Machine::new();
    for (columns, rows, arguments, picture) in [
        (40, 24, &[][..], false),
        (60, 24, &[], false),
        (60, 30, &[], true),
        (80, 24, &[], true),
        (80, 20, &[], false),
        (80, 24, &["--qr", "never"], false),
        (40, 24, &["--qr", "always"], false),
        (60, 24, &["--qr", "always"], true),
    ] {
        let arguments = [&["enroll", "--user", "alice"][..], arguments].concat();
        let mut terminal = Terminal::run(&machine.mfa(&arguments), columns, rows);
        let shown = terminal.wait_for(ASKED).to_owned();
        assert_eq!(shown.contains('▀'), picture, "{columns} by {rows}: {shown}");
        // In the low window nothing but the picture has room, as was wanted.
        if (columns, picture) != (60, true) || rows > 24 {
            token_shown(&shown);
        }
        // Ctrl-D.
        terminal.type_line("\x04");
        let (shown, code) = terminal.end();
        assert_eq!(code, 1, "{shown}");
    }
    assert_eq!(machine.tokens("alice"), [""; 0]);
}

#[test]
fn a_terminal_that_knows_lines_only_gets_lines() {
    let machine = Machine::new();
    let mut command = Command::new("env");
    command.args(["TERM=dumb", text(&machine.path("mfa")), "enroll", "--user", "alice"]);
    command.env("MFA_SOCKET", machine.socket());
    let mut terminal = Terminal::run(&command, 80, 24);
    let shown = terminal.wait_for(ASKED).to_owned();
    assert!(shown.contains('▀') && !shown.contains('\x1b'), "{shown}");
    let token = token_shown(&shown);
    terminal.type_line(&code(&token, 0));
    let (shown, code) = terminal.end();
    assert!(code == 0 && !shown.contains('\x1b'), "{shown}");
}

/// `params.rs` has the other half: a pipe gets none.
#[test]
fn progress_is_drawn_on_a_terminal() {
    let machine = Machine::new();
    let generate = machine.mfa(&["params", "generate", "--bits", "2048"]);
    let mut terminal = Terminal::run(&generate, 80, 24);
    terminal.wait_for("searching");
    terminal.type_text("\x03");
    terminal.end();
}

#[test]
fn tables_keep_to_the_window_and_are_whole_in_a_pipe() {
    let machine = Machine::new();
    let name = format!("{}山田太郎", "long-name-".repeat(7));
    machine.enrolled(&name, "token");
    for columns in [40, 60, 80] {
        for arguments in [&["admin", "list"][..], &["admin", "audit"], &["status", "--user", &name]]
        {
            let (shown, code) = Terminal::run(&machine.mfa(arguments), columns, 24).end();
            assert_eq!(code, 0, "{shown}");
            let width = |line: &str| textwrap::core::display_width(line.trim_end());
            let table = shown.lines().take_while(|line| !line.starts_with("Recovery"));
            for line in table {
                assert!(width(line) <= usize::from(columns), "{columns} {arguments:?}: {shown}");
            }
        }
    }
    let piped = machine.run(&["admin", "list"]).expect(0).out;
    assert!(piped.lines().nth(1).unwrap().starts_with(&name), "{piped}");
}

#[test]
fn a_code_is_typed_without_echo() {
    let machine = Machine::new();
    let token = machine.enrolled("alice", "token");
    let mut terminal = Terminal::run(&machine.mfa(&["verify", "--user", "alice"]), 80, 24);
    terminal.wait_for("One-time code: ");
    let next = code(&token, 1);
    terminal.type_line(&next);
    let (shown, code) = terminal.end();
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("Accepted.") && !shown.contains(&next), "{shown}");
}
