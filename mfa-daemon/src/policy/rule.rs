// SPDX-License-Identifier: GPL-3.0-or-later
//! The `[[rule]]`s of `mfa.toml`: which one a login meets. The first that matches decides alone.

use std::net::IpAddr;

use ipnet::IpNet;
use mfa_proto::UserName;
use mfa_proto::status::GraceTie;

use crate::messages::configuration as messages;

/// A rule: where it stands, whom it is for, what it sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its line in `mfa.toml`, from 1.
    pub line: u32,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Whom it is for.
    pub matches: Matchers,
    /// What it sets.
    pub terms: Terms,
}

/// Whom a rule is for. Every list that is there must have an entry that fits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matchers {
    /// Names, byte for byte.
    pub users: Option<Vec<UserName>>,
    /// Groups of this host that the user is in.
    pub groups: Option<Vec<String>>,
    /// `PAM_SERVICE`.
    pub services: Option<Vec<String>>,
    /// `PAM_RHOST`.
    pub hosts: Option<Vec<HostPattern>>,
}

/// What holds for a login; the defaults are those where no rule matches. Moments are Unix seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// A user without a token is denied, whatever the module's line says.
    pub required: bool,
    /// Not asked before this moment.
    pub exempt_until: Option<u64>,
    /// Not asked again for a while after a success.
    pub grace: Option<GraceTerms>,
    /// From this moment on a user without a token must enrol inside the login.
    pub enroll_from: Option<u64>,
    /// From this moment on a user without a token is denied.
    pub enroll_until: Option<u64>,
    /// Who may make the first token; `token.enrollment` where absent.
    pub enrollment: Option<Enrollment>,
    /// Check, log, never deny.
    pub observe: bool,
    /// Where the daemon cannot decide the login passes.
    pub ignore_unavailable: bool,
}

impl Terms {
    /// Where no rule matches.
    pub const PLAIN: Self = Self {
        required: false,
        exempt_until: None,
        grace: None,
        enroll_from: None,
        enroll_until: None,
        enrollment: None,
        observe: false,
        ignore_unavailable: false,
    };

    /// Whether the login is not asked at `now`.
    #[must_use]
    pub fn is_exempt(&self, now: u64) -> bool {
        self.exempt_until.is_some_and(|until| now < until)
    }

    /// Whether what holds depends on the date.
    #[must_use]
    pub fn has_dates(&self) -> bool {
        [self.exempt_until, self.enroll_from, self.enroll_until].iter().any(Option::is_some)
    }
}

/// `grace_seconds` and `grace_for`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraceTerms {
    /// From the success on, not prolonged by what passes meanwhile.
    pub seconds: u64,
    /// What a later login must have in common with the success: any one of these.
    pub ties: Vec<GraceTie>,
}

/// Who may make a user's first token.
#[derive(serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Enrollment {
    /// The user.
    #[serde(rename = "self")]
    Oneself,
    /// The user, with a code that an administrator made (`mfa admin invite`).
    Invite,
    /// root and the admin group only.
    Admin,
}

impl Enrollment {
    /// The word of the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Oneself => "self",
            Self::Invite => "invite",
            Self::Admin => "admin",
        }
    }
}

/// An entry of `hosts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// `local`: no remote host.
    Local,
    /// An address or a network.
    Network(IpNet),
    /// A name, in lower case.
    Name(String),
    /// `*.example.org`, kept as `.example.org`.
    Under(String),
}

/// A text that is no host pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAHost;

impl std::fmt::Display for NotAHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(messages::NOT_A_HOST)
    }
}

impl std::error::Error for NotAHost {}

/// What a rule is matched against.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// Who.
    pub user: &'a UserName,
    /// `PAM_SERVICE`.
    pub service: &'a str,
    /// `PAM_RHOST`.
    pub rhost: Option<&'a str>,
}

