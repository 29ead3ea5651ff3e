// SPDX-License-Identifier: GPL-3.0-or-later
//! The sentences that users read: what happened, why, and what to do next.

use std::fmt;
use std::path::Path;

use jiff::tz::TimeZone;
use mfa_crypto::Group;
use mfa_proto::ClientError;
use mfa_proto::login::LastFailure;
use mfa_proto::status::GraceTie;

use crate::clock;
use crate::failure::Failure;
use crate::table::printable;
use crate::token_file::TokenFileError;
use crate::weakness::{Place, Weakness};

pub(crate) const WARNING: &str = "warning";
pub(crate) const ASK_CURRENT: &str = "Current one-time code: ";
pub(crate) const ASK_INVITE: &str = "Invite code: ";
pub(crate) const ASK_FIRST: &str = "First code: ";
pub(crate) const ASK_CODE: &str = "One-time code: ";
pub(crate) const ASK_YES: &str = "Go on? Type yes: ";
pub(crate) const NOBODY: &str = "Nobody is known yet.";
pub(crate) const NOBODY_LIKE_THAT: &str = "Nobody is like that.";
pub(crate) const LAST_ENTRIES: &str = "The last entries of the audit trail:";
pub(crate) const NO_ENTRIES: &str = "The audit trail has no such entry.";
pub(crate) const TRAIL_IS_SHORT: &str =
    "The audit trail does not reach back so far; the journal does (journalctl -u mfa).";
pub(crate) const RESTORE_ASKS: &str = "Everybody gets what the backup has, and who enrolled since is gone. No code from before this moment \
     opens a login afterwards: recovery, bypass and invite codes are void, tokens by counter wait for `mfa \
     admin unlock`.";
pub(crate) const MORE_DAMAGED: &str = "  and more: mfa admin list --state damaged";
pub(crate) const DAMAGE_MENDED: &str =
    "`mfa admin restore` puts a backup back; `mfa admin reset USER` lets one user begin anew.";
pub(crate) const ACCEPTED: &str = "Accepted.";
pub(crate) const RELOADED: &str = "The daemon has read its configuration again.";
pub(crate) const CHECKING_GROUP: &str =
    "The daemon offers a Diffie-Hellman group of its own. Checking it takes some seconds.";
pub(crate) const CURRENT_NEEDED: &str =
    "You have a token already, so another one needs a current code of it.";
pub(crate) const WRONG_CURRENT: &str = "That code was not accepted.";
pub(crate) const INVITE_NEEDED: &str = "A first token needs an invite code, which an administrator \
                                        makes (mfa admin invite USER).";
pub(crate) const WRONG_INVITE: &str = "That invite code was not accepted.";
pub(crate) const ROTATION_DUE: &str = "The token is due for a new secret: `mfa rotate` makes one.";
pub(crate) const RECOVERY_RENEWED: &str =
    "New recovery codes; the old ones are void. Each is good once and shown once:";
pub(crate) const RECOVERY: &str =
    "Recovery codes, each good once and shown once. Keep them off this machine:";
pub(crate) const CODES_LOST: &str = "The token is active, but the daemon's answer with the recovery \
                                     codes was lost. If you have none, `mfa recovery-codes` makes new ones.";
pub(crate) const RECOVERY_STAYS: &str =
    "Recovery and scratch codes are kept as hashes only, so none are in the file.";
pub(crate) const FIRST_COUNTER_LOST: &str = "The token was never used; google_authenticator counts from 1, so the first code will be wrong there and \
     the second right.";
pub(crate) const OTHERS_READ_STDOUT: &str =
    "others can read the file that the output goes to, and recovery codes are in it";

/// What a group is, one fact a line.
pub(crate) fn group(group: &Group, generator: &str, fingerprint: &str) -> String {
    let what = match group.name() {
        Some(name) => format!("{name} of RFC 7919"),
        None => "A group of its own".to_owned(),
    };
    format!(
        "{what}: P is a safe prime of {} bits.\nG = 0x{generator} generates the subgroup of order \
         (P-1)/2.\nFingerprint: {fingerprint}",
        group.bits()
    )
}

pub(crate) fn use_params(path: &Path) -> String {
    format!(
        "To use it, write group = \"{}\" below [exchange] in mfa.toml and restart mfa-daemon, \
         which must be able to read the file.",
        printable(&path.display().to_string())
    )
}

pub(crate) fn scan(account: &str) -> String {
    format!("Add the token of {} to your authenticator: scan the code, or type", printable(account))
}

