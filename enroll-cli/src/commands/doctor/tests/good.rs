// SPDX-License-Identifier: GPL-3.0-or-later
//! Machines that are well, about which there is nothing to say but what somebody has chosen.

use super::super::finding::Severity;
use super::tree::{COMMON_AUTH, SSHD, Tree};

/// Fails where there is anything to mend; returns the identifiers of the notes.
#[track_caller]
fn notes(tree: &Tree) -> Vec<&'static str> {
    let findings = tree.findings();
    assert!(
        findings.iter().all(|finding| finding.severity() >= Severity::Note),
        "something to mend: {findings:#?}"
    );
    assert!(
        findings
            .iter()
            .any(|finding| finding.check.id() == "pam.asks" || finding.check.id() == "pam.nullok")
    );
    let notes = findings.iter().filter(|finding| finding.severity() == Severity::Note);
    notes.map(|finding| finding.check.id()).collect()
}

#[test]
fn debian_with_lines_in_two_services() {
    assert_eq!(notes(&Tree::debian()), [""; 0]);
}

#[test]
fn debian_with_the_packaged_profile() {
    let tree = Tree::debian();
    let profile = include_str!("../../../../../packaging/pam/mfa");
    let line = profile.lines().last().unwrap().trim();
    tree.write("etc/pam.d/common-auth", &format!("{COMMON_AUTH}auth\t{line}\n"));
    for service in ["sshd", "sudo", "login"] {
        tree.service(service, "@include common-auth\n");
    }
    tree.service("su", "auth sufficient pam_rootok.so\n@include common-auth\n");
    assert_eq!(notes(&tree), ["pam.nullok"]);
}

#[test]
fn fedora_with_a_line_behind_the_substack() {
    let tree = Tree::without_services();
    let auth = "\
auth        required                                     pam_env.so
auth        required                                     pam_faildelay.so delay=2000000
auth        [default=1 ignore=ignore success=ok]         pam_usertype.so isregular
auth        [default=1 ignore=ignore success=ok]         pam_localuser.so
auth        sufficient                                   pam_unix.so nullok
auth        [default=1 ignore=ignore success=ok]         pam_usertype.so isregular
auth        sufficient                                   pam_sss.so forward_pass
auth        required                                     pam_deny.so
account     required                                     pam_unix.so
password    sufficient                                   pam_unix.so sha512 shadow use_authtok
password    required                                     pam_deny.so
";
    tree.write("etc/pam.d/system-auth", auth);
    tree.write("etc/pam.d/password-auth", auth);
    tree.write("etc/pam.d/postlogin", "session optional pam_umask.so silent\n");
    let service = |part: &str| {
        format!(
            "#%PAM-1.0\nauth       substack     {part}\nauth       required     pam_mfa.so\n\
             auth       include      postlogin\naccount    include      {part}\n\
             password   include      {part}\n"
        )
    };
    tree.write("etc/pam.d/sshd", &service("password-auth"));
    tree.write("etc/pam.d/sudo", &service("system-auth"));
    assert_eq!(notes(&tree), [""; 0]);
}

#[test]
fn a_key_and_a_code_over_ssh() {
    let tree = Tree::debian();
    tree.service("sshd", "auth required pam_mfa.so\n");
    let both = SSHD.replace(
        "authenticationmethods publickey,keyboard-interactive keyboard-interactive",
        "authenticationmethods publickey,keyboard-interactive",
    );
    assert_ne!(both, SSHD);
    tree.write("sshd-T", &both);
    assert_eq!(notes(&tree), [""; 0]);
}

#[test]
fn a_screen_locker_with_one_field() {
    let tree = Tree::debian();
    let locker = "auth required pam_mfa.so forward_pass\n@include common-auth\n";
    tree.service("i3lock", locker);
    tree.service("xscreensaver", locker);
    assert_eq!(notes(&tree), [""; 0]);
}
