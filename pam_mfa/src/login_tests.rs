// SPDX-License-Identifier: GPL-3.0-or-later
//! The whole login in memory: a scripted program, a scripted daemon, and the table of decisions.

use std::io;

use mfa_proto::login::{Accepted, LastFailure};
use mfa_proto::{ClientError, ErrorAnswer, ErrorCode};

use super::*;
use crate::options::{Echo, Unavailable, Words};
use crate::script::{
    CODE, Fake, accepted, alice, client_errors, fake, prompt, refusal, script, skip, wrong,
};

fn asked(daemon: &Fake) -> Vec<String> {
    daemon.asked.borrow().clone()
}

fn all_client_errors() -> impl Iterator<Item = ClientError> {
    let (excused, others) = client_errors();
    excused.into_iter().chain(others)
}

/// Something to tell after a success.
fn told(failures: u32, left: u8) -> Accepted {
    Accepted { failures, recovery_codes_left: Some(left), ..Accepted::default() }
}

fn nullok() -> Options {
    Options { without_token: WithoutToken::Ignore, ..Options::default() }
}

const PROMPTED: &str = "Off One-time code: ";
const NOT_CHECKED: &str = "Error The code could not be checked.";

#[test]
fn each_answer_to_verify_has_its_code_its_text_and_its_level() {
    let rows: Vec<(VerifyAnswer, PamResultCode, Option<&str>, Level)> = vec![
        (
            VerifyAnswer::Accepted(Accepted::default()),
            PamResultCode::PAM_SUCCESS,
            None,
            Level::Info,
        ),
        (
            VerifyAnswer::Accepted(told(2, 4)),
            PamResultCode::PAM_SUCCESS,
            Some("Info 2 wrong codes since your last login. 4 recovery codes left."),
            Level::Info,
        ),
        (
            VerifyAnswer::Wrong { clock_offset: None },
            PamResultCode::PAM_AUTH_ERR,
            Some("Error Wrong code."),
            Level::Notice,
        ),
        (
            VerifyAnswer::Replayed {},
            PamResultCode::PAM_AUTH_ERR,
            Some("Error Wrong code."),
            Level::Notice,
        ),
        (
            VerifyAnswer::Locked { seconds: Some(30) },
            PamResultCode::PAM_MAXTRIES,
            Some("Error Too many wrong codes. Try again in 30 s."),
            Level::Notice,
        ),
        (
            VerifyAnswer::Locked { seconds: None },
            PamResultCode::PAM_MAXTRIES,
            Some("Error Too many wrong codes. Ask your administrator to unlock you."),
            Level::Notice,
        ),
        (
            VerifyAnswer::Unavailable { ignore: false },
            PamResultCode::PAM_AUTHINFO_UNAVAIL,
            Some(NOT_CHECKED),
            Level::Error,
        ),
        (
            VerifyAnswer::Error(refusal()),
            PamResultCode::PAM_AUTHINFO_UNAVAIL,
            Some(NOT_CHECKED),
            Level::Error,
        ),
    ];
    for (answer, code, text, level) in rows {
        let case = format!("{answer:?}");
        let mut host = script(&[CODE]);
        let daemon = fake(prompt(), [Ok(answer)]);
        assert_eq!(login(&mut host, &daemon, &Options::default(), false), code, "{case}");
        let mut seen = vec![PROMPTED];
        seen.extend(text);
        assert_eq!(host.seen, seen, "{case}");
        assert_eq!(host.logged.len(), 1, "{case}: {:?}", host.logged);
        assert_eq!(host.logged[0].0, level, "{case}");
        assert_eq!(
            *daemon.asked.borrow(),
            ["begin alice sshd", &format!("verify alice {CODE} sshd")],
            "{case}"
        );
    }
}

