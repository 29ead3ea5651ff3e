// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa params`: makes and checks groups for the daemon's key exchange. Needs no daemon.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread::available_parallelism;

use data_encoding::HEXLOWER;
use getrandom::SysRng;
use indicatif::{ProgressBar, ProgressStyle};
use mfa_crypto::{Group, GroupError, Progress};
use serde::Serialize;

use crate::arguments::Params;
use crate::console::Console;
use crate::failure::{Exit, Failure};
use crate::messages;

/// No file of parameters is longer.
const FILE_MAX: u64 = 64 * 1024;

#[derive(Serialize)]
struct Described<'a> {
    group: Option<&'static str>,
    bits: usize,
    generator: String,
    fingerprint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a Path>,
}

pub(super) fn run(command: &Params, console: &mut Console) -> Result<Exit, Failure> {
    match command {
        Params::Generate { bits, out } => generate(*bits, out.as_deref(), console),
        Params::Check { file } => check(file, console),
    }
}

fn generate(bits: usize, out: Option<&Path>, console: &mut Console) -> Result<Exit, Failure> {
    // A search of minutes must not end at a file that was there all the time.
    if let Some(path) = out
        && path.symlink_metadata().is_ok()
    {
        return Err(Failure::ParamsFile(path.to_owned(), io::ErrorKind::AlreadyExists.into()));
    }
    let workers = available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let bar = bar(console);
    let watch = |Progress { tested, expected }: Progress| {
        // The search has no memory: whatever was tested before, as many again are expected.
        bar.set_length((tested / expected.max(1) + 1) * expected);
        bar.set_position(tested);
    };
    let group = Group::generate(bits, workers, &mut SysRng, &watch);
    bar.finish_and_clear();
    let group = group.map_err(Failure::Generate)?;
    let pem = group.to_pem().map_err(Failure::ParamsUnsound)?;
    match out {
        Some(path) => {
            write_new(path, &pem).map_err(|error| Failure::ParamsFile(path.to_owned(), error))?;
            describe(&group, Some(path), console)?;
            console.note(&messages::use_params(path));
        }
        None if console.json() => describe(&group, None, console)?,
        None => console.part(&pem)?,
    }
    Ok(Exit::Done)
}

fn check(path: &Path, console: &mut Console) -> Result<Exit, Failure> {
    let unreadable = |error| Failure::ParamsFile(path.to_owned(), error);
    let length = fs::metadata(path).map_err(unreadable)?.len();
    if length > FILE_MAX {
        let bytes = usize::try_from(length).unwrap_or(usize::MAX);
        return Err(Failure::ParamsUnsound(GroupError::FileTooLong { bytes }));
    }
    let text = fs::read_to_string(path).map_err(unreadable)?;
    let group = Group::from_pem(&text, &mut SysRng).map_err(Failure::ParamsUnsound)?;
    describe(&group, Some(path), console)?;
    Ok(Exit::Done)
}

fn describe(group: &Group, file: Option<&Path>, console: &mut Console) -> Result<(), Failure> {
    let generator = HEXLOWER.encode(group.g());
    let fingerprint = HEXLOWER.encode(&group.fingerprint());
    if console.json() {
        let bits = group.bits();
        return console.object(&Described {
            group: group.name(),
            bits,
            generator,
            fingerprint,
            file,
        });
    }
    console.result(&messages::group(group, &generator, &fingerprint))
}

/// The file is new, whole, and on the disk, or not there.
fn write_new(path: &Path, pem: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(path)?;
    let written = file.write_all(pem.as_bytes()).and_then(|()| file.sync_all());
    written.inspect_err(|_| {
        let _ = fs::remove_file(path);
    })
}

fn bar(console: &Console) -> ProgressBar {
    if !console.shows_progress() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::no_length();
    match ProgressStyle::with_template(messages::SEARCHING) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
