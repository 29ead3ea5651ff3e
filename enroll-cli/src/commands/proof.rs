// SPDX-License-Identifier: GPL-3.0-or-later
//! What a caller shows where the daemon wants more than his uid: a current code, or an invite.

use mfa_proto::TypedCode;

use crate::console::Console;
use crate::failure::Failure;
use crate::messages;

/// How often it is asked for where somebody can answer.
const TRIES: u32 = 3;

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// A code of a token that counts.
    CurrentCode,
    /// What an administrator has handed out.
    Invite,
}

impl Proof {
    fn ask(self, console: &mut Console) -> Result<TypedCode, Failure> {
        match self {
            Self::CurrentCode => console.ask_hidden(messages::ASK_CURRENT),
            Self::Invite => console.ask(messages::ASK_INVITE),
        }
    }

    /// Whether this is what a refusal asks for.
    fn is_asked_for(self, failure: &Failure) -> bool {
        match self {
            Self::CurrentCode => failure.asks_for_a_code(),
            Self::Invite => failure.asks_for_an_invite(),
        }
    }

    fn wrong(self) -> &'static str {
        match self {
            Self::CurrentCode => messages::WRONG_CURRENT,
            Self::Invite => messages::WRONG_INVITE,
        }
    }
}

/// Asks the daemon without a code and, where it wants one, with what is typed.
pub(super) fn with_current_code<T>(
    console: &mut Console,
    mut attempt: impl FnMut(Option<TypedCode>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    match attempt(None) {
        Err(failure) if failure.asks_for_a_code() => {
            until_accepted(console, Proof::CurrentCode, failure, |code| attempt(Some(code)))
        }
        settled => settled,
    }
}

/// Asks the daemon with what is typed, again where that is wrong and somebody can type.
pub(super) fn until_accepted<T>(
    console: &mut Console,
    proof: Proof,
    mut refused: Failure,
    mut attempt: impl FnMut(TypedCode) -> Result<T, Failure>,
) -> Result<T, Failure> {
    for _ in 0..TRIES {
        let code = proof.ask(console)?;
        match attempt(code) {
            Err(failure) if proof.is_asked_for(&failure) && console.can_ask() => {
                console.note(proof.wrong());
                refused = failure;
            }
            settled => return settled,
        }
    }
    Err(refused)
}
