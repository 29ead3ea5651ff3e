// SPDX-License-Identifier: GPL-3.0-or-later
//! Asks the sshd of this machine what holds for a connection.

use std::path::PathBuf;

use super::super::host::Host;
use super::Settings;
use super::matching::Spec;

const PROGRAMS: [&str; 4] =
    ["/usr/sbin/sshd", "/usr/bin/sshd", "/usr/local/sbin/sshd", "/usr/lib/ssh/sshd"];

pub(super) fn program(host: &Host<'_>) -> Option<PathBuf> {
    PROGRAMS.iter().map(|path| host.below(path)).find(|path| path.exists())
}

/// The settings for such a connection, or what sshd complains of.
pub(super) fn settings(
    host: &Host<'_>,
    program: &std::path::Path,
    spec: &Spec,
) -> Result<Settings, String> {
    let program = program.display().to_string();
    let connection = format!(
        "user={},host={},addr={},laddr={},lport={}",
        spec.user, spec.host, spec.address, spec.local_address, spec.local_port
    );
    let ran = host.run(&[&program, "-T", "-C", &connection]).map_err(|error| error.to_string())?;
    if ran.succeeded {
        return Ok(Settings::parse(&ran.out));
    }
    Err(ran.err.lines().next().unwrap_or_default().to_owned())
}
