// SPDX-License-Identifier: GPL-3.0-or-later
//! Stacks as distributions write them, and how they go wrong.

use std::fs;

use super::*;

#[path = "against_libpam_tests.rs"]
mod against_libpam;

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
    let behind = "auth required pam_mfa.so\nauth required pam_permit.so\n";
    for before in [
        "auth sufficient pam_unix.so",
        "auth [success=done default=ignore] pam_unix.so",
        "auth [success=1 default=bad] pam_unix.so",
        "auth required pam_env.so\nauth [default=1 success=1] pam_succeed_if.so",
        "-AUTH SUFFICIENT pam_fprintd.so",
    ] {
        let found = flaws_of(&format!("{before}\n{behind}"));
        assert!(
            matches!(&found[0], Flaw::Skipped(line) | Flaw::Open(line) if line.number == before.lines().count()),
            "{before}: {found:?}"
        );
    }
    for before in [
        "auth required pam_unix.so",
        "auth requisite pam_unix.so",
        "auth [success=ok default=die] pam_unix.so",
        "auth sufficient pam_rootok.so\nauth required pam_unix.so",
        "account sufficient pam_unix.so\nauth required pam_unix.so",
        "# auth sufficient pam_unix.so\nauth required pam_unix.so",
        // More lines than there are: libpam denies.
        "auth [success=5 default=die] pam_ldap.so\nauth required pam_unix.so",
        // A jump to the line itself.
        "auth [success=1 default=bad] pam_unix.so\nauth requisite pam_deny.so",
    ] {
        let found = flaws_of(&format!("{before}\n{behind}"));
        assert!(!found.iter().any(|flaw| matches!(flaw, Flaw::Skipped(_))), "{before}: {found:?}");
    }
}

#[test]
fn a_code_alone_or_nothing_at_all_must_not_be_enough() {
    let kinds = |text: &str| -> Vec<&'static str> {
        let kind = |flaw: &Flaw| match flaw {
            Flaw::Skipped(_) => "skipped",
            Flaw::Open(_) => "open",
            Flaw::NotHeld(_) => "not held",
            Flaw::CodeAlone(_) => "code alone",
            Flaw::NothingAlone(_) => "nothing alone",
            Flaw::Twice(_) => "twice",
            Flaw::NobodyIn => "nobody in",
            Flaw::Option { .. } => "option",
        };
        flaws_of(text).iter().map(kind).collect()
    };
    let unix = "auth required pam_unix.so\n";
    let mfa = "auth required pam_mfa.so\n";
    assert_eq!(kinds(&[unix, mfa].concat()), [""; 0]);
    assert_eq!(kinds(&[mfa, unix].concat()), [""; 0]);
    assert_eq!(kinds(mfa), ["code alone"]);
    assert_eq!(kinds(&[mfa, "auth optional pam_unix.so\n"].concat()), ["code alone"]);
    assert_eq!(
        kinds(&[mfa, "auth required pam_permit.so\n"].concat()),
        ["code alone", "nothing alone"]
    );
    let sufficient = "auth sufficient pam_mfa.so\n";
    assert_eq!(kinds(&[sufficient, unix].concat()), ["not held", "code alone"]);
    assert_eq!(kinds(&[unix, mfa, mfa].concat()), ["twice"]);
    assert_eq!(kinds(&[unix, mfa, "auth requisite pam_deny.so\n"].concat()), ["nobody in"]);
    assert_eq!(kinds(&["auth sufficient pam_permit.so\n", unix, mfa].concat()), ["open"]);
    let authsucc = "auth sufficient pam_faillock.so authsucc\n";
    assert_eq!(kinds(&[unix, authsucc, mfa].concat()), ["skipped"]);
    let condition = "auth sufficient pam_succeed_if.so user ingroup x\n";
    assert_eq!(kinds(&[condition, unix, mfa].concat()), ["skipped"]);
}

#[test]
fn a_line_whose_module_is_missing_skips_nothing() {
    let directory = directory(&[(
        "s",
        "-auth sufficient pam_fprintd.so\nauth required pam_unix.so\nauth required pam_mfa.so\n",
    )]);
    let stack = read(directory.path(), "s", Group::Auth).unwrap();
    assert!(matches!(&flaws(&stack)[..], [Flaw::Skipped(_)]));
    assert_eq!(flaws_where(&stack, |line| !line.is("pam_fprintd.so")), []);
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
    assert!(matches!(&flaws_of("nested")[..], [Flaw::Skipped(_), ..]));
}