#[test]
fn a_daemon_that_does_not_answer_begin_denies_without_a_prompt_and_nullok_changes_nothing() {
    for options in [Options::default(), nullok()] {
        let answers = all_client_errors().map(Err);
        let answers = answers.chain([
            Ok(BeginAnswer::Unavailable { ignore: false }),
            Ok(BeginAnswer::Error(refusal())),
        ]);
        for answer in answers {
            let case = format!("{answer:?}");
            let mut host = script(&[CODE]);
            let code = login(&mut host, &fake([answer], []), &options, false);
            assert_eq!(code, PamResultCode::PAM_AUTHINFO_UNAVAIL, "{case}");
            assert_eq!(host.seen, [NOT_CHECKED], "{case}");
            assert_eq!(host.logged.len(), 1, "{case}");
            assert_eq!(host.logged[0].0, Level::Error, "{case}");
        }
        let mut host = script(&[CODE]);
        let code = login(&mut host, &fake(prompt(), accepted()), &options, false);
        assert_eq!(code, PamResultCode::PAM_SUCCESS);
    }
}

#[test]
fn a_daemon_that_does_not_answer_verify_denies() {
    for options in [Options::default(), nullok()] {
        for error in all_client_errors() {
            let case = format!("{error:?}");
            let mut host = script(&[CODE]);
            let code = login(&mut host, &fake(prompt(), [Err(error)]), &options, false);
            assert_eq!(code, PamResultCode::PAM_AUTHINFO_UNAVAIL, "{case}");
            assert_eq!(host.seen, [PROMPTED, NOT_CHECKED], "{case}");
        }
    }
}

#[test]
fn a_user_without_token_is_ignored_with_nullok_and_asked_like_any_other_without() {
    let mut host = script(&[CODE]);
    let daemon = fake(skip(SkipReason::NoToken), []);
    assert_eq!(login(&mut host, &daemon, &nullok(), false), PamResultCode::PAM_IGNORE);
    assert!(host.seen.is_empty());
    assert_eq!(host.logged[0].0, Level::Info);

    let mut without = script(&[CODE]);
    let daemon = fake(skip(SkipReason::NoToken), [Ok(VerifyAnswer::Wrong { clock_offset: None })]);
    let code = login(&mut without, &daemon, &Options::default(), false);
    assert_eq!(code, PamResultCode::PAM_AUTH_ERR);
    let mut with = script(&[CODE]);
    let with_token = fake(prompt(), [Ok(VerifyAnswer::Wrong { clock_offset: None })]);
    login(&mut with, &with_token, &Options::default(), false);
    assert_eq!(without.seen, with.seen);
    assert_eq!(without.logged, with.logged);
    assert_eq!(*daemon.asked.borrow(), *with_token.asked.borrow());
}

#[test]
fn nullok_asks_a_user_who_has_a_token() {
    let mut host = script(&[CODE]);
    let daemon = fake(prompt(), [Ok(VerifyAnswer::Wrong { clock_offset: None })]);
    assert_eq!(login(&mut host, &daemon, &nullok(), false), PamResultCode::PAM_AUTH_ERR);
    assert_eq!(host.seen, [PROMPTED, "Error Wrong code."]);
}

#[test]
fn no_answer_is_denied_and_nothing_is_sent() {
    let empty = [None, Some(""), Some(" "), Some("\t \r\n"), Some("\u{a0}\u{3000}")];
    for answer in empty {
        let mut host = script(&[""]);
        host.answers = [Ok(answer.map(|text: &str| text.as_bytes().to_vec()))].into();
        let daemon = fake(prompt(), []);
        let code = login(&mut host, &daemon, &Options::default(), false);
        assert_eq!(code, PamResultCode::PAM_AUTH_ERR, "{answer:?}");
        assert_eq!(host.seen, [PROMPTED], "{answer:?}");
        assert_eq!(*daemon.asked.borrow(), ["begin alice sshd"], "{answer:?}");
    }
    let mut host = script(&[CODE]);
    host.answers = [Err(ConversationFailed)].into();
    let daemon = fake(prompt(), []);
    let code = login(&mut host, &daemon, &Options::default(), false);
    assert_eq!(code, PamResultCode::PAM_CONV_ERR);
    assert_eq!(host.seen, [PROMPTED]);
}

