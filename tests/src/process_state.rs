// SPDX-License-Identifier: GPL-3.0-or-later
//! What a module must leave in its host as it was: descriptors, threads, children, signals, mask,
//! timers, ids, limits, umask, directory, environment, mapped files, memory.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::c_int;
use std::fs;
use std::mem::MaybeUninit;
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

/// Name and value of everything that is looked at.
#[derive(PartialEq, Eq, Debug)]
pub struct ProcessState(BTreeMap<String, String>);

/// Lines of `/proc/self/status` that describe what a module could change.
const STATUS: [&str; 14] = [
    "Umask",
    "State",
    "TracerPid",
    "Uid",
    "Gid",
    "Groups",
    "Threads",
    "SigPnd",
    "ShdPnd",
    "SigBlk",
    "SigIgn",
    "SigCgt",
    "CapEff",
    "NoNewPrivs",
];

impl ProcessState {
    /// Looks at everything.
    #[must_use]
    pub fn now() -> Self {
        let mut state = BTreeMap::new();
        for (name, target) in links("/proc/self/fd") {
            // Reading the directory opens it.
            if !target.starts_with("/proc/") {
                let flags = fs::read_to_string(format!("/proc/self/fdinfo/{name}"));
                let flags = flags.unwrap_or_default();
                let flags = flags.lines().find(|line| line.starts_with("flags"));
                let value = format!("{target} {}", flags.unwrap_or_default());
                state.insert(format!("descriptor {name}"), value);
            }
        }
        for line in fs::read_to_string("/proc/self/status").unwrap_or_default().lines() {
            if let Some((name, value)) = line.split_once(':')
                && STATUS.contains(&name)
            {
                state.insert(name.to_owned(), value.trim().to_owned());
            }
        }
        for file in ["task/self/children", "limits"] {
            let pid = std::process::id().to_string();
            let path = Path::new("/proc/self").join(file.replace("self", &pid));
            state.insert(file.to_owned(), fs::read_to_string(path).unwrap_or_default());
        }
        for file in ["cwd", "root"] {
            let target = fs::read_link(format!("/proc/self/{file}"));
            state.insert(file.to_owned(), format!("{target:?}"));
        }
        let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
        let mapped: BTreeSet<_> =
            maps.lines().filter_map(|line| Some(&line[line.find('/')?..])).collect();
        state.insert("mapped files".to_owned(), format!("{mapped:?}"));
        let environment: Vec<_> = std::env::vars_os().collect();
        state.insert("environment".to_owned(), format!("{environment:?}"));
        for signal in 1..=64 {
            state.insert(format!("action of signal {signal}"), action(signal));
        }
        for timer in [libc::ITIMER_REAL, libc::ITIMER_VIRTUAL, libc::ITIMER_PROF] {
            state.insert(format!("timer {timer}"), interval(timer));
        }
        Self(state)
    }

    /// What is different in `later`.
    #[must_use]
    pub fn changes(&self, later: &Self) -> Vec<String> {
        let names: BTreeSet<_> = self.0.keys().chain(later.0.keys()).collect();
        let different = names.into_iter().filter(|name| self.0.get(*name) != later.0.get(*name));
        different
            .map(|name| format!("{name}: {:?} became {:?}", self.0.get(name), later.0.get(name)))
            .collect()
    }
}

/// Calls of [`count`].
static ALARMS: AtomicU64 = AtomicU64::new(0);

extern "C" fn count(_: c_int) {
    ALARMS.fetch_add(1, Ordering::Relaxed);
}

/// Gives this process a state that is easily disturbed: actions that are not the default ones, a
/// mask, a umask; SIGPIPE kills, as in a program in C.
pub fn make_peculiar() {
    set_action(libc::SIGPIPE, libc::SIG_DFL);
    set_action(libc::SIGCHLD, libc::SIG_IGN);
    set_action(libc::SIGUSR1, count as *const () as libc::sighandler_t);
    let mut mask = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: it initialises the set.
    unsafe { libc::sigemptyset(mask.as_mut_ptr()) };
    // SAFETY: the set is initialised.
    unsafe { libc::sigaddset(mask.as_mut_ptr(), libc::SIGUSR2) };
    // SAFETY: the set is initialised; the old mask is not wanted.
    unsafe { libc::sigprocmask(libc::SIG_BLOCK, mask.as_ptr(), ptr::null_mut()) };
    // SAFETY: it cannot fail.
    unsafe { libc::umask(0o031) };
}

/// Lets SIGALRM interrupt this process every millisecond, without SA_RESTART.
pub fn start_alarms() {
    set_action(libc::SIGALRM, count as *const () as libc::sighandler_t);
    set_interval(1000);
}

/// Ends that. Returns how often it happened.
pub fn stop_alarms() -> u64 {
    set_interval(0);
    set_action(libc::SIGALRM, libc::SIG_DFL);
    ALARMS.swap(0, Ordering::Relaxed)
}

