// SPDX-License-Identifier: GPL-3.0-or-later
//! The whole flow in memory: a scripted program, a scripted daemon, and the table of decisions.

use std::cell::RefCell;
use std::io;
use std::path::PathBuf;

use mfa_proto::peer::TrustError;
use mfa_proto::{ErrorAnswer, ErrorCode, FrameError};

use super::*;

const CODE: &str = "271828";

/// A program whose user answers as scripted.
struct Script {
    user: Option<User>,
    answer: Result<Option<Vec<u8>>, ConversationFailed>,
    seen: Vec<String>,
    logged: Vec<(Level, String)>,
}

/// A daemon that answers as scripted and remembers what it was asked.
struct Fake {
    begin: RefCell<Option<Result<BeginAnswer, ClientError>>>,
    verify: RefCell<Option<Result<VerifyAnswer, ClientError>>>,
    asked: RefCell<Vec<String>>,
}

impl Host for Script {
    fn user(&mut self) -> Result<User, ConversationFailed> {
        self.user.take().ok_or(ConversationFailed)
    }

    fn origin(&self) -> Origin {
        Origin { service: "sshd".into(), rhost: Some("192.0.2.7".into()), tty: Some("ssh".into()) }
    }

    fn prompt(&mut self, text: &str, echo: Echo) -> Result<Typed, ConversationFailed> {
        self.seen.push(format!("{echo:?} {text}"));
        match &self.answer {
            Ok(answer) => Ok(Typed::new(answer.as_deref())),
            Err(ConversationFailed) => Err(ConversationFailed),
        }
    }

    fn say(&mut self, tone: Tone, text: &str) {
        self.seen.push(format!("{tone:?} {text}"));
    }

    fn log(&mut self, level: Level, line: &Line) {
        self.logged.push((level, line.as_str().to_owned()));
    }
}

impl Verifier for Fake {
    fn begin(&self, user: &UserName, origin: &Origin) -> Result<BeginAnswer, ClientError> {
        self.asked.borrow_mut().push(format!("begin {user} {}", origin.service));
        self.begin.borrow_mut().take().expect("begin was not expected")
    }

    fn verify(
        &self,
        user: &UserName,
        code: TypedCode,
        origin: &Origin,
    ) -> Result<VerifyAnswer, ClientError> {
        let line = format!("verify {user} {} {}", code.as_str(), origin.service);
        self.asked.borrow_mut().push(line);
        self.verify.borrow_mut().take().expect("verify was not expected")
    }
}

fn script(answer: &str) -> Script {
    Script {
        user: Some(User::Named(UserName::new("alice").unwrap())),
        answer: Ok(Some(answer.as_bytes().to_vec())),
        seen: Vec::new(),
        logged: Vec::new(),
    }
}

fn fake(
    begin: impl Into<Option<Result<BeginAnswer, ClientError>>>,
    verify: impl Into<Option<Result<VerifyAnswer, ClientError>>>,
) -> Fake {
    Fake {
        begin: RefCell::new(begin.into()),
        verify: RefCell::new(verify.into()),
        asked: RefCell::default(),
    }
}

fn prompt() -> Result<BeginAnswer, ClientError> {
    Ok(BeginAnswer::Prompt {})
}

fn no_token() -> Result<BeginAnswer, ClientError> {
    Ok(BeginAnswer::Skip { reason: SkipReason::NoToken })
}

fn accepted() -> Result<VerifyAnswer, ClientError> {
    Ok(VerifyAnswer::Accepted { failures: 0, recovery_codes_left: None })
}

fn refusal() -> ErrorAnswer {
    ErrorAnswer { code: ErrorCode::NotPermitted, message: "not\nyours".into() }
}

