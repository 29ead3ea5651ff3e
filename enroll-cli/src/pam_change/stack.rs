// SPDX-License-Identifier: GPL-3.0-or-later
//! What PAM makes of a service's file, before the file is there.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::{PamError, Place};
use crate::messages;
use crate::pam_stack::{self, Group};

/// The services of a machine with one of them in another wording, in a directory of its own.
#[derive(Debug)]
pub(crate) struct Trial<'a> {
    directory: tempfile::TempDir,
    services: &'a Path,
    service: &'a str,
}

impl<'a> Trial<'a> {
    /// Below the directory of records' marks, which is root's alone.
    pub(crate) fn new(place: &'a Place, service: &'a str) -> Result<Self, PamError> {
        let services = &place.services;
        let directory =
            tempfile::tempdir_in(&place.run).map_err(|error| PamError::io(&place.run, error))?;
        let io = |error| PamError::io(services, error);
        for entry in fs::read_dir(services).map_err(io)? {
            let entry = entry.map_err(io)?;
            if entry.file_name() != service {
                symlink(entry.path(), directory.path().join(entry.file_name())).map_err(io)?;
            }
        }
        Ok(Self { directory, services, service })
    }

    /// What would be wrong with it.
    pub(crate) fn flaws(&self, text: &[u8]) -> Vec<String> {
        if let Err(error) = self.put(self.service, text) {
            return vec![error.to_string()];
        }
        let here = self.directory.path();
        let found = match asking(here, self.service) {
            Ok(lines) if lines.is_empty() => vec![messages::pam::LINE_NOT_READ.to_owned()],
            _ => flaws(here, self.service).unwrap_or_else(|error| vec![error]),
        };
        // The places are those of the machine.
        let (here, there) = (here.display().to_string(), self.services.display().to_string());
        found.into_iter().map(|flaw| flaw.replace(&here, &there)).collect()
    }

    /// How many lines ask for a code in each of these services, where all of them have these texts.
    pub(crate) fn lines_of_all(&self, texts: &[(&str, &[u8])]) -> Result<Vec<usize>, PamError> {
        texts.iter().try_for_each(|(service, text)| self.put(service, text))?;
        let count = |(service, _): &(&str, &[u8])| {
            asking(self.directory.path(), service).map(|lines| lines.len())
        };
        texts.iter().map(count).collect()
    }

    fn put(&self, service: &str, text: &[u8]) -> Result<(), PamError> {
        let path = self.directory.path().join(service);
        super::file::remove_if_there(&path)?;
        fs::write(&path, text).map_err(|error| PamError::io(&path, error))
    }
}

/// Why a login through the service can do without a right code, or cannot be done at all.
pub(crate) fn flaws(services: &Path, service: &str) -> Result<Vec<String>, String> {
    let stack =
        pam_stack::read(services, service, Group::Auth).map_err(|error| error.to_string())?;
    Ok(pam_stack::flaws(&stack).iter().map(messages::pam::flaw).collect())
}

/// The places of the lines by which the service asks for a code; none where it does not.
pub(crate) fn asking(
    services: &Path,
    service: &str,
) -> Result<Vec<(std::path::PathBuf, String)>, PamError> {
    let stack = pam_stack::read(services, service, Group::Auth)
        .map_err(|error| PamError::Stack(error.to_string()))?;
    Ok(pam_stack::module_lines(&stack)
        .into_iter()
        .map(|line| (line.file.clone(), line.place()))
        .collect())
}
