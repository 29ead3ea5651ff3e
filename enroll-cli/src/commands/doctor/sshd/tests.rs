// SPDX-License-Identifier: GPL-3.0-or-later
//! Settings as the sshd of Debian 12 prints them, with one line changed.

use std::path::Path;

use super::super::finding::{Finding, Mend};
use super::super::pam::OverSsh;
use super::{Settings, first_of_all, judge};

const SSHD: &str = include_str!("bookworm.txt");

const PASSWORD_AND_CODE: OverSsh = OverSsh { code_alone: false, one_field: false, enrols: false };
const CODE: OverSsh = OverSsh { code_alone: true, ..PASSWORD_AND_CODE };
const ONE_FIELD: OverSsh = OverSsh { one_field: true, ..PASSWORD_AND_CODE };
const ENROLS: OverSsh = OverSsh { enrols: true, ..PASSWORD_AND_CODE };

/// The settings with other values for some names.
fn with(changes: &[&str]) -> String {
    let changed = |line: &&str| {
        let name = line.split(' ').next().unwrap();
        !changes.iter().any(|change| change.split(' ').next() == Some(name))
    };
    let mut lines: Vec<&str> = SSHD.lines().filter(changed).collect();
    lines.extend(changes);
    lines.join("\n")
}

fn found(settings: &str, over_ssh: OverSsh) -> Vec<Finding> {
    judge(&Settings::parse(settings), over_ssh, Path::new("/nowhere"), None)
}

fn ids(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.check.id()).collect()
}

#[test]
fn settings_that_ask_everybody_have_no_finding() {
    assert_eq!(ids(&found(SSHD, PASSWORD_AND_CODE)), [""; 0]);
    assert_eq!(ids(&found(SSHD, ENROLS)), [""; 0]);
    for fine in [
        &["authenticationmethods publickey,keyboard-interactive:pam", "permitrootlogin no"][..],
        &["authenticationmethods any", "pubkeyauthentication no", "permitrootlogin no"],
        &["permitrootlogin yes", "logingracetime 0"],
    ] {
        assert_eq!(ids(&found(&with(fine), PASSWORD_AND_CODE)), [""; 0], "{fine:?}");
    }
    let field = [
        "kbdinteractiveauthentication no",
        "passwordauthentication yes",
        "authenticationmethods password",
    ];
    assert_eq!(ids(&found(&with(&field), ONE_FIELD)), [""; 0]);
}

#[test]
fn every_setting_that_matters_is_named_and_gone_with_the_line_that_mends_it() {
    let plants: &[(&[&str], OverSsh, &[&str])] = &[
        (&["usepam no"], PASSWORD_AND_CODE, &["sshd.no-pam"]),
        (&["kbdinteractiveauthentication no"], PASSWORD_AND_CODE, &["sshd.no-dialogue"]),
        (
            &["authenticationmethods publickey,password", "passwordauthentication yes"],
            PASSWORD_AND_CODE,
            &["sshd.no-dialogue"],
        ),
        (&["authenticationmethods any"], PASSWORD_AND_CODE, &["sshd.key-alone"]),
        (
            &["authenticationmethods publickey keyboard-interactive"],
            PASSWORD_AND_CODE,
            &["sshd.key-alone"],
        ),
        (
            &[
                "authenticationmethods any",
                "pubkeyauthentication no",
                "hostbasedauthentication yes",
            ],
            PASSWORD_AND_CODE,
            &["sshd.hostbased-alone"],
        ),
        (
            &["authenticationmethods any", "pubkeyauthentication no", "gssapiauthentication yes"],
            PASSWORD_AND_CODE,
            &["sshd.gssapi-alone"],
        ),
        (
            &["authenticationmethods any", "pubkeyauthentication no", "passwordauthentication yes"],
            PASSWORD_AND_CODE,
            &["sshd.password-method"],
        ),
        (&["permitrootlogin no"], CODE, &["sshd.code-alone"]),
        (&["permitemptypasswords yes"], PASSWORD_AND_CODE, &["sshd.empty-passwords"]),
        (&["logingracetime 30"], PASSWORD_AND_CODE, &["sshd.short-grace"]),
        (&["logingracetime 90"], ENROLS, &["sshd.short-grace"]),
        (&["maxauthtries 2"], PASSWORD_AND_CODE, &["sshd.few-tries"]),
        (&["permitrootlogin without-password"], PASSWORD_AND_CODE, &["sshd.root-denied"]),
    ];
    for (changes, over_ssh, expected) in plants {
        let before = found(&with(changes), *over_ssh);
        assert_eq!(ids(&before), *expected, "{changes:?}: {before:#?}");
        let mut changes: Vec<String> = changes.iter().map(|&change| change.to_owned()).collect();
        for mend in before.iter().flat_map(|finding| &finding.mends) {
            let Mend::Before { text, line: 1, .. } = mend else { panic!("{mend:?}") };
            let (name, value) = text.split_once(' ').unwrap();
            let name = name.to_ascii_lowercase();
            changes.retain(|change| change.split(' ').next() != Some(&name));
            changes.push(format!("{name} {value}"));
        }
        let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
        let after = found(&with(&changes), *over_ssh);
        assert_eq!(ids(&after), [""; 0], "{changes:?}: {after:#?}");
    }
}

#[test]
fn what_a_match_block_sets_is_mended_in_it() {
    let settings =
        Settings::parse(&with(&["kbdinteractiveauthentication no", "logingracetime 30"]));
    let found =
        judge(&settings, PASSWORD_AND_CODE, Path::new("/nowhere"), Some("Match User backup"));
    assert_eq!(ids(&found), ["sshd.no-dialogue"]);
    assert_eq!(found[0].subject(), "sshd, Match User backup");
    let expected =
        "in the block `Match User backup` of sshd_config: KbdInteractiveAuthentication yes";
    assert_eq!(found[0].mends, [Mend::Advice(expected.to_owned())]);
}

#[test]
fn a_line_comes_where_it_is_read_first() {
    let directory = tempfile::tempdir().unwrap();
    let mend = |text: &str| {
        std::fs::write(directory.path().join("sshd_config"), text).unwrap();
        first_of_all(directory.path(), "UsePAM yes")
    };
    let first = directory.path().join("sshd_config.d/00-mfa.conf");
    let text = "UsePAM yes".to_owned();
    let debian = "# Debian\n\nInclude /etc/ssh/sshd_config.d/*.conf\nUsePAM no\n";
    assert_eq!(mend(debian), Mend::Add { file: first, text: text.clone() });
    let file = directory.path().join("sshd_config");
    for other in [
        "UsePAM no\nInclude /etc/ssh/sshd_config.d/*.conf\n",
        "#Include /etc/ssh/sshd_config.d/*.conf\n",
        "",
    ] {
        let expected = Mend::Before { file: file.clone(), line: 1, text: text.clone() };
        assert_eq!(mend(other), expected);
    }
}
