// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa admin backup`: a copy of the store into a file, which is whole or not there, or into a pipe.
//!
//! JSON: `{"file":…,"bytes":…}`; nothing with `-`, where standard output has the copy.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mfa_proto::Request;
use mfa_proto::keep::{AdminBackupPart, KeepAnswer};
use serde::Serialize;

use crate::console::Console;
use crate::daemon::{Connection, Daemon, PATIENCE};
use crate::failure::{Exit, Failure};
use crate::messages;
use crate::progress::Bars;

/// The daemon makes the whole copy before it answers.
const COPIED_WITHIN: Duration = Duration::from_secs(600);

#[derive(Serialize)]
struct Made<'a> {
    file: &'a Path,
    bytes: u64,
}

pub(super) fn run(file: &Path, daemon: &Daemon, console: &mut Console) -> Result<Exit, Failure> {
    let to_stdout = file == Path::new("-");
    if to_stdout && io::stdout().is_terminal() {
        return Err(Failure::BackupToTerminal);
    }
    let mut target = if to_stdout { Target::Stdout(io::stdout()) } else { Target::beside(file)? };
    let bytes = fetch(&mut daemon.connect()?, &mut target, console)?;
    target.finish().map_err(|error| failed(file, error))?;
    if to_stdout {
        return Ok(Exit::Done);
    }
    if console.json() {
        console.object(&Made { file, bytes })?;
    } else {
        console.explain(&messages::backed_up(file, bytes))?;
    }
    Ok(Exit::Done)
}

fn fetch(
    connection: &mut Connection,
    target: &mut Target,
    console: &Console,
) -> Result<u64, Failure> {
    let KeepAnswer::Backup { bytes } = connection.keep(&Request::AdminBackup {}, COPIED_WITHIN)?
    else {
        return Err(Failure::OtherAnswer { to: "admin_backup" });
    };
    let bar = Bars { shown: console.shows_progress() }.bytes("backing up", bytes);
    let mut offset = 0;
    loop {
        let request = Request::AdminBackupPart(AdminBackupPart { offset });
        let KeepAnswer::Part { data } = connection.keep(&request, PATIENCE)? else {
            return Err(Failure::OtherAnswer { to: "admin_backup_part" });
        };
        if data.as_bytes().is_empty() {
            break;
        }
        target.write(data.as_bytes())?;
        offset += data.as_bytes().len() as u64;
        bar.set_position(offset);
    }
    bar.finish_and_clear();
    if offset == bytes { Ok(bytes) } else { Err(Failure::OtherAnswer { to: "admin_backup_part" }) }
}

/// Where the copy goes.
enum Target {
    Stdout(io::Stdout),
    /// Under another name until it is whole.
    File {
        file: File,
        fresh: PathBuf,
        path: PathBuf,
        is_whole: bool,
    },
}

impl Target {
    fn beside(path: &Path) -> Result<Self, Failure> {
        // What is renamed over it is gone: no device, no link.
        match fs::symlink_metadata(path) {
            Ok(found) if !found.is_file() => return Err(Failure::BackupOverOther(path.to_owned())),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(path, error)),
        }
        let mut fresh = path.as_os_str().to_owned();
        fresh.push(".new");
        let fresh = PathBuf::from(fresh);
        let _ = fs::remove_file(&fresh);
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&fresh)
            .map_err(|error| failed(&fresh, error))?;
        Ok(Self::File { file, fresh, path: path.to_owned(), is_whole: false })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Stdout(out) => out.write_all(bytes).map_err(Failure::Output),
            Self::File { file, fresh, .. } => {
                file.write_all(bytes).map_err(|error| failed(fresh, error))
            }
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::File { file, fresh, path, is_whole } => {
                file.sync_all()?;
                fs::rename(fresh, &path)?;
                *is_whole = true;
                let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
                File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
            }
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Self::File { fresh, is_whole: false, .. } = self {
            let _ = fs::remove_file(fresh);
        }
    }
}

fn failed(path: &Path, error: io::Error) -> Failure {
    Failure::BackupFile(path.to_owned(), error)
}
