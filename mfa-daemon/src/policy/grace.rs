// SPDX-License-Identifier: GPL-3.0-or-later
//! Grace: after a success the same user is not asked again for a while from the same ssh key, terminal
//! or host. In memory only: a daemon that was restarted asks again, which is the safe side, and what was
//! ended never comes back.
//!
//! Times are seconds of a clock that is never set (`CLOCK_BOOTTIME`), so that setting the host's clock
//! prolongs nothing.

use std::collections::HashMap;

use mfa_crypto::sha256;
use mfa_proto::UserName;
use mfa_proto::login::{Origin, ProcessSession};
use mfa_proto::status::{GraceStatus, GraceTie};

use super::rule::GraceTerms;

/// Graces at a time; a further one takes the place of the oldest.
const MAX: usize = 4096;

/// Graces of one user, likewise: all of them stand in his status, which is one frame, and whoever
/// shares an account comes from many hosts.
const MAX_OF_USER: usize = 64;

/// The longest service, terminal or host that a grace is tied to, in bytes: the longest file or host
/// name.
const VALUE_MAX: usize = 255;

/// What two logins have in common.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Tie {
    /// Fingerprint of the key that sshd has verified, as `ssh-keygen -l` shows it.
    SshKey(String),
    /// The same terminal in the same process session: another login on a terminal of that name is
    /// another session.
    Tty(String, ProcessSession),
    /// The same remote host.
    Host(String),
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Place {
    user: UserName,
    service: String,
    tie: Tie,
}

#[derive(Clone, Copy)]
struct Given {
    at: u64,
    seconds: u64,
}

/// The graces that hold.
#[derive(Default)]
pub struct Graces(HashMap<Place, Given>);

impl Graces {
    /// Remembers a success; says whether there was anything to tie it to.
    pub fn give(&mut self, user: &UserName, origin: &Origin, terms: &GraceTerms, now: u64) -> bool {
        let mut given = false;
        self.0.retain(|_, given| given.left(now) > 0);
        for tie in ties(origin, terms) {
            let place = Place { user: user.clone(), service: origin.service.clone(), tie };
            if !self.0.contains_key(&place) {
                self.make_room(user);
            }
            self.0.insert(place, Given { at: now, seconds: terms.seconds });
            given = true;
        }
        given
    }

    fn make_room(&mut self, user: &UserName) {
        let own = self.0.iter().filter(|(place, _)| place.user == *user);
        let oldest = if own.clone().count() >= MAX_OF_USER {
            own.min_by_key(|(_, given)| given.at)
        } else if self.0.len() >= MAX {
            self.0.iter().min_by_key(|(_, given)| given.at)
        } else {
            None
        };
        if let Some(oldest) = oldest.map(|(place, _)| place.clone()) {
            self.0.remove(&oldest);
        }
    }

    /// Whether an earlier success holds for this login, by the terms as they are now: what a rule no
    /// longer grants is void.
    #[must_use]
    pub fn holds(&self, user: &UserName, origin: &Origin, terms: &GraceTerms, now: u64) -> bool {
        ties(origin, terms).any(|tie| {
            let place = Place { user: user.clone(), service: origin.service.clone(), tie };
            self.0.get(&place).is_some_and(|given| {
                given.left(now) > 0 && now.saturating_sub(given.at) < terms.seconds
            })
        })
    }

    /// The graces of a user.
    #[must_use]
    pub fn of(&self, user: &UserName, now: u64) -> Vec<GraceStatus> {
        let own = self.0.iter().filter(|(place, given)| place.user == *user && given.left(now) > 0);
        let mut all: Vec<_> = own
            .map(|(place, given)| {
                let (tie, value) = match &place.tie {
                    Tie::SshKey(fingerprint) => (GraceTie::SshKey, fingerprint),
                    Tie::Tty(tty, _) => (GraceTie::Tty, tty),
                    Tie::Host(host) => (GraceTie::Host, host),
                };
                let service = place.service.clone();
                GraceStatus { service, tie, value: value.clone(), seconds_left: given.left(now) }
            })
            .collect();
        all.sort_by(|a, b| (&a.service, &a.value).cmp(&(&b.service, &b.value)));
        all
    }

    /// Ends all of them.
    pub fn end_all(&mut self) {
        self.0.clear();
    }

