// SPDX-License-Identifier: GPL-3.0-or-later
//! What a process can do to itself that a module in it must bear: another uid, a filter of system calls,
//! no standard descriptors, children.

use std::ffi::{c_int, c_long};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;

/// Makes this thread, and no other of the process, that uid: the kernel keeps credentials for each thread,
/// and libc's own functions, which change all of them, are not asked.
pub fn become_in_this_thread(uid: u32) {
    let id = c_long::from(uid);
    // SAFETY: numbers alone; the kernel changes the calling thread's credentials.
    let result = unsafe { libc::syscall(libc::SYS_setresuid, id, id, id) };
    assert_eq!(result, 0, "setresuid({uid}): {}", io::Error::last_os_error());
}

/// Listens again: those who connect are told the credentials of who did so last.
pub fn listen_again(listener: &UnixListener) {
    // SAFETY: a descriptor that is open, and a number.
    let result = unsafe { libc::listen(listener.as_raw_fd(), 128) };
    assert_eq!(result, 0, "listen: {}", io::Error::last_os_error());
}

/// Changes the effective uid of the whole process, the real one stays.
pub fn set_effective_uid(uid: u32) {
    // SAFETY: a number alone.
    let result = unsafe { libc::seteuid(uid) };
    assert_eq!(result, 0, "seteuid({uid}): {}", io::Error::last_os_error());
}

/// What comes of a call that is forbidden.
#[derive(Clone, Copy, Debug)]
pub enum Forbidden {
    /// It fails with this number.
    Fails(u16),
    /// It ends the process.
    Kills,
}

/// The calls that can be forbidden, by name.
pub const CALLS: [(&str, c_long); 13] = [
    ("socket", libc::SYS_socket),
    ("connect", libc::SYS_connect),
    ("setsockopt", libc::SYS_setsockopt),
    ("getsockopt", libc::SYS_getsockopt),
    ("sendto", libc::SYS_sendto),
    ("recvfrom", libc::SYS_recvfrom),
    ("statx", libc::SYS_statx),
    ("newfstatat", libc::SYS_newfstatat),
    ("openat", libc::SYS_openat),
    ("readlinkat", libc::SYS_readlinkat),
    ("getcwd", libc::SYS_getcwd),
    ("close", libc::SYS_close),
    ("getrandom", libc::SYS_getrandom),
];

/// Puts a seccomp filter on this process: these calls come to that.
pub fn forbid(calls: &[&str], result: Forbidden) {
    let statement = |code: u32, k: u32| libc::sock_filter {
        code: u16::try_from(code).expect("a code"),
        jt: 0,
        jf: 0,
        k,
    };
    let verdict = match result {
        Forbidden::Fails(number) => libc::SECCOMP_RET_ERRNO | u32::from(number),
        Forbidden::Kills => libc::SECCOMP_RET_KILL_PROCESS,
    };
    // The number of the call is the first thing that a filter sees.
    let mut filter = vec![statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0)];
    for call in calls {
        let (_, number) = CALLS.iter().find(|(name, _)| name == call).expect("a known call");
        let number = u32::try_from(*number).expect("a number");
        let mut jump = statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, number);
        jump.jf = 1;
        filter.extend([jump, statement(libc::BPF_RET | libc::BPF_K, verdict)]);
    }
    filter.push(statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW));
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).expect("a short filter"),
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: numbers alone.
    let result = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    assert_eq!(result, 0, "no_new_privs");
    // SAFETY: the program and its statements live until the call returns; the kernel copies them.
    let result =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    assert_eq!(result, 0, "seccomp: {}", io::Error::last_os_error());
}

/// Closes standard input, output and error.
pub fn close_standard_descriptors() {
    for descriptor in 0..=2 {
        // SAFETY: nobody in the process uses them from here on.
        unsafe { libc::close(descriptor) };
    }
}

/// Lets this process have that many descriptors.
pub fn limit_descriptors(most: u64) {
    let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
    // SAFETY: `limit` is initialised.
    let result = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    assert_eq!(result, 0, "setrlimit");
}

/// Runs `in_child` in a child, which ends without what belongs to the end of a process, and waits for it.
pub fn in_a_child(in_child: impl FnOnce()) {
    // SAFETY: the programs that call this have one thread.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork");
    if child == 0 {
        in_child();
        // SAFETY: ends the process at once.
        unsafe { libc::_exit(0) };
    }
    let mut status: c_int = 0;
    // SAFETY: `status` has room for the answer.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!((waited, status), (child, 0), "the child ended badly");
}

/// Ends the process as exit(3) does.
pub fn exit_like_c(status: c_int) -> ! {
    // SAFETY: never returns; handlers of atexit(3) run.
    unsafe { libc::exit(status) }
}
