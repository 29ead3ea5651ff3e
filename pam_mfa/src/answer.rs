// SPDX-License-Identifier: GPL-3.0-or-later
//! Reads the daemon's answers to all five questions through one flat type.
//!
//! The types of `mfa_proto` say what an answer is, and could read it themselves. But of five tagged
//! enums serde makes 45 KiB more code than of one struct, and all of it would be mapped into every
//! login program. What is taken is the same: exactly the fields of its kind, each of them once. The
//! test beside this file sends every kind of every answer through both.

use mfa_proto::account::{AccountAnswer, LoginConfirmAnswer, LoginProvisionAnswer};
use mfa_proto::login::{Accepted, BeginAnswer, LastFailure, SkipReason, VerifyAnswer};
use mfa_proto::{ErrorAnswer, ErrorCode, FrameError, SecretText, TypedCode};
use serde::Deserialize;
use serde::de::Error;

/// The field `type`.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Accepted,
    EnrollmentDue,
    Error,
    Granted,
    Locked,
    LoginConfirmed,
    LoginProvisioned,
    NothingDue,
    Prompt,
    Replayed,
    RotationDue,
    Skip,
    Unavailable,
    Wrong,
    WrongCode,
}

/// Any answer: each field of each kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    r#type: Kind,
    clock_offset: Option<i64>,
    code: Option<ErrorCode>,
    digits: Option<u8>,
    enroll_within: Option<u64>,
    failures: Option<u32>,
    ignore: Option<bool>,
    invite: Option<bool>,
    last_failure: Option<LastFailure>,
    message: Option<String>,
    observe: Option<bool>,
    period: Option<u64>,
    qr: Option<Vec<SecretText>>,
    reason: Option<SkipReason>,
    recovery_codes: Option<Vec<TypedCode>>,
    recovery_codes_left: Option<u8>,
    rotation_due: Option<bool>,
    seconds: Option<u64>,
    secret: Option<SecretText>,
    token: Option<String>,
    tries_left: Option<u8>,
}

/// An answer to a certain question.
pub(crate) trait AnswerTo: Sized {
    /// Takes the fields that belong to it.
    ///
    /// # Errors
    /// An answer to another question, or without a field that it needs.
    fn take(answer: &mut Answer) -> Result<Self, FrameError>;

    /// What it is, for the log: without a field, and so without a secret.
    fn name(&self) -> &'static str;
}

impl Answer {
    /// The answer to the question that was asked, and nothing beside it.
    ///
    /// # Errors
    /// [`FrameError::Malformed`]
    pub(crate) fn read<A: AnswerTo>(mut self) -> Result<A, FrameError> {
        let answer = A::take(&mut self)?;
        if self.is_used_up() { Ok(answer) } else { Err(malformed("a field of another answer")) }
    }

    fn is_used_up(&self) -> bool {
        self.clock_offset.is_none()
            && self.code.is_none()
            && self.digits.is_none()
            && self.enroll_within.is_none()
            && self.failures.is_none()
            && self.ignore.is_none()
            && self.invite.is_none()
            && self.last_failure.is_none()
            && self.message.is_none()
            && self.observe.is_none()
            && self.period.is_none()
            && self.qr.is_none()
            && self.reason.is_none()
            && self.recovery_codes.is_none()
            && self.recovery_codes_left.is_none()
            && self.rotation_due.is_none()
            && self.seconds.is_none()
            && self.secret.is_none()
            && self.token.is_none()
            && self.tries_left.is_none()
    }

    fn refusal(&mut self) -> Result<ErrorAnswer, FrameError> {
        Ok(ErrorAnswer { code: needed(&mut self.code)?, message: needed(&mut self.message)? })
    }
}

impl AnswerTo for BeginAnswer {
    fn take(answer: &mut Answer) -> Result<Self, FrameError> {
        Ok(match answer.r#type {
            Kind::Prompt => Self::Prompt {
                digits: needed(&mut answer.digits)?,
                observe: flag(&mut answer.observe),
            },
            Kind::Granted => Self::Granted {},
            Kind::Skip => Self::Skip {
                reason: needed(&mut answer.reason)?,
                digits: needed(&mut answer.digits)?,
                enroll_within: answer.enroll_within.take(),
                observe: flag(&mut answer.observe),
            },
            Kind::Unavailable => Self::Unavailable { ignore: flag(&mut answer.ignore) },
            Kind::Error => Self::Error(answer.refusal()?),
            _ => return Err(other_question()),
        })
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Prompt { .. } => "prompt",
            Self::Granted {} => "granted",
            Self::Skip { .. } => "skip",
            Self::Unavailable { .. } => "unavailable",
            Self::Error(_) => "error",
        }
    }
}

