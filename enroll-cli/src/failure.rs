// SPDX-License-Identifier: GPL-3.0-or-later
//! Why a command was not carried out. The sentences are in `messages.rs`.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use mfa_crypto::{ExchangeError, GenerateError, GroupError, SessionError, UriError};
use mfa_proto::{ClientError, ErrorAnswer, ErrorCode, UserName};

use crate::export_error::ExportError;
use crate::import_error::ImportError;
use crate::pam_change::PamError;
use crate::token_file::{Stays, TokenFileError};

/// How the process ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    Done,
    Refused,
    Usage,
    Unreachable,
    NotPermitted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Refused => 1,
            Exit::Usage => 2,
            Exit::Unreachable => 3,
            Exit::NotPermitted => 4,
        })
    }
}

/// Why a command was not carried out.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The daemon's answer is not to be had.
    Daemon { socket: PathBuf, error: ClientError },
    /// The daemon refused.
    Refused(ErrorAnswer),
    /// The daemon cannot decide or record now.
    CannotDecide,
    /// The daemon answered something else than was asked.
    OtherAnswer { to: &'static str },
    /// The caller's uid has no name here.
    NoOwnName { uid: u32 },
    /// The offered group carries a name of RFC 7919 but not its numbers.
    GroupRenamed(String),
    /// The offered group fails its checks.
    GroupUnsound(GroupError),
    /// A file of parameters cannot be read or made.
    ParamsFile(PathBuf, io::Error),
    /// A group from a file is not safe, or the file holds none.
    ParamsUnsound(GroupError),
    /// No group was generated.
    Generate(GenerateError),
    /// The key exchange failed.
    Exchange(ExchangeError),
    /// The sealed session failed.
    Session(SessionError),
    /// A sealed answer cannot be read, or a request cannot be written.
    Sealed(serde_json::Error),
    /// The daemon's secret is not one.
    Provisioned(UriError),
    /// The QR code cannot be made.
    Qr(mfa_qr::QrError),
    /// A new secret could be shown nowhere.
    NoDisplay,
    /// No code where one was asked for.
    NoCode,
    /// Asked whether it is meant, somebody did not say yes.
    NotConfirmedByYes,
    /// Nobody can be asked, and no option says yes.
    NobodyToConfirm,
    /// What was typed is longer than any code.
    CodeTooLong,
    /// The terminal or standard input failed.
    Input(io::Error),
    /// Standard output failed.
    Output(io::Error),
    /// Standard output failed when the new token was active already.
    CodesNotShown(Box<Failure>),
    /// Standard output failed when the old recovery codes were void already.
    NewCodesNotShown(Box<Failure>),
    /// The daemon's answer with new recovery codes was lost.
    CodesUnknown(Box<Failure>),
    /// The daemon keeps no token that this first code could confirm.
    NotPending(ErrorAnswer),
    /// A code that is not accepted; by how many seconds the authenticator's clock may be off.
    WrongCode { clock_offset: Option<i64> },
    /// A code that was used before.
    Replayed,
    /// Too many wrong codes.
    Locked(Option<u64>),
    /// The first code was wrong too often; the pending token is gone.
    NotConfirmed,
    /// The code computed from the new secret was refused.
    OwnCodeRefused,
    /// The daemon's answer to the first code was lost and its state cannot be learned.
    ConfirmUnknown { file: Option<Stays>, cause: Box<Failure> },
    /// A token file.
    TokenFile(TokenFileError),
    /// No token file was named and there is no home to look in.
    NoDefaultTokenFile,
    /// `--watch` with a counter.
    CounterWatched,
    /// The clock shows a time before 1970.
    Clock,
    /// The user has no token.
    NoToken(UserName),
    /// The user has no token of this name.
    NoSuchToken { user: UserName, name: String },
    /// The user has several tokens and none was named.
    SeveralTokens { user: UserName, names: Vec<String> },
    /// The file of a backup cannot be read or written.
    BackupFile(PathBuf, io::Error),
    /// A backup replaces plain files only.
    BackupOverOther(PathBuf),
    /// A backup is nothing to look at.
    BackupToTerminal,
    /// A new master key is on its way, but how far is not to be had.
    RekeyGoesOn(Box<Failure>),
    /// A new master key has not come to the end.
    RekeyInterrupted,
    /// An export.
    Export(ExportError),
    /// A change of PAM.
    Pam(PamError),
    /// An import file, or its import.
    Import(ImportError),
}

