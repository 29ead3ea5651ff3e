// SPDX-License-Identifier: GPL-3.0-or-later
//! Every option of the module's line through libpam: what the daemon is sent, what the next module
//! gets, what the user sees. The daemon is one that answers as scripted.

#![expect(clippy::unwrap_used, reason = "test code")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use mfa_proto::login::{Accepted, BeginAnswer, SkipReason, VerifyAnswer};
use mfa_proto::{ErrorAnswer, ErrorCode, Request};
use mfa_tests::fake_daemon::{FakeDaemon, Reply, answer, prompt};
use mfa_tests::host::{Host, Outcome};
use mfa_tests::stack::{Stack, line};

const PASSWORD: &str = "correct horse-battery";
const CODE: &str = "271828";
const RECOVERY_CODE: &str = "ABCD-EFGH-JKM";
const BOTH: &str = "prompt: Password and one-time code: ";
const ASKED: &str = "prompt: One-time code: ";
const WRONG: &str = "error: Wrong code.";

/// Sets PAM_AUTHTOK to what is typed at its prompt, as pam_unix does.
const ASKS_PASSWORD: &str = "auth optional pam_exec.so quiet expose_authtok /bin/true\n";

/// Shows the next modules' PAM_AUTHTOK as a text.
const SHOWS_PASSWORD: &str = "auth optional pam_exec.so quiet expose_authtok stdout /bin/cat\n";

fn host(stack: &Stack, user: &str) -> Host {
    Host::new(env!("CARGO_BIN_EXE_pam-host"), stack, user)
}

/// Accepts `CODE` and the recovery code, and nothing else.
fn daemon() -> FakeDaemon {
    FakeDaemon::start(|id, request| match request {
        Request::Verify(verify) => match verify.code.as_str() {
            CODE | RECOVERY_CODE => answer(id, VerifyAnswer::Accepted(Accepted::default())),
            _ => answer(id, VerifyAnswer::Wrong { clock_offset: None }),
        },
        _ => prompt(id),
    })
}

/// Answers `begin` so, and accepts every code.
fn begins(begin: fn() -> BeginAnswer) -> FakeDaemon {
    FakeDaemon::start(move |id, request| match request {
        Request::Begin(_) => answer(id, begin()),
        _ => answer(id, VerifyAnswer::Accepted(Accepted::default())),
    })
}

/// Answers `verify` so.
fn verifies(verify: fn() -> VerifyAnswer) -> FakeDaemon {
    FakeDaemon::after_prompt(move |id| answer(id, verify()))
}

/// The module with these options, and behind it one that shows the password.
fn showing(daemon: &FakeDaemon, options: &str) -> Stack {
    Stack::of_lines(&(line("auth", "required", &daemon.socket(), options) + SHOWS_PASSWORD))
}

/// The same behind one that asks for the password.
fn between(daemon: &FakeDaemon, options: &str) -> Stack {
    let module = line("auth", "required", &daemon.socket(), options);
    Stack::of_lines(&[ASKS_PASSWORD, &module, SHOWS_PASSWORD].concat())
}

/// The codes that were sent; and nothing of the password was, in whatever field.
fn codes(daemon: &FakeDaemon) -> Vec<String> {
    let sent = daemon.sent();
    for frame in &sent {
        for piece in ["correct", "horse", "battery"] {
            assert!(!frame.contains(piece), "{frame}");
        }
    }
    let parsed = sent.iter().map(|frame| serde_json::from_str::<serde_json::Value>(frame).unwrap());
    let code = |frame: serde_json::Value| frame.get("code")?.as_str().map(str::to_owned);
    parsed.filter_map(code).collect()
}

fn shown(outcome: &Outcome) -> Vec<&str> {
    outcome.starting("info: ")
}

#[test]
fn forward_pass_sends_the_code_and_gives_the_next_module_the_password() {
    for code in [CODE, RECOVERY_CODE] {
        let daemon = daemon();
        let stack = showing(&daemon, "forward_pass");
        let right = host(&stack, "alice").answer(&format!("{PASSWORD}{code}")).run();
        assert_eq!(right.authenticated(), "PAM_SUCCESS");
        assert_eq!(right.seen(), [BOTH, &format!("info: {PASSWORD}")]);
        assert_eq!(codes(&daemon), [code]);
        let wrong = host(&stack, "alice").answer(&format!("{PASSWORD}999999")).run();
        assert_eq!(wrong.authenticated(), "PAM_AUTH_ERR");
        assert_eq!(wrong.seen(), [BOTH, WRONG, &format!("info: {PASSWORD}")]);
        assert_eq!(codes(&daemon), [code, "999999"]);
    }
}