/// The place of the first rule that matches. `is_member` says whether the user is in a group; it is asked only
/// where everything else of a rule fits.
///
/// # Errors
/// Those of `is_member`: which rule holds is then not known.
pub fn find<E>(
    rules: &[Rule],
    login: &Login<'_>,
    mut is_member: impl FnMut(&str) -> Result<bool, E>,
) -> Result<Option<usize>, E> {
    for (at, rule) in rules.iter().enumerate() {
        if rule.matches.but_groups(login) && in_any(rule.matches.groups.as_deref(), &mut is_member)?
        {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

fn in_any<E>(
    groups: Option<&[String]>,
    is_member: &mut impl FnMut(&str) -> Result<bool, E>,
) -> Result<bool, E> {
    let Some(groups) = groups else { return Ok(true) };
    for group in groups {
        if is_member(group)? {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Matchers {
    fn but_groups(&self, login: &Login<'_>) -> bool {
        let user = self.users.as_ref().is_none_or(|users| users.contains(login.user));
        let services = self.services.as_ref();
        let service = services.is_none_or(|services| services.iter().any(|s| s == login.service));
        let host = self.hosts.as_ref().is_none_or(|hosts| {
            let from = From::new(login.rhost);
            hosts.iter().any(|host| from.fits(host))
        });
        user && service && host
    }
}

/// Where a login comes from, read once.
enum From {
    Here,
    Address(IpAddr),
    Name(String),
}

impl From {
    fn new(rhost: Option<&str>) -> Self {
        let Some(rhost) = rhost.filter(|rhost| !rhost.is_empty()) else { return Self::Here };
        // A link-local address comes with its interface.
        let address = rhost.split_once('%').map_or(rhost, |(address, _)| address);
        match address.parse::<IpAddr>() {
            Ok(address) => Self::Address(address.to_canonical()),
            Err(_) => Self::Name(rhost.trim_end_matches('.').to_ascii_lowercase()),
        }
    }

    fn fits(&self, pattern: &HostPattern) -> bool {
        match (self, pattern) {
            (Self::Here, HostPattern::Local) => true,
            (Self::Address(address), HostPattern::Network(network)) => network.contains(address),
            (Self::Name(name), HostPattern::Name(pattern)) => name == pattern,
            (Self::Name(name), HostPattern::Under(domain)) => {
                name.len() > domain.len() && name.ends_with(domain.as_str())
            }
            _ => false,
        }
    }
}

impl std::str::FromStr for HostPattern {
    type Err = NotAHost;

    fn from_str(text: &str) -> Result<Self, NotAHost> {
        let is_name = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
                && !name.starts_with('.')
                && !name.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        };
        if text == "local" {
            return Ok(Self::Local);
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Network(address.to_canonical().into()));
        }
        if let Ok(network) = text.parse::<IpNet>() {
            return Ok(Self::Network(canonical(network.trunc())));
        }
        match text.strip_prefix("*.") {
            Some(domain) if is_name(domain) => Ok(Self::Under(format!(".{}", lower(domain)))),
            None if is_name(text) => Ok(Self::Name(lower(text))),
            _ => Err(NotAHost),
        }
    }
}

/// A network of IPv4-mapped addresses (RFC 4291, 2.5.5.2) as the IPv4 network it is: addresses are
/// compared in that form.
fn canonical(network: IpNet) -> IpNet {
    let mapped = match network {
        IpNet::V6(v6) => v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96)),
        IpNet::V4(_) => None,
    };
    mapped.and_then(|(address, prefix)| IpNet::new(address.into(), prefix).ok()).unwrap_or(network)
}

fn lower(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn names(names: &[&str]) -> Option<Vec<String>> {
        Some(names.iter().map(|name| (*name).to_owned()).collect())
    }

    fn users(names: &[&str]) -> Option<Vec<UserName>> {
        Some(names.iter().map(|name| UserName::new(*name).unwrap()).collect())
    }

    fn rule(line: u32, matches: Matchers) -> Rule {
        Rule { line, name: None, matches, terms: Terms::default() }
    }

    /// The line of the rule that `user`, a member of `groups`, meets.
    fn met(
        rules: &[Rule],
        user: &str,
        service: &str,
        rhost: Option<&str>,
        groups: &[&str],
    ) -> Option<u32> {
        let user = UserName::new(user).unwrap();
        let login = Login { user: &user, service, rhost };
        let member = |group: &str| Ok::<_, Infallible>(groups.contains(&group));
        find(rules, &login, member).unwrap().map(|at| rules[at].line)
    }

    #[test]
    fn the_first_rule_whose_every_list_fits_decides() {
        let rules = [
            rule(
                1,
                Matchers {
                    users: users(&["root", "backup"]),
                    services: names(&["sshd"]),
                    ..Matchers::default()
                },
            ),
            rule(
                2,
                Matchers {
                    groups: names(&["ops", "dev"]),
                    services: names(&["sudo"]),
                    ..Matchers::default()
                },
            ),
            rule(3, Matchers { users: users(&["backup"]), ..Matchers::default() }),
            rule(4, Matchers { services: names(&["sshd", "sudo"]), ..Matchers::default() }),
        ];
        for (user, service, groups, expected) in [
            ("root", "sshd", &[][..], Some(1)),
            ("backup", "sshd", &[], Some(1)),
            ("backup", "sudo", &[], Some(3)),
            ("backup", "sudo", &["dev"], Some(2)),
            ("alice", "sudo", &["ops"], Some(2)),
            ("alice", "sudo", &["staff"], Some(4)),
            ("alice", "sshd", &["ops"], Some(4)),
            ("alice", "su", &["ops"], None),
            ("Root", "su", &[], None),
        ] {
            assert_eq!(met(&rules, user, service, None, groups), expected, "{user} {service}");
        }
        assert_eq!(met(&[rule(9, Matchers::default())], "x", "y", None, &[]), Some(9));
    }

    #[test]
    fn groups_are_asked_for_only_where_the_rest_fits_and_their_failure_is_told() {
        let rules = [rule(
            1,
            Matchers { groups: names(&["ops"]), services: names(&["sudo"]), ..Matchers::default() },
        )];
        let alice = UserName::new("alice").unwrap();
        let login = |service| Login { user: &alice, service, rhost: None };
        let fails = |_: &str| Err("no answer");
        assert_eq!(find(&rules, &login("sshd"), fails), Ok(None));
        assert_eq!(find(&rules, &login("sudo"), fails), Err("no answer"));
    }

    #[test]
    fn hosts_are_matched_by_address_network_name_and_domain() {
        for (pattern, rhost, fits) in [
            ("192.0.2.1", Some("192.0.2.1"), true),
            ("192.0.2.1", Some("::ffff:192.0.2.1"), true),
            ("192.0.2.1", Some("192.0.2.10"), false),
            ("192.0.2.0/24", Some("192.0.2.255"), true),
            ("192.0.2.77/24", Some("192.0.2.1"), true),
            ("192.0.2.0/24", Some("192.0.3.0"), false),
            ("192.0.2.0/24", Some("host.192.0.2.1"), false),
            ("::ffff:192.0.2.0/120", Some("192.0.2.9"), true),
            ("::ffff:192.0.2.0/120", Some("::ffff:192.0.2.9"), true),
            ("::ffff:192.0.2.0/120", Some("192.0.3.9"), false),
            ("2001:db8::/32", Some("2001:db8:1::1"), true),
            ("2001:db8::/32", Some("2001:db9::1"), false),
            ("fe80::/10", Some("fe80::1%eth0"), true),
            ("bastion.example", Some("Bastion.Example."), true),
            ("bastion.example", Some("bastion.example.evil"), false),
            ("*.example", Some("a.b.example"), true),
            ("*.example", Some("example"), false),
            ("*.example", Some("evilexample"), false),
            ("*.example", Some(".example"), false),
            ("local", None, true),
            ("local", Some(""), true),
            ("local", Some("local"), false),
            ("192.0.2.0/24", None, false),
            ("0.0.0.0/0", None, false),
        ] {
            let hosts = Some(vec![pattern.parse().unwrap()]);
            let rules = [rule(1, Matchers { hosts, ..Matchers::default() })];
            assert_eq!(met(&rules, "x", "sshd", rhost, &[]).is_some(), fits, "{pattern} {rhost:?}");
        }
        for bad in
            ["", "*", "*.", "300.0.0.1", "1.2.3", "192.0.2.0/33", "a b", "a*b", ".example", "*.*.x"]
        {
            assert_eq!(bad.parse::<HostPattern>(), Err(NotAHost), "{bad}");
        }
    }
}