    /// Ends a user's graces; says how many there were.
    pub fn end(&mut self, user: &UserName, now: u64) -> u32 {
        let mut ended = 0;
        self.0.retain(|place, given| {
            let is_own = place.user == *user;
            ended += u32::from(is_own && given.left(now) > 0);
            !is_own
        });
        ended
    }
}

impl Given {
    fn left(self, now: u64) -> u64 {
        self.at.saturating_add(self.seconds).saturating_sub(now)
    }
}

/// What of `origin` a grace by these terms is tied to. A value that is not there, or empty as some
/// programs set it, ties nothing: it would tie all logins that have none to each other.
fn ties<'o>(origin: &'o Origin, terms: &'o GraceTerms) -> impl Iterator<Item = Tie> + 'o {
    let ties = terms.ties.iter().filter(|_| origin.service.len() <= VALUE_MAX);
    ties.filter_map(move |tie| match tie {
        GraceTie::SshKey => origin.ssh_key.as_deref().and_then(fingerprint).map(Tie::SshKey),
        GraceTie::Tty => Some(Tie::Tty(present(origin.tty.as_ref())?, origin.session?)),
        GraceTie::Host => present(origin.rhost.as_ref()).map(Tie::Host),
    })
}

fn present(value: Option<&String>) -> Option<String> {
    value.filter(|value| (1..=VALUE_MAX).contains(&value.len())).cloned()
}