extern "C" fn storm(_: c_int) {
    ALARMS.fetch_add(1, Ordering::Relaxed);
    // SAFETY: raise(3) may be called in a handler, see signal-safety(7).
    unsafe { libc::raise(libc::SIGCHLD) };
}

/// The same with a SIGCHLD after each SIGALRM, until the end of the process.
pub fn start_storm() {
    set_action(libc::SIGCHLD, count as *const () as libc::sighandler_t);
    set_action(libc::SIGALRM, storm as *const () as libc::sighandler_t);
    set_interval(1000);
}

/// How many signals have come so far.
#[must_use]
pub fn signals() -> u64 {
    ALARMS.load(Ordering::Relaxed)
}

/// Is a library with that in its name loaded?
#[must_use]
pub fn is_loaded(name: &str) -> bool {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    maps.lines().any(|line| line.contains(name))
}

/// Allows no more descriptors than are open now.
pub fn forbid_descriptors() {
    let limit = libc::rlimit { rlim_cur: 0, rlim_max: 1024 };
    // SAFETY: `limit` is initialised.
    let result = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    assert_eq!(result, 0, "setrlimit");
}

/// Resident memory in KiB that is the program's own: pages of files come and go as the system likes.
#[must_use]
pub fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let own = ["RssAnon:", "RssShmem:"];
    let lines =
        status.lines().filter_map(|line| own.iter().find_map(|name| line.strip_prefix(name)));
    let found: Vec<u64> =
        lines.filter_map(|line| line.trim().trim_end_matches(" kB").parse().ok()).collect();
    assert_eq!(found.len(), own.len(), "{own:?} in /proc/self/status");
    found.iter().sum()
}

fn links(directory: &str) -> Vec<(String, String)> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let target = fs::read_link(entry.path()).ok()?;
            let name = entry.file_name().to_string_lossy().into_owned();
            Some((name, target.to_string_lossy().into_owned()))
        })
        .collect()
}

/// Handler, flags and mask.
fn action(signal: c_int) -> String {
    let mut found = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: asks only; `found` has room for the answer.
    let result = unsafe { libc::sigaction(signal, ptr::null(), found.as_mut_ptr()) };
    // SAFETY: all zeros are a `sigaction`, and otherwise the kernel wrote it.
    let found = unsafe { found.assume_init() };
    let mask: Vec<_> = (1..=64)
        // SAFETY: the set is initialised and the signal one that exists.
        .filter(|member| unsafe { libc::sigismember(&raw const found.sa_mask, *member) } == 1)
        .collect();
    format!("{result} {:#x} {:#x} {mask:?}", found.sa_sigaction, found.sa_flags)
}

fn set_action(signal: c_int, handler: libc::sighandler_t) {
    // SAFETY: all zeros are a `sigaction` with an empty mask and no flags.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    action.sa_sigaction = handler;
    // SAFETY: `action` is initialised, and its handler only counts in an atomic number.
    let result = unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) };
    assert_eq!(result, 0, "sigaction({signal})");
}

/// The interval of a timer, not what is left of it.
fn interval(timer: c_int) -> String {
    let mut found = MaybeUninit::<libc::itimerval>::zeroed();
    // SAFETY: `found` has room for the answer.
    unsafe { libc::getitimer(timer, found.as_mut_ptr()) };
    // SAFETY: all zeros are one, and otherwise the kernel wrote it.
    let found = unsafe { found.assume_init() };
    format!("{} s {} us", found.it_interval.tv_sec, found.it_interval.tv_usec)
}

fn set_interval(microseconds: i64) {
    let every = libc::timeval { tv_sec: 0, tv_usec: microseconds };
    let timer = libc::itimerval { it_interval: every, it_value: every };
    // SAFETY: `timer` is initialised; the old one is not wanted.
    let result = unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, ptr::null_mut()) };
    assert_eq!(result, 0, "setitimer");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_file_a_thread_and_a_signal_action_are_noticed() {
        let before = ProcessState::now();
        let _file = fs::File::open("/dev/null").unwrap();
        let noticed = before.changes(&ProcessState::now());
        assert!(noticed.iter().any(|change| change.contains("/dev/null")), "{noticed:?}");

        // More than the other tests, which are threads as well, can end meanwhile.
        let end = std::sync::Barrier::new(101);
        let before = ProcessState::now();
        std::thread::scope(|scope| {
            for _ in 0..100 {
                scope.spawn(|| end.wait());
            }
            let noticed = before.changes(&ProcessState::now());
            end.wait();
            assert!(noticed.iter().any(|change| change.starts_with("Threads")), "{noticed:?}");
        });

        let before = ProcessState::now();
        set_action(libc::SIGUSR1, libc::SIG_IGN);
        let noticed = before.changes(&ProcessState::now());
        let signal = format!("action of signal {}", libc::SIGUSR1);
        assert!(noticed.iter().any(|change| change.starts_with(&signal)), "{noticed:?}");
    }
}
