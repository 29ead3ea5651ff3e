// SPDX-License-Identifier: GPL-3.0-or-later
//! What `mfa pam` says.

use std::fmt;
use std::path::Path;

use crate::arguments::NoService;
use crate::duration;
use crate::pam_change::{PamError, Settled};
use crate::pam_edit::NoPlace;
use crate::pam_stack::{Flaw, MODULE};
use crate::table::printable;

pub(crate) const ENABLE_ASKS: &str = "Keep this shell open, and try each service in another one.";
pub(crate) const DISABLE_ASKS: &str = "These lines go, and with them the question for a code.";
pub(crate) const NOTHING_TO_DISABLE: &str =
    "Nothing that `mfa pam enable` wrote is there; nothing was changed.";
pub(crate) const NO_SERVICE_ASKS: &str =
    "No service asks for a code. `mfa pam enable sshd sudo` has two of them ask, with a way back.";
pub(crate) const NOTHING_LEFT: &str = "Nothing waits for a login any more.";
pub(crate) const RECORD_BROKEN: &str =
    "its record cannot be read; every line of pam_mfa.so goes out of the file";
pub(crate) const KEYS_ALONE: &str = "Who logs in over ssh with a key is asked for no code, and such a login confirms nothing; \
     `AuthenticationMethods publickey,keyboard-interactive` in sshd_config asks for both.";
pub(crate) const LINE_NOT_READ: &str =
    "PAM would not read the line: an earlier one goes on over it";
pub(crate) const REBOOT: &str =
    "A reboot takes back what is not confirmed. `mfa pam keep` confirms it at once.";

fn path(path: &Path) -> String {
    printable(&path.display().to_string())
}

pub(crate) fn flaw(flaw: &Flaw) -> String {
    match flaw {
        Flaw::Skipped(line) | Flaw::Open(line) => format!(
            "`{}` ({}) ends the stack or jumps over {MODULE}: its success needs no code",
            printable(&line.text),
            printable(&line.place())
        ),
        Flaw::NotHeld(line) => format!(
            "`{}` ({}): a wrong code does not deny the login",
            printable(&line.text),
            printable(&line.place())
        ),
        Flaw::CodeAlone(line) | Flaw::NothingAlone(line) => format!(
            "`{}` ({}): nothing else asks for anything",
            printable(&line.text),
            printable(&line.place())
        ),
        Flaw::Twice(line) => {
            format!(
                "{}: a login would be asked twice, each time for another code",
                printable(&line.place())
            )
        }
        Flaw::NobodyIn => "nobody would get in, not even with a right code".to_owned(),
        Flaw::Option { line, option } => format!(
            "{}: the module does not take {:?} and denies every login",
            printable(&line.place()),
            printable(option)
        ),
    }
}

pub(crate) fn is_asking(service: &str, place: &str) -> String {
    format!("{service} asks for a code already ({}); nothing was changed.", printable(place))
}

pub(crate) fn asks_through_another(service: &str) -> String {
    format!(
        "{service} asks for a code through another of these services; its own file stays as it is."
    )
}

/// `sudo -i` and `su -`.
pub(crate) fn another_service(service: &str, login: &str) -> String {
    format!(
        "a login shell by {service} is the service {login}, which asks for no code: `mfa pam enable {login}`"
    )
}

pub(crate) fn turned(service: &str) -> String {
    format!(
        "{service}: include becomes substack, since a right password in there would end the whole stack \
         before the code."
    )
}

pub(crate) fn linked(service: &str, file: &Path) -> String {
    format!("{service} is a link to {}; that file is changed.", path(file))
}

pub(crate) fn caller_without_token(user: &str) -> String {
    format!("{user} has no token, so a login of {user} asks for no code and confirms nothing")
}

pub(crate) fn flawed_all_the_same(flaw: &str) -> String {
    format!("{flaw} (--force)")
}

pub(crate) fn armed(service: &str, seconds: u64, until: &str) -> String {
    format!(
        "{service} asks for a code. It is as before again at {until} ({}), unless somebody logs in through \
         {service} with a code until then.",
        duration::words(seconds)
    )
}

pub(crate) fn enabled_for_good(service: &str) -> String {
    format!("{service} asks for a code. `mfa pam disable {service}` takes it back.")
}

pub(crate) fn kept(service: &str) -> String {
    format!("{service} is kept: it asks for a code from now on.")
}

pub(crate) fn confirmed(service: &str, user: &str) -> String {
    format!("{service} is kept: {} logged in with a code.", printable(user))
}

