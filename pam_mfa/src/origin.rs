// SPDX-License-Identifier: GPL-3.0-or-later
//! Where a login comes from, as far as it takes reading: the terminal's session and the key that
//! sshd has verified. For grace.

use std::path::PathBuf;

use mfa_proto::login::{Origin, ProcessSession};

/// The variable of the PAM handle, not of the process, in which sshd says how a login was
/// authenticated so far: one method a line. sshd sets it after it has verified the signature; a
/// user cannot.
pub(crate) const SSH_AUTH_INFO: &str = "SSH_AUTH_INFO_0";

/// Is this `PAM_TTY` a terminal? sshd says `ssh` before it has one, display managers name an X
/// display.
pub(crate) fn is_terminal(tty: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match tty.strip_prefix("/dev/") {
        Some(device) => !device.is_empty(),
        None => ["pts/", "tty"].iter().any(|kind| tty.strip_prefix(kind).is_some_and(number)),
    }
}

/// The file that says when the leader of the session `id` was started.
pub(crate) fn stat_path(id: u32) -> PathBuf {
    PathBuf::from(format!("/proc/{id}/stat"))
}

/// The session, from what stands in that file: field 22 of proc_pid_stat(5). The second field is
/// the program's name in parentheses and may hold anything, so fields are counted from its end.
pub(crate) fn session(id: u32, stat: &str) -> Option<ProcessSession> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let started = after_name.split_ascii_whitespace().nth(22 - 3)?.parse().ok()?;
    Some(ProcessSession { id, started })
}

/// The public key in [`SSH_AUTH_INFO`], `TYPE BASE64`. A certificate is none: it is another text
/// each time it is signed anew, and its key alone would say less than sshd has checked.
pub(crate) fn ssh_key(methods: &str) -> Option<String> {
    // What hostbased and gssapi add to their line is text from the other end, and could go on with
    // a line of its own; so nothing behind such a line is read.
    let mut lines = methods.lines();
    let key = lines.find(|line| line.contains(' '))?.strip_prefix("publickey ")?;
    let (kind, blob) = key.split_once(' ')?;
    let kind_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-.@_".contains(&byte);
    let blob_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    let well_formed = key.len() <= Origin::SSH_KEY_MAX
        && !kind.is_empty()
        && kind.bytes().all(kind_byte)
        && !kind.split('-').any(|part| part == "cert")
        && !blob.is_empty()
        && blob.bytes().all(blob_byte);
    well_formed.then(|| key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_names_a_device_is_a_terminal() {
        for terminal in ["/dev/pts/0", "/dev/tty1", "/dev/console", "pts/12", "tty1"] {
            assert!(is_terminal(terminal), "{terminal}");
        }
        for other in ["", "ssh", ":0", "cron", "/dev/", "pts/", "tty", "pts/x", "ttyx", "unknown"] {
            assert!(!is_terminal(other), "{other}");
        }
    }

    #[test]
    fn the_session_is_read_behind_a_name_that_looks_like_fields() {
        let fields: Vec<_> = (3..=52).map(|n| n.to_string()).collect();
        let stat = |name: &str| format!("77 ({name}) {}\n", fields.join(" "));
        for name in ["bash", "a) S 1 1 1 (b", "x\ny", ""] {
            let found = session(77, &stat(name));
            assert_eq!(found, Some(ProcessSession { id: 77, started: 22 }), "{name:?}");
        }
        for bad in ["", "77 bash 3 4", "77 (bash)", "77 (bash) 3 4 5"] {
            assert_eq!(session(77, bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_session_of_this_process_can_be_read() {
        let own = std::process::id();
        let stat = std::fs::read_to_string(stat_path(own)).unwrap();
        assert!(session(own, &stat).unwrap().started > 0);
    }

    #[test]
    fn the_first_verified_key_is_taken_without_anything_else() {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP+/abc=";
        for methods in [
            format!("publickey {key}"),
            format!("publickey {key}\n"),
            format!(
                "password\npublickey {key}\npublickey ssh-rsa AAAA\nkeyboard-interactive/pam\n"
            ),
        ] {
            assert_eq!(ssh_key(&methods).as_deref(), Some(key), "{methods}");
        }
        let longest = |len: usize| format!("publickey ssh-rsa {}", "A".repeat(len - 8));
        assert!(ssh_key(&longest(Origin::SSH_KEY_MAX)).is_some());
        for methods in [
            String::new(),
            "password\n".to_owned(),
            format!("hostbased client user \"publickey {key}\""),
            format!(" publickey {key}"),
            format!("hostbased client user \"a\npublickey {key}\n\", client host \"b\""),
            format!("publickey {key} comment"),
            "publickey ssh-ed25519".to_owned(),
            "publickey ssh-ed25519 ".to_owned(),
            "publickey  AAAA".to_owned(),
            "publickey ssh-ed25519 AA\u{1b}A".to_owned(),
            "publickey ssh-ed25519-cert-v01@openssh.com AAAA".to_owned(),
            longest(Origin::SSH_KEY_MAX + 1),
        ] {
            assert_eq!(ssh_key(&methods), None, "{methods}");
        }
    }
}
