// SPDX-License-Identifier: GPL-3.0-or-later
//! What `mfa doctor` says: what each finding means for a login, what there is, what mends it.

mod found;

use std::path::Path;

pub(crate) use found::*;

use crate::commands::doctor::{Check, Mend};
use crate::table::printable;

/// What a finding means for a login. Not for those that are as they should be.
pub(crate) fn meaning(check: Check) -> &'static str {
    match check {
        Check::PamNowhere => "No login asks for a code.",
        Check::PamUnreadable => "PAM denies every login over it.",
        Check::PamOpen => "Anybody logs in, with neither password nor code.",
        Check::PamSkipped => "Who passes that line logs in without a code.",
        Check::PamNotHeld => {
            "A wrong code, or a daemon that cannot be asked, does not deny the login."
        }
        Check::PamCodeAlone => "A code alone logs in: nothing has to prove who it is.",
        Check::PamNothingAlone => "Whom the module does not ask logs in with nothing at all.",
        Check::PamNobodyIn => "Nobody logs in, not even with a right code.",
        Check::PamOption | Check::ModuleMissing | Check::ModuleUnloadable => {
            "Every login over it is denied."
        }
        Check::PamObserve => "Wrong codes are logged, and nobody is denied.",
        Check::PamEnrollNoPassword => "Who must enrol is denied.",
        Check::SshdInvalid => "sshd does not start again, and a reload changes nothing.",
        Check::SshdNoPam => "ssh never reaches the module: a password or a key alone logs in.",
        Check::SshdNoDialogue => {
            "sshd cannot ask for a code: with a password nobody who has a token gets in."
        }
        Check::SshdCodeAlone => {
            "A code alone logs in over ssh: neither key nor password is asked for."
        }
        Check::SocketMissing | Check::DaemonUnreachable => {
            "No code can be checked: logins that need one are denied."
        }
        Check::SocketWritable | Check::SocketOwner => {
            "Somebody else could listen there, so the module asks nobody and denies."
        }
        Check::SocketOther => {
            "The module finds no daemon there: logins that need a code are denied."
        }
        Check::DaemonUntrusted => {
            "The module does not tell it any code: logins that need one are denied."
        }
        Check::DaemonCannotDecide => "Logins that need a code are denied until it can.",
        Check::ConfigurationInvalid => {
            "The daemon goes on with what it read before, and does not start again."
        }
        Check::ClockEarly => "Every code is wrong, and the daemon refuses them all.",
        Check::FileWritable => "Who can write it decides what a login needs.",
        Check::FileOwner => "Its owner decides what a login needs, or the daemon cannot use it.",
        Check::FileReadable => "Others can read what codes are made from.",
        Check::KeyMissing => "The daemon does not start again: nobody's secret can be opened.",
        Check::StoreMissing => "The daemon does not start again: nobody's token is known.",
        Check::PamTwice => "A login is asked twice and needs two different codes.",
        Check::PamUnavailable => {
            "While the daemon cannot be asked, everybody gets in without a code."
        }
        Check::PamEnrollNoAccount | Check::PamEnrollSkipped => {
            "Nobody is made to enrol in the login."
        }
        Check::SshdKeyAlone => "A key logs in without a code.",
        Check::SshdHostbasedAlone => "Another host's word logs in without a code.",
        Check::SshdGssapiAlone => "A Kerberos ticket logs in without a code.",
        Check::SshdEmptyPasswords => "An account without a password needs the code alone.",
        Check::SshdPasswordMethod => {
            "sshd gives the password as the answer to the question for a code: whoever has a token is denied \
             that way, and has to wait for the next question."
        }
        Check::SshdShortGrace => "The connection may end before a code has come and been typed.",
        Check::SshdFewTries => {
            "Keys that are offered and a slip use the attempts up before a right code."
        }
        Check::RuleObserve => "Logins that it matches are never denied, whatever the code.",
        Check::RuleUnavailable => {
            "While nothing can be decided, such logins get in without a code."
        }
        Check::RuleNoService => "The rule meets no login of that service.",
        Check::ClockUnsynchronised => "Right codes are refused once it has drifted by a minute.",
        Check::VersionDaemon | Check::VersionModule => {
            "Logins go on, but what one of them knows the other may not."
        }
        Check::LabelWrong => "Confined programs may not use it: their logins are denied.",
        Check::UsersNone => {
            "Where the line says nullok, no login needs a code; elsewhere all are denied."
        }
        Check::UserLocked => "No code of theirs is checked.",
        Check::UserHeld => "None of their codes opens a login.",
        Check::UserExpired => "Their logins are denied: the day to enrol by has passed.",
        Check::UserRotation => "The token works; the policy wants a new secret.",
        Check::PamNoCode => "They ask for no code.",
        Check::PamNullok => "Who has no token gets in without a code.",
        Check::PamExemptGroup => "Its members get in without a code.",
        Check::PamCondition => "Who meets the condition gets in without a code.",
        Check::PamOtherSocket => "Its logins are decided by a daemon that was not looked at.",
        Check::PamUnusedFile => "PAM reads it for no program; its line protects nothing.",
        Check::RuleExempt => "Logins that it matches get in without a code until then.",
        Check::RuleEnded => "The rule exempts nobody any more.",
        Check::SshdRootDenied => "root gets in neither by key nor by password.",
        Check::SudoNoPassword | Check::SudoNoAuthentication => {
            "sudo asks PAM nothing there, so it asks for no code."
        }
        Check::SudoTimestamp => "So long after a success sudo asks for nothing again.",
        Check::UserNoToken => {
            "They get in without a code where the line says nullok, and are denied elsewhere."
        }
        Check::NotLookedAt => "Nothing is known about it.",
        Check::PamAsks
        | Check::SshdAsks
        | Check::SocketSafe
        | Check::DaemonAnswers
        | Check::ConfigurationValid
        | Check::ClockSynchronised
        | Check::FilesSafe
        | Check::VersionsSame
        | Check::UserEnrolled => "As it should be.",
    }
}