#[test]
fn an_answer_that_can_be_no_code_is_wrong_and_not_sent() {
    let longest = "1".repeat(TypedCode::MAX_BYTES);
    for (answer, sent) in [
        (longest.clone().into_bytes(), true),
        (format!("{longest}1").into_bytes(), false),
        (vec![b'1'; 100_000], false),
        (b"12\xff456".to_vec(), false),
        ("12345６".as_bytes().to_vec(), true),
    ] {
        let mut host = script(&[""]);
        host.answers = [Ok(Some(answer.clone()))].into();
        let daemon = fake(prompt(), sent.then_some(Ok(VerifyAnswer::Wrong { clock_offset: None })));
        let code = login(&mut host, &daemon, &Options::default(), false);
        assert_eq!(code, PamResultCode::PAM_AUTH_ERR);
        assert_eq!(host.seen, [PROMPTED, "Error Wrong code."]);
        assert_eq!(daemon.asked.borrow().len(), if sent { 2 } else { 1 });
    }
}

#[test]
fn what_is_typed_is_sent_as_it_is() {
    let mut host = script(&[" 271 828 "]);
    let daemon = fake(prompt(), accepted());
    login(&mut host, &daemon, &Options::default(), false);
    assert_eq!(daemon.asked.borrow()[1], "verify alice  271 828  sshd");
}

#[test]
fn a_name_that_no_account_has_is_asked_and_denied_without_the_daemon() {
    let mut host = script(&[CODE]);
    host.user = Some(User::Impossible { name: "a\nb".into(), reason: "no such characters".into() });
    let code = login(&mut host, &fake([], []), &nullok(), false);
    assert_eq!(code, PamResultCode::PAM_AUTH_ERR);
    assert_eq!(host.seen, [PROMPTED, "Error Wrong code."]);
    assert_eq!(
        host.logged,
        [(
            Level::Notice,
            r"no such characters: login denied; rhost=192.0.2.7 tty=ssh user=a\nb".to_owned()
        )]
    );

    let mut nobody = script(&[CODE]);
    nobody.user = None;
    let code = login(&mut nobody, &fake([], []), &nullok(), false);
    assert_eq!(code, PamResultCode::PAM_CONV_ERR);
    assert!(nobody.seen.is_empty());
}

#[test]
fn silent_programs_and_quiet_lines_show_the_prompt_only() {
    let quiet = || Options { words: Words::Few, ..Options::default() };
    for (options, silent) in [(Options::default(), true), (quiet(), false)] {
        let mut wrong = script(&[CODE]);
        let daemon = fake(prompt(), [Ok(VerifyAnswer::Wrong { clock_offset: None })]);
        assert_eq!(login(&mut wrong, &daemon, &options, silent), PamResultCode::PAM_AUTH_ERR);
        assert_eq!(wrong.seen, [PROMPTED]);
        assert_eq!(wrong.logged.len(), 1);

        let mut right = script(&[CODE]);
        let answer = VerifyAnswer::Accepted(told(9, 1));
        let daemon = fake(prompt(), [Ok(answer)]);
        assert_eq!(login(&mut right, &daemon, &options, silent), PamResultCode::PAM_SUCCESS);
        assert_eq!(right.seen, [PROMPTED]);
        assert_eq!(right.logged.len(), usize::from(options.words == Words::Normal));

        let mut down = script(&[CODE]);
        let daemon = fake([Err(ClientError::TimedOut)], []);
        login(&mut down, &daemon, &options, silent);
        assert!(down.seen.is_empty());
        assert_eq!(down.logged.len(), 1);
    }
}

#[test]
fn prompt_and_echo_are_those_of_the_options() {
    let options = Options { prompt: Some("Code? ".into()), echo: Echo::On, ..Options::default() };
    let mut host = script(&[CODE]);
    login(&mut host, &fake(prompt(), accepted()), &options, false);
    assert_eq!(host.seen, ["On Code? "]);
}

