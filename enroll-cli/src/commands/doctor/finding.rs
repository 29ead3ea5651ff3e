// SPDX-License-Identifier: GPL-3.0-or-later
//! What a look at the machine comes to: each finding with its identifier, its severity and what mends it.

use std::path::PathBuf;

use serde::Serialize;

use crate::messages::doctor as messages;

/// How much a finding matters. The worst comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Severity {
    /// Logins can do without a code, or those with a right one are denied.
    Critical,
    /// Some logins can do without a code, or may soon be denied.
    Warning,
    /// A choice that lets logins do without a code, or something that was not looked at.
    Note,
    /// As it should be.
    Ok,
}

impl Severity {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Note => "note",
            Self::Ok => "ok",
        }
    }
}

/// Makes the enum of everything that is looked for, its identifiers and severities.
macro_rules! checks {
    ($($severity:ident { $($name:ident = $id:literal,)* })*) => {
        /// What is looked for.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum Check { $($($name,)*)* }

        impl Check {
            /// All of them, the worst first.
            #[cfg(test)]
            pub(super) const ALL: &[Self] = &[$($(Self::$name,)*)*];

            /// For programs; documented in `docs/operations/doctor.md`, and stable.
            pub(crate) fn id(self) -> &'static str {
                match self { $($(Self::$name => $id,)*)* }
            }

            pub(super) fn severity(self) -> Severity {
                match self { $($(Self::$name => Severity::$severity,)*)* }
            }

            /// The one with this identifier.
            pub(crate) fn named(id: &str) -> Option<Self> {
                match id { $($($id => Some(Self::$name),)*)* _ => None }
            }
        }
    };
}

checks! {
    Critical {
        PamNowhere = "pam.nowhere",
        PamUnreadable = "pam.unreadable",
        PamOpen = "pam.open",
        PamSkipped = "pam.skipped",
        PamNotHeld = "pam.not-held",
        PamCodeAlone = "pam.code-alone",
        PamNothingAlone = "pam.nothing-alone",
        PamNobodyIn = "pam.nobody-in",
        PamOption = "pam.option",
        PamObserve = "pam.observe",
        PamEnrollNoPassword = "pam.enroll-no-password",
        ModuleMissing = "module.missing",
        ModuleUnloadable = "module.unloadable",
        SshdInvalid = "sshd.invalid",
        SshdNoPam = "sshd.no-pam",
        SshdNoDialogue = "sshd.no-dialogue",
        SshdCodeAlone = "sshd.code-alone",
        SocketMissing = "socket.missing",
        SocketWritable = "socket.writable",
        SocketOwner = "socket.owner",
        SocketOther = "socket.other",
        DaemonUnreachable = "daemon.unreachable",
        DaemonUntrusted = "daemon.untrusted",
        DaemonCannotDecide = "daemon.cannot-decide",
        ConfigurationInvalid = "configuration.invalid",
        ClockEarly = "clock.early",
        FileWritable = "file.writable",
        FileOwner = "file.owner",
        FileReadable = "file.readable",
        KeyMissing = "file.key-missing",
        StoreMissing = "file.store-missing",
    }
    Warning {
        PamTwice = "pam.twice",
        PamUnavailable = "pam.unavailable",
        PamEnrollNoAccount = "pam.enroll-no-account",
        PamEnrollSkipped = "pam.enroll-skipped",
        SshdKeyAlone = "sshd.key-alone",
        SshdHostbasedAlone = "sshd.hostbased-alone",
        SshdGssapiAlone = "sshd.gssapi-alone",
        SshdEmptyPasswords = "sshd.empty-passwords",
        SshdPasswordMethod = "sshd.password-method",
        SshdShortGrace = "sshd.short-grace",
        SshdFewTries = "sshd.few-tries",
        RuleObserve = "rule.observe",
        RuleUnavailable = "rule.unavailable",
        RuleNoService = "rule.no-service",
        ClockUnsynchronised = "clock.unsynchronised",
        VersionDaemon = "version.daemon",
        VersionModule = "version.module",
        LabelWrong = "selinux.label",
        UsersNone = "users.none",
        UserLocked = "user.locked",
        UserHeld = "user.held",
        UserExpired = "user.expired",
        UserRotation = "user.rotation-due",
    }
    Note {
        PamNoCode = "pam.no-code",
        PamNullok = "pam.nullok",
        PamExemptGroup = "pam.exempt-group",
        PamCondition = "pam.condition",
        PamOtherSocket = "pam.other-socket",
        PamUnusedFile = "pam.unused-file",
        RuleExempt = "rule.exempt",
        RuleEnded = "rule.ended",
        SshdRootDenied = "sshd.root-denied",
        SudoNoPassword = "sudo.no-password",
        SudoNoAuthentication = "sudo.no-authentication",
        SudoTimestamp = "sudo.timestamp",
        UserNoToken = "user.no-token",
        NotLookedAt = "not-looked-at",
    }
    Ok {
        PamAsks = "pam.asks",
        SshdAsks = "sshd.asks",
        SocketSafe = "socket.safe",
        DaemonAnswers = "daemon.answers",
        ConfigurationValid = "configuration.valid",
        ClockSynchronised = "clock.synchronised",
        FilesSafe = "file.safe",
        VersionsSame = "version.same",
        UserEnrolled = "user.enrolled",
    }
}