pub(crate) fn type_secret(account: &str, moves: &str) -> String {
    format!(
        "Add the token of {} to your authenticator, by hand ({moves}), with this secret:",
        printable(account)
    )
}

pub(crate) fn narrow(needed: usize, columns: usize) -> String {
    format!(
        "The QR code needs {needed} columns and this window has {columns}; widen it and begin \
         again for a picture."
    )
}

pub(crate) fn low(needed: usize, rows: usize) -> String {
    format!("The QR code needs {needed} lines and this window has {rows}; enlarge it to scan.")
}

pub(crate) fn wrong_first(tries_left: u8) -> String {
    let tries = if tries_left == 1 { "try" } else { "tries" };
    format!(
        "That is not the code of the new token. Wait for the next one; is the phone's clock right? \
         {tries_left} {tries} left."
    )
}

pub(crate) fn first_code_lost(failure: &Failure) -> String {
    format!("The answer did not arrive ({failure}). Type the code again.")
}

pub(crate) fn active(token: &str) -> String {
    format!("Token {token:?} is active.")
}

pub(crate) fn rotated(token: &str) -> String {
    format!("Token {token:?} has its new secret. The old one worked until now; remove it.")
}

pub(crate) fn saved(path: &Path) -> String {
    format!("Its address is in {}; `mfa code --token` prints its codes.", path.display())
}

pub(crate) fn failures_since(failures: u32, last: Option<&LastFailure>, zone: &TimeZone) -> String {
    let codes = if failures == 1 { "code" } else { "codes" };
    let mut line = format!("{failures} wrong {codes} since the last success");
    if let Some(last) = last {
        let moment = clock::local(last.at, zone);
        line.push_str(&match &last.from {
            Some(from) => format!(", the last from {} at {moment}", printable(from)),
            None => format!(", the last at {moment}"),
        });
    }
    line.push('.');
    line
}

pub(crate) fn recovery_left(left: u8) -> String {
    format!("Recovery codes left: {left}. `mfa recovery-codes` makes new ones.")
}

pub(crate) fn clock_of_token(offset: i64) -> String {
    format!("The authenticator's clock is {}; set it right.", ahead_or_behind(offset))
}

fn ahead_or_behind(offset: i64) -> String {
    let way = if offset < 0 { "behind" } else { "ahead" };
    format!("about {} s {way}", offset.unsigned_abs())
}

/// What a grace is tied to.
pub(crate) fn tie(tie: GraceTie) -> &'static str {
    match tie {
        GraceTie::SshKey => "ssh key",
        GraceTie::Tty => "terminal",
        GraceTie::Host => "host",
    }
}

pub(crate) fn explain_shows(user: &str) -> String {
    format!("`mfa explain {user} SERVICE` shows the policy that a login gets.")
}

pub(crate) fn grace_ended(user: &str, ended: u32) -> String {
    match ended {
        0 => format!("{user} has no grace; nothing was changed."),
        1 => format!("1 grace of {user} ended; the next login asks for a code."),
        many => format!("{many} graces of {user} ended; the next logins ask for a code."),
    }
}

pub(crate) fn bypass(user: &str, uses: u32, service: Option<&str>) -> String {
    let logins = if uses == 1 { "1 login".to_owned() } else { format!("{uses} logins") };
    let over = service.map_or_else(String::new, |service| format!(" over {}", printable(service)));
    format!("Opens {logins} of {user}{over} in place of a token's code; not shown again:")
}

pub(crate) fn invite(user: &str) -> String {
    format!("Allows {user} to enrol (mfa enroll --invite -); not shown again:")
}

pub(crate) fn issued(until: &str) -> String {
    format!("Good until {until}.")
}

pub(crate) fn revoked(name: &str, left: u8) -> String {
    match left {
        0 => format!("Token {name:?} is gone. No token is left."),
        _ => format!("Token {name:?} is gone; {left} left."),
    }
}

pub(crate) fn needs_restart(keys: &[String]) -> String {
    format!(
        "{} changed, but only a restart applies it: systemctl restart mfa.service",
        printable(&keys.join(", "))
    )
}

pub(crate) fn backed_up(file: &Path, bytes: u64) -> String {
    format!(
        "{bytes} bytes in {}. It opens with the master key only, which is not in it: keep a copy of that \
         elsewhere.",
        printable(&file.display().to_string())
    )
}

pub(crate) fn restored(users: u64) -> String {
    format!(
        "Everybody is as the backup has them ({users} in all). They log in with their next code; recovery codes are void \
         until `mfa recovery-codes` makes new ones."
    )
}

