// SPDX-License-Identifier: GPL-3.0-or-later
//! Which Diffie-Hellman group of the daemon is accepted: one of RFC 7919 by comparison, any other
//! after the checks of a safe prime and its generator.

use getrandom::SysRng;
use mfa_crypto::Group;
use mfa_proto::exchange::Params;

use crate::failure::Failure;

/// The offered group, checked. `notice` is called where that takes seconds; `checked` is one that
/// needs no second check.
pub(crate) fn check(
    params: &Params,
    checked: Option<&Group>,
    notice: impl FnOnce(),
) -> Result<Group, Failure> {
    let (p, g) = (params.p.as_bytes(), params.g.as_bytes());
    if let Some(group) = checked.filter(|group| group.p() == p && group.g() == g) {
        return Ok(group.clone());
    }
    if let Some(name) = &params.group {
        return match Group::named(name) {
            Some(group) if group.p() == p && group.g() == g => Ok(group),
            _ => Err(Failure::GroupRenamed(name.clone())),
        };
    }
    notice();
    Group::from_numbers(p, g, &mut SysRng).map_err(Failure::GroupUnsound)
}

#[cfg(test)]
mod tests {
    use mfa_proto::Blob;

    use super::*;

    fn offered(name: Option<&str>, p: &[u8], g: &[u8]) -> Params {
        Params { group: name.map(str::to_owned), p: Blob::new(p), g: Blob::new(g) }
    }

    #[test]
    fn a_named_group_is_taken_only_with_the_numbers_of_its_name() {
        let real = Group::named("ffdhe2048").unwrap();
        let good = offered(Some("ffdhe2048"), real.p(), real.g());
        assert_eq!(check(&good, None, || panic!("nothing to test")).unwrap(), real);

        let mut other = real.p().to_vec();
        *other.last_mut().unwrap() ^= 2;
        for bad in [
            offered(Some("ffdhe2048"), &other, real.g()),
            offered(Some("ffdhe2048"), real.p(), &[4]),
            offered(Some("ffdhe3072"), real.p(), real.g()),
            offered(Some("ffdhe1024"), real.p(), real.g()),
            offered(Some(""), real.p(), real.g()),
        ] {
            assert!(matches!(check(&bad, None, || ()), Err(Failure::GroupRenamed(_))), "{bad:?}");
        }
    }

    #[test]
    fn a_group_without_a_name_is_tested_with_notice() {
        let real = Group::named("ffdhe2048").unwrap();
        let mut notices = 0;
        assert!(check(&offered(None, real.p(), real.g()), None, || notices += 1).is_ok());
        for (p, g) in [(&real.p()[1..], real.g()), (real.p(), &[1][..]), (&[][..], &[2][..])] {
            let refused = check(&offered(None, p, g), None, || notices += 1);
            assert!(matches!(refused, Err(Failure::GroupUnsound(_))));
        }
        let mut composite = real.p().to_vec();
        *composite.last_mut().unwrap() ^= 2;
        assert!(check(&offered(None, &composite, real.g()), None, || notices += 1).is_err());
        assert_eq!(notices, 5);
        // What has been checked is not checked again, but nothing else is taken for it.
        let same = offered(None, real.p(), real.g());
        assert!(check(&same, Some(&real), || notices += 1).is_ok());
        assert_eq!(notices, 5);
        assert!(check(&offered(None, &composite, real.g()), Some(&real), || notices += 1).is_err());
    }
}
