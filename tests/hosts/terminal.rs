// SPDX-License-Identifier: GPL-3.0-or-later
//! The module's prompt on a terminal, through the conversation function that login programs link
//! (`misc_conv`, in pamtester(1)).

use std::os::unix::process::ExitStatusExt;

use mfa_tests::daemon::Daemon;
use mfa_tests::fake_daemon::{FakeDaemon, Reply, accepted};
use mfa_tests::stack::{SERVICE, Stack};
use mfa_tests::terminal::Terminal;

const PROMPT: &str = "One-time code: ";

/// pamtester knows no other directory than /etc/pam.d; in a file system of its own that is the stack's.
fn at_prompt(stack: &Stack) -> Terminal {
    let mounted = format!(
        "mount --bind {} /etc/pam.d && exec pamtester {SERVICE} alice authenticate",
        stack.confdir().display()
    );
    let mut terminal = Terminal::run(&["unshare", "-m", "sh", "-c", &mounted]);
    terminal.wait_for(PROMPT);
    terminal
}

#[test]
fn a_code_typed_at_the_modules_prompt_is_not_shown_at_any_time() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let stack = Stack::module(&daemon.socket(), "retry=2");
    let (wrong, right) = (alice.wrong_code(), alice.code_now());
    let mut terminal = at_prompt(&stack);
    assert!(!terminal.echoes());
    let (half, rest) = wrong.split_at(3);
    terminal.press(half);
    assert!(!terminal.echoes());
    terminal.press(&format!("{rest}\n"));
    terminal.wait_for("Wrong code.");
    terminal.wait_for(PROMPT);
    assert!(!terminal.echoes());
    terminal.press(&format!("{right}\n"));
    terminal.wait_for("successfully authenticated");
    assert!(terminal.end().success());
    assert!(terminal.echoes(), "it is as it was before");
    for code in [half, rest, &wrong, &right] {
        assert!(!terminal.shown().contains(code), "{}", terminal.shown());
    }

    // Where the option says so, it is shown: this terminal would have shown it.
    let bob = daemon.account("bob");
    let shown = Stack::module(&daemon.socket(), "echo_code");
    let mut terminal = at_prompt(&shown);
    assert!(terminal.echoes());
    let code = bob.wrong_code();
    terminal.press(&format!("{code}\n"));
    terminal.wait_for("Wrong code.");
    assert!(terminal.shown().contains(&code), "{}", terminal.shown());
    assert!(!terminal.end().success());
}

#[test]
fn a_terminal_that_hangs_up_and_ctrl_c_at_the_prompt_end_the_program_and_nothing_is_sent() {
    let daemon = FakeDaemon::after_prompt(|id| Reply::Bytes(accepted(id)));
    let stack = Stack::module(&daemon.socket(), "");
    // Half of a code is typed in both cases. SIGHUP and SIGINT.
    let mut terminal = at_prompt(&stack);
    terminal.press("123");
    let status = terminal.hang_up();
    assert!(!status.success() && status.signal().is_none_or(|signal| signal == 1), "{status}");
    let mut terminal = at_prompt(&stack);
    // The conversation function of libpam holds the signal back until the line ends.
    terminal.press("123\u{3}456\n");
    let status = terminal.end();
    assert!(!status.success() && status.signal().is_none_or(|signal| signal == 2), "{status}");
    assert_eq!(daemon.questions(), ["begin", "begin"]);
    let mut terminal = at_prompt(&stack);
    terminal.press("123456\n");
    terminal.wait_for("successfully authenticated");
    assert!(terminal.end().success());
    assert_eq!(daemon.questions()[2..], ["begin", "verify"]);
}
