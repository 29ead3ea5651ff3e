// SPDX-License-Identifier: GPL-3.0-or-later
//! What the commands write with `--json` is what docs/json.md says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::machine::{Ended, Machine, code, text, wrong_code};

/// The fields of a section, and whether each is always there.
type Fields = BTreeMap<String, bool>;

/// docs/json.md, and which of its sections have been compared.
struct Documented {
    sections: BTreeMap<String, Fields>,
    compared: BTreeSet<String>,
}

impl Documented {
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/json.md");
        let mut sections = BTreeMap::new();
        let mut heading = None;
        for line in fs::read_to_string(path).unwrap().lines() {
            if let Some(title) = line.strip_prefix("## ") {
                sections.insert(title.to_owned(), Fields::new());
                heading = Some(title.to_owned());
            } else if let Some(row) = line.strip_prefix("| `") {
                let (field, rest) = row.split_once("` |").unwrap();
                let fields = sections.get_mut(heading.as_ref().unwrap()).unwrap();
                let twice = fields.insert(field.to_owned(), rest.starts_with(" always"));
                assert_eq!(twice, None, "{field} stands twice in {heading:?}");
            }
        }
        Self { sections, compared: BTreeSet::new() }
    }

    /// Fails where an object has another field than its section, or lacks one.
    #[track_caller]
    fn compare(&mut self, title: &str, objects: &[Value]) {
        assert!(!objects.is_empty(), "nothing was written for {title}");
        self.compared.insert(title.to_owned());
        let fields = self.sections.get(title).unwrap_or_else(|| panic!("no section {title}"));
        for object in objects {
            let mut found = Vec::new();
            walk("", object, fields, &mut found);
            assert_eq!(found, Vec::<String>::new(), "{title}: {object}");
        }
    }
}

/// Appends what is wrong with `value`, which stands at `path`.
fn walk(path: &str, value: &Value, fields: &Fields, wrong: &mut Vec<String>) {
    match value {
        Value::Array(elements) => {
            for element in elements {
                let path = format!("{path}[]");
                if !element.is_object() && !fields.contains_key(&path) {
                    wrong.push(format!("{path} is not documented"));
                }
                walk(&path, element, fields, wrong);
            }
        }
        Value::Object(object) => {
            let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
            let any = format!("{prefix}*");
            for (name, value) in object {
                let field = format!("{prefix}{name}");
                if !fields.contains_key(&field) && !fields.contains_key(&any) {
                    wrong.push(format!("{field} is not documented"));
                }
                walk(&field, value, fields, wrong);
            }
            for (field, _) in fields.iter().filter(|(_, always)| **always) {
                let own = field.strip_prefix(&prefix).filter(|rest| !rest.contains(['.', '[']));
                if own.is_some_and(|name| !object.contains_key(name)) {
                    wrong.push(format!("{field} is missing"));
                }
            }
        }
        _ => {}
    }
}

