// SPDX-License-Identifier: GPL-3.0-or-later
//! Findings about machines in good and in bad order.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use super::*;
use crate::pam_stack::MODULE;

struct Machine {
    root: tempfile::TempDir,
}

impl Machine {
    fn new(services: &[(&str, &str)]) -> Self {
        let root = tempfile::tempdir().unwrap();
        for name in ["pam.d", "security"] {
            fs::create_dir(root.path().join(name)).unwrap();
        }
        for (name, text) in services {
            fs::write(root.path().join("pam.d").join(name), text).unwrap();
        }
        Self { root }
    }

    fn with_module(self) -> Self {
        fs::write(self.root.path().join("security").join(MODULE), "").unwrap();
        self
    }

    fn findings(&self) -> Vec<Finding> {
        let modules = [self.root.path().join("security")];
        pam::find(&pam::Place {
            services: &self.root.path().join("pam.d"),
            modules: &modules,
            socket: Path::new("/run/mfa/mfa.sock"),
        })
    }
}

fn severities(findings: &[Finding]) -> Vec<Severity> {
    findings.iter().map(|finding| finding.severity).collect()
}

#[test]
fn a_service_that_asks_is_well_and_one_that_does_not_is_named() {
    let services =
        [("sshd", "auth required pam_mfa.so\n"), ("sudo", "auth required pam_unix.so\n")];
    let findings = Machine::new(&services).with_module().findings();
    assert_eq!(severities(&findings), [Severity::Ok, Severity::Warn]);
    assert_eq!(findings[1].subject, "sudo");
}

#[test]
fn no_service_that_asks_at_all_is_bad() {
    let findings = Machine::new(&[("sudo", "auth required pam_unix.so\n")]).findings();
    assert_eq!(severities(&findings), [Severity::Warn, Severity::Bad]);
}

#[test]
fn a_line_without_its_module_file_is_bad() {
    let services = [("sshd", "auth required pam_mfa.so\n")];
    assert_eq!(severities(&Machine::new(&services).with_module().findings()), [Severity::Ok]);
    let findings = Machine::new(&services).findings();
    assert_eq!(severities(&findings), [Severity::Ok, Severity::Bad]);
    assert!(findings[1].finding.contains("not installed"), "{findings:?}");
}

#[test]
fn every_flaw_comes_with_the_line_that_mends_it() {
    let text = "auth sufficient pam_unix.so\nauth optional pam_mfa.so nullok oops socket=/run/x\n";
    let findings = Machine::new(&[("sshd", text)]).with_module().findings();
    let (bad, warn) = (Severity::Bad, Severity::Warn);
    assert_eq!(severities(&findings), [bad, bad, bad, warn, warn], "{findings:?}");
    assert!(findings.iter().all(|finding| finding.mend.is_some()));
    assert!(findings[0].finding.contains("`auth sufficient pam_unix.so`"), "{findings:?}");
}

#[test]
fn options_that_let_logins_in_without_a_code_are_told() {
    let line = |options: &str| {
        let text = format!("auth required pam_mfa.so {options}\n");
        severities(&Machine::new(&[("sshd", &text)]).with_module().findings())
    };
    assert_eq!(line("forward_pass retry=3 exempt_group=x unavailable=deny"), [Severity::Ok]);
    assert_eq!(line("observe"), [Severity::Ok, Severity::Bad]);
    assert_eq!(line("unavailable=ignore"), [Severity::Ok, Severity::Warn]);
    assert_eq!(line("nullok"), [Severity::Ok, Severity::Warn]);
}

#[test]
fn an_enrolment_in_the_login_needs_both_of_its_lines_where_they_are_reached() {
    let service = |more: &str| {
        let text = format!("auth required pam_mfa.so\n{more}");
        Machine::new(&[("sshd", &text)]).with_module().findings()
    };
    let (account, password) =
        ("account required pam_mfa.so enroll\n", "password required pam_mfa.so enroll\n");
    let both = format!("{account}{password}");
    assert_eq!(severities(&service(&both)), [Severity::Ok]);
    assert_eq!(severities(&service("account required pam_mfa.so\n")), [Severity::Ok]);
    let alone = service(account);
    assert_eq!(severities(&alone), [Severity::Ok, Severity::Bad]);
    assert!(alone[1].mend.as_ref().unwrap().starts_with("password required"), "{alone:?}");
    assert_eq!(severities(&service(password)), [Severity::Ok, Severity::Warn]);
    let skipped = service(&format!("account sufficient pam_localuser.so\n{both}"));
    assert_eq!(severities(&skipped), [Severity::Ok, Severity::Warn]);
    assert!(skipped[1].finding.contains("ends the account stack"), "{skipped:?}");
    let unknown = service("account required pam_mfa.so enrol\n");
    assert_eq!(severities(&unknown), [Severity::Ok, Severity::Bad]);
    // Whoever cannot be read as a whole is denied.
    assert_eq!(severities(&service("account requird pam_mfa.so\n"))[0], Severity::Bad);
}

#[test]
fn the_clock_must_be_past_the_release_and_better_be_synchronised() {
    assert_eq!(clock(clock::BUILT_AFTER, true).severity, Severity::Ok);
    assert_eq!(clock(clock::BUILT_AFTER, false).severity, Severity::Warn);
    assert_eq!(clock(clock::BUILT_AFTER - 1, true).severity, Severity::Bad);
}

#[test]
fn a_socket_that_others_could_replace_is_bad() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("s");
    let me = nix::unistd::geteuid().as_raw();
    let missing = socket(&path, me);
    assert_eq!(missing.severity, Severity::Bad);
    assert!(missing.mend.unwrap().contains("mfa.socket"));
    let _listener = UnixListener::bind(&path).unwrap();
    assert_eq!(socket(&path, me).severity, Severity::Ok);
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let open = socket(&path, me);
    assert_eq!(open.severity, Severity::Bad);
    assert_eq!(open.mend.unwrap(), format!("chmod go-w {}", home.path().display()));
}