impl AnswerTo for VerifyAnswer {
    fn take(answer: &mut Answer) -> Result<Self, FrameError> {
        Ok(match answer.r#type {
            Kind::Accepted => Self::Accepted(Accepted {
                failures: needed(&mut answer.failures)?,
                last_failure: answer.last_failure.take(),
                recovery_codes_left: answer.recovery_codes_left.take(),
                clock_offset: answer.clock_offset.take(),
                rotation_due: flag(&mut answer.rotation_due),
            }),
            Kind::Wrong => Self::Wrong { clock_offset: answer.clock_offset.take() },
            Kind::Replayed => Self::Replayed {},
            Kind::Locked => Self::Locked { seconds: answer.seconds.take() },
            Kind::Unavailable => Self::Unavailable { ignore: flag(&mut answer.ignore) },
            Kind::Error => Self::Error(answer.refusal()?),
            _ => return Err(other_question()),
        })
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Accepted(_) => "accepted",
            Self::Wrong { .. } => "wrong",
            Self::Replayed {} => "replayed",
            Self::Locked { .. } => "locked",
            Self::Unavailable { .. } => "unavailable",
            Self::Error(_) => "error",
        }
    }
}

impl AnswerTo for AccountAnswer {
    fn take(answer: &mut Answer) -> Result<Self, FrameError> {
        Ok(match answer.r#type {
            Kind::NothingDue => Self::NothingDue {},
            Kind::EnrollmentDue => Self::EnrollmentDue { invite: flag(&mut answer.invite) },
            Kind::RotationDue => Self::RotationDue { token: needed(&mut answer.token)? },
            Kind::Unavailable => Self::Unavailable { ignore: flag(&mut answer.ignore) },
            Kind::Error => Self::Error(answer.refusal()?),
            _ => return Err(other_question()),
        })
    }

    fn name(&self) -> &'static str {
        match self {
            Self::NothingDue {} => "nothing_due",
            Self::EnrollmentDue { .. } => "enrollment_due",
            Self::RotationDue { .. } => "rotation_due",
            Self::Unavailable { .. } => "unavailable",
            Self::Error(_) => "error",
        }
    }
}

impl AnswerTo for LoginProvisionAnswer {
    fn take(answer: &mut Answer) -> Result<Self, FrameError> {
        Ok(match answer.r#type {
            Kind::LoginProvisioned => Self::LoginProvisioned {
                token: needed(&mut answer.token)?,
                secret: needed(&mut answer.secret)?,
                qr: needed(&mut answer.qr)?,
                digits: needed(&mut answer.digits)?,
                period: needed(&mut answer.period)?,
            },
            Kind::Error => Self::Error(answer.refusal()?),
            _ => return Err(other_question()),
        })
    }

    fn name(&self) -> &'static str {
        match self {
            Self::LoginProvisioned { .. } => "login_provisioned",
            Self::Error(_) => "error",
        }
    }
}

impl AnswerTo for LoginConfirmAnswer {
    fn take(answer: &mut Answer) -> Result<Self, FrameError> {
        Ok(match answer.r#type {
            Kind::LoginConfirmed => {
                Self::LoginConfirmed { recovery_codes: needed(&mut answer.recovery_codes)? }
            }
            Kind::WrongCode => Self::WrongCode { tries_left: needed(&mut answer.tries_left)? },
            Kind::Error => Self::Error(answer.refusal()?),
            _ => return Err(other_question()),
        })
    }

    fn name(&self) -> &'static str {
        match self {
            Self::LoginConfirmed { .. } => "login_confirmed",
            Self::WrongCode { .. } => "wrong_code",
            Self::Error(_) => "error",
        }
    }
}

fn needed<T>(field: &mut Option<T>) -> Result<T, FrameError> {
    field.take().ok_or_else(|| malformed("a field is missing"))
}

fn flag(field: &mut Option<bool>) -> bool {
    field.take().unwrap_or_default()
}

fn other_question() -> FrameError {
    malformed("an answer to another question")
}

fn malformed(what: &'static str) -> FrameError {
    FrameError::Malformed(serde_json::Error::custom(what))
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