fn client_errors() -> Vec<ClientError> {
    vec![
        ClientError::Unreachable(io::ErrorKind::ConnectionRefused.into()),
        ClientError::Untrusted(TrustError::Writable(PathBuf::from("/run"))),
        ClientError::TimedOut,
        ClientError::Closed,
        ClientError::Refused(refusal()),
        ClientError::Broken(io::ErrorKind::BrokenPipe.into()),
        ClientError::Answer(FrameError::Empty),
        ClientError::WrongId,
        ClientError::Question(FrameError::TooLong(70_000)),
    ]
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
            VerifyAnswer::Accepted { failures: 0, recovery_codes_left: None },
            PamResultCode::PAM_SUCCESS,
            None,
            Level::Info,
        ),
        (
            VerifyAnswer::Accepted { failures: 2, recovery_codes_left: Some(4) },
            PamResultCode::PAM_SUCCESS,
            Some("Info 2 wrong codes since your last login. 4 recovery codes left."),
            Level::Info,
        ),
        (
            VerifyAnswer::Wrong {},
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
            VerifyAnswer::Unavailable {},
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
        let mut host = script(CODE);
        let daemon = fake(prompt(), Ok(answer));
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
        let answers = client_errors().into_iter().map(Err);
        let answers =
            answers.chain([Ok(BeginAnswer::Unavailable {}), Ok(BeginAnswer::Error(refusal()))]);
        for answer in answers {
            let case = format!("{answer:?}");
            let mut host = script(CODE);
            let code = login(&mut host, &fake(answer, None), &options, false);
            assert_eq!(code, PamResultCode::PAM_AUTHINFO_UNAVAIL, "{case}");
            assert_eq!(host.seen, [NOT_CHECKED], "{case}");
            assert_eq!(host.logged.len(), 1, "{case}");
            assert_eq!(host.logged[0].0, Level::Error, "{case}");
        }
        let mut host = script(CODE);
        let code = login(&mut host, &fake(prompt(), accepted()), &options, false);
        assert_eq!(code, PamResultCode::PAM_SUCCESS);
    }
}

#[test]
fn a_daemon_that_does_not_answer_verify_denies() {
    for options in [Options::default(), nullok()] {
        for error in client_errors() {
            let case = format!("{error:?}");
            let mut host = script(CODE);
            let code = login(&mut host, &fake(prompt(), Err(error)), &options, false);
            assert_eq!(code, PamResultCode::PAM_AUTHINFO_UNAVAIL, "{case}");
            assert_eq!(host.seen, [PROMPTED, NOT_CHECKED], "{case}");
        }
    }
}

#[test]
fn a_user_without_token_is_ignored_with_nullok_and_asked_like_any_other_without() {
    let mut host = script(CODE);
    let daemon = fake(no_token(), None);
    assert_eq!(login(&mut host, &daemon, &nullok(), false), PamResultCode::PAM_IGNORE);
    assert!(host.seen.is_empty());
    assert_eq!(host.logged[0].0, Level::Info);

    let mut without = script(CODE);
    let daemon = fake(no_token(), Ok(VerifyAnswer::Wrong {}));
    let code = login(&mut without, &daemon, &Options::default(), false);
    assert_eq!(code, PamResultCode::PAM_AUTH_ERR);
    let mut with = script(CODE);
    let with_token = fake(prompt(), Ok(VerifyAnswer::Wrong {}));
    login(&mut with, &with_token, &Options::default(), false);
    assert_eq!(without.seen, with.seen);
    assert_eq!(without.logged, with.logged);
    assert_eq!(*daemon.asked.borrow(), *with_token.asked.borrow());
}

#[test]
fn nullok_asks_a_user_who_has_a_token() {
    let mut host = script(CODE);
    let daemon = fake(prompt(), Ok(VerifyAnswer::Wrong {}));
    assert_eq!(login(&mut host, &daemon, &nullok(), false), PamResultCode::PAM_AUTH_ERR);
    assert_eq!(host.seen, [PROMPTED, "Error Wrong code."]);
}

#[test]
fn no_answer_is_denied_and_nothing_is_sent() {
    let empty = [None, Some(""), Some(" "), Some("\t \r\n"), Some("\u{a0}\u{3000}")];
    for answer in empty {
        let mut host = script("");
        host.answer = Ok(answer.map(|text| text.as_bytes().to_vec()));
        let daemon = fake(prompt(), None);
        let code = login(&mut host, &daemon, &Options::default(), false);
        assert_eq!(code, PamResultCode::PAM_AUTH_ERR, "{answer:?}");
        assert_eq!(host.seen, [PROMPTED], "{answer:?}");
        assert_eq!(*daemon.asked.borrow(), ["begin alice sshd"], "{answer:?}");
    }
    let mut host = script(CODE);
    host.answer = Err(ConversationFailed);
    let daemon = fake(prompt(), None);
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
        let mut host = script("");
        host.answer = Ok(Some(answer.clone()));
        let daemon = fake(prompt(), sent.then_some(Ok(VerifyAnswer::Wrong {})));
        let code = login(&mut host, &daemon, &Options::default(), false);
        assert_eq!(code, PamResultCode::PAM_AUTH_ERR);
        assert_eq!(host.seen, [PROMPTED, "Error Wrong code."]);
        assert_eq!(daemon.asked.borrow().len(), if sent { 2 } else { 1 });
    }
}