#[test]
fn forward_pass_without_a_code_sends_nothing_and_denies() {
    let daemon = daemon();
    let stack = showing(&daemon, "forward_pass debug");
    for typed in [PASSWORD.to_owned(), format!("{PASSWORD}12345"), format!("{PASSWORD}{CODE} ")] {
        let denied = host(&stack, "alice").answer(&typed).run();
        assert_eq!(denied.authenticated(), "PAM_AUTH_ERR", "{typed}");
        assert_eq!(shown(&denied), [&typed]);
        assert!(codes(&daemon).is_empty(), "{typed}");
        assert!(!denied.logged().iter().any(|line| line.contains("horse")), "{denied:?}");
    }
    let right = host(&stack, "alice").answer(&format!("{PASSWORD}{CODE}")).run();
    assert_eq!(right.authenticated(), "PAM_SUCCESS");
}

#[test]
fn the_digits_that_are_split_off_are_those_of_the_user() {
    let daemon = begins(|| BeginAnswer::Prompt { digits: 8, observe: false });
    let stack = showing(&daemon, "forward_pass");
    let right = host(&stack, "alice").answer(&format!("{PASSWORD}12345678")).run();
    assert_eq!(right.authenticated(), "PAM_SUCCESS");
    assert_eq!(shown(&right), [PASSWORD]);
    assert_eq!(codes(&daemon), ["12345678"]);
    let short = host(&stack, "alice").answer(&format!("{PASSWORD}{CODE}")).run();
    assert_eq!(short.authenticated(), "PAM_AUTH_ERR");
    assert_eq!(codes(&daemon).len(), 1);
}

#[test]
fn use_first_pass_takes_the_code_from_the_password_and_asks_nobody() {
    for (options, left) in [
        ("use_first_pass", format!("{PASSWORD}{CODE}")),
        ("use_first_pass forward_pass", PASSWORD.to_owned()),
    ] {
        let daemon = daemon();
        let stack = between(&daemon, options);
        let right = host(&stack, "alice").answer(&format!("{PASSWORD}{CODE}")).run();
        assert_eq!(right.authenticated(), "PAM_SUCCESS", "{options}");
        assert_eq!(right.seen(), ["prompt: Password: ", &format!("info: {left}")], "{options}");
        assert_eq!(codes(&daemon), [CODE]);
        let without = host(&stack, "alice").answer(PASSWORD).run();
        assert_eq!(without.authenticated(), "PAM_AUTH_ERR", "{options}");
        assert_eq!(shown(&without), [PASSWORD], "{options}");
        assert_eq!(codes(&daemon), [CODE], "{options}");
    }
    let daemon = daemon();
    let nothing = host(&Stack::module(&daemon.socket(), "use_first_pass"), "alice").run();
    assert_eq!(nothing.authenticated(), "PAM_AUTH_ERR");
    assert_eq!(nothing.seen(), [WRONG]);
    assert!(codes(&daemon).is_empty());
}

#[test]
fn try_first_pass_asks_only_where_the_password_has_no_right_code() {
    let daemon = daemon();
    let stack = between(&daemon, "try_first_pass");
    let both = format!("{PASSWORD}{CODE}");
    let right = host(&stack, "alice").answer(&both).run();
    assert_eq!(right.authenticated(), "PAM_SUCCESS");
    assert_eq!(right.seen(), ["prompt: Password: ", &format!("info: {both}")]);

    let without = host(&stack, "alice").answer(PASSWORD).answer(CODE).run();
    assert_eq!(without.authenticated(), "PAM_SUCCESS");
    assert_eq!(without.seen(), ["prompt: Password: ", ASKED, &format!("info: {PASSWORD}")]);

    let wrong = host(&stack, "alice").answer(&format!("{PASSWORD}999999")).answer(CODE).run();
    assert_eq!(wrong.authenticated(), "PAM_SUCCESS");
    assert_eq!(wrong.seen()[..3], ["prompt: Password: ", WRONG, ASKED]);
    assert_eq!(codes(&daemon), [CODE, CODE, "999999", CODE]);

    let alone = Stack::module(&daemon.socket(), "try_first_pass");
    let asked = host(&alone, "alice").answer(CODE).run();
    assert_eq!(asked.authenticated(), "PAM_SUCCESS");
}

