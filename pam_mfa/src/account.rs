// SPDX-License-Identifier: GPL-3.0-or-later
//! `pam_sm_acct_mgmt`: with `enroll`, whether an enrolment or a rotation must happen before the user
//! gets in. It grants nothing: "nothing is due" is `PAM_IGNORE`.

use mfa_proto::account::AccountAnswer;
use pam::constants::PamResultCode;

use crate::flow::{
    Call, ConversationFailed, Host, Kept, NoDecision, NotKept, Tone, User, Verifier,
};
use crate::log::Level;
use crate::messages::{self, logged};
use crate::options::Options;

/// One call of `pam_sm_acct_mgmt`. `silent` is `PAM_SILENT`: the program wants no texts.
pub(crate) fn account(
    host: &mut impl Host,
    verifier: &impl Verifier,
    options: &Options,
    silent: bool,
) -> PamResultCode {
    if !options.enroll {
        return PamResultCode::PAM_IGNORE;
    }
    match Call::new(host, verifier, options, silent) {
        Ok(mut call) if options.observe => observed(&mut call),
        Ok(mut call) => decided(&mut call),
        Err(ConversationFailed) if options.observe => PamResultCode::PAM_IGNORE,
        Err(ConversationFailed) => PamResultCode::PAM_CONV_ERR,
    }
}

/// What the daemon says is due, or why that is not known.
pub(crate) fn due<H: Host, V: Verifier>(call: &mut Call<'_, H, V>) -> Result<Due, NoDecision> {
    if call.is_exempt() {
        return Ok(Due::Nothing);
    }
    let User::Named(user) = &call.user else { return Ok(Due::Impossible) };
    let answer = call.verifier.account(user, &call.origin);
    call.debug("account", &answer);
    match answer {
        Ok(AccountAnswer::NothingDue {}) => Ok(Due::Nothing),
        Ok(AccountAnswer::EnrollmentDue { invite }) => Ok(Due::Enrollment { invite }),
        Ok(AccountAnswer::RotationDue { token: _ }) => Ok(Due::Rotation),
        Ok(AccountAnswer::Unavailable { ignore }) => Err(NoDecision::said(ignore)),
        Ok(AccountAnswer::Error(refusal)) => Err(NoDecision::refused(&refusal)),
        Err(error) => Err(NoDecision::of(&error, call.options)),
    }
}

/// What a user has to do before getting in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Due {
    /// Nothing.
    Nothing,
    /// A first token; with an invite code or without.
    Enrollment {
        /// Is one asked for?
        invite: bool,
    },
    /// A new key in place of one that is too old.
    Rotation,
    /// No account has this name, so none can be looked at.
    Impossible,
}

fn decided<H: Host, V: Verifier>(call: &mut Call<'_, H, V>) -> PamResultCode {
    let (what, text) = match due(call) {
        Ok(Due::Nothing) => {
            // Only for what an earlier call on the same handle may have left.
            return match keep(call, Kept::NotAskedFor) {
                Ok(()) => PamResultCode::PAM_IGNORE,
                Err(NotKept) => PamResultCode::PAM_BUF_ERR,
            };
        }
        Ok(Due::Enrollment { .. }) => (logged::ENROLLMENT_DUE, messages::ENROLLMENT_DUE),
        Ok(Due::Rotation) => (logged::ROTATION_DUE, messages::ROTATION_DUE),
        Ok(Due::Impossible) => {
            call.log(Level::Notice, logged::NO_SUCH_ACCOUNT);
            return PamResultCode::PAM_USER_UNKNOWN;
        }
        Err(trouble) => return call.end_without_decision(&trouble),
    };
    call.info(what);
    // Where it is not kept, `password` would leave the change to others, and the login would pass.
    if keep(call, Kept::AskedFor) == Err(NotKept) {
        return PamResultCode::PAM_BUF_ERR;
    }
    call.say(Tone::Info, text);
    PamResultCode::PAM_NEW_AUTHTOK_REQD
}

/// What `password` goes by.
fn keep<H: Host, V: Verifier>(call: &mut Call<'_, H, V>, what: Kept) -> Result<(), NotKept> {
    let User::Named(user) = &call.user else { return Err(NotKept) };
    call.host.keep(user, what).inspect_err(|NotKept| {
        call.log(Level::Error, logged::ASKED_FOR_NOT_KEPT);
    })
}

/// `observe`: nobody is held up; the log says who would have been.
fn observed<H: Host, V: Verifier>(call: &mut Call<'_, H, V>) -> PamResultCode {
    let would = match due(call) {
        Ok(Due::Nothing) => return PamResultCode::PAM_IGNORE,
        Ok(Due::Enrollment { .. }) => logged::WOULD_ENROLL.to_owned(),
        Ok(Due::Rotation) => logged::WOULD_ROTATE.to_owned(),
        Ok(Due::Impossible) => logged::WOULD_DENY_NO_SUCH_ACCOUNT.to_owned(),
        Err(trouble) => logged::would_deny(&trouble.why),
    };
    call.log(Level::Notice, &logged::observed(&would));
    PamResultCode::PAM_IGNORE
}

#[cfg(test)]
#[path = "account_tests.rs"]
mod tests;
