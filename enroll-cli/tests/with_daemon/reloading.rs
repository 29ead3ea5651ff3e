// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa admin reload`.

use std::fs;

use serde_json::json;

use crate::machine::Machine;

#[test]
fn a_new_configuration_holds_at_once_and_one_with_a_mistake_names_its_line() {
    let machine = Machine::new();
    let file = machine.path("mfa.toml");
    let written = fs::read_to_string(&file).unwrap();
    let write = |more: &str| fs::write(&file, format!("{written}{more}")).unwrap();
    let who_is_asked = || {
        let explained = machine.run(&["--json", "explain", "alice", "sshd"]).expect(0).json();
        explained[0]["rule"]["name"].clone()
    };
    assert_eq!(who_is_asked(), json!(null));

    write("[[rule]]\nname = \"everybody\"\nobserve = true\n");
    machine.run_as_nobody(&["admin", "reload"]).expect(4);
    assert_eq!(who_is_asked(), json!(null));
    let ended = machine.run(&["--json", "admin", "reload"]).expect(0);
    assert_eq!(ended.json(), [json!({"reloaded": true, "needs_restart": []})]);
    assert_eq!(who_is_asked(), json!("everybody"));

    write("[[rule]]\nname = \"other\"\nobserve = maybe\n");
    let line = written.lines().count() + 3;
    let ended = machine.run(&["--json", "admin", "reload"]).expect(1);
    assert_eq!(ended.out, "");
    let ended = ended.complains(&format!("mfa.toml: line {line}, \"observe = maybe\": "));
    assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
    assert_eq!(who_is_asked(), json!("everybody"));

    write("[[rule]]\nname = \"other\"\nobserve = true\n");
    let ended = machine.run(&["admin", "reload"]).expect(0);
    assert_eq!((ended.out.lines().count(), ended.err.as_str()), (1, ""));
    assert_eq!(who_is_asked(), json!("other"));
}

#[test]
fn what_waits_for_a_restart_is_said() {
    let machine = Machine::new();
    let file = machine.path("mfa.toml");
    let written = fs::read_to_string(&file).unwrap();
    fs::write(&file, written.replace("run/s", "run/t")).unwrap();
    let ended = machine.run(&["--json", "admin", "reload"]).expect(0);
    assert_eq!(ended.json(), [json!({"reloaded": true, "needs_restart": ["socket"]})]);
    machine.run(&["admin", "reload"]).expect(0).complains("socket changed, but only a restart");
}