#[test]
fn without_these_options_the_password_is_not_looked_at() {
    let daemon = daemon();
    let stack = between(&daemon, "");
    let both = format!("{PASSWORD}{CODE}");
    let denied = host(&stack, "alice").answer(&both).answer("999999").run();
    assert_eq!(denied.authenticated(), "PAM_AUTH_ERR");
    assert_eq!(shown(&denied), [&both]);
    assert_eq!(codes(&daemon), ["999999"]);
}

#[test]
fn retry_allows_so_many_prompts_and_each_code_reaches_the_daemon() {
    for retry in 1..=3 {
        let daemon = daemon();
        let stack = Stack::module(&daemon.socket(), &format!("retry={retry}"));
        let denied = host(&stack, "alice").answer("1").answer("2").answer("3").answer(CODE).run();
        assert_eq!(denied.authenticated(), "PAM_AUTH_ERR");
        assert_eq!(denied.seen(), [ASKED, WRONG].repeat(retry));
        assert_eq!(codes(&daemon).len(), retry);
        let mut late = host(&stack, "alice");
        for _ in 1..retry {
            late = late.answer("1");
        }
        assert_eq!(late.answer(CODE).run().authenticated(), "PAM_SUCCESS");
    }
}

#[test]
fn a_lock_ends_the_retries() {
    let daemon = verifies(|| VerifyAnswer::Locked { seconds: Some(30) });
    let stack = Stack::module(&daemon.socket(), "retry=3");
    let locked = host(&stack, "alice").answer("1").answer("2").run();
    assert_eq!(locked.authenticated(), "PAM_MAXTRIES");
    assert_eq!(codes(&daemon), ["1"]);
}

#[test]
fn members_of_the_exempt_group_are_passed_over_and_others_are_not() {
    let daemon = daemon();
    let lines = |options| {
        line("auth", "required", &daemon.socket(), options) + "auth required pam_permit.so\n"
    };
    // Everywhere root is in the group root, and nobody is not.
    let exempt = Stack::of_lines(&lines("exempt_group=root"));
    let member = host(&exempt, "root").answer("999999").run();
    assert_eq!(member.authenticated(), "PAM_SUCCESS");
    assert!(member.seen().is_empty() && daemon.questions().is_empty(), "{member:?}");
    for user in ["nobody", "no-such-user"] {
        let other = host(&exempt, user).answer("999999").run();
        assert_eq!(other.authenticated(), "PAM_AUTH_ERR", "{user}");
        assert_eq!(other.seen(), [ASKED, WRONG], "{user}");
    }
    let missing = Stack::of_lines(&lines("exempt_group=no-such-group"));
    let denied = host(&missing, "root").answer("999999").run();
    assert_eq!(denied.authenticated(), "PAM_AUTH_ERR");
    assert!(denied.logged()[0].starts_with("err "), "{denied:?}");
    assert!(denied.logged()[0].contains("exempt_group=no-such-group: there is no such group"));
    let alone = Stack::module(&daemon.socket(), "exempt_group=root");
    assert_ne!(host(&alone, "root").run().authenticated(), "PAM_SUCCESS");
}

#[test]
fn observe_checks_and_logs_and_lets_the_rest_of_the_stack_decide() {
    let permit = "auth required pam_permit.so\n";
    let by_rule = || {
        FakeDaemon::start(|id, request| match request {
            Request::Begin(_) => answer(id, BeginAnswer::Prompt { digits: 6, observe: true }),
            _ => answer(id, VerifyAnswer::Wrong { clock_offset: None }),
        })
    };
    let by_option = || verifies(|| VerifyAnswer::Wrong { clock_offset: None });
    for (daemon, options) in [(by_option(), "observe"), (by_rule(), "")] {
        let module = line("auth", "required", &daemon.socket(), options);
        let passed = host(&Stack::of_lines(&(module.clone() + permit)), "alice").answer("1").run();
        assert_eq!(passed.authenticated(), "PAM_SUCCESS");
        assert_eq!(passed.seen(), [ASKED]);
        assert_eq!(codes(&daemon), ["1"]);
        let line = "notice libpam_mfa(mfa-test:auth): observed: wrong code: \
                    the login would have been denied;";
        assert!(passed.logged()[0].starts_with(line), "{passed:?}");
        // It lets nobody in by itself.
        let alone = host(&Stack::of_lines(&module), "alice").answer("1").run();
        assert_ne!(alone.authenticated(), "PAM_SUCCESS");
    }
    let daemon = by_option();
    let control = line("auth", "required", &daemon.socket(), "") + permit;
    let denied = host(&Stack::of_lines(&control), "alice").answer("1").run();
    assert_eq!(denied.authenticated(), "PAM_AUTH_ERR");
}

