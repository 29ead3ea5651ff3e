// SPDX-License-Identifier: GPL-3.0-or-later
//! A new secret is on one screen, and nowhere once it is confirmed or given up.

use std::fs;
use std::time::Duration;

use mfa_crypto::{OtpUri, base32};

use crate::machine::camera::{self, DARK, LIGHT};
use crate::machine::terminal::{Terminal, token_shown, words};
use crate::machine::tmux::{OtherScreen, Tmux};
use crate::machine::{Machine, code, wrong_code};

const ASKED: &str = "The code that it shows now: ";

fn enroll(machine: &Machine, arguments: &str) -> String {
    format!("{} enroll --user alice {arguments}", machine.path("mfa").display())
}

/// Fails where any of the secret's groups is left.
#[track_caller]
fn has_nothing_of(token: &OtpUri, everything: &str) {
    let secret = base32(&token.secret);
    for group in secret.as_bytes().chunks(4) {
        let group = std::str::from_utf8(group).unwrap();
        assert!(!everything.contains(group), "{group} is left in {everything}");
    }
    assert!(!everything.contains(['▀', '▄', '█']), "a picture is left: {everything}");
}

#[test]
fn neither_window_nor_scrollback_has_the_secret_once_it_is_confirmed() {
    let machine = Machine::new();
    for other_screen in [OtherScreen::Yes, OtherScreen::No] {
        for (columns, rows) in [(80, 24), (80, 50), (40, 24)] {
            let line = enroll(&machine, "");
            let tmux = Tmux::run(&machine, &line, columns, rows, other_screen);
            let token = token_shown(&tmux.wait_for(ASKED));
            tmux.type_line(&wrong_code(&token));
            tmux.wait_for("left.");
            tmux.type_line("");
            tmux.type_line(&code(&token, 0));
            tmux.wait_for("ended with 0");
            let everything = tmux.everything();
            assert!(everything.contains("Token \"default\" is active."), "{everything}");
            assert!(
                other_screen == OtherScreen::No || everything.contains("before"),
                "{everything}"
            );
            // What must be written down stays where it can be copied.
            let codes = everything.lines().filter(|line| line.trim_end().len() == 13).count();
            assert_eq!(codes, 10, "{everything}");
            has_nothing_of(&token, &everything);
            machine.run(&["admin", "reset", "alice", "--yes"]).expect(0);
        }
    }
}

#[test]
fn nor_once_it_is_given_up() {
    let machine = Machine::new();
    for other_screen in [OtherScreen::Yes, OtherScreen::No] {
        for (key, said) in [
            ("C-c", "Interrupted; nothing was changed."),
            ("C-\\", "Interrupted; nothing was changed."),
            ("C-d", "no code was given, so nothing was changed"),
        ] {
            let tmux = Tmux::run(&machine, &enroll(&machine, ""), 80, 24, other_screen);
            let token = token_shown(&tmux.wait_for(ASKED));
            tmux.press(key);
            tmux.wait_for(said);
            tmux.wait_for("ended with ");
            has_nothing_of(&token, &tmux.everything());
            assert_eq!(machine.tokens("alice"), [""; 0]);
        }
    }
}

#[test]
fn a_page_that_was_stopped_is_covered_and_comes_again() {
    let machine = Machine::new();
    // A shell with job control, whose job is stopped and goes on.
    let line = format!("bash --norc -ic '{} || fg'", enroll(&machine, ""));
    let tmux = Tmux::run(&machine, &line, 80, 24, OtherScreen::Yes);
    let token = token_shown(&tmux.wait_for(ASKED));
    tmux.press("C-z");
    let again = tmux.wait_for(ASKED);
    assert_eq!(base32(&token_shown(&again).secret), base32(&token.secret));
    tmux.type_line(&code(&token, 0));
    tmux.wait_for("ended with 0");
    has_nothing_of(&token, &tmux.everything());
}

