// SPDX-License-Identifier: GPL-3.0-or-later
//! One fault at a time.

use super::super::finding::{Check, Finding, Mend, Severity};
use super::tree::{COMMON_AUTH, LABEL, MODULE_FILE, Tree};
use crate::messages::doctor as messages;

/// Whether a line or a command mends it, or only somebody who thinks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum By {
    Line,
    Thought,
}
use By::{Line, Thought};

/// Name, identifier, how it is mended, a part of that text, and the plant.
type Plant = (&'static str, &'static str, By, &'static str, fn(&Tree));

const PLANTS: &[Plant] = &[
    ("no line anywhere", "pam.nowhere", Thought, "mfa pam enable sshd", |tree| {
        tree.service("sshd", "@include common-auth\n");
        tree.service("sudo", "@include common-auth\n");
    }),
    ("a line that is none", "pam.unreadable", Thought, "sudo line 1", |tree| {
        tree.service("sudo", "auth requird pam_unix.so\nauth required pam_mfa.so\n");
    }),
    (
        "an include of a file that is missing",
        "pam.unreadable",
        Thought,
        "etc/pam.d/nothing",
        |tree| {
            tree.service("sudo", "@include nothing\nauth required pam_mfa.so\n");
        },
    ),
    ("pam_permit is sufficient", "pam.open", Line, "sudo line 1 goes", |tree| {
        tree.service(
            "sudo",
            "auth sufficient pam_permit.so\n@include common-auth\nauth required pam_mfa.so\n",
        );
    }),
    (
        "a sufficient password",
        "pam.skipped",
        Line,
        "before line 1: auth required pam_mfa.so",
        |tree| {
            tree.service("sudo", "auth sufficient pam_unix.so\nauth required pam_mfa.so\nauth required pam_deny.so\n");
        },
    ),
    (
        "a sufficient password in what is included",
        "pam.skipped",
        Line,
        "auth substack system-auth",
        |tree| {
            tree.write(
                "etc/pam.d/system-auth",
                "auth sufficient pam_unix.so\nauth required pam_deny.so\n",
            );
            tree.service("sudo", "auth include system-auth\nauth required pam_mfa.so\n");
        },
    ),
    (
        "a sufficient password in Debian's include",
        "pam.skipped",
        Line,
        "sudo line 2 goes",
        |tree| {
            tree.write(
                "etc/pam.d/common-auth",
                "auth sufficient pam_unix.so\nauth requisite pam_deny.so\n",
            );
            tree.service("sshd", "auth required pam_unix.so\nauth required pam_mfa.so\n");
            tree.service("sudo", "@include common-auth\nauth required pam_mfa.so\n");
        },
    ),
    ("a jump over the code", "pam.skipped", Line, "sudo before line 1", |tree| {
        tree.service("sudo", "auth [success=1 default=die] pam_unix.so\nauth required pam_mfa.so\nauth required pam_permit.so\n");
    }),
    ("a substack that hides the code", "pam.skipped", Line, "inner before line 1", |tree| {
        tree.write("etc/pam.d/inner", "auth sufficient pam_unix.so\nauth required pam_mfa.so\n");
        tree.service("sudo", "auth substack inner\nauth required pam_permit.so\n");
    }),
    ("an optional code", "pam.not-held", Line, "auth required pam_mfa.so", |tree| {
        tree.service("sudo", "@include common-auth\nauth optional pam_mfa.so\n");
    }),
    (
        "a code before the password that is not required",
        "pam.not-held",
        Line,
        "auth required pam_mfa.so",
        |tree| {
            tree.service(
                "sudo",
                "auth [success=ok default=ignore] pam_mfa.so\n@include common-auth\n",
            );
        },
    ),
    ("no daemon, no code", "pam.not-held", Line, "auth required pam_mfa.so retry=2", |tree| {
        let line = "auth [success=ok authinfo_unavail=ignore default=die] pam_mfa.so retry=2\n";
        tree.service("sudo", &format!("@include common-auth\n{line}"));
    }),
    ("a sufficient code", "pam.code-alone", Line, "auth required pam_mfa.so", |tree| {
        tree.service("sudo", "auth sufficient pam_mfa.so\n@include common-auth\n");
    }),
    (
        "a code and no password",
        "pam.code-alone",
        Line,
        "before line 1: @include common-auth",
        |tree| {
            tree.service("sudo", "auth required pam_mfa.so\n");
        },
    ),
    (
        "a password that need not be right",
        "pam.code-alone",
        Line,
        "auth required pam_unix.so nullok",
        |tree| {
            tree.service("sudo", "auth optional pam_unix.so nullok\nauth required pam_mfa.so\n");
        },
    ),
    (
        "whoever is not asked needs nothing",
        "pam.nothing-alone",
        Line,
        "@include common-auth",
        |tree| {
            tree.service("sudo", "auth required pam_mfa.so\nauth required pam_permit.so\n");
        },
    ),
    ("a jump beyond the last line", "pam.nobody-in", Thought, "jump beyond the last", |tree| {
        tree.service(
            "sudo",
            "auth required pam_mfa.so\nauth [success=2 default=die] pam_unix.so\n",
        );
    }),
    (
        "an option that is misspelt",
        "pam.option",
        Line,
        "auth required pam_mfa.so retry=2",
        |tree| {
            tree.service("sudo", "@include common-auth\nauth required pam_mfa.so nulok retry=2\n");
        },
    ),
    ("an option out of its range", "pam.option", Line, "auth required pam_mfa.so", |tree| {
        tree.service("sudo", "@include common-auth\nauth required pam_mfa.so timeout=600\n");
    }),
    ("a trial that was forgotten", "pam.observe", Line, "auth required pam_mfa.so", |tree| {
        tree.service("sudo", "@include common-auth\nauth required pam_mfa.so observe\n");
    }),
    ("who must enrol cannot", "pam.enroll-no-password", Line, "password [success=done", |tree| {
        tree.add("etc/pam.d/sudo", "account required pam_mfa.so enroll\n");
    }),
    (
        "nobody is told to enrol",
        "pam.enroll-no-account",
        Line,
        "account required pam_mfa.so enroll",
        |tree| {
            tree.add(
                "etc/pam.d/sudo",
                "password [success=done ignore=ignore default=die] pam_mfa.so enroll\n",
            );
        },
    ),
    (
        "an enrolment that is jumped over",
        "pam.enroll-skipped",
        Line,
        "account required pam_mfa.so enroll",
        |tree| {
            tree.service(
            "sudo",
            "@include common-auth\nauth required pam_mfa.so\naccount sufficient pam_localuser.so\n\
             account required pam_mfa.so enroll\npassword [success=done ignore=ignore default=die] pam_mfa.so enroll\n",
        );
        },
    ),
    ("the profile and a line", "pam.twice", Line, "sudo line 2 goes", |tree| {
        tree.add("etc/pam.d/common-auth", "auth required pam_mfa.so\n");
        tree.service("sshd", "@include common-auth\n");
    }),
    (
        "a daemon that is not there lets everybody in",
        "pam.unavailable",
        Line,
        "auth required pam_mfa.so",
        |tree| {
            tree.service(
                "sudo",
                "@include common-auth\nauth required pam_mfa.so unavailable=ignore\n",
            );
        },
    ),
    ("nullok", "pam.nullok", Line, "auth required pam_mfa.so", |tree| {
        tree.service("sudo", "@include common-auth\nauth required pam_mfa.so nullok\n");
    }),
    ("a group that is left out", "pam.exempt-group", Line, "auth required pam_mfa.so", |tree| {
        tree.service(
            "sudo",
            "@include common-auth\nauth required pam_mfa.so exempt_group=robots\n",
        );
    }),
    (
        "a condition that leads past the code",
        "pam.condition",
        Thought,
        "take the line away",
        |tree| {
            let line = "auth [success=1 default=ignore] pam_succeed_if.so user ingroup robots\n";
            let end = "auth required pam_permit.so\n";
            tree.service(
                "sudo",
                &format!("@include common-auth\n{line}auth required pam_mfa.so\n{end}"),
            );
        },
    ),
    ("another daemon", "pam.other-socket", Thought, "mfa --socket /run/x doctor", |tree| {
        tree.service("sudo", "@include common-auth\nauth required pam_mfa.so socket=/run/x\n");
    }),
    ("a copy of a service", "pam.unused-file", Line, "rm ", |tree| {
        tree.service("sudo.bak", "@include common-auth\nauth required pam_mfa.so\n");
    }),
    ("a service that does not ask", "pam.no-code", Thought, "mfa pam enable", |tree| {
        tree.service("login", "@include common-auth\n");
    }),
    ("a module that is not installed", "module.missing", Thought, "install", |tree| {
        std::fs::remove_file(tree.path(MODULE_FILE)).unwrap();
    }),
    ("a module of another machine", "module.unloadable", Thought, "install", |tree| {
        let mut bytes = std::fs::read(tree.path(MODULE_FILE)).unwrap();
        bytes[18] ^= 0xff;
        std::fs::write(tree.path(MODULE_FILE), bytes).unwrap();
    }),
    ("a module of another version", "version.module", Thought, "install", |tree| {
        tree.module("@(#)pam_mfa 0.0.9\0");
    }),
    ("a module that says no version", "version.module", Thought, "install", |tree| tree.module("")),
    ("a module that anybody replaces", "file.writable", Line, "chmod go-w", |tree| {
        tree.chmod(MODULE_FILE, 0o666);
    }),
    ("a directory of modules that a group writes", "file.writable", Line, "chmod go-w", |tree| {
        tree.chmod("usr/lib/x86_64-linux-gnu/security", 0o775);
    }),
    ("a service that anybody edits", "file.writable", Line, "chmod go-w", |tree| {
        tree.chmod("etc/pam.d/sudo", 0o646);
    }),
    ("a password's lines that anybody edits", "file.writable", Line, "common-auth", |tree| {
        tree.chmod("etc/pam.d/common-auth", 0o666);
    }),
    ("an account's lines that anybody edits", "file.writable", Line, "common-account", |tree| {
        tree.chmod("etc/pam.d/common-account", 0o666);
    }),
    ("a service whose code is in what it includes", "file.writable", Line, "pam.d/sudo", |tree| {
        tree.add("etc/pam.d/common-auth", "auth required pam_mfa.so\n");
        for service in ["sshd", "sudo"] {
            tree.service(service, "@include common-auth\n");
        }
        tree.chmod("etc/pam.d/sudo", 0o666);
    }),
    ("rules that anybody edits", "file.writable", Line, "chmod go-w", |tree| {
        tree.chmod("etc/mfa/mfa.toml", 0o666);
    }),
    ("somebody's module", "file.owner", Line, "chown ", |tree| tree.chown(MODULE_FILE, 12345)),
    ("somebody's store", "file.owner", Line, "chown mfa: ", |tree| {
        tree.chown("var/lib/mfa/mfa.db", 12345);
    }),
    ("a master key that others read", "file.readable", Line, "chmod go-rwx", |tree| {
        tree.chmod("var/lib/mfa/master.key", 0o644);
    }),
    ("a store that others enter", "file.readable", Line, "chmod go-rwx", |tree| {
        tree.chmod("var/lib/mfa", 0o755);
    }),
    ("a master key that is lost", "file.key-missing", Thought, "backup.md", |tree| {
        std::fs::remove_file(tree.path("var/lib/mfa/master.key")).unwrap();
    }),
    ("a store that is lost", "file.store-missing", Thought, "backup.md", |tree| {
        std::fs::remove_file(tree.path("var/lib/mfa/mfa.db")).unwrap();
    }),
    (
        "a configuration with a slip",
        "configuration.invalid",
        Thought,
        "mfa-daemon --check",
        |tree| {
            tree.write("etc/mfa/mfa.toml", "[token]\ndigit = 6\n");
        },
    ),
    ("a rule that only observes", "rule.observe", Line, "mfa.toml line 3 goes", |tree| {
        tree.write("etc/mfa/mfa.toml", "[[rule]]\nservices = [\"sudo\"]\nobserve = true\n");
    }),
    ("a rule that needs no daemon", "rule.unavailable", Line, "mfa.toml line 3 goes", |tree| {
        tree.write(
            "etc/mfa/mfa.toml",
            "[[rule]]\nservices = [\"sudo\"]\nunavailable = \"ignore\"\n",
        );
    }),
    ("a rule that exempts", "rule.exempt", Line, "mfa.toml line 3 goes", |tree| {
        tree.write(
            "etc/mfa/mfa.toml",
            "[[rule]]\nservices = [\"sudo\"]\nexempt_until = 2027-01-31\n",
        );
    }),
    ("a rule that has had its day", "rule.ended", Line, "mfa.toml line 3 goes", |tree| {
        tree.write(
            "etc/mfa/mfa.toml",
            "[[rule]]\nservices = [\"sudo\"]\nexempt_until = 2026-11-30\n",
        );
    }),
    ("a rule for a service that is none", "rule.no-service", Thought, "\"ssh\"", |tree| {
        tree.write("etc/mfa/mfa.toml", "[[rule]]\nservices = [\"ssh\"]\nrequired = true\n");
    }),
    ("a module that came from a home", "selinux.label", Line, "restorecon -v", |tree| {
        tree.write("sys/fs/selinux/enforce", "1");
        xattr::set(tree.path(MODULE_FILE), LABEL, b"unconfined_u:object_r:user_home_t:s0\0")
            .unwrap();
    }),
    ("sudo without a password", "sudo.no-password", Thought, "NOPASSWD:", |tree| {
        tree.add("etc/sudoers", "@includedir /etc/sudoers.d\n");
        tree.write("etc/sudoers.d/x", "backup ALL = \\\n  NOPASSWD: /usr/bin/rsync\n");
    }),
    ("sudo without PAM", "sudo.no-authentication", Thought, "!authenticate", |tree| {
        tree.add("etc/sudoers", "Defaults:ann env_reset, !authenticate\n");
    }),
    ("sudo that remembers for ever", "sudo.timestamp", Thought, "timestamp_timeout=0", |tree| {
        tree.add("etc/sudoers", "Defaults timestamp_timeout=-1\n");
    }),
];

fn of(findings: &[Finding], id: &str) -> Vec<Finding> {
    let check = Check::named(id).expect("an identifier");
    findings.iter().filter(|finding| finding.check == check).cloned().collect()
}

fn mends(finding: &Finding) -> String {
    finding.mends.iter().map(messages::mend).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_fault_is_named_with_what_mends_it_and_gone_when_that_is_done() {
    let well = Tree::debian().findings();
    for (name, id, by, part, plant) in PLANTS {
        assert!(of(&well, id).is_empty(), "{name}: {id} is there without the fault: {well:#?}");
        let tree = Tree::debian();
        plant(&tree);
        let all = tree.findings();
        let found = of(&all, id);
        let [found] = &found[..] else {
            panic!("{name}: {id} once and not {found:#?} of {all:#?}")
        };
        assert!(found.meaning().is_some(), "{name}");
        assert!(mends(found).contains(part), "{name}: no {part:?} in {:?}", mends(found));
        let advice = found.mends.iter().any(|mend| matches!(mend, Mend::Advice(_)));
        let of_others = mends(found).starts_with("mfa ");
        assert_eq!(advice || of_others, *by == Thought, "{name}: {:?}", mends(found));
        if *by == Line {
            found.mends.iter().for_each(|mend| tree.apply(mend));
            let after = tree.findings();
            assert!(of(&after, id).is_empty(), "{name}: {id} is there after its mend: {after:#?}");
            // What mends one thing breaks no other.
            let worse = |findings: &[Finding]| {
                findings.iter().filter(|finding| finding.severity() <= Severity::Warning).count()
            };
            assert!(worse(&after) < worse(&all).max(1), "{name}: {after:#?}");
        }
    }
}

#[test]
fn each_severity_and_each_place_is_planted() {
    let ids: Vec<&str> = PLANTS.iter().map(|(_, id, ..)| *id).collect();
    assert!(ids.len() >= 25);
    // What is not in the files of a tree is planted where it is: sshd's settings, the daemon, the clock.
    let elsewhere =
        ["sshd.", "socket.", "daemon.", "clock.", "user.", "users.", "version.daemon", "not-"];
    for check in Check::ALL.iter().filter(|check| check.severity() != Severity::Ok) {
        let id = check.id();
        assert!(
            ids.contains(&id) || elsewhere.iter().any(|beginning| id.starts_with(beginning)),
            "{id} is planted nowhere"
        );
    }
}

#[test]
fn what_only_root_sees_is_said_and_everything_else_is_looked_at() {
    let tree = Tree::debian();
    assert!(of(&tree.findings(), "not-looked-at").is_empty());
    tree.service("sudo", "@include common-auth\nauth optional pam_mfa.so\n");
    let found = tree.findings_as(12345);
    let unseen: Vec<String> =
        of(&found, "not-looked-at").iter().map(|finding| finding.subject()).collect();
    assert_eq!(unseen, ["sshd", "state"], "{found:#?}");
    assert_eq!(of(&found, "pam.not-held").len(), 1);
}

#[test]
fn the_same_finding_of_several_services_is_told_once() {
    let tree = Tree::debian();
    tree.write("etc/pam.d/common-auth", &format!("{COMMON_AUTH}auth optional pam_mfa.so\n"));
    for service in ["sshd", "sudo", "login"] {
        tree.service(service, "@include common-auth\n");
    }
    let found = of(&tree.findings(), "pam.not-held");
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].subject(), "login, sshd, sudo");
}

