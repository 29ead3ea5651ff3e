// SPDX-License-Identifier: GPL-3.0-or-later
//! What the one at the other end may do, by the kernel's word for who it is.

use std::ffi::CString;

use mfa_proto::{ErrorAnswer, ErrorCode, Peer, UserName};
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};

/// How a caller stands to a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// uid 0: login programs, administrators.
    Root,
    /// A member of the admin group.
    Admin,
    /// The user himself.
    Own,
    /// Anybody else.
    Stranger,
}

/// How `peer` stands to `user`. For anybody but root this asks the name service, which may block:
/// so it runs apart.
pub async fn standing(peer: Peer, user: &UserName, admin_group: &str) -> Standing {
    if is_root(peer) {
        return Standing::Root;
    }
    let (user, admin_group) = (user.clone(), admin_group.to_owned());
    tokio::task::spawn_blocking(move || {
        if is_member(peer, &admin_group) {
            Standing::Admin
        } else if is_own(peer, &user) {
            Standing::Own
        } else {
            Standing::Stranger
        }
    })
    .await
    .unwrap_or(Standing::Stranger)
}

/// Whether `peer` may ask about a login of `user`: root for anybody, others for themselves.
pub async fn may_log_in(peer: Peer, user: &UserName) -> bool {
    if is_root(peer) {
        return true;
    }
    let user = user.clone();
    tokio::task::spawn_blocking(move || is_own(peer, &user)).await.unwrap_or(false)
}

/// Whether `peer` may administer.
pub async fn is_admin(peer: Peer, admin_group: &str) -> bool {
    if is_root(peer) {
        return true;
    }
    let admin_group = admin_group.to_owned();
    tokio::task::spawn_blocking(move || is_member(peer, &admin_group)).await.unwrap_or(false)
}

/// Whether `peer` is root, or has the daemon's own uid: that one can read key and store anyway, and a
/// trial that runs as an ordinary user needs somebody in root's place.
#[must_use]
pub fn is_root(peer: Peer) -> bool {
    peer.uid == 0 || peer.uid == nix::unistd::geteuid().as_raw()
}

/// The one refusal: it does not tell whether the named user exists.
#[must_use]
pub fn not_permitted() -> ErrorAnswer {
    ErrorAnswer {
        code: ErrorCode::NotPermitted,
        message: crate::messages::refusals::NOT_PERMITTED.to_owned(),
    }
}

/// Whether `user` is in `group`, by the name service of this host. Names that it does not know are in
/// no group and have no members.
///
/// # Errors
/// The name service gives no answer.
pub fn is_in_group(user: &UserName, group: &str) -> nix::Result<bool> {
    let (Some(user), Some(group)) = (User::from_name(user.as_str())?, Group::from_name(group)?)
    else {
        return Ok(false);
    };
    let name = CString::new(user.name).map_err(|_| nix::errno::Errno::EINVAL)?;
    Ok(getgrouplist(&name, user.gid)?.contains(&group.gid))
}

fn is_own(peer: Peer, user: &UserName) -> bool {
    matches!(User::from_name(user.as_str()), Ok(Some(found)) if found.uid.as_raw() == peer.uid)
}

fn is_member(peer: Peer, group: &str) -> bool {
    let Ok(Some(group)) = Group::from_name(group) else { return false };
    let Ok(Some(user)) = User::from_uid(Uid::from_raw(peer.uid)) else { return false };
    let Ok(name) = CString::new(user.name) else { return false };
    getgrouplist(&name, Gid::from_raw(peer.gid)).is_ok_and(|groups| groups.contains(&group.gid))
}