impl Failure {
    /// What became of a first code is not known; where the new secret stays until it is.
    pub(crate) fn unknown(cause: Self, file: Option<Stays>) -> Self {
        Self::ConfirmUnknown { file, cause: Box::new(cause) }
    }

    /// The exit code of the command.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Daemon { .. } | Self::CannotDecide | Self::OtherAnswer { .. } => {
                Exit::Unreachable
            }
            Self::Refused(answer) => match answer.code {
                ErrorCode::NotPermitted => Exit::NotPermitted,
                ErrorCode::Busy | ErrorCode::Unavailable => Exit::Unreachable,
                ErrorCode::Malformed
                | ErrorCode::CodeNeeded
                | ErrorCode::InviteNeeded
                | ErrorCode::NotPending
                | ErrorCode::Conflict
                | ErrorCode::Exchange => Exit::Refused,
            },
            Self::ConfirmUnknown { cause, .. }
            | Self::CodesUnknown(cause)
            | Self::RekeyGoesOn(cause) => cause.exit(),
            Self::Pam(error) => error.exit(),
            Self::RekeyInterrupted => Exit::Unreachable,
            Self::Import(ImportError::Interrupted { cause, .. } | ImportError::Unknown(cause)) => {
                cause.exit()
            }
            Self::Export(
                ExportError::NotAPipe(_) | ExportError::NeedsSecrets | ExportError::WhoseFile,
            )
            | Self::Import(ImportError::WhoseFile | ImportError::HomesOfOthers) => Exit::Usage,
            Self::NoOwnName { .. }
            | Self::NobodyToConfirm
            | Self::BackupToTerminal
            | Self::NoDisplay
            | Self::NoDefaultTokenFile
            | Self::CounterWatched
            | Self::SeveralTokens { .. } => Exit::Usage,
            _ => Exit::Refused,
        }
    }

    /// Whether the daemon may have done what it was asked although its answer is missing.
    pub(crate) fn leaves_the_outcome_open(&self) -> bool {
        match self {
            Self::Daemon { error, .. } => matches!(
                error,
                ClientError::TimedOut
                    | ClientError::Closed
                    | ClientError::Broken(_)
                    | ClientError::Answer(_)
                    | ClientError::WrongId
            ),
            Self::Refused(answer) => answer.code == ErrorCode::Unavailable,
            Self::CannotDecide | Self::OtherAnswer { .. } | Self::Session(_) | Self::Sealed(_) => {
                true
            }
            _ => false,
        }
    }

    /// Whether the daemon may still do what it was asked, whatever it says until then.
    pub(crate) fn leaves_it_at_work(&self) -> bool {
        matches!(self, Self::Daemon { error: ClientError::TimedOut, .. })
    }

    /// Whether the reader of the output went away, as in `mfa admin list | head`.
    pub(crate) fn is_reader_gone(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// Whether a current code is what was missing.
    pub(crate) fn asks_for_a_code(&self) -> bool {
        matches!(self, Self::Refused(answer) if answer.code == ErrorCode::CodeNeeded)
    }

    /// Whether an invite code is.
    pub(crate) fn asks_for_an_invite(&self) -> bool {
        matches!(self, Self::Refused(answer) if answer.code == ErrorCode::InviteNeeded)
    }
}

impl From<ExchangeError> for Failure {
    fn from(error: ExchangeError) -> Self {
        Self::Exchange(error)
    }
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}

impl From<TokenFileError> for Failure {
    fn from(error: TokenFileError) -> Self {
        Self::TokenFile(error)
    }
}

impl From<PamError> for Failure {
    fn from(error: PamError) -> Self {
        Self::Pam(error)
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        Self::Export(error)
    }
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Self {
        Self::Import(error)
    }
}