#[test]
fn unavailable_ignore_passes_over_a_daemon_that_is_down_or_silent_with_an_alert_each_time() {
    let permit = "auth required pam_permit.so\n";
    let login = |daemon: &FakeDaemon, options: &str| {
        let module = line("auth", "required", &daemon.socket(), options);
        host(&Stack::of_lines(&(module + permit)), "alice").answer(CODE).run()
    };
    let silent = || FakeDaemon::after_prompt(|_| Reply::Hang(Vec::new()));
    let undecided = || verifies(|| VerifyAnswer::Unavailable { ignore: false });
    let by_rule = || verifies(|| VerifyAnswer::Unavailable { ignore: true });
    let closing = || FakeDaemon::after_prompt(|_| Reply::Close);
    let refusing = || {
        verifies(|| {
            let message = "not yours".to_owned();
            VerifyAnswer::Error(ErrorAnswer { code: ErrorCode::NotPermitted, message })
        })
    };
    let answers_otherwise = || verifies(|| VerifyAnswer::Wrong { clock_offset: None });
    for (case, daemon, with, without) in [
        ("silent", silent(), true, false),
        ("undecided", undecided(), true, false),
        ("undecided, and a rule", by_rule(), true, true),
        ("closing", closing(), false, false),
        ("refusing", refusing(), false, false),
        ("a wrong code", answers_otherwise(), false, false),
    ] {
        for (options, passes) in
            [("timeout=1 unavailable=ignore", with), ("timeout=1 unavailable=deny", without)]
        {
            let outcome = login(&daemon, options);
            assert_eq!(outcome.authenticated() == "PAM_SUCCESS", passes, "{case} {options}");
            let alerts = outcome.logged().iter().filter(|l| l.starts_with("alert ")).count();
            assert_eq!(alerts, usize::from(passes), "{case} {options}: {outcome:?}");
        }
    }
    let gone = daemon();
    let socket = gone.socket();
    std::fs::remove_file(&socket).unwrap();
    assert_eq!(login(&gone, "unavailable=ignore").authenticated(), "PAM_SUCCESS");
    assert_eq!(login(&gone, "").authenticated(), "PAM_AUTHINFO_UNAVAIL");
    // Somebody who could have put another socket there gets nothing by it.
    std::fs::write(&socket, "").unwrap();
    assert_eq!(login(&gone, "unavailable=ignore").authenticated(), "PAM_AUTHINFO_UNAVAIL");
}

/// Whoever starts su or sudo sets its limits, and can have the descriptors used up.
#[test]
fn a_program_without_descriptors_is_not_let_in_by_unavailable_ignore() {
    let daemon = daemon();
    let module = line("auth", "required", &daemon.socket(), "unavailable=ignore");
    let stack = Stack::of_lines(&(module + "auth required pam_permit.so\n"));
    // The first call loads the modules.
    let calls = ["--calls", "setcred,authenticate"];
    let denied = host(&stack, "alice").with(&calls).with(&["--no-descriptors"]).run();
    // A libpam that writes to the audit log needs a descriptor as well, and denies by itself.
    assert_ne!(denied.authenticated(), "PAM_SUCCESS");
    let (module, why) = (denied.logged()[0], "(Too many open files (os error 24))");
    assert!(module.starts_with("err ") && module.contains(why), "{denied:?}");
    std::fs::remove_file(daemon.socket()).unwrap();
    let control = host(&stack, "alice").with(&calls).run();
    assert_eq!(control.authenticated(), "PAM_SUCCESS");
}

/// Whoever starts su or sudo can stop it as well, and let it go on when the time is up.
#[test]
fn a_login_that_was_stopped_takes_the_answer_that_came_meanwhile() {
    let stop_at = |stopped: &'static str| {
        let pid = Arc::new(AtomicI32::new(0));
        let login = Arc::clone(&pid);
        let daemon = FakeDaemon::start(move |id, request| match request {
            Request::Begin(_) => prompt(id),
            _ => {
                if let (pid @ 1.., "stopped") = (login.load(Ordering::SeqCst), stopped) {
                    // SAFETY: only the number of a process is passed.
                    assert_eq!(unsafe { libc::kill(pid, libc::SIGSTOP) }, 0);
                }
                answer(id, VerifyAnswer::Wrong { clock_offset: None })
            }
        });
        let module = line("auth", "required", &daemon.socket(), "timeout=1 unavailable=ignore");
        let stack = Stack::of_lines(&(module + "auth required pam_permit.so\n"));
        let mut prompted = host(&stack, "alice").until_prompt();
        pid.store(prompted.pid().try_into().unwrap(), Ordering::SeqCst);
        prompted.type_in("1");
        std::thread::sleep(Duration::from_millis(1300));
        // SAFETY: only the number of a process is passed, of a child not waited for yet.
        unsafe { libc::kill(pid.load(Ordering::SeqCst), libc::SIGCONT) };
        prompted.wait().authenticated().to_owned()
    };
    assert_eq!(stop_at("running"), "PAM_AUTH_ERR");
    assert_eq!(stop_at("stopped"), "PAM_AUTH_ERR");
}

