// SPDX-License-Identifier: GPL-3.0-or-later
//! Password and code in one field: what is sent, what is handed on, who is asked.

use super::*;
use crate::options::Echo;
use crate::script::{CODE, Fake, Script, accepted, fake, prompt, script, skip, wrong};

const PASSWORD: &str = "correct horse-battery";
const ASKED_BOTH: &str = "Off Password and one-time code: ";
const ASKED_CODE: &str = "Off One-time code: ";

fn options(first_pass: FirstPass, forward_pass: bool) -> Options {
    Options { first_pass, forward_pass, ..Options::default() }
}

fn both(code: &str) -> String {
    format!("{PASSWORD}{code}")
}

fn with_token(answers: &[&str], token: &str) -> Script {
    Script { auth_token: Some(token.into()), ..script(answers) }
}

fn token(host: &Script) -> Option<&str> {
    host.auth_token.as_deref().map(|token| std::str::from_utf8(token).unwrap())
}

/// The codes that were sent. Nothing of the password is in anything that was.
fn sent(daemon: &Fake) -> Vec<String> {
    let asked = daemon.asked.borrow();
    for line in asked.iter() {
        assert!(!line.contains("horse") && !line.contains("battery"), "{line}");
    }
    asked
        .iter()
        .filter_map(|line| line.strip_prefix("verify alice "))
        .filter_map(|line| line.strip_suffix(" sshd"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_password_typed_again_is_no_code_and_sent_to_nobody() {
    let mut host = with_token(&[PASSWORD], PASSWORD);
    let daemon = fake(prompt(), accepted());
    let code = login(&mut host, &daemon, &Options::default(), false);
    assert_eq!(code, PamResultCode::PAM_AUTH_ERR);
    assert_eq!(host.seen, [ASKED_CODE, "Error Wrong code."]);
    assert!(sent(&daemon).is_empty());
    assert!(host.lines()[0].contains("`forward_pass`"), "{:?}", host.lines());
    // A person has tries left.
    let mut host = with_token(&[PASSWORD, CODE], PASSWORD);
    let daemon = fake(prompt(), accepted());
    let options = Options { retry: 2, ..Options::default() };
    assert_eq!(login(&mut host, &daemon, &options, false), PamResultCode::PAM_SUCCESS);
    assert_eq!(sent(&daemon), [CODE]);
    // A password that looks like a code is one all the same.
    let mut host = with_token(&[CODE], CODE);
    let daemon = fake(prompt(), accepted());
    let code = login(&mut host, &daemon, &Options::default(), false);
    assert_eq!(code, PamResultCode::PAM_AUTH_ERR);
    assert!(sent(&daemon).is_empty());
}

#[test]
fn forward_pass_asks_once_sends_the_code_and_hands_on_the_rest() {
    for code in [CODE, "ABCD-1234-xyz"] {
        for verdict in [accepted, wrong] {
            let mut host = script(&[&both(code)]);
            let daemon = fake(prompt(), verdict());
            login(&mut host, &daemon, &options(FirstPass::Leave, true), false);
            assert_eq!(host.seen[0], ASKED_BOTH);
            assert_eq!(sent(&daemon), [code]);
            assert_eq!(token(&host), Some(PASSWORD));
        }
    }
    let seven = Some(Ok(BeginAnswer::Prompt { digits: 7, observe: false }));
    let mut host = script(&[&both("2718281")]);
    let daemon = fake(seven, accepted());
    let code = login(&mut host, &daemon, &options(FirstPass::Leave, true), false);
    assert_eq!(code, PamResultCode::PAM_SUCCESS);
    assert_eq!(sent(&daemon), ["2718281"]);
    assert_eq!(token(&host), Some(PASSWORD));
}

#[test]
fn a_password_without_a_code_is_denied_and_handed_on_whole_and_nothing_of_it_is_sent() {
    for typed in [PASSWORD, &both("27182"), &both("271 828"), &both("271828 ")] {
        let mut host = script(&[typed]);
        let daemon = fake(prompt(), []);
        let code = login(&mut host, &daemon, &options(FirstPass::Leave, true), false);
        assert_eq!(code, PamResultCode::PAM_AUTH_ERR);
        assert!(sent(&daemon).is_empty());
        assert_eq!(token(&host), Some(typed));
        assert_eq!(host.seen, [ASKED_BOTH, "Error Wrong code."]);
    }
    let mut control = script(&[&both(CODE)]);
    let daemon = fake(prompt(), accepted());
    let code = login(&mut control, &daemon, &options(FirstPass::Leave, true), false);
    assert_eq!(code, PamResultCode::PAM_SUCCESS);
}

#[test]
fn an_observed_login_hands_the_password_on_as_well() {
    let observing = Options { observe: true, ..options(FirstPass::Leave, true) };
    for (typed, handed_on) in [(PASSWORD.to_owned(), PASSWORD), (both(CODE), PASSWORD)] {
        let mut host = script(&[&typed]);
        let daemon = fake(prompt(), wrong());
        assert_eq!(login(&mut host, &daemon, &observing, false), PamResultCode::PAM_IGNORE);
        assert_eq!(token(&host), Some(handed_on));
        sent(&daemon);
    }
}

#[test]
fn without_forward_pass_what_is_typed_is_a_code_and_the_token_stays() {
    let mut host = with_token(&[CODE], &both("999999"));
    let daemon = fake(prompt(), accepted());
    let code = login(&mut host, &daemon, &Options::default(), false);
    assert_eq!(code, PamResultCode::PAM_SUCCESS);
    assert_eq!(sent(&daemon), [CODE]);
    assert_eq!(token(&host), Some(&*both("999999")));
}

#[test]
fn use_first_pass_takes_the_end_of_the_password_and_asks_nobody() {
    for (forward, left) in [(false, both(CODE)), (true, PASSWORD.to_owned())] {
        for (verdict, code) in
            [(accepted(), PamResultCode::PAM_SUCCESS), (wrong(), PamResultCode::PAM_AUTH_ERR)]
        {
            let mut host = with_token(&[], &both(CODE));
            let daemon = fake(prompt(), verdict);
            assert_eq!(login(&mut host, &daemon, &options(FirstPass::Use, forward), false), code);
            assert_eq!(sent(&daemon), [CODE]);
            assert_eq!(token(&host), Some(&*left));
        }
    }
}

#[test]
fn use_first_pass_without_a_password_or_a_code_in_it_is_denied_and_nothing_is_sent() {
    for forward in [false, true] {
        for there in [None, Some(""), Some(PASSWORD), Some("12345")] {
            let mut host = script(&[]);
            host.auth_token = there.map(|token| token.as_bytes().to_vec());
            let daemon = fake(prompt(), []);
            let code = login(&mut host, &daemon, &options(FirstPass::Use, forward), false);
            assert_eq!(code, PamResultCode::PAM_AUTH_ERR, "{there:?}");
            assert!(sent(&daemon).is_empty());
            assert_eq!(token(&host), there);
            assert_eq!(host.seen, ["Error Wrong code."]);
        }
    }
}

#[test]
fn use_first_pass_tries_once_whatever_retry_says() {
    let mut host = with_token(&[], &both(CODE));
    let daemon = fake(prompt(), wrong());
    let options = Options { retry: 3, ..options(FirstPass::Use, false) };
    assert_eq!(login(&mut host, &daemon, &options, false), PamResultCode::PAM_AUTH_ERR);
    assert_eq!(sent(&daemon).len(), 1);
}

#[test]
fn try_first_pass_takes_the_end_of_the_password_without_a_prompt_where_it_is_right() {
    for (forward, left) in [(false, both(CODE)), (true, PASSWORD.to_owned())] {
        let mut host = with_token(&[], &both(CODE));
        let daemon = fake(prompt(), accepted());
        let code = login(&mut host, &daemon, &options(FirstPass::Try, forward), false);
        assert_eq!(code, PamResultCode::PAM_SUCCESS);
        assert!(host.seen.is_empty());
        assert_eq!(sent(&daemon), [CODE]);
        assert_eq!(token(&host), Some(&*left));
    }
}

#[test]
fn try_first_pass_asks_where_there_is_nothing_no_code_or_a_wrong_one() {
    for there in [None, Some(""), Some(PASSWORD)] {
        let mut host = script(&[CODE]);
        host.auth_token = there.map(|token| token.as_bytes().to_vec());
        let daemon = fake(prompt(), accepted());
        let code = login(&mut host, &daemon, &options(FirstPass::Try, false), false);
        assert_eq!(code, PamResultCode::PAM_SUCCESS, "{there:?}");
        assert_eq!(host.seen, [ASKED_CODE]);
        assert_eq!(sent(&daemon), [CODE]);
        assert_eq!(token(&host), there);
    }
    let mut host = with_token(&[CODE], &both("999999"));
    let daemon = fake(prompt(), [wrong(), accepted()].into_iter().flatten());
    let code = login(&mut host, &daemon, &options(FirstPass::Try, false), false);
    assert_eq!(code, PamResultCode::PAM_SUCCESS);
    assert_eq!(host.seen, ["Error Wrong code.", ASKED_CODE]);
    assert_eq!(sent(&daemon), ["999999", CODE]);

    let mut host = with_token(&[&both(CODE)], "old999999");
    let daemon = fake(prompt(), [wrong(), accepted()].into_iter().flatten());
    let code = login(&mut host, &daemon, &options(FirstPass::Try, true), false);
    assert_eq!(code, PamResultCode::PAM_SUCCESS);
    assert_eq!(host.seen, ["Error Wrong code.", ASKED_BOTH]);
    assert_eq!(token(&host), Some(PASSWORD));
}

#[test]
fn a_lock_at_the_first_pass_asks_nobody() {
    let mut host = with_token(&[], &both(CODE));
    let daemon = fake(prompt(), [Ok(VerifyAnswer::Locked { seconds: Some(30) })]);
    let code = login(&mut host, &daemon, &options(FirstPass::Try, false), false);
    assert_eq!(code, PamResultCode::PAM_MAXTRIES);
}

#[test]
fn whoever_is_not_asked_keeps_the_token_as_it_is() {
    let mut host = with_token(&[], &both(CODE));
    let without_token = WithoutToken::Ignore;
    let options = Options { without_token, ..options(FirstPass::Use, true) };
    let daemon = fake(skip(SkipReason::NoToken), []);
    assert_eq!(login(&mut host, &daemon, &options, false), PamResultCode::PAM_IGNORE);
    assert_eq!(token(&host), Some(&*both(CODE)));
}

#[test]
fn a_user_without_token_and_an_impossible_name_are_asked_for_both_like_any_other() {
    let mut seen = Vec::new();
    for (user, begin) in [
        (None, prompt()),
        (None, skip(SkipReason::NoToken)),
        (Some(User::Impossible { name: "a/b".into(), reason: "no".into() }), None),
    ] {
        let mut host = script(&[&both(CODE)]);
        host.user = user.or(host.user);
        let daemon = fake(begin, wrong());
        let code = login(&mut host, &daemon, &options(FirstPass::Leave, true), false);
        assert_eq!(code, PamResultCode::PAM_AUTH_ERR);
        assert_eq!(token(&host), Some(PASSWORD));
        seen.push(host.seen);
    }
    assert!(seen.iter().all(|each| *each == seen[0]), "{seen:?}");
}

#[test]
fn no_line_and_no_text_holds_the_password() {
    let quiet_no_more = Options { debug: true, retry: 2, ..options(FirstPass::Try, true) };
    let mut host = with_token(&[PASSWORD, &both(CODE)], &both("999999"));
    host.keeps = false;
    let daemon = fake(prompt(), [wrong(), wrong()].into_iter().flatten());
    login(&mut host, &daemon, &quiet_no_more, false);
    assert_eq!(sent(&daemon), ["999999", CODE]);
    assert!(host.lines().iter().any(|line| line.contains("libpam does not take")));
    for text in host.lines().into_iter().chain(host.seen.iter().map(String::as_str)) {
        assert!(!text.contains("horse") && !text.contains(CODE) && !text.contains("999999"));
    }
    assert_eq!(quiet_no_more.echo, Echo::Off);
}
