// SPDX-License-Identifier: GPL-3.0-or-later
//! `pam_sm_authenticate`.
//!
//! Exactly one place returns `PAM_SUCCESS`, and only after the daemon's "accepted" or "granted";
//! what returns `PAM_IGNORE` is listed in [`End`]; every other path denies.
//!
//! Two flags and calls of PAM are left alone on purpose. `PAM_DISALLOW_NULL_AUTHTOK` is about empty
//! passwords, and sshd sets it by default: would it overrule `nullok`, that option would have no
//! effect there; `pam_google_authenticator` and `pam_oath` read it the same way. `pam_fail_delay`
//! is not called: the daemon bounds guessing with a lock that holds across processes, and a delay
//! that the stack asks for elsewhere (`pam_unix`, `pam_faildelay`) covers a wrong code as well.

use mfa_proto::login::{Accepted, BeginAnswer, SkipReason, VerifyAnswer};
use mfa_proto::{TypedCode, UserName};
use pam::constants::PamResultCode;

use crate::flow::{
    Call, ConversationFailed, Host, Kept, NoDecision, NotKept, Tone, User, Verifier,
};
use crate::log::Level;
use crate::messages::{self, logged};
use crate::options::{FirstPass, Options, WithoutToken};
use crate::typed::Typed;

/// Digits that are looked for at the end of a password where the daemon is not asked.
const USUAL_DIGITS: u8 = 6;

/// One call of `pam_sm_authenticate`. `silent` is `PAM_SILENT`: the program wants no texts.
pub(crate) fn login(
    host: &mut impl Host,
    verifier: &impl Verifier,
    options: &Options,
    silent: bool,
) -> PamResultCode {
    match Call::new(host, verifier, options, silent) {
        Ok(call) => Login { call, observe: options.observe, digits: USUAL_DIGITS }.run(),
        Err(ConversationFailed) if options.observe => PamResultCode::PAM_IGNORE,
        Err(ConversationFailed) => PamResultCode::PAM_CONV_ERR,
    }
}

/// How a login ends. All but the first two, and those marked, deny.
enum End {
    /// The daemon accepted a code.
    Accepted(Accepted),
    /// The daemon lets this login pass without one.
    Granted,
    /// Ignored: a member of the exempt group, or a rule of the daemon's.
    Exempt(&'static str),
    /// Ignored: no token, with `nullok`; and seconds until there must be one.
    NoToken(Option<u64>),
    /// Not a code, or not this user's, now; and seconds that the authenticator's clock is off.
    Wrong(String, Option<i64>),
    /// An empty answer.
    NoCode,
    /// No answer.
    NotAnswered,
    /// The program has made it a login of somebody else meanwhile.
    AnotherUser,
    /// For so many seconds, or until it is unlocked.
    Locked(Option<u64>),
    /// Ignored where the option or a rule says so.
    NoDecision(NoDecision),
}

/// What an answer of the user's came to.
enum Tried {
    /// The login is over.
    Ended(End),
    /// The user may try again where there are tries left.
    Wrong(String, Option<i64>),
}

struct Login<'a, H, V> {
    call: Call<'a, H, V>,
    /// The option, or a rule of the daemon's.
    observe: bool,
    /// Of this user's codes.
    digits: u8,
}

