// SPDX-License-Identifier: GPL-3.0-or-later
//! What is asked inside a session, and `provision` and `confirm`: a token is made pending and counts
//! only when its first code was seen. What counts already is not touched before that.

use std::sync::{Arc, PoisonError};

use getrandom::SysRng;
use mfa_crypto::{Code, Moving, OtpUri, Secret};
use mfa_proto::audit::{Act, ActResult};
use mfa_proto::exchange::{MovingFactor, Purpose, SealedAnswer, SealedRequest};
use mfa_proto::login::Origin;
use mfa_proto::{Blob, ErrorAnswer, ErrorCode, Peer, SecretText, TypedCode, UserName};
use tracing::{debug, error};

use super::{Bounded, conflict, current_code, invite, recovery, rotate, tell_refused, unavailable};
use crate::audit::Event;
use crate::caller::{self, Standing};
use crate::config::Enrollment;
use crate::daemon::{self, Daemon};
use crate::messages::refusals;
use crate::policy::code::{self, Match};
use crate::policy::pending::{Kind, Obstacle, Pending, RecoveryCodes, TRIES};
use crate::policy::record::{Factor, Record, Token};
use crate::session::Subject;
use crate::store::{Change, Step};
use crate::vault::Vault;

/// The longest name of a token, in bytes.
const NAME_MAX: usize = 64;

/// Carries out what was said inside a session, if that is what the session was made for.
pub(super) async fn inside(
    daemon: &Arc<Daemon>,
    peer: Peer,
    subject: &Subject,
    request: SealedRequest,
) -> SealedAnswer {
    let user = &subject.user;
    let result = match (subject.purpose, request) {
        (Purpose::Enroll, SealedRequest::Provision { name, moving, code, invite }) => {
            Box::pin(provision(daemon, peer, user, name, moving, Shown { code, invite })).await
        }
        (Purpose::Rotate, SealedRequest::Rotate { name, code }) => {
            Box::pin(rotate::rotate(daemon, peer, user, name, code)).await
        }
        (Purpose::RecoveryCodes, SealedRequest::RecoveryCodes { code }) => {
            recovery::recovery_codes(daemon, peer, user, code).await
        }
        (Purpose::Enroll, SealedRequest::Confirm { name, code }) => {
            confirm(daemon, peer, user, &name, code, Awaited::Enrolment).await.map(sealed)
        }
        (Purpose::Rotate, SealedRequest::Confirm { name, code }) => {
            confirm(daemon, peer, user, &name, code, Awaited::Rotation).await.map(sealed)
        }
        (purpose, _) => Err(conflict(refusals::another_purpose(purpose.as_str()))),
    };
    result.unwrap_or_else(|refusal| {
        if refusal.code == ErrorCode::NotPermitted {
            tell_refused(subject.purpose.as_str(), Some(user), peer);
        }
        SealedAnswer::Refused(refusal)
    })
}

fn sealed(confirmation: Confirmation) -> SealedAnswer {
    match confirmation {
        Confirmation::Active { recovery_codes } => SealedAnswer::Confirmed { recovery_codes },
        Confirmation::Wrong { tries_left } => SealedAnswer::WrongCode { tries_left },
    }
}

/// Whether `peer` may open a session for this at all. What it must show is asked inside.
pub(super) async fn may_open(
    daemon: &Daemon,
    peer: Peer,
    user: &UserName,
    purpose: Purpose,
) -> Result<(), ErrorAnswer> {
    match purpose {
        Purpose::Enroll => may_enroll(daemon, peer, user).await.map(drop),
        Purpose::Rotate | Purpose::RecoveryCodes => {
            match caller::standing(peer, user, &daemon.settings().config.admin_group).await {
                Standing::Root | Standing::Admin | Standing::Own => Ok(()),
                Standing::Stranger => Err(caller::not_permitted()),
            }
        }
    }
}

/// What a caller may add to a user.
enum Permission {
    /// Any token: root and administrators.
    Any,
    /// His own first one.
    First,
    /// His own first one, with an invite code.
    Invited,
    /// One more of his own, with a current code.
    Another,
}

/// Whether `peer` may make a token for `user`, by `token.enrollment` and by what there is already.
async fn may_enroll(
    daemon: &Daemon,
    peer: Peer,
    user: &UserName,
) -> Result<Permission, ErrorAnswer> {
    match caller::standing(peer, user, &daemon.settings().config.admin_group).await {
        Standing::Root | Standing::Admin => return Ok(Permission::Any),
        Standing::Own => {}
        Standing::Stranger => return Err(caller::not_permitted()),
    }
    let record = daemon.store.get(user).map_err(|error| unavailable(&error, "enroll"))?;
    if record.is_some_and(|record| !record.tokens.is_empty()) {
        return Ok(Permission::Another);
    }
    let terms = daemon.terms_for(user, &daemon::command()).await;
    let terms = terms.map_err(|error| unavailable(&error, "enroll"))?;
    match terms.enrollment.unwrap_or(daemon.settings().config.token.enrollment) {
        Enrollment::Oneself => Ok(Permission::First),
        Enrollment::Invite => Ok(Permission::Invited),
        Enrollment::Admin => Err(caller::not_permitted()),
    }
}