#[test]
fn the_first_line_is_made_by_the_command_that_can_take_it_back_whatever_is_installed() {
    for profile in [false, true] {
        for (services, first) in [
            (&["login", "sshd", "sudo"][..], "sshd"),
            (&["login", "su", "sudo"], "sudo"),
            (&["su", "login"], "login"),
        ] {
            let tree = Tree::debian();
            for service in ["sshd", "sudo"] {
                std::fs::remove_file(tree.path(&format!("etc/pam.d/{service}"))).unwrap();
            }
            if profile {
                tree.write("usr/share/pam-configs/mfa", "");
            }
            for service in services {
                tree.service(service, "@include common-auth\n");
            }
            let found = of(&tree.findings(), "pam.nowhere");
            let [found] = &found[..] else { panic!("once and not {found:#?}") };
            assert_eq!(found.mends, [Mend::Command(format!("mfa pam enable {first}"))]);
        }
    }
}

#[test]
fn what_was_being_written_is_no_service() {
    let tree = Tree::debian();
    tree.service(".login.mfa-new", "auth optional pam_mfa.so\n");
    let subjects = |tree: &Tree| -> Vec<String> {
        tree.findings().iter().flat_map(|finding| finding.subjects.clone()).collect()
    };
    assert!(!subjects(&tree).contains(&".login.mfa-new".to_owned()), "{:#?}", tree.findings());
    // The same under a name that a program may have.
    tree.service("login.mfa-new", "auth optional pam_mfa.so\n");
    assert!(subjects(&tree).contains(&"login.mfa-new".to_owned()));
}

#[test]
fn a_module_of_this_version_is_said_to_be_one() {
    let tree = Tree::debian();
    let found = of(&tree.findings(), "version.same");
    let [same] = &found[..] else { panic!("once and not {found:#?}") };
    assert_eq!(same.severity(), Severity::Ok);
    let module = tree.path(MODULE_FILE).canonicalize().unwrap();
    assert_eq!(same.subject(), module.display().to_string());
    tree.module("@(#)pam_mfa 0.0.9\0");
    assert!(of(&tree.findings(), "version.same").is_empty());
    assert_eq!(of(&tree.findings(), "version.module").len(), 1);
}
