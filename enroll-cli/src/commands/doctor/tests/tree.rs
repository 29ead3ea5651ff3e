// SPDX-License-Identifier: GPL-3.0-or-later
//! A machine as a tree of files, and the mends applied to it.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::finding::{Finding, Mend, in_order};
use super::super::host::{self, Host, Ran};
use super::super::{look, module_file};

/// What `sshd -T` of Debian 12 printed for its own configuration with `KbdInteractiveAuthentication yes`,
/// `PasswordAuthentication no`, `PermitRootLogin yes` and
/// `AuthenticationMethods publickey,keyboard-interactive keyboard-interactive`.
pub(super) const SSHD: &str = include_str!("../sshd/bookworm.txt");

/// The daemon's socket.
const SOCKET: &str = "/run/mfa/mfa.sock";

/// 2026-12-01.
pub(super) const NOW: u64 = 1_796_083_200;

pub(super) struct Tree {
    root: tempfile::TempDir,
}

pub(super) const COMMON_AUTH: &str = "\
auth\t[success=1 default=ignore]\tpam_unix.so nullok
auth\trequisite\t\t\tpam_deny.so
auth\trequired\t\t\tpam_permit.so
";

impl Tree {
    /// Debian, with lines in sshd and sudo, and everything else in order.
    pub(super) fn debian() -> Self {
        let tree = Self::without_services();
        tree.write("etc/pam.d/common-auth", COMMON_AUTH);
        tree.write("etc/pam.d/common-account", "account required pam_unix.so\n");
        tree.write("etc/pam.d/common-password", "password required pam_unix.so\n");
        tree.write("etc/pam.d/other", "@include common-auth\n@include common-account\n");
        for service in ["sshd", "sudo"] {
            tree.service(service, "@include common-auth\nauth required pam_mfa.so\n");
        }
        tree
    }

    /// The same without any service.
    pub(super) fn without_services() -> Self {
        let tree = Self { root: tempfile::tempdir().unwrap() };
        let owner = nix::unistd::geteuid();
        tree.write(
            "etc/passwd",
            &format!("ann:x:1000:1000::/:/bin/sh\nmfa:x:{owner}:1::/:/bin/false\n"),
        );
        tree.write("etc/group", "");
        tree.write("etc/mfa/mfa.toml", "# all defaults\n");
        tree.write("etc/ssh/sshd_config", "");
        tree.write("etc/sudoers", "%sudo ALL=(ALL:ALL) ALL\n");
        tree.write("usr/sbin/sshd", "");
        tree.write("sshd-T", SSHD);
        for module in [
            "unix",
            "deny",
            "permit",
            "rootok",
            "succeed_if",
            "env",
            "localuser",
            "usertype",
            "sss",
            "faildelay",
        ] {
            tree.write(&format!("usr/lib/x86_64-linux-gnu/security/pam_{module}.so"), "");
        }
        tree.module(&format!("@(#)pam_mfa {}\0", module_file::VERSION));
        for (path, mode) in [("var/lib/mfa/mfa.db", 0o600), ("var/lib/mfa/master.key", 0o600)] {
            tree.write(path, "");
            tree.chmod(path, mode);
        }
        tree.chmod("var/lib/mfa", 0o700);
        tree
    }

    /// A module's file for this machine, with this in it.
    pub(super) fn module(&self, mark: &str) {
        let header = fs::read("/proc/self/exe").unwrap()[..64].to_vec();
        let path = self.path(MODULE_FILE);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, [&header, mark.as_bytes()].concat()).unwrap();
    }

    pub(super) fn service(&self, name: &str, auth: &str) {
        let rest = "@include common-account\n@include common-password\n";
        self.write(&format!("etc/pam.d/{name}"), &format!("{auth}{rest}"));
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    pub(super) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(super) fn add(&self, path: &str, text: &str) {
        let before = fs::read_to_string(self.path(path)).unwrap_or_default();
        self.write(path, &(before + text));
    }

    pub(super) fn chmod(&self, path: &str, mode: u32) {
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(super) fn chown(&self, path: &str, uid: u32) {
        std::os::unix::fs::chown(self.path(path), Some(uid), None)
            .expect("files are given away, so this test has to run as root");
    }

    /// sshd is asked from what was recorded, in which a setting that is added comes first; the daemon's
    /// own check runs.
    fn run(&self, command: &[&str]) -> io::Result<Ran> {
        match command {
            [program, "-T", ..] if program.ends_with("/sshd") => {
                let out = fs::read_to_string(self.path("sshd-T"))?;
                Ok(Ran { succeeded: true, out, err: String::new() })
            }
            ["/usr/sbin/mfa-daemon", rest @ ..] => {
                let daemon = daemon_program().display().to_string();
                host::run(&[&[&*daemon], rest].concat())
            }
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// What the doctor finds in it, as root.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let run = |command: &[&str]| self.run(command);
        in_order(look(&Host::of_tree(self.root.path(), &run), Path::new(SOCKET), NOW).0)
    }

    /// The same, as an ordinary user.
    pub(super) fn findings_as(&self, uid: u32) -> Vec<Finding> {
        let run = |command: &[&str]| self.run(command);
        let host = Host::of_tree(self.root.path(), &run).seen_by(uid);
        in_order(look(&host, Path::new(SOCKET), NOW).0)
    }

    pub(super) fn apply(&self, mend: &Mend) {
        let edit = |file: &Path, change: &dyn Fn(&mut Vec<String>)| {
            let text = fs::read_to_string(file).unwrap_or_default();
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            change(&mut lines);
            fs::write(file, lines.join("\n") + "\n").unwrap();
        };
        match mend {
            Mend::Replace { file, line, text } => {
                edit(file, &|lines| lines[line - 1].clone_from(text));
            }
            Mend::Before { file, line, text } => {
                edit(file, &|lines| lines.insert(line - 1, text.clone()));
            }
            Mend::Remove { file, line } => edit(file, &|lines| drop(lines.remove(line - 1))),
            Mend::Add { file, text } => edit(file, &|lines| lines.push(text.clone())),
            Mend::Command(command) => self.carry_out(command),
            Mend::Advice(text) => panic!("nobody can apply {text:?}"),
        }
    }

    fn carry_out(&self, command: &str) {
        if let Some(path) = command.strip_prefix("restorecon -v ") {
            // There is no policy here that could say which label is right.
            xattr::set(path, LABEL, b"system_u:object_r:lib_t:s0").unwrap();
            return;
        }
        assert!(command.contains(self.root.path().to_str().unwrap()), "{command:?} goes elsewhere");
        let command = command.replace("chown mfa:", &format!("chown {}", nix::unistd::geteuid()));
        assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success(), "{command}");
    }
}

/// Where Debian has it.
pub(super) const MODULE_FILE: &str = "usr/lib/x86_64-linux-gnu/security/pam_mfa.so";

/// What stands for security.selinux, which a machine without SELinux need not let anybody set.
pub(super) const LABEL: &str = "user.mfa-test-label";

/// Cargo builds only this package for its tests; the daemon stands beside them once it was built.
fn daemon_program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().unwrap().parent().unwrap().join("mfa-daemon");
    assert!(
        program.exists(),
        "{} is missing: run `cargo build -p mfa-daemon` with the same profile first",
        program.display()
    );
    program
}