/// What a caller shows so that he may have a token.
struct Shown {
    code: Option<TypedCode>,
    invite: Option<TypedCode>,
}

async fn provision(
    daemon: &Daemon,
    peer: Peer,
    user: &UserName,
    name: String,
    moving: MovingFactor,
    shown: Shown,
) -> Result<SealedAnswer, ErrorAnswer> {
    check_name(&name)?;
    let permission = may_enroll(daemon, peer, user).await?;
    // Before a code is spent for nothing. It is looked at again with the first code.
    let record = daemon.store.get(user).map_err(|error| unavailable(&error, "provision"))?;
    check_room(&record.unwrap_or_default(), &name)?;
    let kind = match permission {
        Permission::Any => Kind::Another,
        Permission::First => Kind::First { invite: None },
        Permission::Invited => {
            Kind::First { invite: Some(invite::check(daemon, user, shown.invite, peer).await?) }
        }
        Permission::Another => {
            current_code::require(daemon, user, shown.code, &daemon::command(), peer).await?;
            Kind::Another
        }
    };
    let uri = issue(daemon, user, Draft { name: name.clone(), moving, kind })?;
    debug!(%user, token = name, peer_uid = peer.uid, peer_pid = peer.pid, "token provisioned");
    Ok(SealedAnswer::Provisioned { name, uri: SecretText::new(uri.render().as_str()) })
}

/// What a new token is to be; the rest is the configuration's.
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) moving: MovingFactor,
    pub(super) kind: Kind,
}

/// Makes a secret and keeps the token pending until its first code is seen.
pub(super) fn issue(daemon: &Daemon, user: &UserName, draft: Draft) -> Result<OtpUri, ErrorAnswer> {
    let now = daemon.now().map_err(|error| unavailable(&error, "provision"))?;
    let config = &daemon.settings().config.token;
    let secret = Secret::random(config.algorithm.secret_len(), &mut SysRng)
        .map_err(|error| unavailable(&error, "provision"))?;
    let factor = match draft.moving {
        MovingFactor::Totp => Factor::Totp { period: config.period, last_step: None, drift: 0 },
        MovingFactor::Hotp => Factor::Hotp { counter: 0 },
    };
    let created = match draft.kind {
        // Later than the old one's, whatever the clock says: it tells the two apart.
        Kind::Rotation { of } => now.max(of.saturating_add(1)),
        Kind::First { .. } | Kind::Another => now,
    };
    let mut token = Token {
        name: draft.name,
        factor,
        algorithm: config.algorithm,
        digits: config.digits,
        sealed: Blob::new([]),
        created,
        last_used: None,
        near: None,
    };
    daemon
        .vault
        .seal(user, &mut token, &secret)
        .map_err(|error| unavailable(&error, "provision"))?;
    let uri = OtpUri {
        issuer: daemon.settings().issuer.clone(),
        account: user.as_str().to_owned(),
        secret,
        algorithm: token.algorithm,
        digits: token.digits,
        moving: match factor {
            Factor::Totp { period, .. } => Moving::Totp { period },
            Factor::Hotp { counter } => Moving::Hotp { counter },
        },
    };
    let since = (daemon.uptime)();
    let pending = Pending { token, kind: draft.kind, tries_left: TRIES, since };
    let mut all = daemon.pending.lock().unwrap_or_else(PoisonError::into_inner);
    all.put(user.clone(), pending);
    Ok(uri)
}

/// Which pending tokens a first code may be for.
pub(super) enum Awaited {
    Enrolment,
    Rotation,
    /// Whichever was due in this login.
    Due(Origin),
}

impl Awaited {
    fn covers(&self, kind: &Kind) -> bool {
        match self {
            Self::Enrolment => !matches!(kind, Kind::Rotation { .. }),
            Self::Rotation => matches!(kind, Kind::Rotation { .. }),
            Self::Due(_) => true,
        }
    }
}

/// What a first code leads to.
pub(super) enum Confirmation {
    /// The token counts, durably. New recovery codes come where there were none.
    Active { recovery_codes: Vec<TypedCode> },
    /// Not a code of it.
    Wrong { tries_left: u8 },
}

/// A token that waited while the master key was replaced is still sealed under the old one.
fn renew(vault: &Vault, owner: &UserName, record: &mut Record) {
    for token in &mut record.tokens {
        if let Err(error) = vault.renew(owner, token) {
            error!(user = %owner, token = token.name, %error, "a stored secret does not open");
        }
    }
}

