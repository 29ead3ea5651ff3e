// SPDX-License-Identifier: GPL-3.0-or-later
//! Ctrl-C in every question: the terminal is as it was, and nothing is half done.

use std::process::Command;

use crate::machine::terminal::Terminal;
use crate::machine::{Machine, NOBODY, code, text, token};

/// A command on a terminal that is interrupted at `prompt`; what the terminal has shown.
fn interrupted(machine: &Machine, arguments: &str, as_nobody: bool, prompt: &str) -> String {
    let mfa = machine.path("mfa");
    let other = format!("setpriv --reuid {0} --regid {0} --clear-groups", NOBODY.1);
    let line = format!(
        "{} {} {arguments}; echo ended with $?; stty -a",
        if as_nobody { &other } else { "" },
        mfa.display()
    );
    // Whoever runs the tests in the background has Ctrl-C ignored, which would be inherited.
    let mut command = Command::new("env");
    command.args(["--default-signal=INT", "sh", "-c", &format!("trap : INT; {line}")]);
    machine.mfa(&[]).get_envs().for_each(|(name, value)| {
        command.env(name, value.unwrap());
    });
    let mut terminal = Terminal::run(&command, 80, 24);
    let before = terminal.wait_for(prompt).to_owned();
    terminal.type_text("\x03");
    let (after, _) = terminal.end();
    before + &after
}

#[test]
fn what_was_typed_without_echo_is_left_to_nobody_when_the_question_ends() {
    let machine = Machine::new();
    machine.enrolled("alice", "alice.token");
    let (mfa, go) = (machine.path("mfa"), machine.path("go"));
    for (question, left) in
        [(format!("{} verify --user alice", mfa.display()), "[]"), ("cat".to_owned(), "[4711]")]
    {
        let script = format!(
            "{question} </dev/tty & echo asked; until [ -e {go} ]; do sleep 0.05; done; kill $!; \
             wait $!; stty -icanon -echo min 0 time 2; echo \"left: [$(head -c 9)]\"",
            go = go.display(),
        );
        let mut command = Command::new("sh");
        command.args(["-c", &script]);
        machine.mfa(&[]).get_envs().for_each(|(name, value)| {
            command.env(name, value.unwrap());
        });
        let mut terminal = Terminal::run(&command, 80, 24);
        terminal.wait_for(if left == "[]" { "One-time code: " } else { "asked" });
        terminal.type_text("4711");
        std::fs::write(&go, "").unwrap();
        let (shown, _) = terminal.end();
        assert!(shown.contains(&format!("left: {left}")), "{question}: {shown}");
        std::fs::remove_file(&go).unwrap();
    }
}

#[test]
fn ctrl_c_in_any_question_leaves_echo_on_and_changes_nothing() {
    let machine =
        Machine::with("[exchange]\ngroup = \"ffdhe2048\"\n[token]\nenrollment = \"invite\"\n");
    let alice = machine.enrolled("alice", "alice.token");
    let own = machine.path("open/token");
    machine.run(&["enroll", "--user", NOBODY.0, "--save-token", text(&own)]).expect(0);
    let backup = machine.path("backup");
    machine.run(&["admin", "backup", text(&backup)]).expect(0);
    let state = || machine.run(&["--json", "admin", "list"]).expect(0).out;
    let before = state();
    let restore = format!("admin restore {}", backup.display());
    for (arguments, as_nobody, prompt) in [
        ("enroll --user bob", false, "it shows now: "),
        ("enroll --user bob --qr never", false, "it shows now: "),
        ("enroll --user bob --invite -", false, "Invite code: "),
        ("rotate --user alice", false, "it shows now: "),
        ("verify --user alice", false, "One-time code: "),
        ("enroll --name other", true, "Current one-time code: "),
        ("rotate", true, "Current one-time code: "),
        ("recovery-codes", true, "Current one-time code: "),
        ("revoke", true, "Current one-time code: "),
        ("admin reset alice", false, "Type yes: "),
        ("admin rekey", false, "Type yes: "),
        (&restore, false, "Type yes: "),
    ] {
        let shown = interrupted(&machine, arguments, as_nobody, prompt);
        assert!(shown.contains("ended with 130"), "{arguments}: {shown}");
        assert!(shown.contains(" echo ") && !shown.contains("-echo "), "{arguments}: {shown}");
        // The last word on which screen is shown is the first one.
        let last = shown.rfind("\x1b[?1049").map(|place| &shown[place..place + 8]);
        assert!(matches!(last, None | Some("\x1b[?1049l")), "{arguments}: {shown}");
        assert_eq!(state(), before, "{arguments}");
    }
    machine.run(&["verify", "--user", "alice", &code(&alice, 1)]).expect(0);
    machine.run(&["verify", "--user", NOBODY.0, &code(&token(&own), 1)]).expect(0);
    assert_ne!(state(), before, "a login does change what is compared");
}
