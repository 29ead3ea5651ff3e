// SPDX-License-Identifier: GPL-3.0-or-later
//! Why a command was not carried out, in words.

use std::fmt;
use std::path::Path;

use mfa_proto::ClientError;

use super::ahead_or_behind;
use crate::failure::Failure;
use crate::table::printable;
use crate::token_file::TokenFileError;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Daemon { socket, error } => daemon(f, socket, error),
            Self::Refused(answer) => f.write_str(&printable(&answer.message)),
            Self::CannotDecide => f.write_str(
                "the daemon cannot decide or record anything now; its log says why \
                 (journalctl -u mfa)",
            ),
            Self::OtherAnswer { to } => write!(
                f,
                "the daemon answered something else than was asked ({to}); do mfa and mfa-daemon \
                 have the same version?"
            ),
            Self::NoOwnName { uid } => {
                write!(f, "uid {uid} has no name on this machine; name the user with --user")
            }
            Self::GroupRenamed(name) => write!(
                f,
                "the daemon offers {:?} with other numbers than the group of that name has in RFC \
                 7919; nothing was exchanged. Check the [exchange] part of its configuration",
                printable(name)
            ),
            Self::ParamsFile(path, error) => write!(
                f,
                "{}: {error}; nothing was written",
                printable(&path.display().to_string())
            ),
            Self::ParamsUnsound(error) => write!(f, "{error}"),
            Self::Generate(error) => write!(f, "{error}"),
            Self::GroupUnsound(error) => write!(
                f,
                "the daemon's Diffie-Hellman group is not sound: {error}; nothing was exchanged. \
                 Check the [exchange] part of its configuration"
            ),
            Self::Exchange(error) => write!(f, "{error}"),
            Self::Session(error) => write!(f, "{error}"),
            Self::Sealed(error) => write!(f, "a sealed message is none: {error}"),
            Self::Provisioned(error) => write!(f, "the daemon's new secret: {error}"),
            Self::Qr(error) => write!(f, "no QR code can be made ({error}); use --qr never"),
            Self::NoDisplay => f.write_str(
                "the new secret could be shown to nobody, since the output is no terminal; nothing \
                 was made. Run it on a terminal, or use --save-token FILE or --json",
            ),
            Self::NoCode => f.write_str(
                "no code was given, so nothing was changed; run it again and type the code, or give \
                 it as a line of standard input",
            ),
            Self::NotConfirmedByYes => f.write_str("nothing was changed"),
            Self::NobodyToConfirm => {
                f.write_str("nobody can be asked whether it is meant; --yes says that it is")
            }
            Self::CodeTooLong => f.write_str("that is longer than any code; nothing was sent"),
            Self::Input(error) => write!(f, "the code cannot be read: {error}"),
            Self::Output(error) => write!(f, "the result cannot be written: {error}"),
            Self::CodesNotShown(error) => write!(
                f,
                "{error}. The token is active all the same; for recovery codes that you can read, \
                 run `mfa recovery-codes`"
            ),
            Self::NewCodesNotShown(error) => write!(
                f,
                "{error}. The old recovery codes are void all the same; for new ones that you can \
                 read, run it again"
            ),
            Self::CodesUnknown(cause) => write!(
                f,
                "it is not known whether the old recovery codes are void: {cause}. Run it again \
                 once the daemon answers; the codes shown then are good"
            ),
            Self::NotPending(answer) => write!(
                f,
                "{}. The new secret does not count and nothing else has changed. The daemon keeps \
                 one for 15 minutes until its first code comes, and not over a restart: run this \
                 again for another one",
                printable(&answer.message)
            ),
            Self::WrongCode { clock_offset: None } => {
                f.write_str("wrong code; wait for the next one and try again")
            }
            Self::WrongCode { clock_offset: Some(offset) } => write!(
                f,
                "wrong code; the authenticator's clock seems to be {}. Set it right and try again",
                ahead_or_behind(*offset)
            ),
            Self::Replayed => {
                f.write_str("that code has been used already; wait for the next one")
            }
            Self::Locked(Some(seconds)) => {
                write!(f, "too many wrong codes; nothing is checked for another {seconds} s")
            }
            Self::Locked(None) => f.write_str(
                "too many wrong codes; an administrator can unlock with `mfa admin unlock USER`",
            ),
            Self::NotConfirmed => f.write_str(
                "too many wrong first codes: the new token was dropped, nothing else has changed. \
                 Check the clocks of phone and machine, then begin again",
            ),
            Self::OwnCodeRefused => f.write_str(
                "the daemon refused the code that its own secret gives at this machine's time; the \
                 token is not active and its new file was removed. Is the clock being set?",
            ),
            Self::ConfirmUnknown { file, cause } => {
                write!(f, "it is not known whether the new token is active: {cause}. ")?;
                if let Some(file) = file {
                    write!(f, "Its address stays in {}. ", file.at.display())?;
                }
                f.write_str("Look with `mfa status` once the daemon answers")?;
                match file.as_ref().and_then(|file| file.instead_of.as_deref()) {
                    Some(old) => write!(
                        f,
                        ": if it is active, move that file to {0}, which was not touched",
                        old.display()
                    ),
                    None => Ok(()),
                }
            }
            Self::TokenFile(error) => write!(f, "{error}"),
            Self::NoDefaultTokenFile => {
                f.write_str("neither XDG_CONFIG_HOME nor HOME is set; name the file with --token")
            }
            Self::CounterWatched => f.write_str(
                "this token moves by a counter: every code shown would be spent. Leave out --watch",
            ),
            Self::Clock => f.write_str("the clock shows a time before 1970; set it first"),
            Self::NoToken(user) => write!(f, "{user} has no token"),
            Self::NoSuchToken { user, name } => {
                write!(f, "{user} has no token {name:?}; `mfa status` lists them")
            }
            Self::SeveralTokens { user, names } => {
                let names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
                write!(f, "{user} has {}; say which with --name", names.join(" and "))
            }
            Self::BackupFile(path, error) => {
                write!(f, "{}: {error}", printable(&path.display().to_string()))
            }
            Self::BackupOverOther(path) => write!(
                f,
                "{} is no plain file, and only such a one is replaced; to write into a pipe, name - and \
                 redirect",
                printable(&path.display().to_string())
            ),
            Self::BackupToTerminal => f.write_str(
                "a backup is no text, and standard output is a terminal; name a file, or pipe it",
            ),
            Self::RekeyGoesOn(cause) => write!(
                f,
                "{cause}. The daemon goes on with the new master key by itself, also after a restart; \
                 run it again to see how far it is"
            ),
            Self::RekeyInterrupted => f.write_str(
                "the new master key has not come to the end; the daemon's log says why (journalctl -u \
                 mfa). Old and new key are both known, nobody is kept out; run it again to go on",
            ),
            Self::Pam(error) => write!(f, "{error}"),
            Self::Export(error) => write!(f, "{error}"),
            Self::Import(error) => write!(f, "{error}"),
        }
    }
}

