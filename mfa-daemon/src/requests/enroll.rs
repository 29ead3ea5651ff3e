// SPDX-License-Identifier: GPL-3.0-or-later
//! `provision` and `confirm`, inside a session: a token is made pending, and counts only when its
//! first code was seen. Tokens that count already are not touched by either.

use std::sync::Arc;

use getrandom::SysRng;
use mfa_crypto::{Code, Moving, OtpUri, RecoveryCode, Secret};
use mfa_proto::exchange::{MovingFactor, SealedAnswer, SealedRequest, SecretUri};
use mfa_proto::{Blob, ErrorAnswer, ErrorCode, Peer, TypedCode, UserName};
use tracing::{error, info, warn};

use super::{Bounded, Connection, unavailable};
use crate::caller::{self, Standing};
use crate::config::Enrollment;
use crate::daemon::Daemon;
use crate::policy::code::{self, Match};
use crate::policy::record::{Factor, Record, State, Token};
use crate::session::Subject;
use crate::store::Change;

/// The longest name of a token, in bytes.
const NAME_MAX: usize = 64;

/// Carries out what was said inside a session.
pub(super) async fn inside(
    daemon: &Arc<Daemon>,
    connection: &Connection,
    subject: &Subject,
    request: SealedRequest,
) -> SealedAnswer {
    let result = match request {
        SealedRequest::Provision { name, moving, code } => {
            provision(daemon, connection.peer, &subject.user, name, moving, code).await
        }
        SealedRequest::Confirm { name, code } => {
            confirm(daemon, connection.peer, &subject.user, name, code).await
        }
    };
    result.unwrap_or_else(SealedAnswer::Refused)
}

/// What a caller may add to a user.
pub(super) enum Permission {
    /// Any token: root and administrators.
    Any,
    /// His own first one.
    First,
    /// One more of his own, with a current code.
    Another,
}

/// Whether `peer` may make a token for `user`, by `token.enrollment` and by what there is already.
pub(super) async fn may_enroll(
    daemon: &Daemon,
    peer: Peer,
    user: &UserName,
) -> Result<Permission, ErrorAnswer> {
    match caller::standing(peer, user, &daemon.config.admin_group).await {
        Standing::Root | Standing::Admin => return Ok(Permission::Any),
        Standing::Own => {}
        Standing::Stranger => return Err(caller::not_permitted()),
    }
    let record = daemon.store.get(user).map_err(|error| unavailable(&error, "enroll"))?;
    if record.is_some_and(|record| record.has_active_token()) {
        Ok(Permission::Another)
    } else if daemon.config.token.enrollment == Enrollment::Oneself {
        Ok(Permission::First)
    } else {
        Err(caller::not_permitted())
    }
}

/// Whether a token may only be added as the user's first one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum First {
    Needed,
    NotAsked,
}

async fn provision(
    daemon: &Daemon,
    peer: Peer,
    user: &UserName,
    name: String,
    moving: MovingFactor,
    code: Option<TypedCode>,
) -> Result<SealedAnswer, ErrorAnswer> {
    check_name(&name)?;
    let first = match may_enroll(daemon, peer, user).await? {
        Permission::Any => First::NotAsked,
        Permission::First => First::Needed,
        Permission::Another => {
            daemon.require_code(user, code, peer).await?;
            First::NotAsked
        }
    };
    let config = &daemon.config.token;
    let secret = Secret::random(config.algorithm.secret_len(), &mut SysRng)
        .map_err(|error| unavailable(&error, "provision"))?;
    let factor = match moving {
        MovingFactor::Totp => Factor::Totp { period: config.period, last_step: None, drift: 0 },
        MovingFactor::Hotp => Factor::Hotp { counter: 0 },
    };
    let mut token = Token {
        name: name.clone(),
        state: State::Pending { tries_left: Record::CONFIRM_TRIES },
        factor,
        algorithm: config.algorithm,
        digits: config.digits,
        sealed: Blob::new([]),
        created: (daemon.clock)(),
        last_used: None,
    };
    daemon
        .vault
        .seal(user, &mut token, &secret)
        .map_err(|error| unavailable(&error, "provision"))?;
    let uri = OtpUri {
        issuer: daemon.issuer.clone(),
        account: user.as_str().to_owned(),
        secret,
        algorithm: token.algorithm,
        digits: token.digits,
        moving: match factor {
            Factor::Totp { period, .. } => Moving::Totp { period },
            Factor::Hotp { counter } => Moving::Hotp { counter },
        },
    };
    daemon
        .store
        .update(user.clone(), move |record| add_pending(record.unwrap_or_default(), token, first))
        .await
        .map_err(|error| unavailable(&error, "provision"))??;
    info!(%user, token = name, peer_uid = peer.uid, peer_pid = peer.pid, "token provisioned");
    Ok(SealedAnswer::Provisioned { uri: SecretUri::new(uri.render().as_str()) })
}

