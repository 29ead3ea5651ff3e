// SPDX-License-Identifier: GPL-3.0-or-later
//! The socket and the clock.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use mfa_proto::about::ClockState;

use super::super::finding::{Check, Mend};
use super::super::reach::{clock, socket};
use crate::clock::BUILT_AFTER;

#[test]
fn the_clock_must_be_past_the_release_and_better_be_synchronised() {
    let found = |now, state| clock(now, state).check;
    assert_eq!(found(BUILT_AFTER, Some(ClockState::Synchronised)), Check::ClockSynchronised);
    assert_eq!(found(BUILT_AFTER, Some(ClockState::Unsynchronised)), Check::ClockUnsynchronised);
    assert_eq!(found(BUILT_AFTER, None), Check::NotLookedAt);
    assert_eq!(found(BUILT_AFTER - 1, Some(ClockState::Synchronised)), Check::ClockEarly);
}

#[test]
fn a_socket_that_others_could_replace_is_named_with_the_command_that_mends_it() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("s");
    let me = nix::unistd::geteuid().as_raw();
    let missing = socket(&path, me);
    assert_eq!(missing.check, Check::SocketMissing);
    assert_eq!(missing.mends, [Mend::Command("systemctl enable --now mfa.socket".to_owned())]);
    let _listener = UnixListener::bind(&path).unwrap();
    assert_eq!(socket(&path, me).check, Check::SocketSafe);
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let open = socket(&path, me);
    assert_eq!(open.check, Check::SocketWritable);
    assert_eq!(open.mends, [Mend::Command(format!("chmod go-w {}", home.path().display()))]);
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(socket(&path, me).check, Check::SocketSafe);
    // A directory of somebody else's above.
    let above = home.path().join("above");
    fs::create_dir_all(above.join("run")).unwrap();
    let path = above.join("run/s");
    let _other = UnixListener::bind(&path).unwrap();
    assert_eq!(socket(&path, me).check, Check::SocketSafe);
    std::os::unix::fs::chown(&above, Some(12345), None)
        .expect("a directory is given away, so this test has to run as root");
    let foreign = socket(&path, me);
    assert_eq!(foreign.check, Check::SocketOwner);
    assert_eq!(foreign.mends, [Mend::Command(format!("chown 0 {}", above.display()))]);
    assert_eq!(socket(home.path(), me).check, Check::SocketOther);
}