#[test]
fn neither_arguments_nor_environment_of_anything_that_runs_has_the_secret() {
    let machine = Machine::new();
    let mut terminal = Terminal::run(&machine.mfa(&["enroll", "--user", "alice"]), 80, 24);
    let token = token_shown(terminal.wait_for(ASKED));
    let secret = base32(&token.secret);
    let mut looked_at = 0;
    let mut ours = 0;
    for process in fs::read_dir("/proc").unwrap().flatten() {
        if !process.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        for what in ["cmdline", "environ"] {
            let Ok(bytes) = fs::read(process.path().join(what)) else { continue };
            let text = String::from_utf8_lossy(&bytes);
            looked_at += 1;
            ours += usize::from(text.contains(&machine.socket().display().to_string()));
            assert!(!text.contains(secret.as_str()), "{what} of {}", process.path().display());
        }
    }
    // `mfa` itself is among them, and starts nothing.
    assert!(looked_at > 2 && ours >= 1, "{looked_at} {ours}");
    let children = |id: &str| fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
    // setsid(1) forks only where it leads a process group.
    let id = terminal.id().to_string();
    let forked = children(&id);
    let mfa = forked.split_whitespace().next().unwrap_or(&id);
    assert_eq!(fs::read_to_string(format!("/proc/{mfa}/comm")).unwrap(), "mfa\n");
    assert_eq!(children(mfa), "");
    terminal.type_line(&code(&token, 0));
    assert_eq!(terminal.end().1, 0);
}

#[test]
fn the_picture_is_read_in_dark_and_in_light_terminals() {
    let machine = Machine::new();
    for (arguments, columns, rows, schemes) in [
        ("", 80, 24, &[DARK, LIGHT][..]),
        ("", 60, 40, &[DARK, LIGHT]),
        // Without colours nothing can be light for certain.
        ("--color never", 80, 24, &[DARK]),
    ] {
        let tmux =
            Tmux::run(&machine, &enroll(&machine, arguments), columns, rows, OtherScreen::Yes);
        let window = tmux.wait_for(ASKED);
        let secret = base32(&token_shown(&window).secret);
        for scheme in schemes {
            let read = camera::read(&window, *scheme);
            let expected = format!(
                "otpauth://totp/host.example:alice?secret={}&issuer=host.example",
                secret.as_str()
            );
            assert_eq!(read, expected, "{arguments} {}: {window}", scheme.name);
        }
        tmux.press("C-c");
        tmux.wait_for("ended with ");
    }
}

#[test]
fn a_qr_code_keeps_its_black_and_white_where_text_has_no_colours() {
    let machine = Machine::new();
    let line = format!("env NO_COLOR=1 {}", enroll(&machine, ""));
    let tmux = Tmux::run(&machine, &line, 80, 24, OtherScreen::Yes);
    let window = tmux.wait_for(ASKED);
    assert!(camera::read(&window, LIGHT).starts_with("otpauth://totp/"), "{window}");
}

#[test]
fn a_window_that_grows_has_the_picture_at_the_next_enter() {
    let machine = Machine::new();
    let tmux = Tmux::run(&machine, &enroll(&machine, ""), 40, 24, OtherScreen::Yes);
    let window = tmux.wait_for(ASKED);
    let token = token_shown(&window);
    assert!(!window.contains('▀') && words(&window).contains("enlarge the window"), "{window}");
    tmux.resize(100, 30);
    tmux.type_line("");
    let window = tmux.wait_for("▀▀");
    assert_eq!(base32(&token_shown(&window).secret), base32(&token.secret));
    assert!(camera::read(&window, LIGHT).starts_with("otpauth://totp/"), "{window}");
}

/// How long a person takes who has never seen it: reads every word, once, fetches the phone and scans,
/// and copies six digits. The machine's own part is measured.
#[test]
fn somebody_who_has_never_seen_it_is_enrolled_within_20_seconds() {
    const A_WORD: Duration = Duration::from_millis(240);
    const PHONE: Duration = Duration::from_secs(7);
    const A_DIGIT: Duration = Duration::from_millis(400);
    let machine = Machine::new();
    let begun = std::time::Instant::now();
    let mut terminal = Terminal::run(&machine.mfa(&["enroll", "--user", "alice"]), 80, 24);
    let shown = terminal.wait_for(ASKED).to_owned();
    let token = token_shown(&shown);
    terminal.type_line(&code(&token, 0));
    let (done, status) = terminal.end();
    let measured = begun.elapsed();
    assert_eq!(status, 0, "{done}");
    let said = words(&format!("{shown} {done}"));
    // The key is for those who cannot scan; the codes are copied, not read.
    let is_prose = |word: &&str| word.chars().any(char::is_lowercase);
    let read = u32::try_from(said.split_whitespace().filter(is_prose).count()).unwrap();
    let person = A_WORD * read + PHONE + A_DIGIT * 6;
    assert!(
        person + measured < Duration::from_secs(20),
        "{read} words, {person:?} for the person and {measured:?} for the machine: {said}"
    );
}