/// Checks the first code of a pending token and makes the token count, in one atomic, durable step.
pub(super) async fn confirm(
    daemon: &Daemon,
    peer: Peer,
    user: &UserName,
    name: &str,
    typed: TypedCode,
    awaited: Awaited,
) -> Result<Confirmation, ErrorAnswer> {
    let now = daemon.now().map_err(|error| unavailable(&error, "confirm"))?;
    let uptime = (daemon.uptime)();
    let fresh = recovery::fresh(daemon, user).map_err(|error| unavailable(&error, "confirm"))?;
    let skew = daemon.settings().config.token.skew_steps.get();
    let (vault, all) = (Arc::clone(&daemon.vault), Arc::clone(&daemon.pending));
    let (owner, wanted, hashes) = (user.clone(), name.to_owned(), fresh.hashes);
    // All of it where changes have their turn: a token that was revoked, or another one that was
    // activated before this turn, is seen.
    let decide = move |record: Option<Record>| {
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        let found = all.get(&owner, &wanted, uptime).filter(|found| awaited.covers(&found.kind));
        let Some(pending) = found.cloned() else {
            return Step { change: Change::Keep, event: None, answer: Outcome::NotPending };
        };
        let token = &pending.token;
        let told = |result| {
            let act = match pending.kind {
                Kind::First { .. } | Kind::Another => Act::Enroll,
                Kind::Rotation { .. } => Act::Rotate,
            };
            let event = Event::new(act, result, peer, now).of(&owner).token(&wanted);
            if let Awaited::Due(origin) = &awaited { event.from(origin) } else { event }
        };
        let matched = match (Code::parse(typed.as_str()), vault.open(&owner, token)) {
            (Some(code), Ok(secret)) => {
                code::look(token, &code::codes(token, &secret), &code, now, skew)
            }
            (None, _) => Match::None,
            (_, Err(error)) => {
                error!(user = %owner, token = wanted, %error, "a pending secret does not open");
                Match::None
            }
        };
        let Match::Fresh(factor) = matched else {
            let tries_left = all.wrong(&owner, token);
            let event = told(ActResult::Denied).because("wrong_code");
            let event = Some(event.figure("tries_left", tries_left));
            return Step { change: Change::Keep, event, answer: Outcome::Wrong { tries_left } };
        };
        let mut record = record.unwrap_or_default();
        match pending.activate(&mut record, factor, now, hashes) {
            Ok(recovery) => {
                renew(&vault, &owner, &mut record);
                let mut event = told(ActResult::Done);
                if matches!(pending.kind, Kind::First { invite: Some(_) }) {
                    event = event.because("invited");
                }
                let token = Box::new(pending.token);
                let answer = Outcome::Active { token, kind: pending.kind, recovery };
                Step { change: Change::Put(record), event: Some(event), answer }
            }
            Err(obstacle) => {
                all.done(&owner, token);
                let event = Some(told(ActResult::Denied).because(obstacle.as_str()));
                Step { change: Change::Keep, event, answer: Outcome::Refused(obstacle) }
            }
        }
    };
    let outcome = daemon
        .store
        .act(user.clone(), decide)
        .await
        // The token is still pending: the user may try the next code.
        .map_err(|error| unavailable(&error, "confirm"))?;
    match outcome {
        Outcome::Active { token, kind, recovery } => {
            daemon.pending.lock().unwrap_or_else(PoisonError::into_inner).done(user, &token);
            if matches!(kind, Kind::Rotation { .. }) {
                daemon.end_grace(user);
            }
            let recovery_codes = match recovery {
                RecoveryCodes::New => fresh.codes,
                RecoveryCodes::Kept => Vec::new(),
            };
            Ok(Confirmation::Active { recovery_codes })
        }
        Outcome::Wrong { tries_left } => Ok(Confirmation::Wrong { tries_left }),
        Outcome::Refused(obstacle) => Err(conflict(obstacle.to_string())),
        Outcome::NotPending => Err(ErrorAnswer {
            code: ErrorCode::NotPending,
            message: refusals::not_pending(Bounded(name)),
        }),
    }
}

enum Outcome {
    Active { token: Box<Token>, kind: Kind, recovery: RecoveryCodes },
    Wrong { tries_left: u8 },
    Refused(Obstacle),
    NotPending,
}

fn check_room(record: &Record, name: &str) -> Result<(), ErrorAnswer> {
    if record.token(name).is_some() {
        return Err(conflict(refusals::name_taken(name)));
    }
    if record.tokens.len() >= Record::MAX_TOKENS {
        return Err(conflict(refusals::too_many_tokens(record.tokens.len())));
    }
    Ok(())
}

pub(super) fn check_name(name: &str) -> Result<(), ErrorAnswer> {
    if name.is_empty() || name.len() > NAME_MAX || name.chars().any(char::is_control) {
        return Err(conflict(refusals::name_of_a_token(NAME_MAX)));
    }
    Ok(())
}
