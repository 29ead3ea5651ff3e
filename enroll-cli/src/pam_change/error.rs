// SPDX-License-Identifier: GPL-3.0-or-later
//! Why PAM was not changed. The sentences are in `messages/pam.rs`.

use std::io;
use std::path::{Path, PathBuf};

use crate::failure::Exit;
use crate::pam_edit::NoPlace;

/// Why PAM was not changed.
#[derive(Debug)]
pub(crate) enum PamError {
    NotRoot,
    /// There is no such file; the one that PAM uses instead.
    NoService {
        service: String,
        instead: Option<PathBuf>,
    },
    /// The file of all services is the distribution's tool's.
    OfAllServices(String),
    /// Neither a file nor a link to one.
    NotAFile(PathBuf),
    /// A link to a file that belongs to a package.
    OfAPackage(PathBuf),
    /// The file has other names, which a new file would not have.
    HardLinked(PathBuf),
    Io {
        path: PathBuf,
        error: io::Error,
    },
    NoPlace {
        service: String,
        why: NoPlace,
    },
    /// PAM cannot read the stack.
    Stack(String),
    /// A login could do without the code.
    Flawed {
        service: String,
        flaws: Vec<String>,
    },
    /// It waits to be confirmed already.
    IsArmed(String),
    NoModule(Vec<PathBuf>),
    /// The module is for another machine, or no module.
    ModuleUnfit(PathBuf),
    NobodyEnrolled,
    CallerNotEnrolled(String),
    /// sshd would not ask.
    Sshd(Vec<String>),
    NoSystemd,
    /// Nothing waits for the end of the time.
    Unwatched,
    /// Somebody else changed the file since it was shown.
    ChangedMeanwhile(PathBuf),
    /// Another `mfa pam` is at work.
    Busy,
    /// None of these waits, or none at all.
    NothingArmed(Vec<String>),
    /// The service is another name of a file that is to be changed already.
    SameFile(String, PathBuf),
    /// A line behind ours takes the password that ours asks for.
    FeedsAnother(PathBuf),
    /// Its own file has no line of the module; where it comes from.
    NotInItsFile {
        service: String,
        asked_in: Option<String>,
    },
    /// Some could not be taken back.
    NotReverted(Vec<String>),
}

impl PamError {
    pub(crate) fn io(path: &Path, error: io::Error) -> Self {
        Self::Io { path: path.to_owned(), error }
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::NotRoot => Exit::NotPermitted,
            _ => Exit::Refused,
        }
    }
}
