// SPDX-License-Identifier: GPL-3.0-or-later
//! Services as distributions ship them, and as administrators change them.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const LINE: &str = "auth required pam_mfa.so nullok";

const DEBIAN_COMMON_AUTH: &str = "\
auth\t[success=1 default=ignore]\tpam_unix.so nullok
# here's the fallback if no module succeeds
auth\trequisite\t\t\tpam_deny.so
auth\trequired\t\t\tpam_permit.so
";

const DEBIAN_SSHD: &str = "\
# PAM configuration for the Secure Shell service

# Standard Un*x authentication.
@include common-auth

# Disallow non-root logins when /etc/nologin exists.
account    required     pam_nologin.so
@include common-account
";

const FEDORA_SYSTEM_AUTH: &str = "\
auth        required      pam_env.so
auth        [default=1 ignore=ignore success=ok]         pam_usertype.so isregular
auth        sufficient    pam_unix.so nullok
auth        required      pam_deny.so
account     required      pam_unix.so
";

const FEDORA_SSHD: &str = "\
#%PAM-1.0
auth       substack     password-auth
auth       include      postlogin
account    required     pam_sepermit.so
account    include      password-auth
";

const FEDORA_SUDO: &str = "\
#%PAM-1.0
auth       include      system-auth
account    include      system-auth
";

/// The files of both distributions.
fn files() -> BTreeMap<&'static str, &'static str> {
    BTreeMap::from([
        ("common-auth", DEBIAN_COMMON_AUTH),
        ("system-auth", FEDORA_SYSTEM_AUTH),
        ("password-auth", FEDORA_SYSTEM_AUTH),
        ("common-account", "account required pam_unix.so\n"),
        ("postlogin", "session optional pam_lastlog.so\n"),
        ("loop", "@include loop\n"),
    ])
}

fn included(name: &str) -> Option<Vec<u8>> {
    files().get(name).map(|text| text.as_bytes().to_vec())
}

fn remove(text: &[u8], scope: Scope, turned: Option<&Turned>) -> Vec<u8> {
    super::remove(text, scope, turned, &included)
}

