// SPDX-License-Identifier: GPL-3.0-or-later
//! The machine that is looked at: where its files begin, who looks, and how its programs are asked.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program that has ended.
pub(super) struct Ran {
    pub(super) succeeded: bool,
    pub(super) out: String,
    pub(super) err: String,
}

/// Runs a program and waits for its end.
pub(super) type Run<'a> = &'a dyn Fn(&[&str]) -> io::Result<Ran>;

pub(super) struct Host<'a> {
    root: PathBuf,
    /// Who looks.
    uid: u32,
    run: Run<'a>,
    /// The uid that system files belong to: 0, but for the tests.
    system_owner: u32,
    /// The attribute with a file's label.
    pub(super) label: &'static str,
}

impl<'a> Host<'a> {
    /// The machine that this runs on.
    pub(super) fn here(run: Run<'a>) -> Self {
        let uid = nix::unistd::geteuid().as_raw();
        Self { root: PathBuf::from("/"), uid, run, system_owner: 0, label: "security.selinux" }
    }

    /// A tree of files, looked at by its owner as by root.
    #[cfg(test)]
    pub(super) fn of_tree(root: &Path, run: Run<'a>) -> Self {
        let owner = nix::unistd::geteuid().as_raw();
        Self {
            root: root.to_owned(),
            uid: 0,
            run,
            system_owner: owner,
            label: "user.mfa-test-label",
        }
    }

    #[cfg(test)]
    pub(super) fn for_tests(root: &Path) -> Self {
        Self::of_tree(root, &|_| Err(io::ErrorKind::NotFound.into()))
    }

    /// As somebody else sees it.
    #[cfg(test)]
    pub(super) fn seen_by(self, uid: u32) -> Self {
        Self { uid, ..self }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn is_root(&self) -> bool {
        self.uid == 0
    }

    pub(super) fn uid(&self) -> u32 {
        self.uid
    }

    pub(super) fn system_owner(&self) -> u32 {
        self.system_owner
    }

    /// A path of this machine.
    pub(super) fn below(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    pub(super) fn run(&self, command: &[&str]) -> io::Result<Ran> {
        (self.run)(command)
    }

    /// Somebody who is neither root nor part of the system, of those in /etc/passwd.
    pub(super) fn ordinary_user(&self) -> String {
        let people = self.people();
        people.into_iter().next().unwrap_or_else(|| "nobody".to_owned())
    }

    /// Those of /etc/passwd who are people and may log in.
    pub(super) fn people(&self) -> Vec<String> {
        let shells = ["nologin", "false", "sync"];
        let entries = self.table("/etc/passwd").into_iter().filter(|entry| {
            let uid = entry.get(2).and_then(|uid| uid.parse::<u32>().ok());
            let shell = entry.get(6).map_or("", |shell| shell.rsplit('/').next().unwrap_or(shell));
            uid.is_some_and(|uid| (1000..60_000).contains(&uid)) && !shells.contains(&shell)
        });
        entries.filter_map(|entry| entry.into_iter().next()).collect()
    }

    /// The uid of a name in /etc/passwd.
    pub(super) fn uid_of(&self, name: &str) -> Option<u32> {
        let entry = self
            .table("/etc/passwd")
            .into_iter()
            .find(|entry| entry.first().is_some_and(|first| first == name))?;
        entry.get(2)?.parse().ok()
    }

    /// Somebody in a group, of those in /etc/group and /etc/passwd.
    pub(super) fn member_of(&self, group: &str) -> Option<String> {
        let entry = self
            .table("/etc/group")
            .into_iter()
            .find(|entry| entry.first().is_some_and(|first| first == group))?;
        let members = entry.get(3).map_or("", String::as_str);
        if let Some(first) = members.split(',').find(|member| !member.is_empty()) {
            return Some(first.to_owned());
        }
        let gid = entry.get(2)?.clone();
        let person =
            self.table("/etc/passwd").into_iter().find(|entry| entry.get(3) == Some(&gid))?;
        person.into_iter().next()
    }

    fn table(&self, path: &str) -> Vec<Vec<String>> {
        let bytes = fs::read(self.below(path)).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        text.lines().map(|line| line.split(':').map(str::to_owned).collect()).collect()
    }
}

/// Runs a program of this machine, without anything of its caller's environment.
pub(super) fn run(command: &[&str]) -> io::Result<Ran> {
    let (program, arguments) =
        command.split_first().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let ended = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()?;
    Ok(Ran {
        succeeded: ended.status.success(),
        out: String::from_utf8_lossy(&ended.stdout).into_owned(),
        err: String::from_utf8_lossy(&ended.stderr).into_owned(),
    })
}
