// SPDX-License-Identifier: GPL-3.0-or-later
//! What the modules of the distributions do in an `auth` stack, as far as it matters whether somebody has
//! proved to be who he says.

use super::MODULE;
use super::control::Code;
use super::read::Line;

/// What the success of a line says about the person.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// The code.
    Mfa,
    /// Something that only the person knows, has or is: a password, a key, a finger. So is what is not
    /// known here.
    Proof,
    /// Only that a condition holds: a group, a host, a time.
    Condition,
    /// Nothing.
    Nothing,
}

/// Conditions.
const CONDITIONS: [&str; 12] = [
    "pam_succeed_if.so",
    "pam_localuser.so",
    "pam_usertype.so",
    "pam_listfile.so",
    "pam_access.so",
    "pam_time.so",
    "pam_wheel.so",
    "pam_group.so",
    "pam_exec.so",
    "pam_rhosts.so",
    "pam_securetty.so",
    "pam_timestamp.so",
];

/// Modules that prepare, limit, warn or carry on what another one has proved.
const NOTHING: [&str; 30] = [
    "pam_permit.so",
    "pam_deny.so",
    "pam_rootok.so",
    "pam_env.so",
    "pam_faildelay.so",
    "pam_faillock.so",
    "pam_tally2.so",
    "pam_nologin.so",
    "pam_shells.so",
    "pam_issue.so",
    "pam_motd.so",
    "pam_echo.so",
    "pam_warn.so",
    "pam_debug.so",
    "pam_cap.so",
    "pam_keyinit.so",
    "pam_limits.so",
    "pam_lastlog.so",
    "pam_loginuid.so",
    "pam_mail.so",
    "pam_namespace.so",
    "pam_selinux.so",
    "pam_sepermit.so",
    "pam_umask.so",
    "pam_gnome_keyring.so",
    "pam_kwallet5.so",
    "pam_kwallet.so",
    "pam_ecryptfs.so",
    "pam_mount.so",
    "pam_systemd.so",
];

/// What the module returns where it does not let somebody in: a wrong code, too many, no daemon, no
/// conversation, a bad option, a panic, a file that is missing.
pub(super) const DENIALS: [Code; 8] = [
    Code::AUTH_ERR,
    Code::MAXTRIES,
    Code::AUTHINFO_UNAVAIL,
    Code::CONV_ERR,
    Code::SERVICE_ERR,
    Code::USER_UNKNOWN,
    Code::ABORT,
    Code::MODULE_UNKNOWN,
];

pub(crate) fn role(line: &Line) -> Role {
    let among = |names: &[&str]| names.iter().any(|name| line.is(name));
    match () {
        () if line.is(MODULE) => Role::Mfa,
        () if among(&CONDITIONS) => Role::Condition,
        () if among(&NOTHING) => Role::Nothing,
        () => Role::Proof,
    }
}

/// What a line may return, as far as the stack could tell it apart.
pub(super) fn codes(line: &Line) -> Vec<Code> {
    match role(line) {
        Role::Mfa => {
            let mut codes = vec![Code::SUCCESS, Code::IGNORE];
            codes.extend(DENIALS);
            codes
        }
        Role::Nothing if line.is("pam_permit.so") => vec![Code::SUCCESS],
        // Root who becomes somebody else proves nothing anew, with or without a code; he is not looked at.
        Role::Nothing if line.is("pam_deny.so") || line.is("pam_rootok.so") => vec![Code::AUTH_ERR],
        Role::Nothing if line.is("pam_warn.so") => vec![Code::IGNORE],
        // A proof that does not count is none.
        Role::Proof => vec![Code::SUCCESS, Code::AUTH_ERR, Code::USER_UNKNOWN],
        Role::Condition | Role::Nothing => {
            vec![Code::SUCCESS, Code::AUTH_ERR, Code::IGNORE, Code::USER_UNKNOWN]
        }
    }
}
