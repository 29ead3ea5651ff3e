// SPDX-License-Identifier: GPL-3.0-or-later
//! Stacks as distributions write them, and how they go wrong.

use std::fs;

use super::read::StackError;
use super::*;

/// A directory with these files.
fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

fn flaws_of(text: &str) -> Vec<Flaw> {
    let directory = directory(&[("s", text)]);
    flaws(&read(directory.path(), "s", Group::Auth).unwrap())
}

const DEBIAN_AUTH: &str = "\
auth\t[success=1 default=ignore]\tpam_unix.so nullok
auth\trequisite\t\t\tpam_deny.so
auth\trequired\t\t\tpam_permit.so
auth\trequired\tpam_mfa.so nullok
";

#[test]
fn the_packaged_profile_on_debian_has_no_flaw() {
    let directory = directory(&[
        ("common-auth", DEBIAN_AUTH),
        ("su", "auth sufficient pam_rootok.so\n@include common-auth\n"),
        ("su-l", "#%PAM-1.0\nauth include su # the same\nsession required pam_x.so\n"),
    ]);
    for service in ["common-auth", "su", "su-l"] {
        let stack = read(directory.path(), service, Group::Auth).unwrap();
        assert_eq!(flaws(&stack), [], "{service}");
        let lines = module_lines(&stack);
        assert_eq!(lines.len(), 1);
        assert_eq!(
            lines[0].place(),
            format!("{} line 4", directory.path().join("common-auth").display())
        );
        assert_eq!(lines[0].arguments, ["nullok"]);
    }
}

#[test]
fn a_success_that_ends_the_stack_or_jumps_too_far_skips_the_code() {
    for before in [
        "auth sufficient pam_unix.so",
        "auth [success=done default=ignore] pam_unix.so",
        "auth [success=1 default=ignore] pam_unix.so",
        "auth [default=5] pam_unix.so",
        "-AUTH SUFFICIENT pam_fprintd.so",
    ] {
        let found = flaws_of(&format!("{before}\nauth required pam_mfa.so\n"));
        assert!(
            matches!(&found[..], [Flaw::Skipped(line)] if line.number == 1),
            "{before}: {found:?}"
        );
    }
    for before in [
        "auth required pam_unix.so",
        "auth requisite pam_unix.so",
        "auth [success=ok default=die] pam_unix.so",
        "auth sufficient pam_rootok.so",
        "account sufficient pam_unix.so",
        "# auth sufficient pam_unix.so",
    ] {
        assert_eq!(flaws_of(&format!("{before}\nauth required pam_mfa.so\n")), [], "{before}");
    }
    // A jump to the line itself.
    let jump = "auth [success=1 default=bad] pam_unix.so\nauth requisite pam_deny.so\n";
    assert_eq!(flaws_of(&format!("{jump}auth required pam_mfa.so\n")), []);
}

#[test]
fn what_ends_a_substack_ends_only_that() {
    let directory = directory(&[
        ("system-auth", "auth sufficient pam_unix.so\nauth required pam_deny.so\n"),
        ("good", "auth substack system-auth\nauth required pam_mfa.so\n"),
        ("bad", "auth include system-auth\nauth required pam_mfa.so\n"),
        ("inner", "auth sufficient pam_unix.so\nauth required pam_mfa.so\n"),
        ("nested", "auth substack inner\n"),
    ]);
    let flaws_of = |service| flaws(&read(directory.path(), service, Group::Auth).unwrap());
    assert_eq!(flaws_of("good"), []);
    assert!(matches!(&flaws_of("bad")[..], [Flaw::Skipped(_)]));
    assert!(matches!(&flaws_of("nested")[..], [Flaw::Skipped(_)]));
}

#[test]
fn a_wrong_code_must_count() {
    for held in ["required", "requisite", "[success=ok default=bad]", "[success=done default=die]"]
    {
        assert_eq!(flaws_of(&format!("auth {held} pam_mfa.so\n")), [], "{held}");
    }
    for ignored in
        ["optional", "sufficient", "[success=ok default=ignore]", "[auth_err=1 default=die]"]
    {
        let found = flaws_of(&format!("auth {ignored} pam_mfa.so\n"));
        assert!(matches!(&found[..], [Flaw::NotHeld(_)]), "{ignored}: {found:?}");
    }
}

#[test]
fn options_that_the_module_does_not_know_are_found() {
    let good =
        "auth required /lib/security/pam_mfa.so socket=/run/x \\\n  [prompt=Your code: ] debug\n";
    assert_eq!(flaws_of(good), []);
    let found = flaws_of("auth required pam_mfa.so nullok nulok retry=3 retries=3\n");
    let options: Vec<_> = found
        .iter()
        .map(|flaw| match flaw {
            Flaw::Option { option, .. } => option.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(options, ["nulok", "retries=3"]);
}

#[test]
fn a_stack_that_pam_cannot_read_is_an_error_with_its_place() {
    let directory = directory(&[
        ("loop", "@include loop\n"),
        ("short", "auth required\n"),
        ("control", "\nauth requird pam_unix.so\n"),
        ("missing", "auth include nothing\n"),
        ("good", "auth required pam_unix.so\n"),
    ]);
    let error = |service| read(directory.path(), service, Group::Auth).unwrap_err();
    assert!(read(directory.path(), "good", Group::Auth).is_ok());
    assert!(matches!(error("loop"), StackError::Depth(_)));
    assert!(matches!(error("short"), StackError::Line(_, 1)));
    assert!(matches!(error("control"), StackError::Line(_, 2)));
    assert!(matches!(error("missing"), StackError::Io(..)));
    assert!(matches!(error("absent"), StackError::Io(..)));
}

#[test]
fn each_group_has_a_stack_of_its_own() {
    let directory = directory(&[
        ("s", "auth required pam_a.so\naccount include more\nPassword required pam_p.so\n"),
        ("more", "auth required pam_b.so\naccount required pam_c.so\n"),
    ]);
    let modules = |group| -> Vec<String> {
        let stack = read(directory.path(), "s", group).unwrap();
        let name = |entry: &Entry| match entry {
            Entry::Line(line) => line.module.clone(),
            Entry::Substack(_) => panic!("no substack is written"),
        };
        stack.iter().map(name).collect()
    };
    assert_eq!(modules(Group::Auth), ["pam_a.so"]);
    assert_eq!(modules(Group::Account), ["pam_c.so"]);
    assert_eq!(modules(Group::Password), ["pam_p.so"]);
}

#[test]
fn the_options_are_those_that_the_module_reads() {
    let source = include_str!("../../../pam_mfa/src/options.rs");
    let (code, _) = source.split_once("#[cfg(test)]").unwrap();
    // The arms of its one match: `("name", …) =>`.
    let mut read: Vec<&str> = code
        .lines()
        .filter(|line| line.contains("=>"))
        .filter_map(|line| line.trim_start().strip_prefix("(\"")?.split_once("\","))
        .map(|(name, _)| name)
        .collect();
    let mut known = OPTIONS.to_vec();
    read.sort_unstable();
    read.dedup();
    known.sort_unstable();
    assert_eq!(known, read);
}