#[test]
fn no_line_and_no_text_holds_the_code() {
    let options = || Options { debug: true, ..Options::default() };
    let mut answers: Vec<Result<VerifyAnswer, ClientError>> =
        all_client_errors().map(Err).collect();
    answers.extend([
        Ok(VerifyAnswer::Accepted(told(1, 1))),
        Ok(VerifyAnswer::Wrong { clock_offset: Some(95) }),
        Ok(VerifyAnswer::Replayed {}),
        Ok(VerifyAnswer::Locked { seconds: Some(1) }),
        Ok(VerifyAnswer::Unavailable { ignore: false }),
        Ok(VerifyAnswer::Error(refusal())),
    ]);
    for answer in answers {
        let mut host = script(&[CODE]);
        let daemon = fake(prompt(), [answer]);
        login(&mut host, &daemon, &options(), false);
        assert!(daemon.asked.borrow()[1].contains(CODE));
        assert!(host.logged.iter().any(|(level, _)| *level == Level::Debug));
        let said = host.logged.iter().map(|(_, line)| line).chain(&host.seen);
        for text in said {
            assert!(!text.contains(CODE), "{text}");
            assert!(!text.contains(char::is_control), "{text:?}");
        }
    }
}

#[test]
fn a_refused_connection_is_logged_with_the_daemons_reason() {
    let busy = || ErrorAnswer { code: ErrorCode::Busy, message: "too many connections".into() };
    for (begin, verify) in [
        (Err(ClientError::Refused(busy())), None),
        (prompt().unwrap(), Some(Err(ClientError::Refused(busy())))),
    ] {
        let mut host = script(&[CODE]);
        let code = login(&mut host, &fake([begin], verify), &nullok(), false);
        assert_eq!(code, PamResultCode::PAM_AUTHINFO_UNAVAIL);
        assert_eq!(
            host.logged[0].1,
            "mfa-daemon refused: too many connections: login denied; \
             rhost=192.0.2.7 tty=ssh user=alice"
        );
    }
}

#[test]
fn an_unreachable_daemon_is_logged_with_what_to_look_at() {
    let mut host = script(&[CODE]);
    let refused = ClientError::Unreachable(io::Error::from_raw_os_error(libc::ECONNREFUSED));
    login(&mut host, &fake([Err(refused)], []), &Options::default(), false);
    assert_eq!(
        host.logged[0].1,
        "cannot reach /run/mfa/mfa.sock (Connection refused (os error 111)), is mfa-daemon \
         running? (systemctl status mfa.socket): login denied; \
         rhost=192.0.2.7 tty=ssh user=alice"
    );
}

#[test]
fn only_an_accepted_code_of_a_token_that_is_due_is_kept_for_a_rotation_in_the_same_login() {
    let due = || Ok(VerifyAnswer::Accepted(Accepted { rotation_due: true, ..Accepted::default() }));
    let mut host = script(&[CODE]);
    let code = login(&mut host, &fake(prompt(), [due()]), &Options::default(), false);
    assert_eq!(code, PamResultCode::PAM_SUCCESS);
    assert_eq!(host.kept, [(alice(), Kept::CodeAccepted)]);
    host.keeps = false;
    let code = login(&mut host, &fake(prompt(), [due()]), &Options::default(), false);
    assert_eq!(code, PamResultCode::PAM_SUCCESS);
    let (level, line) = &host.logged[1];
    assert!(*level == Level::Error && line.contains("does not keep"), "{line}");

    for (begin, verify) in [
        (Ok(BeginAnswer::Granted {}), None),
        (skip(SkipReason::Exempt).unwrap(), None),
        (skip(SkipReason::NoToken).unwrap(), None),
        (Ok(BeginAnswer::Unavailable { ignore: true }), None),
        (prompt().unwrap(), accepted()),
        (prompt().unwrap(), wrong()),
        (prompt().unwrap(), Some(Ok(VerifyAnswer::Replayed {}))),
        (prompt().unwrap(), Some(Ok(VerifyAnswer::Unavailable { ignore: true }))),
    ] {
        let mut host = script(&[CODE]);
        login(&mut host, &fake([begin], verify), &nullok(), false);
        assert_eq!(host.kept, [], "{:?}", host.logged);
    }
}