/// `SHA256:` and the unpadded base64 of the hash over the key's blob. `None` for what is no key.
fn fingerprint(key: &str) -> Option<String> {
    let blob = key.split(' ').nth(1)?;
    let blob = data_encoding::BASE64.decode(blob.as_bytes()).ok().filter(|b| !b.is_empty())?;
    Some(format!("SHA256:{}", data_encoding::BASE64_NOPAD.encode(&sha256(&blob))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;
    /// Made by `ssh-keygen -t ed25519`, which shows the fingerprint below for it.
    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJNQvm4ozD4Kw4Gp8taEIN9wog/vqEyLBE/iOWeGb1MJ";

    fn terms(ties: &[GraceTie]) -> GraceTerms {
        GraceTerms { seconds: HOUR, ties: ties.to_vec() }
    }

    fn name(name: &str) -> UserName {
        UserName::new(name).unwrap()
    }

    fn origin() -> Origin {
        Origin {
            service: "sudo".into(),
            rhost: Some("192.0.2.1".into()),
            tty: Some("/dev/pts/0".into()),
            session: Some(ProcessSession { id: 7, started: 100 }),
            ssh_key: Some(KEY.into()),
        }
    }

    #[test]
    fn a_grace_holds_for_its_user_service_and_tie_and_no_other() {
        for (tie, other) in [
            (GraceTie::Host, Origin { rhost: Some("192.0.2.2".into()), ..origin() }),
            (GraceTie::Host, Origin { rhost: None, ..origin() }),
            (GraceTie::Tty, Origin { tty: Some("/dev/pts/1".into()), ..origin() }),
            (GraceTie::Tty, Origin { session: None, ..origin() }),
            (
                GraceTie::Tty,
                Origin { session: Some(ProcessSession { id: 7, started: 101 }), ..origin() },
            ),
            (GraceTie::SshKey, Origin { ssh_key: None, ..origin() }),
            (GraceTie::SshKey, Origin { ssh_key: Some(KEY.replace("AAAAI", "AAAAJ")), ..origin() }),
            (GraceTie::SshKey, Origin { ssh_key: Some("ssh-ed25519 !".into()), ..origin() }),
        ] {
            let terms = terms(&[tie]);
            let mut graces = Graces::default();
            graces.give(&name("alice"), &origin(), &terms, 50);
            assert!(graces.holds(&name("alice"), &origin(), &terms, 60));
            assert!(!graces.holds(&name("alice"), &other, &terms, 60), "{other:?}");
            assert!(!graces.holds(&name("bob"), &origin(), &terms, 60));
            let service = Origin { service: "su".into(), ..origin() };
            assert!(!graces.holds(&name("alice"), &service, &terms, 60));
        }
    }

    #[test]
    fn what_was_not_there_at_the_success_ties_nothing_later() {
        let all = terms(&[GraceTie::Host, GraceTie::Tty, GraceTie::SshKey]);
        let bare = Origin { service: "sudo".into(), ..Origin::default() };
        let mut graces = Graces::default();
        graces.give(&name("alice"), &bare, &all, 0);
        assert!(!graces.holds(&name("alice"), &bare, &all, 1));
        let empty = Origin {
            rhost: Some(String::new()),
            tty: Some(String::new()),
            session: Some(ProcessSession { id: 7, started: 100 }),
            ssh_key: Some("ssh-ed25519 ".into()),
            ..bare.clone()
        };
        graces.give(&name("alice"), &empty, &all, 0);
        assert!(!graces.holds(&name("alice"), &empty, &all, 1));
        graces.give(&name("alice"), &origin(), &all, 0);
        assert!(!graces.holds(&name("alice"), &bare, &all, 1));
        assert!(graces.holds(&name("alice"), &origin(), &all, 1));
    }

    #[test]
    fn a_grace_ends_with_its_time_with_its_rule_and_by_hand() {
        let host = terms(&[GraceTie::Host]);
        let mut graces = Graces::default();
        graces.give(&name("alice"), &origin(), &host, 0);
        assert!(graces.holds(&name("alice"), &origin(), &host, HOUR - 1));
        assert!(!graces.holds(&name("alice"), &origin(), &host, HOUR));
        let shorter = GraceTerms { seconds: 60, ..host.clone() };
        assert!(graces.holds(&name("alice"), &origin(), &shorter, 59));
        assert!(!graces.holds(&name("alice"), &origin(), &shorter, 60));
        assert!(!graces.holds(&name("alice"), &origin(), &terms(&[GraceTie::Tty]), 1));
        assert_eq!(graces.end(&name("bob"), 1), 0);
        assert_eq!(graces.end(&name("alice"), 1), 1);
        assert!(!graces.holds(&name("alice"), &origin(), &host, 1));
    }

    #[test]
    fn graces_are_listed_with_the_fingerprint_that_ssh_keygen_shows() {
        let mut graces = Graces::default();
        graces.give(&name("alice"), &origin(), &terms(&[GraceTie::SshKey, GraceTie::Tty]), 0);
        let listed = graces.of(&name("alice"), 600);
        let values: Vec<_> = listed.iter().map(|g| (g.value.as_str(), g.seconds_left)).collect();
        let fingerprint = "SHA256:T/oFaU2E14hleCeP+MsH6Zk1XPuXIPr89CTfQHbSFP0";
        assert_eq!(values, [("/dev/pts/0", 3000), (fingerprint, 3000)]);
        assert!(graces.of(&name("bob"), 600).is_empty());
        assert!(graces.of(&name("alice"), HOUR).is_empty());
    }

    #[test]
    fn one_user_has_so_many_graces_that_his_status_fits_a_frame_and_takes_no_other_users() {
        let host = terms(&[GraceTie::Host]);
        let mut graces = Graces::default();
        let far = |n: usize| Origin {
            service: "s".repeat(255),
            rhost: Some(format!("{n:0>253}")),
            ..origin()
        };
        graces.give(&name("bob"), &origin(), &host, 0);
        for n in 0..MAX + 10 {
            graces.give(&name("alice"), &far(n), &host, 1 + u64::try_from(n).unwrap() / 8);
        }
        assert!(graces.holds(&name("bob"), &origin(), &host, 600));
        assert!(graces.holds(&name("alice"), &far(MAX + 9), &host, 600));
        assert!(!graces.holds(&name("alice"), &far(0), &host, 600));
        let listed = graces.of(&name("alice"), 600);
        assert_eq!(listed.len(), MAX_OF_USER);
        let size = serde_json::to_vec(&listed).unwrap().len();
        assert!(size < mfa_proto::FRAME_MAX * 3 / 4, "{size} bytes");
        let longer = Origin { rhost: Some("h".repeat(VALUE_MAX + 1)), ..origin() };
        assert!(!graces.give(&name("alice"), &longer, &host, 600));
    }

    #[test]
    fn a_flood_forgets_the_oldest_and_stays_bounded() {
        let host = terms(&[GraceTie::Host]);
        let mut graces = Graces::default();
        for n in 0..MAX + 10 {
            let user = name(&format!("user{n}"));
            graces.give(&user, &origin(), &host, u64::try_from(n).unwrap() / 8);
        }
        assert_eq!(graces.0.len(), MAX);
    }
}
