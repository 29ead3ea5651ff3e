// SPDX-License-Identifier: GPL-3.0-or-later
//! Reads the daemon's answers to all five questions through one flat type.
//!
//! The types of `mfa_proto` say what an answer is, and could read it themselves. But of five tagged
//! enums serde makes 45 KiB more code than of one struct, and all of it would be mapped into every
//! login program. What is taken is the same: exactly the fields of its kind, each of them once; and no
//! `null`, which the daemon writes nowhere. The test beside this file sends every kind of every
//! answer through both.

use crate::messages::logged;
use mfa_proto::account::{AccountAnswer, LoginConfirmAnswer, LoginProvisionAnswer};
use mfa_proto::login::{Accepted, BeginAnswer, LastFailure, SkipReason, VerifyAnswer};
use mfa_proto::{ErrorAnswer, ErrorCode, FrameError, SecretText, TypedCode};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// The field `type`.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(variant_identifier, rename_all = "snake_case")]
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
    #[serde(default)]
    clock_offset: Field<i64>,
    #[serde(default)]
    code: Field<ErrorCode>,
    #[serde(default)]
    digits: Field<u8>,
    #[serde(default)]
    enroll_within: Field<u64>,
    #[serde(default)]
    failures: Field<u32>,
    #[serde(default)]
    ignore: Field<bool>,
    #[serde(default)]
    invite: Field<bool>,
    #[serde(default)]
    last_failure: Field<LastFailure>,
    #[serde(default)]
    message: Field<String>,
    #[serde(default)]
    observe: Field<bool>,
    #[serde(default)]
    period: Field<u64>,
    #[serde(default)]
    qr: Field<Vec<SecretText>>,
    #[serde(default)]
    reason: Field<SkipReason>,
    #[serde(default)]
    recovery_codes: Field<Vec<TypedCode>>,
    #[serde(default)]
    recovery_codes_left: Field<u8>,
    #[serde(default)]
    rotation_due: Field<bool>,
    #[serde(default)]
    seconds: Field<u64>,
    #[serde(default)]
    secret: Field<SecretText>,
    #[serde(default)]
    token: Field<String>,
    #[serde(default)]
    tries_left: Field<u8>,
}

/// A field of an answer: absent, or a value. `null` is neither.
struct Field<T>(Option<T>);

impl<T> Default for Field<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(|value| Self(Some(value)))
    }
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
        if self.is_used_up() { Ok(answer) } else { Err(malformed(logged::ANOTHERS_FIELD)) }
    }

    fn is_used_up(&self) -> bool {
        self.clock_offset.0.is_none()
            && self.code.0.is_none()
            && self.digits.0.is_none()
            && self.enroll_within.0.is_none()
            && self.failures.0.is_none()
            && self.ignore.0.is_none()
            && self.invite.0.is_none()
            && self.last_failure.0.is_none()
            && self.message.0.is_none()
            && self.observe.0.is_none()
            && self.period.0.is_none()
            && self.qr.0.is_none()
            && self.reason.0.is_none()
            && self.recovery_codes.0.is_none()
            && self.recovery_codes_left.0.is_none()
            && self.rotation_due.0.is_none()
            && self.seconds.0.is_none()
            && self.secret.0.is_none()
            && self.token.0.is_none()
            && self.tries_left.0.is_none()
    }

    fn refusal(&mut self) -> Result<ErrorAnswer, FrameError> {
        Ok(ErrorAnswer { code: needed(&mut self.code.0)?, message: needed(&mut self.message.0)? })
    }
}

impl AnswerTo for BeginAnswer {
    fn take(answer: &mut Answer) -> Result<Self, FrameError> {
        Ok(match answer.r#type {
            Kind::Prompt => Self::Prompt {
                digits: needed(&mut answer.digits.0)?,
                observe: flag(&mut answer.observe.0),
            },
            Kind::Granted => Self::Granted {},
            Kind::Skip => Self::Skip {
                reason: needed(&mut answer.reason.0)?,
                digits: needed(&mut answer.digits.0)?,
                enroll_within: answer.enroll_within.0.take(),
                observe: flag(&mut answer.observe.0),
            },
            Kind::Unavailable => Self::Unavailable { ignore: flag(&mut answer.ignore.0) },
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
                failures: needed(&mut answer.failures.0)?,
                last_failure: answer.last_failure.0.take(),
                recovery_codes_left: answer.recovery_codes_left.0.take(),
                clock_offset: answer.clock_offset.0.take(),
                rotation_due: flag(&mut answer.rotation_due.0),
            }),
            Kind::Wrong => Self::Wrong { clock_offset: answer.clock_offset.0.take() },
            Kind::Replayed => Self::Replayed {},
            Kind::Locked => Self::Locked { seconds: answer.seconds.0.take() },
            Kind::Unavailable => Self::Unavailable { ignore: flag(&mut answer.ignore.0) },
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
            Kind::EnrollmentDue => Self::EnrollmentDue { invite: flag(&mut answer.invite.0) },
            Kind::RotationDue => Self::RotationDue { token: needed(&mut answer.token.0)? },
            Kind::Unavailable => Self::Unavailable { ignore: flag(&mut answer.ignore.0) },
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
                token: needed(&mut answer.token.0)?,
                secret: needed(&mut answer.secret.0)?,
                qr: needed(&mut answer.qr.0)?,
                digits: needed(&mut answer.digits.0)?,
                period: needed(&mut answer.period.0)?,
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
                Self::LoginConfirmed { recovery_codes: needed(&mut answer.recovery_codes.0)? }
            }
            Kind::WrongCode => Self::WrongCode { tries_left: needed(&mut answer.tries_left.0)? },
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
    field.take().ok_or_else(|| malformed(logged::MISSING_FIELD))
}

fn flag(field: &mut Option<bool>) -> bool {
    field.take().unwrap_or_default()
}

fn other_question() -> FrameError {
    malformed(logged::ANOTHER_ANSWER)
}

fn malformed(what: &'static str) -> FrameError {
    FrameError::Malformed(serde_json::Error::custom(what))
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
