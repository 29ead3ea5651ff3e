// SPDX-License-Identifier: GPL-3.0-or-later
//! A thread that shuts itself in tries what it must not; before, and from another thread, it can.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sched::CloneFlags;

use super::*;

struct House {
    home: tempfile::TempDir,
}

impl House {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        for directory in ["state", "etc", "elsewhere"] {
            fs::create_dir(home.path().join(directory)).unwrap();
            fs::write(home.path().join(directory).join("there"), "text").unwrap();
        }
        Self { home }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Runs `work` in a thread that is shut in.
    fn confined<T: Send>(&self, work: impl FnOnce(Confined) -> T + Send) -> T {
        let places =
            Places { written: vec![self.path("state")], read: vec![self.path("etc/there")] };
        std::thread::scope(|scope| scope.spawn(|| work(confine(&places).unwrap())).join().unwrap())
    }
}

fn denied<T>(result: io::Result<T>) -> bool {
    result.err().is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

/// Writes, makes, renames and removes in `directory`.
fn write_in(directory: &Path) -> io::Result<()> {
    fs::write(directory.join("there"), "other")?;
    fs::write(directory.join("new"), "text")?;
    fs::rename(directory.join("new"), directory.join("newer"))?;
    fs::create_dir(directory.join("made"))?;
    fs::remove_dir(directory.join("made"))?;
    fs::remove_file(directory.join("newer"))
}

#[test]
fn state_is_written_and_nothing_else_is() {
    let house = House::new();
    write_in(&house.path("elsewhere")).unwrap();
    house.confined(|confined| {
        assert!(confined.files, "this kernel has no Landlock, so this cannot be shown here");
        write_in(&house.path("state")).unwrap();
        for directory in ["elsewhere", "etc"] {
            let directory = house.path(directory);
            assert!(denied(fs::write(directory.join("there"), "other")), "{directory:?}");
            assert!(denied(fs::write(directory.join("new"), "text")));
            assert!(denied(fs::remove_file(directory.join("there"))));
            let moved = fs::rename(house.path("state/there"), directory.join("moved"));
            assert!(moved.is_err());
        }
    });
    write_in(&house.path("elsewhere")).unwrap();
}

#[test]
fn the_configuration_and_the_system_are_read_and_nothing_else_is() {
    let house = House::new();
    house.confined(|_| {
        assert_eq!(fs::read_to_string(house.path("etc/there")).unwrap(), "text");
        assert!(fs::read_to_string("/etc/passwd").unwrap().contains("root"));
        assert!(nix::unistd::User::from_name("root").unwrap().is_some());
        assert!(denied(fs::read(house.path("elsewhere/there"))));
        assert!(denied(fs::read_dir(house.path("elsewhere"))));
        assert_eq!(fs::read("/dev/null").unwrap(), b"");
        for device in ["/dev/zero", "/dev/full"] {
            assert!(denied(fs::File::open(device)), "{device}: a disk could be read as well");
        }
    });
    assert_eq!(fs::read_to_string(house.path("elsewhere/there")).unwrap(), "text");
    assert!(fs::File::open("/dev/zero").is_ok());
}

#[test]
fn no_program_is_run_and_no_namespace_made() {
    let house = House::new();
    assert!(Command::new("/bin/true").status().unwrap().success());
    house.confined(|_| {
        assert!(denied(Command::new("/bin/true").status()));
        let made = nix::sched::unshare(CloneFlags::CLONE_NEWUSER);
        assert_eq!(made, Err(nix::errno::Errno::EPERM));
    });
    assert!(Command::new("/bin/true").status().unwrap().success());
}

#[test]
fn privileges_are_not_regained_and_the_filter_is_there() {
    let house = House::new();
    let status = || fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = |text: &str, name: &str| {
        text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned()
    };
    let before = status();
    let (calls, inside) = house.confined(|confined| (confined.calls, status()));
    assert_eq!(line(&inside, "NoNewPrivs:"), "NoNewPrivs:\t1");
    assert_eq!(line(&inside, "Seccomp:"), "Seccomp:\t2");
    // Also below a filter that somebody else has set, as in a container.
    let filters = |text: &str| {
        let count = line(text, "Seccomp_filters:");
        count.split_whitespace().last().unwrap().parse::<u32>().unwrap()
    };
    assert_eq!(calls, Calls::Own);
    assert_eq!(filters(&inside), filters(&before) + 2);
    assert_eq!(line(&status(), "NoNewPrivs:"), line(&before, "NoNewPrivs:"));
}

#[test]
fn threads_are_started_and_shut_in_as_well() {
    let house = House::new();
    house.confined(|_| {
        let inner = std::thread::scope(|scope| {
            scope.spawn(|| denied(fs::read(house.path("elsewhere/there")))).join().unwrap()
        });
        assert!(inner);
    });
}

#[test]
fn a_place_that_is_not_there_is_an_error() {
    let house = House::new();
    let places = Places { written: vec![house.path("missing")], read: vec![] };
    let error = std::thread::scope(|scope| scope.spawn(|| confine(&places)).join().unwrap());
    assert!(error.unwrap_err().to_string().contains("missing"));
}
