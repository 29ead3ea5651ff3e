// SPDX-License-Identifier: GPL-3.0-or-later
//! `login_provision` and `login_confirm`: the enrolment or rotation that is due, made inside a login.
//! Only root asks, and may provision anybody anyway; what is checked here is that the login gets no
//! more than what is due.

use mfa_crypto::{Moving, OtpUri, base32};
use mfa_proto::account::{
    LoginConfirm, LoginConfirmAnswer, LoginProvision, LoginProvisionAnswer, Proof,
};
use mfa_proto::exchange::MovingFactor;
use mfa_proto::login::Origin;
use mfa_proto::{ErrorAnswer, Peer, SecretText, UserName};
use mfa_qr::{Ink, Picture};
use tracing::{debug, warn};

use super::enroll::{self, Awaited, Confirmation, Draft};
use super::{conflict, current_code, invite, rotate, unavailable};
use crate::caller;
use crate::config::Enrollment;
use crate::daemon::Daemon;
use crate::messages::refusals;
use crate::policy::due;
use crate::policy::pending::Kind;

/// What a first token is called that is made inside a login: nobody is asked for a name there.
const FIRST: &str = "default";

pub(super) async fn provision(
    daemon: &Daemon,
    peer: Peer,
    LoginProvision { user, origin, proof }: LoginProvision,
) -> Result<LoginProvisionAnswer, ErrorAnswer> {
    if !caller::is_root(peer) {
        return Err(caller::not_permitted());
    }
    let record = daemon.store.get(&user).map_err(|error| unavailable(&error, "login_provision"))?;
    let record = record.unwrap_or_default();
    let (name, uri) = if record.tokens.is_empty() {
        let kind = first(daemon, &user, &origin, proof, peer).await?;
        let draft = Draft { name: FIRST.to_owned(), moving: MovingFactor::Totp, kind };
        (FIRST.to_owned(), enroll::issue(daemon, &user, draft)?)
    } else {
        let now = daemon.now().map_err(|error| unavailable(&error, "login_provision"))?;
        let old = due::rotation(&record, daemon.settings().config.token.max_age_days.get(), now)
            .ok_or_else(|| conflict(refusals::no_rotation(&user)))?;
        prove(daemon, &user, &origin, proof, peer).await?;
        (old.name.clone(), rotate::replace(daemon, &user, old)?)
    };
    debug!(%user, token = name, peer_pid = peer.pid, "token provisioned inside a login");
    Ok(shown(name, &uri))
}

pub(super) async fn confirm(
    daemon: &Daemon,
    peer: Peer,
    LoginConfirm { user, origin, token, code }: LoginConfirm,
) -> Result<LoginConfirmAnswer, ErrorAnswer> {
    if !caller::is_root(peer) {
        return Err(caller::not_permitted());
    }
    let due = Awaited::Due(origin);
    Ok(match enroll::confirm(daemon, peer, &user, &token, code, due).await? {
        Confirmation::Active { recovery_codes } => {
            LoginConfirmAnswer::LoginConfirmed { recovery_codes }
        }
        Confirmation::Wrong { tries_left } => LoginConfirmAnswer::WrongCode { tries_left },
    })
}

/// What allows a first token.
async fn first(
    daemon: &Daemon,
    user: &UserName,
    origin: &Origin,
    proof: Proof,
    peer: Peer,
) -> Result<Kind, ErrorAnswer> {
    match (enrollment(daemon, user, origin).await?, proof) {
        (Enrollment::Oneself, Proof::Nothing {}) => Ok(Kind::First { invite: None }),
        (Enrollment::Invite, Proof::Invite { code }) => {
            Ok(Kind::First { invite: Some(invite::check(daemon, user, Some(code), peer).await?) })
        }
        (Enrollment::Invite, Proof::Nothing {}) => Err(invite::needed(refusals::INVITE_NEEDED)),
        (Enrollment::Admin, _) => Err(caller::not_permitted()),
        (Enrollment::Oneself | Enrollment::Invite, _) => {
            Err(conflict(refusals::NO_PROOF_OF_ENROLMENT.to_owned()))
        }
    }
}

/// What allows a rotation.
async fn prove(
    daemon: &Daemon,
    user: &UserName,
    origin: &Origin,
    proof: Proof,
    peer: Peer,
) -> Result<(), ErrorAnswer> {
    match proof {
        Proof::ThisLogin {} => Ok(()),
        Proof::Code { code } => current_code::require(daemon, user, Some(code), origin, peer).await,
        Proof::Nothing {} | Proof::Invite { .. } => {
            Err(conflict(refusals::NO_PROOF_OF_ROTATION.to_owned()))
        }
    }
}

/// Who may make the first token of this login's user.
async fn enrollment(
    daemon: &Daemon,
    user: &UserName,
    origin: &Origin,
) -> Result<Enrollment, ErrorAnswer> {
    let terms = daemon
        .terms_for(user, origin)
        .await
        .map_err(|error| unavailable(&error, "login_provision"))?;
    Ok(terms.enrollment.unwrap_or(daemon.settings().config.token.enrollment))
}

/// What the module prints, line by line.
fn shown(token: String, uri: &OtpUri) -> LoginProvisionAnswer {
    let qr = match Picture::of_otpauth(&uri.render()) {
        Ok(picture) => picture.draw(Ink::Plain).lines().map(SecretText::new).collect(),
        // The base32 text does as well.
        Err(error) => {
            warn!(account = uri.account, %error, "no QR code: the names are too long for one");
            Vec::new()
        }
    };
    let secret = mfa_qr::grouped(&base32(&uri.secret));
    LoginProvisionAnswer::LoginProvisioned {
        token,
        secret: SecretText::new(secret.as_str()),
        qr,
        digits: uri.digits.get(),
        period: match uri.moving {
            Moving::Totp { period } => period.get(),
            Moving::Hotp { .. } => 0,
        },
    }
}
