// SPDX-License-Identifier: GPL-3.0-or-later
//! What the daemon takes from itself before it opens anything foreign: beyond its unit, and where
//! there is none.
//!
//! Landlock leaves it its state and its socket to write, and no program to run. A filter of system
//! calls takes the rest that a daemon of this kind never needs; below systemd the unit's own, which
//! is stricter, is there already and may allow no other. Both hold for the calling thread and those
//! that it starts, so [`confine`] comes before the first of them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, PathFdError, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

/// The newest rights of Landlock that are asked for; an older kernel gives what it has.
const RIGHTS: ABI = ABI::V6;

/// What is read besides the daemon's own: libraries, name services and what they read, time zones;
/// of the devices those that a library of the system may want, and no disk. Those that are not there
/// are passed over.
const READ: [&str; 10] = [
    "/etc",
    "/usr",
    "/lib",
    "/lib64",
    "/run",
    "/proc",
    "/dev/null",
    "/dev/urandom",
    "/var/lib/sss",
    "/var/lib/extrausers",
];

/// Kernel interfaces that a daemon which only answers on a socket has no use for, and an intruder
/// has. All that is not named stays: a library of the system that begins to use a new system call
/// must not keep everybody out.
const REFUSED: [i64; 34] = [
    // Other programs, other processes.
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // Another root, other namespaces.
    libc::SYS_chroot,
    libc::SYS_pivot_root,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_unshare,
    libc::SYS_setns,
    // Other identities.
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setgroups,
    libc::SYS_capset,
    // The kernel itself.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_kexec_load,
    libc::SYS_add_key,
    libc::SYS_keyctl,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_reboot,
];

/// Flags of clone(2) that make a namespace.
const NAMESPACES: [i32; 7] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
];

/// Where the daemon's files are. All of them are there already.
#[derive(Debug)]
pub struct Places {
    /// Directories that it makes, writes and removes files in.
    pub written: Vec<PathBuf>,
    /// Directories and files that it reads.
    pub read: Vec<PathBuf>,
}

/// What is in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Confined {
    /// Whether the kernel has Landlock.
    pub files: bool,
    /// Whose filter of system calls it is.
    pub calls: Calls,
}

/// Whose filter of system calls is in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Calls {
    /// Only the one that was there before, systemd's, which lets no other be added.
    Given,
    /// The daemon's.
    Own,
}

/// Why the daemon is not confined.
#[derive(Debug)]
pub enum SandboxError {
    /// prctl(2): no new privileges.
    Privileges(nix::errno::Errno),
    /// A directory that is not there.
    Place(PathFdError),
    /// Landlock.
    Files(RulesetError),
    /// seccomp(2).
    Calls(seccompiler::Error),
    /// `/proc/thread-self/status`.
    Status(std::io::Error),
}

impl fmt::Display for SandboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the daemon cannot shut itself in: ")?;
        match self {
            Self::Privileges(error) => write!(f, "no_new_privs: {error}"),
            Self::Place(error) => write!(f, "{error}"),
            Self::Files(error) => write!(f, "Landlock: {error}"),
            Self::Calls(error) => write!(f, "seccomp: {error}"),
            Self::Status(error) => write!(f, "/proc/thread-self/status: {error}"),
        }
    }
}

impl std::error::Error for SandboxError {}

/// Shuts the calling thread in, with those that it starts from now on. There is no way back.
///
/// # Errors
/// [`SandboxError`]. A kernel without Landlock is none: see [`Confined::files`].
pub fn confine(places: &Places) -> Result<Confined, SandboxError> {
    nix::sys::prctl::set_no_new_privs().map_err(SandboxError::Privileges)?;
    let files = confine_files(places)?;
    let given = is_filtered().map_err(SandboxError::Status)?;
    let calls = match refuse_calls() {
        Ok(()) => Calls::Own,
        // The unit's filter lets no other be added.
        Err(_) if given => Calls::Given,
        Err(error) => return Err(SandboxError::Calls(error)),
    };
    Ok(Confined { files, calls })
}

fn confine_files(places: &Places) -> Result<bool, SandboxError> {
    let beneath = |path: &Path, rights| {
        let place = PathFd::new(path).map_err(SandboxError::Place)?;
        Ok(PathBeneath::new(place, rights))
    };
    // To run a program is in neither; a library is mapped, which takes no right but to read.
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let write = read
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::MakeSock
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::Refer;
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(RIGHTS))
        .and_then(|rules| rules.scope(Scope::Signal))
        .and_then(Ruleset::create)
        .map_err(SandboxError::Files)?;
    let system = READ.iter().map(Path::new).filter(|path| path.exists());
    for path in system.chain(places.read.iter().map(PathBuf::as_path)) {
        rules = rules.add_rule(beneath(path, read)?).map_err(SandboxError::Files)?;
    }
    for path in &places.written {
        rules = rules.add_rule(beneath(path, write)?).map_err(SandboxError::Files)?;
    }
    let status = rules.restrict_self().map_err(SandboxError::Files)?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}

/// Whether a filter of system calls is in force for this thread, proc(5).
fn is_filtered() -> std::io::Result<bool> {
    let status = std::fs::read_to_string("/proc/thread-self/status")?;
    Ok(status.lines().any(|line| line.split_whitespace().eq(["Seccomp:", "2"])))
}

fn refuse_calls() -> Result<(), seccompiler::Error> {
    let mut refused: BTreeMap<i64, Vec<SeccompRule>> =
        REFUSED.into_iter().map(|call| (call, Vec::new())).collect();
    let flagged = NAMESPACES.into_iter().map(|flag| {
        let flag = flag.unsigned_abs().into();
        let op = SeccompCmpOp::MaskedEq(flag);
        SeccompCondition::new(0, SeccompCmpArgLen::Qword, op, flag)
            .and_then(|condition| SeccompRule::new(vec![condition]))
    });
    refused.insert(libc::SYS_clone, flagged.collect::<Result<_, _>>()?);
    let arch = std::env::consts::ARCH.try_into()?;
    let errno = |errno: i32| SeccompAction::Errno(errno.unsigned_abs());
    // The flags of clone3(2) are in memory, where a filter cannot look. To say that there is no such
    // call makes libc take clone(2).
    let clone3 = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    for (calls, answer) in [(refused, libc::EPERM), (clone3, libc::ENOSYS)] {
        let filter = SeccompFilter::new(calls, SeccompAction::Allow, errno(answer), arch)?;
        let program = BpfProgram::try_from(filter)?;
        seccompiler::apply_filter(&program)?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "sandbox/tests.rs"]
mod tests;