#[test]
fn every_command_writes_the_fields_that_are_documented() {
    let mut documented = Documented::read();
    let machine = Machine::with(
        "[exchange]\ngroup = \"ffdhe2048\"\n[[rule]]\nname = \"x\"\nservices = [\"cron\"]\n\
         exempt_until = 2030-01-01\n",
    );
    let json = |arguments: &[&str]| -> Ended { machine.run(&[&["--json"], arguments].concat()) };
    let done = |arguments: &[&str]| json(arguments).expect(0).json();

    let path = machine.path("token");
    let made = done(&["enroll", "--user", "alice", "--save-token", text(&path)]);
    documented.compare("`mfa enroll`, `mfa rotate`: once the token counts", &made[1..]);
    documented.compare("`mfa enroll`, `mfa rotate`: before the first code", &made[..1]);
    documented.compare("`mfa code`", &done(&["code", "--token", text(&path)]));
    let token = crate::machine::token(&path);
    let verify = |code: &str| json(&["verify", "--user", "alice", code]).json();
    let (wrong, right) = (wrong_code(&token), code(&token, 1));
    for answer in [verify(&wrong), verify(&right), verify(&right)] {
        documented.compare("`mfa verify`", &answer);
    }
    (0..20).for_each(|_| drop(verify(&wrong)));
    documented.compare("`mfa verify`", &verify(&wrong));
    documented
        .compare("`mfa admin invite`, `mfa admin bypass`", &done(&["admin", "invite", "bob"]));
    let bypass = ["admin", "bypass", "alice", "--for", "1h", "--service", "sshd"];
    documented.compare("`mfa admin invite`, `mfa admin bypass`", &done(&bypass));
    for command in [&["status", "--user", "alice"][..], &["admin", "list"]] {
        documented.compare("`mfa status`, `mfa admin list`", &done(command));
    }

    // The object of status with the entries of audit.
    let mut shown = done(&["admin", "show", "alice"]).remove(0);
    let events = shown.as_object_mut().unwrap().remove("events").unwrap();
    assert_eq!(events.as_array().unwrap().len(), 10);
    documented.compare("`mfa status`, `mfa admin list`", &[shown]);
    documented.compare("`mfa admin audit`", events.as_array().unwrap());
    assert_eq!(documented.sections["`mfa admin show`"].keys().collect::<Vec<_>>(), ["events"]);
    documented.compared.insert("`mfa admin show`".to_owned());
    documented.compare("`mfa admin audit`", &done(&["admin", "audit"]));
    documented.compare("`mfa admin stats`", &done(&["admin", "stats"]));
    documented.compare("`mfa admin unlock`", &done(&["admin", "unlock", "alice"]));
    for command in [&["admin", "end-grace", "alice"][..], &["status", "--end-grace"]] {
        documented.compare("`mfa status --end-grace`, `mfa admin end-grace`", &done(command));
    }
    for service in ["sshd", "cron"] {
        documented.compare("`mfa explain`", &done(&["explain", "alice", service]));
    }
    documented.compare("`mfa recovery-codes`", &done(&["recovery-codes", "--user", "alice"]));
    documented.compare("`mfa revoke`", &done(&["revoke", "--user", "alice"]));
    documented.compare("`mfa admin reset`", &done(&["admin", "reset", "alice", "--yes"]));
    documented.compare("`mfa doctor`", &json(&["doctor"]).json());
    documented.compare("`mfa admin reload`", &done(&["admin", "reload"]));

    let file = machine.path("users.oath");
    fs::write(&file, "HOTP/T30 carol - 3132333435363738393031\n").unwrap();
    let import = ["admin", "import", text(&file), "--format", "users.oath"];
    let planned = done(&[&import[..], &["--dry-run"]].concat());
    documented.compare("`mfa admin import --dry-run`: a user", &planned[..1]);
    documented.compare("`mfa admin import`", &planned[1..]);
    let imported = done(&import);
    assert!(!imported[0]["weak"].as_array().unwrap().is_empty());
    documented.compare("`mfa admin import`", &imported);

    let backup = machine.path("backup");
    documented.compare("`mfa admin backup`", &done(&["admin", "backup", text(&backup)]));
    let restored = done(&["admin", "restore", text(&backup), "--yes"]);
    documented.compare("`mfa admin restore`", &restored);
    documented.compare("`mfa admin check`", &done(&["admin", "check"]));
    documented.compare("`mfa admin rekey`", &done(&["admin", "rekey", "--yes"]));

    let group = machine.path("group.pem");
    let made = done(&["params", "generate", "--bits", "2048", "--out", text(&group)]);
    documented.compare("`mfa params generate`, `mfa params check`", &made);
    let checked = done(&["params", "check", text(&group)]);
    documented.compare("`mfa params generate`, `mfa params check`", &checked);

    let pam =
        "`mfa pam enable`, `mfa pam disable`, `mfa pam keep`, `mfa pam revert`, `mfa pam status`";
    documented.compare(pam, &crate::switching::objects());

    let all: BTreeSet<String> = documented.sections.keys().cloned().collect();
    assert_eq!(documented.compared, all, "every section is compared");
}

/// The commands without commands of their own below `command`, each with `before` in front.
fn leaves(before: &str, command: &clap::Command, found: &mut Vec<(String, clap::Command)>) {
    let name = format!("{before}{}", command.get_name());
    let below: Vec<_> =
        command.get_subcommands().filter(|below| below.get_name() != "help").collect();
    if below.is_empty() {
        found.push((name.clone(), command.clone()));
    }
    below.iter().for_each(|below| leaves(&format!("{name} "), below, found));
}

#[test]
fn every_command_takes_json_and_has_a_section_that_is_compared_or_says_why_not() {
    let documented = Documented::read();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/json.md");
    let text = fs::read_to_string(path).unwrap();
    let (_, exceptions) = text.split_once("Without JSON:").unwrap();
    let exceptions = exceptions.split_once("\n\n").unwrap().0;
    let mut command = enroll_cli::command();
    command.build();
    let mut found = Vec::new();
    leaves("", &command, &mut found);
    assert!(found.len() > 25, "{}", found.len());
    for (name, command) in found {
        assert!(command.get_arguments().any(|argument| argument.get_id() == "json"), "{name}");
        let quoted = [format!("`{name}`"), format!("`{name} ")];
        let stands_in = |text: &str| quoted.iter().any(|name| text.contains(name.as_str()));
        let is_compared = documented.sections.keys().any(|section| stands_in(section));
        assert_ne!(is_compared, stands_in(exceptions), "{name} in docs/json.md");
    }
}

#[test]
fn the_comparison_finds_what_is_missing_and_what_is_new() {
    let fields: Fields = [("a", true), ("b", false), ("b[].c", true), ("f", true), ("f.*", false)]
        .map(|(field, always)| (field.to_owned(), always))
        .into();
    let wrong = |text: &str| {
        let mut wrong = Vec::new();
        walk("", &serde_json::from_str(text).unwrap(), &fields, &mut wrong);
        wrong
    };
    assert_eq!(wrong(r#"{"a":1,"b":[{"c":1}],"f":{"x":1}}"#), Vec::<String>::new());
    assert_eq!(wrong(r#"{"f":{}}"#), ["a is missing"]);
    assert_eq!(wrong(r#"{"a":1,"f":{},"b":[{}]}"#), ["b[].c is missing"]);
    assert_eq!(wrong(r#"{"a":1,"f":{},"z":1}"#), ["z is not documented"]);
    assert_eq!(wrong(r#"{"a":1,"f":{},"b":[1]}"#), ["b[] is not documented"]);
}
