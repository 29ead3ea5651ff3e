// SPDX-License-Identifier: GPL-3.0-or-later
//! What the options, the daemon's rules and its grace make of a login.

use std::iter;

use mfa_proto::ClientError;
use mfa_proto::login::{Accepted, LastFailure};

use super::*;
use crate::options::Unavailable;
use crate::script::{
    CODE, Fake, NOT_CHECKED, PROMPTED, accepted, all_client_errors, client_errors, fake, nullok,
    prompt, refusal, script, skip, told, wrong,
};

fn asked(daemon: &Fake) -> Vec<String> {
    daemon.asked.borrow().clone()
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
        let daemon = fake(prompt(), iter::repeat_with(|| wrong().unwrap()).take(9));
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