pub(crate) fn unconfirmed(service: &str) -> String {
    format!("nobody logged in through {service} with a code in time, so it is taken back")
}

pub(crate) fn settled(service: &str, settled: Settled) -> String {
    match settled {
        Settled::AsBefore => format!("{service} is as before and asks for no code."),
        Settled::LineRemoved => format!(
            "{service} asks for no code. Its file was changed by somebody else in the meantime, and that \
             change stays."
        ),
        Settled::CommentedOut => format!(
            "{service} asks for no code. There was no room on the disk for another file, so the line is a \
             comment now; delete it once there is."
        ),
        Settled::NothingThere => {
            format!("{service} has no line of {MODULE} any more; nothing was changed.")
        }
    }
}

pub(crate) fn disabled(service: &str, settled: Settled, was_enabled: bool) -> String {
    if settled == Settled::LineRemoved && !was_enabled {
        return format!("{service} asks for no code any more; the rest of its file is as it was.");
    }
    self::settled(service, settled)
}

pub(crate) fn not_reverted(service: &str, error: &PamError) -> String {
    format!("{service} CANNOT BE TAKEN BACK AND STILL ASKS FOR A CODE: {error}. Trying again")
}

pub(crate) fn still_asking(service: &str, place: &str) -> String {
    format!("{service} still asks for a code: {}", printable(place))
}

pub(crate) fn disable_others(others: &[String]) -> String {
    format!(
        "these have lines of {MODULE} that somebody else wrote: {0}. `mfa pam disable {0}` takes them out",
        others.join(" ")
    )
}

pub(crate) fn without_daemon(error: &str) -> String {
    format!("whether somebody has logged in is not known: {error}")
}

pub(crate) fn sshd_setting(keyword: &str, place: Option<&str>) -> String {
    let place = place.map_or_else(String::new, |place| format!(" ({})", printable(place)));
    match keyword {
        "usepam" => {
            format!("sshd does not use PAM{place}: it would not ask for a code. Set `UsePAM yes`")
        }
        _ => format!(
            "sshd has KbdInteractiveAuthentication no{place}: it would hold the password for the code and \
             deny who has a token. Set `KbdInteractiveAuthentication yes`"
        ),
    }
}

pub(crate) fn sshd_methods(methods: &str, place: Option<&str>) -> String {
    let place = place.map_or_else(String::new, |place| format!(" ({})", printable(place)));
    format!(
        "sshd has AuthenticationMethods {}{place}, without keyboard-interactive: it would not ask for a code, \
         or hold the password for it. Set `AuthenticationMethods publickey,keyboard-interactive`, for example",
        printable(methods)
    )
}

pub(crate) fn sshd_unknown(error: &str) -> String {
    format!("sshd's settings cannot be read, so whether it asks is not known: {}", printable(error))
}

pub(crate) fn state(word: &str, left: Option<u64>) -> String {
    match (word, left) {
        ("armed", Some(left)) => format!("waits for a login, {} left", duration::words(left)),
        ("armed", None) => "is being taken back".to_owned(),
        ("kept", _) => "enabled".to_owned(),
        ("missing", _) => "enabled, but its line is gone".to_owned(),
        ("by_hand", _) => "by hand".to_owned(),
        _ => "through another file".to_owned(),
    }
}

impl fmt::Display for NoService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the name of a file in /etc/pam.d")
    }
}

