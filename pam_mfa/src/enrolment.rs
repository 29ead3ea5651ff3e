// SPDX-License-Identifier: GPL-3.0-or-later
//! `pam_sm_chauthtok`: with `enroll`, an enrolment or a rotation inside the login.
//!
//! libpam calls a `password` stack twice. All of the dialogue is in the first pass, so that a
//! failure ends the change before any module has changed anything, and the second pass only reports
//! how it went: see docs/decisions/0003-enrolment-in-the-login.md.
//!
//! Nothing is changed before the first code is confirmed: until then the new token is pending in the
//! daemon, and whatever there was counts.

use mfa_proto::account::{LoginConfirmAnswer, LoginProvisionAnswer, Proof};
use mfa_proto::{ErrorAnswer, ErrorCode, SecretText, TypedCode, UserName};
use pam::constants::PamResultCode;

use crate::account::{Due, due};
use crate::flow::{
    Call, ConversationFailed, Host, Kept, NoDecision, NotKept, Place, Tone, User, Verifier,
};
use crate::log::Level;
use crate::messages::{self, logged};
use crate::options::{Echo, Options};

/// The most first codes that are asked for, whatever the daemon says is left.
const TRIES_MAX: u8 = 5;

/// Which of libpam's two passes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// `PAM_PRELIM_CHECK`
    Preliminary,
    /// `PAM_UPDATE_AUTHTOK`
    Update,
}

/// One call of `pam_sm_chauthtok` with `PAM_CHANGE_EXPIRED_AUTHTOK`. `silent` is `PAM_SILENT`: the
/// program wants no texts.
pub(crate) fn enrolment(
    host: &mut impl Host,
    verifier: &impl Verifier,
    options: &Options,
    phase: Phase,
    silent: bool,
) -> PamResultCode {
    // Whoever only observes forces nobody.
    if !options.enroll || options.observe {
        return PamResultCode::PAM_IGNORE;
    }
    let Ok(call) = Call::new(host, verifier, options, silent) else {
        return PamResultCode::PAM_CONV_ERR;
    };
    let user = match &call.user {
        User::Named(user) => user.clone(),
        User::Impossible { .. } => return PamResultCode::PAM_USER_UNKNOWN,
    };
    let enrolment = Enrolment { call, user };
    match phase {
        Phase::Preliminary => enrolment.preliminary(),
        Phase::Update => enrolment.update(),
    }
}

/// Why nothing was set up. Each denies.
enum Failed {
    /// The conversation failed.
    Conversation,
    /// An empty answer.
    Abandoned,
    /// Said and logged already.
    Told,
    /// The daemon could not be asked. After the first question no option lets this pass.
    NoDecision(NoDecision),
}

struct Enrolment<'a, H, V> {
    call: Call<'a, H, V>,
    user: UserName,
}

/// A token that is pending in the daemon.
struct Pending {
    token: String,
    secret: SecretText,
    qr: Vec<SecretText>,
    digits: u8,
    period: u64,
}

