// SPDX-License-Identifier: GPL-3.0-or-later
//! What the fuzzers do to the readers of foreign files: functions of bytes that panic where a promise is
//! broken. Behind a feature; in no program.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "test code: a broken promise ends the run"
)]

use std::cell::RefCell;
use std::collections::HashSet;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use jiff::tz::TimeZone;
use mfa_crypto::{Algorithm, Digits, Period};
use mfa_proto::UserName;
use mfa_proto::exchange::MovingFactor;
use mfa_proto::transfer::{
    ExportedToken, ExportedUser, ImportedAccount, ImportedMoving, ImportedToken,
};
use tempfile::NamedTempFile;

use crate::failure::Failure;
use crate::google_authenticator::GoogleFile;
use crate::incoming::{Incoming, Taken};
use crate::users_json::{self, Document};
use crate::users_oath::{self, Wanted};

/// 2026-11-23T21:14:05Z.
const NOW: u64 = 1_795_468_445;

/// Steps around now whose codes may still open a login here.
const REACH: u64 = 20;

thread_local! {
    // One file for all runs: making one costs more than reading it.
    static FILE: RefCell<NamedTempFile> = {
        let memory = Path::new("/dev/shm");
        let file = NamedTempFile::new_in(memory).or_else(|_| NamedTempFile::new());
        RefCell::new(file.expect("a file"))
    };
}

fn on_disk<T>(bytes: &[u8], read: impl FnOnce(&Path) -> T) -> T {
    FILE.with_borrow_mut(|file| {
        let inner = file.as_file_mut();
        inner.set_len(0).expect("emptied");
        inner.seek(SeekFrom::Start(0)).expect("rewound");
        inner.write_all(bytes).expect("written");
        read(file.path())
    })
}

/// A file of google_authenticator: what is read is written and read alike; what was spent there is spent
/// here; what is wrong is told without the secret.
pub fn google_authenticator(input: &[u8]) {
    let file = match GoogleFile::parse(input) {
        Ok(file) => file,
        Err(problem) => {
            let said = problem.to_string();
            let first = input.split(|byte| *byte == b'\n').next().unwrap_or_default();
            if first.len() >= 16 && first.iter().all(u8::is_ascii_alphanumeric) {
                assert!(!said.contains(&*String::from_utf8_lossy(first)));
            }
            return;
        }
    };
    let written = file.write();
    let again = GoogleFile::parse(written.as_bytes()).unwrap_or_else(|problem| panic!("{problem}"));
    assert!(again.write() == written);
    assert!(again.moving == file.moving && again.secret.expose() == file.secret.expose());
    assert!(again.logins == file.logins && again.rate_limit == file.rate_limit);
    assert_eq!((again.window, again.unknown), (file.window, 0));
    let spent = match &file.moving {
        crate::google_authenticator::Moving::Time { spent, .. } => spent.clone(),
        crate::google_authenticator::Moving::Counter(_) => None,
    };
    let (incoming, _) = file.into_incoming(user("alice"), NOW);
    check(&incoming);
    if let ImportedMoving::Totp { last_step, .. } = incoming.tokens[0].moving {
        let spent = spent.into_iter().flatten().max();
        assert!(spent <= last_step);
    }
}

/// A UsersFile: a file and a pipe come to the same; each user is taken once and in the order of the names;
/// a token that is written again comes back, and what was spent is spent.
pub fn users_oath(input: &[u8]) {
    let zone = TimeZone::UTC;
    let (by_file, by_pipe) = on_disk(input, |path| {
        let wanted = Wanted { file: path, user: None, zone: &zone };
        let mut taken = Taken::default();
        let by_file = match users_oath::check(wanted, |_| ()) {
            Ok(checked) => {
                let found = checked.feed(NOW, &mut taken);
                let found = found.unwrap_or_else(|failure| panic!("{failure}"));
                assert_eq!(found.wanted, taken.0.len() as u64);
                Ok(taken.0)
            }
            Err(error) => Err(error.to_string()),
        };
        let mut taken = Taken::default();
        let by_pipe = users_oath::feed_pipe(wanted, NOW, &mut taken, |_| ());
        (by_file, by_pipe.map(|_| taken.0).map_err(|failure| failure.to_string()))
    });
    let (by_file, mut by_pipe) = match (by_file, by_pipe) {
        (Ok(by_file), Ok(by_pipe)) => (by_file, by_pipe),
        (Err(_), Err(_)) => return,
        (by_file, by_pipe) => panic!("{:?} {:?}", by_file.err(), by_pipe.err()),
    };
    by_pipe.sort_by(|one, other| one.user.cmp(&other.user));
    assert!(by_file.is_sorted_by(|one, other| one.user < other.user));
    assert_eq!(by_file.len(), by_pipe.len());
    for (one, other) in by_file.iter().zip(&by_pipe) {
        check(one);
        assert!(text(one) == text(other));
        comes_back(&one.tokens[0], &zone);
    }
}