#[test]
fn what_the_daemon_grants_and_exempts_is_not_asked_for() {
    let daemon = begins(|| BeginAnswer::Granted {});
    let granted = host(&Stack::module(&daemon.socket(), ""), "alice").run();
    assert_eq!(granted.authenticated(), "PAM_SUCCESS");
    assert!(granted.seen().is_empty(), "{granted:?}");
    assert!(granted.logged()[0].contains("(grace)"), "{granted:?}");

    let daemon = begins(|| BeginAnswer::Skip {
        reason: SkipReason::Exempt,
        digits: 6,
        enroll_within: None,
        observe: false,
    });
    let module = line("auth", "required", &daemon.socket(), "");
    let stack = Stack::of_lines(&(module.clone() + "auth required pam_permit.so\n"));
    let exempt = host(&stack, "a").run();
    assert_eq!(exempt.authenticated(), "PAM_SUCCESS");
    assert!(exempt.seen().is_empty(), "{exempt:?}");
    assert_ne!(host(&Stack::of_lines(&module), "a").run().authenticated(), "PAM_SUCCESS");
}

#[test]
fn nullok_tells_the_deadline_to_whom_it_lets_in() {
    let daemon = begins(|| BeginAnswer::Skip {
        reason: SkipReason::NoToken,
        digits: 6,
        enroll_within: Some(12 * 86_400),
        observe: false,
    });
    let module = line("auth", "required", &daemon.socket(), "nullok");
    let stack = Stack::of_lines(&(module + "auth required pam_permit.so\n"));
    let passed = host(&stack, "alice").run();
    assert_eq!(passed.authenticated(), "PAM_SUCCESS");
    assert_eq!(passed.seen(), ["info: You must set up a one-time code within 12 days."]);
}

/// The `origin` that the daemon was told.
fn origin(options: &[&str], under: &[&str]) -> serde_json::Value {
    let daemon = daemon();
    let stack = Stack::module(&daemon.socket(), "");
    let login = host(&stack, "alice").under(under).with(options).answer(CODE).run();
    assert_eq!(login.authenticated(), "PAM_SUCCESS");
    let sent = daemon.sent();
    let frames: Vec<serde_json::Value> =
        sent.iter().map(|frame| serde_json::from_str(frame).unwrap()).collect();
    let [begin, verify] = frames.as_slice() else { unreachable!("{sent:?}") };
    assert_eq!(begin.get("origin"), verify.get("origin"));
    begin.get("origin").unwrap().clone()
}

#[test]
fn the_daemon_is_told_the_session_only_where_there_is_a_terminal() {
    // The leader of a session of its own, which lives as long as the login.
    let session = ["setsid", "--wait"];
    for tty in ["/dev/pts/0", "pts/7", "tty1"] {
        let origin = origin(&["--tty", tty], &session);
        assert!(origin["session"]["id"].as_u64().unwrap() > 1, "{origin}");
        assert!(origin["session"]["started"].as_u64().unwrap() > 0, "{origin}");
    }
    for options in [&["--tty", "ssh"][..], &["--tty", ":0"], &[]] {
        let origin = origin(options, &session);
        assert!(origin.get("session").is_none(), "{origin}");
    }
}

#[test]
fn the_daemon_is_told_the_key_that_sshd_verified_and_nothing_of_the_programs_own_environment() {
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5";
    let variable = format!("SSH_AUTH_INFO_0=publickey {key}\n");
    let told = origin(&["--putenv", &variable], &[]);
    assert_eq!(told["ssh_key"], key);
    let own = format!("SSH_AUTH_INFO_0=publickey {key}");
    let told = origin(&[], &["env", &own]);
    assert!(told.get("ssh_key").is_none(), "{told}");
    let cert = "SSH_AUTH_INFO_0=publickey ssh-ed25519-cert-v01@openssh.com AAAA";
    let told = origin(&["--putenv", cert], &[]);
    assert!(told.get("ssh_key").is_none(), "{told}");
}
