// SPDX-License-Identifier: GPL-3.0-or-later
//! The whole login in memory: a scripted program, a scripted daemon, and the table of decisions.

use std::io;

use mfa_proto::login::Accepted;
use mfa_proto::{ClientError, ErrorAnswer, ErrorCode};

use super::*;
use crate::options::{Echo, Words};
use crate::script::{
    CODE, NOT_CHECKED, PROMPTED, accepted, alice, all_client_errors, fake, nullok, prompt, refusal,
    script, skip, told, wrong,
};

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
