// SPDX-License-Identifier: GPL-3.0-or-later
//! Filters, environments, clocks and file systems around the program.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use mfa_tests::artifacts;
use mfa_tests::confine::CALLS;
use mfa_tests::daemon::Daemon;
use mfa_tests::stack::{SERVICE, Stack};

use super::{NOT_CHECKED, host, lenient, login, rare};

#[test]
fn a_connection_that_a_filter_refuses_denies_with_the_reason_in_the_log() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let stack = lenient(&daemon.socket(), "nullok unavailable=ignore");
    let code = alice.code_now();
    // EPERM, EACCES, ENOSYS
    for (number, reason) in
        [("1", "not permitted"), ("13", "Permission denied"), ("38", "not implemented")]
    {
        let denied = rare(&stack, "alice", &["forbid", "connect", number]).answer(&code).run();
        assert_eq!(denied.authenticated(), "PAM_AUTHINFO_UNAVAIL", "{number}");
        assert_eq!(denied.seen(), [NOT_CHECKED], "{number}");
        let logged = denied.logged();
        assert!(logged[0].starts_with("err ") && logged[0].contains(reason), "{denied:?}");
    }
    let killed = rare(&stack, "alice", &["forbid", "connect", "kill"]).answer(&code).run();
    assert!(!killed.status.success() && !killed.printed.contains("authenticate"), "{killed:?}");
    let control = rare(&stack, "alice", &["forbid", "getcwd", "1"]).answer(&code).run();
    assert_eq!(control.authenticated(), "PAM_SUCCESS");
}

#[test]
fn in_a_sandbox_without_any_call_of_the_modules_nobody_is_let_in_whom_the_daemon_did_not_accept() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let stack = lenient(&daemon.socket(), "nullok unavailable=ignore");
    let wrong = alice.wrong_code();
    let mut refused = 0;
    for (call, _) in CALLS {
        for number in ["1", "38"] {
            let outcome = rare(&stack, "nobody", &["forbid", call, number]).answer("1").run();
            // A user without a token passes, if the daemon can be asked about him.
            refused += usize::from(outcome.authenticated() != "PAM_SUCCESS");
            if outcome.authenticated() != "PAM_SUCCESS" {
                assert!(!outcome.logged().is_empty(), "{call}: {outcome:?}");
            }
        }
    }
    assert!(refused >= 10, "{refused}");
    for (call, _) in CALLS.into_iter().take(4) {
        let outcome = rare(&stack, "alice", &["forbid", call, "1"]).answer(&wrong).run();
        assert_ne!(outcome.authenticated(), "PAM_SUCCESS", "{call}");
    }
    assert_eq!(login(&stack, "alice", &alice.code_now()).authenticated(), "PAM_SUCCESS");
}

/// What decides is the daemon's clock; that of the login program is nobody's business.
#[test]
fn a_login_program_with_another_clock_and_another_zone_is_answered_alike() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let bob = daemon.counting_account("bob");
    let stack = Stack::module(&daemon.socket(), "timeout=2");
    let preload = "LD_PRELOAD=/usr/$LIB/faketime/libfaketimeMT.so.1";
    let mut counter = 0;
    for clock in ["-20y", "+10y", "-95s", "+95s"] {
        for zone in ["Pacific/Kiritimati", "America/New_York", ":/nonexistent"] {
            let (clock, zone) = (format!("FAKETIME={clock}"), format!("TZ={zone}"));
            let under = ["env", preload, &clock, &zone];
            let wrong = host(&stack, "bob").under(&under).answer(&bob.wrong_code()).run();
            assert_eq!(wrong.authenticated(), "PAM_AUTH_ERR", "{clock}");
            let right = host(&stack, "bob").under(&under).answer(&bob.code(counter)).run();
            assert_eq!(right.authenticated(), "PAM_SUCCESS", "{clock} {zone}");
            counter += 1;
        }
    }
    // A code of the program's time, a day ahead, is none.
    let ahead = ["env", preload, "FAKETIME=+1d"];
    let early = host(&stack, "alice").under(&ahead).answer(&alice.code_in(2880)).run();
    assert_eq!(early.authenticated(), "PAM_AUTH_ERR");
    let now = host(&stack, "alice").under(&ahead).answer(&alice.code_now()).run();
    assert_eq!(now.authenticated(), "PAM_SUCCESS");
}