fn comes_back(token: &ImportedToken, zone: &TimeZone) {
    let exported = exported(token);
    let Ok(line) = users_oath::line(&token.user, &exported, zone) else { return };
    let again = on_disk(line.as_bytes(), |path| {
        let wanted = Wanted { file: path, user: None, zone };
        let mut taken = Taken::default();
        let fed = users_oath::feed_pipe(wanted, NOW, &mut taken, |_| ());
        fed.unwrap_or_else(|failure| panic!("{failure}"));
        taken.0.remove(0).tokens.remove(0)
    });
    assert!(
        again.user == token.user && again.secret == token.secret && again.digits == token.digits
    );
    match (token.moving, again.moving) {
        (ImportedMoving::Hotp { counter }, ImportedMoving::Hotp { counter: again }) => {
            assert!(again >= counter);
        }
        (
            ImportedMoving::Totp { period, last_step: Some(last), .. },
            ImportedMoving::Totp { period: same, last_step: again, .. },
        ) => {
            assert_eq!(period, same);
            // What is long past need not be exact, only past; what is far ahead is nobody's code.
            if (NOW / period).abs_diff(last) <= REACH {
                assert!(again.is_some_and(|again| again >= last));
            }
        }
        (ImportedMoving::Totp { .. }, ImportedMoving::Totp { .. }) => {}
        _ => panic!("another factor"),
    }
}

/// `users.json`: each user is taken once; one who is wanted alone comes alone; what is read is written and
/// read alike.
pub fn users_json(input: &[u8]) {
    let Ok(taken) = on_disk(input, |path| read(path, None)) else { return };
    let mut names = HashSet::new();
    for user in &taken {
        check(user);
        assert!(names.insert(user.user.clone()));
    }
    let one = &taken[0];
    let alone = on_disk(input, |path| read(path, Some(&one.user)));
    let alone = alone.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(matches!(&alone[..], [only] if text(only) == text(one)));
    let mut written = Vec::new();
    let mut document = Document::begin(&mut written, NOW, "host.example").expect("begun");
    for user in &taken {
        document.user(&exported_user(user)).expect("written");
    }
    document.end().expect("ended");
    let again = on_disk(&written, |path| read(path, None));
    let again = again.unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(again.len(), taken.len());
    for (one, other) in taken.iter().zip(&again) {
        assert!(text(one) == text(other));
    }
}

fn read(path: &Path, wanted: Option<&UserName>) -> Result<Vec<Incoming>, Failure> {
    let mut taken = Taken::default();
    users_json::feed(path, wanted, &mut taken, &mut |_| ()).map(|_| taken.0)
}

/// What the daemon may be sent.
fn check(incoming: &Incoming) {
    assert!((1..=4).contains(&incoming.tokens.len()));
    for token in &incoming.tokens {
        assert!(token.user == incoming.user);
        assert!(ImportedToken::SECRET_BYTES.contains(&token.secret.as_bytes().len()));
        assert!(token.algorithm.parse::<Algorithm>().is_ok());
        assert!(Digits::try_from(token.digits).is_ok());
        assert!(token.barred.len() <= ImportedToken::BARRED_MAX);
        if let ImportedMoving::Totp { period, drift, .. } = token.moving {
            assert!(Period::try_from(period).is_ok() && (-10..=10).contains(&drift));
        }
    }
    if let Some(account) = &incoming.account {
        assert!(account.user == incoming.user);
        assert!(account.scratch_codes.len() <= ImportedAccount::SCRATCH_MAX);
    }
}

fn user(name: &str) -> UserName {
    UserName::new(name).expect("a name")
}

fn text(incoming: &Incoming) -> String {
    let whole = (&incoming.user, &incoming.tokens, &incoming.account);
    serde_json::to_string(&whole).expect("JSON")
}

fn exported(token: &ImportedToken) -> ExportedToken {
    let mut exported = ExportedToken {
        name: token.name.clone().unwrap_or_else(|| "imported".to_owned()),
        factor: MovingFactor::Hotp,
        period: None,
        algorithm: token.algorithm.clone(),
        digits: token.digits,
        created: token.created.unwrap_or(NOW),
        last_used: token.last_used,
        secret: Some(token.secret.clone()),
        last_step: None,
        drift: None,
        counter: None,
        barred: token.barred.clone(),
    };
    match token.moving {
        ImportedMoving::Totp { period, last_step, drift } => {
            exported.factor = MovingFactor::Totp;
            (exported.period, exported.last_step, exported.drift) =
                (Some(period), last_step, Some(drift));
        }
        ImportedMoving::Hotp { counter } => exported.counter = Some(counter),
    }
    exported
}

fn exported_user(incoming: &Incoming) -> ExportedUser {
    let account = incoming.account.as_ref();
    ExportedUser {
        user: incoming.user.clone(),
        tokens: incoming.tokens.iter().map(exported).collect(),
        failures: account.map_or(0, |account| account.failures),
        last_failure: account.and_then(|account| account.last_failure.clone()),
        locked_seconds: None,
        locked_hard: false,
        recovery_codes_left: 0,
        bypasses: Vec::new(),
        invited_until: None,
        damaged: false,
    }
}