#[test]
fn a_denial_of_any_kind_must_count() {
    let unix = "auth required pam_unix.so\n";
    for held in ["required", "requisite", "[success=ok default=bad]", "[success=done default=die]"]
    {
        assert_eq!(flaws_of(&format!("{unix}auth {held} pam_mfa.so\n")), [], "{held}");
    }
    for ignored in [
        "optional",
        "sufficient",
        "[success=ok default=ignore]",
        "[success=ok auth_err=die maxtries=die default=ignore]",
        "[success=ok authinfo_unavail=ignore default=die]",
    ] {
        let found = flaws_of(&format!("{unix}auth {ignored} pam_mfa.so\n"));
        assert!(matches!(&found[..], [Flaw::NotHeld(_)]), "{ignored}: {found:?}");
    }
}

#[test]
fn options_that_the_module_refuses_are_found() {
    let unix = "auth required pam_unix.so\n";
    let good =
        "auth required /lib/security/pam_mfa.so socket=/run/x \\\n  [prompt=Your code: ] debug\n";
    assert_eq!(flaws_of(&[unix, good].concat()), []);
    let found =
        flaws_of(&format!("{unix}auth required pam_mfa.so nullok nulok retry=3 retries=3\n"));
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
fn a_service_without_lines_of_a_group_has_those_of_other() {
    let directory = directory(&[
        ("s", "account required pam_unix.so\n"),
        ("other", "auth required pam_deny.so\naccount required pam_deny.so\n"),
    ]);
    let modules = |group| -> Vec<String> {
        let stack = read(directory.path(), "s", group).unwrap();
        lines(&stack).iter().map(|line| line.module.clone()).collect()
    };
    assert_eq!(modules(Group::Auth), ["pam_deny.so"]);
    assert_eq!(modules(Group::Account), ["pam_unix.so"]);
    assert_eq!(modules(Group::Password), Vec::<String>::new());
}

#[test]
fn services_are_looked_for_where_libpam_does() {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let services = Services::below(root.path());
    let modules = |service| -> Vec<String> {
        let stack = read_from(&services, service, Group::Auth).unwrap();
        lines(&stack).iter().map(|line| line.module.clone()).collect()
    };
    write("etc/pam.conf", "# all\nsu auth required pam_a.so\nother auth required pam_b.so\n");
    assert_eq!(
        (modules("su"), modules("sudo")),
        (vec!["pam_a.so".into()], vec!["pam_b.so".into()])
    );
    assert_eq!(services.names(), ["other", "su"]);
    // A directory puts the one file out of use.
    write("usr/lib/pam.d/su", "auth required pam_c.so\n");
    assert_eq!(modules("su"), ["pam_c.so"]);
    // A file of the administrator's hides the vendor's.
    write("etc/pam.d/su", "auth include /etc/pam.d/more\n");
    write("etc/pam.d/more", "auth required pam_d.so\n");
    assert_eq!(modules("su"), ["pam_d.so"]);
    assert_eq!(services.names(), ["more", "su"]);
    // Nor is it one that somebody was writing.
    write("etc/pam.d/.su.new", "auth required pam_d.so\n");
    assert_eq!(services.names(), ["more", "su"]);
}

#[test]
fn every_file_that_a_service_is_made_of_is_named() {
    let directory = directory(&[
        ("s", "auth substack a\n@include none\naccount include b\nsession include c\n"),
        ("a", "auth required pam_unix.so\n@include lines\n"),
        ("none", "session required pam_unix.so\n"),
        ("lines", "# none\n"),
        ("b", "account required pam_unix.so\n"),
        ("c", "session required pam_unix.so\n"),
        ("other", "password required pam_deny.so\n"),
        ("elsewhere", "auth required pam_unix.so\n"),
    ]);
    let services = Services::of_directory(directory.path());
    let names = |service: &str| -> Vec<String> {
        let files = services.files_of(service);
        files.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
    };
    // What has no line may get one, and `other` serves where there is none.
    assert_eq!(names("s"), ["a", "b", "lines", "none", "other", "s"]);
    assert_eq!(names("elsewhere"), ["elsewhere", "other"]);
}

#[test]
fn lines_of_a_kind_that_does_not_exist_deny() {
    let directory = directory(&[
        ("s", "aut required pam_unix.so\naccount include more\npassword required pam_unix.so\n"),
        ("more", "acount required pam_unix.so\n"),
    ]);
    let read = |group| read(directory.path(), "s", group);
    assert!(matches!(read(Group::Auth), Err(StackError::Line(_, 1))));
    assert!(matches!(read(Group::Account), Err(StackError::Line(_, 1))));
    assert!(read(Group::Password).is_ok());
}
