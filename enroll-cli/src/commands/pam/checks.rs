// SPDX-License-Identifier: GPL-3.0-or-later
//! What must be well before a login may depend on it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use mfa_proto::UserName;

use super::enable::Machine;
use crate::arguments::Enable;
use crate::daemon::PATIENCE;
use crate::failure::Failure;
use crate::pam_change::PamError;
use crate::pam_stack::{MODULE, module_directories};

/// The bytes of an ELF file that say for which machine it is: class and byte order, kind, machine.
const ELF_HEADER: usize = 20;

/// The module is there, and for this machine.
pub(super) fn module(root: &Path) -> Result<(), PamError> {
    let directories = module_directories(root);
    let found: Vec<PathBuf> = directories
        .iter()
        .map(|directory| directory.join(MODULE))
        .filter(|path| path.is_file())
        .collect();
    let own = machine_of(Path::new("/proc/self/exe"));
    match found.first() {
        None => Err(PamError::NoModule(directories)),
        Some(_) if found.iter().any(|path| own.is_some() && machine_of(path) == own) => Ok(()),
        Some(first) => Err(PamError::ModuleUnfit(first.clone())),
    }
}

/// Class and byte order, and the machine.
fn machine_of(path: &Path) -> Option<([u8; 2], [u8; 2])> {
    let mut header = [0; ELF_HEADER];
    File::open(path).ok()?.read_exact(&mut header).ok()?;
    let [0x7f, b'E', b'L', b'F', class, order, .., machine_0, machine_1] = header else {
        return None;
    };
    Some(([class, order], [machine_0, machine_1]))
}

/// The daemon answers, and somebody can log in with a code. Returns a caller who cannot.
pub(super) fn tokens(enable: &Enable, machine: &Machine<'_>) -> Result<Option<String>, Failure> {
    let stats = machine.daemon.connect()?.stats(PATIENCE)?;
    if stats.enrolled == 0 && !enable.force {
        return Err(PamError::NobodyEnrolled.into());
    }
    let caller = caller();
    let has_token = match UserName::new(caller.clone()) {
        Ok(user) => !machine.daemon.status(&user)?.tokens.is_empty(),
        Err(_) => false,
    };
    match has_token {
        true => Ok(None),
        false if enable.required && !enable.force => {
            Err(PamError::CallerNotEnrolled(caller).into())
        }
        false => Ok(Some(caller)),
    }
}

/// Who is behind root. Only for the advice: anybody can set the variable, and gains nothing by it.
fn caller() -> String {
    std::env::var("SUDO_USER").ok().filter(|user| !user.is_empty()).unwrap_or("root".to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_module_is_taken_where_it_is_for_this_machine() {
        let root = tempfile::tempdir().unwrap();
        let security = root.path().join("usr/lib/x86_64-linux-gnu/security");
        fs::create_dir_all(&security).unwrap();
        assert!(matches!(module(root.path()), Err(PamError::NoModule(_))));
        let path = security.join(MODULE);
        let mut program = fs::read("/proc/self/exe").unwrap()[..64].to_vec();
        fs::write(&path, &program).unwrap();
        assert!(module(root.path()).is_ok());
        for broken in [&b""[..], b"#!/bin/sh\n\n\n\n\n\n\n\n\n\n\n\n\n", &program[..10]] {
            fs::write(&path, broken).unwrap();
            assert!(matches!(module(root.path()), Err(PamError::ModuleUnfit(_))));
        }
        program[18] ^= 1;
        fs::write(&path, &program).unwrap();
        assert!(matches!(module(root.path()), Err(PamError::ModuleUnfit(_))));
    }
}