pub(crate) fn sound(users: u64) -> String {
    format!("Every record and every secret opens ({users} in all).")
}

pub(crate) fn unsound(users: u64, damaged: u64) -> String {
    format!(
        "{damaged} of {users} users are damaged; their logins are denied, all others are served:"
    )
}

pub(crate) fn unread(after: Option<&str>, before: Option<&str>) -> String {
    let who = match (after, before) {
        (Some(after), Some(before)) => {
            format!("between {} and {}", printable(after), printable(before))
        }
        (Some(after), None) => format!("after {}", printable(after)),
        (None, Some(before)) => format!("before {}", printable(before)),
        (None, None) => "of any name".to_owned(),
    };
    format!("Users {who} cannot be read and are denied.")
}

pub(crate) fn fault(fault: &str) -> String {
    format!("The file: {}", printable(fault))
}

pub(crate) fn rekeyed(users: u64) -> String {
    let are = if users == 1 { "user is" } else { "users are" };
    format!(
        "{users} {are} sealed under a new master key; the old one opens nothing here any more. Keep \
         a copy of the new one off this machine, and make a new backup: older ones need the old key."
    )
}

pub(crate) fn rekey_left(damaged: u64) -> String {
    let (users, are) = if damaged == 1 { ("user", "is") } else { ("users", "are") };
    format!(
        "{damaged} {users} could not be opened with any key and {are} denied as before; `mfa admin list \
         --state damaged` names them"
    )
}

pub(crate) fn unlocked(user: &str) -> String {
    format!("{user} may try again; failures count from zero.")
}

pub(crate) fn reset_asks(user: &str) -> String {
    format!(
        "This removes all tokens, recovery codes, bypass and invite codes of {user}. Where a PAM line \
         has nullok, the password alone then logs {user} in until a new token is made."
    )
}

pub(crate) fn reset(user: &str) -> String {
    format!(
        "{user} has no second factor any more. `mfa explain {user} SERVICE` shows what a login gets \
         now; `mfa admin invite {user}` makes a code for a new enrolment."
    )
}

pub(crate) fn damaged(user: &str) -> String {
    format!(
        "The record of {user} cannot be read, so every login is denied; the daemon's log says why. \
         `mfa admin restore` puts a backup back, `mfa admin reset {user}` removes the record."
    )
}

pub(crate) fn overwritten(missed: u64) -> String {
    format!("{missed} entries were overwritten before they could be shown; the journal has them")
}

pub(crate) fn following_without(failure: &Failure) -> String {
    format!("{failure}. Trying again until it answers")
}

pub(crate) fn weakness(found: Weakness, count: u64, first: &Place) -> String {
    let what = match found {
        Weakness::ShortSecret => "have a secret of fewer than 128 bits (RFC 4226 demands 128)",
        Weakness::ConstantSecret => "have a secret of one repeated byte, which anybody guesses",
        Weakness::LongPeriod => "have codes that stay current for longer than 30 s",
        Weakness::LastUseWithoutTime => "have a last code without its time, which may work again",
        Weakness::ReuseAllowed => "allowed a code to be used again (no DISALLOW_REUSE)",
        Weakness::NoRateLimit => "had no limit on guesses (no RATE_LIMIT)",
        Weakness::WideWindow => "accepted codes of a wide window (WINDOW_SIZE); here it is narrow",
        Weakness::FarClock => {
            "have a clock that is off by more than 10 steps (TIME_SKEW), which cannot be taken over; \
             set it right"
        }
        Weakness::Exposed => "have a file that others can read, and with it the secret",
        Weakness::UnknownOption => "have an option that is not known and was not taken over",
    };
    format!("weak: {count} {what}; the first {first}")
}

pub(crate) fn exposed(path: &Path) -> String {
    format!("others can read {}, and with it every secret in it", path.display())
}

pub(crate) fn left_out(path: &Path, problem: &str) -> String {
    format!("{}, {}; left out", printable(&path.display().to_string()), printable(problem))
}

pub(crate) fn without_token(count: u64) -> String {
    format!("{count} without a token passed over.")
}

pub(crate) fn would_import(added: u64, known: u64) -> String {
    format!(
        "{} users: {added} to be added, {known} known already. Nothing was changed (--dry-run).",
        added + known
    )
}

pub(crate) fn imported(added: u64, known: u64) -> String {
    format!("{} users: {added} added, {known} known already and left as they are.", added + known)
}

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