#[test]
fn what_is_typed_is_sent_as_it_is() {
    let mut host = script(" 271 828 ");
    let daemon = fake(prompt(), accepted());
    login(&mut host, &daemon, &Options::default(), false);
    assert_eq!(daemon.asked.borrow()[1], "verify alice  271 828  sshd");
}

#[test]
fn a_name_that_no_account_has_is_asked_and_denied_without_the_daemon() {
    let mut host = script(CODE);
    host.user = Some(User::Impossible { name: "a\nb".into(), reason: "no such characters".into() });
    let code = login(&mut host, &fake(None, None), &nullok(), false);
    assert_eq!(code, PamResultCode::PAM_AUTH_ERR);
    assert_eq!(host.seen, [PROMPTED, "Error Wrong code."]);
    assert_eq!(
        host.logged,
        [(
            Level::Notice,
            r"no such characters: login denied; rhost=192.0.2.7 tty=ssh user=a\nb".to_owned()
        )]
    );

    let mut nobody = script(CODE);
    nobody.user = None;
    let code = login(&mut nobody, &fake(None, None), &nullok(), false);
    assert_eq!(code, PamResultCode::PAM_CONV_ERR);
    assert!(nobody.seen.is_empty());
}

#[test]
fn silent_programs_and_quiet_lines_show_the_prompt_only() {
    let quiet = || Options { words: Words::Few, ..Options::default() };
    for (options, silent) in [(Options::default(), true), (quiet(), false)] {
        let mut wrong = script(CODE);
        let daemon = fake(prompt(), Ok(VerifyAnswer::Wrong {}));
        assert_eq!(login(&mut wrong, &daemon, &options, silent), PamResultCode::PAM_AUTH_ERR);
        assert_eq!(wrong.seen, [PROMPTED]);
        assert_eq!(wrong.logged.len(), 1);

        let mut right = script(CODE);
        let answer = VerifyAnswer::Accepted { failures: 9, recovery_codes_left: Some(1) };
        let daemon = fake(prompt(), Ok(answer));
        assert_eq!(login(&mut right, &daemon, &options, silent), PamResultCode::PAM_SUCCESS);
        assert_eq!(right.seen, [PROMPTED]);
        assert_eq!(right.logged.len(), usize::from(options.words == Words::Normal));

        let mut down = script(CODE);
        let daemon = fake(Err(ClientError::TimedOut), None);
        login(&mut down, &daemon, &options, silent);
        assert!(down.seen.is_empty());
        assert_eq!(down.logged.len(), 1);
    }
}

#[test]
fn prompt_and_echo_are_those_of_the_options() {
    let options = Options { prompt: "Code? ".into(), echo: Echo::On, ..Options::default() };
    let mut host = script(CODE);
    login(&mut host, &fake(prompt(), accepted()), &options, false);
    assert_eq!(host.seen, ["On Code? "]);
}

#[test]
fn no_line_and_no_text_holds_the_code() {
    let options = || Options { debug: true, ..Options::default() };
    let mut answers: Vec<Result<VerifyAnswer, ClientError>> =
        client_errors().into_iter().map(Err).collect();
    answers.extend([
        accepted(),
        Ok(VerifyAnswer::Wrong {}),
        Ok(VerifyAnswer::Replayed {}),
        Ok(VerifyAnswer::Locked { seconds: Some(1) }),
        Ok(VerifyAnswer::Unavailable {}),
        Ok(VerifyAnswer::Error(refusal())),
    ]);
    for answer in answers {
        let mut host = script(CODE);
        let daemon = fake(prompt(), answer);
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
        (prompt(), Some(Err(ClientError::Refused(busy())))),
    ] {
        let mut host = script(CODE);
        let code = login(&mut host, &fake(begin, verify), &nullok(), false);
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
    let mut host = script(CODE);
    let refused = ClientError::Unreachable(io::Error::from_raw_os_error(libc::ECONNREFUSED));
    login(&mut host, &fake(Err(refused), None), &Options::default(), false);
    assert_eq!(
        host.logged[0].1,
        "cannot reach /run/mfa/mfa.sock (Connection refused (os error 111)), is mfa-daemon \
         running? (systemctl status mfa.socket): login denied; \
         rhost=192.0.2.7 tty=ssh user=alice"
    );
}
