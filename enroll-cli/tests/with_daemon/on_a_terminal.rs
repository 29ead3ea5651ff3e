// SPDX-License-Identifier: GPL-3.0-or-later
//! What a person sees and types.

use mfa_crypto::OtpUri;

use crate::machine::terminal::Terminal;
use crate::machine::{Machine, code, wrong_code};

#[test]
fn on_a_terminal_the_picture_stands_above_the_prompt() {
    let machine = Machine::new();
    let mut terminal = Terminal::run(&machine.mfa(&["enroll", "--user", "alice"]), 80, 24);
    let shown = terminal.wait_for("First code: ").to_owned();
    assert!(shown.contains("\x1b[38;5;16m\x1b[48;5;231m"), "{shown}");
    // The last 24 lines hold the whole picture and the prompt.
    let picture = shown.lines().filter(|line| line.contains('▀')).count();
    assert!(
        picture >= 18
            && shown.lines().rev().take(24).filter(|line| line.contains('▀')).count() == picture
    );
    let secret = shown.lines().find(|line| line.split(' ').all(|group| group.len() == 4)).unwrap();
    let address = format!("otpauth://totp/alice?secret={}", secret.trim_end().replace(' ', ""));
    let token = OtpUri::parse(&address).unwrap();
    terminal.type_line("");
    terminal.wait_for("First code: ");
    terminal.type_line(&wrong_code(&token));
    terminal.wait_for("tries left.");
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
    for (columns, arguments, picture) in
        [(40, &[][..], false), (80, &["--qr", "never"], false), (40, &["--qr", "always"], true)]
    {
        let arguments = [&["enroll", "--user", "alice"][..], arguments].concat();
        let mut terminal = Terminal::run(&machine.mfa(&arguments), columns, 24);
        let shown = terminal.wait_for("First code: ");
        assert_eq!(shown.contains('▀'), picture, "{shown}");
        assert!(shown.lines().any(|line| line.trim_end().split(' ').count() == 8), "{shown}");
        // Ctrl-D.
        terminal.type_line("\x04");
        let (shown, code) = terminal.end();
        assert_eq!(code, 1, "{shown}");
    }
    assert_eq!(machine.tokens("alice"), [""; 0]);
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

#[test]
fn a_terminal_has_its_echo_again_after_an_interrupted_question() {
    let machine = Machine::new();
    // A shell, so that something is left on the terminal to look at it.
    let mfa = machine.mfa(&[]);
    let line = format!(
        "{} verify --user alice; echo ended with $?; stty -a",
        machine.path("mfa").display()
    );
    // Whoever runs the tests in the background has Ctrl-C ignored, which would be inherited.
    let mut command = std::process::Command::new("env");
    command.args(["--default-signal=INT", "sh", "-c", &format!("trap : INT; {line}")]);
    mfa.get_envs().for_each(|(name, value)| {
        command.env(name, value.unwrap());
    });
    let mut terminal = Terminal::run(&command, 80, 24);
    terminal.wait_for("One-time code: ");
    // Ctrl-C.
    terminal.type_text("\x03");
    let (shown, _) = terminal.end();
    assert!(shown.contains("ended with 130"), "{shown}");
    assert!(shown.contains(" echo ") && !shown.contains("-echo "), "{shown}");
}
