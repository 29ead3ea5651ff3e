// SPDX-License-Identifier: GPL-3.0-or-later
//! Who is in a group, as the system's databases have it. For `exempt_group`.

use std::ffi::{CString, NulError};
use std::fmt;

use mfa_proto::UserName;
use nix::errno::Errno;
use nix::unistd::{Group, User, getgrouplist};

/// Why it is not known.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum GroupError {
    /// There is no such group.
    NoGroup,
    /// The group could not be looked up.
    Group(Errno),
    /// The user, or the groups of the user.
    User(Errno),
}

impl fmt::Display for GroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoGroup => write!(f, "there is no such group"),
            Self::Group(error) => write!(f, "the group cannot be looked up ({error})"),
            Self::User(error) => write!(f, "the user's groups cannot be looked up ({error})"),
        }
    }
}

impl From<NulError> for GroupError {
    fn from(_: NulError) -> Self {
        Self::User(Errno::EINVAL)
    }
}

/// Is the user in the group, as initgroups(3) would have it? A name without an account is in none.
///
/// # Errors
/// [`GroupError`]: that is no answer in either direction.
pub(crate) fn is_member(user: &UserName, group: &str) -> Result<bool, GroupError> {
    let group = Group::from_name(group).map_err(GroupError::Group)?.ok_or(GroupError::NoGroup)?;
    let Some(account) = User::from_name(user.as_str()).map_err(GroupError::User)? else {
        return Ok(false);
    };
    let name = CString::new(account.name)?;
    let groups = getgrouplist(&name, account.gid).map_err(GroupError::User)?;
    Ok(groups.contains(&group.gid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_told_from_others_and_a_missing_group_from_both() {
        let member = |user: &str, group| is_member(&UserName::new(user).unwrap(), group);
        // The primary group of an account that every system has.
        assert_eq!(member("root", "root"), Ok(true));
        assert_eq!(member("nobody", "root"), Ok(false));
        assert_eq!(member("no such user here", "root"), Ok(false));
        assert_eq!(member("root", "no such group here"), Err(GroupError::NoGroup));
        assert_eq!(member("root", ""), Err(GroupError::NoGroup));
    }
}