impl<H: Host, V: Verifier> Enrolment<'_, H, V> {
    /// What the first pass did counts in the second.
    fn update(mut self) -> PamResultCode {
        match self.call.host.kept(&self.user, Place::Enrolment) {
            Some(Kept::EnrolmentDone) => PamResultCode::PAM_SUCCESS,
            Some(Kept::NothingDone) => PamResultCode::PAM_IGNORE,
            _ => {
                let line = logged::NO_FIRST_PASS;
                self.call.log(Level::Error, line);
                PamResultCode::PAM_AUTHTOK_ERR
            }
        }
    }

    fn preliminary(mut self) -> PamResultCode {
        // PAM_CHANGE_EXPIRED_AUTHTOK goes to every module of the stack, whichever of them wanted the
        // change. Where pam_unix did, and ended the `account` stack by it, an enrolment here would
        // end the `password` stack as well, and the expired password would stay.
        if self.call.host.kept(&self.user, Place::Account) != Some(Kept::AskedFor) {
            return self.nothing_done();
        }
        // An earlier change on the same handle says nothing about this one.
        if self.keep(Kept::EnrolmentBegun).is_err() {
            return PamResultCode::PAM_AUTHTOK_ERR;
        }
        let ended = match due(&mut self.call) {
            Ok(Due::Nothing | Due::Impossible) => return self.nothing_done(),
            Ok(Due::Enrollment { invite }) => self.run(invite.then_some(Ask::Invite), false),
            Ok(Due::Rotation) => {
                let accepted =
                    self.call.host.kept(&self.user, Place::Login) == Some(Kept::CodeAccepted);
                self.run((!accepted).then_some(Ask::CurrentCode), true)
            }
            Err(trouble) if trouble.is_ignored(self.call.options) => {
                self.call.end_without_decision(&trouble);
                return self.nothing_done();
            }
            Err(trouble) => Err(Failed::NoDecision(trouble)),
        };
        match ended.and_then(|()| self.keep(Kept::EnrolmentDone)) {
            Ok(()) => PamResultCode::PAM_SUCCESS,
            Err(failed) => self.failed(&failed),
        }
    }

    fn nothing_done(&mut self) -> PamResultCode {
        match self.keep(Kept::NothingDone) {
            Ok(()) => PamResultCode::PAM_IGNORE,
            Err(failed) => self.failed(&failed),
        }
    }

    /// The whole dialogue.
    fn run(&mut self, ask: Option<Ask>, rotation: bool) -> Result<(), Failed> {
        // The secret is a text as well, and nobody can confirm what he was not shown.
        if self.call.silent {
            self.call.log(Level::Error, logged::SILENT);
            return Err(Failed::Told);
        }
        let proof = match ask {
            Some(Ask::Invite) => Proof::Invite { code: self.code(messages::INVITE)? },
            Some(Ask::CurrentCode) => Proof::Code { code: self.code(messages::CURRENT_CODE)? },
            None if rotation => Proof::ThisLogin {},
            None => Proof::Nothing {},
        };
        let pending = self.provision(proof)?;
        self.show(&pending);
        let recovery_codes = self.confirm(&pending)?;
        self.call.info(if rotation { logged::ROTATED } else { logged::ENROLLED });
        if rotation {
            self.call.host.say(Tone::Info, messages::ROTATED);
        }
        self.show_recovery_codes(&recovery_codes)
    }

    fn provision(&mut self, proof: Proof) -> Result<Pending, Failed> {
        let answer = self.call.verifier.provision(&self.user, &self.call.origin, proof);
        self.call.debug("provision", &answer);
        match answer {
            Ok(LoginProvisionAnswer::LoginProvisioned { token, secret, qr, digits, period }) => {
                Ok(Pending { token, secret, qr, digits, period })
            }
            Ok(LoginProvisionAnswer::Error(refusal)) => Err(self.refused(&refusal)),
            Err(error) => Err(Failed::NoDecision(NoDecision::of(&error, self.call.options))),
        }
    }

    /// Shown whatever `quiet` says: this is not about the login, it is what was asked for.
    fn show(&mut self, pending: &Pending) {
        let host = &mut *self.call.host;
        host.say(Tone::Info, messages::SCAN);
        for line in &pending.qr {
            host.say(Tone::Info, line.as_str());
        }
        host.say(Tone::Info, pending.secret.as_str());
        host.say(Tone::Info, &messages::parameters(pending.digits, pending.period));
    }

    /// The recovery codes that come with the first right code.
    fn confirm(&mut self, pending: &Pending) -> Result<Vec<TypedCode>, Failed> {
        for _ in 0..TRIES_MAX {
            let code = self.code(messages::FIRST_CODE)?;
            let (user, origin) = (&self.user, &self.call.origin);
            let answer = self.call.verifier.confirm(user, origin, &pending.token, code);
            self.call.debug("confirm", &answer);
            match answer {
                Ok(LoginConfirmAnswer::LoginConfirmed { recovery_codes }) => {
                    return Ok(recovery_codes);
                }
                Ok(LoginConfirmAnswer::WrongCode { tries_left: 0 }) => break,
                Ok(LoginConfirmAnswer::WrongCode { .. }) => {
                    self.call.host.say(Tone::Error, messages::WRONG);
                }
                Ok(LoginConfirmAnswer::Error(refusal)) => return Err(self.refused(&refusal)),
                Err(error) => {
                    return Err(Failed::NoDecision(NoDecision::of(&error, self.call.options)));
                }
            }
        }
        self.call.log(Level::Notice, logged::NO_FIRST_CODE);
        self.call.host.say(Tone::Error, messages::NO_MORE_TRIES);
        Err(Failed::Told)
    }

    fn show_recovery_codes(&mut self, codes: &[TypedCode]) -> Result<(), Failed> {
        if codes.is_empty() {
            return Ok(());
        }
        self.call.host.say(Tone::Info, messages::RECOVERY_CODES);
        for code in codes {
            self.call.host.say(Tone::Info, code.as_str());
        }
        // Whatever is typed here means nothing.
        match self.call.host.prompt(messages::WRITTEN_DOWN, Echo::On) {
            Ok(_) => Ok(()),
            Err(ConversationFailed) => {
                let line = logged::RECOVERY_CODES_UNREAD;
                self.call.log(Level::Notice, line);
                Err(Failed::Conversation)
            }
        }
    }

    /// Asks for a code of some kind. What can be none in any case is sent nowhere.
    fn code(&mut self, prompt: &str) -> Result<TypedCode, Failed> {
        for _ in 0..TRIES_MAX {
            let typed = match self.call.host.prompt(prompt, self.call.options.echo) {
                Ok(Some(typed)) if !typed.is_blank() => typed,
                Ok(_) => return Err(Failed::Abandoned),
                Err(ConversationFailed) => return Err(Failed::Conversation),
            };
            match typed.code() {
                Some(code) => return Ok(code),
                None => self.call.host.say(Tone::Error, messages::WRONG),
            }
        }
        Err(Failed::Abandoned)
    }

    fn refused(&mut self, refusal: &ErrorAnswer) -> Failed {
        let why = NoDecision::refused(refusal).why;
        self.call.log(Level::Notice, &logged::nothing_changed(&why));
        let wrong = matches!(refusal.code, ErrorCode::CodeNeeded | ErrorCode::InviteNeeded);
        let text = if wrong { messages::WRONG } else { messages::NOT_SET_UP };
        self.call.host.say(Tone::Error, text);
        Failed::Told
    }

    fn keep(&mut self, what: Kept) -> Result<(), Failed> {
        self.call.host.keep(&self.user, what).map_err(|NotKept| {
            let line = logged::ENROLMENT_NOT_KEPT;
            self.call.log(Level::Error, line);
            Failed::Told
        })
    }

    fn failed(&mut self, failed: &Failed) -> PamResultCode {
        match failed {
            Failed::Conversation => {
                self.call.log(Level::Notice, logged::NOT_ANSWERED_DENIED);
                PamResultCode::PAM_CONV_ERR
            }
            Failed::Abandoned => {
                self.call.log(Level::Notice, logged::ABANDONED);
                PamResultCode::PAM_AUTHTOK_ERR
            }
            Failed::Told => PamResultCode::PAM_AUTHTOK_ERR,
            Failed::NoDecision(trouble) => {
                self.call.log(Level::Error, &logged::denied(&trouble.why));
                self.call.say(Tone::Error, messages::NOT_SET_UP);
                PamResultCode::PAM_AUTHINFO_UNAVAIL
            }
        }
    }
}

/// What is asked of the user before there is a new token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ask {
    /// The invite code.
    Invite,
    /// A code of the token that is too old.
    CurrentCode,
}

#[cfg(test)]
#[path = "enrolment_tests.rs"]
mod tests;