impl<H: Host, V: Verifier> Login<'_, H, V> {
    fn run(mut self) -> PamResultCode {
        let end = if self.call.is_exempt() {
            End::Exempt(logged::EXEMPT_GROUP)
        } else {
            match self.begin() {
                Ok(()) => self.code(),
                Err(end) => end,
            }
        };
        if self.observe { self.observed(&end) } else { self.end(end) }
    }

    /// Asks the daemon whether to ask the user.
    fn begin(&mut self) -> Result<(), End> {
        // The daemon takes no impossible name. It is asked for a code like any other, so that
        // nothing shows.
        let User::Named(user) = &self.call.user else { return Ok(()) };
        let begun = self.call.verifier.begin(user, &self.call.origin);
        self.call.debug("begin", &begun);
        match begun {
            Ok(BeginAnswer::Prompt { digits, observe }) => {
                self.digits = digits;
                self.observe |= observe;
                Ok(())
            }
            Ok(BeginAnswer::Granted {}) => Err(End::Granted),
            Ok(BeginAnswer::Skip { reason, digits, enroll_within, observe }) => {
                self.digits = digits;
                self.observe |= observe;
                match (reason, self.call.options.without_token) {
                    (SkipReason::Exempt, _) => Err(End::Exempt(logged::EXEMPT_RULE)),
                    (SkipReason::NoToken, WithoutToken::Ignore) => Err(End::NoToken(enroll_within)),
                    // Asked and verified like any other: that there is no token must not show.
                    (SkipReason::NoToken, WithoutToken::Deny) => Ok(()),
                }
            }
            Ok(BeginAnswer::Unavailable { ignore }) => {
                Err(End::NoDecision(NoDecision::said(ignore)))
            }
            Ok(BeginAnswer::Error(refusal)) => Err(End::NoDecision(NoDecision::refused(&refusal))),
            Err(error) => Err(End::NoDecision(NoDecision::of(&error, self.call.options))),
        }
    }

    /// Looks for a code where the options say, and has it verified.
    fn code(&mut self) -> End {
        if self.call.options.first_pass != FirstPass::Leave {
            let only = self.call.options.first_pass == FirstPass::Use;
            match self.first_pass() {
                Some(Tried::Ended(end)) => return end,
                Some(Tried::Wrong(reason, offset)) if only => return End::Wrong(reason, offset),
                Some(Tried::Wrong(reason, offset)) => self.again(&reason, offset),
                None if only => {
                    return End::Wrong(logged::NO_CODE_IN_PASSWORD.to_owned(), None);
                }
                None => {}
            }
        }
        let mut left = self.call.options.retry;
        loop {
            left = left.saturating_sub(1);
            match self.prompt() {
                Tried::Ended(end) => return end,
                Tried::Wrong(reason, offset) if left == 0 => return End::Wrong(reason, offset),
                Tried::Wrong(reason, offset) => self.again(&reason, offset),
            }
        }
    }

    /// A wrong code that is not the last word.
    fn again(&mut self, reason: &str, offset: Option<i64>) {
        self.call.log(Level::Notice, &logged::asked_again(reason));
        if !self.observe {
            self.call.say(Tone::Error, &messages::wrong(offset));
        }
    }

    /// Tries the end of the password that is there already; `None` where there is no code in it.
    fn first_pass(&mut self) -> Option<Tried> {
        let split = self.call.host.auth_token()?.split(self.digits)?;
        if self.call.options.forward_pass {
            self.forward(&split.password);
        }
        Some(self.verify(split.code))
    }

    /// Asks once.
    fn prompt(&mut self) -> Tried {
        let options = self.call.options;
        let typed = match self.call.host.prompt(options.prompt(), options.echo) {
            Ok(Some(typed)) if !typed.is_blank() => typed,
            Ok(_) => return Tried::Ended(End::NoCode),
            Err(ConversationFailed) => return Tried::Ended(End::NotAnswered),
        };
        if !options.forward_pass && self.is_the_password(&typed) {
            return Tried::Wrong(logged::THE_PASSWORD_AGAIN.to_owned(), None);
        }
        let code = if options.forward_pass { self.forwarded(&typed) } else { typed.code() };
        match code {
            Some(code) => self.verify(code),
            None => Tried::Wrong(logged::NOT_A_CODE.to_owned(), None),
        }
    }

    /// Is it what an earlier module was answered? A program with one field answers every prompt with it,
    /// and people type it by mistake. It is no code then, and the daemon must neither see a password nor
    /// count it: a screen locker would lock its user out.
    fn is_the_password(&self, typed: &Typed) -> bool {
        let password = self.call.host.auth_token();
        password.is_some_and(|password| password.as_bytes() == typed.as_bytes())
    }

    /// Takes the code off what was typed, and hands the rest on before anything else happens. The
    /// whole where there is no code: the modules behind this one are to judge a password that was
    /// typed for them, and not to ask again; this one denies.
    fn forwarded(&mut self, typed: &Typed) -> Option<TypedCode> {
        let Some(split) = typed.split(self.digits) else {
            self.forward(typed);
            return None;
        };
        self.forward(&split.password);
        Some(split.code)
    }

    fn forward(&mut self, password: &Typed) {
        if self.call.host.set_auth_token(password) == Err(NotKept) {
            self.call.log(Level::Error, logged::PASSWORD_NOT_FORWARDED);
        }
    }

    fn verify(&mut self, code: TypedCode) -> Tried {
        let user = match &self.call.user {
            User::Named(user) => user.clone(),
            User::Impossible { reason, .. } => return Tried::Wrong(reason.clone(), None),
        };
        // Who is let in is whom libpam names afterwards, and it must not be by somebody else's code.
        if !self.call.host.is_about(&user) {
            return Tried::Ended(End::AnotherUser);
        }
        let verified = self.call.verifier.verify(&user, code, &self.call.origin);
        self.call.debug("verify", &verified);
        Tried::Ended(match verified {
            Ok(VerifyAnswer::Accepted(accepted)) => {
                // Only a code of the token that is due: a recovery or bypass code opens a login, and
                // must not take the owner's token over.
                if accepted.rotation_due {
                    self.keep_accepted(&user);
                }
                End::Accepted(accepted)
            }
            Ok(VerifyAnswer::Wrong { clock_offset }) => {
                return Tried::Wrong(logged::WRONG.to_owned(), clock_offset);
            }
            Ok(VerifyAnswer::Replayed {}) => {
                return Tried::Wrong(logged::REPLAYED.to_owned(), None);
            }
            Ok(VerifyAnswer::Locked { seconds }) => End::Locked(seconds),
            Ok(VerifyAnswer::Unavailable { ignore }) => End::NoDecision(NoDecision::said(ignore)),
            Ok(VerifyAnswer::Error(refusal)) => End::NoDecision(NoDecision::refused(&refusal)),
            Err(error) => End::NoDecision(NoDecision::of(&error, self.call.options)),
        })
    }

    /// For a rotation in this same login. Without it the rotation asks for a code.
    fn keep_accepted(&mut self, user: &UserName) {
        if self.call.host.keep(user, Kept::CodeAccepted) == Err(NotKept) {
            self.call.log(Level::Error, logged::ACCEPTED_NOT_KEPT);
        }
    }

    /// Logs, says and returns what the end means.
    fn end(mut self, end: End) -> PamResultCode {
        let call = &mut self.call;
        let line = line(&end);
        match end {
            End::Accepted(_) | End::Granted => {
                call.info(&line);
                if let End::Accepted(accepted) = end {
                    say_accepted(call, &accepted);
                }
                return PamResultCode::PAM_SUCCESS;
            }
            End::Exempt(_) | End::NoToken(_) => {
                call.info(&logged::not_asked(&line));
                if let End::NoToken(Some(seconds)) = end {
                    call.say(Tone::Info, &messages::enroll_within(seconds));
                }
                return PamResultCode::PAM_IGNORE;
            }
            End::NoDecision(trouble) => return call.end_without_decision(&trouble),
            End::Wrong(..) | End::NoCode | End::NotAnswered | End::AnotherUser | End::Locked(_) => {
            }
        }
        call.log(Level::Notice, &logged::denied(&line));
        match end {
            End::Wrong(_, offset) => {
                call.say(Tone::Error, &messages::wrong(offset));
                PamResultCode::PAM_AUTH_ERR
            }
            End::Locked(seconds) => {
                call.say(Tone::Error, &messages::locked(seconds));
                PamResultCode::PAM_MAXTRIES
            }
            End::NotAnswered => PamResultCode::PAM_CONV_ERR,
            _ => PamResultCode::PAM_AUTH_ERR,
        }
    }

    /// `observe`: what the end would have meant is logged, and nobody is denied or told so.
    fn observed(mut self, end: &End) -> PamResultCode {
        let call = &mut self.call;
        let line = line(end);
        match end {
            End::Accepted(accepted) => {
                call.info(&logged::observed(&line));
                say_accepted(call, accepted);
            }
            End::Granted => call.info(&logged::observed(&line)),
            End::Exempt(_) | End::NoToken(_) => {
                call.info(&logged::observed(&logged::not_asked(&line)));
            }
            End::NoDecision(trouble) if trouble.is_ignored(call.options) => {
                let what = logged::observed(&logged::not_checked(&line));
                call.log(Level::Alert, &what);
            }
            _ => {
                let what = logged::observed(&logged::would_deny(&line));
                call.log(Level::Notice, &what);
            }
        }
        PamResultCode::PAM_IGNORE
    }
}

fn say_accepted<H: Host, V: Verifier>(call: &mut Call<'_, H, V>, accepted: &Accepted) {
    if let Some(text) = messages::accepted(accepted) {
        call.say(Tone::Info, &text);
    }
}

/// What is logged of an end, without what follows from it.
fn line(end: &End) -> String {
    match end {
        End::Accepted(_) => logged::ACCEPTED.to_owned(),
        End::Granted => logged::GRANTED.to_owned(),
        End::Exempt(reason) => (*reason).to_owned(),
        End::NoToken(_) => logged::NO_TOKEN.to_owned(),
        End::Wrong(reason, _) => reason.clone(),
        End::NoCode => logged::NO_CODE.to_owned(),
        End::NotAnswered => logged::NOT_ANSWERED.to_owned(),
        End::AnotherUser => logged::ANOTHER_USER.to_owned(),
        End::Locked(Some(seconds)) => logged::locked(*seconds),
        End::Locked(None) => logged::LOCKED_HARD.to_owned(),
        End::NoDecision(trouble) => trouble.why.clone(),
    }
}

#[cfg(test)]
#[path = "login_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "login_option_tests.rs"]
mod option_tests;

#[cfg(test)]
#[path = "password_tests.rs"]
mod password_tests;