/// Puts a pending token beside the others. Where somebody who needed no code because there was no
/// token finds one now, another enrolment was faster, and this one ends.
fn add_pending(
    mut record: Record,
    token: Token,
    first: First,
) -> (Change, Result<(), ErrorAnswer>) {
    let refuse =
        |message: String| (Change::Keep, Err(ErrorAnswer { code: ErrorCode::Conflict, message }));
    if first == First::Needed && record.has_active_token() {
        return refuse("another enrolment was completed meanwhile; begin again".to_owned());
    }
    if record.token(&token.name).is_some_and(Token::is_active) {
        return refuse(format!(
            "there is a token named {:?} already; choose another name (--name) or revoke that one",
            token.name
        ));
    }
    // Of tokens that were never confirmed only the newest stays.
    record.tokens.retain(Token::is_active);
    if record.tokens.len() >= Record::MAX_TOKENS {
        return refuse(format!(
            "there are {} tokens already; revoke one first",
            record.tokens.len()
        ));
    }
    record.tokens.push(token);
    (Change::Put(record), Ok(()))
}

async fn confirm(
    daemon: &Daemon,
    peer: Peer,
    user: &UserName,
    name: String,
    typed: TypedCode,
) -> Result<SealedAnswer, ErrorAnswer> {
    let now = daemon.now().map_err(|error| unavailable(&error, "confirm"))?;
    let fresh = (0..Record::RECOVERY_CODES)
        .map(|_| RecoveryCode::generate(&mut SysRng))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unavailable(&error, "confirm"))?;
    let hashes = fresh.iter().map(|code| Blob::new(daemon.vault.hash(user, code))).collect();
    let skew = daemon.config.token.skew_steps.get();
    let vault = Arc::clone(&daemon.vault);
    let (owner, wanted) = (user.clone(), name.clone());
    let outcome = daemon
        .store
        .update(user.clone(), move |record| {
            let Some(mut record) = record else { return (Change::Keep, Outcome::NoSuchToken) };
            let Some(token) = record.token(&wanted).filter(|token| !token.is_active()) else {
                return (Change::Keep, Outcome::NoSuchToken);
            };
            let matched = match (Code::parse(typed.as_str()), vault.open(&owner, token)) {
                (Some(code), Ok(secret)) => code::look(token, &secret, &code, now, skew),
                (None, _) => Match::None,
                (_, Err(error)) => {
                    error!(user = %owner, token = wanted, %error, "a stored secret does not open");
                    Match::None
                }
            };
            let outcome = settle(&mut record, &wanted, matched, now, hashes);
            let change =
                if record.tokens.is_empty() { Change::Remove } else { Change::Put(record) };
            (change, outcome)
        })
        .await
        .map_err(|error| unavailable(&error, "confirm"))?;
    match outcome {
        Outcome::Active { new_recovery_codes } => {
            warn!(%user, token = name, peer_uid = peer.uid, peer_pid = peer.pid, "token activated");
            let codes = if new_recovery_codes { fresh } else { Vec::new() };
            let recovery_codes =
                codes.iter().filter_map(|code| TypedCode::new(&code.display())).collect();
            Ok(SealedAnswer::Confirmed { recovery_codes })
        }
        Outcome::Wrong { tries_left } => {
            info!(%user, token = name, peer_uid = peer.uid, tries_left, "token not confirmed");
            Ok(SealedAnswer::WrongCode { tries_left })
        }
        Outcome::NoSuchToken => Err(ErrorAnswer {
            code: ErrorCode::Conflict,
            message: format!(
                "no token named \"{}\" waits to be confirmed; enrol again",
                Bounded(&name)
            ),
        }),
    }
}

enum Outcome {
    Active { new_recovery_codes: bool },
    Wrong { tries_left: u8 },
    NoSuchToken,
}

/// What a first code makes of a pending token.
fn settle(record: &mut Record, name: &str, matched: Match, now: u64, hashes: Vec<Blob>) -> Outcome {
    let Some(token) = record.token_mut(name) else { return Outcome::NoSuchToken };
    if let Match::Fresh(factor) = matched {
        // The confirming code is spent: it opens no login.
        token.factor = factor;
        token.state = State::Active;
        token.last_used = Some(now);
        let new_recovery_codes = record.recovery.is_empty();
        if new_recovery_codes {
            record.recovery = hashes;
        }
        return Outcome::Active { new_recovery_codes };
    }
    let tries_left = match token.state {
        State::Pending { tries_left } => tries_left.saturating_sub(1),
        State::Active => return Outcome::NoSuchToken,
    };
    token.state = State::Pending { tries_left };
    if tries_left == 0 {
        record.tokens.retain(|token| token.name != name);
    }
    Outcome::Wrong { tries_left }
}

fn check_name(name: &str) -> Result<(), ErrorAnswer> {
    if name.is_empty() || name.len() > NAME_MAX || name.chars().any(char::is_control) {
        return Err(ErrorAnswer {
            code: ErrorCode::Conflict,
            message: format!(
                "a token's name has 1 to {NAME_MAX} bytes, none of them control characters"
            ),
        });
    }
    Ok(())
}