/// What mends such a finding, where it stands, in one line.
pub(crate) fn mend(mend: &Mend) -> String {
    match mend_in_parts(mend) {
        (what, Some(line)) => format!("{what}: {line}"),
        (what, None) => what,
    }
}

/// The same, and apart from it the line that is written.
pub(crate) fn mend_in_parts(mend: &Mend) -> (String, Option<&str>) {
    match mend {
        Mend::Command(text) | Mend::Advice(text) => (text.clone(), None),
        Mend::Replace { file, line, text } => {
            (format!("{} line {line} becomes", file.display()), Some(text))
        }
        Mend::Before { file, line, text } => {
            (format!("{} before line {line}", file.display()), Some(text))
        }
        Mend::Remove { file, line } => (format!("{} line {line} goes", file.display()), None),
        Mend::Add { file, text } => (format!("add to {}", file.display()), Some(text)),
    }
}

/// The last line for people.
pub(crate) fn summary(critical: usize, warnings: usize, notes: usize) -> String {
    let count = |number: usize, one: &str, many: &str| match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {many}"),
    };
    if critical + warnings + notes == 0 {
        return "Nothing to mend.".to_owned();
    }
    let parts = [
        (critical, count(critical, "critical finding", "critical findings")),
        (warnings, count(warnings, "warning", "warnings")),
        (notes, count(notes, "note", "notes")),
    ];
    let there: Vec<String> =
        parts.into_iter().filter(|(number, _)| *number > 0).map(|(_, text)| text).collect();
    format!("{}.", there.join(", "))
}

pub(crate) const EXPLAINED: &str =
    "Identifiers and what mends them: /usr/share/doc/mfa/operations/doctor.md";

/// For `--ignore`.
pub(crate) fn no_such_id() -> &'static str {
    "no finding has this identifier; docs/operations/doctor.md lists them"
}

fn at(path: &Path) -> String {
    printable(&path.display().to_string())
}