#[test]
fn what_the_daemon_grants_succeeds_and_what_it_exempts_is_ignored_without_a_prompt() {
    for (begin, code, logged) in [
        (Ok(BeginAnswer::Granted {}), PamResultCode::PAM_SUCCESS, "login accepted without a code"),
        (skip(SkipReason::Exempt).unwrap(), PamResultCode::PAM_IGNORE, "exempt by a rule: not"),
    ] {
        let mut host = script(&[]);
        let daemon = fake([begin], []);
        assert_eq!(login(&mut host, &daemon, &Options::default(), false), code);
        assert!(host.seen.is_empty());
        assert_eq!(host.logged[0].0, Level::Info);
        assert!(host.lines()[0].starts_with(logged), "{:?}", host.logged);
        assert_eq!(asked(&daemon), ["begin alice sshd"]);
    }
}

#[test]
fn a_user_without_token_is_told_the_deadline_where_nullok_lets_him_in() {
    let until = |seconds| BeginAnswer::Skip {
        reason: SkipReason::NoToken,
        digits: 6,
        enroll_within: Some(seconds),
        observe: false,
    };
    for (seconds, text) in [
        (12 * 86_400, "Info You must set up a one-time code within 12 days."),
        (0, "Info You must set up a one-time code now."),
    ] {
        let mut host = script(&[]);
        let code = login(&mut host, &fake([Ok(until(seconds))], []), &nullok(), false);
        assert_eq!(code, PamResultCode::PAM_IGNORE);
        assert_eq!(host.seen, [text]);
        // Without nullok that there is no token must not show.
        let mut host = script(&[CODE]);
        let daemon = fake([Ok(until(seconds))], wrong());
        let code = login(&mut host, &daemon, &Options::default(), false);
        assert_eq!(code, PamResultCode::PAM_AUTH_ERR);
        assert_eq!(host.seen, [PROMPTED, "Error Wrong code."]);
    }
}

#[test]
fn retry_asks_so_often_and_no_more_and_each_code_is_sent() {
    let options = |retry| Options { retry, ..Options::default() };
    for retry in 1..=3 {
        let mut host = script(&["1", "2", "3", CODE]);
        let daemon = fake(prompt(), std::iter::repeat_with(|| wrong().unwrap()).take(9));
        let code = login(&mut host, &daemon, &options(retry), false);
        assert_eq!(code, PamResultCode::PAM_AUTH_ERR);
        assert_eq!(asked(&daemon).len(), 1 + usize::from(retry));
        let shown = [PROMPTED, "Error Wrong code."].repeat(retry.into());
        assert_eq!(host.seen, shown);
        let last = host.logged.len() - 1;
        for (at, line) in host.lines().iter().enumerate() {
            let end =
                if at == last { "wrong code: login denied;" } else { "wrong code: asked again;" };
            assert!(line.starts_with(end), "{line}");
        }
    }
    let mut host = script(&["1", CODE]);
    let daemon = fake(prompt(), [wrong(), accepted()].into_iter().flatten());
    assert_eq!(login(&mut host, &daemon, &options(2), false), PamResultCode::PAM_SUCCESS);
    assert_eq!(host.seen, [PROMPTED, "Error Wrong code.", PROMPTED]);
}

#[test]
fn a_lock_an_empty_answer_and_a_broken_conversation_end_the_retries() {
    let options = Options { retry: 3, ..Options::default() };
    let mut locked = script(&["1", "2", CODE]);
    let locks = Some(Ok(VerifyAnswer::Locked { seconds: Some(30) }));
    let daemon = fake(prompt(), [wrong(), locks, accepted()].into_iter().flatten());
    assert_eq!(login(&mut locked, &daemon, &options, false), PamResultCode::PAM_MAXTRIES);
    assert_eq!(asked(&daemon).len(), 3);

    let mut empty = script(&["1", "", CODE]);
    let daemon = fake(prompt(), wrong());
    assert_eq!(login(&mut empty, &daemon, &options, false), PamResultCode::PAM_AUTH_ERR);
    assert_eq!(asked(&daemon).len(), 2);

    let mut broken = script(&["1"]);
    broken.answers.push_back(Err(ConversationFailed));
    let daemon = fake(prompt(), wrong());
    assert_eq!(login(&mut broken, &daemon, &options, false), PamResultCode::PAM_CONV_ERR);
}