fn daemon(f: &mut fmt::Formatter<'_>, socket: &Path, error: &ClientError) -> fmt::Result {
    write!(f, "the daemon at {}: {error}", socket.display())?;
    match error {
        ClientError::Unreachable(_) => {
            f.write_str(". Is it running (systemctl status mfa.socket mfa)? `mfa doctor` looks")
        }
        ClientError::Refused(_) => Ok(()),
        ClientError::Untrusted(_) => f.write_str(". Nothing was sent; `mfa doctor` says more"),
        ClientError::TimedOut | ClientError::Closed | ClientError::Broken(_) => {
            f.write_str(". Its log says why (journalctl -u mfa)")
        }
        ClientError::Answer(_) | ClientError::WrongId | ClientError::Question(_) => {
            f.write_str(". Do mfa and mfa-daemon have the same version?")
        }
    }
}

impl fmt::Display for TokenFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists(path) => write!(
                f,
                "{} exists; nothing was changed. Name another file, or replace it with --force",
                path.display()
            ),
            Self::Io { path, doing, error } => {
                write!(f, "cannot {doing} {}: {error}", path.display())
            }
            Self::NotReplaced { path, at, error } => write!(
                f,
                "the token is active, but its file cannot take the place of {0}: {error}. The \
                 token's address stays in {1}; move it to where you want it",
                path.display(),
                at.display()
            ),
            Self::Exposed { path, mode } => write!(
                f,
                "{0} has mode {mode:04o}, so others than its owner can use it; nothing was shown. \
                 chmod 600 {0}, and enrol again if somebody may have read it",
                path.display()
            ),
            Self::NotAFile(path) => write!(f, "{} is not a regular file", path.display()),
            Self::Foreign { path, owner } => write!(
                f,
                "{} belongs to uid {owner}; a token file must be your own",
                path.display()
            ),
            Self::NotOneLine(path) => write!(
                f,
                "{} is not a token file: expected one line, an otpauth address",
                path.display()
            ),
            Self::Content { path, error } => write!(f, "{}, line 1: {error}", path.display()),
            Self::Exhausted(path) => {
                write!(f, "the counter in {} has no next value; enrol again", path.display())
            }
        }
    }
}