impl fmt::Display for PamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRoot => f.write_str("only root changes PAM; run it with sudo"),
            Self::NoService { service, instead: None } => write!(
                f,
                "there is no service {service} in /etc/pam.d; `ls /etc/pam.d` lists them"
            ),
            Self::NoService { service, instead: Some(file) } => write!(
                f,
                "{service} is in {0}, which belongs to a package. To change it, first: cp {0} /etc/pam.d/",
                path(file)
            ),
            Self::OfAllServices(name) => write!(
                f,
                "{name} serves all services and is written by the distribution's tool: `pam-auth-update \
                 --enable mfa` on Debian, `authselect enable-feature with-mfa` on Fedora. Here, name the \
                 services, such as sshd and sudo"
            ),
            Self::NotAFile(file) => {
                write!(f, "{} is no file that PAM reads; nothing was changed", path(file))
            }
            Self::OfAPackage(file) => write!(
                f,
                "the service is a link to {}, which belongs to a package and would be overwritten by its \
                 next upgrade; put a copy into /etc/pam.d first",
                path(file)
            ),
            Self::HardLinked(file) => write!(
                f,
                "{} has other names (hard links), which would keep the old lines; make them one first",
                path(file)
            ),
            Self::Io { path: file, error } => write!(f, "{}: {error}", path(file)),
            Self::NoPlace { service, why } => no_place(f, service, why),
            Self::Stack(error) => {
                write!(f, "{}; PAM denies such logins. Mend it first", printable(error))
            }
            Self::Flawed { service, flaws } => write!(
                f,
                "with the line, {service} would be wrong: {}. Nothing was changed; mend that, or go on with \
                 --force",
                flaws.join("; ")
            ),
            Self::IsArmed(service) => write!(
                f,
                "{service} waits for a login already: `mfa pam status` shows until when, `mfa pam keep` \
                 keeps it, `mfa pam revert` takes it back"
            ),
            Self::NoModule(directories) => write!(
                f,
                "{MODULE} is not where PAM looks ({}), and with its line every login would be denied; \
                 install the package of mfa",
                directories.iter().map(|directory| path(directory)).collect::<Vec<_>>().join(", ")
            ),
            Self::ModuleUnfit(file) => write!(
                f,
                "{} is no module for this machine, and with its line every login would be denied; install \
                 the package of mfa for this architecture",
                path(file)
            ),
            Self::NobodyEnrolled => f.write_str(
                "nobody has a token, so no login could show that it works. `mfa enroll` makes one; --force \
                 goes on without",
            ),
            Self::CallerNotEnrolled(user) => write!(
                f,
                "{user} has no token and would be locked out by --required. `mfa enroll` makes one; --force \
                 goes on without"
            ),
            Self::Sshd(reasons) => write!(
                f,
                "{}. Nothing was changed; then `systemctl reload ssh` (sshd on Fedora) and run it again, or \
                 go on with --force",
                reasons.join("; ")
            ),
            Self::NoSystemd => f.write_str(
                "without systemd nothing would take the change back in time; --keep enables it for good. \
                 Nothing was changed",
            ),
            Self::Unwatched => f.write_str(
                "mfa-pam-revert.service is not enabled or does not run, so nothing would take the change back in time; \
                 `journalctl -u mfa-pam-revert` says why. Nothing was changed",
            ),
            Self::ChangedMeanwhile(file) => write!(
                f,
                "{} was changed since it was shown; nothing was changed here. Run it again",
                path(file)
            ),
            Self::Busy => f.write_str("another `mfa pam` is at work; try again"),
            Self::NothingArmed(services) if services.is_empty() => f.write_str(
                "nothing waits for a login: it was confirmed or taken back. `mfa pam status` shows what asks \
                 for a code",
            ),
            Self::NothingArmed(services) => write!(
                f,
                "{} waits for no login: it was confirmed or taken back, or never enabled. `mfa pam status` \
                 shows what asks for a code",
                services.join(" ")
            ),
            Self::SameFile(service, file) => write!(
                f,
                "{service} is another name of {}, which is changed already for a service named before; name \
                 one of them. Nothing was changed",
                path(file)
            ),
            Self::FeedsAnother(file) => write!(
                f,
                "in {} a line behind {MODULE} has use_first_pass and takes the password that {MODULE} asks for; \
                 without it nobody would be asked for one. Take the line out by hand, and use_first_pass with it",
                path(file)
            ),
            Self::NotInItsFile { service, asked_in: Some(place) } => write!(
                f,
                "the line by which {service} asks for a code is not in its own file but in {}; where that is \
                 common-auth: pam-auth-update --package --remove mfa",
                printable(place)
            ),
            Self::NotInItsFile { service, asked_in: None } => {
                write!(f, "{service} asks for no code; nothing was changed")
            }
            Self::NotReverted(services) => write!(
                f,
                "{} could not be taken back; take the line with {MODULE} out of the file by hand",
                services.join(", ")
            ),
        }
    }
}

fn no_place(f: &mut fmt::Formatter<'_>, service: &str, why: &NoPlace) -> fmt::Result {
    match why {
        NoPlace::NoPassword => write!(
            f,
            "no line of {service} asks for a password, so where the code belongs is not known; put `auth \
             required {MODULE}` there by hand"
        ),
        NoPlace::JumpedOver => write!(
            f,
            "jumps of {service}'s lines pass over every place behind the password, and one more line would \
             change where they end; put `auth required {MODULE}` there by hand"
        ),
        NoPlace::Unreadable(file) => write!(
            f,
            "{service} includes {}, which cannot be read; PAM denies such logins. Mend it first",
            printable(file)
        ),
    }
}