#[test]
fn a_name_that_no_account_has_is_asked_as_often_as_any_other() {
    let options = Options { retry: 2, ..Options::default() };
    let mut impossible = script(&["1", "2"]);
    impossible.user = Some(User::Impossible { name: "a/b".into(), reason: "no".into() });
    login(&mut impossible, &fake([], []), &options, false);
    let mut possible = script(&["1", "2"]);
    let daemon = fake(prompt(), [wrong(), wrong()].into_iter().flatten());
    login(&mut possible, &daemon, &options, false);
    assert_eq!(impossible.seen, possible.seen);
}

#[test]
fn members_of_the_exempt_group_are_ignored_before_anything_is_asked_or_sent() {
    let options = Options { exempt_group: Some("robots".into()), ..Options::default() };
    let mut member = script(&[]);
    member.group = Some(("robots", true));
    let daemon = fake([], []);
    assert_eq!(login(&mut member, &daemon, &options, false), PamResultCode::PAM_IGNORE);
    assert!(member.seen.is_empty() && asked(&daemon).is_empty());

    let mut other = script(&[CODE]);
    other.group = Some(("robots", false));
    let code = login(&mut other, &fake(prompt(), wrong()), &options, false);
    assert_eq!(code, PamResultCode::PAM_AUTH_ERR);
    assert_eq!(other.logged.len(), 1);

    let mut missing = script(&[CODE]);
    missing.group = Some(("other", true));
    let code = login(&mut missing, &fake(prompt(), wrong()), &options, false);
    assert_eq!(code, PamResultCode::PAM_AUTH_ERR);
    assert_eq!(missing.logged[0].0, Level::Error);
    assert!(missing.lines()[0].contains("exempt_group=robots: there is no such group"));

    let mut unasked = script(&[CODE]);
    unasked.group = Some(("robots", true));
    let code = login(&mut unasked, &fake(prompt(), wrong()), &Options::default(), false);
    assert_eq!(code, PamResultCode::PAM_AUTH_ERR);
}

#[test]
fn observing_asks_and_checks_as_usual_and_denies_and_scolds_nobody() {
    let option = || Options { observe: true, ..Options::default() };
    let rule = || Some(Ok(BeginAnswer::Prompt { digits: 6, observe: true }));
    let answers = || {
        let mut answers: Vec<_> = all_client_errors().map(Err).collect();
        answers.extend([
            Ok(VerifyAnswer::Wrong { clock_offset: Some(95) }),
            Ok(VerifyAnswer::Replayed {}),
            Ok(VerifyAnswer::Locked { seconds: Some(9) }),
            Ok(VerifyAnswer::Unavailable { ignore: false }),
            Ok(VerifyAnswer::Error(refusal())),
        ]);
        answers
    };
    let by_option = answers().into_iter().map(|answer| (prompt(), option(), answer));
    let by_rule = answers().into_iter().map(|answer| (rule(), Options::default(), answer));
    for (begin, options, answer) in by_option.chain(by_rule) {
        let case = format!("{answer:?}");
        let mut host = script(&[CODE]);
        let daemon = fake(begin, [answer]);
        assert_eq!(login(&mut host, &daemon, &options, false), PamResultCode::PAM_IGNORE, "{case}");
        assert_eq!(host.seen, [PROMPTED], "{case}");
        assert_eq!(host.logged.len(), 1, "{case}");
        assert_eq!(host.logged[0].0, Level::Notice, "{case}");
        assert!(host.lines()[0].starts_with("observed: "), "{case}: {:?}", host.logged);
        assert!(host.lines()[0].contains(": the login would have been denied;"), "{case}");
        assert_eq!(asked(&daemon).len(), 2, "{case}");
    }
    let mut right = script(&[CODE]);
    let daemon = fake(prompt(), [Ok(VerifyAnswer::Accepted(told(1, 1)))]);
    assert_eq!(login(&mut right, &daemon, &option(), false), PamResultCode::PAM_IGNORE);
    assert!(right.lines()[0].starts_with("observed: login accepted;"));
    assert_eq!(right.seen.len(), 2);

    for begin in [
        Ok(BeginAnswer::Granted {}),
        skip(SkipReason::NoToken).unwrap(),
        Ok(BeginAnswer::Error(refusal())),
        Err(ClientError::TimedOut),
    ] {
        let mut host = script(&["", CODE]);
        let code = login(&mut host, &fake([begin], wrong()), &option(), false);
        assert_eq!(code, PamResultCode::PAM_IGNORE);
        assert!(!host.seen.iter().any(|text| text.starts_with("Error")), "{:?}", host.seen);
    }
    for answer in [Err(ConversationFailed), Ok(None)] {
        let mut host = script(&[]);
        host.answers = [answer].into();
        let code = login(&mut host, &fake(prompt(), []), &option(), false);
        assert_eq!(code, PamResultCode::PAM_IGNORE);
    }
    let mut nobody = script(&[]);
    nobody.user = None;
    assert_eq!(login(&mut nobody, &fake([], []), &option(), false), PamResultCode::PAM_IGNORE);
}

