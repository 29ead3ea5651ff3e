// SPDX-License-Identifier: GPL-3.0-or-later
//! The sentences that users read: what happened, why, and what to do next.

pub(crate) mod doctor;
pub(crate) mod dry_run;
pub(crate) mod explain;
mod failures;
pub(crate) mod formats;
pub(crate) mod pam;
pub(crate) mod stats;
pub(crate) mod status;

use std::path::Path;

use jiff::tz::TimeZone;
use mfa_crypto::Group;
use mfa_proto::login::LastFailure;
use mfa_proto::status::GraceTie;

use crate::clock;
use crate::failure::Failure;
use crate::table::printable;
use crate::weakness::{Place, Weakness};

pub(crate) const LONGER_THAN_A_CODE: &str = "longer than any code can be";
/// What failed with a token file.
pub(crate) const KEEP_OWNER: &str = "keep the owner of";
pub(crate) const PLAIN_FILE: &str = "a plain file";
pub(crate) const TERMINAL: &str = "a terminal";
pub(crate) const DEVICE: &str = "a device";
pub(crate) const SOMETHING_ELSE: &str = "something else";
/// As indicatif's templates are written.
pub(crate) const SEARCHING: &str = "searching {bar:40} {pos} of about {len}  {elapsed}";
pub(crate) const WARNING: &str = "warning";
pub(crate) const ASK_CURRENT: &str = "Current one-time code: ";
pub(crate) const ASK_INVITE: &str = "Invite code: ";
pub(crate) const SCAN: &str = "Scan this with an authenticator app, or type the key into it:";
pub(crate) const ASK_FIRST: &str = "The code that it shows now: ";
pub(crate) const INTERRUPTED: &str = "Interrupted; nothing was changed.";
pub(crate) const ASK_CODE: &str = "One-time code: ";
pub(crate) const ASK_YES: &str = "Go on? Type yes: ";
pub(crate) const NOBODY: &str = "Nobody is known yet.";
pub(crate) const NOBODY_LIKE_THAT: &str = "Nobody is like that.";
pub(crate) const LAST_ENTRIES: &str = "The last entries of the audit trail:";
pub(crate) const NO_ENTRIES: &str = "The audit trail has no such entry.";
pub(crate) const TRAIL_IS_SHORT: &str =
    "The audit trail does not reach back so far; the journal does (journalctl -u mfa).";
pub(crate) const RESTORE_ASKS: &str = "Everybody gets what the backup has, and who enrolled since is gone. No code from before this moment \
     opens a login afterwards: recovery, bypass and invite codes are void, tokens by counter have to be \
     made anew.";
pub(crate) const REKEY_ASKS: &str = "The daemon makes a new master key, or goes on with one that was begun. Backups from before open with \
     the old key only, so keep your copy of that with them.";
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
pub(crate) const HELD: &str = "Opens nothing since the store was put back: which of its codes were \
                               used is not known. Remove it and enrol anew.";
pub(crate) const ROTATION_DUE: &str = "The token is due for a new secret: `mfa rotate` makes one.";
pub(crate) const RECOVERY_RENEWED: &str =
    "New recovery codes; the old ones are void. Each is good once and shown once:";
pub(crate) const RECOVERY: &str =
    "Recovery codes, shown only now; each logs you in once. Keep them elsewhere:";
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

pub(crate) fn type_key(moves: &str) -> String {
    format!("Type this key into an authenticator app ({moves}):")
}

pub(crate) fn enlarge((columns, rows): (usize, usize), again: bool) -> String {
    if again {
        format!("For a QR code, enlarge the window to {columns} by {rows} and press Enter.")
    } else {
        format!("A QR code needs a window of {columns} columns.")
    }
}

pub(crate) fn wrong_first(tries_left: u8) -> String {
    let tries = if tries_left == 1 { "try" } else { "tries" };
    format!(
        "Wrong code. Wait for the next one; is the phone's clock right? {tries_left} {tries} left."
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