/// Every variable that a program, a loader, a libc or a runtime may read, as the caller of a set-user-ID
/// program sets them.
#[test]
fn no_variable_of_the_callers_leads_a_set_user_id_program_anywhere() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let stack = Stack::module(&daemon.socket(), "debug");
    let home = tempfile::tempdir().unwrap();
    fs::set_permissions(home.path(), Permissions::from_mode(0o755)).unwrap();
    let program = home.path().join("login");
    fs::copy(env!("CARGO_BIN_EXE_pam-host"), &program).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o4755)).unwrap();
    let trap = home.path().join("trap");
    fs::create_dir(&trap).unwrap();
    // There to be loaded and read.
    fs::copy(artifacts::module(), trap.join("libpam.so.0")).unwrap();
    fs::write(trap.join("UTC"), "").unwrap();
    let at = |path: &str| format!("{}/{path}", trap.display());
    let variables = [
        ("LD_PRELOAD", at("libpam.so.0")),
        ("LD_LIBRARY_PATH", at("")),
        ("LD_AUDIT", at("libpam.so.0")),
        ("LD_PROFILE_OUTPUT", at("")),
        ("LD_DEBUG_OUTPUT", at("debug")),
        ("GCONV_PATH", at("")),
        ("GLIBC_TUNABLES", "glibc.malloc.check=3".to_owned()),
        ("MALLOC_TRACE", at("malloc")),
        ("LOCPATH", at("")),
        ("NLSPATH", at("%N")),
        ("LC_ALL", "../trap/x.UTF-8".to_owned()),
        ("LANG", at("x")),
        ("LANGUAGE", at("x")),
        ("TZ", format!(":{}", at("UTC"))),
        ("TZDIR", at("")),
        ("HOSTALIASES", at("aliases")),
        ("LOCALDOMAIN", at("")),
        ("RES_OPTIONS", "debug".to_owned()),
        ("HOME", at("")),
        ("PATH", at("")),
        ("TMPDIR", at("")),
        ("XDG_CONFIG_HOME", at("")),
        ("XDG_RUNTIME_DIR", at("")),
        ("XDG_DATA_HOME", at("")),
        ("RUST_LOG", "trace".to_owned()),
        ("RUST_BACKTRACE", "full".to_owned()),
        ("RUST_MIN_STACK", "1".to_owned()),
        ("MFA_SOCKET", at("mfa.sock")),
        ("PGHOST", at("")),
        ("PGSERVICEFILE", at("pg")),
        ("SSLKEYLOGFILE", at("keys")),
        ("JOURNAL_STREAM", "1:1".to_owned()),
        ("NOTIFY_SOCKET", at("notify")),
        ("SSH_AUTH_SOCK", at("agent")),
        ("SSH_AUTH_INFO_0", "publickey x".to_owned()),
        ("PAM_USER", "root".to_owned()),
        ("USER", "root".to_owned()),
        ("LISTEN_FDS", "1".to_owned()),
    ];
    let trace = home.path().join("trace");
    let run = |stack: &Stack, code: &str| {
        let mut command = Command::new("sh");
        // strace runs it as somebody who may not trace it, with the set-user-ID bit in force.
        let script = format!("printf '%s\\n' {code} | exec \"$@\"");
        command.args(["-c", &script, "sh", "strace", "-f", "-s", "300", "-o"]).arg(&trace);
        command.args(["-u", "nobody"]);
        for (name, value) in &variables {
            command.arg("-E").arg(format!("{name}={value}"));
        }
        let output =
            command.arg(&program).arg(stack.confdir()).args([SERVICE, "alice"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
        (said + &complaints, fs::read_to_string(&trace).unwrap())
    };
    let (said, calls) = run(&stack, &alice.code_now());
    assert!(said.contains("authenticate: PAM_SUCCESS"), "{said}");
    assert!(calls.contains("geteuid()") && calls.contains("mfa.sock"), "{calls}");
    let name = trap.to_str().unwrap();
    // The first line is the execve itself, with nothing of the environment in it.
    let led: Vec<_> = calls.lines().filter(|line| line.contains(name)).collect();
    assert!(led.is_empty(), "{led:#?}");
    // Where it is told to look there, it is seen.
    let there = Stack::module(&trap.join("mfa.sock"), "");
    let (said, calls) = run(&there, "1");
    assert!(said.contains("authenticate: PAM_AUTHINFO_UNAVAIL"), "{said}");
    assert!(calls.lines().any(|line| line.contains(name)), "{calls}");
}

#[test]
fn a_module_of_another_machine_or_without_permission_denies_in_a_stack_that_permits() {
    let daemon = Daemon::start();
    let alice = daemon.account("alice");
    let home = tempfile::tempdir().unwrap();
    fs::set_permissions(home.path(), Permissions::from_mode(0o755)).unwrap();
    let bytes = fs::read(artifacts::module()).unwrap();
    let copy = |name: &str, bytes: &[u8], mode: u32| {
        let path = home.path().join(name);
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    };
    // e_machine, e_ident[EI_CLASS] and e_ident[EI_DATA] of elf(5).
    let altered = |at: usize, value: u8| {
        let mut altered = bytes.clone();
        altered[at] = value;
        altered
    };
    let options = format!("socket={}", daemon.socket().display());
    let stack = |path: &std::path::Path| {
        let lines =
            format!("auth required {} {options}\nauth required pam_permit.so\n", path.display());
        Stack::of_lines(&lines)
    };
    for (name, bytes) in [
        ("machine.so", altered(18, 8)),
        ("class.so", altered(4, 1)),
        ("data.so", altered(5, 2)),
        ("half.so", bytes[..bytes.len() / 2].to_vec()),
    ] {
        // What is cut short may end the program: the loader runs into what is not there (SIGBUS).
        let denied = login(&stack(&copy(name, &bytes, 0o755)), "alice", &alice.code_now());
        let ended = denied.status.signal() == Some(7);
        assert!(ended || denied.authenticated() != "PAM_SUCCESS", "{name}: {denied:?}");
    }
    let good = copy("good.so", &bytes, 0o755);
    // Nobody but root may read it; a screen locker is not root.
    let secret = copy("secret.so", &bytes, 0o000);
    for (path, loads) in [(&secret, false), (&good, true)] {
        let stack = stack(path);
        fs::set_permissions(stack.confdir(), Permissions::from_mode(0o755)).unwrap();
        let under = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"];
        let outcome = host(&stack, "alice").under(&under).answer(&alice.wrong_code()).run();
        assert_ne!(outcome.authenticated(), "PAM_SUCCESS");
        assert_eq!(!outcome.seen().is_empty(), loads, "{}: {outcome:?}", path.display());
    }
    assert_eq!(login(&stack(&good), "alice", &alice.code_now()).authenticated(), "PAM_SUCCESS");
}

/// As packages do it: the new file is written beside the old one and renamed over it.
#[test]
fn logins_while_the_module_is_installed_again_and_again_are_all_checked() {
    let daemon = Daemon::start();
    let home = tempfile::tempdir().unwrap();
    let (module, new) = (home.path().join("pam_mfa.so"), home.path().join("pam_mfa.so.new"));
    fs::copy(artifacts::module(), &module).unwrap();
    let options = format!("socket={}", daemon.socket().display());
    let lines =
        format!("auth required {} {options}\nauth required pam_permit.so\n", module.display());
    let stack = Stack::of_lines(&lines);
    let alice = daemon.counting_account("alice");
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let installed = scope.spawn(|| {
            let mut times = 0;
            while !over.load(Ordering::Relaxed) {
                fs::copy(artifacts::module(), &new).unwrap();
                fs::rename(&new, &module).unwrap();
                times += 1;
            }
            times
        });
        for counter in 0..40 {
            let wrong = login(&stack, "alice", "0");
            assert_eq!(wrong.authenticated(), "PAM_AUTH_ERR");
            let right = login(&stack, "alice", &alice.code(counter));
            assert_eq!(right.authenticated(), "PAM_SUCCESS");
        }
        over.store(true, Ordering::Relaxed);
        let times = installed.join().unwrap();
        assert!(times > 10, "installed {times} times");
    });
}