#[test]
fn an_unavailable_daemon_is_ignored_with_an_alert_only_where_that_is_said_and_true() {
    let ignoring = || Options { unavailable: Unavailable::Ignore, ..Options::default() };
    let check = |begin, verify: Option<_>, options: &Options, ignored: bool| {
        let case = format!("{begin:?} {verify:?} {options:?}");
        let mut host = script(&[CODE]);
        let code = login(&mut host, &fake([begin], verify), options, false);
        let (level, line) = host.logged.last().unwrap();
        if ignored {
            assert_eq!(code, PamResultCode::PAM_IGNORE, "{case}");
            assert_eq!(*level, Level::Alert, "{case}");
            assert!(line.contains(": NOT CHECKED, login not denied;"), "{case}: {line}");
            assert!(!host.seen.contains(&NOT_CHECKED.to_owned()), "{case}");
        } else {
            assert_eq!(code, PamResultCode::PAM_AUTHINFO_UNAVAIL, "{case}");
            assert_eq!(*level, Level::Error, "{case}");
        }
    };
    for options in [ignoring(), Options::default()] {
        let said = options.unavailable == Unavailable::Ignore;
        let (excused, others) = client_errors();
        for (errors, ignored) in [(excused, said), (others, false)] {
            for error in errors {
                check(prompt().unwrap(), Some(Err(error)), &options, ignored);
            }
        }
        let (excused, others) = client_errors();
        for (errors, ignored) in [(excused, said), (others, false)] {
            for error in errors {
                check(Err(error), None, &options, ignored);
            }
        }
        for rule in [false, true] {
            let begin = Ok(BeginAnswer::Unavailable { ignore: rule });
            check(begin, None, &options, said || rule);
            let verify = Ok(VerifyAnswer::Unavailable { ignore: rule });
            check(prompt().unwrap(), Some(verify), &options, said || rule);
        }
        check(Ok(BeginAnswer::Error(refusal())), None, &options, false);
        check(prompt().unwrap(), Some(Ok(VerifyAnswer::Error(refusal()))), &options, false);
        let mut wrong_code = script(&[CODE]);
        let code = login(&mut wrong_code, &fake(prompt(), wrong()), &options, false);
        assert_eq!(code, PamResultCode::PAM_AUTH_ERR);
    }
}

#[test]
fn a_hint_about_the_clock_and_the_last_failure_are_shown_where_they_belong() {
    let mut host = script(&[CODE]);
    let hint = Ok(VerifyAnswer::Wrong { clock_offset: Some(95) });
    login(&mut host, &fake(prompt(), [hint]), &Options::default(), false);
    assert!(host.seen[1].starts_with("Error Wrong code. The clock of your authenticator seems"));

    let mut host = script(&[CODE]);
    let last_failure = Some(LastFailure { at: 0, from: Some("192.0.2.9".into()) });
    let answer = VerifyAnswer::Accepted(Accepted { failures: 1, last_failure, ..told(1, 1) });
    login(&mut host, &fake(prompt(), [Ok(answer)]), &Options::default(), false);
    assert!(host.seen[1].contains("last from 192.0.2.9 at 1970-01-01 00:00 UTC."));
}