/// Adds the line to `text` among them.
fn added(text: &str) -> Result<Edit, NoPlace> {
    let files = files();
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in &files {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    let flaws = |text: &[u8]| {
        std::fs::write(directory.path().join("it"), text).unwrap();
        crate::pam_change::flaws(directory.path(), "it").unwrap_or_else(|error| vec![error])
    };
    add(text.as_bytes(), &["nullok".to_owned()], &included, &flaws)
}

#[track_caller]
fn good(text: &str) -> String {
    let edit = added(text).unwrap();
    assert_eq!(edit.flaws, Vec::<String>::new(), "{text}");
    assert_eq!(edit.line, LINE);
    let undone = remove(&edit.after, Scope::Auth, edit.turned.as_ref());
    assert_eq!(String::from_utf8(undone).unwrap().trim_end(), text.trim_end());
    String::from_utf8(edit.after).unwrap()
}

#[test]
fn on_debian_it_stands_right_behind_the_included_password() {
    let expected =
        DEBIAN_SSHD.replace("@include common-auth\n", &format!("@include common-auth\n{LINE}\n"));
    assert_eq!(good(DEBIAN_SSHD), expected);
    let su = "auth sufficient pam_rootok.so\n@include common-auth\n@include common-account\n";
    assert_eq!(
        good(su),
        format!(
            "auth sufficient pam_rootok.so\n@include common-auth\n{LINE}\n@include common-account\n"
        )
    );
}

#[test]
fn on_fedora_it_stands_behind_the_substack() {
    let expected =
        FEDORA_SSHD.replace("auth       include", &format!("{LINE}\nauth       include"));
    assert_eq!(good(FEDORA_SSHD), expected);
}

#[test]
fn an_include_whose_success_would_end_the_stack_becomes_a_substack() {
    let edit = added(FEDORA_SUDO).unwrap();
    let expected = format!(
        "#%PAM-1.0\nauth       substack      system-auth\n{LINE}\naccount    include      system-auth\n"
    );
    assert_eq!(good(FEDORA_SUDO), expected);
    assert_eq!(edit.turned.unwrap().from, "auth       include      system-auth\n");
}

#[test]
fn no_jump_passes_over_it() {
    let debian = DEBIAN_COMMON_AUTH.to_owned();
    let behind_deny = debian.replace("pam_deny.so\n", &format!("pam_deny.so\n{LINE}\n"));
    assert_eq!(good(&debian), behind_deny);
    let long = "auth [success=2 default=ignore] pam_unix.so\nauth [success=1 default=ignore] pam_sss.so\n\
                auth requisite pam_deny.so\nauth required pam_permit.so\n";
    let behind_deny = long.replace("pam_deny.so\n", &format!("pam_deny.so\n{LINE}\n"));
    assert_eq!(good(long), behind_deny);
    // A failure that jumps counts as well.
    let failing =
        "auth required pam_unix.so\nauth [success=ok default=1] pam_x.so\nauth required pam_y.so\n";
    assert_eq!(good(failing), failing.replace("pam_unix.so\n", &format!("pam_unix.so\n{LINE}\n")));
    let over_all = "auth [success=ok user_unknown=9 default=bad] pam_unix.so\n";
    assert_eq!(added(over_all), Err(NoPlace::JumpedOver));
}

#[test]
fn a_stack_that_ends_before_it_is_told_with_the_line_that_ends_it() {
    let edit = added("auth sufficient pam_fprintd.so\n@include common-auth\n").unwrap();
    assert!(edit.flaws[0].contains("pam_fprintd.so"), "{:?}", edit.flaws);
    let edit = added("auth sufficient pam_unix.so\nauth required pam_deny.so\n").unwrap();
    assert!(edit.flaws[0].contains("pam_unix.so"), "{:?}", edit.flaws);
}

#[test]
fn without_a_password_or_with_a_broken_include_there_is_no_place() {
    assert_eq!(added("auth required pam_rootok.so\n"), Err(NoPlace::NoPassword));
    assert_eq!(added("account required pam_unix.so\n"), Err(NoPlace::NoPassword));
    assert_eq!(added(""), Err(NoPlace::NoPassword));
    assert_eq!(added("@include nothing\n"), Err(NoPlace::Unreadable("nothing".to_owned())));
    assert_eq!(added("@include loop\n"), Err(NoPlace::Unreadable("loop".to_owned())));
}

#[test]
fn continued_lines_comments_and_a_missing_line_end_are_respected() {
    assert_eq!(
        good("auth required \\\n  pam_unix.so \\\n  nullok\n"),
        format!("auth required \\\n  pam_unix.so \\\n  nullok\n{LINE}\n")
    );
    assert_eq!(good("@include common-auth # here"), format!("@include common-auth # here\n{LINE}"));
    assert_eq!(good("#auth required pam_unix.so\n@include common-auth\n").matches(LINE).count(), 1);
}

#[test]
fn whatever_else_was_changed_by_hand_stays() {
    let edit = added(FEDORA_SUDO).unwrap();
    let mut by_hand = edit.after.clone();
    by_hand.extend_from_slice(b"session optional pam_umask.so # \xe4lter\n");
    let undone = remove(&by_hand, Scope::Auth, edit.turned.as_ref());
    let mut expected = FEDORA_SUDO.as_bytes().to_vec();
    expected.extend_from_slice(b"session optional pam_umask.so # \xe4lter\n");
    assert_eq!(undone, expected);
    // Ours with other options is still ours; those of enrolment go only with all.
    let changed = "auth required pam_unix.so\n-auth [success=ok default=die] /lib/security/pam_mfa.so \\\n \
                   debug\naccount required pam_mfa.so enroll\n";
    assert_eq!(
        remove(changed.as_bytes(), Scope::Auth, None),
        b"auth required pam_unix.so\naccount required pam_mfa.so enroll\n"
    );
    assert_eq!(remove(changed.as_bytes(), Scope::All, None), b"auth required pam_unix.so\n");
    let none = b"# auth required pam_mfa.so\nauth required pam_unix.so";
    assert_eq!(remove(none, Scope::All, None), none);
}

#[test]
fn on_a_full_disk_one_byte_makes_a_comment_of_it() {
    let mut text = b"auth required pam_unix.so\n  auth required pam_mfa.so \\\n nullok\n".to_vec();
    let places = comment_out(&text, Scope::Auth, &included).unwrap();
    assert_eq!(places.len(), 2);
    places.into_iter().for_each(|at| text[at] = b'#');
    assert_eq!(text, b"auth required pam_unix.so\n  #uth required pam_mfa.so \\\n #ullok\n");
    assert_eq!(remove(&text, Scope::All, None), text);
}

#[test]
fn a_line_that_a_jump_counts_leaves_one_that_counts_for_nothing() {
    const NOTHING: &str = "auth [default=ignore] pam_permit.so\n";
    let without = |before: &str| {
        let text = format!("{before}auth required pam_mfa.so\nauth required pam_unix.so\n");
        let left = String::from_utf8(remove(text.as_bytes(), Scope::All, None)).unwrap();
        let is_counted = left == format!("{before}{NOTHING}auth required pam_unix.so\n");
        assert!(is_counted || left == format!("{before}auth required pam_unix.so\n"), "{left}");
        // No byte in its place makes such a line of it.
        assert_eq!(comment_out(text.as_bytes(), Scope::All, &included).is_none(), is_counted);
        is_counted
    };
    assert!(without("auth [success=1 default=ignore] pam_access.so\n"));
    assert!(without("auth [success=2 default=ignore] pam_access.so\nauth required pam_env.so\n"));
    // Nothing of postlogin is for auth, and what cannot be read is not counted on.
    assert!(without("auth [success=1 default=ignore] pam_access.so\nauth include postlogin\n"));
    assert!(without("auth [success=1 default=ignore] pam_access.so\n@include missing\n"));
    assert!(!without("auth [success=1 default=ignore] pam_access.so\nauth required pam_env.so\n"));
    assert!(!without("auth [success=1 default=ignore] pam_access.so\n@include common-auth\n"));
    assert!(!without("@include common-auth\n"));
}

#[test]
fn a_line_behind_that_takes_the_password_of_ours_is_seen() {
    let text = |ours: &str, behind: &str| {
        feeds_another(format!("auth required pam_mfa.so {ours}\n{behind}\n").as_bytes())
    };
    assert!(text("forward_pass", "auth required pam_unix.so use_first_pass"));
    assert!(!text("forward_pass", "auth required pam_unix.so try_first_pass"));
    assert!(!text("nullok", "auth required pam_unix.so use_first_pass"));
    assert!(!text("forward_pass", "password required pam_unix.so use_first_pass"));
}

#[test]
fn a_line_goes_on_over_comments_and_a_comment_ends_it() {
    let lines = |text: &str| {
        let lines = super::lines::lines(text.as_bytes());
        lines.into_iter().map(|line| text[line.range].to_owned()).collect::<Vec<_>>()
    };
    let over = "auth required pam_unix.so \\\n# and\n\n nullok\n";
    assert_eq!(lines(over), [over]);
    let (ended, next) = ("auth required pam_unix.so \\ # and\n", "auth required pam_env.so\n");
    assert_eq!(lines(&format!("{ended}{next}")), [ended, next]);
}

proptest! {
    #[test]
    fn adding_and_removing_gives_back_any_file(
        lines in prop::collection::vec(
            prop::sample::select(vec![
                "@include common-auth", "auth required pam_unix.so", "# auth", "", "session required pam_x.so",
                "auth [success=1 default=ignore] pam_y.so", "auth include system-auth", "auth \\",
                "auth substack system-auth", "auth sufficient pam_sss.so", "\tauth optional pam_z.so # x",
            ]),
            0..12,
        ),
    ) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        if let Ok(edit) = added(&text) {
            prop_assert_eq!(remove(&edit.after, Scope::Auth, edit.turned.as_ref()), text.as_bytes());
            prop_assert_eq!(super::lines::lines(&edit.after).len(), super::lines::lines(text.as_bytes()).len() + 1);
        }
    }
}