/// What is done about a finding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Mend {
    /// For root's shell.
    Command(String),
    /// A line of a file is replaced.
    Replace { file: PathBuf, line: usize, text: String },
    /// A line comes before one that is there.
    Before { file: PathBuf, line: usize, text: String },
    /// A line goes.
    Remove { file: PathBuf, line: usize },
    /// A line is added to a file, which is made where it is missing.
    Add { file: PathBuf, text: String },
    /// What no line can mend.
    Advice(String),
}

/// One thing that was found.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub(super) check: Check,
    /// Of whom or what: services, files, users.
    pub(super) subjects: Vec<String>,
    /// What is there.
    pub(super) finding: String,
    /// The steps that mend it, in their order.
    pub(super) mends: Vec<Mend>,
}

/// A finding as programs read it.
#[derive(Serialize)]
pub(super) struct Object<'a> {
    severity: Severity,
    id: &'static str,
    subject: String,
    finding: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    meaning: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
}

impl Finding {
    pub(super) fn new(check: Check, subject: &str, finding: String) -> Self {
        Self { check, subjects: vec![subject.to_owned()], finding, mends: Vec::new() }
    }

    pub(super) fn mended(mut self, mend: Mend) -> Self {
        self.mends.push(mend);
        self
    }

    pub(super) fn mended_by_all(mut self, mends: impl IntoIterator<Item = Mend>) -> Self {
        self.mends.extend(mends);
        self
    }

    pub(super) fn severity(&self) -> Severity {
        self.check.severity()
    }

    pub(super) fn subject(&self) -> String {
        self.subjects.join(", ")
    }

    /// What it means for a login; nothing where all is well.
    pub(super) fn meaning(&self) -> Option<&'static str> {
        (self.severity() != Severity::Ok).then(|| messages::meaning(self.check))
    }

    pub(super) fn object(&self) -> Object<'_> {
        let mends: Vec<String> = self.mends.iter().map(messages::mend).collect();
        Object {
            severity: self.severity(),
            id: self.check.id(),
            subject: self.subject(),
            finding: &self.finding,
            meaning: self.meaning(),
            mend: (!mends.is_empty()).then(|| mends.join("\n")),
        }
    }
}

/// The same finding of several subjects is one; the worst comes first, and what was found first among
/// equals.
pub(super) fn in_order(findings: Vec<Finding>) -> Vec<Finding> {
    let mut merged: Vec<Finding> = Vec::new();
    for finding in findings {
        let same = merged.iter_mut().find(|before| {
            before.check == finding.check
                && before.finding == finding.finding
                && before.mends == finding.mends
        });
        match same {
            Some(before) => {
                for subject in finding.subjects {
                    if !before.subjects.contains(&subject) {
                        before.subjects.push(subject);
                    }
                }
            }
            None => merged.push(finding),
        }
    }
    merged.sort_by_key(Finding::severity);
    merged
}
